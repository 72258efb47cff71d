//! Planted bad adapters, each convicted by the name of its fault and of no other; and the honest ones, which are not.

mod planted {
    pub(crate) mod locks;
    pub(crate) mod runtimes;
}

use std::sync::Arc;

use backends::locks::naive::Naive;
use harness::backend::LockLibrary;
use harness::certify::adapter::{self, Adapter};
use harness::runtime::Runtime;
use keyalike::runtimes::{async_std, smol, tokio, tokio_current_thread};
use keyalike::{AsyncMutex, Certificate, Fault, certify};
use planted::{locks, runtimes};
use rstest::rstest;

#[track_caller]
fn check_convicted(certificate: &Certificate, fault: Fault) {
    let faults: Vec<Fault> = certificate.convictions.iter().map(|conviction| conviction.fault).collect();
    assert_eq!(faults, [fault], "{certificate}");
}

fn lock<M: AsyncMutex>() -> Certificate {
    std::panic::set_hook(Box::new(|_| {}));
    certify::<M>(&smol())
}

fn runtime<R: Runtime>(runtime: R) -> Certificate {
    adapter::certify_runtime(&Arc::new(runtime))
}

// The five that matter most.
#[rstest]
#[case::nondeterminism(lock::<locks::Moody>(), Fault::Nondeterminism)]
#[case::external_wake(lock::<locks::WokenByAThread>(), Fault::ExternalWake)]
#[case::acquires_twice(lock::<locks::AcquiresTwice>(), Fault::AcquiresTwice)]
#[case::guard_does_not_release(lock::<locks::KeepsItsGuard>(), Fault::GuardDoesNotRelease)]
#[case::capability_not_there(lock::<locks::DeclaresBlocking>(), Fault::CapabilityNotThere)]
// The same faults in other clothes.
#[case::number_in_debug(lock::<locks::NumberedDebug>(), Fault::Nondeterminism)]
#[case::polls_by_a_thread(lock::<locks::PolledByAThread>(), Fault::ExternalWake)]
#[case::takes_again_before_it_lets_go(lock::<locks::WaitsForItself>(), Fault::AcquiresTwice)]
#[case::takes_again_from_the_queue(lock::<locks::AcquiresTwiceInTurn>(), Fault::AcquiresTwice)]
#[case::try_guard_does_not_release(lock::<locks::KeepsItsTryGuard>(), Fault::GuardDoesNotRelease)]
#[case::blocking_guard_does_not_release(lock::<locks::KeepsItsBlockingGuard>(), Fault::GuardDoesNotRelease)]
#[case::blocking_panics(lock::<locks::TodoBlocking>(), Fault::CapabilityNotThere)]
#[case::blocking_never_returns(lock::<locks::EndlessBlocking>(), Fault::CapabilityNotThere)]
// What else an adapter can do wrong.
#[case::capability_undeclared(lock::<locks::HidesBlocking>(), Fault::CapabilityUndeclared)]
#[case::shares_state(lock::<locks::OneForAll>(), Fault::SharesState)]
#[case::acquire_refuses(lock::<locks::AlwaysRefuses>(), Fault::RefusesAFreeLock)]
#[case::try_refuses(lock::<locks::TryRefuses>(), Fault::RefusesAFreeLock)]
#[case::refuses_to_wait(lock::<locks::TriesInsteadOfWaiting>(), Fault::RefusesToWait)]
#[case::waits_for_a_free_lock(lock::<locks::NeverGrants>(), Fault::WaitsForAFreeLock)]
#[case::grants_a_held_lock(lock::<locks::NoLockAtAll>(), Fault::GrantsAHeldLock)]
#[case::try_waits(lock::<locks::TryWaits>(), Fault::TryWaits)]
#[case::blocks_its_thread(lock::<locks::BlocksInPoll>(), Fault::BlocksItsThread)]
#[case::busy_wait(lock::<locks::Spins>(), Fault::BusyWait)]
#[case::loses_the_wake(lock::<locks::LosesItsWaker>(), Fault::LosesTheWake)]
#[case::is_locked_lies(lock::<locks::IsLockedLies>(), Fault::IsLockedLies)]
#[case::is_locked_leaves_a_trace(lock::<locks::IsLockedLeaks>(), Fault::IsLockedLies)]
#[case::debug_panics(lock::<locks::DebugPanics>(), Fault::DebugPanics)]
#[case::panics(lock::<locks::Panics>(), Fault::Panics)]
fn bad_adapter_of_a_lock_is_convicted_by_its_fault(#[case] certificate: Certificate, #[case] fault: Fault) {
    check_convicted(&certificate, fault);
}

