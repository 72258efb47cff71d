//! The explorer: every order of the tasks of a scenario, and what may happen to them at any time, on the real and
//! unmodified lock.
//!
//! One thread polls by hand. A [`Plan`] is an explored scenario made ready, an [`Explorable`] a lock library; a
//! [`Search`] takes a strategy through the schedules, counts the different outcomes, and has the oracle judge the first
//! schedule of each as the live driver replays it. Its atomic unit is one poll: races inside a poll are for threads.

mod books;
mod confirm;
mod coverage;
mod engine;
pub mod fuzz;
pub mod plan;
mod print;
pub(crate) mod random;
pub mod report;
pub mod schedule;
mod search;
pub mod shard;
mod strategy;
mod subject;
mod waker;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::driver::{DriveError, MakeObject};
use crate::object::Reply;
use crate::outcome::Outcome;
use crate::primitive::{Primitive, Request};
use crate::quiescence::TaskIndex;
use crate::scenario::Scenario;
use crate::verdict::Verdict;
pub(crate) use books::{Books, Fate};
pub use coverage::Coverage;
use engine::{Deed, Engine};
use plan::Plan;
pub use report::{End, Found, Report};
use schedule::{Choice, Choices, Schedule};
pub use search::{OUTCOMES_MAX, Search};
use shard::Shard;
use subject::{Erased, Typed};

/// Makes a machine for a plan.
type MakeMachine = fn(Arc<Plan>) -> Box<dyn Machine>;

/// A lock library as the explorer sees it.
#[derive(Clone, Copy)]
pub struct Explorable {
    make: MakeObject,
    typed: Option<(Primitive, MakeMachine)>,
}

impl std::fmt::Debug for Explorable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Explorable").finish_non_exhaustive()
    }
}

impl Explorable {
    /// Returns a library whose objects `make` makes. Any primitive is explored, with an allocation for each operation.
    pub fn erased(make: MakeObject) -> Self {
        Self { make, typed: None }
    }

    /// Returns the same library, of which the scenarios of one primitive alone are explored without any erasure.
    pub(crate) fn with_typed(self, primitive: Primitive, machine: fn(Arc<Plan>) -> Box<dyn Machine>) -> Self {
        Self { typed: Some((primitive, machine)), ..self }
    }

    /// Returns the same library with the types erased always: the same outcomes, slower.
    pub fn without_types(self) -> Self {
        Self { typed: None, ..self }
    }

    /// Returns a machine for `plan`.
    fn machine(&self, plan: &Arc<Plan>) -> Result<Box<dyn Machine>, ExploreError> {
        if let Some(primitive) = plan.lacking(self.make) {
            return Err(ExploreError::NoPrimitive { scenario: plan.scenario.name.to_string(), primitive });
        }
        Ok(match self.typed {
            Some((primitive, machine)) if plan.primitives().all(|needed| needed == primitive) => {
                machine(Arc::clone(plan))
            }
            _ => Box::new(Engine::new(Erased(self.make), Arc::clone(plan))),
        })
    }

    /// Returns how to make live objects, for the live driver.
    pub fn make(&self) -> MakeObject {
        self.make
    }
}

/// Returns the machine of one primitive with a library's own types: objects made by `make`, operations by `frame`, and
/// tried by `probe`, which says in between whether it got one.
pub(crate) fn typed<M, F>(
    plan: Arc<Plan>,
    primitive: Primitive,
    make: fn() -> M,
    frame: fn(Arc<M>, Request) -> F,
    probe: fn(&M, Request, &mut dyn FnMut(bool)),
) -> Box<dyn Machine>
where
    M: Send + Sync + 'static,
    F: Future<Output = Reply> + Send + 'static,
{
    Box::new(Engine::new(Typed { primitive, make, frame, probe }, plan))
}

/// Runs schedules of one plan on one library.
pub(crate) trait Machine: Send {
    fn plan(&self) -> &Arc<Plan>;

    /// Runs one schedule. Returns whether it came to its end: a chooser that chooses nothing breaks it off.
    fn run(&mut self, bounds: &Bounds, chooser: &mut dyn Chooser) -> bool;

    /// Returns the books of the last run.
    fn books(&self) -> &Books;

    fn books_mut(&mut self) -> &mut Books;

    /// Begins or ends to record what is done in each choice, and returns what was recorded.
    fn record(&mut self, on: bool) -> Vec<Vec<Deed>>;
}

