//! Confirms a schedule: prints it as a script, has the live driver replay that, and has the oracle judge the
//! transcript.

use std::sync::Arc;

use super::engine::Deed;
use super::plan::Plan;
use super::print::script;
use super::report::Found;
use super::schedule::Schedule;
use super::strategy::Fixed;
use super::{Bounds, Explorable, ExploreError, Machine, run_in_time};
use crate::driver::{Runs, Seat, drive};
use crate::executor::Executor;
use crate::outcome::Outcome;
use crate::program::{ObjectIndex, Program};
use crate::scenario::Scenario;
use crate::scenario::name::TaskName;
use crate::transcript::{At, Fault, What};

/// How often a schedule is run again where it takes another course: only a lock that reads a clock can do that.
pub(super) const ATTEMPTS_MAX: u32 = 100;

/// Runs `schedule` once more and returns its outcome, as the oracle judges it.
pub(super) fn confirm(
    locks: &Explorable,
    machine: &mut dyn Machine,
    bounds: &Bounds,
    schedule: &Schedule,
) -> Result<Found, ExploreError> {
    let plan = Arc::clone(machine.plan());
    let scenario = || plan.scenario.name.to_string();
    let mut disagreement = None;
    for _ in 0..ATTEMPTS_MAX {
        let mut fixed = Fixed::new(schedule);
        drop(machine.record(true));
        let is_complete = run_in_time(machine, bounds, &mut fixed) == Some(true);
        let mut trace = last_run(machine.record(false));
        if !is_complete || !fixed.is_over() {
            continue;
        }
        // In the last place stands what was done when all was over, before it what ended the last line.
        trace.pop();
        let drain = trace.pop();
        let books = machine.books();
        let script = script(&plan, &trace);
        trace.extend(drain);
        let (program, outcome) = drive_once(locks, &script)?;
        // The explorer ends a schedule at a livelock; the live driver goes on, and may meet a violation.
        let is_livelock = matches!(outcome.record.fault, Some(Fault::Livelock { .. }));
        let agrees = outcome.verdict == books.verdict() || (books.is_livelock() && is_livelock);
        if agrees && grants(&plan, &trace) == told_grants(&program, &outcome) {
            return Ok(Found {
                key: books.key(),
                verdict: outcome.verdict,
                herd: books.herd(),
                count: 1,
                at: 0,
                schedule: schedule.clone(),
                lines: books.lines(),
                transcript: outcome.lines,
                script,
            });
        }
        disagreement = Some(ExploreError::Disagreement {
            explorer: books.verdict(),
            oracle: outcome.verdict,
            outcome: outcome.text(),
            scenario: Box::new(script),
        });
    }
    Err(disagreement.unwrap_or_else(|| ExploreError::Diverges {
        scenario: scenario(),
        attempts: ATTEMPTS_MAX,
        schedule: schedule.clone(),
    }))
}

/// Returns what was done in the last of several runs.
fn last_run(trace: Vec<Vec<Deed>>) -> Vec<Vec<Deed>> {
    trace.split(|deeds| deeds.first() == Some(&Deed::Begun)).next_back().map(<[Vec<Deed>]>::to_vec).unwrap_or_default()
}

/// The grants of a run, in order, and how many actions could not be taken.
type Grants = (Vec<(TaskName, ObjectIndex)>, usize);

fn grants(plan: &Plan, trace: &[Vec<Deed>]) -> Grants {
    let granted = trace.iter().flatten().filter_map(|deed| match deed {
        Deed::Granted { task, object } => Some((plan.tasks[*task], *object)),
        _ => None,
    });
    (granted.collect(), trace.iter().flatten().filter(|deed| **deed == Deed::NotRun).count())
}

fn told_grants(program: &Program, outcome: &Outcome) -> Grants {
    let events = || outcome.record.events.iter().filter(|event| matches!(event.at, At::Step(_)));
    let granted = events().filter_map(|event| match (&event.what, event.task) {
        (What::Acquired { object, .. }, Some(task)) => Some((program.tasks[task], *object)),
        _ => None,
    });
    (granted.collect(), events().filter(|event| matches!(event.what, What::NotRun { .. })).count())
}

/// Runs a script on the live driver and has the oracle judge it.
pub(super) fn drive_once(locks: &Explorable, script: &Scenario) -> Result<(Arc<Program>, Outcome), ExploreError> {
    let program = Program::new(Arc::new(script.clone()))
        .map_err(|error| ExploreError::Script { scenario: script.name.to_string(), why: error.to_string() })?;
    let program = Arc::new(program);
    let mut outcome = None;
    let receive = &mut |transcript| outcome = Some(Outcome::of(transcript));
    drive(&Arc::new(Executor::default()), locks.make(), &program, Runs::new(Seat::BlockOn, 1), None, receive)?;
    Ok((program, outcome.expect("a run without an error has a transcript")))
}
