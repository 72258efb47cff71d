//! Stress: programs of explored scenarios on real threads, a thread for each task, so that races inside a lock's own
//! poll are met, which the explorer cannot see.
//!
//! The threads meet and begin together, again and again, each time on new objects. What order they come in is the
//! machine's affair, so counts differ from run to run; what is a fault is decided exactly, by accounting: a count of
//! holders inside the critical section, and a count of the threads that can still do anything. No clock decides.

mod player;
pub mod programs;
mod team;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::explore::plan::Plan;
use crate::explore::{Budget, Explorable, is_fault};
use crate::primitive::{Effect, Place, Primitive};
use crate::program::TaskDeed;
use crate::scenario::Action;
use crate::scenario::name::{ScenarioName, TaskName};
use crate::transcript::Hang;
use crate::verdict::Verdict;
use crate::watchdog::{LOOK_MS, SPIN_LIMIT, Watchdog};
use team::{Control, Key, Team};

/// The most different outcomes that are told apart.
const OUTCOMES_MAX: usize = 1_024;

/// On which processors the threads of a program run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Affinity {
    /// Wherever the system puts them.
    #[default]
    None,
    /// Each on another, as far as there are.
    Spread,
    /// All on one, where they race only when one is taken off it.
    Same,
}

impl Affinity {
    /// Every way.
    pub const ALL: [Affinity; 3] = [Affinity::None, Affinity::Spread, Affinity::Same];

    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Affinity::None => "none",
            Affinity::Spread => "spread",
            Affinity::Same => "same",
        }
    }
}

impl std::fmt::Display for Affinity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Affinity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Affinity::ALL.into_iter().find(|affinity| affinity.as_str() == text).ok_or_else(|| {
            format!("there is no affinity `{text}`; there are {}", Affinity::ALL.map(Affinity::as_str).join(", "))
        })
    }
}

/// How to stress.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// When to stop.
    pub budget: Budget,
    /// How many threads, if not one for each task: as many whole teams as that makes.
    pub threads: Option<usize>,
    /// On which processors they run.
    pub affinity: Affinity,
    /// What the random delays and cancels begin with. Two runs with one seed still differ.
    pub seed: u64,
    /// How much processor time may go by without anything done, before it is a spin without end.
    pub spin_limit: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            budget: Budget::Time(Duration::from_secs(10)),
            threads: None,
            affinity: Affinity::default(),
            seed: 0,
            spin_limit: SPIN_LIMIT,
        }
    }
}

/// A program that cannot be stressed.
#[derive(Debug, thiserror::Error)]
pub enum StressError {
    /// The lock library lacks a primitive.
    #[error("{scenario}: the lock library has no {primitive}")]
    NoPrimitive {
        /// The scenario.
        scenario: ScenarioName,
        /// What it lacks.
        primitive: Primitive,
    },
    /// An action is nothing that a thread could do on its own.
    #[error("{scenario}: {task} does `{action}`, which is not stressed: {why}")]
    NotStressed {
        /// The scenario.
        scenario: ScenarioName,
        /// Whose action it is.
        task: TaskName,
        /// The action.
        action: Box<Action>,
        /// Why not.
        why: &'static str,
    },
    /// There are fewer threads than tasks.
    #[error("{scenario} has {tasks} tasks, and {threads} threads are too few; give it {tasks} or more")]
    TooFewThreads {
        /// The scenario.
        scenario: ScenarioName,
        /// How many tasks it has.
        tasks: usize,
        /// How many threads were asked for.
        threads: usize,
    },
    /// The system starts no more threads, or does not put them where they are to be.
    #[error("the system does not start {threads} threads with affinity {affinity}: {source}; ask for fewer")]
    Threads {
        /// How many.
        threads: usize,
        /// Where.
        affinity: Affinity,
        /// Why not.
        source: std::io::Error,
    },
}

/// One of the different outcomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Met {
    /// What it comes to.
    pub verdict: Verdict,
    /// What came of each action.
    pub lines: Vec<String>,
    /// In how many rounds it came.
    pub count: u64,
}

/// What came of a program.
#[derive(Clone, Debug)]
pub struct Report {
    /// The program.
    pub scenario: ScenarioName,
    /// How many threads there were.
    pub threads: usize,
    /// How many rounds came to their end.
    pub rounds: u64,
    /// How long it took.
    pub took: Duration,
    /// The different outcomes, worst first, the more frequent first.
    pub outcomes: Vec<Met>,
    /// How many rounds had an outcome beyond the most that are told apart.
    pub others: u64,
    /// Whether a lock kept its threads for ever; they are left behind.
    pub hang: Option<Hang>,
}

impl Report {
    /// Returns the outcomes that speak against the lock.
    pub fn faults(&self) -> impl Iterator<Item = &Met> {
        self.outcomes.iter().filter(|met| is_fault(met.verdict))
    }
}

