//! A part of a search that one machine does, `I/N`, and what joins the results of all parts to that of the whole.
//!
//! A search by samples is split by its blocks, an exhaustive one by the parts of its tree. Either has one order of all
//! schedules, of which every part runs some; so the first schedule of each outcome is known once all parts are there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::report::{End, Found, Report, known};
use super::search::{OUTCOMES_MAX, UNIT};
use super::{Budget, Strategy};

/// Part `index` of `count`, the parts counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shard {
    /// Which part.
    pub index: u64,
    /// Of how many.
    pub count: u64,
}

impl Default for Shard {
    fn default() -> Self {
        Self::WHOLE
    }
}

impl Shard {
    /// The whole.
    pub const WHOLE: Shard = Shard { index: 1, count: 1 };

    /// Returns whether what has this number, counted from 0, belongs to the part.
    pub fn has(self, number: u64) -> bool {
        number % self.count == self.index - 1
    }

    /// Returns the first number from `number` on that belongs to the part.
    pub(super) fn first_from(self, number: u64) -> u64 {
        let ahead = (self.index - 1 + self.count - number % self.count) % self.count;
        number.saturating_add(ahead)
    }

    /// Returns the part's share of a number of schedules that nobody can number beforehand.
    pub(super) fn share(self, count: u64) -> u64 {
        count / self.count + u64::from(self.index <= count % self.count)
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shard = text
            .split_once('/')
            .and_then(|(index, count)| Some(Shard { index: index.parse().ok()?, count: count.parse().ok()? }));
        shard.filter(|it| (1..=it.count).contains(&it.index)).ok_or_else(|| {
            format!("`{text}` is no shard; write I/N with I from 1 to N, such as 1/4 for the first of four")
        })
    }
}

/// What came of a search or of a shard of one, as it is saved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Piece {
    /// The name of the scenario, and its text in the lines below.
    pub scenario: String,
    /// What was found.
    pub report: Report,
    /// What only a shard of an exhaustive search needs to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<Tree>,
    /// What only a shard needs to say of the outcomes that it does not tell apart: how often each came, by its key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub strays: BTreeMap<u64, u64>,
}

/// The most outcomes that a shard counts apart beyond those that it tells apart.
pub const STRAYS_MAX: usize = 65_536;

/// How a tree was split, and where in its parts outcomes came first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tree {
    /// Into how many parts the tree was split, and a hash of where: every shard splits it alike.
    pub split: (u64, u64),
    /// Whether schedules were left out that differ only in the order of steps on different objects.
    pub reduces: bool,
    /// About how many schedules the whole tree has.
    pub estimate: Option<f64>,
    /// How many schedules each part of the shard gave, by the numbers of the parts.
    pub schedules: BTreeMap<u64, u64>,
    /// Where each outcome came first, by its key.
    pub firsts: BTreeMap<u64, First>,
    /// How many schedules were broken off while the tree was split: each shard splits it, and it counts once.
    pub pruned_by_split: u64,
}

/// Where an outcome came first: every part has a turn in each lap, in the order of their numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct First {
    /// The lap.
    pub lap: u64,
    /// The number of the part.
    pub part: u64,
    /// So many schedules into the turn.
    pub at: u64,
}

/// Shards that do not fit together, though they are of one search.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// The lock offered other choices on another machine.
    #[error(
        "shard {shard} has split the tree of {scenario} otherwise than shard 1: the lock does other things in the same \
         schedule there; repeat it on a machine with less to do"
    )]
    OtherSplit {
        /// The shard.
        shard: Shard,
        /// The scenario.
        scenario: String,
    },
    /// A part of the tree belongs to another shard.
    #[error("shard {shard} holds part {part} of the tree of {scenario}, which belongs to another; repeat its command")]
    Foreign {
        /// The shard.
        shard: Shard,
        /// The scenario.
        scenario: String,
        /// The number of the part.
        part: u64,
    },
    /// A shard says nothing of the tree.
    #[error("shard {shard} does not say where in the tree of {scenario} it was; repeat its command")]
    NoTree {
        /// The shard.
        shard: Shard,
        /// The scenario.
        scenario: String,
    },
}