#[rstest]
#[case::spawn_runs_nothing(runtime(runtimes::RunsNothing), Fault::SpawnRunsNothing)]
#[case::join_loses_the_panic(runtime(runtimes::LosesPanics), Fault::JoinLosesThePanic)]
#[case::join_passes_the_panic_on(runtime(runtimes::PassesPanicsOn), Fault::JoinLosesThePanic)]
#[case::abort_returns_early(runtime(runtimes::AbortsEarly), Fault::AbortReturnsEarly)]
#[case::abort_does_not_end(runtime(runtimes::AbortsNothing), Fault::AbortDoesNotEnd)]
#[case::ending_misreported(runtime(runtimes::MisreportsAborts), Fault::EndingMisreported)]
#[case::drop_aborts_and_says_no(runtime(runtimes::DropAborts), Fault::DropAbortsDeclaredWrong)]
#[case::drop_detaches_and_says_no(runtime(runtimes::DropDetaches), Fault::DropAbortsDeclaredWrong)]
#[case::detach_ends_the_task(runtime(runtimes::DetachEnds), Fault::DetachEndsTheTask)]
#[case::promises_a_wake(runtime(runtimes::PromisesWakes), Fault::PromisesAWake)]
#[case::block_on_does_not_return(runtime(runtimes::NeverReturns), Fault::BlockOnDoesNotReturn)]
fn bad_adapter_of_a_runtime_is_convicted_by_its_fault(#[case] certificate: Certificate, #[case] fault: Fault) {
    check_convicted(&certificate, fault);
}

/// It cannot know of a panic that it does not wait for, so it has two faults.
#[test]
fn join_that_does_not_wait_is_convicted_of_that_first() {
    let certificate = runtime(runtimes::JoinsEarly);
    let faults: Vec<Fault> = certificate.convictions.iter().map(|conviction| conviction.fault).collect();
    assert_eq!(faults, [Fault::JoinReturnsEarly, Fault::JoinLosesThePanic], "{certificate}");
}

fn check_honest<L: LockLibrary>() {
    let adapter = Adapter::new(L::make, L::capabilities());
    adapter::certify(&backends::runtimes::tokio::multi_thread(), &adapter).assert_holds();
    adapter::certify(&backends::runtimes::tokio::current_thread(), &adapter).assert_holds();
    adapter::certify(&backends::runtimes::async_std::global(), &adapter).assert_holds();
    adapter::certify(&backends::runtimes::smol::global(), &adapter).assert_holds();
}

#[rstest]
#[case::tokio(check_honest::<backends::locks::tokio::Tokio>)]
#[case::tokio_owned(check_honest::<backends::locks::tokio::TokioOwned>)]
#[case::async_lock(check_honest::<backends::locks::async_lock::AsyncLock>)]
#[case::async_lock_arc(check_honest::<backends::locks::async_lock::AsyncLockArc>)]
#[case::futures(check_honest::<backends::locks::futures::Futures>)]
#[case::futures_owned(check_honest::<backends::locks::futures::FuturesOwned>)]
#[case::strict_tokio(check_honest::<backends::locks::strict::StrictTokio>)]
#[case::strict_async_lock(check_honest::<backends::locks::strict::StrictAsyncLock>)]
#[case::strict_futures(check_honest::<backends::locks::strict::StrictFutures>)]
fn adapter_of_the_backends_is_honest(#[case] check: fn()) {
    check();
}

/// What no task asks for may be refused. On a runtime that knows no tasks, it is refused to all.
#[test]
fn lock_that_needs_a_task_is_asked_in_one() {
    certify::<locks::NeedsATask>(&tokio()).assert_holds();
    certify::<locks::NeedsATask>(&tokio_current_thread()).assert_holds();
    check_convicted(&certify::<locks::NeedsATask>(&smol()), Fault::RefusesAFreeLock);
}

/// The naive remedy for re-entry is a fact that the matrix shows, and no adapter to be certified: whoever finds the mutex
/// locked is told so and does not wait, whether he is the holder or not.
#[test]
fn naive_remedy_refuses_to_wait() {
    let adapter = Adapter::new(Naive::make, Naive::capabilities());
    let certificates = [
        adapter::certify(&backends::runtimes::tokio::multi_thread(), &adapter),
        adapter::certify(&backends::runtimes::tokio::current_thread(), &adapter),
    ];
    for certificate in certificates {
        check_convicted(&certificate, Fault::RefusesToWait);
        let told = certificate.to_string();
        assert!(told.contains("this mutex is locked already"), "{told}");
    }
}

#[test]
fn certificate_is_one_line_for_a_stranger() {
    for runtime in [smol(), tokio(), tokio_current_thread(), async_std()] {
        certify::<locks::Honest>(&runtime).assert_holds();
    }
}

#[test]
fn fault_is_named_with_what_was_done() {
    let certificate = lock::<locks::KeepsItsGuard>();
    assert_eq!(
        certificate.to_string(),
        "the adapter is at fault:\n  guard-does-not-release: the guard of an acquire was dropped, and the lock is not free; \
         return the guard of the library itself"
    );
}
