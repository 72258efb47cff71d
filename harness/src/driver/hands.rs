//! What a task has and what it waits for: it is recorded as it goes, and a panic drops it as the locals of an `async
//! fn`.

use std::any::Any;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use smallvec::SmallVec;

use super::events::is_scripted;
use super::run::{Kept, LetGo, Run};
use super::thread::ThreadWait;
use crate::object::{Operation, Order};
use crate::primitive::Request;
use crate::program::{NameIndex, ObjectIndex, StepIndex};
use crate::quiescence::TaskIndex;
use crate::runtime::panic_message;
use crate::transcript::{At, Reason, Role, What};

/// Something that a task has, in the order in which it came to have it.
#[derive(Debug)]
pub(super) enum Belonging {
    /// The guard of an object.
    Guard { object: ObjectIndex, mode: u8, operation: Operation },
    /// A future that it keeps and does not wait for.
    Future { name: NameIndex, object: ObjectIndex, request: Request, operation: Operation },
    /// The opening of a scope.
    Scope(NameIndex),
}

impl Belonging {
    /// Returns how a task lets go of it at rest, as a bit of [`LetGo`].
    pub(super) fn burden(&self) -> u8 {
        match self {
            Belonging::Guard { .. } => LetGo::Guards.bit(),
            Belonging::Future { .. } => LetGo::Futures.bit(),
            Belonging::Scope(_) => 0,
        }
    }
}

/// A request that a task waits for.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) object: ObjectIndex,
    pub(super) request: Request,
    pub(super) future: Kept,
    pub(super) operation: Operation,
}

/// What a task waits for.
#[derive(Debug)]
pub(super) enum Waiting {
    Nothing,
    /// To be polled again, after `yield`.
    Yield,
    /// For an operation that it owns.
    Operation(Pending),
    /// For an operation that lies with its acting waker.
    Shared {
        object: ObjectIndex,
        future: Kept,
    },
    /// For a future that it keeps.
    Kept {
        name: NameIndex,
        object: ObjectIndex,
    },
    /// For a thread.
    Thread(ThreadWait),
}

/// All that a task has and waits for, apart from the rest so that unwinding can drop it.
pub(super) struct Hands {
    pub(super) run: Arc<Run>,
    pub(super) index: TaskIndex,
    /// Few tasks ever have two things at once.
    pub(super) belongings: SmallVec<[Belonging; 1]>,
    pub(super) waiting: Waiting,
    /// The step whose result has not been recorded yet.
    pub(super) due: Option<StepIndex>,
    /// The steps of this poll that have not begun.
    pub(super) left: Range<StepIndex>,
    /// Whether this poll has polled a future that it keeps, in vain.
    pub(super) polled_kept: bool,
    /// Whether it panics because its own step said so, which is recorded already.
    pub(super) panics_by_step: bool,
}

impl Hands {
    pub(super) fn result(&mut self, what: What) {
        match self.due.take() {
            Some(step) => self.run.record_at(At::Step(step), self.index, Role::Result, what),
            None => self.effect(what),
        }
    }

    pub(super) fn effect(&self, what: What) {
        self.run.record(self.index, Role::Effect, what);
    }

    /// Takes what was sent to the task.
    pub(super) fn receive(&mut self, mut parcel: Belonging) {
        if let Belonging::Guard { operation, .. } = &mut parcel {
            operation.hand_over(Order::Received);
        }
        self.belongings.push(parcel);
    }

    /// Drops the pending operation, then everything else in reverse order. Returns the first panic that came out of it.
    pub(super) fn let_go_of_all(&mut self) -> Option<Box<dyn Any + Send>> {
        let waiting = std::mem::replace(&mut self.waiting, Waiting::Nothing);
        let mut panic = self.unharmed(|| self.let_go_of_wait(waiting));
        self.belongings.extend(self.run.close_mailbox(self.index));
        while let Some(belonging) = self.belongings.pop() {
            let next = self.unharmed(|| self.let_go_of(belonging));
            panic = panic.or(next);
        }
        panic
    }

    /// Drops what the task waits for. A thread that has come back already gives up its guard.
    fn let_go_of_wait(&self, waiting: Waiting) {
        match waiting {
            Waiting::Thread(wait) => {
                let object = wait.object;
                wait.record_reply(&self.run);
                if let Ok(end) = wait.take_end() {
                    self.run.let_go_of_end(self.index, object, end);
                }
            }
            waiting => drop(waiting),
        }
    }

    /// Runs something that may panic, records the panic and returns it.
    pub(super) fn unharmed(&self, act: impl FnOnce()) -> Option<Box<dyn Any + Send>> {
        let payload = catch_unwind(AssertUnwindSafe(act)).err()?;
        self.effect(What::Panicked { scripted: is_scripted(&*payload), message: panic_message(&*payload) });
        Some(payload)
    }

    /// Records that the steps of this poll that have not begun will not: their task has ended.
    pub(super) fn skip_what_is_left(&mut self) {
        for step in std::mem::take(&mut self.left) {
            self.run.set_at(At::Step(step));
            self.run.record(self.index, Role::Result, What::NotRun { reason: Reason::Gone });
        }
    }

    /// Records that `belonging` goes, then drops it: the wakes that follow come after it in the transcript.
    pub(super) fn let_go_of(&self, belonging: Belonging) {
        match &belonging {
            Belonging::Guard { object, .. } => self.effect(What::Released { object: *object }),
            Belonging::Future { name, object, .. } => {
                self.effect(What::DroppedFuture { object: *object, future: *name });
            }
            Belonging::Scope(_) => {}
        }
        drop(belonging);
    }

    pub(super) fn take_guard(&mut self, object: ObjectIndex) -> Result<Operation, Reason> {
        let is_guard =
            |belonging: &Belonging| matches!(belonging, Belonging::Guard { object: held, .. } if *held == object);
        let place = self.belongings.iter().rposition(is_guard).ok_or(Reason::HoldsNoGuard { object })?;
        match self.belongings.remove(place) {
            Belonging::Guard { operation, .. } => Ok(operation),
            Belonging::Future { .. } | Belonging::Scope(_) => unreachable!("the place of a guard was looked up"),
        }
    }

    /// Returns the mode of the guard of an object that the task came by last.
    pub(super) fn mode_of_last(&self, object: ObjectIndex) -> Option<u8> {
        self.belongings.iter().rev().find_map(|belonging| match belonging {
            Belonging::Guard { object: held, mode, .. } if *held == object => Some(*mode),
            _ => None,
        })
    }

    pub(super) fn find_future(&self, future: NameIndex) -> Result<usize, Reason> {
        let is_kept = |belonging: &Belonging| matches!(belonging, Belonging::Future { name, .. } if *name == future);
        self.belongings.iter().position(is_kept).ok_or(Reason::KeepsNoFuture { future })
    }

    pub(super) fn take_future(&mut self, future: NameIndex) -> Result<Pending, Reason> {
        let place = self.find_future(future)?;
        match self.belongings.remove(place) {
            Belonging::Future { name, object, request, operation } => {
                Ok(Pending { object, request, future: Some(name), operation })
            }
            Belonging::Guard { .. } | Belonging::Scope(_) => unreachable!("the place of a future was looked up"),
        }
    }
}

/// Drops what a task has while its panic unwinds, as the locals of an `async fn` are dropped.
pub(super) struct Unwinding<'a>(pub(super) &'a mut Hands);

impl Drop for Unwinding<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            drop(self.0.let_go_of_all());
        }
    }
}
