//! A livelock counts whatever its time: it takes longer than any window, and would be run again for ever.

use std::sync::Arc;

use keyalike_harness::explore::plan::Plan;
use keyalike_harness::explore::{Explorable, Options, explore};
use keyalike_harness::scenario::parse::parse;
use keyalike_harness::verdict::Verdict;
use libtest_mimic::{Failed, Trial};

use crate::locks::SELF_WAKING;
use crate::run::{program, run};

/// Returns one trial for the live driver and one for the explorer.
pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("livelock_of_a_script_counts_outside_its_window", live),
        Trial::test("livelock_of_a_schedule_counts_outside_its_window", explored),
    ]
}

fn live() -> Result<(), Failed> {
    let script = "within 1us \"every run is late\"\nA acquire m\nB acquire m";
    match run("self-waking", &program("m", script), false) {
        Ok(outcome) if outcome.verdict == Verdict::Livelock => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

fn explored() -> Result<(), Failed> {
    // Whoever comes second spins, so that each schedule is a livelock.
    let text = "mutex m\nwithin 1us \"every run is late\"\n\nA: acquire m\nB: acquire m\n";
    let scenario =
        parse("explored/window".parse().expect("it is a name"), text).map_err(|errors| format!("{errors:?}"))?;
    let plan = Arc::new(Plan::new(Arc::new(scenario)).map_err(|error| error.to_string())?);
    let report =
        explore(&Explorable::erased(SELF_WAKING), &plan, &Options::default()).map_err(|error| error.to_string())?;
    match report.outcomes.iter().all(|found| found.verdict == Verdict::Livelock) {
        true => Ok(()),
        false => Err(report.text().into()),
    }
}
