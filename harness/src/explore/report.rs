//! What an exploration found: the set of different outcomes, how often each came, and how far it went.

use serde::{Deserialize, Serialize};

use super::coverage::Coverage;
use super::schedule::Schedule;
use super::{Strategy, is_fault};
use crate::scenario::Scenario;
use crate::scenario::name::{ScenarioName, TaskName};
use crate::verdict::Verdict;

/// How an exploration ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// Every schedule was run, or is equal to one that was.
    Exhausted,
    /// The budget was spent first.
    Cut,
    /// A schedule spoke against the lock.
    Fault,
}

/// One of the different outcomes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// By what it is told apart.
    pub key: u64,
    /// The oracle's verdict.
    pub verdict: Verdict,
    /// Whether one call of the lock woke several times.
    pub herd: bool,
    /// How many schedules gave it.
    pub count: u64,
    /// The first of them was so many schedules in.
    pub at: u64,
    /// The first schedule that gave it.
    pub schedule: Schedule,
    /// What came of each action, who came before whom, and the verdict.
    pub lines: Vec<String>,
    /// That schedule as a script, which replays to the same outcome.
    pub script: Scenario,
    /// What the live driver's transcript of the script says.
    pub transcript: Vec<String>,
}

impl Found {
    /// Returns whether it speaks against the lock. A herd does: it is cheap to wake only who can go on.
    pub fn is_fault(&self) -> bool {
        is_fault(self.verdict) || self.herd
    }
}

/// What an exploration found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What was explored.
    pub scenario: ScenarioName,
    /// Sets of tasks that do the same, where schedules were left out that differ only in which of them did what: those
    /// of a set begin in the order of their names.
    #[serde(default)]
    pub alike: Vec<Vec<TaskName>>,
    /// How.
    pub strategy: Strategy,
    /// How it ended.
    pub end: End,
    /// How many schedules were run to their end.
    pub schedules: u64,
    /// How many were broken off because an equal one was run.
    pub pruned: u64,
    /// About how many schedules there are, where that was estimated.
    pub estimate: Option<f64>,
    /// The different outcomes, worst first, the more frequent first.
    pub outcomes: Vec<Found>,
    /// How many schedules had an outcome beyond the most that are told apart.
    pub others: u64,
    /// What was seen.
    pub coverage: Coverage,
    /// Wakes, grants and polls of operations, of all schedules together.
    pub wakes: u64,
    /// See `wakes`.
    pub grants: u64,
    /// See `wakes`.
    pub polls: u64,
}

impl Report {
    /// Brings the outcomes into their order.
    pub(super) fn sort(&mut self) {
        self.outcomes.sort_by(|one, other| {
            (one.verdict, !one.herd, std::cmp::Reverse(one.count), &one.lines).cmp(&(
                other.verdict,
                !other.herd,
                std::cmp::Reverse(other.count),
                &other.lines,
            ))
        });
    }

    /// Returns the outcomes that speak against the lock.
    pub fn faults(&self) -> impl Iterator<Item = &Found> {
        self.outcomes.iter().filter(|found| found.is_fault())
    }

    /// Returns by how much the reduction shortened the search, where that is known.
    pub fn saving(&self) -> Option<f64> {
        self.estimate
            .filter(|_| self.end == End::Exhausted && self.schedules > 0)
            .map(|all| all / self.schedules as f64)
    }

    /// Returns for each set of tasks that were taken for alike who is in it, and what that means.
    pub fn alike(&self) -> impl Iterator<Item = String> {
        self.alike.iter().map(|set| {
            let names: Vec<String> = set.iter().map(TaskName::to_string).collect();
            let (last, others) = names.split_last().expect("nobody is alike alone");
            format!("{} and {last}, so they begin in this order", others.join(", "))
        })
    }

    /// Returns the text that a snapshot keeps: the set of outcomes with counts, and the first schedule of each.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let end = match self.end {
            End::Exhausted => "exhausted".to_owned(),
            End::Cut => format!("cut at {}", self.schedules),
            End::Fault => format!("stopped at a fault after {}", self.schedules),
        };
        text.push_str(&format!(
            "{:<21}  {} of {}\n",
            "outcomes",
            self.outcomes.len(),
            count(self.schedules, "schedule")
        ));
        text.push_str(&format!("{:<21}  {end}\n", "end"));
        for set in self.alike() {
            text.push_str(&format!("{:<21}  {set}\n", "alike"));
        }
        for found in &self.outcomes {
            text.push_str(&format!("\n{}\n", count(found.count, "schedule")));
            for line in &found.lines {
                text.push_str(line);
                text.push('\n');
            }
            for (index, line) in found.script.lines.iter().enumerate() {
                let head = if index == 0 { "first" } else { "" };
                text.push_str(format!("{head:<21}  {line}").trim_end());
                text.push('\n');
            }
        }
        text
    }
}

fn count(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Returns how many schedules there are if so many were run: each stands for all that exchange tasks that are alike.
/// Nothing, if none are.
pub(super) fn known(schedules: u64, alike: &[Vec<TaskName>]) -> Option<f64> {
    let exchanges = alike.iter().flat_map(|set| 1..=set.len()).fold(1.0, |product, count| product * count as f64);
    (!alike.is_empty()).then_some(schedules as f64 * exchanges)
}
