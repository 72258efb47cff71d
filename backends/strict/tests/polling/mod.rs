//! Tasks that a test polls by hand, and wakers that count.

#![allow(dead_code, reason = "each test uses what it needs")]

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
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

/// Gives way once, and wakes nobody.
pub(crate) async fn pause() {
    let mut was_here = false;
    std::future::poll_fn(|_| if std::mem::replace(&mut was_here, true) { Poll::Ready(()) } else { Poll::Pending })
        .await;
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
