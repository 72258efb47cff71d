//! The child's side of isolation: reads scenarios from stdin, runs them on one backend, writes what happens to stdout.
//!
//! One JSON value a line each way. Every event is written as soon as it is recorded, so that the parent has what was
//! seen before a hang or a crash.

use std::io::{BufRead, Write};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::backend::Backend;
use crate::driver::program::Program;
use crate::driver::{Heard, Seat};
use crate::scenario::Scenario;
use crate::transcript::{At, Event, Record};

/// What a parent asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// What to run.
    pub scenario: Scenario,
    /// Whether the conductor sits in `block_on` and not in a task.
    pub block_on: bool,
    /// How often, at least 1.
    pub runs: usize,
}

/// What a worker answers, in this order: what is begun and what happens, then the record, for each run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// A step or a probe begins.
    Begun(At),
    /// Something happened.
    Event(Event),
    /// A run is over.
    Record(Box<Record>),
    /// A run has no outcome; the text says why and how to fix it.
    Error(String),
}

/// A worker that cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// Its parent is gone.
    #[error("the worker cannot talk to its parent: {0}; run `keyalike run --isolate` instead of starting it by hand")]
    Pipe(#[from] std::io::Error),
    /// It was sent something that is no job.
    #[error("line {line} of stdin is no job: {source}; send one JSON object a line, as `keyalike run` does")]
    Job {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// Serves jobs on stdin and stdout until stdin ends.
///
/// # Errors
///
/// [`WorkerError`], if the parent is gone or sends something that is no job.
pub fn serve(backend: &dyn Backend) -> Result<(), WorkerError> {
    for (index, line) in std::io::stdin().lock().lines().enumerate() {
        let line = line?;
        let job = serde_json::from_str(&line).map_err(|source| WorkerError::Job { line: index + 1, source })?;
        run(backend, job)?;
    }
    Ok(())
}

fn run(backend: &dyn Backend, job: Job) -> Result<(), WorkerError> {
    let program = match Program::new(Arc::new(job.scenario)) {
        Ok(program) => Arc::new(program),
        Err(error) => return Ok(write(&Answer::Error(error.to_string()))?),
    };
    let broken: Arc<Mutex<Option<std::io::Error>>> = Arc::default();
    let keep = |broken: &Mutex<Option<std::io::Error>>, result: std::io::Result<()>| {
        if let Err(error) = result {
            *broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
    };
    let heard = Arc::clone(&broken);
    let listener = Arc::new(move |what: Heard<'_>| {
        let answer = match what {
            Heard::Begun(at) => Answer::Begun(at),
            Heard::Event(event) => Answer::Event(event.clone()),
        };
        keep(&heard, write(&answer));
    });
    let seat = if job.block_on { Seat::BlockOn } else { Seat::Spawned };
    for _ in 0..job.runs {
        let mut receive = |transcript: crate::transcript::Transcript| {
            keep(&broken, write(&Answer::Record(Box::new(transcript.record))));
        };
        if let Err(error) = backend.drive(&program, seat, 1, Some(listener.clone()), &mut receive) {
            write(&Answer::Error(error.to_string()))?;
        }
        if let Some(error) = broken.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(error.into());
        }
    }
    Ok(())
}

fn write(answer: &Answer) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(&line)?;
    stdout.flush()
}
