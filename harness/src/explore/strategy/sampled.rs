//! Schedules by chance: random walk, uniform random walk, and PCT.

use serde::{Deserialize, Serialize};

use crate::explore::Chooser;
use crate::explore::plan::{Plan, TASKS_MAX};
use crate::explore::random::Random;
use crate::explore::schedule::{Choice, Choices, Kind, Schedule, count, nth};
use crate::quiescence::TaskIndex;

/// A way to choose by chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Sampler {
    Random,
    Uniform,
    Pct,
}

/// How likely a random walk lets something happen that need not happen: once in so many choices.
const OCCASION_IN: u32 = 6;

/// The most changes of priority in one schedule.
const CHANGES_MAX: u32 = 4;

/// Chooses by chance.
#[derive(Debug)]
pub(crate) struct Sampled {
    sampler: Sampler,
    random: Random,
    /// What this run began with.
    first: Random,
    schedule: Schedule,
    /// About how many choices a schedule has.
    length: u32,
    /// Whether anything may happen that need not.
    has_occasions: bool,
    priorities: [u32; TASKS_MAX],
    /// After how many choices priorities change, and after how many something happens.
    changes: Vec<u32>,
    occasions: Vec<u32>,
    lowest: u32,
}

impl Sampled {
    pub(crate) fn new(sampler: Sampler, random: Random, plan: &Plan) -> Self {
        let length = plan.action_count() + plan.tasks.len();
        Self {
            sampler,
            first: random,
            random,
            schedule: Schedule::default(),
            length: (length as u32).max(4),
            has_occasions: plan.has_occasions(),
            priorities: [0; TASKS_MAX],
            changes: Vec::new(),
            occasions: Vec::new(),
            lowest: 0,
        }
    }

    pub(crate) fn begin(&mut self) {
        self.schedule.0.clear();
        self.first = self.random;
        if self.sampler != Sampler::Pct {
            return;
        }
        for priority in &mut self.priorities {
            *priority = 1_000 + self.random.below(1_000_000);
        }
        self.lowest = 1_000;
        self.changes.clear();
        self.occasions.clear();
        for _ in 0..self.random.below(CHANGES_MAX + 1) {
            self.changes.push(self.random.below(self.length));
        }
        for _ in 0..self.random.below(3) {
            self.occasions.push(self.random.below(self.length));
        }
    }

    pub(crate) fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Chooses who goes on.
    fn go(&mut self, offer: &Choices) -> Option<Choice> {
        let tasks = offer.0[Kind::Go as usize];
        (tasks != 0).then(|| Choice::new(Kind::Go, nth(tasks, self.random.below(count(tasks)))))
    }

    /// Chooses among what need not happen.
    fn occasion(&mut self, offer: &Choices) -> Option<Choice> {
        let mut occasions = *offer;
        occasions.0[Kind::Go as usize] = 0;
        if occasions.is_empty() { None } else { occasions.nth(self.random.below(occasions.count())) }
    }

    fn random(&mut self, offer: &Choices) -> Option<Choice> {
        if self.has_occasions
            && self.random.below(OCCASION_IN) == 0
            && let Some(choice) = self.occasion(offer)
        {
            return Some(choice);
        }
        self.go(offer).or_else(|| self.occasion(offer))
    }

    /// Weighs each task by the actions that it has left: then each order of all actions is as likely as any other.
    fn uniform(&mut self, offer: &Choices, remaining: &dyn Fn(TaskIndex) -> usize) -> Option<Choice> {
        let goes = offer.0[Kind::Go as usize];
        let weight = |task: TaskIndex| if goes & 1 << task != 0 { remaining(task) as u32 + 1 } else { 0 };
        let all: u32 = (0..TASKS_MAX).map(weight).sum();
        let others = offer.count() - goes.count_ones();
        let draw = self.random.below((all + others).max(1));
        if draw >= all {
            return self.occasion(offer);
        }
        let mut left = draw;
        (0..TASKS_MAX)
            .find(|task| {
                let weight = weight(*task);
                let found = left < weight;
                left = left.saturating_sub(weight);
                found
            })
            .map(|task| Choice::new(Kind::Go, task))
    }

    fn pct(&mut self, offer: &Choices) -> Option<Choice> {
        let place = self.schedule.0.len() as u32;
        if let Some(due) = self.occasions.iter().position(|occasion| *occasion <= place)
            && let Some(choice) = self.occasion(offer)
        {
            self.occasions.swap_remove(due);
            return Some(choice);
        }
        let goes = offer.0[Kind::Go as usize];
        let first = |priorities: &[u32; TASKS_MAX]| {
            (0..TASKS_MAX).filter(|task| goes & 1 << task != 0).max_by_key(|task| priorities[*task])
        };
        let mut task = first(&self.priorities)?;
        if self.changes.contains(&place) {
            self.lowest -= 1;
            self.priorities[task] = self.lowest;
            task = first(&self.priorities)?;
        }
        Some(Choice::new(Kind::Go, task))
    }
}

impl Chooser for Sampled {
    fn choose(&mut self, offer: &Choices, _footprint: u32, remaining: &dyn Fn(TaskIndex) -> usize) -> Option<Choice> {
        let choice = match self.sampler {
            Sampler::Random => self.random(offer),
            Sampler::Uniform => self.uniform(offer, remaining),
            Sampler::Pct => self.pct(offer),
        };
        let choice = choice.or_else(|| offer.first())?;
        self.schedule.0.push(choice);
        Some(choice)
    }

    fn rewind(&mut self) {
        self.random = self.first;
        self.begin();
    }
}
