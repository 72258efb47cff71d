//! A mutex that is granted in the order of asking: a release hands it to the longest waiter, and nobody overtakes.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// A mutex that is granted in the order of asking.
#[derive(Default)]
pub struct FairMutex<T> {
    queue: Mutex<Queue>,
    value: Mutex<T>,
}

#[derive(Default)]
struct Queue {
    /// Whether somebody has the mutex, or it is kept for `granted`.
    held: bool,
    granted: Option<Ticket>,
    waiters: VecDeque<(Ticket, Waker)>,
    next: Ticket,
}

type Ticket = u64;

impl<T> FairMutex<T> {
    /// Returns a free mutex.
    pub fn new(value: T) -> Self {
        Self { queue: Mutex::default(), value: Mutex::new(value) }
    }

    /// Waits for the mutex.
    pub fn lock(&self) -> Lock<'_, T> {
        Lock { mutex: self, ticket: None }
    }

    /// Takes the mutex if it is free.
    pub fn try_lock(&self) -> Option<Guard<'_, T>> {
        let mut queue = self.queue();
        if queue.held {
            return None;
        }
        queue.held = true;
        Some(Guard { mutex: self })
    }

    /// Returns whether somebody has the mutex, or was promised it.
    pub fn is_locked(&self) -> bool {
        self.queue().held
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands the mutex to the longest waiter, or frees it.
    fn release(&self) {
        let mut queue = self.queue();
        let Some((ticket, waker)) = queue.waiters.pop_front() else {
            queue.held = false;
            return;
        };
        queue.granted = Some(ticket);
        drop(queue);
        waker.wake();
    }
}

impl<T> fmt::Debug for FairMutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queue = self.queue();
        f.debug_struct("FairMutex").field("held", &queue.held).field("waiters", &queue.waiters.len()).finish()
    }
}

/// A wait for a [`FairMutex`].
pub struct Lock<'a, T> {
    mutex: &'a FairMutex<T>,
    /// The place in the queue, once there is one.
    ticket: Option<Ticket>,
}

impl<'a, T> Future for Lock<'a, T> {
    type Output = Guard<'a, T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Guard<'a, T>> {
        let mutex = self.mutex;
        let mut queue = mutex.queue();
        if let Some(ticket) = self.ticket {
            if queue.granted == Some(ticket) {
                queue.granted = None;
                self.ticket = None;
                return Poll::Ready(Guard { mutex });
            }
            if let Some((_, waker)) = queue.waiters.iter_mut().find(|(waiter, _)| *waiter == ticket) {
                waker.clone_from(cx.waker());
            }
            return Poll::Pending;
        }
        if !queue.held {
            queue.held = true;
            return Poll::Ready(Guard { mutex });
        }
        let ticket = queue.next;
        queue.next += 1;
        queue.waiters.push_back((ticket, cx.waker().clone()));
        self.ticket = Some(ticket);
        Poll::Pending
    }
}

impl<T> Drop for Lock<'_, T> {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        let mut queue = self.mutex.queue();
        queue.waiters.retain(|(waiter, _)| *waiter != ticket);
        if queue.granted == Some(ticket) {
            queue.granted = None;
            drop(queue);
            self.mutex.release();
        }
    }
}

/// The right to the value of a [`FairMutex`]. Its drop releases.
pub struct Guard<'a, T> {
    mutex: &'a FairMutex<T>,
}

impl<T> Guard<'_, T> {
    /// Calls `with` with the value.
    pub fn with<R>(&mut self, with: impl FnOnce(&mut T) -> R) -> R {
        with(&mut self.mutex.value.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        self.mutex.release();
    }
}