/// Joins the pieces of all shards of one search, in the order of the shards. What comes of it is the piece of the
/// whole.
///
/// Where a budget cuts off an exhaustive search depends on how it was split: each shard has its share. And a shard
/// counts [`STRAYS_MAX`] further outcomes apart, beyond the [`OUTCOMES_MAX`] that it tells apart.
///
/// # Errors
///
/// [`JoinError`], if a piece is not what its shard would have made.
pub fn join(pieces: &[Piece], strategy: Strategy, budget: Budget) -> Result<Piece, JoinError> {
    let Some(first) = pieces.first() else { unreachable!("a search has one shard at least") };
    let count = pieces.len() as u64;
    let shards = (1..).map(|index| Shard { index, count });
    if count == 1 {
        return Ok(first.clone());
    }
    let mut report = Report { outcomes: Vec::new(), end: End::Exhausted, ..first.report.clone() };
    (report.schedules, report.pruned) = (0, 0);
    (report.wakes, report.grants, report.polls) = (0, 0, 0);
    let forest = match strategy {
        Strategy::Exhaustive => Some(Forest::grow(pieces, &first.report)?),
        _ => None,
    };
    // The place of each outcome in the order of the whole, which is how many schedules there were before.
    let mut founds: BTreeMap<u64, Found> = BTreeMap::new();
    for (shard, piece) in shards.zip(pieces) {
        let part = &piece.report;
        report.schedules += part.schedules;
        report.pruned += part.pruned;
        report.wakes += part.wakes;
        report.grants += part.grants;
        report.polls += part.polls;
        report.coverage.merge(&part.coverage);
        report.end = match (report.end, part.end) {
            (End::Fault, _) | (_, End::Fault) => End::Fault,
            (End::Cut, _) | (_, End::Cut) => End::Cut,
            (End::Exhausted, End::Exhausted) => End::Exhausted,
        };
        for found in &part.outcomes {
            let at = match &forest {
                Some(forest) => forest.place(piece, found),
                None => (found.at / UNIT * shard.count + shard.index - 1) * UNIT + found.at % UNIT,
            };
            let found = Found { at, ..found.clone() };
            let known = founds.remove(&found.key);
            let count = found.count + known.as_ref().map_or(0, |known| known.count);
            let first = match known {
                Some(known) if known.at <= found.at => known,
                _ => found,
            };
            founds.insert(first.key, Found { count, ..first });
        }
    }
    if let Some(forest) = forest {
        report.pruned -= forest.pruned_by_split * (count - 1);
        // A small tree in which nothing commutes is not estimated: it was run as one.
        let budget = match budget {
            Budget::Schedules(count) => count,
            Budget::Time(_) => u64::MAX,
        };
        let is_small = report.end == End::Exhausted && report.schedules <= UNIT.min(budget);
        report.estimate = match forest.reduces || !is_small {
            true => forest.estimate,
            false => known(report.schedules, &report.alike),
        };
    }
    report.outcomes = founds.into_values().collect();
    report.outcomes.sort_by_key(|found| found.at);
    // What is among the first outcomes of all is among the first of the shard that met it first.
    report.outcomes.truncate(OUTCOMES_MAX);
    for found in &mut report.outcomes {
        found.count += pieces.iter().filter_map(|piece| piece.strays.get(&found.key)).sum::<u64>();
    }
    report.others = report.schedules - report.outcomes.iter().map(|found| found.count).sum::<u64>();
    report.sort();
    Ok(Piece { scenario: first.scenario.clone(), report, tree: None, strays: BTreeMap::new() })
}

/// The parts of a tree, of all shards together.
struct Forest {
    schedules: BTreeMap<u64, u64>,
    estimate: Option<f64>,
    reduces: bool,
    pruned_by_split: u64,
}

impl Forest {
    fn grow(pieces: &[Piece], named: &Report) -> Result<Self, JoinError> {
        let count = pieces.len() as u64;
        let scenario = || named.scenario.to_string();
        let mut schedules = BTreeMap::new();
        let mut known: Option<&Tree> = None;
        for (shard, piece) in (1..).map(|index| Shard { index, count }).zip(pieces) {
            let tree = piece.tree.as_ref().ok_or_else(|| JoinError::NoTree { shard, scenario: scenario() })?;
            if known.is_some_and(|known| known.split != tree.split) {
                return Err(JoinError::OtherSplit { shard, scenario: scenario() });
            }
            let numbers = tree.schedules.keys().chain(tree.firsts.values().map(|first| &first.part));
            if let Some(part) = numbers.copied().find(|part| !shard.has(*part) || *part >= tree.split.0) {
                return Err(JoinError::Foreign { shard, scenario: scenario(), part });
            }
            if let Some(found) = piece.report.outcomes.iter().find(|found| !tree.firsts.contains_key(&found.key)) {
                debug_assert!(found.count > 0, "an outcome is there because it came");
                return Err(JoinError::NoTree { shard, scenario: scenario() });
            }
            schedules.extend(tree.schedules.iter());
            known.get_or_insert(tree);
        }
        let tree = known.expect("there is a piece");
        Ok(Self { schedules, estimate: tree.estimate, reduces: tree.reduces, pruned_by_split: tree.pruned_by_split })
    }

    /// Returns how many schedules of the whole come before the first of an outcome of a piece.
    fn place(&self, piece: &Piece, found: &Found) -> u64 {
        let tree = piece.tree.as_ref().expect("every piece has a tree");
        let first = tree.firsts.get(&found.key).expect("every outcome has a first schedule");
        let until = |laps: u64, part: &u64| self.schedules[part].min(laps.saturating_mul(UNIT));
        let laps_before: u64 = self.schedules.keys().map(|part| until(first.lap, part)).sum();
        let in_lap = self.schedules.keys().take_while(|part| **part < first.part);
        let lap_before: u64 = in_lap.map(|part| until(first.lap + 1, part) - until(first.lap, part)).sum();
        laps_before + lap_before + first.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_belongs_to_one_shard_and_every_share_is_given_once() {
        for count in 1..7 {
            let shards: Vec<Shard> = (1..=count).map(|index| Shard { index, count }).collect();
            for number in 0..40 {
                assert_eq!(shards.iter().filter(|shard| shard.has(number)).count(), 1);
                assert_eq!(shards.iter().map(|shard| shard.share(number)).sum::<u64>(), number);
                for shard in &shards {
                    let first = (number..).find(|number| shard.has(*number));
                    assert_eq!(Some(shard.first_from(number)), first, "{shard} from {number}");
                }
            }
        }
    }

    #[test]
    fn shards_are_read_and_written() {
        assert_eq!("2/3".parse(), Ok(Shard { index: 2, count: 3 }));
        assert_eq!(Shard { index: 2, count: 3 }.to_string(), "2/3");
        for wrong in ["", "1", "0/3", "4/3", "1/0", "a/b", "1/2/3", "-1/2"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