/// Chooses what happens next.
pub(crate) trait Chooser {
    /// Chooses one of `offer`, which is not empty; nothing breaks the run off. `footprint` says which objects the
    /// choice before touched, and `remaining` tells how many actions a task has left.
    fn choose(&mut self, offer: &Choices, footprint: u32, remaining: &dyn Fn(TaskIndex) -> usize) -> Option<Choice>;

    /// Hears which objects the last choice touched.
    fn end(&mut self, footprint: u32) {
        let _ = footprint;
    }

    /// Goes back to the beginning of this run, which does not count: the next one makes the same choices.
    fn rewind(&mut self);
}

/// Runs one schedule, again and again until it takes less than its scenario allows or is a livelock, which takes longer
/// than any window. A run that takes longer leaves no trace: how many do depends on the machine, and equal searches
/// have equal reports. Returns whether it came to its end, or nothing if it was never in time.
pub(crate) fn run_in_time(machine: &mut dyn Machine, bounds: &Bounds, chooser: &mut dyn Chooser) -> Option<bool> {
    let Some(limit) = machine.plan().scenario.within.as_ref().map(|within| within.limit.duration()) else {
        return Some(machine.run(bounds, chooser));
    };
    for _ in 0..crate::driver::ATTEMPTS_MAX {
        let begun = Instant::now();
        let is_complete = machine.run(bounds, chooser);
        if begun.elapsed() < limit || machine.books().is_livelock() {
            return Some(is_complete);
        }
        machine.books_mut().discard();
        chooser.rewind();
    }
    None
}

/// How often what may happen at any time happens in one schedule, at most. A scenario says to whom; each thing happens
/// to each task once at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// Cancels.
    pub cancels: u8,
    /// Aborts.
    pub aborts: u8,
    /// Polls of a task that was not woken.
    pub resumes: u8,
    /// Polls of a task with another waker.
    pub resumes_anew: u8,
    /// All of them together.
    pub total: u8,
}

impl Default for Bounds {
    /// Two in all, one of each kind but two cancels: what every known lost wake-up needs.
    fn default() -> Self {
        Self { cancels: 2, aborts: 1, resumes: 1, resumes_anew: 1, total: 2 }
    }
}

/// How to go through the schedules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Every schedule within the bounds, but for those that differ only in the order of steps on different objects, or
    /// in the names of tasks that are alike.
    Exhaustive,
    /// Each choice as likely as any other.
    Random,
    /// Each choice as likely as it has actions behind it, so that each schedule is about as likely as any other.
    Uniform,
    /// Random priorities, and a few places where they change (Burckhardt et al., ASPLOS 2010).
    Pct,
    /// All of them in turn.
    Portfolio,
}

impl Strategy {
    /// Every strategy.
    pub const ALL: [Strategy; 5] =
        [Strategy::Exhaustive, Strategy::Random, Strategy::Uniform, Strategy::Pct, Strategy::Portfolio];

    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Strategy::Exhaustive => "exhaustive",
            Strategy::Random => "random",
            Strategy::Uniform => "uniform",
            Strategy::Pct => "pct",
            Strategy::Portfolio => "portfolio",
        }
    }
}

impl std::fmt::Display for Strategy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Strategy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Strategy::ALL.into_iter().find(|strategy| strategy.as_str() == text).ok_or_else(|| {
            format!("there is no strategy `{text}`; there are {}", Strategy::ALL.map(Strategy::as_str).join(", "))
        })
    }
}

/// When to stop, if the space is not exhausted before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Budget {
    /// After so many schedules.
    Schedules(u64),
    /// After so long. How far that comes is the machine's affair, so two runs may differ.
    Time(Duration),
}

/// How to explore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// The way through the schedules.
    pub strategy: Strategy,
    /// When to stop.
    pub budget: Budget,
    /// What random choices begin with.
    pub seed: u64,
    /// How many threads explore, at least 1. Any number gives the same result.
    pub jobs: usize,
    /// How often what may happen at any time happens.
    pub bounds: Bounds,
    /// Whether to leave out schedules that differ only in the order of steps on different objects, or in which of
    /// several tasks that are alike did what.
    pub reduce: bool,
    /// Which part of the space to explore. A portfolio has no parts that would make a whole: its strategies take turns
    /// that depend on how far each came.
    pub shard: Shard,
    /// Whether to stop as soon as a schedule speaks against the lock. Other outcomes are counted and not told apart.
    pub stop_at_fault: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            strategy: Strategy::Exhaustive,
            budget: Budget::Schedules(1_000_000),
            seed: 0,
            jobs: 1,
            bounds: Bounds::default(),
            reduce: true,
            shard: Shard::WHOLE,
            stop_at_fault: false,
        }
    }
}

