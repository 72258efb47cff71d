//! How a command ends: the exit codes, and the errors that lead to them.

use std::path::PathBuf;
use std::process::ExitCode;

use harness::isolation::IsolationError;
use harness::report::Status;
use harness::report::json::ReadError;
use harness::report::junit::SerializeError;
use harness::snapshot::SnapshotError;
use harness::suite::SuiteError;
use harness::worker::WorkerError;

/// How a command ended that did its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// As expected: exit code 0.
    Expected,
    /// A violation, an unreviewed change, a difference, a finding: exit code 1.
    Unexpected,
    /// Input that is in error, told in full: exit code 2.
    BadInput,
    /// A cell was not run: exit code 3.
    Failed,
    /// A signal ended it before its time; what was found is told and kept. The exit code is 128 and the signal's number.
    Interrupted(u8),
}

impl Ending {
    /// Returns the worse of two ways to end.
    pub(crate) fn or(self, other: Ending) -> Ending {
        match (self, other) {
            (Ending::Expected, other) => other,
            (Ending::Unexpected, Ending::Failed) => other,
            (own, _) => own,
        }
    }
}

impl From<Status> for Ending {
    fn from(status: Status) -> Self {
        match status {
            Status::Expected => Ending::Expected,
            Status::Unexpected => Ending::Unexpected,
            Status::Failed => Ending::Failed,
        }
    }
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        ExitCode::from(match ending {
            Ending::Expected => 0,
            Ending::Unexpected => 1,
            Ending::BadInput => 2,
            Ending::Failed => 3,
            Ending::Interrupted(code) => code,
        })
    }
}

