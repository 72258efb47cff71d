//! The parent's side of isolation: runs a scenario in a child process, and turns a hang or a crash into the outcome of
//! that run alone.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::driver::Seat;
use crate::driver::program::Program;
use crate::transcript::{Event, Fault, Record, Transcript};
use crate::watchdog::{LOOK_MS, Watchdog};
use crate::worker::{Answer, Job};

/// How to start a worker: the same program with other arguments.
#[derive(Clone, Debug)]
pub struct WorkerCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments, up to the id of the backend, which follows them.
    pub arguments: Vec<String>,
}

impl WorkerCommand {
    /// Returns the command `keyalike serve --backend ID` of the running program.
    ///
    /// # Errors
    ///
    /// If the running program's own path is not known.
    pub fn own() -> std::io::Result<Self> {
        Ok(Self { program: std::env::current_exe()?, arguments: vec!["serve".into(), "--backend".into()] })
    }
}

/// A run in a worker that has no outcome.
#[derive(Debug, thiserror::Error)]
pub enum IsolationError {
    /// The worker did not start.
    #[error("{scenario}: the worker `{program}` does not start: {source}; build it again with `cargo build`")]
    Start {
        /// The scenario.
        scenario: String,
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// The worker says that there is no outcome.
    #[error("{0}")]
    Worker(String),
    /// The worker wrote something that is no answer.
    #[error(
        "{scenario}: the worker wrote `{line}`, which is no answer: {source}; it must write nothing else to stdout"
    )]
    Answer {
        /// The scenario.
        scenario: String,
        /// What it wrote, up to 80 characters.
        line: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// The workers of one run of the program, kept from one scenario to the next. Dropping it ends them.
#[derive(Debug)]
pub struct Workshop {
    command: WorkerCommand,
    /// Workers that wait for a job, by the id of their backend.
    idle: Mutex<HashMap<String, Vec<Worker>>>,
}

impl Workshop {
    /// Returns a workshop whose workers are started by `command`.
    pub fn new(command: WorkerCommand) -> Self {
        Self { command, idle: Mutex::default() }
    }

    /// Runs `program` `runs` times in a worker of the backend `id`, and gives each transcript to `receive`. A worker that
    /// hangs or crashes is replaced for the next run.
    ///
    /// # Errors
    ///
    /// [`IsolationError`], for the first run that has no outcome.
    pub fn drive(
        &self,
        id: &str,
        program: &Arc<Program>,
        seat: Seat,
        runs: usize,
        receive: &mut dyn FnMut(Transcript),
    ) -> Result<(), IsolationError> {
        let mut done = 0;
        while done < runs {
            let mut worker = match self.idle().get_mut(id).and_then(Vec::pop) {
                Some(worker) => worker,
                None => Worker::start(&self.command, id, program)?,
            };
            worker.send(program, seat, runs - done);
            let mut lives = true;
            while lives && done < runs {
                let record;
                (record, lives) = worker.next_record(program)?;
                receive(Transcript { program: Arc::clone(program), record });
                done += 1;
            }
            if lives {
                self.idle().entry(id.to_owned()).or_default().push(worker);
            }
        }
        Ok(())
    }

    fn idle(&self) -> MutexGuard<'_, HashMap<String, Vec<Worker>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running child process. Dropping it ends it.
#[derive(Debug)]
struct Worker {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<std::io::Result<String>>,
    watchdog: Watchdog,
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // It may have ended by itself: then there is nothing to kill, and only its status is left to collect.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Worker {
    fn start(command: &WorkerCommand, id: &str, program: &Program) -> Result<Self, IsolationError> {
        let failed = |source| IsolationError::Start {
            scenario: program.scenario.name.to_string(),
            program: command.program.display().to_string(),
            source,
        };
        let mut child = Command::new(&command.program)
            .args(&command.arguments)
            .arg(id)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let (sender, lines) = channel();
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || {
                // The receiver goes when the worker is given up; then nobody wants the rest.
                let _ = BufReader::new(stdout).lines().try_for_each(|line| sender.send(line));
            });
        }
        let watchdog = Watchdog::new(child.id());
        Ok(Self { stdin: child.stdin.take(), child, lines, watchdog })
    }

    /// Sends the job. A worker that is gone already shows in its answers.
    fn send(&mut self, program: &Program, seat: Seat, runs: usize) {
        let job = Job { scenario: (*program.scenario).clone(), block_on: seat == Seat::BlockOn, runs };
        let mut line = serde_json::to_vec(&job).expect("a scenario has only keys that JSON can write");
        line.push(b'\n');
        if let Some(stdin) = &mut self.stdin {
            let _ = stdin.write_all(&line).and_then(|()| stdin.flush());
        }
    }

    /// Waits for the next record. Returns it and whether the worker can go on.
    fn next_record(&mut self, program: &Program) -> Result<(Record, bool), IsolationError> {
        let mut events: Vec<Event> = Vec::new();
        let mut step = None;
        loop {
            match self.lines.recv_timeout(Duration::from_millis(LOOK_MS)) {
                Ok(Ok(line)) => {
                    self.watchdog.heard();
                    match parse(program, &line)? {
                        Answer::Step(begun) => step = Some(begun),
                        Answer::Event(event) => events.push(event),
                        Answer::Record(record) => return Ok((*record, true)),
                        Answer::Error(text) => return Err(IsolationError::Worker(text)),
                    }
                }
                Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => {
                    let how = self.child.wait().map_or_else(|error| error.to_string(), say_status);
                    let fault = Fault::Crashed { step, how };
                    return Ok((Record { events, fault: Some(fault), ..Record::default() }, false));
                }
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(how) = self.watchdog.look() {
                        let fault = Fault::Hung { step, how };
                        return Ok((Record { events, fault: Some(fault), ..Record::default() }, false));
                    }
                }
            }
        }
    }
}

fn parse(program: &Program, line: &str) -> Result<Answer, IsolationError> {
    serde_json::from_str(line).map_err(|source| IsolationError::Answer {
        scenario: program.scenario.name.to_string(),
        line: line.chars().take(80).collect(),
        source,
    })
}

#[cfg(unix)]
fn say_status(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match status.signal() {
        Some(signal) => format!("signal {signal}"),
        None => format!("exit code {}", status.code().unwrap_or(-1)),
    }
}

#[cfg(not(unix))]
fn say_status(status: ExitStatus) -> String {
    format!("exit code {}", status.code().unwrap_or(-1))
}
