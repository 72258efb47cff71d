//! A mutex written by hand, once with a hand-over and once without, and the places where one line of it can be wrong.
//!
//! A [`Flaw`] is a set of constants, all false in an honest lock. Each planted lock sets one of them.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{self, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::{self, ThreadId};

use harness::adapter::mutex::{AsyncMutex, MutexCapabilities};
use harness::object::Message;

macro_rules! flaws {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What is wrong with a lock.
        pub trait Flaw: Send + Sync + 'static {
            /// No mistake: a release frees the lock and wakes the first waiter, and a newcomer may come before him.
            const BARGES: bool = false;
            /// No mistake: an acquire gives way once before it asks.
            const GIVES_WAY: bool = false;
            /// No mistake: the waiter that came last is served first.
            const YOUNGEST_FIRST: bool = false;
            $($(#[$doc])* const $name: bool = false;)*
        }
    };
}

flaws! {
    /// A granted waiter that is dropped keeps the lock.
    CANCEL_KEEPS_GRANT,
    /// A granted waiter that is dropped frees the lock and wakes nobody.
    CANCEL_WAKES_NONE,
    /// A granted waiter that is dropped passes the lock on only if nobody waits.
    CANCEL_PASSES_ON_TO_NOBODY,
    /// A waiter that is dropped stays in the queue.
    CANCEL_STAYS_QUEUED,
    /// A waiter that is dropped takes the first out of the queue.
    CANCEL_REMOVES_FIRST,
    /// A waiter that is dropped empties the queue.
    CANCEL_REMOVES_ALL,
    /// A waiter that is dropped passes the lock on, granted or not.
    CANCEL_ALWAYS_PASSES_ON,
    /// The last waiter that is dropped frees the lock.
    CANCEL_OF_LAST_FREES,
    /// A waiter that is dropped is looked up by its waker.
    CANCEL_BY_WAKER,
    /// An operation that got its grant is taken off the count of waiters once more when it goes.
    DROP_COUNTS_TWICE,
    /// A release grants and does not wake.
    RELEASE_WAKES_NONE,
    /// A release takes one waiter for none.
    RELEASE_MISSES_LAST,
    /// A release grants to the first waiter and wakes the last.
    RELEASE_WAKES_LAST,
    /// A release takes the last waiter and wakes the first.
    RELEASE_GRANTS_LAST_WAKES_FIRST,
    /// A release wakes a waiter and grants it nothing.
    RELEASE_GRANTS_NONE,
    /// A release grants to the first waiter and frees the lock as well.
    RELEASE_FREES_AND_GRANTS,
    /// A release grants to two waiters.
    RELEASE_GRANTS_TWO,
    /// A release wakes everybody.
    RELEASE_WAKES_ALL,
    /// A release wakes twice.
    RELEASE_WAKES_TWICE,
    /// A guard that is dropped by a panic does not release.
    PANIC_KEEPS,
    /// A guard that is dropped by a panic frees the lock and wakes nobody.
    PANIC_WAKES_NONE,
    /// A guard that is dropped on another thread does not release.
    ELSEWHERE_KEEPS,
    /// A guard that is dropped on another thread frees the lock and wakes nobody.
    ELSEWHERE_WAKES_NONE,
    /// A waiter that is polled again keeps the waker of its first poll.
    REPOLL_KEEPS_WAKER,
    /// A waiter that is polled again gives up its waker.
    REPOLL_DROPS_WAKER,
    /// A waiter that is polled again leaves the queue.
    REPOLL_LEAVES,
    /// A waiter that is polled again is queued again.
    REPOLL_QUEUES_AGAIN,
    /// A waiter that is polled again takes any grant for its own.
    REPOLL_TAKES_ANY_GRANT,
    /// A waiter that waits wakes itself.
    WAIT_WAKES_ITSELF,
    /// A waiter whose waker is known is not queued.
    WAIT_KNOWS_WAKER,
    /// Waiters are told apart by one bit.
    TICKETS_WRAP,
    /// A try gets a lock that was granted and not taken yet.
    TRY_TAKES_GRANTED,
    /// A try that fails is queued.
    TRY_QUEUES,
    /// A try that fails marks that nobody waits.
    TRY_CLEARS_QUEUE,
    /// A newcomer gets a lock that was granted and not taken yet.
    NEWCOMER_TAKES_GRANTED,
    /// A question takes a grant back.
    QUERY_TAKES_GRANT,
    /// A question is answered by whether somebody waits.
    QUERY_TELLS_WAITERS,
    /// A question is answered as by a try, and the answer is not given back.
    QUERY_KEEPS,
    /// A lock without hand-over: a woken waiter that is dropped wakes nobody.
    WOKEN_CANCEL_WAKES_NONE,
    /// A lock without hand-over: a woken waiter that comes too late is not queued again.
    WOKEN_LOSES_PLACE,
    /// A free lock is taken when the future is made, and kept when that future is dropped unpolled.
    MADE_TAKES,
}

