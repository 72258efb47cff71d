//! Runs scenarios in worker processes, and turns a hang or a crash of one into the outcome of that run alone.
//!
//! A worker may be any program that speaks the [`protocol`](crate::protocol). Whatever it does, it makes an outcome or
//! an error of one cell, and the next cell gets a worker that works.

mod channel;
mod kinship;
pub(crate) mod worker_process;

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::driver::Runs;
use crate::program::Program;
use crate::protocol::{Hello, Job, Order, Script, UnknownCapability};
use crate::transcript::Transcript;
use crate::watchdog::{Patience, SILENCE_LIMIT, SPIN_LIMIT};
pub use kinship::{end_with_parent, guard, guarded, own_program};
use worker_process::WorkerProcess;

/// How to start a worker.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WorkerCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Whether it is a worker of this harness, which sleeps only when it is blocked for good.
    pub is_own: bool,
}

impl WorkerCommand {
    /// Returns the command `keyalike serve --backend ID` of the running program.
    ///
    /// # Errors
    ///
    /// If the running program's own path is not known.
    pub fn own(id: &str) -> std::io::Result<Self> {
        let arguments = vec!["serve".into(), "--backend".into(), id.into()];
        Ok(Self { program: own_program()?, arguments, is_own: true })
    }

    /// Returns the command of a worker that somebody else wrote.
    pub fn foreign(program: impl Into<PathBuf>, arguments: impl IntoIterator<Item = String>) -> Self {
        Self { program: program.into(), arguments: arguments.into_iter().collect(), is_own: false }
    }

    /// Returns the command as a person would type it.
    pub fn text(&self) -> String {
        let words = std::iter::once(self.program.display().to_string()).chain(self.arguments.iter().cloned());
        words.collect::<Vec<_>>().join(" ")
    }

    fn command(&self, guard: Option<&PathBuf>) -> Command {
        let mut command = guarded(&self.program, guard.map(PathBuf::as_path));
        command.args(&self.arguments);
        command
    }
}

/// A run in a worker that has no outcome.
#[derive(Debug, thiserror::Error)]
pub enum IsolationError {
    /// The path of the running program is not known, so it cannot be its own worker.
    #[error("the running program's own path is not known: {0}; start it by its full path")]
    OwnPath(std::io::Error),
    /// The worker did not start.
    #[error("the worker `{command}` does not start: {source}; check that the program exists and may be run")]
    Start {
        /// The command.
        command: String,
        /// Why.
        source: std::io::Error,
    },
    /// The worker ended or said nothing before its hello.
    #[error("the worker `{command}` {}", say_no_hello(how, *cannot_be, stderr))]
    NoHello {
        /// The command.
        command: String,
        /// What it did instead.
        how: String,
        /// Whether it ended with exit code 3: the worker works, and says that its backend cannot be.
        cannot_be: bool,
        /// The tail of its stderr.
        stderr: String,
    },
    /// The worker speaks another version of the protocol.
    #[error(
        "the worker `{command}` speaks version {theirs} of the protocol, and this is version {ours}; update the older \
             of the two"
    )]
    Version {
        /// The command.
        command: String,
        /// Its version.
        theirs: u32,
        /// Ours.
        ours: u32,
    },
    /// The worker declares capabilities that this version does not know, and no newer minor version of the protocol.
    #[error(
        "the worker {worker} (`{command}`) declares an unknown capability: {}; docs/PROTOCOL.md lists the known \
         ones, and a worker of a newer protocol says so with `minor` in its hello",
        say_each(.unknown)
    )]
    Capability {
        /// The name and version of the worker.
        worker: String,
        /// The command.
        command: String,
        /// What is not known.
        unknown: Vec<UnknownCapability>,
    },
    /// The worker says that there is no outcome.
    #[error("{scenario}: the worker says: {message}")]
    Worker {
        /// The scenario.
        scenario: String,
        /// What it says.
        message: String,
    },
    /// The worker broke the protocol.
    #[error(
        "{scenario}: the worker `{command}` broke the protocol: {how}; `keyalike run --worker '{command}' --certify` \
             tells what it must do{}",
        say_stderr(.stderr)
    )]
    Breach {
        /// The scenario.
        scenario: String,
        /// The command.
        command: String,
        /// What it said or did.
        how: String,
        /// The tail of its stderr.
        stderr: String,
    },
}

impl IsolationError {
    /// Returns whether the worker itself says that its backend cannot be started here, which is no fault of the worker.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::NoHello { cannot_be: true, .. })
    }
}

fn say_no_hello(how: &str, cannot_be: bool, stderr: &str) -> String {
    match stderr.trim() {
        // It is a worker, and says itself what is missing.
        reason if cannot_be && !reason.is_empty() => format!("cannot have its backend: {reason}"),
        _ => format!(
            "gave no hello: {how}{}; its first line must be a hello, as docs/PROTOCOL.md says",
            say_stderr(stderr)
        ),
    }
}

