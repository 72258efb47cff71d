//! The explorer's books and the oracle agree, on honest and on broken locks, whatever the program: every outcome is
//! confirmed by its replay on the live driver, and a disagreement is an error.

use std::sync::Arc;

use harness::explore::plan::{Occasions, Plan, PlanError};
use harness::explore::{Bounds, Budget, Explorable, Options, Strategy as Way, explore};
use harness::scenario::parse::parse;
use keyalike_planted::{Planted, broken, honest};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};

const ACTIONS: [&str; 17] = [
    "acquire m",
    "acquire m",
    "acquire m",
    "release m",
    "release m",
    "release m",
    "acquire n",
    "release n",
    "try-acquire m",
    "release m elsewhere",
    "is-locked m",
    "start x acquire m",
    "prepare x acquire m",
    "poll x",
    "await x",
    "await-ref x",
    "drop x",
];
const RARE: [&str; 7] = ["forget m", "panic", "return", "send m A", "send x A", "yield", "is-locked n"];

/// Any program of up to four tasks.
fn program() -> impl Strategy<Value = String> {
    let action = prop_oneof![8 => select(&ACTIONS[..]), 1 => select(&RARE[..])];
    let turn = vec(action, 1..3).prop_map(|turn| turn.join("; "));
    let task = vec(turn, 1..5).prop_map(|turns| turns.join(", "));
    vec(task, 2..5).prop_map(|tasks| {
        let lines = tasks.iter().zip("ABCD".chars()).map(|(task, name)| format!("{name}: {task}\n"));
        format!("mutex m\nmutex n\n\n{}", lines.collect::<String>())
    })
}

/// Returns the plan, unless a task of it sends something to itself.
fn plan(text: &str) -> Option<Arc<Plan>> {
    let scenario = parse("agreement/program".parse().expect("a name"), text).expect("a scenario");
    let mut plan = match Plan::new(Arc::new(scenario)) {
        Err(PlanError::NotExplorable { .. }) => return None,
        plan => plan.expect("it can be explored"),
    };
    plan.occasions = Occasions::everywhere(plan.tasks.len());
    Some(Arc::new(plan))
}

fn check(
    locks: &[Planted],
    cases: u32,
    wants: fn(&Planted, &Explorable, &Arc<Plan>) -> Result<(), String>,
) -> Result<(), String> {
    // Locks and tasks panic here by design, and each panic is part of an outcome.
    std::panic::set_hook(Box::new(|_| {}));
    let mut runner =
        TestRunner::new(Config { cases, failure_persistence: None, max_shrink_iters: 400, ..Config::default() });
    let tried = runner.run(&program(), |text| {
        let Some(plan) = plan(&text) else { return Ok(()) };
        for lock in locks {
            wants(lock, &lock.explorable, &plan)
                .map_err(|reason| TestCaseError::fail(format!("{}: {reason}\n\n{text}", lock.id)))?;
        }
        Ok(())
    });
    tried.map_err(|error| error.to_string())
}

fn options() -> Options {
    let bounds = Bounds { cancels: 2, aborts: 1, resumes: 2, resumes_anew: 1, total: 3 };
    Options { strategy: Way::Random, budget: Budget::Schedules(60), bounds, ..Options::default() }
}

#[test]
fn books_and_oracle_agree_on_broken_locks() -> Result<(), String> {
    check(&broken(), 8, |_, locks, plan| match explore(locks, plan, &options()) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    })
}

#[test]
fn honest_locks_are_never_accused() -> Result<(), String> {
    check(&honest(), 300, |_, locks, plan| {
        let report = explore(locks, plan, &options()).map_err(|error| error.to_string())?;
        match report.faults().next() {
            None => Ok(()),
            Some(found) => Err(format!("accused:\n{}\n{}", found.script, found.transcript.join("\n"))),
        }
    })
}

#[test]
fn erased_and_typed_objects_do_the_same() -> Result<(), String> {
    check(&honest(), 300, |_, locks, plan| {
        let typed = explore(locks, plan, &options()).map_err(|error| error.to_string())?;
        let erased = explore(&locks.without_types(), plan, &options()).map_err(|error| error.to_string())?;
        if typed == erased { Ok(()) } else { Err(format!("{}\n\n{}", typed.text(), erased.text())) }
    })
}