/// The number of an operation.
type Ticket = u64;

#[derive(Default)]
struct State {
    locked: bool,
    /// To whom the lock was granted, or for whom a waiter was woken, and not taken yet.
    granted: Vec<Ticket>,
    queue: VecDeque<Waiter>,
    tickets: Ticket,
    /// How many wait, where that is counted apart.
    count: isize,
}

struct Waiter {
    ticket: Ticket,
    waker: Option<Waker>,
}

/// Who is to be woken when the internal lock is free.
type Wakes = Vec<Waker>;

/// A mutex with the flaw `F`.
pub struct Mutex<F> {
    state: sync::Mutex<State>,
    flaw: PhantomData<F>,
}

impl<F: Flaw> Mutex<F> {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State) -> Wakes) {
        let mut state = self.lock();
        let wakes = change(&mut state);
        drop(state);
        wakes.into_iter().for_each(Waker::wake);
    }

    fn guard(&self) -> Guard<'_, F> {
        Guard { mutex: self, taken_on: thread::current().id() }
    }
}

impl State {
    fn ticket<F: Flaw>(&mut self) -> Ticket {
        self.tickets += 1;
        if F::TICKETS_WRAP { self.tickets % 2 } else { self.tickets }
    }

    /// Frees the lock, or grants it to the waiter whose turn it is.
    fn pass_on<F: Flaw>(&mut self) -> Wakes {
        if F::RELEASE_MISSES_LAST && self.queue.len() == 1 || F::DROP_COUNTS_TWICE && self.count <= 0 {
            self.locked = false;
            return Wakes::new();
        }
        let next = match F::RELEASE_GRANTS_LAST_WAKES_FIRST || F::YOUNGEST_FIRST {
            true => self.queue.pop_back(),
            false => self.queue.pop_front(),
        };
        let Some(mut next) = next else {
            self.locked = false;
            return Wakes::new();
        };
        self.count -= 1;
        if !F::RELEASE_GRANTS_NONE {
            self.granted.push(next.ticket);
        }
        self.locked = !F::BARGES && !F::RELEASE_FREES_AND_GRANTS;
        let mut wakes: Wakes = next.waker.take().into_iter().collect();
        if F::RELEASE_GRANTS_TWO
            && let Some(second) = self.queue.pop_front()
        {
            self.granted.push(second.ticket);
            wakes.extend(second.waker);
        }
        if F::RELEASE_WAKES_NONE {
            wakes.clear();
        }
        if F::RELEASE_WAKES_TWICE {
            wakes.extend(wakes.clone());
        }
        if F::RELEASE_WAKES_ALL {
            wakes.extend(self.queue.iter().filter_map(|waiter| waiter.waker.clone()));
        }
        if F::RELEASE_WAKES_LAST
            && let Some(last) = self.queue.back()
        {
            wakes = last.waker.iter().cloned().collect();
        }
        if F::RELEASE_GRANTS_LAST_WAKES_FIRST
            && let Some(first) = self.queue.front()
        {
            wakes = first.waker.iter().cloned().collect();
        }
        wakes
    }

