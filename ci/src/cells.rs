//! Runs scenarios on backends for a command, with progress on a terminal.

use std::sync::Arc;

use harness::backend::Backend;
use harness::driver::program::Program;
use harness::isolation::Workshop;
use harness::report::{CellReport, give_letters};
use harness::runner::{Options, run_all};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::failure::Failure;
use crate::scenario_choice::Programs;

/// Runs every scenario on every backend, `runs` times in each seat. The cells are sorted by scenario, then by backend.
///
/// # Errors
///
/// [`Failure::OwnPath`], if no worker can be started.
pub(crate) fn run(
    programs: &Programs,
    backends: &[Arc<dyn Backend>],
    runs: usize,
    isolate: bool,
) -> Result<Vec<CellReport>, Failure> {
    let programs: Vec<Arc<Program>> = programs.values().cloned().collect();
    let workers = Arc::new(Workshop::new(None));
    let bar = progress_bar(programs.len() * backends.len());
    let options = Options { runs, workers, isolate };
    let cells = run_all(&programs, backends, &options, &|done| bar.set_position(done as u64));
    bar.finish_and_clear();
    let mut cells: Vec<CellReport> = cells.iter().map(CellReport::of).collect();
    give_letters(&mut cells);
    Ok(cells)
}

/// Returns a bar on stderr. It is hidden unless stderr is a terminal.
fn progress_bar(cells: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} cells {elapsed}");
    let bar = ProgressBar::with_draw_target(Some(cells as u64), ProgressDrawTarget::stderr());
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
