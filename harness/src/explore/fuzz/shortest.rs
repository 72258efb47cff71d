//! The shortest schedule of a program that comes to the same: every schedule in turn, none longer than the best so far.

use std::sync::Arc;

use crate::explore::confirm::confirm;
use crate::explore::plan::Plan;
use crate::explore::schedule::{Choice, Choices, Schedule};
use crate::explore::{Bounds, Chooser, Explorable, ExploreError, Found};
use crate::quiescence::TaskIndex;

/// The most schedules that are run for one.
const RUNS_MAX: u32 = 50_000;

/// Goes through the tree of schedules in order, as deep as the ceiling.
struct Odometer {
    /// The choices of this run, each with those that are still to be tried in its place.
    path: Vec<(Choice, Choices)>,
    next: usize,
    ceiling: usize,
}

impl Odometer {
    /// Turns to the next schedule. Returns whether there is one.
    fn turn(&mut self) -> bool {
        self.path.truncate(self.next);
        self.next = 0;
        while let Some((_, left)) = self.path.last_mut() {
            if let Some(choice) = left.first() {
                left.remove(choice);
                let left = *left;
                self.path.pop();
                self.path.push((choice, left));
                return true;
            }
            self.path.pop();
        }
        false
    }
}

impl Chooser for Odometer {
    fn choose(&mut self, offer: &Choices, _footprint: u32, _remaining: &dyn Fn(TaskIndex) -> usize) -> Option<Choice> {
        if self.next >= self.ceiling {
            return None;
        }
        if self.next == self.path.len() {
            let mut left = *offer;
            let choice = left.first()?;
            left.remove(choice);
            self.path.push((choice, left));
        }
        let choice = self.path[self.next].0;
        // A lock that reads a clock may offer otherwise than it did before.
        if !offer.has(choice) {
            return None;
        }
        self.next += 1;
        Some(choice)
    }

    fn rewind(&mut self) {
        self.next = 0;
    }
}

/// Returns the finding with the shortest schedule, beginning with `found`.
pub(super) fn shortest(
    locks: &Explorable,
    plan: &Arc<Plan>,
    bounds: &Bounds,
    found: &Found,
    same: impl Fn(&Found) -> bool,
) -> Result<Found, ExploreError> {
    let mut machine = locks.machine(plan)?;
    let mut best = found.clone();
    let is_of_plan = |found: &Found| found.script.name.as_str() == format!("{}-schedule", plan.scenario.name);
    let length = if is_of_plan(found) { found.schedule.0.len() } else { usize::MAX };
    let mut odometer = Odometer { path: Vec::new(), next: 0, ceiling: length.saturating_sub(1) };
    for _ in 0..RUNS_MAX {
        if machine.run(bounds, &mut odometer) {
            let books = machine.books();
            if (books.verdict(), books.herd()) == (best.verdict, best.herd) {
                let schedule = Schedule(odometer.path[..odometer.next].iter().map(|(choice, _)| *choice).collect());
                match confirm(locks, &mut *machine, bounds, &schedule) {
                    Ok(shorter) if same(&shorter) => {
                        odometer.ceiling = schedule.0.len().saturating_sub(1);
                        best = shorter;
                    }
                    Ok(_) | Err(ExploreError::Diverges { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        if !odometer.turn() {
            break;
        }
    }
    Ok(best)
}
