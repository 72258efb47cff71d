//! The limit: three scenarios with their spawns, wakes and lock calls written by hand, and no harness.
//!
//! Each step is one wake of its task by a conductor, one poll, and one wake back; then come the conductor's try, the
//! letting go of what is still held or waited for, a second try and the end of all tasks at once. Nothing is recorded, nothing is
//! detected: whoever wrote this knew beforehand which poll comes last.

use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;

use futures_util::task::AtomicWaker;
use harness::driver::Seat;
use harness::runtime::Runtime;

/// A lock, called as its users call it.
pub(crate) trait Lock: Send + Sync + 'static {
    /// The library's guard.
    type Guard<'a>: Send;

    /// Makes a free lock.
    fn new() -> Self;

    /// Waits for it.
    fn acquire(&self) -> impl Future<Output = Self::Guard<'_>> + Send;

    /// Returns whether a try is refused, and gives back at once what it got.
    fn refuses(&self) -> bool;
}

impl Lock for tokio::sync::Mutex<()> {
    type Guard<'a> = tokio::sync::MutexGuard<'a, ()>;

    fn new() -> Self {
        Self::new(())
    }

    fn acquire(&self) -> impl Future<Output = Self::Guard<'_>> + Send {
        self.lock()
    }

    fn refuses(&self) -> bool {
        self.try_lock().is_err()
    }
}

impl Lock for async_lock::Mutex<()> {
    type Guard<'a> = async_lock::MutexGuard<'a, ()>;

    fn new() -> Self {
        Self::new(())
    }

    fn acquire(&self) -> impl Future<Output = Self::Guard<'_>> + Send {
        self.lock()
    }

    fn refuses(&self) -> bool {
        self.try_lock().is_none()
    }
}

/// A scenario that has a twin here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// `reentry/same-task`.
    Reentry,
    /// `fairness/first-come-first-served`.
    HandOn,
    /// `cancellation/granted-waiter`.
    CancelGranted,
}

impl Case {
    /// Every case.
    pub(crate) const ALL: [Case; 3] = [Case::Reentry, Case::HandOn, Case::CancelGranted];

    /// Returns the name of the scenario.
    pub(crate) fn scenario(self) -> &'static str {
        match self {
            Case::Reentry => "reentry/same-task",
            Case::HandOn => "fairness/first-come-first-served",
            Case::CancelGranted => "cancellation/granted-waiter",
        }
    }
}

/// Runs the twin of `case` `runs` times on `runtime` with `L`, its conductor in `seat`.
pub(crate) fn run<R: Runtime, L: Lock>(runtime: &Arc<R>, case: Case, seat: Seat, runs: usize) {
    match seat {
        Seat::Spawned => {
            let conductor = conduct::<R, L>(Arc::clone(runtime), case, runs);
            runtime.block_on(runtime.join(runtime.spawn(conductor)));
        }
        Seat::BlockOn => (0..runs).for_each(|_| runtime.block_on(conduct::<R, L>(Arc::clone(runtime), case, 1))),
    }
}

async fn conduct<R: Runtime, L: Lock>(runtime: Arc<R>, case: Case, runs: usize) {
    for _ in 0..runs {
        match case {
            Case::Reentry => reentry::<R, L>(&runtime).await,
            Case::HandOn => hand_on::<R, L>(&runtime).await,
            Case::CancelGranted => cancel_granted::<R, L>(&runtime).await,
        }
    }
}

/// Raised by one task and waited for by another.
#[derive(Default)]
struct Signal {
    raised: AtomicBool,
    waker: AtomicWaker,
}

impl Signal {
    fn raise(&self) {
        self.raised.store(true, Ordering::Release);
        self.waker.wake();
    }

    fn poll(&self, cx: &mut std::task::Context<'_>) -> Poll<()> {
        if self.raised.swap(false, Ordering::Acquire) {
            return Poll::Ready(());
        }
        self.waker.register(cx.waker());
        match self.raised.swap(false, Ordering::Acquire) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    async fn raised(&self) {
        std::future::poll_fn(|cx| self.poll(cx)).await;
    }
}

/// What the conductor and `N` tasks share.
struct Table<L, const N: usize> {
    lock: L,
    turns: [Signal; N],
    done: Signal,
    ended: AtomicUsize,
}

impl<L: Lock, const N: usize> Table<L, N> {
    fn new() -> Arc<Self> {
        let turns = std::array::from_fn(|_| Signal::default());
        Arc::new(Self { lock: L::new(), turns, done: Signal::default(), ended: AtomicUsize::new(0) })
    }

    /// Gives `task` its turn, and waits until whoever comes last is done.
    async fn give(&self, task: usize) {
        self.turns[task].raise();
        self.done.raised().await;
    }

    /// As [`Table::give`], for a task that has not been spawned yet.
    async fn spawn<R: Runtime>(
        &self,
        runtime: &R,
        task: usize,
        body: impl Future<Output = ()> + Send + 'static,
    ) -> R::Handle {
        self.turns[task].raise();
        let handle = runtime.spawn(body);
        self.done.raised().await;
        handle
    }

