//! smol, on its global executor.

use std::sync::Arc;

use harness::object::Message;
use harness::runtime::{Ending, Runtime, join_unwinding};
use smol::Task;

/// The version of smol that was built.
pub const VERSION: &str = env!("VERSION_SMOL");

/// smol's global executor.
pub struct Smol;

/// smol re-exports async-lock's mutex, so its native pair is the adapter of that library. This line stops compiling on
/// the day when it does not.
const _: fn(smol::lock::Mutex<()>) -> async_lock::Mutex<()> = |mutex| mutex;

/// Returns the global executor.
pub fn global() -> Arc<Smol> {
    Arc::new(Smol)
}

impl Runtime for Smol {
    type Handle = Task<()>;
    const DROP_ABORTS: bool = true;

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> Task<()> {
        smol::spawn(task)
    }

    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        smol::block_on(future)
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
