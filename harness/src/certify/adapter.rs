//! Looks for faults of an adapter itself: of the lines that say how a lock is acquired, or how a runtime spawns.
//!
//! The oracle judges locks, and takes for granted that an adapter translates. Here an adapter is asked by hand, one
//! poll at a time, for what every lock and every runtime owes. No clock convicts the innocent: where a fault can only
//! be seen by waiting, as a thread that does not come back, the wait is bounded by [`PATIENCE`].

mod bench;
mod lock;
mod runs;
mod runtime;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::driver::MakeObject;
use crate::runtime::Runtime;
use bench::Bench;

/// How long a call that must come back may take.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The adapter of a lock, ready to be certified.
#[derive(Clone, Debug)]
pub struct Adapter {
    make: MakeObject,
    capabilities: Vec<&'static str>,
    blocks: Option<fn() -> bool>,
}

impl Adapter {
    /// Returns the adapter that makes objects by `make` and declares `capabilities`, in the words of reports.
    #[must_use]
    pub fn new(make: MakeObject, capabilities: Vec<&'static str>) -> Self {
        Self { make, capabilities, blocks: None }
    }

    /// Adds what finds out whether a free lock is granted in the blocking way, declared or not.
    #[must_use]
    pub fn with_blocking_probe(mut self, blocks: fn() -> bool) -> Self {
        self.blocks = Some(blocks);
        self
    }

    fn declares(&self, word: &str) -> bool {
        self.capabilities.contains(&word)
    }
}

/// What an adapter was convicted of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Certificate {
    /// The faults, in the order in which they were found. None for an honest adapter.
    pub convictions: Vec<Conviction>,
}

/// A fault that an adapter has.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conviction {
    /// Its name.
    pub fault: Fault,
    /// What was done and what came of it, and how to put it right, as a sentence without a full stop.
    pub told: String,
}

/// The faults of an adapter, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// Two runs of one script differ, or two new locks print differently.
    Nondeterminism,
    /// A waiter is woken from another thread, or while nobody touches the lock.
    ExternalWake,
    /// One acquire takes the lock, and then takes it again.
    AcquiresTwice,
    /// The lock is not free after its guard was dropped.
    GuardDoesNotRelease,
    /// Something is declared, and calling it fails.
    CapabilityNotThere,
    /// Something works, and is not declared.
    CapabilityUndeclared,
    /// Two locks are one: to hold the first is to hold the second.
    SharesState,
    /// An acquire or a try of a free lock gives an error.
    RefusesAFreeLock,
    /// An acquire by another task than the holder's gives an error instead of a wait.
    RefusesToWait,
    /// An acquire of a free lock waits.
    WaitsForAFreeLock,
    /// An acquire or a try of a held lock succeeds.
    GrantsAHeldLock,
    /// A try of a held lock does not come back.
    TryWaits,
    /// An acquire of a held lock blocks its thread.
    BlocksItsThread,
    /// An acquire that waits wakes itself again and again.
    BusyWait,
    /// A release wakes nobody, though somebody waits.
    LosesTheWake,
    /// `is-locked` says what is not so, or leaves the lock in another state.
    IsLockedLies,
    /// Printing the lock panics.
    DebugPanics,
    /// Another operation panics.
    Panics,
    /// A spawned task is never polled, or never to its end.
    SpawnRunsNothing,
    /// A join returns before its task has ended.
    JoinReturnsEarly,
    /// A join does not say that its task panicked.
    JoinLosesThePanic,
    /// An abort returns before the future of its task is dropped.
    AbortReturnsEarly,
    /// An abort leaves its task alive.
    AbortDoesNotEnd,
    /// A task that was aborted is reported to have ended otherwise.
    EndingMisreported,
    /// `DROP_ABORTS` says what the drop of a handle does not do.
    DropAbortsDeclaredWrong,
    /// A task that was detached ends.
    DetachEndsTheTask,
    /// `promises_wake` promises a wake that does not come.
    PromisesAWake,
    /// `block_on` does not return what its future returns.
    BlockOnDoesNotReturn,
}

impl Fault {
    /// Returns its name as reports write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Fault::Nondeterminism => "nondeterminism",
            Fault::ExternalWake => "external-wake",
            Fault::AcquiresTwice => "acquires-twice",
            Fault::GuardDoesNotRelease => "guard-does-not-release",
            Fault::CapabilityNotThere => "capability-not-there",
            Fault::CapabilityUndeclared => "capability-undeclared",
            Fault::SharesState => "shares-state",
            Fault::RefusesAFreeLock => "refuses-a-free-lock",
            Fault::RefusesToWait => "refuses-to-wait",
            Fault::WaitsForAFreeLock => "waits-for-a-free-lock",
            Fault::GrantsAHeldLock => "grants-a-held-lock",
            Fault::TryWaits => "try-waits",
            Fault::BlocksItsThread => "blocks-its-thread",
            Fault::BusyWait => "busy-wait",
            Fault::LosesTheWake => "loses-the-wake",
            Fault::IsLockedLies => "is-locked-lies",
            Fault::DebugPanics => "debug-panics",
            Fault::Panics => "panics",
            Fault::SpawnRunsNothing => "spawn-runs-nothing",
            Fault::JoinReturnsEarly => "join-returns-early",
            Fault::JoinLosesThePanic => "join-loses-the-panic",
            Fault::AbortReturnsEarly => "abort-returns-early",
            Fault::AbortDoesNotEnd => "abort-does-not-end",
            Fault::EndingMisreported => "ending-misreported",
            Fault::DropAbortsDeclaredWrong => "drop-aborts-declared-wrong",
            Fault::DetachEndsTheTask => "detach-ends-the-task",
            Fault::PromisesAWake => "promises-a-wake",
            Fault::BlockOnDoesNotReturn => "block-on-does-not-return",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Certificate {
    /// Returns whether no fault was found.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.convictions.is_empty()
    }

    /// Returns whether a fault was found.
    #[must_use]
    pub fn convicts(&self, fault: Fault) -> bool {
        self.convictions.iter().any(|conviction| conviction.fault == fault)
    }

    /// Panics if a fault was found, and names every one.
    ///
    /// # Panics
    ///
    /// If it does not hold.
    #[track_caller]
    pub fn assert_holds(&self) {
        assert!(self.holds(), "{self}");
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.holds() {
            return f.write_str("the adapter is honest, as far as can be seen");
        }
        f.write_str("the adapter is at fault:")?;
        self.convictions.iter().try_for_each(|conviction| write!(f, "\n  {}: {}", conviction.fault, conviction.told))
    }
}

fn convict(fault: Fault, told: impl Into<String>) -> Conviction {
    Conviction { fault, told: told.into() }
}

/// Certifies the adapter of a lock on a runtime, and that of the runtime.
///
/// A check that never comes back leaves a thread behind, and is the last of its kind to be made.
#[must_use]
pub fn certify<R: Runtime>(runtime: &Arc<R>, adapter: &Adapter) -> Certificate {
    let mut certificate = certify_runtime(runtime);
    let runtime_holds = certificate.holds();
    certificate.convictions.extend(lock::check_all(&Bench::new(runtime), adapter));
    // What a run shows is worth nothing on a runtime or a lock that is at fault already.
    if runtime_holds && certificate.holds() {
        certificate.convictions.extend(runs::check(&Bench::new(runtime), adapter));
    }
    certificate
}

/// Certifies the adapter of a runtime alone.
#[must_use]
pub fn certify_runtime<R: Runtime>(runtime: &Arc<R>) -> Certificate {
    Certificate { convictions: runtime::check_all(&Bench::new(runtime)) }
}
