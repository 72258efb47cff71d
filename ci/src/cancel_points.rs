//! `keyalike run --cancel-points`: every script again, with a cancel and an abort wherever an operation is pending.

use std::fmt::Write;
use std::sync::Arc;

use harness::backend::Backend;
use harness::cancel_points::{is_fault, variants};
use harness::driver::DriveError;
use harness::program::Program;
use harness::runner::{CellError, Options, run_cell};
use indicatif::{ProgressBar, ProgressDrawTarget};

use crate::failure::Ending;
use crate::interrupt;
use crate::scenario_choice::Programs;

/// Runs the variants of every scenario on every backend; returns the report, and how it ends.
pub(crate) fn run(programs: &Programs, backends: &[Arc<dyn Backend>], options: &Options) -> (String, Ending) {
    let mut text = String::new();
    let mut ending = Ending::Expected;
    let bar =
        ProgressBar::with_draw_target(Some((programs.len() * backends.len()) as u64), ProgressDrawTarget::stderr());
    for backend in backends {
        let mut tally = Tally::default();
        for program in programs.values() {
            if interrupt::came().is_some() {
                break;
            }
            bar.inc(1);
            try_all(&**backend, program, options, &mut tally);
        }
        let _ = writeln!(
            text,
            "{}: {} variants of {} scenarios, {} faults{}",
            backend.id(),
            tally.variants,
            tally.scenarios,
            tally.faults.len(),
            if tally.skipped > 0 {
                format!("; {} scenarios are faulty or lacking as they are", tally.skipped)
            } else {
                String::new()
            },
        );
        for fault in &tally.faults {
            let _ = writeln!(text, "\n{fault}");
            ending = Ending::Unexpected;
        }
        for failure in &tally.failures {
            let _ = writeln!(text, "\n{failure}");
        }
        if !tally.failures.is_empty() {
            ending = Ending::Failed;
        }
    }
    bar.finish_and_clear();
    (text, ending)
}

#[derive(Default)]
struct Tally {
    scenarios: usize,
    skipped: usize,
    variants: usize,
    faults: Vec<String>,
    failures: Vec<String>,
}

fn try_all(backend: &dyn Backend, program: &Arc<Program>, options: &Options, tally: &mut Tally) {
    let name = &program.scenario.name;
    let base = match run_cell(backend, program, options) {
        Ok(outcome) if !is_fault(outcome.verdict) && !outcome.record.is_unsupported() => outcome,
        // What is wrong with the script as it is, the matrix says.
        Ok(_) => {
            tally.skipped += 1;
            return;
        }
        Err(CellError::BrokenOff) => return,
        Err(error) => {
            tally.failures.push(format!("{name}: {error}"));
            return;
        }
    };
    tally.scenarios += 1;
    for variant in variants(program, &base.record) {
        if interrupt::came().is_some() {
            return;
        }
        tally.variants += 1;
        let varied = match Program::new(Arc::new(variant.scenario)) {
            Ok(varied) => Arc::new(varied),
            Err(error) => {
                tally.failures.push(format!("{name}, {}: {error}", variant.point));
                continue;
            }
        };
        match run_cell(backend, &varied, options) {
            Ok(outcome) if is_fault(outcome.verdict) => {
                let lines: String = outcome.lines.iter().map(|line| format!("  {line}\n")).collect();
                tally.faults.push(format!("{name}, with {}: {}\n{lines}", variant.point, outcome.verdict));
            }
            Ok(_) => {}
            // Nobody may stand between the steps of a line while a thread waits, so there is no such window.
            Err(CellError::Drive(DriveError::ThreadInLine { .. })) => tally.variants -= 1,
            Err(CellError::BrokenOff) => tally.variants -= 1,
            Err(error) => tally.failures.push(format!("{name}, with {}: {error}", variant.point)),
        }
    }
}
