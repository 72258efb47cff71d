//! `keyalike explore --acting-wakers --spent-budget`: the first schedule of every outcome again, with a twist that needs a
//! runtime and a process of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use backends::Locks;
use harness::backend::Backend;
use harness::explore::{Report, is_fault};
use harness::isolation::Workshop;
use harness::program::Program;
use harness::report::paint::count;
use harness::runner::{Options, run_cell};
use harness::scenario::Scenario;
use harness::twists::{Twist, variants};
use harness::verdict::Verdict;

use crate::failure::Ending;
use crate::interrupt;

/// What came of one twist.
#[derive(Default)]
struct Tally {
    verdicts: BTreeMap<Verdict, usize>,
    /// The first script of each verdict that speaks against the lock, and its transcript.
    faults: BTreeMap<Verdict, (Scenario, Vec<String>)>,
    failures: Vec<String>,
}

/// Runs the variants of every outcome on a backend with these locks; returns the report, and how it ends.
///
/// Whether a waker may reach into the lock that wakes it is disputed, so that a lock which hangs there is told and is no
/// violation; what else speaks against a lock is one.
pub(crate) fn run(report: &Report, locks: &Locks, twists: &[Twist], workers: &Arc<Workshop>) -> (String, Ending) {
    // Any runtime will do for a waker; only tokio has a budget.
    let entries = backends::all().into_iter().filter(|entry| entry.locks == locks.id);
    let Some(entry) = entries.min_by_key(|entry| !entry.id.starts_with("tokio")) else {
        return (format!("  no twist: no backend has the locks {}\n\n", locks.id), Ending::Expected);
    };
    let backend = entry.start();
    let options = Options { isolate: true, ..Options::once(Arc::clone(workers)) };
    let mut tallies: BTreeMap<Twist, Tally> = BTreeMap::new();
    let (mut ran, mut left_out) = (0, 0);
    // What is faulty as it is, the exploration says.
    for found in report.outcomes.iter().filter(|found| !found.is_fault()) {
        let (variants, more) = variants(&found.script, twists);
        left_out += more;
        for (twist, scenario) in variants {
            if interrupt::came().is_some() {
                break;
            }
            ran += 1;
            try_one(&*backend, scenario, &options, tallies.entry(twist).or_default());
        }
    }
    told(&entry.id, &tallies, ran, left_out)
}

fn try_one(backend: &dyn Backend, scenario: Scenario, options: &Options, tally: &mut Tally) {
    let name = scenario.name.clone();
    let program = match Program::new(Arc::new(scenario)) {
        Ok(program) => Arc::new(program),
        Err(error) => return tally.failures.push(error.to_string()),
    };
    match run_cell(backend, &program, options) {
        Ok(outcome) => {
            *tally.verdicts.entry(outcome.verdict).or_default() += 1;
            if is_fault(outcome.verdict) {
                let script = || ((*program.scenario).clone(), outcome.lines.clone());
                tally.faults.entry(outcome.verdict).or_insert_with(script);
            }
        }
        Err(error) => tally.failures.push(format!("{name}: {error}")),
    }
}

fn told(backend: &str, tallies: &BTreeMap<Twist, Tally>, ran: usize, left_out: usize) -> (String, Ending) {
    let mut text = format!("  twisted: {} on {backend}", count(ran, "script"));
    if left_out > 0 {
        text.push_str(&format!(", {left_out} left out"));
    }
    text.push('\n');
    let mut ending = Ending::Expected;
    for (twist, tally) in tallies {
        let verdicts: Vec<String> =
            tally.verdicts.iter().map(|(verdict, count)| format!("{count} {verdict}")).collect();
        text.push_str(&format!("    {twist}: {}\n", verdicts.join(", ")));
    }
    for (twist, tally) in tallies {
        for (verdict, (script, transcript)) in &tally.faults {
            let mark = if *verdict == Verdict::Hung { "" } else { " !" };
            text.push_str(&format!("\n  {verdict}{mark}, by {twist}:\n"));
            text.extend(script.lines.iter().map(|line| format!("      {line}\n")));
            text.push_str("    replayed:\n");
            text.extend(transcript.iter().map(|line| format!("      {line}\n")));
            if *verdict != Verdict::Hung && ending != Ending::Failed {
                ending = Ending::Unexpected;
            }
        }
        for failure in &tally.failures {
            text.push_str(&format!("\n  {failure}\n"));
            ending = Ending::Failed;
        }
    }
    text.push('\n');
    (text, ending)
}
