//! What the harness costs: against the same scenarios written by hand, and against the usual timeouts.
//!
//! Criterion measures each figure by itself; then alternating batches give the ratios, which hold on a noisy machine too.
//! A benchmark reports: it holds nobody to its figures.

mod bare;
mod paired;
mod ratios;
mod usual;

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use backends::runtimes;
use criterion::{BenchmarkId, Criterion, SamplingMode};
use harness::backend::Backend;
use harness::driver::{Runs, Seat};
use harness::isolation::Workshop;
use harness::outcome::Outcome;
use harness::program::Program;
use harness::runner::{Options, run_all};
use harness::suite::Suite;
use harness::verdict::Verdict;
use keyalike_suites as suites;

use bare::Case;
use paired::time;

/// Runs of one batch with a spawned conductor, which hands over as many at once.
const BATCH: usize = 256;
/// Runs of one batch with the conductor in `block_on`, where each run changes threads at every step.
const BATCH_BLOCK_ON: usize = 32;

static SUITE: LazyLock<Suite> =
    LazyLock::new(|| suites::read(&suites::root()).unwrap_or_else(|error| panic!("{error}")));

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, serve, flag, id] = &arguments[..]
        && (serve.as_str(), flag.as_str()) == ("serve", "--backend")
    {
        return serve_backend(id);
    }
    let mut criterion = Criterion::default()
        .sample_size(20)
        // The default takes longer to analyse than to measure.
        .nresamples(10_000)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
        .configure_from_args();
    let subjects = subjects();
    for case in Case::ALL {
        scenario_figures(&mut criterion, &subjects, case);
    }
    block_on_figures(&mut criterion, &subjects);
    timeout_figures(&mut criterion, &subjects);
    suite_figure(&mut criterion, &subjects);
    criterion.final_summary();
    // Without `--bench`, Cargo only tests that the benchmark runs; a profile or a list has no use for ratios.
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    if has("--bench") && !has("--list") && !has("--profile-time") {
        ratios::print(&subjects);
    }
    ExitCode::SUCCESS
}

/// Serves as a worker for the scenarios that can block a thread.
fn serve_backend(id: &str) -> ExitCode {
    let entries = backends::all();
    match entries.iter().find(|entry| entry.id == id).map(|entry| harness::worker::serve(&*entry.start())) {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(error)) => {
            eprintln!("{error}");
            ExitCode::from(3)
        }
        None => {
            eprintln!("{id} is not built into this benchmark");
            ExitCode::from(2)
        }
    }
}

/// A native backend, and what is done on its runtime with its lock by hand.
struct Subject {
    backend: Arc<dyn Backend>,
    bare: fn(Case, Seat, usize),
    usual: fn(),
}

/// A subject's part that is written by hand.
type HandWritten = (fn(Case, Seat, usize), fn());

fn subjects() -> Vec<Subject> {
    type TokioMutex = tokio::sync::Mutex<()>;
    type AsyncLockMutex = async_lock::Mutex<()>;
    let hand_written = |id: &str| -> HandWritten {
        match id {
            "tokio" => (
                |case, seat, runs| bare::run::<_, TokioMutex>(&runtimes::tokio::multi_thread(), case, seat, runs),
                usual::tokio,
            ),
            "tokio-current-thread" => (
                |case, seat, runs| bare::run::<_, TokioMutex>(&runtimes::tokio::current_thread(), case, seat, runs),
                usual::tokio_current_thread,
            ),
            "async-std" => (
                |case, seat, runs| bare::run::<_, AsyncLockMutex>(&runtimes::async_std::global(), case, seat, runs),
                usual::async_std,
            ),
            "smol" => (
                |case, seat, runs| bare::run::<_, AsyncLockMutex>(&runtimes::smol::global(), case, seat, runs),
                usual::smol,
            ),
            other => panic!("{other} has no twin written by hand; add it to `subjects`"),
        }
    };
    let native = backends::all().into_iter().filter(|entry| entry.native);
    native
        .map(|entry| {
            let (bare, usual) = hand_written(&entry.id);
            Subject { backend: entry.start(), bare, usual }
        })
        .collect()
}

fn program(case: Case) -> &'static Arc<Program> {
    let name = case.scenario().parse().expect("the names of the cases are names");
    SUITE.programs.get(&name).unwrap_or_else(|| panic!("the suite has no {name}; give the case another scenario"))
}

