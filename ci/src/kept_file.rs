//! What a search found, kept in a file as it is found: one JSON value a line, so that a search that is killed has lost
//! nothing and goes on where it was.
//!
//! First what is searched, then what came of one thing after the other, then how many there were. A last line that was
//! cut off is one that was not written.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use harness::explore::shard::Shard;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::failure::Failure;

/// A kind of search: what its file holds.
pub(crate) trait Kept {
    /// What is searched: the first line.
    type Head: Clone + Debug + PartialEq + Serialize + DeserializeOwned;
    /// By what results are told apart.
    type Key: Clone + Debug + Display + Ord;
    /// What came of one thing.
    type Value: Clone + Debug;
    /// A further line.
    type Line: Serialize + DeserializeOwned;

    /// What the first line begins with.
    const FIRST: &'static str;
    /// What such a file is called.
    const WHAT: &'static str;
    /// What a key names.
    const ITEM: &'static str;
    /// The schema of the file.
    const SCHEMA: u32;

    fn schema(head: &Self::Head) -> u32;
    fn shard(head: &Self::Head) -> Shard;
    /// Returns the head of the same search, not split.
    fn whole(head: &Self::Head) -> Self::Head;
    fn result(key: Self::Key, value: Self::Value) -> Self::Line;
    fn end(count: u64) -> Self::Line;
    fn read(line: Self::Line) -> Entry<Self::Key, Self::Value>;
}

/// What a further line says.
#[derive(Debug)]
pub(crate) enum Entry<K, V> {
    /// What came of one thing.
    Result(K, V),
    /// The search is over, with so many results.
    End(u64),
}

/// What a file holds.
#[derive(Clone, Debug)]
pub(crate) struct Contents<K: Kept> {
    pub(crate) head: K::Head,
    pub(crate) results: BTreeMap<K::Key, K::Value>,
    /// Whether the search came to its end.
    pub(crate) is_whole: bool,
}

/// Reads a file. A last line that was cut off is left out; the length of the rest comes with it.
pub(crate) fn read<K: Kept>(path: &Path) -> Result<(Contents<K>, u64), Failure> {
    let refuse = |reason: String| Failure::Findings { path: path.to_owned(), reason };
    let what = K::WHAT;
    let bytes = std::fs::read(path).map_err(|source| Failure::Read { path: path.to_owned(), source })?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let text = std::str::from_utf8(&bytes[..whole]).map_err(|_| refuse(format!("it is no {what}")))?;
    let mut lines = text.lines();
    let first = lines.next().ok_or_else(|| refuse("it has no first line that says what was run".to_owned()))?;
    let head: K::Head = serde_json::from_str(first).map_err(|error| refuse(format!("it is no {what}: {error}")))?;
    if K::schema(&head) != K::SCHEMA {
        return Err(refuse(format!("it has the schema {}, and this program {}", K::schema(&head), K::SCHEMA)));
    }
    let mut contents = Contents { head, results: BTreeMap::new(), is_whole: false };
    for (index, line) in lines.enumerate() {
        let line = serde_json::from_str(line).map_err(|error| refuse(format!("line {}: {error}", index + 2)))?;
        match K::read(line) {
            Entry::Result(key, value) => {
                let again = format!("line {}: {} {key} is there twice", index + 2, K::ITEM);
                if contents.results.insert(key, value).is_some() {
                    return Err(refuse(again));
                }
            }
            Entry::End(count) if count == contents.results.len() as u64 => contents.is_whole = true,
            Entry::End(count) => {
                let reason = format!("it has {} of its {count} results", contents.results.len());
                return Err(refuse(reason));
            }
        }
    }
    Ok((contents, whole as u64))
}

/// A file that is being written.
#[derive(Debug)]
pub(crate) struct KeptFile {
    path: PathBuf,
    file: File,
    /// The first failure to write; from then on nothing is written, and the report is told all the same.
    broken: Option<std::io::Error>,
}

