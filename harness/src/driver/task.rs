//! One task of a scenario, as a future on the runtime: takes steps, owns its guards and futures, drops them as an
//! `async fn` would.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use smallvec::SmallVec;

use super::acting::Acting;
use super::events::{boom, is_scripted, what};
use super::hands::{Belonging, Hands, Pending, Unwinding, Waiting};
use super::run::{Command, LetGo, Run, TaskWaker};
use super::thread::ThreadWait;
use crate::object::{Operation, Order, Reply};
use crate::primitive::{Effect, Place, Request};
use crate::program::{Deed, NameIndex, ObjectIndex, ReactionDeed, StepIndex, TaskDeed};
use crate::quiescence::{Admission, Departure, TaskIndex};
use crate::runtime::{Runtime, panic_message};
use crate::scenario::WakerEvent;
use crate::transcript::{At, Reason, Role, What};

/// Whether a task goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Goes,
    Ends,
}

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

/// A task at work, inside one poll.
struct Worker<'a, R> {
    hands: &'a mut Hands,
    runtime: &'a R,
    waker: &'a mut Waker,
    acting: Option<&'a Arc<Acting>>,
}

impl<R: Runtime> Worker<'_, R> {
    /// Takes one step, and records what came of it.
    fn take_step(&mut self, step: StepIndex) -> Flow {
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
            TaskDeed::ReleaseElsewhere { object } => {
                let guard = self.take_guard(object)?;
                self.hands.result(What::Released { object });
                let dropped = std::thread::scope(|scope| scope.spawn(|| drop(guard)).join());
                if let Err(payload) = dropped {
                    resume_unwind(payload);
                }
            }
            TaskDeed::Repoll { .. } => unreachable!("a step that polls again is taken by a task that waits"),
            TaskDeed::Forget { object } => {
                let guard = self.take_guard(object)?;
                self.hands.result(What::Forgotten { object });
                guard.forget();
            }
            TaskDeed::SendGuard { object, to } => {
                let mode = self.hands.mode_of_last(object);
                let mut operation = self.take_guard(object)?;
                operation.hand_over(Order::Sent);
                let received = self.hands.run.receives(to);
                self.hands.result(What::SentGuard { object, to, received });
                let mode = mode.expect("a guard that was taken was held");
                self.send(to, Belonging::Guard { object, mode, operation });
            }
            TaskDeed::SendFuture { future, to } => {
                let Pending { object, request, operation, .. } = self.hands.take_future(future)?;
                let received = self.hands.run.receives(to);
                self.hands.result(What::SentFuture { future, to, received });
                self.send(to, Belonging::Future { name: future, object, request, operation });
            }
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
    fn resume(&mut self) {
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

    fn cancel(&mut self) {
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

    fn let_go(&mut self, what: LetGo) {
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
