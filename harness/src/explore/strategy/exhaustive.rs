//! Depth first through every schedule, by running each from its beginning.
//!
//! Sleep sets leave out schedules that differ from an earlier one only in the order of neighbouring steps on different
//! objects (Godefroid, "Partial-Order Methods", 1996). Steps that share a bound do not commute. Of tasks that are alike
//! the first begins first; both together are sound, because a step that sleeps was taken before any of them began.

use serde::{Deserialize, Serialize};

use super::Reduction;
use crate::explore::Chooser;
use crate::explore::schedule::{Choice, Choices, Schedule};
use crate::quiescence::TaskIndex;

/// One place of the current schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Node {
    offered: Choices,
    untried: Choices,
    taken: Choice,
    footprint: u32,
    /// What was or will be tried in an equal place, with what it touches.
    sleep: Vec<(Choice, u32)>,
}

/// A part of the tree of schedules: what lies below its first `floor` choices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Exhaustive {
    stack: Vec<Node>,
    /// How many nodes of the stack the current run has reached.
    depth: usize,
    floor: usize,
    /// How many nodes there were before this run.
    known: usize,
    /// How deep to go; what lies below is another part.
    ceiling: Option<usize>,
    reduction: Reduction,
    done: bool,
    stop: Stop,
}

/// Why a run was broken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stop {
    No,
    /// It differs from an earlier one only in the order of steps that commute.
    Asleep,
    /// It reached the ceiling.
    Ceiling,
    /// The lock offered other choices than the last time.
    Diverged,
}

impl Exhaustive {
    pub(crate) fn new(reduction: Reduction) -> Self {
        Self { stack: Vec::new(), depth: 0, floor: 0, known: 0, ceiling: None, reduction, done: false, stop: Stop::No }
    }

    /// Returns the same, that breaks off below `ceiling` choices.
    pub(crate) fn with_ceiling(self, ceiling: usize) -> Self {
        Self { ceiling: Some(ceiling), ..self }
    }

    /// Returns the part below the current place.
    pub(crate) fn below(&self) -> Self {
        let mut part = self.clone();
        part.stack.truncate(self.depth);
        for node in &mut part.stack {
            node.untried = Choices::default();
        }
        Self { floor: part.stack.len(), ceiling: None, depth: 0, stop: Stop::No, done: false, ..part }
    }

    /// Returns the choices that the part begins with, and an end, as words for a hash.
    pub(crate) fn beginning(&self) -> impl Iterator<Item = u64> {
        let choices = self.stack[..self.floor].iter();
        choices.map(|node| (node.taken.kind() as u64) << 8 | node.taken.task() as u64).chain([u64::MAX])
    }

    pub(crate) fn is_done(&self) -> bool {
        self.done
    }

    pub(crate) fn stop(&self) -> Stop {
        self.stop
    }

    pub(crate) fn begin(&mut self) {
        self.depth = 0;
        self.known = self.stack.len();
        self.stop = Stop::No;
    }

    /// Believes the run that took another course than the one before it, from where they part: only a lock that reads a
    /// clock can do that, and which of the two was disturbed nobody can say. What was seen stays seen.
    ///
    /// Returns false if they part in the choices that this part of the tree begins with: those are not its own to
    /// change.
    pub(crate) fn correct(&mut self) -> bool {
        let is_own = self.depth >= self.floor;
        if is_own {
            self.stack.truncate(self.depth);
        }
        is_own
    }

    pub(crate) fn schedule(&self) -> Schedule {
        Schedule(self.stack[..self.depth].iter().map(|node| node.taken).collect())
    }

    /// Goes on to the next schedule.
    pub(crate) fn next(&mut self) {
        self.stack.truncate(self.depth);
        while self.stack.len() > self.floor {
            let node = self.stack.last_mut().expect("it is longer than its floor");
            if self.reduction.commutes() {
                node.sleep.push((node.taken, node.footprint));
            }
            if let Some(next) = node.untried.first() {
                node.untried.remove(next);
                node.taken = next;
                return;
            }
            self.stack.pop();
        }
        self.done = true;
    }
}

impl Chooser for Exhaustive {
    fn choose(&mut self, offer: &Choices, footprint: u32, _: &dyn Fn(TaskIndex) -> usize) -> Option<Choice> {
        self.end(footprint);
        if let Some(node) = self.stack.get(self.depth) {
            if node.offered != *offer {
                self.stop = Stop::Diverged;
                return None;
            }
            self.depth += 1;
            return Some(node.taken);
        }
        if self.ceiling.is_some_and(|ceiling| self.depth >= ceiling) {
            self.stop = Stop::Ceiling;
            return None;
        }
        let mut untried = *offer;
        let mut sleep = Vec::new();
        if let Some(parent) = self.depth.checked_sub(1).map(|depth| &self.stack[depth]) {
            let moved = (parent.taken, parent.footprint);
            sleep.extend(parent.sleep.iter().copied().filter(|asleep| self.reduction.commute(*asleep, moved)));
            for (choice, _) in &sleep {
                untried.remove(*choice);
            }
        }
        self.reduction.leave_one_of_alike(&mut untried, self.stack.iter().map(|node| node.taken));
        let Some(taken) = untried.first() else {
            self.stop = Stop::Asleep;
            return None;
        };
        untried.remove(taken);
        self.stack.push(Node { offered: *offer, untried, taken, footprint: 0, sleep });
        self.depth += 1;
        Some(taken)
    }

    fn rewind(&mut self) {
        self.stack.truncate(self.known);
        self.begin();
    }

    fn end(&mut self, footprint: u32) {
        if let Some(node) = self.depth.checked_sub(1).map(|last| &mut self.stack[last]) {
            node.footprint = footprint;
        }
    }
}
