//! The explorer on the real lock libraries: known spaces are exhausted exactly, and every schedule replays as a script.

use std::sync::Arc;

use backends::lock_libraries;
use harness::explore::plan::{Occasions, Plan};
use harness::explore::{Bounds, Budget, End, Explorable, Options, Report, Strategy, explore};
use harness::scenario::parse::parse;
use harness::verdict::Verdict;
use rstest::rstest;

fn plan(text: &str) -> Plan {
    let scenario = parse("explored/test".parse().expect("a valid name"), text).unwrap_or_else(|errors| {
        panic!("{}", errors.iter().map(|error| error.render("test", text, false)).collect::<String>())
    });
    Plan::new(Arc::new(scenario)).unwrap_or_else(|error| panic!("{error}"))
}

/// Returns the plan in which so many tasks acquire and release a mutex so often.
fn rounds(tasks: u32, rounds: usize) -> Plan {
    let round = vec!["acquire m, yield, release m"; rounds].join(", ");
    plan(&format!("mutex m\n\nA[1..{tasks}]: {round}\n"))
}

fn locks(id: &str) -> Explorable {
    lock_libraries().into_iter().find(|locks| locks.id == id).expect("it was built").explorable
}

fn run(id: &str, plan: Plan, options: &Options) -> Report {
    explore(&locks(id), &Arc::new(plan), options).unwrap_or_else(|error| panic!("{id}: {error}"))
}

#[rstest]
#[case::tokio_3x1("tokio", 3, 1, 36)]
#[case::tokio_4x1("tokio", 4, 1, 552)]
#[case::tokio_3x2("tokio", 3, 2, 96)]
#[case::tokio_4x2("tokio", 4, 2, 2_712)]
#[case::async_lock_3x1("async-lock", 3, 1, 42)]
#[case::async_lock_4x1("async-lock", 4, 1, 792)]
#[case::futures_3x1("futures", 3, 1, 42)]
#[case::futures_4x1("futures", 4, 1, 792)]
#[case::futures_4x2("futures", 4, 2, 14_592)]
fn a_space_has_as_many_schedules_as_it_has(
    #[case] id: &str,
    #[case] tasks: u32,
    #[case] count: usize,
    #[case] expected: u64,
) {
    let report = run(id, rounds(tasks, count), &Options::default());
    assert_eq!((report.end, report.schedules), (End::Exhausted, expected), "{}", report.text());
    assert!(report.outcomes.iter().all(|found| found.verdict == Verdict::Completed), "{}", report.text());
}

/// Programs that use every verb and every occasion.
const PROGRAMS: [&str; 6] = [
    "mutex m\n\nA: acquire m, release m\nB: acquire m, release m\nC: try-acquire m, is-locked m, release m elsewhere\n",
    "mutex m\nmutex n\n\nA: acquire m, acquire n, release n, release m\nB: acquire n, acquire m, release m, release n\n",
    "mutex m\n\nA: start x acquire m, acquire m, release m, drop x\nB: acquire m, release m; acquire m, release m\n",
    "mutex m\n\nA: acquire m, send m C, acquire m, panic\nB: prepare x acquire m, poll x, await-ref x, return\nC: release m\n",
    "mutex m\n\nA: acquire m, forget m\nB: start x acquire m, send x C\nC: await x, release m\nD: acquire m, release m\n",
    "mutex m\nmutex n\n\nA: acquire m, release m, acquire n, release n\nB: acquire m, release m\nC: acquire n, panic\n",
];

/// The strongest check of the explorer: whatever it comes upon, its books, the live driver and the oracle agree. Each
/// outcome is confirmed by the replay of its first schedule, and a disagreement is an error.
#[rstest]
fn every_outcome_replays_on_the_live_driver(
    #[values("tokio", "tokio-owned", "async-lock", "async-lock-arc", "futures", "futures-owned")] id: &str,
    #[values(Strategy::Exhaustive, Strategy::Random, Strategy::Uniform, Strategy::Pct)] strategy: Strategy,
) {
    for text in PROGRAMS {
        let mut plan = plan(text);
        plan.occasions = Occasions::everywhere(plan.tasks.len());
        let bounds = Bounds { cancels: 2, aborts: 1, resumes: 1, resumes_anew: 1, total: 2 };
        let options = Options { strategy, budget: Budget::Schedules(20_000), seed: 7, bounds, ..Options::default() };
        let report = run(id, plan, &options);
        let faults: Vec<_> = report.faults().collect();
        assert!(faults.is_empty(), "{id} {strategy}: {}\n{:#?}", faults[0].script, faults[0].transcript);
    }
}
