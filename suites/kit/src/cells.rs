//! Runs cells: for everybody who writes an entry point of his own.
//!
//! The kit's own tests run each once in a process, because several of them look at the same one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use harness::backend::Backend;
use harness::isolation::Workshop;
use harness::outcome::Outcome;
use harness::program::Program;
use harness::runner::{CellError, Options, run_cell};

/// What a cell came to, or why it has no outcome.
pub(crate) type Observed = Arc<Result<Outcome, String>>;

/// The cells that have run.
#[derive(Default)]
pub(crate) struct Cells {
    workers: Arc<Workshop>,
    done: Mutex<HashMap<(String, String), Observed>>,
}

impl Cells {
    /// Returns what `program` comes to on `backend`.
    pub(crate) fn observe(&self, backend: &dyn Backend, program: &Arc<Program>) -> Observed {
        let key = (backend.id().to_owned(), program.scenario.name.to_string());
        if let Some(known) = self.done.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(known);
        }
        let observed = Arc::new(observe(backend, program, &self.workers));
        self.done.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&observed));
        observed
    }
}

/// Runs a cell with the conductor in each seat.
///
/// # Errors
///
/// Why it has no outcome: it could not be run, or two runs of it differ.
pub fn observe(backend: &dyn Backend, program: &Arc<Program>, workers: &Arc<Workshop>) -> Result<Outcome, String> {
    let options = Options::once(Arc::clone(workers));
    run_cell(backend, program, &options).map_err(|error| match error {
        CellError::Varies(variants) => {
            let texts = variants.iter().map(|variant| format!("{}:\n{}", variant.seat, variant.outcome.text()));
            format!("two runs differ, so neither is the outcome:\n{}", texts.collect::<Vec<_>>().join("\n\n"))
        }
        error => error.to_string(),
    })
}
