//! A semaphore that serves its waiters in the order of arrival, and wakes them outside its own lock.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use keyalike_harness::adapter::semaphore::AsyncSemaphore;
use keyalike_harness::object::Message;

#[derive(Default)]
struct State {
    free: u64,
    next: usize,
    queue: VecDeque<Waiter>,
    granted: Vec<usize>,
}

struct Waiter {
    ticket: usize,
    amount: u64,
    waker: Waker,
}

impl State {
    /// Grants what can be granted to those who stand first, and returns their wakers.
    fn serve(&mut self) -> Vec<Waker> {
        let mut wakers = Vec::new();
        while let Some(first) = self.queue.pop_front_if(|first| first.amount <= self.free) {
            self.free -= first.amount;
            self.granted.push(first.ticket);
            wakers.push(first.waker);
        }
        wakers
    }

    fn is_free(&self, amount: u64) -> bool {
        self.queue.is_empty() && amount <= self.free
    }
}

#[derive(Clone)]
pub(crate) struct Semaphore(Arc<Mutex<State>>);

impl Semaphore {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no waker is called under the lock")
    }

    fn give(&self, amount: u64) {
        let wakers = {
            let mut state = self.state();
            state.free += amount;
            state.serve()
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}

pub(crate) struct Permit {
    semaphore: Semaphore,
    amount: u64,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.semaphore.give(self.amount);
    }
}

struct Acquire {
    semaphore: Semaphore,
    amount: u64,
    ticket: Option<usize>,
}

impl Future for Acquire {
    type Output = Result<Permit, Message>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let semaphore = self.semaphore.clone();
        let mut state = semaphore.state();
        match self.ticket {
            None if state.is_free(self.amount) => state.free -= self.amount,
            None => {
                let ticket = state.next;
                state.next += 1;
                state.queue.push_back(Waiter { ticket, amount: self.amount, waker: cx.waker().clone() });
                self.ticket = Some(ticket);
                return Poll::Pending;
            }
            Some(ticket) => match state.granted.iter().position(|granted| *granted == ticket) {
                Some(place) => {
                    state.granted.swap_remove(place);
                    self.ticket = None;
                }
                None => {
                    let mut waiters = state.queue.iter_mut();
                    let own = waiters.find(|waiter| waiter.ticket == ticket).expect("what is not granted waits");
                    own.waker.clone_from(cx.waker());
                    return Poll::Pending;
                }
            },
        }
        Poll::Ready(Ok(Permit { semaphore: semaphore.clone(), amount: self.amount }))
    }
}

impl Drop for Acquire {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        let given = {
            let mut state = self.semaphore.state();
            state.queue.retain(|waiter| waiter.ticket != ticket);
            let place = state.granted.iter().position(|granted| *granted == ticket);
            place.map_or(0, |place| {
                state.granted.swap_remove(place);
                self.amount
            })
        };
        self.semaphore.give(given);
    }
}

impl AsyncSemaphore for Semaphore {
    type Permit = Permit;
    const CAPABILITIES: &'static [&'static str] =
        &["semaphore", "semaphore:counted", "semaphore:add", "semaphore:available"];

    fn new(permits: u64) -> Option<Self> {
        Some(Self(Arc::new(Mutex::new(State { free: permits, ..State::default() }))))
    }

    fn acquire(&self, permits: u64) -> Option<impl Future<Output = Result<Permit, Message>> + Send> {
        Some(Acquire { semaphore: self.clone(), amount: permits, ticket: None })
    }

    fn try_acquire(&self, permits: u64) -> Option<Result<Permit, Message>> {
        let mut state = self.state();
        if !state.is_free(permits) {
            return Some(Err(Message::none()));
        }
        state.free -= permits;
        Some(Ok(Permit { semaphore: self.clone(), amount: permits }))
    }

    fn add(&self, permits: u64) -> Option<()> {
        self.give(permits);
        Some(())
    }

    fn available(&self) -> Option<i64> {
        i64::try_from(self.state().free).ok()
    }
}