    /// Takes back the grant of a ticket, if it has one.
    fn take_grant(&mut self, own: Ticket) -> bool {
        let place = self.granted.iter().position(|ticket| *ticket == own);
        place.map(|place| self.granted.swap_remove(place)).is_some()
    }

    fn place(&self, own: Ticket) -> Option<usize> {
        self.queue.iter().position(|waiter| waiter.ticket == own)
    }

    fn queue<F: Flaw>(&mut self, own: Ticket, waker: &Waker) {
        let is_known = |waiter: &Waiter| waiter.waker.as_ref().is_some_and(|known| known.will_wake(waker));
        if F::WAIT_KNOWS_WAKER && self.queue.iter().any(is_known) {
            return;
        }
        // A woken waiter that comes too late goes to the place of its arrival.
        let place = match F::TICKETS_WRAP {
            true => self.queue.len(),
            false => self.queue.partition_point(|waiter| waiter.ticket < own),
        };
        self.queue.insert(place, Waiter { ticket: own, waker: Some(waker.clone()) });
        self.count += 1;
    }
}

/// The guard of a mutex.
pub struct Guard<'a, F: Flaw> {
    mutex: &'a Mutex<F>,
    taken_on: ThreadId,
}

impl<F: Flaw> Drop for Guard<'_, F> {
    fn drop(&mut self) {
        let panics = thread::panicking();
        let elsewhere = self.taken_on != thread::current().id();
        if F::PANIC_KEEPS && panics || F::ELSEWHERE_KEEPS && elsewhere {
            return;
        }
        self.mutex.change(|state| {
            let wakes = state.pass_on::<F>();
            if F::PANIC_WAKES_NONE && panics || F::ELSEWHERE_WAKES_NONE && elsewhere { Wakes::new() } else { wakes }
        });
    }
}

/// An acquire: it asks when it is first polled, and from then on has a ticket until it comes to its guard.
struct Acquire<'a, F: Flaw> {
    mutex: &'a Mutex<F>,
    gave_way: bool,
    ticket: Option<Ticket>,
    waker: Option<Waker>,
    done: bool,
    /// Whether it took the lock when it was made.
    took: bool,
}

