//! The same-task deadlock, found the usual way: by waiting 50 ms and giving up.

use std::hint::black_box;
use std::sync::LazyLock;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

/// How long a test usually waits before it calls a wait a deadlock.
pub(crate) const TIMEOUT: Duration = Duration::from_millis(50);

static MULTI_THREAD: LazyLock<Runtime> = LazyLock::new(|| start(Builder::new_multi_thread().worker_threads(2)));
static CURRENT_THREAD: LazyLock<Runtime> = LazyLock::new(|| start(&mut Builder::new_current_thread()));

fn start(builder: &mut Builder) -> Runtime {
    builder.enable_time().build().expect("a runtime with a timer needs nothing but threads")
}

/// On tokio's multi-thread runtime.
pub(crate) fn tokio() {
    on_tokio(&MULTI_THREAD);
}

/// On tokio's current-thread runtime.
pub(crate) fn tokio_current_thread() {
    on_tokio(&CURRENT_THREAD);
}

fn on_tokio(runtime: &Runtime) {
    let task = runtime.spawn(async {
        let mutex = tokio::sync::Mutex::new(());
        let _guard = mutex.lock().await;
        tokio::time::timeout(TIMEOUT, mutex.lock()).await.is_err()
    });
    assert!(black_box(runtime.block_on(task).expect("the task does not panic")));
}

/// On async-std.
pub(crate) fn async_std() {
    let task = async_std::task::spawn(async {
        let mutex = async_std::sync::Mutex::new(());
        let _guard = mutex.lock().await;
        async_std::future::timeout(TIMEOUT, mutex.lock()).await.is_err()
    });
    assert!(black_box(async_std::task::block_on(task)));
}

/// On smol.
pub(crate) fn smol() {
    let task = smol::spawn(async {
        let mutex = smol::lock::Mutex::new(());
        let _guard = mutex.lock().await;
        let granted = async {
            mutex.lock().await;
            false
        };
        let too_late = async {
            smol::Timer::after(TIMEOUT).await;
            true
        };
        smol::future::or(granted, too_late).await
    });
    assert!(black_box(smol::block_on(task)));
}
