//! What a task does in one poll: takes its steps, goes on with what it waits for, cancels it and lets go.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::acting::Acting;
use super::events::{boom, what};
use super::hands::{Belonging, Hands, Pending, Waiting};
use super::run::LetGo;
use super::thread::ThreadWait;
use crate::object::{Operation, Order, Reply};
use crate::primitive::{Effect, Place, Request};
use crate::program::{Deed, NameIndex, ObjectIndex, ReactionDeed, StepIndex, TaskDeed};
use crate::quiescence::TaskIndex;
use crate::runtime::{Runtime, panic_message};
use crate::scenario::WakerEvent;
use crate::transcript::{At, Reason, What};

/// Whether a task goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Goes,
    Ends,
}

/// A task at work, inside one poll.
pub(super) struct Worker<'a, R> {
    pub(super) hands: &'a mut Hands,
    pub(super) runtime: &'a R,
    pub(super) waker: &'a mut Waker,
    pub(super) acting: Option<&'a Arc<Acting>>,
}

impl<R: Runtime> Worker<'_, R> {
    /// Takes one step, and records what came of it.
    pub(super) fn take_step(&mut self, step: StepIndex) -> Flow {
        self.hands.run.set_at(At::Step(step));
        self.hands.due = Some(step);
        let Deed::Task(deed) = self.hands.run.program.steps[step].what else {
            unreachable!("the conductor takes its own steps");
        };
        let taken = match (&self.hands.waiting, deed) {
            (_, TaskDeed::Repoll { new_waker }) => self.repoll_by_step(new_waker),
            (Waiting::Nothing, deed) => self.act(step, deed),
            _ => Err(Reason::Waits),
        };
        taken.unwrap_or_else(|reason| {
            self.hands.result(What::NotRun { reason });
            Flow::Goes
        })
    }

    fn act(&mut self, step: StepIndex, deed: TaskDeed) -> Result<Flow, Reason> {
        match deed {
            TaskDeed::Ask { request, object, place: Place::Thread } => {
                let operation = self.operation(object, request, Place::Thread)?;
                self.hands.due = None;
                let asked = (object, request);
                self.hands.waiting =
                    Waiting::Thread(ThreadWait::start(&self.hands.run, self.hands.index, step, asked, operation));
            }
            TaskDeed::Ask { request, object, .. } if request.turns() => self.turn(object, request)?,
            TaskDeed::Ask { request, object, place } => {
                let operation = self.operation(object, request, place)?;
                self.attempt(Pending { object, request, future: None, operation });
            }
            TaskDeed::Release { object } => {
                let guard = self.take_guard(object)?;
                self.hands.result(What::Released { object });
                drop(guard);
            }
            TaskDeed::ReleaseElsewhere { object } => self.release_elsewhere(object)?,
            TaskDeed::Repoll { .. } => unreachable!("a step that polls again is taken by a task that waits"),
            TaskDeed::Forget { object } => {
                let guard = self.take_guard(object)?;
                self.hands.result(What::Forgotten { object });
                guard.forget();
            }
            TaskDeed::SendGuard { object, to } => self.send_guard(object, to)?,
            TaskDeed::SendFuture { future, to } => self.send_future(future, to)?,
            TaskDeed::Panic => {
                self.hands.result(What::Panicked { scripted: true, message: panic_message(&boom()) });
                self.hands.panics_by_step = true;
                resume_unwind(Box::new(boom()));
            }
            TaskDeed::Return => {
                self.hands.result(What::Returned);
                return Ok(Flow::Ends);
            }
            TaskDeed::Yield => {
                self.hands.result(What::Yielded);
                self.hands.waiting = Waiting::Yield;
                self.hands.run.hub.requeue(self.hands.index);
            }
            TaskDeed::Start { future, request, object } => {
                self.keep(future, request, object)?;
                self.poll_kept(future)?;
            }
            TaskDeed::Prepare { future, request, object } => {
                self.prepare(future, request, object)?;
            }
            TaskDeed::Poll { future } => self.poll_kept(future)?,
            TaskDeed::Await { future, keep: false } => {
                let pending = self.hands.take_future(future)?;
                self.attempt(pending);
            }
            TaskDeed::Await { future, keep: true } => self.await_kept(future)?,
            TaskDeed::Drop { future } => {
                let pending = self.hands.take_future(future)?;
                self.hands.result(What::DroppedFuture { object: pending.object, future });
                drop(pending);
            }
            TaskDeed::Enter { scope } => {
                self.hands.belongings.push(Belonging::Scope(scope));
                self.hands.result(What::Entered);
            }
            TaskDeed::Leave { scope } => self.leave(scope)?,
            TaskDeed::On { event, reaction } => self.arm(event, reaction)?,
            TaskDeed::Hold { micros } => {
                std::thread::sleep(Duration::from_micros(micros.into()));
                self.hands.result(What::Held);
            }
            TaskDeed::SpendBudget => {
                self.runtime.spend_budget(&mut Context::from_waker(self.waker));
                self.hands.result(What::Spent);
            }
        }
        Ok(Flow::Goes)
    }

    /// Drops a guard on a thread of its own.
    fn release_elsewhere(&mut self, object: ObjectIndex) -> Result<(), Reason> {
        let guard = self.take_guard(object)?;
        self.hands.result(What::Released { object });
        let dropped = std::thread::scope(|scope| scope.spawn(|| drop(guard)).join());
        if let Err(payload) = dropped {
            resume_unwind(payload);
        }
        Ok(())
    }

    fn send_guard(&mut self, object: ObjectIndex, to: TaskIndex) -> Result<(), Reason> {
        let mode = self.hands.mode_of_last(object);
        let mut operation = self.take_guard(object)?;
        operation.hand_over(Order::Sent);
        let received = self.hands.run.receives(to);
        self.hands.result(What::SentGuard { object, to, received });
        let mode = mode.expect("a guard that was taken was held");
        self.send(to, Belonging::Guard { object, mode, operation });
        Ok(())
    }

    fn send_future(&mut self, future: NameIndex, to: TaskIndex) -> Result<(), Reason> {
        let Pending { object, request, operation, .. } = self.hands.take_future(future)?;
        let received = self.hands.run.receives(to);
        self.hands.result(What::SentFuture { future, to, received });
        self.send(to, Belonging::Future { name: future, object, request, operation });
        Ok(())
    }

    /// Hands `parcel` to task `to`, which takes it at its next poll. What a task sends to itself it has at once: its
    /// next step may come in this very poll.
    fn send(&mut self, to: TaskIndex, parcel: Belonging) {
        match to == self.hands.index {
            true => self.hands.receive(parcel),
            false => drop(self.hands.run.send(to, parcel)),
        }
    }

    /// Takes the guard of `object` that the task got last, unless it has given that one to its waker.
    fn take_guard(&mut self, object: ObjectIndex) -> Result<Operation, Reason> {
        let is_with_waker = || self.acting.is_some_and(|acting| acting.holds(object));
        self.hands.take_guard(object).map_err(|reason| if is_with_waker() { Reason::WakerHoldsGuard } else { reason })
    }

    fn operation(&self, object: ObjectIndex, request: Request, place: Place) -> Result<Operation, Reason> {
        let live = self.hands.run.object(object).ok_or(Reason::ObjectGone { object })?;
        Ok(live.operation(request, place).on(object))
    }

    fn keep(&mut self, future: NameIndex, request: Request, object: ObjectIndex) -> Result<(), Reason> {
        if self.hands.find_future(future).is_ok() {
            return Err(Reason::FutureExists { future });
        }
        let operation = self.operation(object, request, Place::Task)?;
        self.hands.belongings.push(Belonging::Future { name: future, object, request, operation });
        Ok(())
    }

    /// Turns the last guard of an object into one of another mode, which may have to wait.
    fn turn(&mut self, object: ObjectIndex, request: Request) -> Result<(), Reason> {
        let mode = self.hands.mode_of_last(object).ok_or(Reason::HoldsNoGuard { object })?;
        let Effect::Turn(from, _) = request.verb().effect else { unreachable!("only a verb that turns is asked") };
        if !from.contains(&mode) {
            return Err(Reason::GuardIsOfMode { object, mode });
        }
        let mut operation = self.hands.take_guard(object)?;
        let turned = operation.turn(request, &mut Context::from_waker(self.waker));
        match turned {
            Poll::Ready(Ok(())) => {
                self.hands.result(What::Turned { object, request });
                let mode = request.claim().mode;
                self.hands.belongings.push(Belonging::Guard { object, mode, operation });
            }
            Poll::Ready(Err(reply)) => {
                self.hands.result(what(object, request, None, &reply));
                self.hands.belongings.push(Belonging::Guard { object, mode, operation });
            }
            Poll::Pending => self.wait_for(Pending { object, request, future: None, operation }),
        }
        Ok(())
    }

    /// Has the library make a future, and keeps it unpolled. A panic of that call leaves none.
    fn prepare(&mut self, future: NameIndex, request: Request, object: ObjectIndex) -> Result<(), Reason> {
        self.keep(future, request, object)?;
        match self.hands.belongings.last_mut() {
            Some(Belonging::Future { operation, .. }) => operation.prepare(),
            _ => unreachable!("the future was kept just now"),
        }
        self.hands.result(What::Prepared { object, future, claim: request.claim() });
        Ok(())
    }

    /// Polls an operation that the task owns and waits for.
    fn attempt(&mut self, mut pending: Pending) {
        let Pending { object, request, future, .. } = pending;
        match pending.operation.poll(&mut Context::from_waker(self.waker)) {
            Poll::Ready(reply) => {
                self.hands.result(what(object, request, future, &reply));
                if reply == Reply::Granted {
                    let mode = request.claim().mode;
                    let guard = Belonging::Guard { object, mode, operation: pending.operation };
                    self.hands.belongings.push(guard);
                }
            }
            Poll::Pending => self.wait_for(pending),
        }
    }

    /// Waits for an operation that was polled in vain.
    fn wait_for(&mut self, pending: Pending) {
        let Pending { object, request, future, .. } = pending;
        if self.hands.due.is_some() {
            self.hands.result(What::Waits {
                object,
                future,
                thread: false,
                claim: request.claim(),
                turns: request.turns(),
            });
        }
        self.hands.waiting = match self.acting {
            Some(acting) => {
                acting.share(pending);
                Waiting::Shared { object, future }
            }
            None => Waiting::Operation(pending),
        };
    }

    /// Polls a kept future once, in its place. A grant turns it into a guard that was got now: the scope that is open
    /// now releases it.
    fn poll_in_place(&mut self, name: NameIndex) -> Result<(ObjectIndex, Request, Poll<Reply>), Reason> {
        let place = self.hands.find_future(name)?;
        let Belonging::Future { object, request, operation, .. } = &mut self.hands.belongings[place] else {
            unreachable!("the place of a future was looked up");
        };
        let (object, request) = (*object, *request);
        let reply = operation.poll(&mut Context::from_waker(self.waker));
        if reply.is_ready() {
            let pending = self.hands.take_future(name)?;
            if reply == Poll::Ready(Reply::Granted) {
                let mode = request.claim().mode;
                self.hands.belongings.push(Belonging::Guard { object, mode, operation: pending.operation });
            }
        }
        Ok((object, request, reply))
    }

    fn poll_kept(&mut self, future: NameIndex) -> Result<(), Reason> {
        let (object, request, reply) = self.poll_in_place(future)?;
        self.hands.polled_kept |= reply.is_pending();
        self.hands.result(match reply {
            Poll::Ready(reply) => what(object, request, Some(future), &reply),
            Poll::Pending => What::Pending { object, future, claim: request.claim() },
        });
        Ok(())
    }

    fn await_kept(&mut self, name: NameIndex) -> Result<(), Reason> {
        let (object, request, reply) = self.poll_in_place(name)?;
        match reply {
            Poll::Ready(reply) => self.hands.result(what(object, request, Some(name), &reply)),
            Poll::Pending => {
                self.hands.polled_kept = true;
                if self.hands.due.is_some() {
                    let claim = request.claim();
                    self.hands.result(What::Waits { object, future: Some(name), thread: false, claim, turns: false });
                }
                self.hands.waiting = Waiting::Kept { name, object };
            }
        }
        Ok(())
    }

    fn leave(&mut self, scope: NameIndex) -> Result<(), Reason> {
        let is_scope = |belonging: &Belonging| matches!(belonging, Belonging::Scope(_));
        let place = self.hands.belongings.iter().rposition(is_scope).ok_or(Reason::NotInScope { scope })?;
        if !matches!(self.hands.belongings[place], Belonging::Scope(innermost) if innermost == scope) {
            return Err(Reason::NotInScope { scope });
        }
        self.hands.result(What::Left);
        while self.hands.belongings.len() > place {
            let belonging = self.hands.belongings.pop().expect("there are more than `place`");
            self.hands.let_go_of(belonging);
        }
        Ok(())
    }

    /// Gives the task's waker its orders.
    fn arm(&mut self, event: WakerEvent, reaction: ReactionDeed) -> Result<(), Reason> {
        let guard = match reaction {
            ReactionDeed::Release(object) => Some(self.take_guard(object)?),
            _ => None,
        };
        let acting = self.acting.expect("a program knows the tasks that give orders to their wakers");
        acting.arm(event, reaction, guard);
        self.hands.result(What::Armed);
        Ok(())
    }

    /// Polls what the task waits for, because a step says so: instead of the poll that it was woken for, if it was.
    fn repoll_by_step(&mut self, new_waker: bool) -> Result<Flow, Reason> {
        match self.hands.waiting {
            Waiting::Nothing | Waiting::Yield => return Err(Reason::DoesNotWait),
            Waiting::Thread(_) => return Err(Reason::BlocksThread),
            // A wait that spins is over: only a cancel ends it.
            _ if self.hands.run.hub.spins(self.hands.index) => return Err(Reason::Waits),
            Waiting::Operation(_) | Waiting::Shared { .. } | Waiting::Kept { .. } => {}
        }
        self.hands.run.hub.unqueue(self.hands.index);
        // A waker that acts stays, with its orders.
        if new_waker && self.acting.is_none() {
            *self.waker = self.hands.run.renew_waker(self.hands.index);
        }
        self.go_on();
        Ok(Flow::Goes)
    }

    /// Polls what the task waits for, because it was woken.
    pub(super) fn resume(&mut self) {
        self.hands.due = None;
        self.go_on();
    }

    /// Polls what the task waits for.
    fn go_on(&mut self) {
        match std::mem::replace(&mut self.hands.waiting, Waiting::Nothing) {
            Waiting::Nothing | Waiting::Yield => {}
            Waiting::Operation(pending) => self.attempt(pending),
            Waiting::Shared { object, future } => match self.acting.and_then(|acting| acting.unshare()) {
                Some(pending) => self.attempt(pending),
                None => self.hands.waiting = Waiting::Shared { object, future },
            },
            Waiting::Kept { name, object } => {
                if self.await_kept(name).is_err() {
                    unreachable!("a kept future that its task waits for stays kept: {name} of object {object}");
                }
            }
            Waiting::Thread(wait) => self.end_thread(wait),
        }
    }

    fn end_thread(&mut self, wait: ThreadWait) {
        let (object, step, announced) = (wait.object, wait.step, wait.is_announced());
        let mode = wait.mode();
        wait.record_reply(&self.hands.run);
        match wait.take_end() {
            Err(wait) => self.hands.waiting = Waiting::Thread(wait),
            Ok(end) => match end {
                Ok((Reply::Granted, operation)) => {
                    self.hands.belongings.push(Belonging::Guard { object, mode, operation });
                }
                Ok(_) => {}
                Err(payload) => {
                    self.hands.due = (!announced).then_some(step);
                    resume_unwind(payload);
                }
            },
        }
    }

    pub(super) fn cancel(&mut self) {
        let step = match self.hands.run.at() {
            At::Step(step) => Some(step),
            At::Probe | At::Rest => None,
        };
        self.hands.due = step;
        match std::mem::replace(&mut self.hands.waiting, Waiting::Nothing) {
            Waiting::Nothing => self.hands.result(What::NotRun { reason: Reason::DoesNotWait }),
            Waiting::Yield => self.hands.result(What::Cancelled { object: None, kept: None }),
            Waiting::Operation(pending) => {
                self.hands.result(What::Cancelled { object: Some(pending.object), kept: None });
                drop(pending);
            }
            Waiting::Shared { object, .. } => {
                self.hands.result(What::Cancelled { object: Some(object), kept: None });
                drop(self.acting.and_then(|acting| acting.unshare()));
            }
            Waiting::Kept { name, object } => {
                self.hands.result(What::Cancelled { object: Some(object), kept: Some(name) });
            }
            waiting @ Waiting::Thread(_) => {
                self.hands.waiting = waiting;
                self.hands.result(What::NotRun { reason: Reason::BlocksThread });
            }
        }
    }

    pub(super) fn let_go(&mut self, what: LetGo) {
        self.hands.due = None;
        match what {
            LetGo::Waits => {
                if !matches!(self.hands.waiting, Waiting::Nothing | Waiting::Thread(_)) {
                    self.cancel();
                }
            }
            LetGo::Futures => self.let_go_where(|belonging| matches!(belonging, Belonging::Future { .. })),
            LetGo::Guards => {
                self.let_go_where(|belonging| matches!(belonging, Belonging::Guard { .. }));
                if let Some(acting) = self.acting {
                    acting.disarm();
                }
            }
        }
    }

    fn let_go_where(&mut self, goes: impl Fn(&Belonging) -> bool) {
        while let Some(place) = self.hands.belongings.iter().rposition(&goes) {
            let belonging = self.hands.belongings.remove(place);
            self.hands.let_go_of(belonging);
        }
    }
}
