//! What happened in one run: the events in their order, and the two probes.
//!
//! A transcript holds only what was seen at the surface of the lock, never the oracle's opinion. It prints as the text
//! that snapshots keep, with no backend, time, address or thread in it.

pub mod render;
pub mod replay;

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::object::{Answer, Message};
use crate::primitive::{Claim, Request};
use crate::program::{NameIndex, ObjectIndex, Program, StepIndex};
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// The events, in the order in which they happened.
    pub events: Vec<Event>,
    /// One per probe of the program, tried while everybody still held and waited.
    pub probe: Trials,
    /// One per probe of the program, tried after all let go.
    pub rest: Trials,
    /// What went wrong with the run itself, if anything did.
    pub fault: Option<Fault>,
}

/// What the conductor's tries found, in the order of the program's probes. Few scripts have more than a handful.
pub type Trials = SmallVec<[Trial; 8]>;

/// What a try by the conductor found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// What went wrong with a run itself. A hang and a crash end it; after a livelock it goes on without those who spin, or
/// ends where a worker cannot do that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Tasks were polled more often in one step than the named maximum.
    Livelock {
        /// When.
        at: At,
        /// The tasks that were polled again and again, and are not polled any more.
        tasks: Vec<TaskIndex>,
    },
    /// A thread is blocked or spins for ever.
    Hung {
        /// What was begun last.
        at: Option<At>,
        /// What the watchdog saw.
        how: Hang,
    },
    /// The process ended by itself.
    Crashed {
        /// What was begun last.
        at: Option<At>,
        /// How it ended: the signal or the exit code.
        how: String,
        /// The tail of what it wrote to stderr. No part of the text, for it varies.
        #[serde(default)]
        stderr: String,
    },
}

impl Fault {
    /// Returns what had been begun when it came to this.
    pub fn at(&self) -> Option<At> {
        match self {
            Fault::Livelock { at, .. } => Some(*at),
            Fault::Hung { at, .. } | Fault::Crashed { at, .. } => *at,
        }
    }

    /// Returns whether the script was broken off, and not what follows it.
    pub fn is_in_script(&self) -> bool {
        !matches!(self.at(), Some(At::Probe | At::Rest))
    }
}

/// What a hung thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Hang {
    /// Every thread of the process sleeps, and nothing will wake one.
    Blocked,
    /// A thread works and works.
    Spinning,
    /// It said nothing for longer than the watchdog allows.
    Silent,
}

/// When an event happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It is what came of the step itself.
    Result,
    /// It followed from the step, elsewhere or later.
    Effect,
    /// It was done by the task's waker.
    Waker,
}

fn is_not(flag: &bool) -> bool {
    !flag
}

fn is_first(mode: &u8) -> bool {
    *mode == 0
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "fields are the object, the kept future if it is one, and texts")]
pub enum What {
    /// A grant: the task holds the object now. `wait` says that it came of an acquire and not of a try.
    Acquired {
        object: ObjectIndex,
        future: Option<NameIndex>,
        wait: bool,
        #[serde(default, skip_serializing_if = "Claim::is_whole")]
        claim: Claim,
    },
    /// The operation is pending, and its task waits for it.
    Waits {
        object: ObjectIndex,
        future: Option<NameIndex>,
        thread: bool,
        #[serde(default, skip_serializing_if = "Claim::is_whole")]
        claim: Claim,
        /// Whether it is to turn a guard that the task has.
        #[serde(default, skip_serializing_if = "is_not")]
        turns: bool,
    },
    /// A kept future was polled and is pending; nobody waits for it.
    Pending {
        object: ObjectIndex,
        future: NameIndex,
        #[serde(default, skip_serializing_if = "Claim::is_whole")]
        claim: Claim,
    },
    /// An error instead of a grant.
    Refused {
        object: ObjectIndex,
        future: Option<NameIndex>,
        wait: bool,
        message: Message,
        #[serde(default, skip_serializing_if = "Claim::is_whole")]
        claim: Claim,
    },
    /// The answer to a question.
    Answered { object: ObjectIndex, locked: bool },
    /// The answer to any other question.
    Replied { object: ObjectIndex, request: Request, answer: Answer },
    /// The object was changed; with the number that the library gave, if it gave one.
    Changed { object: ObjectIndex, request: Request, number: Option<u64> },
    /// A guard was turned into one of another mode.
    Turned { object: ObjectIndex, request: Request },
    /// What `{:?}` printed.
    Printed { object: ObjectIndex, text: String },
    /// The library lacks the operation.
    Unsupported,
    /// A guard was dropped.
    Released { object: ObjectIndex },
    /// The lock did not take back what its task gave back: an error instead of a release. The task holds on.
    NotReleased { object: ObjectIndex, message: Message },
    /// A guard was leaked.
    Forgotten { object: ObjectIndex },
    /// A guard went to another task, or was dropped because that task had ended.
    SentGuard { object: ObjectIndex, to: TaskIndex, received: bool },
    /// A kept future went to another task, or was dropped because that task had ended.
    SentFuture { future: NameIndex, to: TaskIndex, received: bool },
    /// A future was made and not polled.
    Prepared {
        object: ObjectIndex,
        future: NameIndex,
        #[serde(default, skip_serializing_if = "Claim::is_whole")]
        claim: Claim,
    },
    /// A kept future was dropped.
    DroppedFuture { object: ObjectIndex, future: NameIndex },
    /// What the task waited for was dropped.
    Cancelled { object: Option<ObjectIndex>, kept: Option<NameIndex> },
    /// The cancel came too late to drop what the task waited for.
    NotCancelled,
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
    /// The task was woken, by this object if it was one.
    Woken { object: Option<ObjectIndex> },
    /// The task polled a kept future, and its runtime will wake it although nothing has: the future may have been
    /// granted its object without saying so.
    Promised,
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
    /// That made the object panic.
    ObjectPanicked { object: ObjectIndex, message: Message },
    /// The conductor tried an object, in a probe.
    Tried {
        object: ObjectIndex,
        #[serde(default, skip_serializing_if = "is_first")]
        mode: u8,
        trial: Trial,
    },
    /// The step could not be taken.
    NotRun { reason: Reason },
}

