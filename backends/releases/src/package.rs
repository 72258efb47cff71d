//! The packages whose releases can be run, and how ids call their locks.

use harness::scenario::diagnostic::nearest;

use crate::error::ReleaseError;
use crate::version::Ecosystem;

/// A package whose releases can be run.
#[derive(Debug, PartialEq, Eq)]
pub struct Package {
    /// Its name in the registry.
    pub name: &'static str,
    /// Where it is published.
    pub ecosystem: Ecosystem,
    /// Its locks, the plain ones first.
    pub locks: &'static [Locks],
    /// The runtimes that it brings itself: `tokio@1.40.0` is that release's runtime with its own locks.
    pub own_runtimes: &'static [&'static str],
    /// What a worker of one of its releases is built of: the first of these that fits the release.
    pub(crate) subjects: &'static [Subject],
}

/// Locks of a package, as ids call them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Locks {
    /// The word.
    pub word: &'static str,
    /// The runtimes on which they run.
    pub runtimes: &'static [&'static str],
}

/// What a Cargo worker of a package is built of.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    /// The folder of its adapter below `worker/subjects`.
    pub(crate) adapter: &'static str,
    /// The package that the adapter speaks to, if that is not the one whose releases are run.
    pub(crate) under: Option<&'static str>,
    /// The features to build it with, as far as the release has them.
    pub(crate) features: &'static [&'static str],
    /// Whether its default features are built.
    pub(crate) default_features: bool,
}

const fn cargo(name: &'static str, locks: &'static [Locks], subjects: &'static [Subject]) -> Package {
    Package { name, ecosystem: Ecosystem::Cargo, locks, own_runtimes: &[], subjects }
}

const fn python(name: &'static str, locks: &'static [Locks]) -> Package {
    Package { name, ecosystem: Ecosystem::Python, locks, own_runtimes: &[], subjects: &[] }
}

/// Locks of a Cargo package: they run on the executor of the worker.
const fn on_smol(word: &'static str) -> Locks {
    Locks { word, runtimes: &["smol"] }
}

/// The event loops of asyncio.
const LOOPS: &[&str] = &["asyncio", "asyncio-eager", "uvloop"];

const fn subject(adapter: &'static str) -> Subject {
    Subject { adapter, under: None, features: &["std"], default_features: true }
}

const ASYNC_LOCK: Subject = subject("async_lock");
/// Before 2.0 the lock was called `Lock`, and counted its owners itself.
const ASYNC_LOCK_COUNTED: Subject = subject("async_lock_counted");
const ASYNC_MUTEX: Subject = subject("async_mutex");

/// Every package whose releases can be run.
pub static PACKAGES: &[Package] = &[
    Package {
        own_runtimes: &["tokio", "tokio-current-thread"],
        ..cargo(
            "tokio",
            &[on_smol("tokio"), on_smol("tokio-owned")],
            &[Subject {
                features: &["sync", "rt", "rt-multi-thread", "rt-core", "rt-threaded"],
                default_features: false,
                ..subject("tokio")
            }],
        )
    },
    cargo("async-lock", &[on_smol("async-lock"), on_smol("async-lock-arc")], &[ASYNC_LOCK, ASYNC_LOCK_COUNTED]),
    cargo("async-mutex", &[on_smol("async-mutex"), on_smol("async-mutex-arc")], &[ASYNC_MUTEX]),
    cargo(
        "event-listener",
        &[on_smol("event-listener")],
        &[
            Subject { under: Some("async-lock"), ..ASYNC_LOCK },
            Subject { under: Some("async-mutex"), ..ASYNC_MUTEX },
            Subject { under: Some("async-lock"), ..ASYNC_LOCK_COUNTED },
        ],
    ),
    cargo("async-std", &[on_smol("async-std"), on_smol("async-std-arc")], &[subject("async_std")]),
    cargo("smol", &[on_smol("smol"), on_smol("smol-arc")], &[subject("smol"), subject("smol_counted")]),
    cargo(
        "futures-util",
        &[on_smol("futures"), on_smol("futures-owned")],
        &[Subject { default_features: false, ..subject("futures_util") }],
    ),
    python(
        "anyio",
        &[
            Locks { word: "anyio", runtimes: &["asyncio", "trio", "asyncio-eager", "uvloop"] },
            Locks { word: "anyio-fast", runtimes: &["asyncio", "trio", "asyncio-eager", "uvloop"] },
            // trio has no cancel of a task, only scopes.
            Locks { word: "anyio-task-cancel", runtimes: LOOPS },
        ],
    ),
    Package { own_runtimes: &["trio"], ..python("trio", &[Locks { word: "strict-fifo", runtimes: &["trio"] }]) },
    Package { own_runtimes: &["uvloop"], ..python("uvloop", &[]) },
];

impl Package {
    /// Returns the package with a name.
    ///
    /// # Errors
    ///
    /// [`ReleaseError::UnknownPackage`], with the nearest.
    pub fn named(name: &str) -> Result<&'static Self, ReleaseError> {
        PACKAGES.iter().find(|package| package.name == name).ok_or_else(|| {
            let names = || PACKAGES.iter().map(|package| package.name);
            let all = names().collect::<Vec<_>>().join(", ");
            let hint = match nearest(name, names()) {
                Some(near) => format!("did you mean `{near}`? There are {all}"),
                None => format!("there are {all}"),
            };
            ReleaseError::UnknownPackage { name: name.to_owned(), hint }
        })
    }

    /// Returns the package whose locks an id calls by `word`.
    pub fn of_word(word: &str) -> Option<&'static Self> {
        PACKAGES.iter().find(|package| package.name == word || package.locks.iter().any(|locks| locks.word == word))
    }

    /// Returns every pair of a runtime and its locks, without a version: `tokio`, `smol+tokio`, `trio+anyio-fast`.
    pub fn pairs(&self) -> impl Iterator<Item = String> {
        let own = self.own_runtimes.iter().map(|runtime| (*runtime).to_owned());
        let others = self.locks.iter().flat_map(|locks| {
            let runtimes = locks.runtimes.iter();
            runtimes.map(|runtime| format!("{runtime}+{}", locks.word))
        });
        own.chain(others)
    }

    /// Returns its plain locks. None for a package that is a runtime with the locks of another.
    pub fn plain_locks(&self) -> Option<&Locks> {
        self.locks.first()
    }
}
