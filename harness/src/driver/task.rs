//! One task of a scenario, as a future on the runtime: obeys the conductor and is woken, and drops what it has as an
//! `async fn` would.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use smallvec::SmallVec;

use super::acting::Acting;
use super::events::is_scripted;
use super::hands::{Hands, Unwinding, Waiting};
use super::run::{Command, LetGo, Run, TaskWaker};
use super::steps::{Flow, Worker};
use crate::quiescence::{Admission, Departure, TaskIndex};
use crate::runtime::{Runtime, panic_message};
use crate::transcript::{At, Role, What};

/// One task of a scenario. Its polls and its end go through the hub.
pub(super) struct Task<R> {
    runtime: Arc<R>,
    /// What the locks get to wake this task with.
    waker: Waker,
    acting: Option<Arc<Acting>>,
    hands: Hands,
    ended: bool,
}

impl<R: Runtime> Future for Task<R> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let Some(admission) = this.hands.run.hub.enter(this.hands.index, cx.waker()) else {
            return Poll::Pending;
        };
        let _entered = this.hands.run.identity(this.hands.index).enter();
        match catch_unwind(AssertUnwindSafe(|| this.obey(admission))) {
            Ok(Flow::Goes) => {
                this.hands.run.set_burden(this.hands.index, this.burden());
                let departure = match this.runtime.promises_wake(&mut Context::from_waker(&this.waker)) {
                    true => {
                        if this.hands.polled_kept {
                            this.hands.run.record(this.hands.index, Role::Effect, What::Promised);
                        }
                        Departure::Promised
                    }
                    false => Departure::Parked,
                };
                this.hands.run.hub.leave(this.hands.index, departure);
                Poll::Pending
            }
            Ok(Flow::Ends) => match this.end() {
                None => Poll::Ready(()),
                Some(payload) => resume_unwind(payload),
            },
            Err(payload) => {
                this.record_panic(&*payload);
                // Its own panic is the first, and a task has only one.
                drop(this.end());
                resume_unwind(payload)
            }
        }
    }
}

impl<R> Drop for Task<R> {
    /// The runtime drops a task that has not ended: it was aborted.
    fn drop(&mut self) {
        if !self.ended {
            let _entered = self.hands.run.identity(self.hands.index).enter();
            self.hands.run.record(self.hands.index, Role::Effect, What::Aborted { ending: None });
            // What panics while a runtime drops a task is recorded, and not left to the runtime: some would abort.
            drop(self.end());
        }
    }
}

impl<R> Task<R> {
    pub(super) fn new(run: &Arc<Run>, runtime: &Arc<R>, index: TaskIndex) -> Self {
        // From its birth, so that an order also holds for wakers that the locks have already.
        let acting = run.program.acts[index].then(|| Acting::new(run, index));
        Self {
            runtime: Arc::clone(runtime),
            waker: acting.as_ref().map_or_else(|| TaskWaker::waker(run, index), |acting| acting.waker()),
            acting,
            hands: Hands {
                run: Arc::clone(run),
                index,
                belongings: SmallVec::new(),
                waiting: Waiting::Nothing,
                due: None,
                left: 0..0,
                polled_kept: false,
                panics_by_step: false,
            },
            ended: false,
        }
    }

    /// Returns what it may have to let go of. An acting waker can gain something at any wake.
    fn burden(&self) -> u8 {
        if self.acting.is_some() {
            return LetGo::ALL;
        }
        let waits = match self.hands.waiting {
            Waiting::Nothing | Waiting::Thread(_) => 0,
            _ => LetGo::Waits.bit(),
        };
        self.hands.belongings.iter().fold(waits, |burden, belonging| burden | belonging.burden())
    }

    /// Drops everything, then tells the hub: in this order, or quiescence would be seen while a guard still lives.
    /// Returns the first panic that came out of it.
    fn end(&mut self) -> Option<Box<dyn Any + Send>> {
        self.ended = true;
        self.take_gains();
        // What lies with the acting waker would live as long as the lock keeps a clone of that waker.
        let shared = self.acting.as_ref().and_then(|acting| acting.unshare());
        let mut panic = self.hands.unharmed(|| drop(shared));
        let next = self.hands.let_go_of_all();
        panic = panic.or(next);
        if let Some(acting) = self.acting.take() {
            let next = self.hands.unharmed(|| acting.disarm());
            panic = panic.or(next);
        }
        self.hands.skip_what_is_left();
        self.hands.run.hub.end(self.hands.index);
        panic
    }

    /// Records a panic that came out of a lock or a waker, unless the step that asked for it has recorded it already.
    fn record_panic(&mut self, payload: &(dyn Any + Send)) {
        let what = What::Panicked { scripted: is_scripted(payload), message: panic_message(payload) };
        match self.hands.due.take() {
            Some(step) => self.hands.run.record_at(At::Step(step), self.hands.index, Role::Result, what),
            None if self.hands.panics_by_step => {}
            None => self.hands.run.record(self.hands.index, Role::Effect, what),
        }
    }

    /// Takes what the acting waker has gained for this task.
    fn take_gains(&mut self) {
        if let Some(acting) = &self.acting {
            let (gains, still_pending) = acting.take_gains();
            self.hands.belongings.extend(gains);
            if matches!(self.hands.waiting, Waiting::Shared { .. }) && !still_pending {
                self.hands.waiting = Waiting::Nothing;
            }
        }
    }
}

impl<R: Runtime> Task<R> {
    fn obey(&mut self, admission: Admission<Command>) -> Flow {
        self.take_gains();
        let unwinding = Unwinding(&mut self.hands);
        let hands = &mut *unwinding.0;
        hands.polled_kept = false;
        hands.run.receive(hands.index).into_iter().for_each(|parcel| hands.receive(parcel));
        let mut worker =
            Worker { hands, runtime: &*self.runtime, waker: &mut self.waker, acting: self.acting.as_ref() };
        match admission {
            Admission::Woken if worker.hands.run.stops() => return Flow::Ends,
            Admission::Woken => worker.resume(),
            Admission::Command(Command::Steps { first, last }) => {
                worker.hands.left = first..last + 1;
                while let Some(step) = worker.hands.left.next() {
                    if worker.take_step(step) == Flow::Ends {
                        return Flow::Ends;
                    }
                }
            }
            Admission::Command(Command::Cancel) => worker.cancel(),
            Admission::Command(Command::LetGo(what)) => worker.let_go(what),
            Admission::Command(Command::Stop) => return Flow::Ends,
        }
        Flow::Goes
    }
}
