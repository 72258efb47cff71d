//! How a task lets go: its wait is cancelled, or it is aborted, panics or ends.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::super::books::Fate;
use super::super::subject::Subject;
use super::{Belonging, Engine};
use crate::quiescence::TaskIndex;
use crate::verdict::Verdict;

impl<S: Subject> Engine<S> {
    /// Drops what a task waits for; the task lives on.
    pub(super) fn cancel(&mut self, task: TaskIndex) {
        let Some(wait) = self.tasks[task].wait else { return };
        self.fruitless = 0;
        self.end_wait(task);
        self.books.result(wait.op, Fate::Cancelled);
        match wait.slot {
            Some(slot) => {
                // The task does it itself, in a poll that serves no wake.
                self.clear_own(task, wait.object, slot);
            }
            None => {
                let woken = self.board.woken() & 1 << task != 0;
                let place = wait.future.and_then(|future| self.find_future(task, future));
                if let Some(future) = place.and_then(|place| self.tasks[task].belongings[place].kept.as_mut()) {
                    (future.awaited, future.woken) = (false, woken);
                    self.books.ask(wait.object, 1);
                }
            }
        }
        self.refresh(task);
    }

    pub(super) fn abort(&mut self, task: TaskIndex) {
        self.fruitless = 0;
        if let Some(wait) = self.tasks[task].wait {
            self.books.result(wait.op, Fate::Aborted);
        }
        self.books.aborted(task);
        self.end(task);
    }

    /// Records that an operation panicked, and unwinds its task. The operation in `slot` goes first.
    #[cold]
    pub(super) fn panic(&mut self, task: TaskIndex, op: usize, slot: Option<usize>) {
        self.books.result(op, Fate::Panicked);
        self.books.accuse(Verdict::Panicked);
        self.books.broke(u32::MAX);
        self.end_wait(task);
        if let Some(slot) = slot {
            let place = &mut self.slots[slot];
            let unwinding = catch_unwind(AssertUnwindSafe(|| {
                let _cleared = OnDrop(|| {
                    let _ = catch_unwind(AssertUnwindSafe(|| S::clear(place)));
                });
                resume_unwind(Box::new(()));
            }));
            drop(unwinding);
            self.free.push(slot);
            let objects = (0..self.objects.len()).collect::<Vec<_>>();
            objects.into_iter().for_each(|object| self.hear(object));
        }
        self.unwind(task);
    }

    /// Ends a task as a panic does: what it has is dropped while its thread panics.
    #[cold]
    pub(super) fn unwind(&mut self, task: TaskIndex) {
        let unwinding = catch_unwind(AssertUnwindSafe(|| {
            let _dropped = OnDrop(|| self.end(task));
            resume_unwind(Box::new(()));
        }));
        drop(unwinding);
    }

    /// Ends a task: what it waits for goes first, then what it has, last things first.
    pub(super) fn end(&mut self, task: TaskIndex) {
        let bit = 1 << task;
        if self.ended & bit != 0 {
            return;
        }
        if let Some(wait) = self.tasks[task].wait {
            self.end_wait(task);
            if let Some(slot) = wait.slot
                && !self.clear_slot(wait.object, slot)
            {
                self.books.accuse(Verdict::Panicked);
            }
        }
        while let Some(belonging) = self.tasks[task].belongings.pop() {
            self.let_go_of(belonging);
        }
        self.ended |= bit;
        self.ready &= !bit;
        self.board.clear(bit);
        self.queue.retain(|woken| *woken != task);
    }

    /// Drops a guard or a kept future. Returns whether that went well.
    pub(super) fn let_go_of(&mut self, belonging: Belonging) -> bool {
        match belonging.kept {
            None => {
                if std::thread::panicking() {
                    self.books.broke(1 << belonging.object);
                }
                self.books.release(belonging.object);
            }
            Some(_) => self.stop_asking(&belonging),
        }
        let went_well = self.clear_slot(belonging.object, belonging.slot);
        if !went_well {
            self.books.accuse(Verdict::Panicked);
        }
        went_well
    }
}

/// Does something when it goes.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
