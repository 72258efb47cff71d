//! Pairs a runtime with every lock library that was built.

use std::sync::Arc;

use harness::backend::{LockLibrary, Pair};
use harness::runtime::Runtime;
use harness::subject::{Description, Subject};

use crate::{Entry, locks};

/// What a runtime or a lock library is called here, and the crate that it comes from.
#[derive(Clone, Copy)]
pub(crate) struct Named {
    id: &'static str,
    name: &'static str,
    version: &'static str,
}

const fn named(id: &'static str, name: &'static str, version: &'static str) -> Named {
    Named { id, name, version }
}

#[cfg(feature = "backend-tokio")]
pub(crate) const TOKIO: Named = named("tokio", "tokio", env!("VERSION_TOKIO"));
#[cfg(feature = "backend-tokio")]
pub(crate) const TOKIO_CURRENT_THREAD: Named = named("tokio-current-thread", "tokio", env!("VERSION_TOKIO"));
#[cfg(feature = "backend-async-std")]
pub(crate) const ASYNC_STD: Named = named("async-std", "async-std", env!("VERSION_ASYNC_STD"));
#[cfg(feature = "backend-smol")]
pub(crate) const SMOL: Named = named("smol", "smol", env!("VERSION_SMOL"));

#[cfg(feature = "backend-tokio")]
const TOKIO_OWNED: Named = named("tokio-owned", "tokio", env!("VERSION_TOKIO"));
#[cfg(feature = "backend-async-lock")]
const ASYNC_LOCK: Named = named("async-lock", "async-lock", env!("VERSION_ASYNC_LOCK"));
#[cfg(feature = "backend-async-lock")]
const ASYNC_LOCK_ARC: Named = named("async-lock-arc", "async-lock", env!("VERSION_ASYNC_LOCK"));
#[cfg(feature = "backend-futures")]
const FUTURES: Named = named("futures", "futures-util", env!("VERSION_FUTURES_UTIL"));
#[cfg(feature = "backend-futures")]
const FUTURES_OWNED: Named = named("futures-owned", "futures-util", env!("VERSION_FUTURES_UTIL"));

#[cfg(feature = "backend-strict")]
const STRICT: Named = named("strict", "keyalike-strict", env!("VERSION_KEYALIKE_STRICT"));
#[cfg(all(feature = "backend-strict", feature = "backend-tokio"))]
const NAIVE: Named = named("naive", "tokio", env!("VERSION_TOKIO"));

/// Returns the pairs of a runtime, which `start` starts, with every lock library that was built. `native` is the id of its
/// own.
pub(crate) fn with_every_lock<R: Runtime>(runtime: Named, native: &str, start: fn() -> Arc<R>) -> Vec<Entry> {
    let entries: Vec<Option<Entry>> = vec![
        #[cfg(feature = "backend-tokio")]
        Some(pair::<R, locks::tokio::Tokio>(runtime, TOKIO, native, start)),
        #[cfg(feature = "backend-tokio")]
        Some(pair::<R, locks::tokio::TokioOwned>(runtime, TOKIO_OWNED, native, start)),
        #[cfg(feature = "backend-async-lock")]
        Some(pair::<R, locks::async_lock::AsyncLock>(runtime, ASYNC_LOCK, native, start)),
        #[cfg(feature = "backend-async-lock")]
        Some(pair::<R, locks::async_lock::AsyncLockArc>(runtime, ASYNC_LOCK_ARC, native, start)),
        #[cfg(feature = "backend-futures")]
        Some(pair::<R, locks::futures::Futures>(runtime, FUTURES, native, start)),
        #[cfg(feature = "backend-futures")]
        Some(pair::<R, locks::futures::FuturesOwned>(runtime, FUTURES_OWNED, native, start)),
        #[cfg(all(feature = "backend-strict", feature = "backend-tokio"))]
        decorated::<R, locks::strict::StrictTokio>(runtime, STRICT, "strict-tokio", native, start),
        #[cfg(all(feature = "backend-strict", feature = "backend-async-lock"))]
        decorated::<R, locks::strict::StrictAsyncLock>(runtime, STRICT, "strict-async-lock", native, start),
        #[cfg(all(feature = "backend-strict", feature = "backend-futures"))]
        decorated::<R, locks::strict::StrictFutures>(runtime, STRICT, "strict-futures", native, start),
        #[cfg(all(feature = "backend-strict", feature = "backend-tokio"))]
        decorated::<R, locks::naive::Naive>(runtime, NAIVE, "naive", native, start),
    ];
    entries.into_iter().flatten().collect()
}

/// Returns the pair of a runtime with a lock that stands on another lock library, if it has one. All strict mutexes are held
/// to the same snapshots, whatever is below them, so that they are one lock library here.
#[cfg(feature = "backend-strict")]
fn decorated<R: Runtime, L: LockLibrary>(
    runtime: Named,
    locks: Named,
    id: &'static str,
    native: &str,
    start: fn() -> Arc<R>,
) -> Option<Entry> {
    let below = crate::DECORATORS.iter().find(|(decorator, _)| *decorator == id).map_or(id, |(_, below)| below);
    let id = crate::decorator(id, below, native)?;
    let mut entry = pair::<R, L>(runtime, Named { id, ..locks }, native, start);
    entry.locks = locks.id;
    Some(entry)
}

fn pair<R: Runtime, L: LockLibrary>(runtime: Named, locks: Named, native: &str, start: fn() -> Arc<R>) -> Entry {
    let native = locks.id == native;
    let id = if native { runtime.id.to_owned() } else { format!("{}+{}", runtime.id, locks.id) };
    let subject = |named: Named| Subject { name: named.name.to_owned(), version: named.version.to_owned() };
    let description = Description {
        id: id.clone(),
        runtime: subject(runtime),
        locks: subject(locks),
        capabilities: Vec::new(),
        native,
    };
    Entry {
        id,
        locks: locks.id,
        native,
        start: Box::new(move || Arc::new(Pair::of::<L>(start(), description.clone()))),
    }
}
