//! The parent's side of isolation: runs a scenario in a child process, and turns a hang or a crash into the outcome of
//! that run alone.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    answers: Lines,
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
        let stdout = child.stdout.take().expect("stdout is a pipe");
        let watchdog = Watchdog::new(child.id());
        Ok(Self { stdin: child.stdin.take(), child, answers: Lines { stdout, unread: Vec::new() }, watchdog })
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
            match self.answers.next(LOOK_MS) {
                Said::Line(line) => {
                    self.watchdog.heard();
                    match parse(program, &line)? {
                        Answer::Step(begun) => step = Some(begun),
                        Answer::Event(event) => events.push(event),
                        Answer::Record(record) => return Ok((*record, true)),
                        Answer::Error(text) => return Err(IsolationError::Worker(text)),
                    }
                }
                Said::NoMore => {
                    let how = self.child.wait().map_or_else(|error| error.to_string(), say_status);
                    let fault = Fault::Crashed { step, how };
                    return Ok((Record { events, fault: Some(fault), ..Record::default() }, false));
                }
                Said::Nothing => {
                    if let Some(how) = self.watchdog.look() {
                        let fault = Fault::Hung { step, how };
                        return Ok((Record { events, fault: Some(fault), ..Record::default() }, false));
                    }
                }
            }
        }
    }
}

/// What a worker writes, line by line.
///
/// It is read on the thread that asks, so that nothing the worker has said can lie unread when the watchdog looks.
#[derive(Debug)]
struct Lines {
    stdout: ChildStdout,
    unread: Vec<u8>,
}

enum Said {
    Line(String),
    /// Nothing within the moment that was waited.
    Nothing,
    /// It has closed its end.
    NoMore,
}

impl Lines {
    /// Returns the next line, waiting for `moment_ms` milliseconds at most where the system can.
    fn next(&mut self, moment_ms: u16) -> Said {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                return Said::Line(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            match is_readable(&self.stdout, moment_ms) {
                Ok(true) => {}
                Ok(false) => return Said::Nothing,
                Err(_) => return Said::NoMore,
            }
            let mut chunk = [0; 16 * 1024];
            match self.stdout.read(&mut chunk) {
                Ok(0) => return Said::NoMore,
                Ok(count) => self.unread.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Said::NoMore,
            }
        }
    }
}

/// Waits until `stdout` can be read without blocking, or for `moment_ms` milliseconds.
#[cfg(unix)]
fn is_readable(stdout: &ChildStdout, moment_ms: u16) -> io::Result<bool> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let moment = Timespec { tv_sec: 0, tv_nsec: i64::from(moment_ms) * 1_000_000 };
    match poll(&mut [PollFd::new(stdout, PollFlags::IN)], Some(&moment)) {
        Ok(count) => Ok(count > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Elsewhere nobody could tell a hang from a pause, so reading may as well wait.
#[cfg(not(unix))]
fn is_readable(_stdout: &ChildStdout, _moment_ms: u16) -> io::Result<bool> {
    Ok(true)
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
