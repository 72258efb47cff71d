//! Looks for violations of one lock library, or for what tells two apart, with programs that it makes up.
//!
//! A finding is a script: the program and the schedule in one, as small as single changes make it. What comes of
//! program N depends on the seed and on N alone, so that any number of threads or machines finds the same.

pub mod classes;
pub mod export;
pub mod generate;
mod shortest;
pub mod shrink;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::confirm::drive_once;
use super::plan::Plan;
use super::print::script;
use super::random::Random;
use super::strategy::{Sampled, Sampler};
use super::{Bounds, Budget, Explorable, ExploreError, Found, Options, Search, Strategy, is_fault};
use crate::outcome::{Outcome, is_message};
use crate::scenario::{Scenario, Span, Within};
use crate::verdict::Verdict;
use classes::difference;
use generate::Palette;
use shrink::shrink;

/// How many schedules of each program are run in search of a violation.
pub const SCHEDULES: u64 = 8_192;

/// How many schedules of each program are compared, half of them of either library.
pub const COMPARISONS: u64 = 32;

/// The most kinds of differences that are shrunk for one program.
pub const KINDS_MAX: usize = 4;

/// How often a difference must come again to be one.
const AGAIN: usize = 3;

/// What may happen at any time in a schedule, at most.
pub const BOUNDS: Bounds = Bounds { cancels: 2, aborts: 1, resumes: 2, resumes_anew: 1, total: 3 };

/// How long a script may take that is compared, so that a lock which reads a clock stands on one side of its threshold.
const WINDOW_MICROS: u32 = 400;

/// What is fuzzed: one lock library, or two.
#[derive(Clone, Debug)]
pub struct Fuzz {
    libraries: Vec<Explorable>,
    palette: Palette,
    seed: u64,
}

/// What kind of finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The lock does what no lock may do.
    Violation {
        /// What it comes to.
        verdict: Verdict,
        /// Whether one call of the lock woke several times.
        herd: bool,
    },
    /// Two locks do different things.
    Difference {
        /// Where they part, without the names of tasks and objects: the step, and what each of the two did.
        step: String,
        /// What the first did and the second did not.
        left: String,
        /// What the second did and the first did not.
        right: String,
    },
    /// The explorer and the oracle judge one schedule differently: a fault of the harness.
    Disagreement,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Kind::Violation { verdict, herd: true } if !is_fault(*verdict) => write!(f, "herd"),
            Kind::Violation { verdict, herd: true } => write!(f, "{verdict}, and a herd"),
            Kind::Violation { verdict, .. } => write!(f, "{verdict}"),
            Kind::Difference { step, left, right } => write!(f, "{step}: {left} | {right}"),
            Kind::Disagreement => write!(f, "the explorer and the oracle disagree"),
        }
    }
}

/// Something found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What kind.
    pub kind: Kind,
    /// The number of the program in which it was found.
    pub program: u64,
    /// The smallest script that shows it.
    pub script: Scenario,
    /// What each library does in it.
    pub outcomes: Vec<Vec<String>>,
}

impl Finding {
    /// Returns whether it speaks against the lock.
    pub fn is_violation(&self) -> bool {
        matches!(self.kind, Kind::Violation { .. })
    }
}

/// What came of one program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Harvest {
    /// What was found.
    pub findings: Vec<Finding>,
    /// How many schedules were run.
    pub schedules: u64,
    /// How many runs did not come again as they were: only a lock that reads a clock does that.
    pub unstable: u64,
}

impl Fuzz {
    /// Returns the search on one library, or on two.
    pub fn new(libraries: Vec<Explorable>, seed: u64) -> Self {
        Self { palette: Palette::common(&libraries), libraries, seed }
    }

    /// Returns whether the libraries have something in common that a task can acquire.
    pub fn has_subject(&self) -> bool {
        !self.palette.is_empty()
    }

    /// Returns program `number`.
    pub fn program(&self, number: u64) -> Scenario {
        generate::program(&self.palette, self.seed, number)
    }

