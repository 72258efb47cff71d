//! Runs scenarios on backends for a command, with progress on a terminal and a journal where one is asked for.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use harness::backend::Backend;
use harness::diff::Outcomes;
use harness::program::Program;
use harness::report::{CellReport, give_letters};
use harness::runner::{Cell, Options, run_all};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::failure::Failure;
use crate::journal::{Journal, place};
use crate::scenario_choice::Programs;
use crate::{interrupt, output};

/// Runs every scenario on every backend. The cells are sorted by scenario, then by backend. Those that the file `resume`
/// has are not run again, and every other is kept in it as soon as it is done.
///
/// # Errors
///
/// [`Failure::Journal`], if `resume` belongs to another run.
pub(crate) fn run(
    programs: &Programs,
    backends: &[Arc<dyn Backend>],
    options: &Options,
    resume: Option<&Path>,
) -> Result<Vec<CellReport>, Failure> {
    let programs: Vec<Arc<Program>> = programs.values().cloned().collect();
    let journal = resume.map(|path| Journal::open(path, backends, options)).transpose()?.map(Mutex::new);
    let lock = |journal: &'_ Mutex<Journal>| journal.lock().unwrap_or_else(PoisonError::into_inner).known();
    let known = journal.as_ref().map(lock).unwrap_or_default();
    let bar = progress_bar(programs.len() * backends.len());
    let is_done = |program: &Program, backend: &dyn Backend| {
        let is_known = known.contains_key(&place(program, backend.id()));
        bar.inc(u64::from(is_known));
        // What is not begun when a signal comes is left for another time.
        is_known || interrupt::came().is_some()
    };
    let finished = |cell: &Cell| {
        if let Some(journal) = &journal {
            journal.lock().unwrap_or_else(PoisonError::into_inner).add(cell);
        }
        bar.inc(1);
    };
    let ran = run_all(&programs, backends, options, &is_done, &finished);
    bar.finish_and_clear();
    if let Some(journal) = journal {
        let mut journal = journal.into_inner().unwrap_or_else(PoisonError::into_inner);
        if interrupt::came().is_some() {
            journal.keep();
        }
        journal.close().iter().for_each(output::complain);
    }
    let mut cells: Vec<CellReport> = ran.iter().map(CellReport::of).collect();
    for program in &programs {
        cells.extend(backends.iter().filter_map(|backend| known.get(&place(program, backend.id())).cloned()));
    }
    let column = |id: &str| backends.iter().position(|backend| backend.id() == id);
    cells.sort_by(|one, other| {
        let key = |cell: &CellReport| (cell.scenario.clone(), column(&cell.backend));
        key(one).cmp(&key(other))
    });
    give_letters(&mut cells);
    Ok(cells)
}

/// Returns the transcripts of the cells that have an outcome, by scenario, to be compared.
pub(crate) fn outcomes(cells: &[CellReport]) -> Outcomes {
    let with_outcome = cells.iter().filter_map(|cell| Some((cell, cell.outcome()?)));
    with_outcome.map(|(cell, outcome)| (cell.scenario.clone(), outcome.transcript.clone())).collect()
}

/// Returns a bar on stderr. It is hidden unless stderr is a terminal.
fn progress_bar(cells: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} cells {elapsed}");
    let bar = ProgressBar::with_draw_target(Some(cells as u64), ProgressDrawTarget::stderr());
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
