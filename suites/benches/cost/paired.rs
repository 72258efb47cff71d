//! Ratios that survive a noisy machine: two things measured in turns, compared pair by pair.

use std::time::{Duration, Instant};

/// The middle of some figures and the half of them around it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Quartiles {
    pub(crate) first: f64,
    pub(crate) median: f64,
    pub(crate) third: f64,
}

impl Quartiles {
    /// Returns the quartiles of at least one figure.
    pub(crate) fn of(mut figures: Vec<f64>) -> Self {
        figures.sort_by(f64::total_cmp);
        let at = |share: f64| figures[((figures.len() - 1) as f64 * share).round() as usize];
        Self { first: at(0.25), median: at(0.5), third: at(0.75) }
    }

    /// Returns how far the middle half spreads, as a share of the median.
    pub(crate) fn spread(&self) -> f64 {
        (self.third - self.first) / self.median
    }
}

/// What came of comparing two things.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Paired {
    /// What one run of the first costs, in nanoseconds.
    pub(crate) one: Quartiles,
    /// What one run of the other costs, in nanoseconds.
    pub(crate) other: Quartiles,
    /// The first over the other, pair by pair.
    pub(crate) ratio: Quartiles,
}

/// Measures `one` and `other` in `pairs` alternating batches, after one of each to warm up. Each call returns how long its
/// batch took and how many runs that was.
pub(crate) fn compare(
    pairs: usize,
    mut one: impl FnMut() -> (Duration, usize),
    mut other: impl FnMut() -> (Duration, usize),
) -> Paired {
    let per_run = |(duration, runs): (Duration, usize)| duration.as_nanos() as f64 / runs as f64;
    one();
    other();
    let mut figures: (Vec<f64>, Vec<f64>) = Default::default();
    for pair in 0..pairs {
        // The one that goes first changes, so that a drift favours neither.
        let (first, second) = match pair % 2 {
            0 => (per_run(one()), per_run(other())),
            _ => {
                let second = per_run(other());
                (per_run(one()), second)
            }
        };
        figures.0.push(first);
        figures.1.push(second);
    }
    let ratios = figures.0.iter().zip(&figures.1).map(|(one, other)| one / other).collect();
    Paired { one: Quartiles::of(figures.0), other: Quartiles::of(figures.1), ratio: Quartiles::of(ratios) }
}

/// Runs `work` and returns how long it took.
pub(crate) fn time(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}
