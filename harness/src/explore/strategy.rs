//! The ways through the schedules.

mod exhaustive;
mod reduction;
mod sampled;

pub(super) use exhaustive::{Exhaustive, Stop};
pub(super) use reduction::Reduction;
pub(super) use sampled::{Sampled, Sampler};

use super::Chooser;
use super::schedule::{Choice, Choices, Schedule};
use crate::quiescence::TaskIndex;

/// Takes a given schedule, and stops where it cannot be followed.
#[derive(Debug)]
pub(super) struct Fixed<'a> {
    schedule: &'a Schedule,
    next: usize,
}

impl<'a> Fixed<'a> {
    pub(super) fn new(schedule: &'a Schedule) -> Self {
        Self { schedule, next: 0 }
    }

    /// Returns whether every choice was taken.
    pub(super) fn is_over(&self) -> bool {
        self.next == self.schedule.0.len()
    }
}

impl Chooser for Fixed<'_> {
    fn choose(&mut self, offer: &Choices, _footprint: u32, _remaining: &dyn Fn(TaskIndex) -> usize) -> Option<Choice> {
        let choice = self.schedule.0.get(self.next).copied().filter(|choice| offer.has(*choice))?;
        self.next += 1;
        Some(choice)
    }

    fn rewind(&mut self) {
        self.next = 0;
    }
}
