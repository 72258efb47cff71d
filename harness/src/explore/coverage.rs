//! How much of the space was seen: estimates from three small bitmaps, the same whoever explored which part.

use serde::{Deserialize, Serialize};

use super::books::mix;

const WORDS: usize = 1_024;

/// A set of hashes that came of [`mix`], of which only the size is asked. Empty, it has no words.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
struct Marks {
    words: Vec<u64>,
    /// The bits that this run set first.
    #[serde(skip)]
    new: Vec<usize>,
}

impl PartialEq for Marks {
    fn eq(&self, other: &Self) -> bool {
        self.words == other.words
    }
}

impl Eq for Marks {}

impl Marks {
    fn mark(&mut self, hash: u64) {
        if self.words.is_empty() {
            self.words.resize(WORDS, 0);
        }
        let place = (hash >> 20) as usize;
        let (word, bit) = (&mut self.words[place / 64 % WORDS], 1 << (place % 64));
        if *word & bit == 0 {
            *word |= bit;
            self.new.push(place);
        }
    }

    fn take_back(&mut self) {
        for place in self.new.drain(..) {
            self.words[place / 64 % WORDS] &= !(1 << (place % 64));
        }
    }

    fn merge(&mut self, other: &Marks) {
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word |= other;
        }
    }

    /// Returns how many different hashes were marked: linear counting, exact within a few in a hundred up to about a
    /// hundred thousand.
    fn count(&self) -> u64 {
        let bits = (WORDS * 64) as f64;
        let ones: u32 = self.words.iter().map(|word| word.count_ones()).sum();
        let zeros = WORDS as u32 * 64 - ones;
        (-bits * (f64::from(zeros.max(1)) / bits).ln()).round() as u64
    }
}

/// What was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    orders: Marks,
    states: Marks,
    cancels: Marks,
}

impl Coverage {
    /// Begins a run.
    pub(crate) fn begin(&mut self) {
        self.marks().into_iter().for_each(|marks| marks.new.clear());
    }

    /// Forgets what this run saw first.
    pub(crate) fn take_back(&mut self) {
        self.marks().into_iter().for_each(Marks::take_back);
    }

    fn marks(&mut self) -> [&mut Marks; 3] {
        [&mut self.orders, &mut self.states, &mut self.cancels]
    }

    pub(crate) fn order(&mut self, order: u64) {
        self.orders.mark(order);
    }

    pub(crate) fn state(&mut self, state: u64) {
        self.states.mark(state);
    }

    pub(crate) fn cancel(&mut self, op: usize, after: usize, woken: bool) {
        self.cancels.mark(mix(op as u64, (after as u64) << 1 | u64::from(woken)));
    }

    pub(crate) fn merge(&mut self, other: &Coverage) {
        self.orders.merge(&other.orders);
        self.states.merge(&other.states);
        self.cancels.merge(&other.cancels);
    }

    /// Returns in how many orders objects were granted.
    pub fn orders(&self) -> u64 {
        self.orders.count()
    }

    /// Returns in how many states the queues were: who holds, who waits, who was woken.
    pub fn states(&self) -> u64 {
        self.states.count()
    }

    /// Returns how many pairs of a cancelled operation and the action before it there were, before and after the wake.
    pub fn cancels(&self) -> u64 {
        self.cancels.count()
    }
}
