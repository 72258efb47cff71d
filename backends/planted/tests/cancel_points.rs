//! A cancel at each place where an operation is pending finds what a script that cancels nothing does not.

use std::sync::Arc;

use harness::cancel_points::{is_fault, variants};
use harness::explore::drive_script;
use harness::program::Program;
use harness::scenario::parse::parse;
use harness::verdict::Verdict;
use keyalike_planted::{Planted, broken, honest};

const SCRIPTS: [&str; 2] = [
    "mutex m\n\nA acquire m\nB acquire m\nC acquire m\nA release m\nB release m\nC release m\n",
    "mutex m\n\nA acquire m\nB start x acquire m\nB acquire m\nA release m\nB drop x\nB release m\n",
];

/// Returns how many variants there are, and the verdicts of those that speak against the lock.
fn faults(lock: &Planted) -> (usize, Vec<Verdict>) {
    let mut count = 0;
    let mut verdicts = Vec::new();
    for text in SCRIPTS {
        let scenario = parse("cancel/points".parse().expect("a name"), text).expect("a scenario");
        let base = drive_script(&lock.explorable, &scenario).expect("an outcome");
        if is_fault(base.verdict) {
            continue;
        }
        let program = Program::new(Arc::new(scenario)).expect("a script");
        for variant in variants(&program, &base.record) {
            count += 1;
            let verdict = drive_script(&lock.explorable, &variant.scenario).expect("an outcome").verdict;
            verdicts.extend(is_fault(verdict).then_some(verdict));
        }
    }
    (count, verdicts)
}

#[test]
fn honest_locks_survive_a_cancel_anywhere() {
    for lock in honest() {
        let (count, faults) = faults(&lock);
        assert!(count >= 12, "{}: only {count} variants", lock.id);
        assert_eq!(faults, [], "{}", lock.id);
    }
}

#[test]
fn faults_of_a_cancel_are_found_wherever_it_must_fall() {
    let found = |id: &str| {
        let lock = broken().into_iter().find(|lock| lock.id == id).expect("it is planted");
        !faults(&lock).1.is_empty()
    };
    // In the grant window, before the grant, and of a waiter that is not the first.
    for id in [
        "cancel-keeps-grant",
        "cancel-wakes-none",
        "cancel-stays-queued",
        "cancel-removes-first",
        "cancel-always-passes-on",
    ] {
        assert!(found(id), "{id} survives");
    }
}
