//! Keyalike's adapters: one file per runtime and one per lock library, and every pair of them that was built.
//!
//! An adapter translates. It knows no scenario and expects nothing of its subject.

mod bare;
pub mod locks {
    //! One file per lock library.
    #[cfg(feature = "backend-async-lock")]
    pub mod async_lock;
    #[cfg(feature = "backend-futures")]
    pub mod futures;
    #[cfg(all(feature = "backend-strict", feature = "backend-tokio"))]
    pub mod naive;
    #[cfg(feature = "backend-strict")]
    pub mod strict;
    #[cfg(feature = "backend-tokio")]
    pub mod tokio;
}
pub mod runtimes {
    //! One file per runtime.
    #[cfg(feature = "backend-async-std")]
    pub mod async_std;
    #[cfg(feature = "backend-smol")]
    pub mod smol;
    #[cfg(feature = "backend-tokio")]
    pub mod tokio;
}

#[cfg(any(feature = "backend-tokio", feature = "backend-async-std", feature = "backend-smol"))]
mod pairing;

use std::sync::Arc;

pub use bare::syntax;
use harness::backend::Backend;
use harness::explore::Explorable;

/// Every `backend-*` feature there is, built or not, with what it adds.
pub const FEATURES: &[(&str, &str)] = &[
    ("backend-tokio", "the runtimes tokio and tokio-current-thread, and the locks of tokio::sync"),
    ("backend-async-std", "the runtime async-std, with its own locks, which are async-lock's"),
    ("backend-smol", "the runtime smol, with its own locks, which are async-lock's"),
    ("backend-async-lock", "the locks of async-lock, on every runtime that is built"),
    ("backend-futures", "the locks of futures-util, on every runtime that is built"),
    ("backend-strict", "the strict mutex over every lock library that is built, and the naive remedy over tokio's"),
    ("backend-all", "all of these"),
    ("backend-python", "the tests of the locks of Python: asyncio, trio and anyio; needs Python 3 with venv and pip"),
];

/// Every runtime there is, built or not: its id, its feature, and the locks of its native pair.
const RUNTIMES: &[(&str, &str, &str)] = &[
    ("tokio", "backend-tokio", "tokio"),
    ("tokio-current-thread", "backend-tokio", "tokio"),
    ("async-std", "backend-async-std", "async-lock"),
    ("smol", "backend-smol", "async-lock"),
];

/// Every lock library there is, built or not: its id and its feature.
const LOCKS: &[(&str, &str)] = &[
    ("tokio", "backend-tokio"),
    ("tokio-owned", "backend-tokio"),
    ("async-lock", "backend-async-lock"),
    ("async-lock-arc", "backend-async-lock"),
    ("futures", "backend-futures"),
    ("futures-owned", "backend-futures"),
];

/// The feature of the locks that stand on another lock library.
const STRICT: &str = "backend-strict";

/// Every lock that stands on another lock library: its id, and the id of that one. Over a runtime's native locks the strict
/// mutex is called `strict`, over others by its longer name. The naive remedy stands on native locks only.
const DECORATORS: &[(&str, &str)] = &[
    ("strict-tokio", "tokio"),
    ("strict-async-lock", "async-lock"),
    ("strict-futures", "futures"),
    ("naive", "tokio"),
];

/// Returns what a decorator of the locks `below` is called on a runtime with these native locks.
fn decorator<'a>(id: &'a str, below: &str, native: &str) -> Option<&'a str> {
    match (id, below == native) {
        ("naive", is_native) => is_native.then_some(id),
        (_, true) => Some("strict"),
        (_, false) => Some(id),
    }
}

/// A backend that there is, built or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// `RUNTIME+LOCKS`, or the runtime alone for its native pair.
    pub id: String,
    /// The features that build it.
    pub features: Vec<&'static str>,
}

/// Returns every backend that there is, built or not, in alphabetical order of their ids.
pub fn known() -> Vec<Known> {
    let pairs = RUNTIMES.iter().flat_map(|runtime| LOCKS.iter().map(move |locks| (runtime, locks)));
    let mut known: Vec<Known> = pairs
        .map(|(&(runtime, feature, native), &(locks, locks_feature))| {
            let id = if locks == native { runtime.to_owned() } else { format!("{runtime}+{locks}") };
            // A runtime's feature brings its native locks, in either way of borrowing them.
            let brings = LOCKS.iter().any(|(id, feature)| *id == native && *feature == locks_feature);
            let features = if brings { vec![feature] } else { vec![feature, locks_feature] };
            Known { id, features }
        })
        .collect();
    for &(runtime, feature, native) in RUNTIMES {
        for &(id, below) in DECORATORS {
            let below_feature = LOCKS.iter().find(|(locks, _)| *locks == below).map_or(STRICT, |(_, feature)| feature);
            let mut features = vec![feature, below_feature, STRICT];
            if below == native {
                features.remove(1);
            }
            known.extend(decorator(id, below, native).map(|id| Known { id: format!("{runtime}+{id}"), features }));
        }
    }
    known.sort_by(|one, other| one.id.cmp(&other.id));
    known
}

