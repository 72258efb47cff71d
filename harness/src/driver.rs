//! Drives one program on one runtime with one lock library, and records what each task saw.
//!
//! The tasks are real tasks of the runtime; the conductor feeds them steps and waits for quiescence. It judges nothing,
//! prints nothing, and no sleep, deadline or retry decides what it records.

mod acting;
mod conductor;
mod events;
mod hands;
mod run;
mod steps;
mod task;
mod thread;

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::object::Object;
use crate::primitive::Declaration;
use crate::program::Program;
use crate::runtime::Runtime;
use crate::transcript::{Record, Transcript};

/// The most polls of woken tasks in one step (a count, at least 1). Reaching it is the fault `livelock`: the tasks that
/// were polled in the last tenth of them are not polled for a wake any more, and the script goes on with the others.
pub const POLLS_MAX: u32 = 10_000;

/// How often a run is begun again because its script took longer than `within` allows, at most. A livelock counts at
/// once, however long it took: it would take as long each time.
pub const ATTEMPTS_MAX: u32 = 10_000;

/// Where the conductor runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Seat {
    /// As a task of the runtime.
    Spawned,
    /// In `block_on`, on the calling thread.
    BlockOn,
}

/// A run that has no outcome, because of the environment and not of the lock.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DriveError {
    /// A task was woken from outside everything that the driver sees.
    #[error(
        "{scenario}: a task was woken from outside the tracked tasks, so quiescence means nothing; a lock or a \
             runtime that wakes from its own threads needs a worker process"
    )]
    ForeignWake {
        /// The scenario.
        scenario: String,
    },
    /// The script never stayed within its validity window.
    #[error(
        "{scenario}: the script took longer than `within {limit_micros}us` allows in each of {attempts} runs; run \
             it on a quieter machine or widen the window"
    )]
    NeverWithin {
        /// The scenario.
        scenario: String,
        /// The window, in microseconds.
        limit_micros: u32,
        /// How often it was run.
        attempts: u32,
    },
    /// A thread is blocked during a line of several steps: nothing may run between them, and nobody can keep a thread
    /// from running.
    #[error(
        "{scenario}: `{step}` stands in a line of several steps, while a thread waits in a blocking acquire, and \
             that thread would run between them; give each step a line of its own"
    )]
    ThreadInLine {
        /// The scenario.
        scenario: String,
        /// The first step of the line that may let the thread run.
        step: String,
    },
    /// It runs in a worker and nowhere else.
    #[error("{scenario}: this backend runs in a worker; give it to the runner")]
    OnlyInWorker {
        /// The scenario.
        scenario: String,
    },
    /// The operating system does not tell whether a thread sleeps.
    #[error("{scenario}: a blocking acquire needs /proc to see whether its thread sleeps; run it on Linux")]
    NoThreadState {
        /// The scenario.
        scenario: String,
    },
}

/// Makes a live object, or `None` where the library cannot make one.
pub type MakeObject = fn(Declaration) -> Option<Arc<dyn Object>>;

/// Hears of every step and event at once, so that what was seen before a hang or a crash is kept.
pub type Listener = Arc<dyn Fn(Heard<'_>) + Send + Sync>;

/// What a [`Listener`] hears.
#[derive(Clone, Copy, Debug)]
pub enum Heard<'a> {
    /// A step or a probe begins.
    Begun(crate::transcript::At),
    /// Something happened.
    Event(&'a crate::transcript::Event),
}

/// How often a program is run, and where its conductor sits.
#[derive(Clone, Copy, Debug)]
pub struct Runs {
    /// Where the conductor sits.
    pub seat: Seat,
    /// How often, at least once.
    pub count: usize,
    /// Asked before every run: whether it and those after it are left out.
    pub breaks_off: fn() -> bool,
}

impl Runs {
    /// Returns so many runs, of which none is left out.
    pub fn new(seat: Seat, count: usize) -> Self {
        Self { seat, count, breaks_off: || false }
    }
}

/// Runs `program` as often as `runs` says on `runtime` with objects made by `make`, and gives each transcript to
/// `receive`.
///
/// # Errors
///
/// [`DriveError`], for the first run that has no outcome; the runs before it have been received.
pub fn drive<R: Runtime>(
    runtime: &Arc<R>,
    make: MakeObject,
    program: &Arc<Program>,
    runs: Runs,
    listener: Option<Listener>,
    receive: &mut dyn FnMut(Transcript),
) -> Result<(), DriveError> {
    let conduct = |count| {
        let runs = Runs { count, ..runs };
        conductor::conduct(Arc::clone(runtime), make, Arc::clone(program), runs, listener.clone())
    };
    // A spawned conductor hands over many runs at once, because coming back from the runtime costs a change of thread.
    const BATCH: usize = 256;
    let mut left = runs.count;
    while left > 0 {
        let count = match runs.seat {
            Seat::Spawned => left.min(BATCH),
            Seat::BlockOn => 1,
        };
        let records: Vec<Result<Record, DriveError>> = match runs.seat {
            Seat::Spawned => spawned(&**runtime, conduct(count)),
            Seat::BlockOn => runtime.block_on(conduct(count)),
        };
        left -= records.len();
        let is_broken_off = records.len() < count;
        for record in records {
            receive(Transcript { program: Arc::clone(program), record: record? });
        }
        if is_broken_off {
            break;
        }
    }
    Ok(())
}

/// Runs `future` as a task of the runtime and returns what it made.
fn spawned<R: Runtime, T: Send + 'static>(runtime: &R, future: impl Future<Output = T> + Send + 'static) -> T {
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    let task = runtime.spawn(async move {
        let value = future.await;
        // The receiver outlives the join below, so the send cannot fail.
        let _ = sender.send(value);
    });
    runtime.block_on(runtime.join(task));
    receiver.recv().expect("the conductor catches the panics of locks and has none of its own")
}
