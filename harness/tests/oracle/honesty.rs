//! Honest locks are not convicted, whatever the suite asks of them.

use std::path::Path;
use std::sync::Arc;

use keyalike_harness::primitive::Place;
use keyalike_harness::program::{Deed, Program, TaskDeed};
use keyalike_harness::suite::Suite;
use keyalike_harness::verdict::Verdict;
use libtest_mimic::{Failed, Trial};

use crate::locks::{HONEST, HONEST_BARGING, HONEST_WITH_BUDGET};
use crate::run::{is_conviction, run};

/// Returns one trial per theme of the suite and honest lock.
pub(crate) fn trials() -> Vec<Trial> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../suites");
    let mut themes: Vec<(String, Vec<Arc<Program>>)> = Vec::new();
    // Explored scenarios have no script; the planted locks are explored beside their own crate.
    for program in Suite::read(&root).unwrap_or_else(|error| panic!("{error}")).programs.into_values() {
        // A thread that blocks the only thread of its runtime is not blocked by the lock.
        let blocks_runtime = |deed: Deed| matches!(deed, Deed::Task(TaskDeed::Ask { place: Place::Inside, .. }));
        if program.steps.iter().any(|step| blocks_runtime(step.what)) {
            continue;
        }
        let theme = program.scenario.name.theme().to_owned();
        match themes.last_mut().filter(|(last, _)| *last == theme) {
            Some((_, programs)) => programs.push(program),
            None => themes.push((theme, vec![program])),
        }
    }
    let pairs = themes
        .into_iter()
        .flat_map(|theme| [HONEST, HONEST_BARGING, HONEST_WITH_BUDGET].map(|lock| (lock, theme.clone())));
    pairs
        .map(|(lock, (theme, programs))| {
            Trial::test(
                format!("{}_is_not_convicted_in_{}", lock.replace('-', "_"), theme.replace('-', "_")),
                move || check_all(lock, &programs),
            )
        })
        .collect()
}

fn check_all(lock: &str, programs: &[Arc<Program>]) -> Result<(), Failed> {
    let mut convictions = String::new();
    for program in programs {
        let name = &program.scenario.name;
        match run(lock, program, false) {
            Ok(outcome) if !is_conviction(outcome.verdict) => {}
            // A lock without fairness starves who is overtaken, and the suite has scenarios that see to it.
            Ok(outcome) if (lock, outcome.verdict) == (HONEST_BARGING, Verdict::Starved) => {}
            Ok(outcome) => convictions.push_str(&format!("{name}\n{}\n\n", outcome.text())),
            Err(error) => convictions.push_str(&format!("{name}: {error}\n\n")),
        }
    }
    if convictions.is_empty() { Ok(()) } else { Err(convictions.into()) }
}
