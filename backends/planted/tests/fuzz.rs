//! Fuzzing finds planted mistakes and accuses no honest lock; what it finds is small and replays.

use harness::explore::fuzz::{Finding, Fuzz, Kind, replays};
use harness::explore::plan::Plan;
use harness::scenario::parse::parse;
use keyalike_planted::{Planted, broken, honest};

/// How many programs are made up for each broken lock, at most: one needs more than sixty.
const PROGRAMS: u64 = 240;
/// How many for each honest one, all of which are searched to their end.
const HONEST_PROGRAMS: u64 = 80;

fn first_finding(lock: &Planted, seed: u64, programs: u64) -> Option<Finding> {
    let fuzz = Fuzz::new(vec![lock.explorable], seed);
    (0..programs).find_map(|number| {
        let harvest = fuzz.search(number).unwrap_or_else(|error| panic!("{}: {error}", lock.id));
        harvest.findings.into_iter().next()
    })
}

#[test]
fn a_program_depends_on_its_seed_and_number_alone() {
    let lock = &honest()[0];
    let fuzz = || Fuzz::new(vec![lock.explorable], 5);
    for number in 0..500 {
        let scenario = fuzz().program(number);
        assert_eq!(scenario, fuzz().program(number));
        let text = scenario.to_string();
        assert_eq!(parse(scenario.name.clone(), &text).as_ref(), Ok(&scenario), "{text}");
        let plan = Plan::new(scenario.into()).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert!(plan.tasks.len() <= 8 && plan.action_count() <= 16, "{text}");
    }
}

#[test]
fn an_honest_lock_is_not_accused() {
    for lock in honest() {
        let finding = first_finding(&lock, 1, HONEST_PROGRAMS);
        assert!(finding.is_none(), "{}: {}", lock.id, finding.expect("it was found").script);
    }
}

#[test]
fn every_planted_mistake_is_found_and_small() {
    let mut survivors = Vec::new();
    for lock in broken() {
        match first_finding(&lock, 1, PROGRAMS) {
            None => survivors.push(lock.id),
            Some(finding) => {
                assert!(matches!(finding.kind, Kind::Violation { .. }), "{}: {}", lock.id, finding.kind);
                let steps = finding.script.steps().count();
                assert!(steps <= 12, "{} needs {steps} steps:\n{}", lock.id, finding.script);
                assert!(replays(&[lock.explorable], &finding).expect("it runs"), "{}:\n{}", lock.id, finding.script);
            }
        }
    }
    assert!(survivors.is_empty(), "{survivors:?}");
}
