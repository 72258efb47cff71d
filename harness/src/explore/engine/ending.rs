//! How a run ends: the woken are polled to the end, who still waits is judged, and all let go.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::super::subject::Subject;
use super::{Belonging, Engine, tasks_of};
use crate::driver::POLLS_MAX;
use crate::verdict::Verdict;

/// How often all are asked to let go, as in the live driver.
const ROUNDS_MAX: usize = 1_000;

impl<S: Subject> Engine<S> {
    /// Judges how the run ended, and lets all go.
    pub(super) fn finish(&mut self) {
        // What follows is no part of the schedule: first the polls that end its last line, then the judgement.
        if let Some(trace) = &mut self.trace {
            trace.push(Vec::new());
        }
        let is_settled = !self.cut || self.settle();
        if let Some(trace) = &mut self.trace {
            trace.push(Vec::new());
        }
        if !is_settled {
            return self.abandon();
        }
        let is_clean = self.waits == 0 && self.tasks.iter().all(|task| task.belongings.is_empty());
        if !is_clean {
            self.judge_waits();
        }
        self.books.end_script();
        if !self.probe() || (!is_clean && !self.rest()) || !self.probe() {
            return self.abandon();
        }
        self.abandon();
    }

    /// Polls the woken, in the order of their wakes, until nobody is woken. Returns whether that came to an end.
    fn settle(&mut self) -> bool {
        let mut polls = 0;
        while !self.queue.is_empty() {
            let task = self.queue.remove(0);
            self.board.clear(1 << task);
            if self.waits & 1 << task != 0 {
                polls += 1;
                if polls > POLLS_MAX {
                    self.books.accuse(Verdict::Livelock);
                    return false;
                }
                self.poll_wait(task);
            }
        }
        true
    }

    /// Tries every object. Returns whether that came to an end.
    fn probe(&mut self) -> bool {
        for object in 0..self.objects.len() {
            let (mut was_free, mut rung) = (None, (0, 0));
            let live = self.objects[object].as_ref().expect("every object was made");
            let mut tried = |is_free| (was_free, rung) = (Some(is_free), self.board.take_rings());
            let request = self.tries[object];
            let probed = catch_unwind(AssertUnwindSafe(|| self.subject.probe(live, request, &mut tried)));
            self.hear_rings(object, rung);
            self.hear(object);
            if let Some(is_free) = was_free {
                self.books.tried(object, is_free);
            }
            if probed.is_err() {
                self.books.accuse(Verdict::Panicked);
            }
            if !self.settle() {
                return false;
            }
        }
        true
    }

    /// Has everybody let go: waits first, then kept futures, then guards. Returns whether that came to an end.
    fn rest(&mut self) -> bool {
        for _ in 0..ROUNDS_MAX {
            let mut changed = false;
            for round in 0..3 {
                for task in 0..self.tasks.len() {
                    if self.ended & 1 << task != 0 {
                        continue;
                    }
                    let _entered = self.identities[task].enter();
                    match round {
                        0 if self.waits & 1 << task != 0 => {
                            self.cancel(task);
                            changed = true;
                        }
                        0 => {}
                        _ => {
                            let goes = |it: &Belonging| it.kept.is_some() == (round == 1);
                            while let Some(place) = self.tasks[task].belongings.iter().rposition(goes) {
                                let belonging = self.tasks[task].belongings.remove(place);
                                changed = true;
                                if !self.let_go_of(belonging) {
                                    self.unwind(task);
                                }
                            }
                        }
                    }
                    if !self.settle() {
                        return false;
                    }
                }
            }
            if !changed {
                break;
            }
        }
        true
    }

    /// Judges those who still wait.
    #[cold]
    fn judge_waits(&mut self) {
        for task in tasks_of(self.waits) {
            let Some(wait) = self.tasks[task].wait else { continue };
            if self.books.held(wait.object) == 0 {
                if self.is_offered(wait.object) {
                    self.books.accuse(Verdict::Futurelock);
                }
                continue;
            }
            if wait.overtaken >= crate::oracle::OVERTAKEN_MAX as u32 {
                self.books.accuse(Verdict::Starved);
            }
            let mut met = 1_u32 << task;
            let mut object = wait.object;
            loop {
                let holder = (0..self.tasks.len()).find(|holder| self.find_guard(*holder, object).is_some());
                let Some(holder) = holder else {
                    if self.books.held(object) > 0 {
                        self.books.accuse(Verdict::Abandoned);
                    }
                    break;
                };
                if met & 1 << holder != 0 {
                    self.books.accuse(Verdict::Deadlock);
                    break;
                }
                met |= 1 << holder;
                match self.tasks[holder].wait {
                    Some(next) => object = next.object,
                    None => break,
                }
            }
        }
    }

    /// Drops whatever is left, and the objects.
    pub(super) fn abandon(&mut self) {
        self.books.close();
        for task in 0..self.tasks.len() {
            if let Some(slot) = self.tasks[task].wait.take().and_then(|wait| wait.slot) {
                let place = &mut self.slots[slot];
                let _ = catch_unwind(AssertUnwindSafe(|| S::clear(place)));
                self.free.push(slot);
            }
            while let Some(belonging) = self.tasks[task].belongings.pop() {
                let place = &mut self.slots[belonging.slot];
                let _ = catch_unwind(AssertUnwindSafe(|| S::clear(place)));
                self.free.push(belonging.slot);
            }
        }
        for index in 0..self.objects.len() {
            let object = self.objects[index].take();
            if catch_unwind(AssertUnwindSafe(|| drop(object))).is_err() {
                self.books.accuse(Verdict::Panicked);
            }
        }
        for mut slot in self.forgotten.drain(..) {
            let _ = catch_unwind(AssertUnwindSafe(|| S::clear(&mut slot)));
        }
    }
}
