//! A worker: reads jobs from stdin, runs them on one backend, and writes what happens to stdout, in the words of the
//! [`protocol`](crate::protocol).
//!
//! Every event is written as soon as it is recorded, so that whoever reads has what was seen before a hang or a crash.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{BufRead, Write};
use std::panic::PanicHookInfo;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;

use crate::backend::Backend;
use crate::driver::{DriveError, Heard, Runs, Seat};
use crate::program::{Program, ProgramError};
use crate::protocol::{Answer, Ended, Hello, Lacking, MINOR, Trouble, Turn, VERSION};
use crate::scenario::parse::parse;
use crate::subject::Subject;
use crate::transcript::{At, Transcript, What};

/// A worker that cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// Its parent is gone.
    #[error("the worker cannot talk to its parent: {0}; run `keyalike run --isolate` instead of starting it by hand")]
    Pipe(#[from] std::io::Error),
    /// It was told something that is no order.
    #[error("line {line} of stdin is no order: {source}; send one JSON value a line, as docs/PROTOCOL.md says")]
    Order {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// An order, as far as this worker reads it: it reads the text of a scenario and not its script.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Order {
    Job(Job),
    Goodbye {},
}

#[derive(Deserialize)]
struct Job {
    job: u64,
    name: String,
    text: String,
    seat: Seat,
    runs: usize,
}

/// A job that cannot be run.
#[derive(Debug, thiserror::Error)]
enum JobError {
    #[error(transparent)]
    Name(#[from] crate::scenario::name::NameError),
    #[error("{0}")]
    Text(String),
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error(transparent)]
    Drive(#[from] DriveError),
}

/// Serves orders on stdin and stdout until there are no more. It sets the panic hook of the process, which says what
/// panicked on stderr, and has the process end with its parent.
///
/// # Errors
///
/// [`WorkerError`], if the parent is gone or says something that is no order.
pub fn serve(backend: &dyn Backend) -> Result<(), WorkerError> {
    crate::isolation::end_with_parent();
    std::panic::set_hook(Box::new(say_panic));
    write(&Answer::Hello(hello(backend)))?;
    for (index, line) in std::io::stdin().lock().lines().enumerate() {
        let line = line?;
        let order = serde_json::from_str(&line).map_err(|source| WorkerError::Order { line: index + 1, source })?;
        match order {
            Order::Job(job) => run(backend, &job)?,
            Order::Goodbye {} => break,
        }
    }
    Ok(write(&Answer::Goodbye {})?)
}

/// Says what panicked, as the hook of the standard library does, with a backtrace only if `RUST_LIB_BACKTRACE` or
/// `RUST_BACKTRACE` asks for one. That hook prints one unasked for every panic that ends the process, and reading the
/// debug information of the whole program takes ten times as long as the run.
fn say_panic(panic: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let mut stderr = std::io::stderr().lock();
    // Nobody is left to tell if stderr is closed.
    let _ = writeln!(stderr, "thread '{}' {panic}", thread.name().unwrap_or("<unnamed>"));
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        let _ = writeln!(stderr, "{backtrace}");
    }
}

fn hello(backend: &dyn Backend) -> Hello {
    let description = backend.description();
    Hello {
        protocol: VERSION,
        minor: MINOR,
        worker: Subject { name: env!("CARGO_PKG_NAME").to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        backend: description.id.clone(),
        runtime: description.runtime.clone(),
        locks: description.locks.clone(),
        capabilities: description.capabilities.clone(),
        seats: vec![Seat::Spawned, Seat::BlockOn],
    }
}

fn run(backend: &dyn Backend, job: &Job) -> std::io::Result<()> {
    match attempt(backend, job)? {
        Ok(()) => Ok(()),
        Err(error) => write(&Answer::Error(Trouble { job: job.job, message: error.to_string() })),
    }
}

/// Runs a job. The outer error is the pipe's, the inner one the job's.
fn attempt(backend: &dyn Backend, job: &Job) -> std::io::Result<Result<(), JobError>> {
    let program = match compile(job) {
        Ok(program) => Arc::new(program),
        Err(error) => return Ok(Err(error)),
    };
    let broken: Arc<Mutex<Option<std::io::Error>>> = Arc::default();
    let say = {
        let broken = Arc::clone(&broken);
        move |answer: &Answer| {
            if let Err(error) = write(answer) {
                broken.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            }
        }
    };
    let listener = Arc::new({
        let say = say.clone();
        move |what: Heard<'_>| {
            say(&match what {
                Heard::Begun(at) => Answer::Begun(at),
                Heard::Event(event) => Answer::Event(event.clone()),
            });
        }
    });
    for run in 0..job.runs {
        say(&Answer::Started(Turn { job: job.job, run }));
        let mut lacks = false;
        let mut receive = |transcript: Transcript| {
            let answer = ending(job.job, run, transcript);
            lacks = matches!(answer, Answer::NotImplemented(_));
            say(&answer);
        };
        let driven = backend.drive(&program, Runs::new(job.seat, 1), Some(listener.clone()), &mut receive);
        if let Some(error) = broken.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(error);
        }
        if let Err(error) = driven {
            return Ok(Err(error.into()));
        }
        if lacks {
            break;
        }
    }
    Ok(Ok(()))
}

fn compile(job: &Job) -> Result<Program, JobError> {
    let scenario =
        parse(job.name.parse()?, &job.text).map_err(|diagnostics| JobError::Text(format!("{diagnostics:?}")))?;
    Ok(Program::new(Arc::new(scenario))?)
}

fn ending(job: u64, run: usize, transcript: Transcript) -> Answer {
    let lacking = transcript.script().find(|event| event.what == What::Unsupported).map(|event| event.at);
    if let Some(At::Step(step)) = lacking {
        return Answer::NotImplemented(Lacking { job, step, why: "the library has no such operation".to_owned() });
    }
    let record = transcript.record;
    Answer::Outcome(Ended { job, run, probe: record.probe, rest: record.rest, fault: record.fault })
}

fn write(answer: &Answer) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(&line)?;
    stdout.flush()
}
