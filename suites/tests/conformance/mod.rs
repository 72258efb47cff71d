//! The body that every test entry point shares: one visible, stably named test per scenario and backend.
//!
//! A backend with a folder in `snapshots/`, and every native one, is held to its own snapshots. Every other pair is held
//! to the snapshots of its lock library on another runtime, wherever the scenario concerns the lock alone: if the two
//! disagree, the fault is the harness's.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, LazyLock};

use backends::Entry;
use harness::backend::Backend;
use harness::isolation::Workshop;
use harness::program::Program;
use harness::suite::Suite;
use keyalike::reviewed;
use keyalike_suites as suites;
use libtest_mimic::{Arguments, Failed, Trial};

static SUITE: LazyLock<Suite> =
    LazyLock::new(|| suites::read(&suites::root()).unwrap_or_else(|error| panic!("{error}")));
static WORKERS: LazyLock<Arc<Workshop>> = LazyLock::new(|| Arc::new(Workshop::new(None)));

/// Runs the tests of every built backend whose runtime is one of `runtimes`, or serves as a worker for one of them.
pub(crate) fn main(runtimes: &[&str]) -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, serve, flag, id] = &arguments[..]
        && (serve.as_str(), flag.as_str()) == ("serve", "--backend")
    {
        return serve_backend(id);
    }
    let entries = backends::all();
    let own = entries.iter().filter(|entry| runtimes.contains(&runtime_of(&entry.id)));
    let trials = own.flat_map(|entry| trials(entry.start(), &standard(entry, &entries))).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Runs the tests of backends that live in workers, each with the backend to whose snapshots it is held, if it has none of
/// its own.
#[cfg_attr(feature = "backend-python", allow(dead_code, reason = "the entry points of runtimes have no use for it"))]
#[cfg(feature = "backend-python")]
pub(crate) fn main_of_workers(
    ids: &[(&str, Option<&str>)],
    start: impl Fn(&str, &Workshop) -> Result<Arc<dyn Backend>, String>,
) -> ExitCode {
    let mut all = Vec::new();
    for (id, sibling) in ids {
        let standard = sibling.map_or(Standard::Own, |sibling| Standard::Sibling(sibling.to_owned()));
        match start(id, &WORKERS) {
            Ok(backend) => all.extend(trials(backend, &standard)),
            Err(error) => all.push(Trial::test(format!("{id}::starts"), move || Err(Failed::from(error)))),
        }
    }
    libtest_mimic::run(&Arguments::from_args(), all).exit_code()
}

fn serve_backend(id: &str) -> ExitCode {
    let entries = backends::all();
    let served = entries.iter().find(|entry| entry.id == id).map(|entry| harness::worker::serve(&*entry.start()));
    match served {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(error)) => {
            eprintln!("{error}");
            ExitCode::from(3)
        }
        None => {
            eprintln!("{id} is not built into this test");
            ExitCode::from(2)
        }
    }
}

fn runtime_of(id: &str) -> &str {
    id.split('+').next().unwrap_or(id)
}

/// What the outcomes of a backend are held to.
#[derive(Clone)]
enum Standard {
    /// Its own snapshots.
    Own,
    /// The snapshots of this backend, which has the same locks.
    Sibling(String),
}

fn trials(backend: Arc<dyn Backend>, standard: &Standard) -> Vec<Trial> {
    let id = backend.id().to_owned();
    let mut trials = Vec::new();
    // What needs a primitive that the library lacks is counted by `keyalike run`, and has no snapshot.
    let capabilities = &backend.description().capabilities;
    let has = |program: &Program| program.lacks(capabilities).is_none();
    let single = SUITE.programs.iter().filter(|(name, _)| name.theme() != suites::pairs::THEME);
    for (name, program) in single.filter(|(_, program)| has(program)) {
        let (backend, program, standard) = (Arc::clone(&backend), Arc::clone(program), standard.clone());
        let trial = move || check_scenario(&*backend, &program, &standard);
        trials.push(Trial::test(format!("{id}::{name}"), trial));
    }
    for first in first_verbs() {
        let (backend, standard, verb) = (Arc::clone(&backend), standard.clone(), first.clone());
        let trial = move || check_pairs(&*backend, &verb, &standard);
        trials.push(Trial::test(format!("{id}::{}/{first}", suites::pairs::THEME), trial));
    }
    if matches!(standard, Standard::Own) {
        trials.push(Trial::test(format!("{id}::snapshots_are_reviewed_and_have_their_scenario"), move || {
            Ok(reviewed::check_folder(&folder(&id), has_subject)?)
        }));
    }
    trials
}

