//! The futures that tasks keep: how they are made, polled in their place, and marked as woken.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::super::books::Fate;
use super::super::subject::{Polled, Subject};
use super::{Belonging, Engine, KeptFuture, Wait};
use crate::primitive::Request;
use crate::program::{NameIndex, ObjectIndex};
use crate::quiescence::TaskIndex;

impl<S: Subject> Engine<S> {
    pub(super) fn keep(&mut self, task: TaskIndex, name: NameIndex, request: Request, object: ObjectIndex) {
        let slot = self.begin_operation(object, request);
        let kept = KeptFuture { name, request, since: None, polled_by: task, woken: false, awaited: false };
        self.tasks[task].belongings.push(Belonging { slot, object, kept: Some(kept) });
    }

    pub(super) fn find_future(&self, task: TaskIndex, name: NameIndex) -> Option<usize> {
        self.tasks[task].belongings.iter().position(|it| it.kept.is_some_and(|kept| kept.name == name))
    }

    /// Has the library make the future that the task has just kept.
    pub(super) fn prepare(&mut self, task: TaskIndex, object: ObjectIndex, op: usize) {
        self.footprint |= 1 << object;
        let slot = self.tasks[task].belongings.last().expect("a future was kept just now").slot;
        let place = &mut self.slots[slot];
        let prepared = catch_unwind(AssertUnwindSafe(|| S::prepare(place)));
        self.hear(object);
        if prepared.is_err() {
            self.panic(task, op, None);
        }
    }

    /// Polls a kept future in its place. A grant turns it into a guard that was got now, as in the live driver.
    pub(super) fn poll_kept(&mut self, task: TaskIndex, name: NameIndex, op: usize, awaits: bool) {
        let place = self.find_future(task, name).expect("it was looked up");
        let Belonging { slot, object, kept } = self.tasks[task].belongings[place];
        let kept = kept.expect("a future was looked up");
        let since = kept.since.unwrap_or_else(|| self.tick());
        // A wake before this poll does not count; one within it does, also within the first poll.
        if let Some(future) = self.tasks[task].belongings[place].kept.as_mut() {
            (future.woken, future.polled_by, future.since) = (false, task, Some(since));
        }
        let reply = self.poll_slot(task, object, slot);
        if reply.is_none()
            && let Some(future) = self.tasks[task].belongings[place].kept.as_mut()
        {
            // It panicked, and asked for nothing if it had not before.
            future.since = kept.since;
        }
        let was_waiting = self.waits & 1 << task != 0;
        match reply {
            Some(Polled::Pending) => {
                if !kept.awaited && kept.since.is_none() && !awaits {
                    self.books.ask(object, 1);
                }
                if awaits && !kept.awaited && kept.since.is_some() {
                    self.books.ask(object, -1);
                }
                if let Some(future) = self.tasks[task].belongings[place].kept.as_mut() {
                    future.since = Some(since);
                    future.awaited = awaits;
                }
                if awaits {
                    let overtaken = self.tasks[task].wait.map_or(0, |wait| wait.overtaken);
                    self.books.wait(task, object, !was_waiting, op);
                    self.waits |= 1 << task;
                    self.tasks[task].wait = Some(Wait {
                        object,
                        request: kept.request,
                        slot: None,
                        future: Some(name),
                        op,
                        since,
                        overtaken,
                    });
                } else {
                    self.books.result(op, Fate::Pending);
                }
            }
            reply => {
                if kept.since.is_some() && !kept.awaited {
                    self.books.ask(object, -1);
                }
                self.end_wait(task);
                match reply {
                    Some(Polled::Granted) => {
                        self.tasks[task].belongings.remove(place);
                        self.tasks[task].belongings.push(Belonging { slot, object, kept: None });
                        self.grant(task, object, kept.since.unwrap_or(u32::MAX), op);
                    }
                    Some(_) => {
                        self.tasks[task].belongings.remove(place);
                        self.books.refused(object, true, op);
                        self.clear_own(task, object, slot);
                    }
                    _ => self.panic(task, op, None),
                }
            }
        }
    }

    /// Awaits a kept future by value: it is the operation of its task from now on.
    pub(super) fn await_kept(&mut self, task: TaskIndex, future: NameIndex, op: usize) {
        let place = self.find_future(task, future).expect("it was looked up");
        let taken = self.tasks[task].belongings.remove(place);
        self.stop_asking(&taken);
        let kept = taken.kept.expect("a future was looked up");
        let wait = Wait {
            object: taken.object,
            request: kept.request,
            slot: Some(taken.slot),
            future: Some(future),
            op,
            since: kept.since.unwrap_or(u32::MAX),
            overtaken: 0,
        };
        self.attempt(task, wait, taken.slot);
    }

    pub(super) fn drop_kept(&mut self, task: TaskIndex, future: NameIndex, op: usize) {
        self.books.result(op, Fate::Dropped);
        let place = self.find_future(task, future).expect("it was looked up");
        let dropped = self.tasks[task].belongings.remove(place);
        self.stop_asking(&dropped);
        self.clear_own(task, dropped.object, dropped.slot);
    }

    pub(super) fn stop_asking(&mut self, belonging: &Belonging) {
        if belonging.kept.is_some_and(|kept| kept.since.is_some() && !kept.awaited) {
            self.books.ask(belonging.object, -1);
        }
    }

    /// Records that `task` polls with a new waker from now on. A future that it polled with the old one may have missed
    /// a wake, so it counts as woken.
    pub(super) fn forsake(&mut self, task: TaskIndex) {
        let kept = self.tasks.iter_mut().flat_map(|task| &mut task.belongings).filter_map(|it| it.kept.as_mut());
        for future in kept.filter(|kept| kept.polled_by == task) {
            future.woken |= future.since.is_some() && !future.awaited;
        }
    }

    /// Returns who has polled a kept future: it would have to poll that one as well if it took another waker, and a
    /// wake that goes astray would be its own fault.
    pub(super) fn keepers(&self) -> u32 {
        let kept = self.tasks.iter().flat_map(|task| &task.belongings).filter_map(|it| it.kept);
        kept.filter(|kept| kept.since.is_some() && !kept.awaited).fold(0, |mask, kept| mask | 1 << kept.polled_by)
    }

    /// Returns whether a kept future that asks for `object` was woken since its last poll.
    pub(super) fn is_offered(&self, object: ObjectIndex) -> bool {
        let kept = self.tasks.iter().flat_map(|task| &task.belongings).filter(|it| it.object == object);
        kept.filter_map(|it| it.kept).any(|kept| kept.since.is_some() && kept.woken && !kept.awaited)
    }
}