impl KeptFile {
    /// Opens the file at `path`, or begins it. Returns it with what it holds already.
    pub(crate) fn open<K: Kept>(path: &Path, head: &K::Head) -> Result<(Self, Contents<K>), Failure> {
        let refuse = |reason: String| Failure::Findings { path: path.to_owned(), reason };
        let opened = OpenOptions::new().read(true).append(true).create(true).open(path);
        let mut file = opened.map_err(|source| Failure::Target { path: path.to_owned(), source })?;
        let mut contents = Contents { head: head.clone(), results: BTreeMap::new(), is_whole: false };
        let is_file = file.metadata().is_ok_and(|metadata| metadata.is_file());
        if is_file {
            file.try_lock().map_err(|error| refuse(format!("another run writes to it: {error}")))?;
            let mut start = Vec::new();
            file.read_to_end(&mut start).map_err(|error| refuse(error.to_string()))?;
            // A first line that was cut off is a run that did not begin.
            let is_begun = start.contains(&b'\n');
            let first = K::FIRST.as_bytes();
            if !is_begun && !start.starts_with(first) && !first.starts_with(&start) {
                return Err(refuse(format!("it is no {}", K::WHAT)));
            }
            let mut length = 0;
            if is_begun {
                (contents, length) = read::<K>(path)?;
                if contents.head != *head {
                    return Err(refuse(
                        "it holds another search: other backends, options, seed, budget, shard or version".to_owned(),
                    ));
                }
            }
            file.set_len(length).map_err(|error| refuse(error.to_string()))?;
            if is_begun {
                return Ok((Self { path: path.to_owned(), file, broken: None }, contents));
            }
        }
        let mut own = Self { path: path.to_owned(), file, broken: None };
        own.write(head);
        Ok((own, contents))
    }

    fn write(&mut self, line: &impl Serialize) {
        if self.broken.is_some() {
            return;
        }
        let written = serde_json::to_vec(line).map_err(std::io::Error::other).and_then(|mut line| {
            line.push(b'\n');
            self.file.write_all(&line)
        });
        self.broken = written.err();
    }

    /// Adds what came of one thing.
    pub(crate) fn add<K: Kept>(&mut self, key: &K::Key, value: &K::Value) {
        self.write(&K::result(key.clone(), value.clone()));
    }

    /// Says that the search is over.
    pub(crate) fn end<K: Kept>(&mut self, count: usize) {
        self.write(&K::end(count as u64));
    }

    /// Returns why something could not be written, if it could not.
    pub(crate) fn close(self) -> Option<Failure> {
        self.broken.map(|source| Failure::FindingsWrite { path: self.path, source })
    }
}

/// Reads the files of all shards of one search.
///
/// # Errors
///
/// [`Failure`] with the file, if one cannot be read or did not come to its end, or if they do not make a whole.
pub(crate) fn read_shards<K: Kept>(files: &[PathBuf]) -> Result<BTreeMap<Shard, (PathBuf, Contents<K>)>, Failure> {
    let mut shards: BTreeMap<Shard, (PathBuf, Contents<K>)> = BTreeMap::new();
    for path in files {
        let refuse = |reason: String| Failure::Shards { path: path.clone(), reason };
        let (contents, _) = read::<K>(path)?;
        let shard = K::shard(&contents.head);
        if let Some((first, known)) = shards.values().next()
            && K::whole(&known.head) != K::whole(&contents.head)
        {
            let reason = format!("it belongs to another search than {}", first.display());
            return Err(refuse(reason));
        }
        if let Some((first, known)) = shards.values().next()
            && K::shard(&known.head).count != shard.count
        {
            let count = K::shard(&known.head).count;
            let reason = format!("it is shard {shard}, and {} is one of {count}", first.display());
            return Err(refuse(reason));
        }
        if !contents.is_whole {
            return Err(refuse(format!("shard {shard} did not come to its end; repeat its command, which goes on")));
        }
        if let Some((first, _)) = shards.insert(shard, (path.clone(), contents)) {
            return Err(refuse(format!("shard {shard} is there twice, here and in {}", first.display())));
        }
    }
    if let Some((path, first)) = shards.values().next() {
        let count = K::shard(&first.head).count;
        let missing = |index: &u64| !shards.contains_key(&Shard { index: *index, count });
        if let Some(index) = (1..=count).find(missing) {
            let reason = format!("shard {index}/{count} of its search is missing; name its file as well");
            return Err(Failure::Shards { path: path.clone(), reason });
        }
    }
    Ok(shards)
}