    /// Searches with program `number`.
    ///
    /// # Errors
    ///
    /// [`ExploreError`], if the program cannot be run.
    pub fn search(&self, number: u64) -> Result<Harvest, ExploreError> {
        let scenario = self.program(number);
        match &self.libraries[..] {
            [one] => self.violations(one, &scenario, number),
            [one, other, ..] => self.differences([one, other], &scenario, number),
            [] => Ok(Harvest::default()),
        }
    }

    fn options(&self, number: u64) -> Options {
        Options {
            strategy: Strategy::Portfolio,
            budget: Budget::Schedules(SCHEDULES),
            seed: self.seed ^ number,
            bounds: BOUNDS,
            stop_at_fault: true,
            ..Options::default()
        }
    }

    fn violations(&self, locks: &Explorable, scenario: &Scenario, number: u64) -> Result<Harvest, ExploreError> {
        let options = self.options(number);
        let mut harvest = Harvest::default();
        let found = match hunt(locks, scenario, &options) {
            Ok((found, schedules)) => {
                harvest.schedules = schedules;
                found
            }
            Err(ExploreError::Disagreement { scenario, outcome, .. }) => {
                let disagrees = |smaller: &Scenario| {
                    smaller.is_explored()
                        && matches!(hunt(locks, smaller, &options), Err(ExploreError::Disagreement { .. }))
                };
                let program = shrink(&self.program(number), &mut { disagrees });
                let script = match hunt(locks, &program, &options) {
                    Err(ExploreError::Disagreement { scenario, .. }) => *scenario,
                    _ => *scenario,
                };
                let outcomes = vec![outcome.lines().map(str::to_owned).collect()];
                let script = Scenario { closing: text(&program), ..script };
                harvest.findings.push(Finding { kind: Kind::Disagreement, program: number, script, outcomes });
                return Ok(harvest);
            }
            Err(ExploreError::Diverges { .. }) => {
                harvest.unstable += 1;
                return Ok(harvest);
            }
            Err(error) => return Err(error),
        };
        let Some(first) = found else { return Ok(harvest) };
        let same = |found: &Found| found.verdict == first.verdict && found.herd == first.herd;
        // The program first, and then the schedule.
        let mut shows =
            |smaller: &Scenario| matches!(hunt(locks, smaller, &options), Ok((Some(found), _)) if same(&found));
        let program = shrink(scenario, &mut shows);
        let plan = Arc::new(plan(&program)?);
        let found = match hunt(locks, &program, &options)?.0 {
            Some(found) if same(&found) => found,
            _ => first.clone(),
        };
        let shortest = shortest::shortest(locks, &plan, &BOUNDS, &found, same)?;
        let mut script = Scenario { name: scenario.name.clone(), show_wakes: first.herd, ..shortest.script };
        if !first.herd {
            let mut still = |smaller: &Scenario| judged(locks, smaller).is_ok_and(|it| it.verdict == first.verdict);
            script = shrink(&script, &mut still);
        }
        let outcomes = vec![judged(locks, &script)?.lines];
        let kind = Kind::Violation { verdict: first.verdict, herd: first.herd };
        script.description = vec![format!("{kind}, found in program {number} of seed {}.", self.seed)];
        harvest.findings.push(Finding { kind, program: number, script, outcomes });
        Ok(harvest)
    }