/// An exploration that has no result, because of the environment or of the harness and not of the lock.
#[derive(Debug, thiserror::Error)]
pub enum ExploreError {
    /// The lock library lacks a primitive.
    #[error("{scenario}: the lock library has no {primitive}")]
    NoPrimitive {
        /// The scenario.
        scenario: String,
        /// What it lacks.
        primitive: Primitive,
    },
    /// The live driver could not replay a schedule.
    #[error(transparent)]
    Drive(#[from] DriveError),
    /// A schedule cannot be replayed as a script.
    #[error("{scenario}: a schedule does not compile as a script: {why}")]
    Script {
        /// The scenario.
        scenario: String,
        /// Why.
        why: String,
    },
    /// The books of the explorer and the oracle judge one schedule differently: a fault of the harness, or a lock whose
    /// behaviour is not determined by the schedule.
    #[error(
        "{name}: the explorer says {explorer} and the oracle, of the replay, {oracle}:\n\n{scenario}\n{outcome}",
        name = scenario.name
    )]
    Disagreement {
        /// The schedule as a script.
        scenario: Box<Scenario>,
        /// What the books say.
        explorer: Verdict,
        /// What the oracle says.
        oracle: Verdict,
        /// The replay's outcome.
        outcome: String,
    },
    /// A schedule that was run before took another course, again and again.
    #[error(
        "{scenario}: the lock does other things in the same schedule, in each of {attempts} attempts: {schedule:?}"
    )]
    Diverges {
        /// The scenario.
        scenario: String,
        /// How often it was tried.
        attempts: u32,
        /// The choices.
        schedule: Schedule,
    },
    /// A saved search belongs to something else.
    #[error("the saved search is of {saved}, not of {asked}; remove the file, or ask for the same")]
    OtherSearch {
        /// What was saved.
        saved: String,
        /// What was asked for.
        asked: String,
    },
}

/// Explores `plan` on a lock library until its space is exhausted or the budget is spent.
///
/// # Errors
///
/// [`ExploreError`], if there is no result.
pub fn explore(locks: &Explorable, plan: &Arc<Plan>, options: &Options) -> Result<Report, ExploreError> {
    let mut search = Search::new(plan, options);
    while search.advance(locks, plan, options)? {}
    Ok(search.into_report(plan))
}

/// Returns every schedule of `plan`, in the order of the exhaustive search, with no reduction.
///
/// # Errors
///
/// [`ExploreError`], if there is no result.
pub fn schedules(locks: &Explorable, plan: &Arc<Plan>, bounds: &Bounds) -> Result<Vec<Schedule>, ExploreError> {
    let mut machine = locks.machine(plan)?;
    let mut tree = strategy::Exhaustive::new(strategy::Reduction::default());
    let mut schedules = Vec::new();
    while !tree.is_done() {
        tree.begin();
        let is_complete = run_in_time(&mut *machine, bounds, &mut tree);
        if tree.stop() == strategy::Stop::Diverged {
            tree.correct();
            continue;
        }
        schedules.extend((is_complete == Some(true)).then(|| tree.schedule()));
        tree.next();
    }
    Ok(schedules)
}

/// Runs one schedule of `plan` and tells its outcome, as the explorer sees it and as the oracle judges its replay.
///
/// # Errors
///
/// [`ExploreError`], if it has no outcome.
pub fn replay(
    locks: &Explorable,
    plan: &Arc<Plan>,
    bounds: &Bounds,
    schedule: &Schedule,
) -> Result<Found, ExploreError> {
    let mut machine = locks.machine(plan)?;
    confirm::confirm(locks, &mut *machine, bounds, schedule)
}

/// Drives a script on a lock library by the live driver, on a runtime of one thread that is the harness's own.
///
/// # Errors
///
/// [`ExploreError`], if it has no outcome.
pub fn drive_script(locks: &Explorable, script: &Scenario) -> Result<Outcome, ExploreError> {
    confirm::drive_once(locks, script).map(|(_, outcome)| outcome)
}

/// Returns whether a verdict speaks against the lock, and not of what the tasks do with it.
pub fn is_fault(verdict: Verdict) -> bool {
    !matches!(
        verdict,
        Verdict::Completed
            | Verdict::Deadlock
            | Verdict::Abandoned
            | Verdict::Futurelock
            | Verdict::Starved
            | Verdict::Refused
            | Verdict::Unsupported
    )
}
