//! The runtime of today on which the locks of any release run: smol's executor on one thread, as smol's own global
//! executor has it, and no reactor.

use std::panic::catch_unwind;
use std::sync::{Arc, OnceLock};

use async_executor::{Executor, Task};
use harness::object::Message;
use harness::runtime::{Ending, Runtime, join_unwinding};

/// smol's executor.
pub(crate) struct Smol;

static EXECUTOR: Executor<'static> = Executor::new();

/// Returns the executor, started.
pub(crate) fn global() -> Arc<Smol> {
    static STARTED: OnceLock<()> = OnceLock::new();
    STARTED.get_or_init(|| {
        std::thread::spawn(|| {
            loop {
                // A task that panics passes that on to whoever joins it; the others go on.
                let _ = catch_unwind(|| {
                    futures_lite::future::block_on(EXECUTOR.run(futures_lite::future::pending::<()>()));
                });
            }
        });
    });
    Arc::new(Smol)
}

impl Runtime for Smol {
    type Handle = Task<()>;
    const DROP_ABORTS: bool = true;

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> Task<()> {
        EXECUTOR.spawn(task)
    }

    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        futures_lite::future::block_on(future)
    }

    async fn join(&self, handle: Task<()>) -> Ending {
        join_unwinding(handle).await
    }

    async fn abort(&self, handle: Task<()>) -> Ending {
        match handle.cancel().await {
            Some(()) => Ending::Returned,
            None => Ending::Aborted(Message::none()),
        }
    }

    fn detach(&self, handle: Task<()>) {
        handle.detach();
    }
}
