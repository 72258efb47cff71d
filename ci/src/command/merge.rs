//! `keyalike merge`: joins what the shards of a fuzzing run, or of an exploration, found.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use harness::explore::fuzz::Finding;
use harness::explore::fuzz::classes::classes;
use harness::explore::shard::{Piece, join};
use harness::scenario::Scenario;
use harness::scenario::parse::parse;

use super::explore::{Library, told as told_exploration, violates};
use super::fuzz::{ending, told};
use crate::explorations_file::{Explorations, Place};
use crate::failure::{Ending, Failure};
use crate::findings_file::Findings;
use crate::kept_file::{Kept, KeptFile, read_shards};
use crate::output;

/// The arguments of `merge`.
#[derive(Debug, clap::Args)]
pub(crate) struct Merge {
    /// The files that `fuzz --shard I/N --out FILE` or `explore --shard I/N --out FILE` wrote, one of each shard
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Write what the whole search would have written
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Merge {
    /// Joins and tells.
    pub(crate) fn execute(&self) -> Result<Ending, Failure> {
        match self.files.iter().find(|path| begins_with(path, Explorations::FIRST)) {
            None => self.join_findings(),
            Some(exploration) => {
                if let Some(path) = self.files.iter().find(|path| begins_with(path, Findings::FIRST)) {
                    let reason = format!("it is of `fuzz`, and {} is of `explore`", exploration.display());
                    return Err(Failure::Shards { path: path.clone(), reason });
                }
                self.join_explorations()
            }
        }
    }

    fn join_findings(&self) -> Result<Ending, Failure> {
        let shards = read_shards::<Findings>(&self.files)?;
        for (shard, (path, contents)) in &shards {
            if let Some(foreign) = contents.results.keys().find(|number| !shard.has(**number)) {
                let reason = format!("it is shard {shard}, and program {foreign} belongs to another");
                return Err(Failure::Shards { path: path.clone(), reason });
            }
        }
        let Some((_, first)) = shards.values().next() else { return Ok(Ending::Expected) };
        let head = Findings::whole(&first.head);
        let harvests: BTreeMap<_, _> = shards.values().flat_map(|(_, contents)| contents.results.clone()).collect();
        let findings: Vec<Finding> = harvests.values().flat_map(|harvest| harvest.findings.clone()).collect();
        let classes = classes(&findings);
        output::print(&told(&head, harvests.values(), &classes))?;
        self.write::<Findings>(&head, harvests.iter())?;
        Ok(ending(&classes))
    }

    fn join_explorations(&self) -> Result<Ending, Failure> {
        let shards = read_shards::<Explorations>(&self.files)?;
        let Some((_, first)) = shards.values().next() else { return Ok(Ending::Expected) };
        let head = Explorations::whole(&first.head);
        let mut joined: Vec<(Place, Piece)> = Vec::new();
        let mut ending = Ending::Expected;
        // In the order in which one machine would have told them.
        for scenario in &head.scenarios {
            for library in &head.libraries {
                let place = Place { scenario: scenario.clone(), library: library.0.clone() };
                let mut pieces: Vec<Piece> = Vec::new();
                for (shard, (path, contents)) in &shards {
                    let piece = contents.results.get(&place).ok_or_else(|| {
                        let reason = format!("shard {shard} lacks the search {place}; repeat its command");
                        Failure::Shards { path: path.clone(), reason }
                    })?;
                    pieces.push(piece.clone());
                }
                let (path, _) = &shards[&first_of(&shards)];
                let refuse = |reason: String| Failure::Shards { path: path.clone(), reason };
                let piece = join(&pieces, head.strategy, head.budget).map_err(|error| refuse(error.to_string()))?;
                let scenario = read_scenario(scenario).map_err(&refuse)?;
                let library = Library::of(library);
                output::print(&told_exploration(&piece.report, &scenario, &library, head.shard))?;
                if violates(&piece.report, &scenario) {
                    ending = Ending::Unexpected;
                }
                joined.push((place, piece));
            }
        }
        self.write::<Explorations>(&head, joined.iter().map(|(place, piece)| (place, piece)))?;
        Ok(ending)
    }

    /// Writes what the whole search would have written, if a file was named.
    fn write<'r, K: Kept>(
        &self,
        head: &K::Head,
        results: impl ExactSizeIterator<Item = (&'r K::Key, &'r K::Value)>,
    ) -> Result<(), Failure>
    where
        K::Key: 'r,
        K::Value: 'r,
    {
        let Some(out) = &self.out else { return Ok(()) };
        let (mut file, known) = KeptFile::open::<K>(out, head)?;
        if !known.is_whole {
            let count = results.len();
            let new = results.filter(|(key, _)| !known.results.contains_key(key));
            new.for_each(|(key, value)| file.add::<K>(key, value));
            file.end::<K>(count);
        }
        file.close().map_or(Ok(()), Err)
    }
}

fn first_of<T>(shards: &BTreeMap<harness::explore::shard::Shard, T>) -> harness::explore::shard::Shard {
    *shards.keys().next().expect("a search has one shard at least")
}

/// Returns whether a file begins so. What cannot be read is told by whoever reads it.
fn begins_with(path: &Path, first: &str) -> bool {
    let Ok(file) = std::fs::File::open(path) else { return false };
    let mut start = Vec::new();
    let read = BufReader::new(file).take(first.len() as u64).read_until(b'\n', &mut start);
    read.is_ok() && start == first.as_bytes()
}

/// Reads a scenario that stands below its name.
fn read_scenario(text: &str) -> Result<Scenario, String> {
    let (name, text) = text.split_once('\n').unwrap_or((text, ""));
    let name = name.parse().map_err(|_| format!("`{name}` is no name of a scenario"))?;
    parse(name, text).map_err(|errors| format!("its scenario cannot be read: {}", errors[0].message))
}
