//! What the driver needs of an async runtime. An adapter translates, one call each, and decides nothing.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::object::Message;

/// An async runtime, started and ready to spawn.
pub trait Runtime: Send + Sync + 'static {
    /// What `spawn` returns and a user awaits.
    type Handle: Send + 'static;

    /// Whether dropping a handle ends its task.
    const DROP_ABORTS: bool;

    /// Spawns a task as a user does.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> Self::Handle;

    /// Runs `future` on the calling thread, the runtime working for it.
    fn block_on<T>(&self, future: impl Future<Output = T>) -> T;

    /// Awaits the end of a task. Panics of the task do not pass through.
    fn join(&self, handle: Self::Handle) -> impl Future<Output = Ending> + Send;

    /// Ends a task by the runtime's own means, and returns once its future has been dropped.
    fn abort(&self, handle: Self::Handle) -> impl Future<Output = Ending> + Send;

    /// Gives up a handle and leaves the task running.
    fn detach(&self, handle: Self::Handle);

    /// Spends the cooperative budget of the poll that `cx` belongs to. Nothing where there is no budget.
    fn spend_budget(&self, cx: &mut Context<'_>) {
        let _ = cx;
    }

    /// Returns whether the runtime will wake the task of `cx` after this poll although nothing has woken it: because it
    /// defers wakes, as tokio does for a task whose budget is spent. If so, that wake must be certain to come.
    fn promises_wake(&self, cx: &mut Context<'_>) -> bool {
        let _ = cx;
        false
    }
}

/// How a task ended, as its runtime reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Ending {
    /// Its future returned.
    Returned,
    /// It was aborted; with the runtime's message, where there is one.
    Aborted(Message),
    /// It panicked; with the runtime's message, or the panic's own where the runtime passes the panic on.
    Panicked(Message),
}

/// Awaits the handle of a runtime that passes the panic of a task on to whoever awaits it.
pub async fn join_unwinding(handle: impl Future<Output = ()>) -> Ending {
    let mut handle = pin!(handle);
    let joined = std::future::poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| handle.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(payload) => Poll::Ready(Err(payload)),
    });
    match joined.await {
        Ok(()) => Ending::Returned,
        Err(payload) => Ending::Panicked(panic_message(&*payload)),
    }
}

/// Returns the text of a panic's payload.
pub fn panic_message(payload: &(dyn Any + Send)) -> Message {
    let text = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (None, Some(text)) => text.clone(),
        (None, None) => "a panic whose payload is not a text".to_owned(),
    };
    Message::text(text)
}
