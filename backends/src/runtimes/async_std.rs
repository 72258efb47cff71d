//! async-std, on its global executor.

use std::sync::Arc;

use async_std::task::{self, JoinHandle};
use harness::object::Message;
use harness::runtime::{Ending, Runtime, join_unwinding};

/// The version of async-std that was built.
pub const VERSION: &str = env!("VERSION_ASYNC_STD");

/// async-std's global executor.
pub struct AsyncStd;

/// async-std re-exports async-lock's mutex, so its native pair is the adapter of that library. This line stops
/// compiling on the day when it does not.
const _: fn(async_std::sync::Mutex<()>) -> async_lock::Mutex<()> = |mutex| mutex;

/// Returns the global executor.
pub fn global() -> Arc<AsyncStd> {
    Arc::new(AsyncStd)
}

impl Runtime for AsyncStd {
    type Handle = JoinHandle<()>;
    const DROP_ABORTS: bool = false;

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        task::spawn(task)
    }

    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        task::block_on(future)
    }

    async fn join(&self, handle: JoinHandle<()>) -> Ending {
        join_unwinding(handle).await
    }

    async fn abort(&self, handle: JoinHandle<()>) -> Ending {
        match handle.cancel().await {
            Some(()) => Ending::Returned,
            None => Ending::Aborted(Message::none()),
        }
    }

    fn detach(&self, handle: JoinHandle<()>) {
        drop(handle);
    }
}
