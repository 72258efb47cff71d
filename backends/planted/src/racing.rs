//! Mutexes whose mistake is inside a poll or a release, between two of its instructions: on one thread they are honest, and
//! only threads that race find them out.
//!
//! A lock of atomics and a queue: a release frees the lock and wakes the first in the queue, who tries again.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{self, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use harness::adapter::mutex::{AsyncMutex, MutexCapabilities};
use harness::object::Message;

/// What is wrong with a lock. Everything is false in an honest one.
pub trait Race: Send + Sync + 'static {
    /// Looks whether the lock is free, and then takes it.
    const LOOKS_THEN_TAKES: bool = false;
    /// Looks whether the lock is free, and is queued without another look.
    const QUEUES_WITHOUT_A_LOOK: bool = false;
    /// Looks whether somebody is queued before the lock is free.
    const LOOKS_FOR_WAITERS_TOO_EARLY: bool = false;
}

struct Waiter {
    ticket: usize,
    waker: Waker,
}

/// A mutex with the race `R`.
pub struct RacingMutex<R> {
    locked: AtomicBool,
    tickets: AtomicUsize,
    queued: AtomicUsize,
    queue: sync::Mutex<VecDeque<Waiter>>,
    race: PhantomData<R>,
}

impl<R: Race> RacingMutex<R> {
    fn queue(&self) -> MutexGuard<'_, VecDeque<Waiter>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the lock if it is free.
    fn take(&self) -> bool {
        if R::LOOKS_THEN_TAKES {
            let is_free = !self.locked.load(Ordering::SeqCst);
            if is_free {
                self.locked.store(true, Ordering::SeqCst);
            }
            return is_free;
        }
        !self.locked.swap(true, Ordering::SeqCst)
    }

    /// Queues a waiter, or gives it another waker.
    fn enqueue(&self, ticket: usize, waker: &Waker) {
        let mut queue = self.queue();
        match queue.iter_mut().find(|waiter| waiter.ticket == ticket) {
            Some(waiter) => waiter.waker.clone_from(waker),
            None => {
                queue.push_back(Waiter { ticket, waker: waker.clone() });
                self.queued.store(queue.len(), Ordering::SeqCst);
            }
        }
    }

    /// Takes a waiter out of the queue. Returns whether it was there: nobody has woken it.
    fn dequeue(&self, ticket: usize) -> bool {
        let mut queue = self.queue();
        let place = queue.iter().position(|waiter| waiter.ticket == ticket);
        let left = place.and_then(|place| queue.remove(place)).is_some();
        self.queued.store(queue.len(), Ordering::SeqCst);
        left
    }

    fn wake_next(&self) {
        let mut queue = self.queue();
        let next = queue.pop_front();
        self.queued.store(queue.len(), Ordering::SeqCst);
        drop(queue);
        if let Some(waiter) = next {
            waiter.waker.wake();
        }
    }

    fn release(&self) {
        if R::LOOKS_FOR_WAITERS_TOO_EARLY {
            let has_waiters = self.queued.load(Ordering::SeqCst) > 0;
            self.locked.store(false, Ordering::SeqCst);
            if has_waiters {
                self.wake_next();
            }
            return;
        }
        self.locked.store(false, Ordering::SeqCst);
        if self.queued.load(Ordering::SeqCst) > 0 {
            self.wake_next();
        }
    }
}

/// The guard of a mutex.
pub struct Guard<'a, R: Race>(&'a RacingMutex<R>);

impl<R: Race> Drop for Guard<'_, R> {
    fn drop(&mut self) {
        self.0.release();
    }
}

struct Acquire<'a, R: Race> {
    mutex: &'a RacingMutex<R>,
    ticket: Option<usize>,
}

impl<'a, R: Race> Future for Acquire<'a, R> {
    type Output = Guard<'a, R>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Guard<'a, R>> {
        let mutex = self.mutex;
        if mutex.take() {
            if let Some(ticket) = self.ticket.take() {
                mutex.dequeue(ticket);
            }
            return Poll::Ready(Guard(mutex));
        }
        let ticket = *self.ticket.get_or_insert_with(|| mutex.tickets.fetch_add(1, Ordering::SeqCst));
        mutex.enqueue(ticket, cx.waker());
        // The lock may have been released before anybody could see the waiter.
        if !R::QUEUES_WITHOUT_A_LOOK && mutex.take() {
            self.ticket = None;
            mutex.dequeue(ticket);
            return Poll::Ready(Guard(mutex));
        }
        Poll::Pending
    }
}

impl<R: Race> Drop for Acquire<'_, R> {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        let was_woken = !self.mutex.dequeue(ticket);
        if was_woken && !self.mutex.locked.load(Ordering::SeqCst) {
            self.mutex.wake_next();
        }
    }
}

impl<R: Race> AsyncMutex for RacingMutex<R> {
    type Guard<'a> = Guard<'a, R>;
    const CAPABILITIES: MutexCapabilities = MutexCapabilities::plain().with_is_locked();

    fn new() -> Self {
        Self {
            locked: AtomicBool::new(false),
            tickets: AtomicUsize::new(0),
            queued: AtomicUsize::new(0),
            queue: sync::Mutex::default(),
            race: PhantomData,
        }
    }

    fn acquire(&self) -> impl Future<Output = Result<Guard<'_, R>, Message>> + Send {
        let acquire = Acquire { mutex: self, ticket: None };
        async move { Ok(acquire.await) }
    }

    fn try_acquire(&self) -> Result<Guard<'_, R>, Message> {
        if self.take() { Ok(Guard(self)) } else { Err(Message::none()) }
    }

    fn is_locked(&self) -> bool {
        self.locked.load(Ordering::SeqCst)
    }

    fn debug(&self) -> String {
        format!("RacingMutex {{ locked: {} }}", self.is_locked())
    }
}
