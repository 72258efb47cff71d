//! Which backends a command runs: the `--backend` patterns, held against those that are built and those that could be.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use backends::Entry;
use globset::GlobMatcher;
use harness::backend::{Backend, Remote};
use harness::isolation::{WorkerCommand, Workshop};
use harness::report::CellReport;
use harness::runner::Options;
use harness::scenario::diagnostic::nearest;
use releases::id::ReleaseId;

use crate::bootstrap;
use crate::cells;
use crate::failure::{Ending, Failure};
use crate::glob::matcher;
use crate::scenario_choice::Programs;
use crate::{output, release_runs};

/// Which backends.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct BackendChoice {
    /// Run these backends: an id, a glob, `all` that are built in, or releases such as `tokio@1.53.1`, `trio+anyio@4.5.0` or
    /// 'asyncio+anyio@>=4.4'. Without it, the native pair of every runtime.
    #[arg(long = "backend", value_name = "GLOB|all")]
    pub(crate) patterns: Vec<String>,
    /// Run the backend of this worker: a program in any language that speaks the protocol of docs/PROTOCOL.md
    #[arg(long = "worker", value_name = "COMMAND")]
    pub(crate) workers: Vec<String>,
    /// How long a worker may be silent, and how long one of this program may keep a processor busy in silence
    /// [default: 10s and 2s]
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    pub(crate) watchdog: Option<Duration>,
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let number = text.strip_suffix('s').unwrap_or(text);
    let seconds: f64 = number.parse().map_err(|_| format!("`{text}` is no number of seconds, such as 10 or 0.5"))?;
    let duration = Duration::try_from_secs_f64(seconds).ok().filter(|duration| !duration.is_zero());
    duration.ok_or_else(|| "a number above 0 is needed".to_owned())
}

impl BackendChoice {
    /// Returns the choice of the one backend `id`.
    pub(crate) fn one(id: &str) -> Self {
        Self { patterns: vec![id.to_owned()], ..Self::default() }
    }

    /// Returns the place of the workers that the choice asks for.
    pub(crate) fn workshop(&self) -> Workshop {
        let workshop = Workshop::new(self.watchdog);
        match harness::isolation::own_program() {
            Ok(program) => workshop.guarded_by(program),
            Err(_) => workshop,
        }
    }

    /// Runs every scenario on the backends that are asked for, once in each seat. Those that do not start are noted on
    /// stderr, and are how the command ends.
    ///
    /// # Errors
    ///
    /// [`Failure`], if no backend starts.
    pub(crate) fn run_once(&self, programs: &Programs) -> Result<(Vec<CellReport>, Ending), Failure> {
        let workers = Arc::new(self.workshop());
        let columns = self.start_available(&workers)?;
        let ending = columns.say_unavailable();
        Ok((cells::run(programs, &columns.backends, &Options::once(workers), None)?, ending))
    }

    /// Starts the backends that are asked for, all of them: those that are built in, in the order of their ids, then the
    /// workers in the order in which they are given. If none is asked for, those are the native ones.
    ///
    /// # Errors
    ///
    /// [`Failure::Unknown`] or [`Failure::NotBuilt`], if a pattern matches no backend that is built;
    /// [`Failure::Isolation`], if a worker does not start; [`Failure::Twice`], if two have one id.
    pub(crate) fn start(&self, workshop: &Workshop) -> Result<Vec<Arc<dyn Backend>>, Failure> {
        let columns = self.start_available(workshop)?;
        match columns.unavailable.into_iter().next() {
            Some(first) => Err(first.failure),
            None => Ok(columns.backends),
        }
    }

    /// Starts the backends that are asked for, in the order of [`start`](Self::start), and says which of them did not start.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start) for what is asked for in error, and if no backend starts at all.
    pub(crate) fn start_available(&self, workshop: &Workshop) -> Result<Columns, Failure> {
        let (releases, built_in): (Vec<&String>, Vec<&String>) =
            self.patterns.iter().partition(|pattern| is_release(pattern));
        let is_default = self.patterns.is_empty() && self.workers.is_empty();
        let mut columns = Columns::default();
        if is_default || !built_in.is_empty() {
            columns.backends = start_built_in(&built_in)?;
        }
        // Their workers may have to be made, which is much waiting for others.
        for together in releases.chunks(std::thread::available_parallelism().map_or(1, usize::from)) {
            for (id, started) in together.iter().zip(start_together(together, workshop)) {
                match started {
                    Ok(started) => columns.extend(started),
                    Err(failure) => columns.lack(id, failure)?,
                }
            }
        }
        for worker in &self.workers {
            match greet(workshop, worker_command(worker)?) {
                Ok(backend) => columns.backends.push(Arc::new(backend)),
                Err(failure) => columns.lack(worker, failure)?,
            }
        }
        let mut ids = BTreeSet::new();
        if let Some(backend) = columns.backends.iter().find(|backend| !ids.insert(backend.id().to_owned())) {
            return Err(Failure::Twice { id: backend.id().to_owned() });
        }
        match columns.backends.is_empty() {
            true if !columns.unavailable.is_empty() => Err(columns.unavailable.swap_remove(0).failure),
            _ => Ok(columns),
        }
    }
}

