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
    /// The words by which ids call its locks, the plain one first.
    pub words: &'static [&'static str],
    /// The runtimes on which its locks run.
    pub runtimes: &'static [&'static str],
    /// The runtimes that it brings itself: `tokio@1.40.0` is that release's runtime with its own locks.
    pub own_runtimes: &'static [&'static str],
    /// What a worker of one of its releases is built of.
    pub(crate) subject: Option<Subject>,
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

const fn cargo(name: &'static str, words: &'static [&'static str], subject: Subject) -> Package {
    Package { name, ecosystem: Ecosystem::Cargo, words, runtimes: &["smol"], own_runtimes: &[], subject: Some(subject) }
}

const fn python(name: &'static str, words: &'static [&'static str], runtimes: &'static [&'static str]) -> Package {
    Package { name, ecosystem: Ecosystem::Python, words, runtimes, own_runtimes: &[], subject: None }
}

const ASYNC_LOCK: Subject = Subject { adapter: "async_lock", under: None, features: &["std"], default_features: true };

/// Every package whose releases can be run.
pub static PACKAGES: &[Package] = &[
    Package {
        own_runtimes: &["tokio", "tokio-current-thread"],
        ..cargo(
            "tokio",
            &["tokio", "tokio-owned"],
            Subject {
                adapter: "tokio",
                under: None,
                features: &["sync", "rt", "rt-multi-thread", "rt-core", "rt-threaded"],
                default_features: false,
            },
        )
    },
    cargo("async-lock", &["async-lock", "async-lock-arc"], ASYNC_LOCK),
    cargo("event-listener", &["event-listener"], Subject { under: Some("async-lock"), ..ASYNC_LOCK }),
    cargo(
        "async-std",
        &["async-std", "async-std-arc"],
        Subject { adapter: "async_std", under: None, features: &["std"], default_features: true },
    ),
    cargo(
        "smol",
        &["smol", "smol-arc"],
        Subject { adapter: "smol", under: None, features: &[], default_features: true },
    ),
    cargo(
        "futures-util",
        &["futures", "futures-owned"],
        Subject { adapter: "futures_util", under: None, features: &["std"], default_features: false },
    ),
    python("anyio", &["anyio", "anyio-fast", "anyio-task-cancel"], &["asyncio", "trio", "asyncio-eager", "uvloop"]),
    Package { own_runtimes: &["trio"], ..python("trio", &["trio", "strict-fifo"], &["trio"]) },
    Package { own_runtimes: &["uvloop"], ..python("uvloop", &["uvloop"], &["uvloop"]) },
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
        PACKAGES.iter().find(|package| package.words.contains(&word) || package.name == word)
    }
}
