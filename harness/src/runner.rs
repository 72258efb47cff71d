//! Runs scenarios on backends: twice, with the conductor in a task and in `block_on`, in a process of its own where the
//! scenario can block a thread, and as often as asked.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::backend::Backend;
use crate::driver::{DriveError, Runs, Seat};
use crate::isolation::{IsolationError, WorkerCommand, Workshop};
use crate::outcome::Outcome;
use crate::program::Program;
use crate::promises::Promises;
use crate::transcript::{Record, Transcript};

/// How to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// How often each cell runs with the conductor in each seat, at least 1.
    pub runs: usize,
    /// The workers, for the scenarios that need one.
    pub workers: Arc<Workshop>,
    /// Whether every scenario runs in a worker.
    pub isolate: bool,
    /// Asked between two runs of a cell that runs more than once in each seat: whether it is broken off there.
    pub breaks_off: fn() -> bool,
}

impl Options {
    /// Returns how to run each cell to its end, once in each seat, and in a worker only if it needs one.
    pub fn once(workers: Arc<Workshop>) -> Self {
        Self { runs: 1, workers, isolate: false, breaks_off: || false }
    }
}

/// What one backend did with one scenario.
#[derive(Debug)]
pub struct Cell {
    /// The scenario.
    pub program: Arc<Program>,
    /// The id of the backend.
    pub backend: String,
    /// The outcome, or why there is none.
    pub outcome: Result<Outcome, CellError>,
}

/// A cell without an outcome: the environment's fault or the harness's own, never the lock's.
#[derive(Debug, thiserror::Error)]
pub enum CellError {
    /// The driver could not run it.
    #[error(transparent)]
    Drive(#[from] DriveError),
    /// The worker could not run it.
    #[error(transparent)]
    Isolation(#[from] IsolationError),
    /// Two runs differ, so neither is the outcome.
    #[error(
        "two runs of one cell differ: {}",
        .0.iter().map(|variant| format!("{} of {}", variant.count, variant.seat)).collect::<Vec<_>>().join(", ")
    )]
    Varies(Vec<Variant>),
    /// It was broken off before its last run, and the runs that were made do not differ.
    #[error("broken off before its last run; run it again")]
    BrokenOff,
}

/// One of the different outcomes of a cell.
#[derive(Clone, Debug)]
pub struct Variant {
    /// What came out.
    pub outcome: Outcome,
    /// How often.
    pub count: usize,
    /// Where the conductor sat when it came out first.
    pub seat: &'static str,
}

/// Runs one scenario on one backend.
///
/// # Errors
///
/// [`CellError`], if a run has no outcome, if two runs differ, or if it is broken off.
pub fn run_cell(backend: &dyn Backend, program: &Arc<Program>, options: &Options) -> Result<Outcome, CellError> {
    if program.lacks(&backend.description().capabilities).is_some() {
        return Ok(Outcome::of(Transcript::lacking(program)));
    }
    let promises = Promises::of(&backend.description().capabilities);
    let mut variants: Vec<(Record, Variant)> = Vec::new();
    let worker = match backend.worker() {
        Some(worker) => Some(worker.clone()),
        None if options.isolate || program.scenario.needs_isolation() => {
            Some(WorkerCommand::own(backend.id()).map_err(IsolationError::OwnPath)?)
        }
        None => None,
    };
    // A cell that runs once in each seat is nearly done.
    let breaks_off = if options.runs > 1 { options.breaks_off } else { || false };
    let mut is_broken_off = false;
    for &seat in backend.seats() {
        let seat_name = match seat {
            Seat::Spawned => "spawned",
            Seat::BlockOn => "block_on",
        };
        let mut left = options.runs;
        let mut receive = |transcript: Transcript| {
            left -= 1;
            // Records are compared before they are put into words, because that is cheap; those that differ only in the
            // numbers of a runtime's tasks are equal in words.
            if let Some((_, known)) = variants.iter_mut().find(|(record, _)| *record == transcript.record) {
                known.count += 1;
                return;
            }
            let record = transcript.record.clone();
            let outcome = Outcome::under(promises, transcript);
            match variants.iter_mut().find(|(_, known)| known.outcome.lines == outcome.lines) {
                Some((_, known)) => known.count += 1,
                None => variants.push((record, Variant { outcome, count: 1, seat: seat_name })),
            }
        };
        let runs = Runs { seat, count: options.runs, breaks_off };
        match &worker {
            Some(worker) => options.workers.drive(worker, program, runs, &mut receive)?,
            None => backend.drive(program, runs, None, &mut receive)?,
        }
        is_broken_off = left > 0 && breaks_off();
        if is_broken_off {
            break;
        }
    }
    let mut variants: Vec<Variant> = variants.into_iter().map(|(_, variant)| variant).collect();
    match variants.len() {
        0 | 1 if is_broken_off => Err(CellError::BrokenOff),
        1 => Ok(variants.remove(0).outcome),
        _ => Err(CellError::Varies(variants)),
    }
}

/// Runs every scenario on every backend: one thread per runtime, and the scenarios that need a worker beside them.
/// Those that are done already, as they are when their turn comes, are left out, and so are those that are broken off;
/// `finished` hears each of the others as soon as it is done.
pub fn run_all(
    programs: &[Arc<Program>],
    backends: &[Arc<dyn Backend>],
    options: &Options,
    is_done: &(dyn Fn(&Program, &dyn Backend) -> bool + Sync),
    finished: &(dyn Fn(&Cell) + Sync),
) -> Vec<Cell> {
    let cells: Mutex<BTreeMap<(usize, usize), Cell>> = Mutex::default();
    let run = |row: usize, column: usize| {
        let (program, backend) = (&programs[row], &backends[column]);
        let outcome = run_cell(&**backend, program, options);
        if let Err(CellError::BrokenOff) = outcome {
            return;
        }
        let cell = Cell { program: Arc::clone(program), backend: backend.id().to_owned(), outcome };
        finished(&cell);
        cells.lock().unwrap_or_else(PoisonError::into_inner).insert((row, column), cell);
    };
    let is_to_run = |row: usize, column: usize| !is_done(&programs[row], &*backends[column]);
    let needs_worker = |row: usize, column: usize| {
        options.isolate || backends[column].worker().is_some() || programs[row].scenario.needs_isolation()
    };
    let isolated: Vec<(usize, usize)> = (0..programs.len())
        .flat_map(|row| (0..backends.len()).map(move |column| (row, column)))
        .filter(|&(row, column)| needs_worker(row, column) && is_to_run(row, column))
        .collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for columns in columns_by_runtime(backends) {
            let run = &run;
            scope.spawn(move || {
                for column in columns {
                    let is_mine = |&row: &usize| !needs_worker(row, column) && is_to_run(row, column);
                    (0..programs.len()).filter(is_mine).for_each(|row| run(row, column));
                }
            });
        }
        // Two for each core: one that watches a hung worker until it is sure has nothing to do.
        let workers = (2 * std::thread::available_parallelism().map_or(1, usize::from)).min(isolated.len());
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(&(row, column)) = isolated.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // Asked again: a run may be broken off meanwhile.
                    if is_to_run(row, column) {
                        run(row, column);
                    }
                }
            });
        }
    });
    cells.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
}

/// Groups the columns by their runtime: backends of one runtime share its threads, and run one after the other.
fn columns_by_runtime(backends: &[Arc<dyn Backend>]) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (column, backend) in backends.iter().enumerate() {
        let runtime = backend.id().split('+').next().unwrap_or_default();
        groups.entry(runtime).or_default().push(column);
    }
    groups.into_values().collect()
}