/// Why a step could not be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each is printed as its reason")]
pub enum Reason {
    Waits,
    Gone,
    HoldsNoGuard { object: ObjectIndex },
    GuardIsOfMode { object: ObjectIndex, mode: u8 },
    KeepsNoFuture { future: NameIndex },
    FutureExists { future: NameIndex },
    NotInScope { scope: NameIndex },
    ObjectGone { object: ObjectIndex },
    DoesNotWait,
    BlocksThread,
    HandleGone,
    StillRuns,
    WakerHoldsGuard,
}

/// What an event speaks of, beside its place and its task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Indexes {
    /// Another task.
    pub task: Option<TaskIndex>,
    /// An object.
    pub object: Option<ObjectIndex>,
    /// A future.
    pub future: Option<NameIndex>,
    /// A scope.
    pub scope: Option<NameIndex>,
}

impl Event {
    /// Returns what it speaks of.
    pub fn indexes(&self) -> Indexes {
        let of =
            |object: Option<ObjectIndex>, future: Option<NameIndex>| Indexes { object, future, ..Indexes::default() };
        match &self.what {
            What::Acquired { object, future, .. }
            | What::Waits { object, future, .. }
            | What::Refused { object, future, .. } => of(Some(*object), *future),
            What::Pending { object, future, .. }
            | What::Prepared { object, future, .. }
            | What::DroppedFuture { object, future } => of(Some(*object), Some(*future)),
            What::Answered { object, .. }
            | What::Replied { object, .. }
            | What::Changed { object, .. }
            | What::Turned { object, .. }
            | What::Printed { object, .. }
            | What::Released { object }
            | What::NotReleased { object, .. }
            | What::Forgotten { object }
            | What::ObjectPanicked { object, .. }
            | What::Tried { object, .. } => of(Some(*object), None),
            What::SentGuard { object, to, .. } => Indexes { task: Some(*to), ..of(Some(*object), None) },
            What::SentFuture { future, to, .. } => Indexes { task: Some(*to), ..of(None, Some(*future)) },
            What::Cancelled { object, kept } => of(*object, *kept),
            What::Woken { object } => of(*object, None),
            What::NotRun { reason } => match reason {
                Reason::HoldsNoGuard { object }
                | Reason::GuardIsOfMode { object, .. }
                | Reason::ObjectGone { object } => of(Some(*object), None),
                Reason::KeepsNoFuture { future } | Reason::FutureExists { future } => of(None, Some(*future)),
                Reason::NotInScope { scope } => Indexes { scope: Some(*scope), ..Indexes::default() },
                Reason::Waits
                | Reason::Gone
                | Reason::DoesNotWait
                | Reason::BlocksThread
                | Reason::HandleGone
                | Reason::StillRuns
                | Reason::WakerHoldsGuard => Indexes::default(),
            },
            What::Unsupported
            | What::NotCancelled
            | What::Panicked { .. }
            | What::Returned
            | What::Yielded
            | What::Entered
            | What::Left
            | What::Armed
            | What::Spent
            | What::Held
            | What::Promised
            | What::Aborted { .. }
            | What::Detached
            | What::HandleDropped
            | What::Joined { .. }
            | What::ObjectDropped => Indexes::default(),
        }
    }
}

impl Event {
    /// Returns the mode that it speaks of, if it speaks of one.
    pub fn mode(&self) -> Option<u8> {
        match &self.what {
            What::Acquired { claim, .. }
            | What::Waits { claim, .. }
            | What::Pending { claim, .. }
            | What::Prepared { claim, .. }
            | What::Refused { claim, .. } => Some(claim.mode),
            What::Tried { mode, .. } | What::NotRun { reason: Reason::GuardIsOfMode { mode, .. } } => Some(*mode),
            _ => None,
        }
    }

    /// Returns the request that it speaks of, if it speaks of one.
    pub fn request(&self) -> Option<Request> {
        match &self.what {
            What::Replied { request, .. } | What::Changed { request, .. } | What::Turned { request, .. } => {
                Some(*request)
            }
            _ => None,
        }
    }
}

impl Transcript {
    /// Returns the transcript on a library that cannot make an object of the program: no step is run.
    pub fn lacking(program: &Arc<Program>) -> Self {
        let task = program.steps.first().and_then(|step| step.task);
        let event = Event { at: At::Step(0), task, role: Role::Result, what: What::Unsupported };
        Self { program: Arc::clone(program), record: Record { events: vec![event], ..Record::default() } }
    }

    /// Returns the events of the script, without those of the probes.
    pub fn script(&self) -> impl Iterator<Item = &Event> {
        self.record.events.iter().filter(|event| matches!(event.at, At::Step(_)))
    }

    /// Returns whether the backend lacks an operation of the script.
    pub fn is_unsupported(&self) -> bool {
        self.record.is_unsupported()
    }
}

impl Record {
    /// Returns whether the backend lacked an operation of the script.
    pub fn is_unsupported(&self) -> bool {
        self.events.iter().any(|event| matches!(event.at, At::Step(_)) && event.what == What::Unsupported)
    }
}
