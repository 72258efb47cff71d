//! A source of identities, which is one for the whole program.

mod polling;

use std::cell::Cell;

use keyalike_strict::{
    AcquireError, Mode, Source, StrictMutex, TokioSync, TryAcquireError, current_task, set_source, task,
};
use polling::ByHand;

thread_local! {
    static RUNS: Cell<Option<u64>> = const { Cell::new(None) };
}

static NAMED: std::sync::LazyLock<StrictMutex<u64, TokioSync>> =
    std::sync::LazyLock::new(|| StrictMutex::with_mode(0, Mode::EndlessWaits));

/// The name of a task. It asks a strict mutex, so it would hang if it was called under a lock of ours.
fn name(number: u64) -> Option<String> {
    *NAMED.try_acquire().ok()? = number;
    Some(format!("worker-{number}"))
}

/// The source comes before the runtime, which would say something else.
#[cfg(feature = "tokio-tasks")]
fn check_on_tokio() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("it needs no driver");
    let task = runtime.block_on(async { tokio::spawn(async { current_task() }).await }).expect("it does not panic");
    assert_eq!(task, current_task());
}

#[test]
fn source_says_who_asks_where_no_task_runs() {
    set_source(Source::new(|| RUNS.get()).with_names(name)).expect("nobody has set one yet");
    assert_eq!(current_task(), None);
    RUNS.set(Some(7));
    let mutex = StrictMutex::<_, TokioSync>::with_mode((), Mode::EndlessWaits);
    let guard = mutex.try_acquire().expect("it is free");
    let Err(TryAcquireError::Reentrant(refused)) = mutex.try_acquire() else { panic!("worker-7 holds it") };
    assert_eq!(refused.task, "task worker-7");
    let holder = mutex.statistics().holder.expect("worker-7 holds it");
    assert_eq!((holder.task, holder.name.as_deref()), (current_task(), Some("worker-7")));
    RUNS.set(Some(8));
    assert_eq!(mutex.try_acquire().err(), Some(TryAcquireError::Busy));
    drop(guard);

    let strict = StrictMutex::<_, TokioSync>::new(());
    let mut inner = ByHand::new(task(async { strict.acquire().await.map(drop) }));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let mut acquire = std::pin::pin!(strict.acquire());
    let std::task::Poll::Ready(Ok(guard)) = acquire.as_mut().poll(&mut cx) else { panic!("it is free") };
    inner.waits();
    let mut again = std::pin::pin!(strict.acquire());
    let std::task::Poll::Ready(Err(AcquireError::Reentrant(refused))) = again.as_mut().poll(&mut cx) else {
        panic!("worker-8 holds it")
    };
    assert_eq!(refused.task, "task worker-8");
    #[cfg(feature = "tokio-tasks")]
    check_on_tokio();
    drop(guard);
    assert_eq!(inner.ends(), Ok(()), "a task is itself, whoever the source says runs there");
}
