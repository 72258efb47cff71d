//! Searches that are saved as they go, in one file that is replaced as a whole: whatever happens, the last good one is
//! there.
//!
//! The first line has a checksum of the second, which has the searches.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use harness::explore::Search;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::output;

/// The schema of a checkpoint.
const SCHEMA: u32 = 2;

/// The first line.
#[derive(Serialize, Deserialize)]
struct Head {
    checkpoint: u32,
    checksum: String,
}

/// A file in which searches are saved as they go.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    path: Option<PathBuf>,
    searches: BTreeMap<String, Search>,
    /// What kept it from being written the last time; the report is told all the same.
    trouble: Option<io::Error>,
}

impl Checkpoint {
    /// Opens the checkpoint at `path`, or none.
    ///
    /// # Errors
    ///
    /// [`Failure::Checkpoint`], if what is there is no checkpoint or not a whole one.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, Failure> {
        let mut searches = BTreeMap::new();
        if let Some(path) = path {
            let bad = |reason: String| Failure::Checkpoint { path: path.to_owned(), reason };
            match fs::metadata(path) {
                Ok(metadata) if !metadata.is_file() => return Err(bad("it is no file".to_owned())),
                // As `mktemp` leaves it.
                Ok(metadata) if metadata.len() == 0 => check_place(path)?,
                Ok(_) => {
                    let bytes = fs::read(path).map_err(|source| Failure::Read { path: path.to_owned(), source })?;
                    searches = read(&bytes).map_err(bad)?;
                }
                Err(error) if error.kind() == ErrorKind::NotFound => check_place(path)?,
                Err(source) => return Err(Failure::Read { path: path.to_owned(), source }),
            }
        }
        Ok(Self { path: path.map(Path::to_owned), searches, trouble: None })
    }

    pub(crate) fn take(&mut self, key: &str) -> Option<Search> {
        self.searches.remove(key)
    }

    /// Saves a search and gives it back. If that fails, the file is what it was before.
    pub(crate) fn save(&mut self, key: &str, search: Search) -> Search {
        let Some(path) = &self.path else { return search };
        self.searches.insert(key.to_owned(), search.to_saved());
        match write(path, &self.searches) {
            Ok(()) => self.trouble = None,
            Err(source) => {
                if self.trouble.is_none() {
                    // Told while there is time to do something about it.
                    output::note(&format!("{}: {source}; the search goes on, and is not saved now", path.display()));
                }
                self.trouble = Some(source);
            }
        }
        search
    }

    /// Removes the file: all is done, and told. Where nobody read what was told, it stays.
    ///
    /// # Errors
    ///
    /// [`Failure::CheckpointWrite`], if it was not saved the last time, or cannot be removed.
    pub(crate) fn close(self) -> Result<(), Failure> {
        let Some(path) = self.path else { return Ok(()) };
        if let Some(source) = self.trouble {
            return Err(Failure::CheckpointWrite { path, source });
        }
        if !output::is_read() {
            output::note(&format!(
                "nobody read the report to its end; it is kept in {}: repeat the command to see it",
                path.display()
            ));
            return Ok(());
        }
        match fs::remove_file(&path) {
            Err(source) if source.kind() != ErrorKind::NotFound => Err(Failure::CheckpointWrite { path, source }),
            _ => Ok(()),
        }
    }

    /// Leaves the file, of a search that was interrupted, and says so.
    ///
    /// # Errors
    ///
    /// [`Failure::CheckpointWrite`], if it was not saved the last time.
    pub(crate) fn leave(self) -> Result<(), Failure> {
        match (self.path, self.trouble) {
            (Some(path), Some(source)) => Err(Failure::CheckpointWrite { path, source }),
            (Some(path), None) => {
                output::note(&format!(
                    "interrupted: the search is kept in {}; the same command goes on from there",
                    path.display()
                ));
                Ok(())
            }
            (None, _) => {
                output::note("interrupted: what was found is told above; with --checkpoint FILE a search goes on");
                Ok(())
            }
        }
    }
}

/// Makes sure that a file can be put at `path`, and leaves nothing there.
fn check_place(path: &Path) -> Result<(), Failure> {
    let beside = beside(path);
    let made = File::create(&beside).and_then(|file| {
        drop(file);
        fs::remove_file(&beside)
    });
    made.map_err(|source| Failure::CheckpointPlace { path: path.to_owned(), source })
}

/// Returns where a checkpoint is written before it takes the place of the one before.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

fn write(path: &Path, searches: &BTreeMap<String, Search>) -> io::Result<()> {
    let body = serde_json::to_vec(searches).map_err(io::Error::other)?;
    let head = Head { checkpoint: SCHEMA, checksum: format!("{:016x}", checksum(&body)) };
    let head = serde_json::to_vec(&head).map_err(io::Error::other)?;
    let beside = beside(path);
    let written = File::create(&beside).and_then(|mut file| {
        for part in [&head[..], b"\n", &body, b"\n"] {
            file.write_all(part)?;
        }
        // On the disk before it takes the place of the one before: neither may be lost if the machine stops.
        file.sync_all()?;
        fs::rename(&beside, path)
    });
    written.inspect_err(|_| {
        let _ = fs::remove_file(&beside);
    })
}

fn read(bytes: &[u8]) -> Result<BTreeMap<String, Search>, String> {
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or("it is no checkpoint")?;
    let (head, body) = (&bytes[..end], &bytes[end + 1..]);
    let head: Head = serde_json::from_slice(head).map_err(|error| format!("it is no checkpoint: {error}"))?;
    if head.checkpoint != SCHEMA {
        return Err(format!("it has the schema {}, and this program {SCHEMA}", head.checkpoint));
    }
    let body = body.strip_suffix(b"\n").ok_or("it was cut off")?;
    if head.checksum != format!("{:016x}", checksum(body)) {
        return Err("it was changed since it was written, or cut off".to_owned());
    }
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

/// Returns a checksum: FNV-1a, 64 bits.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
