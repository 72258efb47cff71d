//! What a task does in its turn: its actions, as the live driver takes the same steps.

use super::super::books::Fate;
use super::super::subject::{Polled, Subject};
use super::{Deed, Engine, Wait};
use crate::object::{Order, handing_over};
use crate::primitive::Request;
use crate::program::{NameIndex, ObjectIndex, TaskDeed};
use crate::quiescence::TaskIndex;

impl<S: Subject> Engine<S> {
    /// Takes the next action of a task that does not wait.
    pub(super) fn act(&mut self, task: TaskIndex) {
        let (deed, number) = {
            let op = &self.plan.programs[task][self.tasks[task].pc];
            (op.deed, op.number)
        };
        self.tasks[task].pc += 1;
        self.fruitless = 0;
        self.note(Deed::Op { task, op: number });
        self.books.cover_act(number);
        if self.can(task, deed) {
            self.do_deed(task, deed, number);
        } else {
            self.note(Deed::NotRun);
            self.books.result(number, Fate::NotRun);
        }
        self.refresh(task);
    }

    pub(super) fn can(&self, task: TaskIndex, deed: TaskDeed) -> bool {
        match deed {
            TaskDeed::Release { object }
            | TaskDeed::ReleaseElsewhere { object }
            | TaskDeed::Forget { object }
            | TaskDeed::SendGuard { object, .. } => self.find_guard(task, object).is_some(),
            TaskDeed::Poll { future }
            | TaskDeed::Await { future, .. }
            | TaskDeed::Drop { future }
            | TaskDeed::SendFuture { future, .. } => self.find_future(task, future).is_some(),
            TaskDeed::Start { future, .. } | TaskDeed::Prepare { future, .. } => {
                self.find_future(task, future).is_none()
            }
            _ => true,
        }
    }

    fn do_deed(&mut self, task: TaskIndex, deed: TaskDeed, op: usize) {
        match deed {
            TaskDeed::Ask { request, object, .. } if request.takes() => {
                let slot = self.begin_operation(object, request);
                let wait = Wait { object, request, slot: Some(slot), future: None, op, since: u32::MAX, overtaken: 0 };
                self.attempt(task, wait, slot);
            }
            TaskDeed::Ask { request, object, .. } => self.ask(task, request, object, op),
            TaskDeed::Release { object } => {
                self.books.result(op, Fate::Released);
                let guard = self.take_guard(task, object);
                self.clear_own(task, object, guard);
            }
            TaskDeed::ReleaseElsewhere { object } => self.release_elsewhere(task, object, op),
            TaskDeed::Forget { object } => self.forget(task, object, op),
            TaskDeed::SendGuard { object, to } => self.send_guard(task, object, to, op),
            TaskDeed::SendFuture { future, to } => self.send_future(task, future, to, op),
            TaskDeed::Panic => {
                self.books.result(op, Fate::Panicked);
                self.unwind(task);
            }
            TaskDeed::Return => {
                self.books.result(op, Fate::Returned);
                self.end(task);
            }
            TaskDeed::Start { future, request, object } => {
                self.keep(task, future, request, object);
                self.poll_kept(task, future, op, false);
            }
            TaskDeed::Prepare { future, request, object } => {
                self.books.result(op, Fate::Prepared);
                self.keep(task, future, request, object);
                self.prepare(task, object, op);
            }
            TaskDeed::Poll { future } => self.poll_kept(task, future, op, false),
            TaskDeed::Await { future, keep: true } => self.poll_kept(task, future, op, true),
            TaskDeed::Await { future, keep: false } => self.await_kept(task, future, op),
            TaskDeed::Drop { future } => self.drop_kept(task, future, op),
            _ => unreachable!("a plan has only what can be explored"),
        }
    }

    /// Makes a request that takes nothing.
    fn ask(&mut self, task: TaskIndex, request: Request, object: ObjectIndex, op: usize) {
        let slot = self.begin_operation(object, request);
        match self.poll_slot(task, object, slot) {
            None => self.panic(task, op, Some(slot)),
            Some(reply) => {
                if let Polled::Answered(locked) = reply {
                    self.books.answered(object, locked, op);
                }
                self.clear_own(task, object, slot);
            }
        }
    }

    /// Drops a guard on a thread of its own.
    fn release_elsewhere(&mut self, task: TaskIndex, object: ObjectIndex, op: usize) {
        self.books.result(op, Fate::Released);
        let guard = self.take_guard(task, object);
        self.footprint |= 1 << object;
        let (slot, identity) = (&mut self.slots[guard], self.identities[task]);
        let drop_there = || {
            let _entered = identity.enter();
            S::clear(slot);
        };
        let dropped = std::thread::scope(|scope| scope.spawn(drop_there).join());
        self.free.push(guard);
        self.hear(object);
        if dropped.is_err() {
            self.panic(task, op, None);
        }
    }

    fn forget(&mut self, task: TaskIndex, object: ObjectIndex, op: usize) {
        self.books.result(op, Fate::Forgotten);
        let place = self.find_guard(task, object).expect("it was looked up");
        let guard = self.tasks[task].belongings.remove(place);
        self.forgotten.push(self.subject.take(&mut self.slots[guard.slot]));
        self.free.push(guard.slot);
        self.books.forget(object);
    }

    fn send_guard(&mut self, task: TaskIndex, object: ObjectIndex, to: TaskIndex, op: usize) {
        self.footprint = u32::MAX;
        self.books.result(op, Fate::Sent);
        let place = self.find_guard(task, object).expect("it was looked up");
        let guard = self.tasks[task].belongings.remove(place);
        let slot = &mut self.slots[guard.slot];
        handing_over(Order::Sent, |cx| S::poll(slot, cx) == Polled::Granted);
        if self.ended & 1 << to == 0 {
            let _entered = self.identities[to].enter();
            handing_over(Order::Received, |cx| S::poll(slot, cx) == Polled::Granted);
            self.tasks[to].belongings.push(guard);
            self.refresh(to);
        } else {
            self.books.release(object);
            self.clear_own(task, object, guard.slot);
        }
    }

    fn send_future(&mut self, task: TaskIndex, future: NameIndex, to: TaskIndex, op: usize) {
        self.footprint = u32::MAX;
        self.books.result(op, Fate::Sent);
        let place = self.find_future(task, future).expect("it was looked up");
        let sent = self.tasks[task].belongings.remove(place);
        if self.ended & 1 << to == 0 {
            self.tasks[to].belongings.push(sent);
            self.refresh(to);
        } else {
            self.stop_asking(&sent);
            self.clear_own(task, sent.object, sent.slot);
        }
    }
}