    fn differences(
        &self,
        libraries: [&Explorable; 2],
        scenario: &Scenario,
        number: u64,
    ) -> Result<Harvest, ExploreError> {
        let plan = Arc::new(plan(scenario)?);
        let mut harvest = Harvest::default();
        let mut known: BTreeSet<Kind> = BTreeSet::new();
        let mut seen: BTreeSet<String> = BTreeSet::new();
        for (place, leader) in libraries.into_iter().enumerate() {
            let mut machine = leader.machine(&plan)?;
            for turn in 0..COMPARISONS / 2 {
                let samplers = [Sampler::Random, Sampler::Pct, Sampler::Uniform];
                let sampler = samplers[turn as usize % samplers.len()];
                let stream = number.wrapping_mul(COMPARISONS) + turn * 2 + place as u64;
                let mut sampled = Sampled::new(sampler, Random::new(self.seed ^ 0x5eed, stream), &plan);
                sampled.begin();
                drop(machine.record(true));
                machine.run(&BOUNDS, &mut sampled);
                let mut trace = machine.record(false);
                trace.pop();
                harvest.schedules += 1;
                let script = Scenario { name: scenario.name.clone(), ..script(&plan, &trace) };
                if !seen.insert(script.to_string()) {
                    continue;
                }
                let Some(kind) = apart(libraries, &script)? else { continue };
                if known.len() >= KINDS_MAX || !known.insert(kind.clone()) {
                    continue;
                }
                if (1..AGAIN).any(|_| !matches!(apart(libraries, &script), Ok(Some(again)) if again == kind)) {
                    harvest.unstable += 1;
                    continue;
                }
                let mut same = |smaller: &Scenario| matches!(apart(libraries, smaller), Ok(Some(it)) if it == kind);
                let mut script = shrink(&script, &mut same);
                let outcomes = libraries.map(|locks| outcome(locks, &script));
                let outcomes = outcomes.into_iter().collect::<Result<Vec<_>, _>>()?;
                script.description = vec![format!("{kind}")];
                harvest.findings.push(Finding { kind, program: number, script, outcomes });
            }
        }
        Ok(harvest)
    }
}

/// Returns whether the script of a finding gives the same outcome again, on every library.
///
/// # Errors
///
/// [`ExploreError`], if it does not run.
pub fn replays(libraries: &[Explorable], finding: &Finding) -> Result<bool, ExploreError> {
    for (locks, expected) in libraries.iter().zip(&finding.outcomes) {
        let lines = match finding.kind {
            Kind::Difference { .. } => outcome(locks, &finding.script)?,
            _ => judged(locks, &finding.script)?.lines,
        };
        if lines != *expected {
            return Ok(false);
        }
    }
    Ok(true)
}

fn plan(scenario: &Scenario) -> Result<Plan, ExploreError> {
    let why = |error: super::plan::PlanError| ExploreError::Script {
        scenario: scenario.name.to_string(),
        why: error.to_string(),
    };
    Plan::new(Arc::new(scenario.clone())).map_err(why)
}

fn text(scenario: &Scenario) -> Vec<String> {
    scenario.lines.iter().map(|line| format!(" {line}")).collect()
}

/// Searches an explored scenario for a fault, and tells how many schedules that took.
fn hunt(locks: &Explorable, scenario: &Scenario, options: &Options) -> Result<(Option<Found>, u64), ExploreError> {
    let plan = Arc::new(plan(scenario)?);
    let mut search = Search::new(&plan, options);
    while search.advance(locks, &plan, options)? {}
    let report = search.report(&plan);
    let first = report.faults().min_by_key(|found| (found.verdict, found.script.steps().count(), found.at)).cloned();
    Ok((first, report.schedules))
}

/// Returns what comes of a script on the live driver.
fn judged(locks: &Explorable, script: &Scenario) -> Result<Outcome, ExploreError> {
    Ok(drive_once(locks, script)?.1)
}

/// Returns what a library does in a script that stays within the window, without the words of messages.
fn outcome(locks: &Explorable, script: &Scenario) -> Result<Vec<String>, ExploreError> {
    let limit = Span::from_micros(WINDOW_MICROS).expect("it is within bounds");
    let within = Within { limit, reason: "a lock may read a clock".to_owned() };
    let lines = judged(locks, &Scenario { within: Some(within), ..script.clone() })?.lines;
    Ok(lines.into_iter().filter(|line| !is_message(line)).collect())
}

/// Returns where two libraries part in a script, if they do.
fn apart(libraries: [&Explorable; 2], script: &Scenario) -> Result<Option<Kind>, ExploreError> {
    let [left, right] = libraries.map(|locks| outcome(locks, script));
    Ok(difference(script, &left?, &right?))
}