impl<'a, F: Flaw> Future for Acquire<'a, F> {
    type Output = Guard<'a, F>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Guard<'a, F>> {
        if F::GIVES_WAY && !std::mem::replace(&mut self.gave_way, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mutex = self.mutex;
        if std::mem::take(&mut self.took) {
            return Poll::Ready(mutex.guard());
        }
        let mut state = mutex.lock();
        let Some(own) = self.ticket else {
            let is_free = !state.locked || F::NEWCOMER_TAKES_GRANTED && !state.granted.is_empty();
            if is_free {
                state.locked = true;
                self.done = true;
                return Poll::Ready(mutex.guard());
            }
            let own = state.ticket::<F>();
            state.queue::<F>(own, cx.waker());
            drop(state);
            self.ticket = Some(own);
            self.waker = Some(cx.waker().clone());
            if F::WAIT_WAKES_ITSELF {
                cx.waker().wake_by_ref();
            }
            return Poll::Pending;
        };
        let any = F::REPOLL_TAKES_ANY_GRANT && !state.granted.is_empty();
        let is_granted = state.take_grant(own) || any;
        let is_mine = if F::BARGES { !state.locked } else { is_granted };
        if is_mine {
            if let Some(place) = state.place(own) {
                state.queue.remove(place);
                state.count -= 1;
            }
            state.locked = true;
            self.ticket = None;
            self.done = true;
            return Poll::Ready(mutex.guard());
        }
        match state.place(own) {
            _ if F::REPOLL_QUEUES_AGAIN => state.queue::<F>(own, cx.waker()),
            Some(_) if F::REPOLL_KEEPS_WAKER => {}
            Some(place) if F::REPOLL_DROPS_WAKER => state.queue[place].waker = None,
            Some(place) if F::REPOLL_LEAVES => drop(state.queue.remove(place)),
            Some(place) => state.queue[place].waker = Some(cx.waker().clone()),
            // It was woken, and another one was faster.
            None if F::BARGES && !F::WOKEN_LOSES_PLACE => state.queue::<F>(own, cx.waker()),
            None => {}
        }
        drop(state);
        self.waker = Some(cx.waker().clone());
        if F::WAIT_WAKES_ITSELF {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl<F: Flaw> Drop for Acquire<'_, F> {
    fn drop(&mut self) {
        let Some(own) = self.ticket else {
            if F::DROP_COUNTS_TWICE && self.done {
                self.mutex.lock().count -= 1;
            }
            return;
        };
        self.mutex.change(|state| {
            if state.take_grant(own) {
                return match () {
                    () if F::CANCEL_KEEPS_GRANT => Wakes::new(),
                    () if F::CANCEL_WAKES_NONE => {
                        state.locked = false;
                        Wakes::new()
                    }
                    () if F::CANCEL_PASSES_ON_TO_NOBODY && !state.queue.is_empty() => Wakes::new(),
                    () if F::WOKEN_CANCEL_WAKES_NONE => Wakes::new(),
                    // Without a hand-over somebody else may hold the lock, and will wake the next.
                    () if F::BARGES && state.locked => Wakes::new(),
                    () => state.pass_on::<F>(),
                };
            }
            let place = match F::CANCEL_BY_WAKER {
                true => state
                    .queue
                    .iter()
                    .position(|waiter| waiter.waker.iter().zip(&self.waker).any(|(known, own)| known.will_wake(own))),
                false => state.place(own),
            };
            match place {
                _ if F::CANCEL_STAYS_QUEUED => {}
                _ if F::CANCEL_REMOVES_ALL => state.queue.clear(),
                Some(_) if F::CANCEL_REMOVES_FIRST => drop(state.queue.pop_front()),
                Some(place) => {
                    state.queue.remove(place);
                    state.count -= 1;
                }
                None => {}
            }
            if F::CANCEL_OF_LAST_FREES && state.queue.is_empty() {
                state.locked = false;
            }
            if F::CANCEL_ALWAYS_PASSES_ON { state.pass_on::<F>() } else { Wakes::new() }
        });
    }
}

impl<F: Flaw> AsyncMutex for Mutex<F> {
    type Guard<'a> = Guard<'a, F>;
    const CAPABILITIES: MutexCapabilities = MutexCapabilities::plain().with_is_locked();

    fn new() -> Self {
        Self { state: sync::Mutex::default(), flaw: PhantomData }
    }

    fn acquire(&self) -> impl Future<Output = Result<Guard<'_, F>, Message>> + Send {
        let took = F::MADE_TAKES && !std::mem::replace(&mut self.lock().locked, true);
        let acquire = Acquire { mutex: self, gave_way: false, ticket: None, waker: None, done: false, took };
        async move { Ok(acquire.await) }
    }

    fn try_acquire(&self) -> Result<Guard<'_, F>, Message> {
        let mut state = self.lock();
        let is_free = !state.locked || F::TRY_TAKES_GRANTED && !state.granted.is_empty();
        if is_free {
            state.locked = true;
            return Ok(self.guard());
        }
        if F::TRY_QUEUES {
            let own = state.ticket::<F>();
            state.queue::<F>(own, Waker::noop());
        }
        if F::TRY_CLEARS_QUEUE {
            state.queue.clear();
        }
        Err(Message::none())
    }

    fn is_locked(&self) -> bool {
        let mut state = self.lock();
        if F::QUERY_TAKES_GRANT {
            state.granted.clear();
        }
        if F::QUERY_TELLS_WAITERS {
            return !state.queue.is_empty();
        }
        let locked = state.locked;
        if F::QUERY_KEEPS {
            state.locked = true;
        }
        locked
    }

    fn debug(&self) -> String {
        format!("Mutex {{ locked: {} }}", self.lock().locked)
    }
}
