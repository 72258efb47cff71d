//! `keyalike merge`: joins what the shards of a fuzzing run found.

use std::collections::BTreeMap;
use std::path::PathBuf;

use harness::explore::fuzz::Finding;
use harness::explore::fuzz::classes::classes;

use super::fuzz::{ending, told};
use crate::failure::{Ending, Failure};
use crate::findings_file::{Contents, FindingsFile, Head, read};
use crate::output;
use crate::shard::Shard;

/// The arguments of `merge`.
#[derive(Debug, clap::Args)]
pub(crate) struct Merge {
    /// The files that `fuzz --shard I/N --out FILE` wrote, one of each shard
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Write what the whole search would have written
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Merge {
    /// Joins and tells.
    pub(crate) fn execute(&self) -> Result<Ending, Failure> {
        let mut shards: BTreeMap<Shard, (&PathBuf, Contents)> = BTreeMap::new();
        for path in &self.files {
            let refuse = |reason: String| Failure::Shards { path: path.clone(), reason };
            let (contents, _) = read(path)?;
            let shard = contents.head.shard;
            if let Some((first, known)) = shards.values().next()
                && whole(&known.head) != whole(&contents.head)
            {
                let reason = format!("it belongs to another search than {}", first.display());
                return Err(refuse(reason));
            }
            if let Some((first, known)) = shards.values().next()
                && known.head.shard.count != shard.count
            {
                let reason =
                    format!("it is shard {shard}, and {} is one of {}", first.display(), known.head.shard.count);
                return Err(refuse(reason));
            }
            if !contents.is_whole {
                return Err(refuse(format!(
                    "shard {shard} did not come to its end; repeat its command, which goes on"
                )));
            }
            if let Some(foreign) = contents.harvests.keys().find(|number| !shard.has(**number)) {
                return Err(refuse(format!("it is shard {shard}, and program {foreign} belongs to another")));
            }
            if let Some((first, _)) = shards.insert(shard, (path, contents)) {
                return Err(refuse(format!("shard {shard} is there twice, here and in {}", first.display())));
            }
        }
        let Some((path, first)) = shards.values().next() else { return Ok(Ending::Expected) };
        let count = first.head.shard.count;
        let missing = |index: &u64| !shards.contains_key(&Shard { index: *index, count });
        if let Some(index) = (1..=count).find(missing) {
            let reason = format!("shard {index}/{count} of its search is missing; name its file as well");
            return Err(Failure::Shards { path: (*path).clone(), reason });
        }
        let head = whole(&first.head);
        let harvests: BTreeMap<_, _> = shards.values().flat_map(|(_, contents)| contents.harvests.clone()).collect();
        let findings: Vec<Finding> = harvests.values().flat_map(|harvest| harvest.findings.clone()).collect();
        let classes = classes(&findings);
        output::print(&told(&head, harvests.values(), &classes))?;
        if let Some(out) = &self.out {
            let (mut file, known) = FindingsFile::open(out, &head)?;
            if !known.is_whole {
                let new = harvests.iter().filter(|(number, _)| !known.harvests.contains_key(number));
                new.for_each(|(number, harvest)| file.add(*number, harvest));
                file.end(harvests.len() as u64);
            }
            if let Some(failure) = file.close() {
                return Err(failure);
            }
        }
        Ok(ending(&classes))
    }
}

/// Returns the head of the whole search.
fn whole(head: &Head) -> Head {
    Head { shard: Shard::WHOLE, ..head.clone() }
}