/// Returns what `entry` is held to. A lock library is at home on the runtime of its native pair; one that has none, on
/// the first backend that has a folder of snapshots.
fn standard(entry: &Entry, entries: &[Entry]) -> Standard {
    if entry.native || folder(&entry.id).is_dir() {
        return Standard::Own;
    }
    const HOMES: &[(&str, &str)] = &[("tokio", "tokio"), ("async-lock", "smol")];
    let home = HOMES.iter().find(|(locks, _)| *locks == entry.locks).map(|(_, home)| (*home).to_owned());
    let first = || {
        let same = entries.iter().filter(|other| other.locks == entry.locks);
        same.map(|other| other.id.clone()).find(|id| folder(id).is_dir())
    };
    Standard::Sibling(home.or_else(first).unwrap_or_else(|| format!("tokio+{}", entry.locks)))
}

fn folder(backend: &str) -> PathBuf {
    suites::snapshots().join(backend)
}

fn observe(backend: &dyn Backend, program: &Arc<Program>) -> Result<String, Failed> {
    let outcome = keyalike::cells::observe(backend, program, &WORKERS)?;
    Ok(outcome.text())
}

fn check_scenario(backend: &dyn Backend, program: &Arc<Program>, standard: &Standard) -> Result<(), Failed> {
    let text = observe(backend, program)?;
    let name = program.scenario.name.as_str();
    match standard {
        Standard::Own => assert_reviewed(backend.id(), name, &text),
        Standard::Sibling(_) if program.scenario.concerns_runtime() => Ok(()),
        Standard::Sibling(sibling) => assert_like_sibling(backend.id(), sibling, name, &text),
    }
}

/// Checks all pairs that begin with one verb: a table, in one snapshot.
fn check_pairs(backend: &dyn Backend, first: &str, standard: &Standard) -> Result<(), Failed> {
    let prefix = format!("{}/{first}-then-", suites::pairs::THEME);
    let programs = SUITE.programs.iter().filter(|(name, _)| name.as_str().starts_with(&prefix));
    let mut table = Vec::new();
    for (name, program) in programs {
        if matches!(standard, Standard::Sibling(_)) && program.scenario.concerns_runtime() {
            continue;
        }
        table.push(format!("{name}\n{}", observe(backend, program)?));
    }
    let name = format!("{}/{first}", suites::pairs::THEME);
    match standard {
        Standard::Own => assert_reviewed(backend.id(), &name, &table.join("\n\n")),
        Standard::Sibling(sibling) => {
            let reviewed = reviewed::read_snapshot(&folder(sibling), &name)?;
            let known: BTreeSet<&str> = reviewed.split("\n\n").collect();
            match table.iter().find(|entry| !known.contains(entry.as_str())) {
                None => Ok(()),
                Some(entry) => Err(unlike(backend.id(), sibling, &name, entry)),
            }
        }
    }
}

fn first_verbs() -> BTreeSet<String> {
    let tables = SUITE.programs.keys().filter_map(suites::pairs::table);
    tables.filter_map(|table| table.as_str().rsplit_once('/').map(|(_, first)| first.to_owned())).collect()
}

fn assert_reviewed(backend: &str, name: &str, text: &str) -> Result<(), Failed> {
    let compare = |name: &str, text: &str| insta::assert_snapshot!(name, text);
    Ok(reviewed::assert_reviewed(&folder(backend), name, text, compare)?)
}

fn assert_like_sibling(backend: &str, sibling: &str, name: &str, text: &str) -> Result<(), Failed> {
    match reviewed::read_snapshot(&folder(sibling), name)? == text {
        true => Ok(()),
        false => Err(unlike(backend, sibling, name, text)),
    }
}

fn unlike(backend: &str, sibling: &str, name: &str, text: &str) -> Failed {
    Failed::from(format!(
        "{backend} and {sibling} have the same locks, and {name} concerns no runtime, yet they differ. The harness is at \
         fault, or the library knows its runtime. {backend} did:\n{text}"
    ))
}

fn has_subject(name: &str) -> bool {
    let is_table = name
        .strip_prefix(suites::pairs::THEME)
        .is_some_and(|rest| rest.strip_prefix('/').is_some_and(|verb| first_verbs().contains(verb)));
    is_table || name.parse().is_ok_and(|name| SUITE.programs.contains_key(&name))
}
