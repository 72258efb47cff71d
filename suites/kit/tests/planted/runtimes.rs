//! Adapters of smol, each with one thing wrong.

use keyalike::{Ending, Message, Runtime, join_unwinding};
use smol::Task;

/// Writes an adapter of smol that is honest but for what is named.
macro_rules! runtime {
    ($(#[$doc:meta])* $name:ident, drop_aborts: $drop_aborts:expr, handle: $handle:ty, spawn: |$task:ident| $spawn:expr,
        join: |$joined:ident| $join:expr, abort: |$aborted:ident| $abort:expr, detach: |$detached:ident| $detach:expr) => {
        $(#[$doc])*
        pub(crate) struct $name;

        impl Runtime for $name {
            type Handle = $handle;
            const DROP_ABORTS: bool = $drop_aborts;

            fn spawn(&self, $task: impl Future<Output = ()> + Send + 'static) -> $handle {
                $spawn
            }

            fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
                smol::block_on(future)
            }

            async fn join(&self, $joined: $handle) -> Ending {
                $join
            }

            async fn abort(&self, $aborted: $handle) -> Ending {
                $abort
            }

            fn detach(&self, $detached: $handle) {
                $detach
            }
        }
    };
}

async fn abort(task: Task<()>) -> Ending {
    match task.cancel().await {
        Some(()) => Ending::Returned,
        None => Ending::Aborted(Message::none()),
    }
}

/// Detaches its task when it is dropped.
pub(crate) struct Detaching(Option<Task<()>>);

impl Detaching {
    fn task(mut self) -> Task<()> {
        self.0.take().expect("it is taken once")
    }
}

impl Drop for Detaching {
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(Task::detach);
    }
}

runtime!(
    /// Drops what it should spawn.
    RunsNothing, drop_aborts: true, handle: Task<()>,
    spawn: |task| {
        drop(task);
        smol::spawn(std::future::pending())
    },
    join: |task| join_unwinding(task).await, abort: |task| abort(task).await, detach: |task| task.detach()
);

runtime!(
    /// Does not wait for the task that it joins.
    JoinsEarly, drop_aborts: true, handle: Task<()>, spawn: |task| smol::spawn(task),
    join: |task| {
        task.detach();
        Ending::Returned
    },
    abort: |task| abort(task).await, detach: |task| task.detach()
);

runtime!(
    /// Says of every task that it returned.
    LosesPanics, drop_aborts: true, handle: Task<()>, spawn: |task| smol::spawn(task),
    join: |task| {
        join_unwinding(task).await;
        Ending::Returned
    },
    abort: |task| abort(task).await, detach: |task| task.detach()
);

runtime!(
    /// Awaits the handle as it is.
    PassesPanicsOn, drop_aborts: true, handle: Task<()>, spawn: |task| smol::spawn(task),
    join: |task| {
        task.await;
        Ending::Returned
    },
    abort: |task| abort(task).await, detach: |task| task.detach()
);

runtime!(
    /// Asks for the end of a task, and does not wait for it.
    AbortsEarly, drop_aborts: true, handle: Task<()>, spawn: |task| smol::spawn(task),
    join: |task| join_unwinding(task).await,
    abort: |task| {
        drop(task);
        Ending::Aborted(Message::none())
    },
    detach: |task| task.detach()
);

runtime!(
    /// Gives the handle up instead.
    AbortsNothing, drop_aborts: true, handle: Task<()>, spawn: |task| smol::spawn(task),
    join: |task| join_unwinding(task).await,
    abort: |task| {
        task.detach();
        Ending::Aborted(Message::none())
    },
    detach: |task| task.detach()
);

runtime!(
    /// Says of every task that it returned, however it ended.
    MisreportsAborts, drop_aborts: true, handle: Task<()>, spawn: |task| smol::spawn(task),
    join: |task| join_unwinding(task).await,
    abort: |task| {
        task.cancel().await;
        Ending::Returned
    },
    detach: |task| task.detach()
);

runtime!(
    /// Ends a task with its handle, and denies it.
    DropAborts, drop_aborts: false, handle: Task<()>, spawn: |task| smol::spawn(task),
    join: |task| join_unwinding(task).await, abort: |task| abort(task).await, detach: |task| task.detach()
);

runtime!(
    /// Leaves a task running without its handle, and denies it.
    DropDetaches, drop_aborts: true, handle: Detaching, spawn: |task| Detaching(Some(smol::spawn(task))),
    join: |task| join_unwinding(task.task()).await, abort: |task| abort(task.task()).await, detach: |task| drop(task)
);

runtime!(
    /// Takes the drop of a handle for a detach.
    DetachEnds, drop_aborts: true, handle: Task<()>, spawn: |task| smol::spawn(task),
    join: |task| join_unwinding(task).await, abort: |task| abort(task).await, detach: |task| drop(task)
);

/// Promises a wake to everybody.
pub(crate) struct PromisesWakes;

impl Runtime for PromisesWakes {
    type Handle = Task<()>;
    const DROP_ABORTS: bool = true;

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> Task<()> {
        smol::spawn(task)
    }

    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        smol::block_on(future)
    }

    async fn join(&self, task: Task<()>) -> Ending {
        join_unwinding(task).await
    }

    async fn abort(&self, task: Task<()>) -> Ending {
        abort(task).await
    }

    fn detach(&self, task: Task<()>) {
        task.detach();
    }

    fn promises_wake(&self, _cx: &mut std::task::Context<'_>) -> bool {
        true
    }
}

/// Polls once and waits for ever.
pub(crate) struct NeverReturns;

impl Runtime for NeverReturns {
    type Handle = Task<()>;
    const DROP_ABORTS: bool = true;

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> Task<()> {
        smol::spawn(task)
    }

    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = std::pin::pin!(future);
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        match future.as_mut().poll(&mut cx) {
            std::task::Poll::Ready(value) => value,
            std::task::Poll::Pending => loop {
                std::thread::park();
            },
        }
    }

    async fn join(&self, task: Task<()>) -> Ending {
        join_unwinding(task).await
    }

    async fn abort(&self, task: Task<()>) -> Ending {
        abort(task).await
    }

    fn detach(&self, task: Task<()>) {
        task.detach();
    }
}
