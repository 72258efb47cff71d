//! The cells of a run, kept in a file as they are done, so that a run that is killed goes on where it was.
//!
//! One JSON value a line: what was run, then the cells. A last line that was cut off is a cell that was not done.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use harness::backend::Backend;
use harness::program::Program;
use harness::report::{Answer, CellReport};
use harness::runner::{Cell, Options};
use harness::subject::Description;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// What a cell is of: the name of its scenario, its text, and the id of its backend.
pub(crate) type Place = (String, String, String);

/// Returns what a cell is of.
pub(crate) fn place(program: &Program, backend: &str) -> Place {
    (program.scenario.name.to_string(), program.scenario.to_string(), backend.to_owned())
}

/// An open journal.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    known: HashMap<Place, CellReport>,
    /// The first failure to write: from then on nothing more is written.
    broken: Option<std::io::Error>,
    /// Whether every cell since has an outcome, so that nobody needs the journal any more.
    is_whole: bool,
}

/// The first line: what was run. A journal of anything else is refused, for its cells are not those of this run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    journal: u32,
    program: Build,
    backends: Vec<Description>,
    repeat: usize,
    isolated: bool,
    /// What `--watchdog` was set to.
    #[serde(default)]
    watchdog: Option<Duration>,
    /// How the workers were started: what runs, and not only what they say they are.
    #[serde(default)]
    workers: Vec<String>,
}

/// Which build of the program wrote it: another may hold other locks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Build {
    version: String,
    bytes: u64,
    changed: u128,
}

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    text: String,
    cell: CellReport,
}

impl Journal {
    /// Opens the journal at `path`, or begins one.
    ///
    /// # Errors
    ///
    /// [`Failure::Journal`], if it is no journal or one of another run.
    pub(crate) fn open(path: &Path, backends: &[Arc<dyn Backend>], options: &Options) -> Result<Self, Failure> {
        let refuse = |reason: String| Failure::Journal { path: path.to_owned(), reason };
        let head = Head {
            journal: 1,
            program: Build::of_this().map_err(|error| refuse(error.to_string()))?,
            backends: backends.iter().map(|backend| backend.description().clone()).collect(),
            repeat: options.runs,
            isolated: options.isolate,
            watchdog: options.workers.limit(),
            workers: backends.iter().filter_map(|backend| Some(backend.worker()?.text())).collect(),
        };
        if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
            return Err(refuse("it is no file".to_owned()));
        }
        let opened = OpenOptions::new().read(true).append(true).create(true).open(path);
        let mut file = opened.map_err(|error| refuse(error.to_string()))?;
        file.try_lock().map_err(|error| refuse(format!("another run writes to it: {error}")))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|error| refuse(error.to_string()))?;
        // A last line that was cut off is a cell that was not done, or a run that did not begin.
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        if whole < bytes.len() && (whole > 0 || bytes.starts_with(b"{\"journal\"")) {
            file.set_len(whole as u64).map_err(|error| refuse(error.to_string()))?;
            bytes.truncate(whole);
        }
        let text = String::from_utf8(bytes).map_err(|_| refuse("it is no journal".to_owned()))?;
        let mut lines = text.lines();
        let mut known = HashMap::new();
        match lines.next().map(serde_json::from_str::<Head>) {
            None if !text.is_empty() => return Err(refuse("it is no journal".to_owned())),
            None => {
                let mut line = serde_json::to_vec(&head).map_err(|error| refuse(error.to_string()))?;
                line.push(b'\n');
                file.write_all(&line).map_err(|source| Failure::JournalWrite { path: path.to_owned(), source })?;
            }
            Some(Err(error)) => return Err(refuse(format!("it is no journal: {error}"))),
            Some(Ok(theirs)) if theirs != head => return Err(refuse(differences(&theirs, &head))),
            Some(Ok(_)) => {
                for (index, line) in lines.enumerate() {
                    let Line { text, cell } = serde_json::from_str(line)
                        .map_err(|error| refuse(format!("line {} is no cell: {error}", index + 2)))?;
                    known.insert((cell.scenario.to_string(), text, cell.backend.clone()), cell);
                }
            }
        }
        Ok(Self { path: path.to_owned(), file, known, broken: None, is_whole: true })
    }

    /// Returns the cells that it has.
    pub(crate) fn known(&self) -> HashMap<Place, CellReport> {
        self.known.clone()
    }

    /// Keeps a cell, if it has an outcome. One without is to be run again.
    pub(crate) fn add(&mut self, cell: &Cell) {
        let report = CellReport::of(cell);
        if matches!(report.answer, Answer::Failed { .. }) {
            self.is_whole = false;
            return;
        }
        if self.broken.is_some() {
            return;
        }
        let line = Line { text: cell.program.scenario.to_string(), cell: report };
        let written = serde_json::to_vec(&line).map_err(std::io::Error::other).and_then(|mut line| {
            line.push(b'\n');
            self.file.write_all(&line)
        });
        self.broken = written.err();
    }

    /// Says that cells are missing, so that the journal is not removed.
    pub(crate) fn keep(&mut self) {
        self.is_whole = false;
    }

    /// Removes the journal, unless a cell has no outcome. Returns why a cell could not be kept, if one could not; the run
    /// itself has lost nothing by that.
    pub(crate) fn close(self) -> Option<Failure> {
        let failure = |source| Failure::JournalWrite { path: self.path.clone(), source };
        if let Some(source) = self.broken {
            return Some(failure(source));
        }
        match self.is_whole.then(|| std::fs::remove_file(&self.path)) {
            Some(Err(source)) if source.kind() != ErrorKind::NotFound => Some(failure(source)),
            _ => None,
        }
    }
}

fn differences(theirs: &Head, ours: &Head) -> String {
    let what = if theirs.program != ours.program {
        "another build of keyalike"
    } else if theirs.backends != ours.backends {
        "a run on other backends"
    } else if theirs.workers != ours.workers {
        "a run with another --worker"
    } else {
        "a run with another --repeat, --isolate or --watchdog"
    };
    format!("it is the journal of {what}")
}

impl Build {
    fn of_this() -> std::io::Result<Self> {
        let metadata = harness::isolation::own_program()?.metadata()?;
        let changed = metadata.modified()?.duration_since(std::time::UNIX_EPOCH).map_err(std::io::Error::other)?;
        Ok(Self { version: env!("CARGO_PKG_VERSION").to_owned(), bytes: metadata.len(), changed: changed.as_nanos() })
    }
}