/// A backend that was built and not started.
pub struct Entry {
    /// `RUNTIME+LOCKS`, or the runtime alone for its native pair.
    pub id: String,
    /// The lock library, as ids call it.
    pub locks: &'static str,
    /// Whether it is a runtime's native pair, and so a column by default.
    pub native: bool,
    start: Box<dyn Fn() -> Arc<dyn Backend> + Send + Sync>,
}

impl Entry {
    /// Starts the runtime, if no other backend has, and returns the backend.
    pub fn start(&self) -> Arc<dyn Backend> {
        (self.start)()
    }
}

/// A lock library that was built, as the explorer sees it: without a runtime.
#[derive(Clone, Copy, Debug)]
pub struct Locks {
    /// As ids of backends call it.
    pub id: &'static str,
    /// The crate that it comes from, and its version.
    pub subject: (&'static str, &'static str),
    /// How it is explored.
    pub explorable: Explorable,
}

/// Returns every lock library that was built, in the order of [`known`] ones.
pub fn lock_libraries() -> Vec<Locks> {
    #[cfg(any(feature = "backend-tokio", feature = "backend-async-lock", feature = "backend-futures"))]
    fn locks<L: harness::backend::LockLibrary>(id: &'static str, name: &'static str, version: &'static str) -> Locks {
        Locks { id, subject: (name, version), explorable: L::explorable() }
    }
    vec![
        #[cfg(feature = "backend-tokio")]
        locks::<locks::tokio::Tokio>("tokio", "tokio", env!("VERSION_TOKIO")),
        #[cfg(feature = "backend-tokio")]
        locks::<locks::tokio::TokioOwned>("tokio-owned", "tokio", env!("VERSION_TOKIO")),
        #[cfg(feature = "backend-async-lock")]
        locks::<locks::async_lock::AsyncLock>("async-lock", "async-lock", env!("VERSION_ASYNC_LOCK")),
        #[cfg(feature = "backend-async-lock")]
        locks::<locks::async_lock::AsyncLockArc>("async-lock-arc", "async-lock", env!("VERSION_ASYNC_LOCK")),
        #[cfg(feature = "backend-futures")]
        locks::<locks::futures::Futures>("futures", "futures-util", env!("VERSION_FUTURES_UTIL")),
        #[cfg(feature = "backend-futures")]
        locks::<locks::futures::FuturesOwned>("futures-owned", "futures-util", env!("VERSION_FUTURES_UTIL")),
        #[cfg(all(feature = "backend-strict", feature = "backend-tokio"))]
        locks::<locks::strict::StrictTokio>("strict-tokio", "keyalike-strict", env!("VERSION_KEYALIKE_STRICT")),
        #[cfg(all(feature = "backend-strict", feature = "backend-async-lock"))]
        locks::<locks::strict::StrictAsyncLock>(
            "strict-async-lock",
            "keyalike-strict",
            env!("VERSION_KEYALIKE_STRICT"),
        ),
        #[cfg(all(feature = "backend-strict", feature = "backend-futures"))]
        locks::<locks::strict::StrictFutures>("strict-futures", "keyalike-strict", env!("VERSION_KEYALIKE_STRICT")),
    ]
}

/// Returns every pair of a runtime and a lock library that were built, in alphabetical order of their ids.
pub fn all() -> Vec<Entry> {
    let by_runtime: Vec<Vec<Entry>> = vec![
        #[cfg(feature = "backend-tokio")]
        pairing::with_every_lock(pairing::TOKIO, "tokio", runtimes::tokio::multi_thread),
        #[cfg(feature = "backend-tokio")]
        pairing::with_every_lock(pairing::TOKIO_CURRENT_THREAD, "tokio", runtimes::tokio::current_thread),
        #[cfg(feature = "backend-async-std")]
        pairing::with_every_lock(pairing::ASYNC_STD, "async-lock", runtimes::async_std::global),
        #[cfg(feature = "backend-smol")]
        pairing::with_every_lock(pairing::SMOL, "async-lock", runtimes::smol::global),
    ];
    let mut entries: Vec<Entry> = by_runtime.into_iter().flatten().collect();
    entries.sort_by(|one, other| one.id.cmp(&other.id));
    entries
}

#[cfg(test)]
mod tests {
    /// What is listed and what is built are two lists; with every feature they must be one.
    #[cfg(all(feature = "backend-all", feature = "backend-tokio"))]
    #[test]
    fn with_every_feature_everything_that_is_known_is_built() {
        let built: Vec<String> = super::all().into_iter().map(|entry| entry.id).collect();
        let known: Vec<String> = super::known().into_iter().map(|known| known.id).collect();
        assert_eq!(built, known);
    }
}
