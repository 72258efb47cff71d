//! What happened in one run: the events in their order, and the two probes.
//!
//! A transcript holds only what was seen at the surface of the lock, never the oracle's opinion. It prints as the text
//! that snapshots keep, with no backend, time, address or thread in it.

pub mod render;
pub mod replay;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::driver::program::{NameIndex, ObjectIndex, Program, StepIndex};
use crate::object::Message;
use crate::quiescence::TaskIndex;
use crate::runtime::Ending;

/// What happened in one run of one program.
#[derive(Clone, Debug)]
pub struct Transcript {
    /// What was run.
    pub program: Arc<Program>,
    /// What was seen.
    pub record: Record,
}

/// The part of a transcript that is seen: everything but the program. Two runs of one program are equal if their
/// records are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The events, in the order in which they happened.
    pub events: Vec<Event>,
    /// One per object, tried while everybody still held and waited.
    pub probe: Vec<Trial>,
    /// One per object, tried after all let go.
    pub rest: Vec<Trial>,
    /// Why the script did not come to its end, if it did not.
    pub fault: Option<Fault>,
}

/// What a try by the conductor found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trial {
    /// It could be taken, and was given back.
    Free,
    /// It was refused.
    Refused,
    /// The try panicked.
    Panicked,
    /// The script had dropped the object.
    Gone,
}

/// Why a script did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The tasks were polled more often in one step than the named maximum.
    Livelock,
    /// A thread is blocked or spins for ever in this step.
    Hung {
        /// The last step that was begun.
        step: Option<StepIndex>,
        /// What the watchdog saw: `blocked` or `spinning`.
        how: Hang,
    },
    /// The process ended by itself.
    Crashed {
        /// The last step that was begun.
        step: Option<StepIndex>,
        /// How it ended: the signal or the exit code.
        how: String,
    },
}

/// What a hung thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hang {
    /// Every thread of the process sleeps, and nothing will wake one.
    Blocked,
    /// A thread works and works.
    Spinning,
}

/// When an event happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum At {
    /// In or because of a step of the script.
    Step(StepIndex),
    /// In the first probe.
    Probe,
    /// While all let go.
    Rest,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: At,
    /// To whom. Nothing if it happened to no task.
    pub task: Option<TaskIndex>,
    /// Whether it is the answer to the step or follows from it.
    pub role: Role,
    /// What.
    pub what: What,
}

/// Whether an event answers its step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It is what came of the step itself.
    Result,
    /// It followed from the step, elsewhere or later.
    Effect,
    /// It was done by the task's waker.
    Waker,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "fields are the object, the kept future if it is one, and texts")]
pub enum What {
    /// A grant: the task holds the object now. `wait` says that it came of an acquire and not of a try.
    Acquired { object: ObjectIndex, future: Option<NameIndex>, wait: bool },
    /// The operation is pending, and its task waits for it.
    Waits { object: ObjectIndex, future: Option<NameIndex>, thread: bool },
    /// A kept future was polled and is pending; nobody waits for it.
    Pending { object: ObjectIndex, future: NameIndex },
    /// An error instead of a grant.
    Refused { object: ObjectIndex, future: Option<NameIndex>, wait: bool, message: Message },
    /// The answer to a question.
    Answered { object: ObjectIndex, locked: bool },
    /// What `{:?}` printed.
    Printed { object: ObjectIndex, text: String },
    /// The library lacks the operation.
    Unsupported,
    /// A guard was dropped.
    Released { object: ObjectIndex },
    /// A guard was leaked.
    Forgotten { object: ObjectIndex },
    /// A guard went to another task, or was dropped because that task had ended.
    SentGuard { object: ObjectIndex, to: TaskIndex, received: bool },
    /// A kept future went to another task, or was dropped because that task had ended.
    SentFuture { future: NameIndex, to: TaskIndex, received: bool },
    /// A future was made and not polled.
    Prepared { object: ObjectIndex, future: NameIndex },
    /// A kept future was dropped.
    DroppedFuture { object: ObjectIndex, future: NameIndex },
    /// What the task waited for was dropped.
    Cancelled { object: Option<ObjectIndex>, kept: Option<NameIndex> },
    /// The task panicked; `scripted` if the script told it, or a waker, to.
    Panicked { scripted: bool, message: Message },
    /// The task ended as a function ends.
    Returned,
    /// The task gave way.
    Yielded,
    /// A scope was opened.
    Entered,
    /// A scope was closed.
    Left,
    /// The task's waker has its orders.
    Armed,
    /// The budget, if there is one, is spent.
    Spent,
    /// The span has passed.
    Held,
    /// The lock woke the task.
    Woken,
    /// The task was aborted.
    Aborted { ending: Option<Ending> },
    /// The task's handle was given up.
    Detached,
    /// The task's handle was dropped.
    HandleDropped,
    /// The task's handle was awaited.
    Joined { ending: Ending },
    /// The conductor's share of an object was dropped.
    ObjectDropped,
    /// The step could not be taken.
    NotRun { reason: Reason },
}

/// Why a step could not be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each is printed as its reason")]
pub enum Reason {
    Waits,
    Gone,
    HoldsNoGuard { object: ObjectIndex },
    KeepsNoFuture { future: NameIndex },
    FutureExists { future: NameIndex },
    NotInScope { scope: NameIndex },
    ObjectGone { object: ObjectIndex },
    DoesNotWait,
    BlocksThread,
    HandleGone,
    StillRuns,
}

impl Transcript {
    /// Returns the events of the script, without those of the probes.
    pub fn script(&self) -> impl Iterator<Item = &Event> {
        self.record.events.iter().filter(|event| matches!(event.at, At::Step(_)))
    }

    /// Returns whether the backend lacks an operation of the script.
    pub fn is_unsupported(&self) -> bool {
        self.script().any(|event| event.what == What::Unsupported)
    }
}