/// The columns of a command: the backends that started, and what did not.
#[derive(Default)]
pub(crate) struct Columns {
    /// The backends that started.
    pub(crate) backends: Vec<Arc<dyn Backend>>,
    /// What did not start. It costs its own column only.
    pub(crate) unavailable: Vec<Unavailable>,
}

/// A backend that did not start.
pub(crate) struct Unavailable {
    /// The id or the command by which it was asked for.
    pub(crate) id: String,
    /// Why.
    pub(crate) failure: Failure,
}

impl Columns {
    pub(crate) fn extend(&mut self, other: Columns) {
        self.backends.extend(other.backends);
        self.unavailable.extend(other.unavailable);
    }

    /// Notes that a backend did not start.
    ///
    /// # Errors
    ///
    /// The failure itself, if it is the user's: a name or version that there is not.
    pub(crate) fn lack(&mut self, id: &str, failure: Failure) -> Result<(), Failure> {
        if !failure.is_of_backend() {
            return Err(failure);
        }
        self.unavailable.push(Unavailable { id: id.to_owned(), failure });
        Ok(())
    }

    /// Says on stderr which backends did not start. Returns how the command ends because of that.
    pub(crate) fn say_unavailable(&self) -> Ending {
        for it in &self.unavailable {
            output::note(&format!("unavailable backend: {}: {}", it.id, it.failure));
        }
        if self.unavailable.is_empty() { Ending::Expected } else { Ending::Failed }
    }
}

/// Greets a worker. What it says that this program does not know is noted on stderr.
///
/// # Errors
///
/// [`Failure::Isolation`], if it does not start or says no hello.
pub(crate) fn greet(workshop: &Workshop, command: WorkerCommand) -> Result<Remote, Failure> {
    let backend = Remote::greet(workshop, command)?;
    if let Some(warning) = backend.warning() {
        output::note(&format!("warning: {warning}"));
    }
    Ok(backend)
}

/// Starts the releases that each of several ids means, side by side.
fn start_together(ids: &[&String], workshop: &Workshop) -> Vec<Result<Columns, Failure>> {
    std::thread::scope(|scope| {
        let starts: Vec<_> = ids.iter().map(|id| scope.spawn(|| release_runs::start_all(id, workshop))).collect();
        starts.into_iter().map(|start| start.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

/// Returns whether a pattern names releases, which run in workers of their own. One that is wrong counts as one, so that it
/// is told what is wrong with it.
fn is_release(pattern: &str) -> bool {
    !matches!(ReleaseId::parse(pattern), Ok(None))
}

/// Starts the backends that are built in and match one of `patterns`, or the native ones if there is none.
fn start_built_in(patterns: &[&String]) -> Result<Vec<Arc<dyn Backend>>, Failure> {
    bootstrap::require_backends()?;
    let entries = backends::all();
    let mut chosen = vec![false; entries.len()];
    if patterns.is_empty() {
        entries.iter().zip(&mut chosen).for_each(|(entry, is_chosen)| *is_chosen = entry.native);
    }
    for pattern in patterns {
        let matches = matcher(if *pattern == "all" { "*" } else { pattern })?;
        let mut found = false;
        for (_, is_chosen) in entries.iter().zip(&mut chosen).filter(|(entry, _)| matches.is_match(&entry.id)) {
            (*is_chosen, found) = (true, true);
        }
        if !found {
            return Err(nothing_like(pattern, &matches, &entries));
        }
    }
    Ok(entries.iter().zip(chosen).filter(|(_, is_chosen)| *is_chosen).map(|(entry, _)| entry.start()).collect())
}

/// Returns the command of a worker, split as a shell does.
///
/// # Errors
///
/// [`Failure::WorkerCommand`].
pub(crate) fn worker_command(text: &str) -> Result<WorkerCommand, Failure> {
    let failure = |reason: String| Failure::WorkerCommand { command: text.to_owned(), reason };
    let words = shell_words::split(text).map_err(|error| failure(error.to_string()))?;
    let mut words = words.into_iter();
    let program = words.next().ok_or_else(|| failure("it is empty".to_owned()))?;
    Ok(WorkerCommand::foreign(program, words))
}

fn nothing_like(pattern: &str, matches: &GlobMatcher, entries: &[Entry]) -> Failure {
    let known = backends::known();
    if let Some(known) = known.iter().find(|known| matches.is_match(&known.id)) {
        return Failure::NotBuilt { id: known.id.clone(), features: known.features.join(",") };
    }
    let releases: Vec<String> = releases::resolve::pairs().collect();
    let ids = known.iter().map(|known| known.id.as_str()).chain(releases.iter().map(String::as_str));
    let hint = match nearest(pattern, ids) {
        Some(near) => format!("did you mean `{near}`? `keyalike list --backends` names them all"),
        None if entries.is_empty() => "`keyalike list --features` names what can be built".to_owned(),
        None => "`keyalike list --backends` names them all".to_owned(),
    };
    Failure::Unknown { what: "backend", name: pattern.to_owned(), hint }
}
