//! A schedule: the choices of one run, in order.

use serde::{Deserialize, Serialize};

use crate::quiescence::TaskIndex;

/// The kinds of choices.
pub const KINDS: usize = 6;

/// A kind of choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The task goes on: it takes its next turn, or is polled because it was woken.
    Go,
    /// What the task waits for is dropped.
    Cancel,
    /// The task is aborted.
    Abort,
    /// The task is polled though it was not woken.
    Resume,
    /// The task is polled with another waker.
    ResumeAnew,
    /// Nobody can go on, and nothing else happens.
    Stop,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; KINDS] = [Kind::Go, Kind::Cancel, Kind::Abort, Kind::Resume, Kind::ResumeAnew, Kind::Stop];
}

/// One choice: a kind and a task, in one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Choice(u8);

impl Choice {
    /// Returns the choice of `kind` for `task`, at most 31.
    pub fn new(kind: Kind, task: TaskIndex) -> Self {
        Self((kind as u8) << 5 | (task as u8 & 31))
    }

    /// Returns its kind.
    pub fn kind(self) -> Kind {
        Kind::ALL[usize::from(self.0 >> 5) % KINDS]
    }

    /// Returns its task.
    pub fn task(self) -> TaskIndex {
        usize::from(self.0 & 31)
    }
}

/// For each set of the first eight tasks how many it has, and which has which place.
static SMALL: [(u8, [u8; 8]); 256] = {
    let mut sets = [(0, [0; 8]); 256];
    let mut set = 0;
    while set < sets.len() {
        let mut task = 0;
        while task < 8 {
            if set >> task & 1 != 0 {
                sets[set].1[sets[set].0 as usize] = task as u8;
                sets[set].0 += 1;
            }
            task += 1;
        }
        set += 1;
    }
    sets
};

/// Returns how many tasks a set has.
pub(crate) fn count(tasks: u32) -> u32 {
    SMALL.get(tasks as usize).map_or_else(|| tasks.count_ones(), |(count, _)| u32::from(*count))
}

/// Returns the task with this place in a set of more.
pub(crate) fn nth(tasks: u32, place: u32) -> TaskIndex {
    // Which is drawn nobody can foresee, a processor neither: no loop, where that can be.
    if let Some((_, places)) = SMALL.get(tasks as usize) {
        return usize::from(places[place as usize % 8]);
    }
    let left = (0..place).fold(tasks, |left, _| left & left.wrapping_sub(1));
    left.trailing_zeros() as usize
}

/// The choices of one run, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Schedule(pub Vec<Choice>);

/// A set of choices: for each kind, the tasks, that with index 0 in the lowest bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Choices(pub [u32; KINDS]);

impl Choices {
    /// Returns whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.iter().fold(0, |all, tasks| all | tasks) == 0
    }

    /// Returns how many there are.
    pub fn count(&self) -> u32 {
        self.0.iter().map(|tasks| tasks.count_ones()).sum()
    }

    /// Returns whether `choice` is one of them.
    pub fn has(&self, choice: Choice) -> bool {
        self.0[choice.kind() as usize] & 1 << choice.task() != 0
    }

    /// Adds `choice`.
    pub fn add(&mut self, choice: Choice) {
        self.0[choice.kind() as usize] |= 1 << choice.task();
    }

    /// Takes `choice` out.
    pub fn remove(&mut self, choice: Choice) {
        self.0[choice.kind() as usize] &= !(1 << choice.task());
    }

    /// Returns the first, in the order of kinds and tasks.
    pub fn first(&self) -> Option<Choice> {
        let kind = Kind::ALL.into_iter().find(|kind| self.0[*kind as usize] != 0)?;
        Some(Choice::new(kind, self.0[kind as usize].trailing_zeros() as usize))
    }

    /// Returns the one with this place in the order of kinds and tasks.
    pub fn nth(&self, place: u32) -> Option<Choice> {
        let mut place = place;
        for kind in Kind::ALL {
            let tasks = self.0[kind as usize];
            let count = tasks.count_ones();
            if place >= count {
                place -= count;
                continue;
            }
            return Some(Choice::new(kind, nth(tasks, place)));
        }
        None
    }

    /// Returns them in the order of kinds and tasks.
    pub fn iter(&self) -> impl Iterator<Item = Choice> {
        let sets = self.0;
        Kind::ALL.into_iter().flat_map(move |kind| {
            let tasks = sets[kind as usize];
            (0..u32::BITS as usize).filter(move |task| tasks & 1 << task != 0).map(move |task| Choice::new(kind, task))
        })
    }
}