    /// Ends every task, all at once, and waits until the last of them is done.
    async fn stop<R: Runtime>(&self, runtime: &R, handles: [R::Handle; N]) {
        self.turns.iter().for_each(Signal::raise);
        while self.ended.load(Ordering::Acquire) < N {
            self.done.raised().await;
        }
        handles.into_iter().for_each(|handle| runtime.detach(handle));
    }

    /// Ends `task` at its next turn. The last to end tells the conductor.
    async fn end(&self, task: usize) {
        self.turns[task].raised().await;
        if self.ended.fetch_add(1, Ordering::AcqRel) + 1 == N {
            self.done.raise();
        }
    }

    /// Waits for the lock, and tells the conductor of the wait and of the grant.
    async fn acquire(&self) -> L::Guard<'_> {
        let mut acquire = pin!(self.lock.acquire());
        let mut told = false;
        let guard = std::future::poll_fn(|cx| {
            let polled = acquire.as_mut().poll(cx);
            if polled.is_pending() && !std::mem::replace(&mut told, true) {
                self.done.raise();
            }
            polled
        });
        let guard = guard.await;
        self.done.raise();
        guard
    }
}

/// A acquires twice.
async fn reentry<R: Runtime, L: Lock>(runtime: &Arc<R>) {
    let table = Table::<L, 1>::new();
    let shared = Arc::clone(&table);
    let body = async move {
        let (turn, done) = (&shared.turns[0], &shared.done);
        turn.raised().await;
        let guard = shared.acquire().await;
        turn.raised().await;
        {
            let mut second = pin!(shared.lock.acquire());
            let mut begun = false;
            let cancelled = std::future::poll_fn(|cx| {
                if !std::mem::replace(&mut begun, true) {
                    assert!(second.as_mut().poll(cx).is_pending(), "these locks let nobody re-enter");
                    done.raise();
                }
                turn.poll(cx)
            });
            cancelled.await;
        }
        done.raise();
        turn.raised().await;
        drop(guard);
        done.raise();
        shared.end(0).await;
    };
    let handle = table.spawn(&**runtime, 0, body).await;
    table.give(0).await;
    black_box(table.lock.refuses());
    table.give(0).await;
    table.give(0).await;
    black_box(table.lock.refuses());
    table.stop(&**runtime, [handle]).await;
}

/// A holds; B, C and D wait; three releases hand the lock on.
async fn hand_on<R: Runtime, L: Lock>(runtime: &Arc<R>) {
    let table = Table::<L, 4>::new();
    let body = |task: usize| {
        let shared = Arc::clone(&table);
        async move {
            shared.turns[task].raised().await;
            let guard = shared.acquire().await;
            shared.turns[task].raised().await;
            drop(guard);
            // The others' releases end with the next one's grant.
            if task == 3 {
                shared.done.raise();
            }
            shared.end(task).await;
        }
    };
    let handles = [
        table.spawn(&**runtime, 0, body(0)).await,
        table.spawn(&**runtime, 1, body(1)).await,
        table.spawn(&**runtime, 2, body(2)).await,
        table.spawn(&**runtime, 3, body(3)).await,
    ];
    for releaser in 0..3 {
        table.give(releaser).await;
    }
    black_box(table.lock.refuses());
    table.give(3).await;
    black_box(table.lock.refuses());
    table.stop(&**runtime, handles).await;
}

/// A holds; B and C wait; A releases, and B is cancelled when it runs.
async fn cancel_granted<R: Runtime, L: Lock>(runtime: &Arc<R>) {
    let table = Table::<L, 3>::new();
    let cancelled = Arc::new(AtomicBool::new(false));
    let body = |task: usize| {
        let shared = Arc::clone(&table);
        async move {
            shared.turns[task].raised().await;
            let guard = shared.acquire().await;
            shared.turns[task].raised().await;
            drop(guard);
            // The release by A ends with the grant to C.
            if task == 2 {
                shared.done.raise();
            }
            shared.end(task).await;
        }
    };
    let (shared, is_cancelled) = (Arc::clone(&table), Arc::clone(&cancelled));
    let cancelled_body = async move {
        shared.turns[1].raised().await;
        {
            let mut acquire = pin!(shared.lock.acquire());
            let mut begun = false;
            let cancelled = std::future::poll_fn(|cx| {
                if begun && is_cancelled.load(Ordering::Acquire) {
                    return Poll::Ready(());
                }
                assert!(acquire.as_mut().poll(cx).is_pending(), "the lock is held until B is cancelled");
                begun = true;
                shared.done.raise();
                Poll::Pending
            });
            cancelled.await;
        }
        shared.end(1).await;
    };
    let handles = [
        table.spawn(&**runtime, 0, body(0)).await,
        table.spawn(&**runtime, 1, cancelled_body).await,
        table.spawn(&**runtime, 2, body(2)).await,
    ];
    cancelled.store(true, Ordering::Release);
    table.give(0).await;
    black_box(table.lock.refuses());
    table.give(2).await;
    black_box(table.lock.refuses());
    table.stop(&**runtime, handles).await;
}