impl Subject {
    /// Drives `case`, and judges nothing.
    fn drive(&self, case: Case, seat: Seat, runs: usize) {
        let driven = self
            .backend
            .drive(program(case), Runs::new(seat, runs), None, &mut |transcript| drop(black_box(transcript)));
        driven.unwrap_or_else(|error| panic!("{error}"));
    }

    /// Drives `case` and makes an outcome of every run.
    fn drive_and_judge(&self, case: Case, seat: Seat, runs: usize) {
        let mut receive = |transcript| {
            let outcome = black_box(Outcome::of(transcript));
            assert_eq!(outcome.verdict == Verdict::Deadlock, case == Case::Reentry, "{}", outcome.text());
        };
        let driven = self.backend.drive(program(case), Runs::new(seat, runs), None, &mut receive);
        driven.unwrap_or_else(|error| panic!("{error}"));
    }
}

/// Measures batches of `runs`, each of which counts as one iteration of criterion.
fn batches<'a>(
    group: &mut criterion::BenchmarkGroup<'a, criterion::measurement::WallTime>,
    (name, id): (&str, &str),
    runs: usize,
    work: impl Fn(usize),
) {
    group.bench_function(BenchmarkId::new(name, id), |bencher| {
        // What one run costs: the change of threads at either end is shared by the batch.
        bencher.iter_custom(|iterations| {
            let taken = time(|| (0..iterations).for_each(|_| work(runs)));
            taken / u32::try_from(runs).expect("a batch is small")
        });
    });
}

fn scenario_figures(criterion: &mut Criterion, subjects: &[Subject], case: Case) {
    let mut group = criterion.benchmark_group(case.scenario());
    group.sampling_mode(SamplingMode::Flat);
    for subject in subjects {
        let id = subject.backend.id();
        batches(&mut group, ("bare", id), BATCH, |runs| (subject.bare)(case, Seat::Spawned, runs));
        batches(&mut group, ("drive", id), BATCH, |runs| subject.drive(case, Seat::Spawned, runs));
        batches(&mut group, ("drive+judge", id), BATCH, |runs| subject.drive_and_judge(case, Seat::Spawned, runs));
    }
    group.finish();
}

fn block_on_figures(criterion: &mut Criterion, subjects: &[Subject]) {
    let mut group = criterion.benchmark_group(format!("{} in block_on", Case::HandOn.scenario()));
    group.sampling_mode(SamplingMode::Flat);
    for subject in subjects {
        let id = subject.backend.id();
        batches(&mut group, ("bare", id), BATCH_BLOCK_ON, |runs| (subject.bare)(Case::HandOn, Seat::BlockOn, runs));
        batches(&mut group, ("drive", id), BATCH_BLOCK_ON, |runs| subject.drive(Case::HandOn, Seat::BlockOn, runs));
    }
    group.finish();
}

fn timeout_figures(criterion: &mut Criterion, subjects: &[Subject]) {
    let mut group = criterion.benchmark_group(format!("{} by timeout", Case::Reentry.scenario()));
    group.sampling_mode(SamplingMode::Flat).sample_size(10);
    for subject in subjects {
        group.bench_function(subject.backend.id(), |bencher| bencher.iter(subject.usual));
    }
    group.finish();
}

/// Every scenario, generated ones too, on the native backends: twice each, once per seat of the conductor.
fn suite_figure(criterion: &mut Criterion, subjects: &[Subject]) {
    let programs: Vec<Arc<Program>> = SUITE.programs.values().cloned().collect();
    let backends: Vec<Arc<dyn Backend>> = subjects.iter().map(|subject| Arc::clone(&subject.backend)).collect();
    let options = Options::once(Arc::new(Workshop::new(None)));
    let mut group = criterion.benchmark_group("the whole suite");
    group.sampling_mode(SamplingMode::Flat).sample_size(10);
    group.bench_function("the native backends", |bencher| {
        bencher.iter(|| {
            let cells = run_all(&programs, &backends, &options, &|_, _| false, &|_| {});
            assert!(cells.iter().all(|cell| cell.outcome.is_ok()), "every cell has an outcome");
            cells
        });
    });
    group.finish();
}
