//! What a fuzzing run found, kept in a file as it is found: one JSON value a line, so that a run that is killed has lost
//! nothing and goes on where it was.
//!
//! First what is run, then what came of programs, then how far it came. A last line that was cut off is one that was not
//! written.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use harness::explore::Budget;
use harness::explore::fuzz::Harvest;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::shard::Shard;

/// What is run: the first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// The schema of the file.
    pub(crate) fuzz: u32,
    /// The version of the program.
    pub(crate) program: String,
    /// The lock libraries: id, crate and version.
    pub(crate) libraries: Vec<(String, String, String)>,
    pub(crate) seed: u64,
    pub(crate) budget: Budget,
    pub(crate) shard: Shard,
}

/// The schema of the file.
pub(crate) const SCHEMA: u32 = 1;

/// A further line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Line {
    /// What came of a program.
    Program { number: u64, harvest: Harvest },
    /// The search is over.
    End { programs: u64 },
}

/// What a file holds.
#[derive(Clone, Debug)]
pub(crate) struct Contents {
    pub(crate) head: Head,
    /// What came of programs, by their numbers.
    pub(crate) harvests: BTreeMap<u64, Harvest>,
    /// Whether the search came to its end.
    pub(crate) is_whole: bool,
}

/// Reads a file of findings. A last line that was cut off is left out; the length of the rest comes with it.
pub(crate) fn read(path: &Path) -> Result<(Contents, u64), Failure> {
    let refuse = |reason: String| Failure::Findings { path: path.to_owned(), reason };
    let bytes = std::fs::read(path).map_err(|source| Failure::Read { path: path.to_owned(), source })?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let text = std::str::from_utf8(&bytes[..whole]).map_err(|_| refuse("it is no file of findings".to_owned()))?;
    let mut lines = text.lines();
    let first = lines.next().ok_or_else(|| refuse("it has no first line that says what was run".to_owned()))?;
    let head: Head =
        serde_json::from_str(first).map_err(|error| refuse(format!("it is no file of findings: {error}")))?;
    if head.fuzz != SCHEMA {
        return Err(refuse(format!("it has the schema {}, and this program {SCHEMA}", head.fuzz)));
    }
    let mut contents = Contents { head, harvests: BTreeMap::new(), is_whole: false };
    for (index, line) in lines.enumerate() {
        match serde_json::from_str(line).map_err(|error| refuse(format!("line {}: {error}", index + 2)))? {
            Line::Program { number, harvest } => {
                if contents.harvests.insert(number, harvest).is_some() {
                    return Err(refuse(format!("line {}: program {number} is there twice", index + 2)));
                }
            }
            Line::End { programs } if programs == contents.harvests.len() as u64 => contents.is_whole = true,
            Line::End { programs } => {
                let reason = format!("it has {} of its {programs} programs", contents.harvests.len());
                return Err(refuse(reason));
            }
        }
    }
    Ok((contents, whole as u64))
}

/// A file of findings that is being written.
#[derive(Debug)]
pub(crate) struct FindingsFile {
    path: PathBuf,
    file: File,
    /// The first failure to write; from then on nothing is written, and the report is told all the same.
    broken: Option<std::io::Error>,
}

impl FindingsFile {
    /// Opens the file at `path`, or begins it. Returns it with what it holds already.
    pub(crate) fn open(path: &Path, head: &Head) -> Result<(Self, Contents), Failure> {
        let refuse = |reason: String| Failure::Findings { path: path.to_owned(), reason };
        let opened = OpenOptions::new().read(true).append(true).create(true).open(path);
        let mut file = opened.map_err(|source| Failure::Target { path: path.to_owned(), source })?;
        let mut contents = Contents { head: head.clone(), harvests: BTreeMap::new(), is_whole: false };
        let is_file = file.metadata().is_ok_and(|metadata| metadata.is_file());
        if is_file {
            file.try_lock().map_err(|error| refuse(format!("another run writes to it: {error}")))?;
            let mut start = Vec::new();
            file.read_to_end(&mut start).map_err(|error| refuse(error.to_string()))?;
            // A first line that was cut off is a run that did not begin.
            let is_begun = start.contains(&b'\n');
            if !is_begun && !start.is_empty() && !start.starts_with(b"{\"fuzz\":") {
                return Err(refuse("it is no file of findings".to_owned()));
            }
            let mut length = 0;
            if is_begun {
                (contents, length) = read(path)?;
                if contents.head != *head {
                    return Err(refuse(
                        "it holds another search: other backends, seed, budget, shard or version".to_owned(),
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

    /// Adds what came of a program.
    pub(crate) fn add(&mut self, number: u64, harvest: &Harvest) {
        self.write(&Line::Program { number, harvest: harvest.clone() });
    }

    /// Says that the search is over.
    pub(crate) fn end(&mut self, programs: u64) {
        self.write(&Line::End { programs });
    }

    /// Returns why something could not be written, if it could not.
    pub(crate) fn close(self) -> Option<Failure> {
        self.broken.map(|source| Failure::FindingsWrite { path: self.path, source })
    }
}
