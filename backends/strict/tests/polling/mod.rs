//! Tasks that a test polls by hand over every lock library, wakers that count, and what tasks wait for.

#![allow(dead_code, unused_imports, unused_macros, reason = "each test uses what it needs")]

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use keyalike_strict::Task;

/// Counts wakes.
#[derive(Default)]
pub(crate) struct Wakes(AtomicUsize);

impl Wakes {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A task that is polled by hand.
pub(crate) struct ByHand<'a, T> {
    task: Pin<Box<dyn Future<Output = T> + 'a>>,
    pub(crate) wakes: Arc<Wakes>,
}

impl<'a, T> ByHand<'a, T> {
    pub(crate) fn new<F: Future<Output = T> + 'a>(task: Task<F>) -> Self {
        Self { task: Box::pin(task), wakes: Arc::default() }
    }

    pub(crate) fn poll(&mut self) -> Poll<T> {
        let waker = Waker::from(Arc::clone(&self.wakes));
        self.task.as_mut().poll(&mut Context::from_waker(&waker))
    }

    /// Polls once and expects the task to wait.
    #[track_caller]
    pub(crate) fn waits(&mut self) {
        assert!(self.poll().is_pending(), "the task should wait");
    }

    /// Polls once and expects the task to end.
    #[track_caller]
    pub(crate) fn ends(&mut self) -> T {
        match self.poll() {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("the task should end"),
        }
    }
}

/// Runs tests over every lock library.
macro_rules! over_every_library {
    ($($name:ident)*) => {
        mod tokio_sync { $(#[test] fn $name() { super::$name::<keyalike_strict::TokioSync>(); })* }
        mod async_lock { $(#[test] fn $name() { super::$name::<keyalike_strict::AsyncLock>(); })* }
        mod futures_util { $(#[test] fn $name() { super::$name::<keyalike_strict::FuturesUtil>(); })* }
    };
}
pub(crate) use over_every_library;

/// Gives way once, and wakes nobody.
pub(crate) async fn pause() {
    give_way(|_| ()).await;
}

/// Gives way once, and is woken at once.
pub(crate) async fn yield_now() {
    give_way(Waker::wake_by_ref).await;
}

/// Gives way once, after something was done with the waker.
async fn give_way(mut with: impl FnMut(&Waker)) {
    let mut was_here = false;
    std::future::poll_fn(move |cx| {
        if std::mem::replace(&mut was_here, true) {
            return Poll::Ready(());
        }
        with(cx.waker());
        Poll::Pending
    })
    .await;
}

/// Something outside of all tasks that has the waker of one, such as a timer.
#[derive(Default)]
pub(crate) struct Outside(Mutex<Option<Waker>>);

impl Outside {
    /// Gives way once, and leaves the waker there.
    pub(crate) async fn wait(&self) {
        give_way(|waker| *self.0.lock().expect("nobody panics with it") = Some(waker.clone())).await;
    }

    pub(crate) fn wake(&self) {
        self.0.lock().expect("nobody panics with it").take().expect("somebody waits").wake();
    }
}

/// What ended first.
#[derive(Debug)]
pub(crate) enum First<A, B> {
    One(A),
    Other(B),
}

/// Polls both futures in each poll until one ends, as a `select!` with a bias does.
pub(crate) async fn first<A, B>(one: impl Future<Output = A>, other: impl Future<Output = B>) -> First<A, B> {
    let (mut one, mut other) = (std::pin::pin!(one), std::pin::pin!(other));
    std::future::poll_fn(move |cx| {
        if let Poll::Ready(value) = one.as_mut().poll(cx) {
            return Poll::Ready(First::One(value));
        }
        other.as_mut().poll(cx).map(First::Other)
    })
    .await
}

/// Polls a future once, which waits.
pub(crate) async fn begin<F: Future>(mut future: Pin<&mut F>) {
    std::future::poll_fn(|cx| {
        assert!(future.as_mut().poll(cx).is_pending(), "it should wait");
        Poll::Ready(())
    })
    .await;
}

/// Polls both futures in each poll, as `join!` does.
pub(crate) async fn join<A, B>(one: impl Future<Output = A>, other: impl Future<Output = B>) -> (A, B) {
    let (mut one, mut other) = (std::pin::pin!(one), std::pin::pin!(other));
    let (mut left, mut right) = (None, None);
    std::future::poll_fn(move |cx| {
        if left.is_none()
            && let Poll::Ready(value) = one.as_mut().poll(cx)
        {
            left = Some(value);
        }
        if right.is_none()
            && let Poll::Ready(value) = other.as_mut().poll(cx)
        {
            right = Some(value);
        }
        match (left.take(), right.take()) {
            (Some(left), Some(right)) => Poll::Ready((left, right)),
            (one, other) => {
                (left, right) = (one, other);
                Poll::Pending
            }
        }
    })
    .await
}