/// A command that could not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A name that nothing has.
    #[error("there is no {what} `{name}`; {hint}")]
    Unknown { what: &'static str, name: String, hint: String },
    /// A backend that there is, and that was not built.
    #[error("the backend `{id}` is not built; build it with `--features {features}`, or with `--features backend-all`")]
    NotBuilt { id: String, features: String },
    /// No backend was built, and none can be built from here.
    #[error(
        "no backend is built in: {reason}; build with one of these features, such as `--features backend-all`:\n{features}"
    )]
    NoBackend { reason: String, features: String },
    /// A pattern that is no glob.
    #[error("`{pattern}` is not a glob: {source}; write a name with * and ?, quoted from the shell")]
    Glob { pattern: String, source: globset::Error },
    /// A suite or a scenario that cannot be read.
    #[error(transparent)]
    Suite(#[from] SuiteError),
    /// A snapshot that cannot be read.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// Two sides that have no backend in common.
    #[error(
        "{left} has {left_backends} and {right} has {right_backends}: none is on both sides; save the reports of the same backends, or of one backend each"
    )]
    NothingCommon { left: String, left_backends: String, right: String, right_backends: String },
    /// A saved report that cannot be read.
    #[error("{}: {source}", path.display())]
    Report { path: PathBuf, source: ReadError },
    /// A file that cannot be read.
    #[error("{}: {source}; name a file or folder that exists and can be read", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// A target that is no file which can be written.
    #[error("{}: {source}; name a file in a folder that exists with --out", path.display())]
    Target { path: PathBuf, source: std::io::Error },
    /// A file, or the standard output, that cannot be written.
    #[error("{target}: {source}; the report is not complete: free some space or write it elsewhere with --out")]
    Write { target: String, source: std::io::Error },
    /// A report that cannot be put into XML.
    #[error("the report cannot be written as XML: {0}; write it with --format json")]
    Xml(SerializeError),
    /// A worker that does not start or breaks the protocol.
    #[error(transparent)]
    Isolation(#[from] IsolationError),
    /// A worker's program that does not start.
    #[error("`{}`: {source}; name a program that exists and may be run", program.display())]
    Exec { program: PathBuf, source: std::io::Error },
    /// A command that is none.
    #[error("`{command}` is no command of a worker: {reason}; quote it as for a shell")]
    WorkerCommand { command: String, reason: String },
    /// Two columns of one name.
    #[error("two backends are called `{id}`; name each once, or give the worker another id in its hello")]
    Twice { id: String },
    /// A journal that belongs to another run, or that cannot be read.
    #[error("{}: {reason}; remove it to begin anew, or name another file with --resume", path.display())]
    Journal { path: PathBuf, reason: String },
    /// A journal that cannot be written.
    #[error("{}: {source}; free some space and repeat the command: what the journal holds is not run again", path.display())]
    JournalWrite { path: PathBuf, source: std::io::Error },
    /// A search without a result.
    #[error(transparent)]
    Explore(#[from] harness::explore::ExploreError),
    /// A program that cannot be stressed.
    #[error(transparent)]
    Stress(#[from] harness::stress::StressError),
    /// A checkpoint that is none, or that belongs to another search.
    #[error("{}: {reason}; remove it to begin anew, or name another file with --checkpoint", path.display())]
    Checkpoint { path: PathBuf, reason: String },
    /// A checkpoint that cannot be written.
    #[error("{}: {source}; free some space: what was found is in the report, and the search would begin where the checkpoint was", path.display())]
    CheckpointWrite { path: PathBuf, source: std::io::Error },
    /// A checkpoint that has no place.
    #[error("{}: {source}; name a file in a folder that exists and can be written with --checkpoint", path.display())]
    CheckpointPlace { path: PathBuf, source: std::io::Error },
    /// A strategy that cannot be split.
    #[error(
        "the portfolio has no shards: its strategies take turns that depend on how far each came; split each with --strategy exhaustive, random, uniform or pct"
    )]
    NoShards,
    /// The system does not tell of signals.
    #[error("the system does not tell of Ctrl-C: {0}")]
    Signals(std::io::Error),
    /// A file of findings that is none, or that belongs to another search.
    #[error("{}: {reason}; remove it to begin anew, or name another file with --out", path.display())]
    Findings { path: PathBuf, reason: String },
    /// A file of findings that cannot be written.
    #[error("{}: {source}; what was found is in the report above; free some space and repeat the command, which goes on from the last finding in the file", path.display())]
    FindingsWrite { path: PathBuf, source: std::io::Error },
    /// Shards that do not make a whole.
    #[error("{}: {reason}", path.display())]
    Shards { path: PathBuf, reason: String },
    /// A search whose result does not hold: a planted lock that was not found out, or a finding that does not replay.
    #[error("{0}")]
    Unconfirmed(String),
    /// A step of the gate that does not start.
    #[error("`{command}`: {source}; install cargo, or run the step by hand from the root of the workspace")]
    Step { command: String, source: std::io::Error },
    /// A schema that cannot be printed.
    #[error("the schema cannot be written as JSON: {0}")]
    Schema(serde_json::Error),
    /// A release that cannot be found or made into a worker.
    #[error(transparent)]
    Release(Box<releases::error::ReleaseError>),
    /// Version arguments between which there is nothing to compare.
    #[error("{what}; {hint}")]
    Versions { what: String, hint: String },
    /// A worker that cannot go on.
    #[error(transparent)]
    Worker(#[from] WorkerError),
}

impl Failure {
    /// Returns whether a backend did not start for a reason of its own or of its environment, so that the others can run
    /// without it. The user's own mistakes end the command.
    pub(crate) fn is_of_backend(&self) -> bool {
        match self {
            Self::Isolation(_) => true,
            Self::Release(error) => !error.is_usage(),
            _ => false,
        }
    }
}

impl From<Failure> for ExitCode {
    fn from(failure: Failure) -> Self {
        ExitCode::from(match failure {
            Failure::Release(error) if !error.is_usage() => 3,
            Failure::Explore(
                harness::explore::ExploreError::OtherSearch { .. } | harness::explore::ExploreError::NoPrimitive { .. },
            ) => 2,
            Failure::Explore(_)
            | Failure::Stress(harness::stress::StressError::Threads { .. })
            | Failure::CheckpointWrite { .. }
            | Failure::FindingsWrite { .. }
            | Failure::Unconfirmed(_) => 3,
            Failure::Write { .. }
            | Failure::Signals(_)
            | Failure::Xml(_)
            | Failure::Isolation(_)
            | Failure::Exec { .. }
            | Failure::JournalWrite { .. }
            | Failure::Worker(_)
            | Failure::Step { .. } => 3,
            _ => 2,
        })
    }
}
