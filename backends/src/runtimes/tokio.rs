//! tokio, in its two flavours.

use std::sync::{Arc, LazyLock};
use std::task::Context;

use harness::object::Message;
use harness::runtime::{Ending, Runtime};
use tokio::runtime::{Builder, Runtime as Inner};
use tokio::task::{JoinError, JoinHandle, coop};

/// The version of tokio that was built.
pub const VERSION: &str = env!("VERSION_TOKIO");

/// A tokio runtime.
pub struct Tokio(Inner);

static MULTI_THREAD: LazyLock<Arc<Tokio>> = LazyLock::new(|| start(Builder::new_multi_thread().worker_threads(2)));
static CURRENT_THREAD: LazyLock<Arc<Tokio>> = LazyLock::new(|| start(&mut Builder::new_current_thread()));

fn start(builder: &mut Builder) -> Arc<Tokio> {
    Arc::new(Tokio(builder.build().expect("a runtime without drivers needs nothing but threads")))
}

/// Returns the multi-thread runtime with two workers.
pub fn multi_thread() -> Arc<Tokio> {
    Arc::clone(&MULTI_THREAD)
}

/// Returns the current-thread runtime.
pub fn current_thread() -> Arc<Tokio> {
    Arc::clone(&CURRENT_THREAD)
}

impl Runtime for Tokio {
    type Handle = JoinHandle<()>;
    const DROP_ABORTS: bool = false;

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        self.0.spawn(task)
    }

    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.0.block_on(future)
    }

    async fn join(&self, handle: JoinHandle<()>) -> Ending {
        handle.await.map_or_else(ending, |()| Ending::Returned)
    }

    async fn abort(&self, handle: JoinHandle<()>) -> Ending {
        handle.abort();
        self.join(handle).await
    }

    fn detach(&self, handle: JoinHandle<()>) {
        drop(handle);
    }

    fn spend_budget(&self, cx: &mut Context<'_>) {
        while let std::task::Poll::Ready(progress) = coop::poll_proceed(cx) {
            progress.made_progress();
        }
    }

    /// A task whose budget is spent is woken by the scheduler after its poll (tokio src/task/coop/mod.rs,
    /// `register_waker`). Asking once more registers that wake if nothing has yet, and gives the unit back otherwise.
    fn promises_wake(&self, cx: &mut Context<'_>) -> bool {
        coop::poll_proceed(cx).is_pending()
    }
}

fn ending(error: JoinError) -> Ending {
    let message = Message::of(&error);
    if error.is_panic() { Ending::Panicked(message) } else { Ending::Aborted(message) }
}
