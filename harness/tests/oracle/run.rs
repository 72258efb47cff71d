//! Runs one scenario on one lock, with the conductor in both seats, as the runner does.

use std::sync::{Arc, LazyLock};

use keyalike_harness::isolation::Workshop;
use keyalike_harness::outcome::Outcome;
use keyalike_harness::program::Program;
use keyalike_harness::runner::{CellError, Options, run_cell};
use keyalike_harness::scenario::parse::parse;
use keyalike_harness::verdict::Verdict;

use crate::locks;

static WORKERS: LazyLock<Arc<Workshop>> = LazyLock::new(|| Arc::new(Workshop::new(None)));

/// Reads a script over the mutexes that its first line names, each indented as the test that holds it.
pub(crate) fn program(objects: &str, script: &str) -> Arc<Program> {
    let mut text: String = objects.split(' ').map(|object| format!("mutex {object}\n")).collect();
    text.push('\n');
    text.extend(script.lines().map(|line| format!("{}\n", line.trim())));
    scripted(&text)
}

/// Reads a scenario with its head.
pub(crate) fn scripted(text: &str) -> Arc<Program> {
    let scenario = parse("oracle/script".parse().expect("a valid name"), text).unwrap_or_else(|errors| {
        panic!("{}", errors.iter().map(|error| error.render("script", text, false)).collect::<String>())
    });
    Arc::new(Program::new(Arc::new(scenario)).expect("a parsed scenario can be made ready"))
}

/// Runs `program` on `lock`, in a worker if it asks for one or if `isolate` says so.
pub(crate) fn run(lock: &str, program: &Arc<Program>, isolate: bool) -> Result<Outcome, CellError> {
    run_as(lock, program, &Options { isolate, ..Options::once(Arc::clone(&WORKERS)) })
}

/// Runs `program` on `lock` a hundred times in each seat, unless it is broken off before.
pub(crate) fn run_often(lock: &str, program: &Arc<Program>, breaks_off: fn() -> bool) -> Result<Outcome, CellError> {
    run_as(lock, program, &Options { runs: 100, breaks_off, ..Options::once(Arc::clone(&WORKERS)) })
}

fn run_as(lock: &str, program: &Arc<Program>, options: &Options) -> Result<Outcome, CellError> {
    let backend = locks::backend(lock).unwrap_or_else(|| panic!("there is no lock {lock}"));
    run_cell(&*backend, program, options)
}

/// Returns whether a verdict speaks against the lock, and not of the script.
pub(crate) fn is_conviction(verdict: Verdict) -> bool {
    match verdict {
        Verdict::Deadlock | Verdict::Abandoned | Verdict::Futurelock | Verdict::Completed | Verdict::Unsupported => {
            false
        }
        Verdict::Violation
        | Verdict::Crashed
        | Verdict::Hung
        | Verdict::Livelock
        | Verdict::LostWakeup
        | Verdict::Leaked
        | Verdict::Panicked
        | Verdict::Starved
        | Verdict::Refused => true,
        _ => true,
    }
}