fn say_each(unknown: &[UnknownCapability]) -> String {
    unknown.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn say_stderr(stderr: &str) -> String {
    if stderr.is_empty() { String::new() } else { format!("; its stderr ends with: {}", stderr.trim_end()) }
}

/// Returns the transcript of the first run of a worker's first job, from the lines that the worker wrote after its
/// hello. If they end before the run does, it counts as crashed.
///
/// # Errors
///
/// What is wrong with the first line that breaks the protocol, or why the worker has no outcome.
pub fn transcript_of<'l>(program: &Arc<Program>, lines: impl Iterator<Item = &'l [u8]>) -> Result<Transcript, String> {
    let record = worker_process::hear(program, lines)?;
    Ok(Transcript { program: Arc::clone(program), record })
}

/// The workers of one run of the program, kept from one scenario to the next. Dropping it ends them.
#[derive(Debug, Default)]
pub struct Workshop {
    /// How long a worker may take, where it is set.
    limit: Option<Duration>,
    /// A program whose command `guard` ends a foreign worker with its parent.
    guard: Option<PathBuf>,
    /// Workers that wait for a job.
    idle: Mutex<HashMap<WorkerCommand, Vec<WorkerProcess>>>,
    jobs: AtomicU64,
}

impl Workshop {
    /// Returns a workshop. `limit` sets how long a foreign worker may be silent and how much processor time one of this
    /// harness may use in silence, instead of [`SILENCE_LIMIT`] and [`SPIN_LIMIT`].
    pub fn new(limit: Option<Duration>) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Has foreign workers started by the command `guard` of `program`, which calls [`guard()`].
    #[must_use]
    pub fn guarded_by(mut self, program: PathBuf) -> Self {
        self.guard = Some(program);
        self
    }

    /// Starts a worker, unless one waits already, and returns what it says of itself.
    ///
    /// # Errors
    ///
    /// [`IsolationError`], if it does not start or says no hello.
    pub fn greet(&self, command: &WorkerCommand) -> Result<Hello, IsolationError> {
        let (worker, _) = self.take(command)?;
        let hello = worker.hello.clone();
        self.give_back(command, worker);
        Ok(hello)
    }

    /// Runs `program` as often as `runs` says in a worker, and gives each transcript to `receive`. A worker that hangs
    /// or crashes is replaced for the next run.
    ///
    /// # Errors
    ///
    /// [`IsolationError`], for the first run that has no outcome.
    pub fn drive(
        &self,
        command: &WorkerCommand,
        program: &Arc<Program>,
        runs: Runs,
        receive: &mut dyn FnMut(Transcript),
    ) -> Result<(), IsolationError> {
        let Runs { seat, count, breaks_off } = runs;
        let mut done = 0;
        'workers: while done < count && !breaks_off() {
            let (mut worker, is_used) = self.take(command)?;
            let job = self.jobs.fetch_add(1, Ordering::Relaxed) + 1;
            let order = Order::Job(Job {
                job,
                name: program.scenario.name.to_string(),
                text: program.scenario.to_string(),
                script: Script::of(program),
                seat,
                runs: count - done,
            });
            worker.tell(&order);
            let mut lives = true;
            let asked = count - done;
            for run in 0..asked {
                let heard = worker.next_record(program, job, run);
                if is_used && !worker.has_begun {
                    // What it did belongs to an earlier job: this one has not begun, and begins anew with another
                    // worker.
                    continue 'workers;
                }
                let record;
                (record, lives) = heard?;
                let lacks = record.is_unsupported();
                receive(Transcript { program: Arc::clone(program), record });
                done = if lacks { count } else { done + 1 };
                if done < count && breaks_off() {
                    // The worker goes with it: it has begun the next run.
                    return Ok(());
                }
                if !lives || lacks {
                    break;
                }
            }
            if lives {
                self.give_back(command, worker);
            }
        }
        Ok(())
    }

    /// Takes a worker that waits and still lives and has said nothing since, or starts one. Also returns whether it has
    /// served before.
    fn take(&self, command: &WorkerCommand) -> Result<(WorkerProcess, bool), IsolationError> {
        while let Some(mut worker) = self.idle().get_mut(command).and_then(Vec::pop) {
            if worker.is_fit() {
                return Ok((worker, true));
            }
        }
        let guard = self.guard.as_ref().filter(|_| !command.is_own);
        Ok((WorkerProcess::start(command, guard, self.patience(command))?, false))
    }

    /// Returns the limit that was set, if one was.
    pub fn limit(&self) -> Option<Duration> {
        self.limit
    }

    fn give_back(&self, command: &WorkerCommand, worker: WorkerProcess) {
        self.idle().entry(command.clone()).or_default().push(worker);
    }

    fn patience(&self, command: &WorkerCommand) -> Patience {
        match command.is_own {
            true => Patience::Kernel(self.limit.unwrap_or(SPIN_LIMIT)),
            false => Patience::Clock(self.limit.unwrap_or(SILENCE_LIMIT)),
        }
    }

    fn idle(&self) -> MutexGuard<'_, HashMap<WorkerCommand, Vec<WorkerProcess>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