/// Stresses a lock library with a program, until the budget is spent, `is_over` says so, or the lock hangs.
///
/// # Errors
///
/// [`StressError`], if it cannot be done.
pub fn stress(
    locks: &Explorable,
    plan: &Arc<Plan>,
    options: &Options,
    is_over: &(dyn Fn() -> bool + Sync),
) -> Result<Report, StressError> {
    check(locks, plan)?;
    let tasks = plan.tasks.len();
    let threads = options.threads.unwrap_or(tasks);
    if threads < tasks {
        let scenario = plan.scenario.name.clone();
        return Err(StressError::TooFewThreads { scenario, tasks, threads });
    }
    let control = Arc::new(Control::new(options.budget));
    let count = threads / tasks.max(1);
    let mut teams: Vec<Arc<Team>> = Vec::new();
    let mut handles = Vec::new();
    for number in 0..count {
        let team = Team::new(Arc::clone(plan), locks.make(), Arc::clone(&control));
        teams.push(Arc::clone(&team));
        for task in 0..tasks {
            let seed = options.seed.wrapping_mul(0x9e37).wrapping_add((number * tasks + task) as u64);
            let started = team::start(&team, task, options.affinity, number * tasks + task, seed);
            handles.push(started.map_err(|source| {
                control.stop.store(true, Ordering::Relaxed);
                teams.iter().for_each(Team::begin);
                StressError::Threads { threads, affinity: options.affinity, source }
            })?);
        }
    }
    let begun = Instant::now();
    teams.iter().for_each(Team::begin);
    let hang = watch(&teams, &control, options, is_over);
    if hang.is_none() {
        for handle in handles {
            // What panics in a lock is caught; a thread that panics is the harness's own fault, and nothing to hide.
            if let Err(payload) = handle.join() {
                std::panic::resume_unwind(payload);
            }
        }
    }
    Ok(report(plan, &teams, threads / tasks.max(1) * tasks, begun.elapsed(), hang))
}

/// Waits until the teams have ended, or until nothing can happen any more in one that has not.
fn watch(teams: &[Arc<Team>], control: &Control, options: &Options, is_over: &dyn Fn() -> bool) -> Option<Hang> {
    let threads = teams.iter().flat_map(|team| team.threads()).collect();
    let mut dog = Watchdog::of_threads(threads, options.spin_limit);
    let mut before = 0;
    loop {
        if teams.iter().all(|team| team.has_ended()) {
            return None;
        }
        // It has no part in any outcome: it decides how soon the end is seen.
        std::thread::sleep(Duration::from_millis(u64::from(LOOK_MS)));
        if is_over() {
            control.stop.store(true, Ordering::Relaxed);
        }
        let now = teams.iter().map(|team| team.progress()).sum();
        if now != before {
            before = now;
            dog.heard();
        } else if let Some(hang) = dog.look()
            && teams.iter().map(|team| team.progress()).sum::<u64>() == before
            && teams.iter().any(|team| team.is_in_a_call())
        {
            return Some(hang);
        }
    }
}

fn report(plan: &Plan, teams: &[Arc<Team>], threads: usize, took: Duration, hang: Option<Hang>) -> Report {
    let mut counts: HashMap<Key, u64> = HashMap::new();
    let (mut rounds, mut others) = (0, 0);
    for team in teams {
        let (table, team_rounds, team_others) = team.table();
        rounds += team_rounds;
        others += team_others;
        for (key, count) in table {
            *counts.entry(key).or_default() += count;
        }
        if hang.is_some() && !team.has_ended() {
            *counts.entry(team.unfinished()).or_default() += 1;
        }
    }
    let met = |(key, count): (Key, u64)| Met { verdict: key.verdict, lines: key.lines(plan), count };
    let mut outcomes: Vec<Met> = counts.into_iter().map(met).collect();
    outcomes.sort_by(|one, other| {
        (one.verdict, std::cmp::Reverse(one.count), &one.lines).cmp(&(
            other.verdict,
            std::cmp::Reverse(other.count),
            &other.lines,
        ))
    });
    Report { scenario: plan.scenario.name.clone(), threads, rounds, took, outcomes, others, hang }
}

/// Makes sure that threads can do what the tasks of the program do.
fn check(locks: &Explorable, plan: &Plan) -> Result<(), StressError> {
    let scenario = || plan.scenario.name.clone();
    if let Some(primitive) = plan.lacking(locks.make()) {
        return Err(StressError::NoPrimitive { scenario: scenario(), primitive });
    }
    for (task, program) in plan.tasks.iter().zip(&plan.programs) {
        for op in program {
            let why = match op.deed {
                TaskDeed::SendGuard { .. } | TaskDeed::SendFuture { .. } => "what is sent meets nobody at a known time",
                TaskDeed::Forget { .. } => "who waits for a forgotten guard waits for ever, and that is no race",
                TaskDeed::ReleaseElsewhere { .. } => "to start a thread takes longer than any race; explore it",
                TaskDeed::Panic => "a panic takes so long that nothing meets it; explore it",
                TaskDeed::Ask { request, place: Place::Task, .. } if request.verb().effect != Effect::Print => continue,
                TaskDeed::Release { .. }
                | TaskDeed::Start { .. }
                | TaskDeed::Prepare { .. }
                | TaskDeed::Poll { .. }
                | TaskDeed::Await { .. }
                | TaskDeed::Drop { .. }
                | TaskDeed::Return => continue,
                _ => "no thread can do it on its own",
            };
            let action = Box::new(op.action.clone());
            return Err(StressError::NotStressed { scenario: scenario(), task: *task, action, why });
        }
    }
    Ok(())
}
