//! A mutex with a queue, written by hand. Each of its decisions is a method of [`Ways`], right by default; a broken lock
//! gets one of them wrong.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{self, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::{self, Thread};

use keyalike_harness::adapter::mutex::{AsyncMutex, MutexCapabilities};
use keyalike_harness::executor::is_budget_spent;
use keyalike_harness::object::Message;

/// How a mutex decides. What is not overridden is right.
pub(crate) trait Ways: Send + Sync + Sized + 'static {
    /// Whether a release gives the mutex to a waiter at once. If not, a newcomer may take it before the waiter has run.
    const HANDS_OVER: bool = true;
    /// Whether a guard that is dropped by a panic releases.
    const RELEASES_WHILE_PANICKING: bool = true;
    /// Whether an acquire that finds the mutex held tries until it is free, instead of waiting.
    const SPINS: bool = false;
    /// Whether it keeps a waker of its holder, to know him again.
    const KNOWS_ITS_HOLDER: bool = false;
    /// Whether an acquire without budget says pending, though it may have taken the mutex: the runtime polls it again.
    const HEEDS_BUDGET: bool = false;
    /// Whether an acquire that waits wakes its own task.
    const WAKES_ITSELF: bool = false;

    /// Returns whether a newcomer gets the mutex.
    fn admits(state: &State, _waker: Option<&Waker>) -> bool {
        state.holder.is_none()
    }

    /// Returns whether a try gets the mutex.
    fn admits_try(state: &State) -> bool {
        state.holder.is_none()
    }

    /// Returns the error that a newcomer gets instead of waiting.
    fn refuses(_state: &State, _waker: &Waker) -> Option<&'static str> {
        None
    }

    /// Returns whether a waiter that is polled again gets the mutex.
    fn takes(state: &State, own: Ticket) -> bool {
        state.holder == Some(own) || !Self::HANDS_OVER && state.holder.is_none()
    }

    /// Returns the place of the waiter that is next.
    fn chooses(state: &State) -> Option<usize> {
        (!state.queue.is_empty()).then_some(0)
    }

    /// Lets the holder go.
    fn releases(state: &mut State) -> After {
        state.pass_on::<Self>()
    }

    /// Lets a waiter go that has not come to its guard.
    fn cancels(state: &mut State, own: Ticket) -> After {
        state.give_up::<Self>(own)
    }

    /// Keeps a waiter that was polled and is not granted. Returns what must be dropped outside the internal lock.
    fn waits_on(state: &mut State, own: Ticket, sleeper: Sleeper) -> Option<Sleeper> {
        state.keep_waiting(own, sleeper)
    }

    /// Returns what `is-locked` says.
    fn tells(state: &State) -> bool {
        state.holder.is_some()
    }

    /// Wakes a waiter.
    fn wakes(sleeper: Sleeper, internals: MutexGuard<'_, State>) {
        drop(internals);
        sleeper.wake();
    }

    /// Hears that the mutex goes.
    fn drops() {}
}

/// The way of an honest mutex that hands over to the longest waiter.
pub(crate) struct HandsOver;

impl Ways for HandsOver {}

/// The way of an honest mutex that a newcomer may take before a woken waiter has run.
pub(crate) struct Barging;

impl Ways for Barging {
    const HANDS_OVER: bool = false;
}

/// The way of an honest mutex that heeds the budget of its runtime, as tokio's does.
pub(crate) struct HeedsBudget;

impl Ways for HeedsBudget {
    const HEEDS_BUDGET: bool = true;
}

/// The way of an honest mutex that keeps every waker that it was given and wakes them when it is gone: in the next run.
pub(crate) struct OutlivesItself;

/// The wakers of mutexes that are there, and of those that are gone.
static KEPT: sync::Mutex<(Vec<Waker>, Vec<Waker>)> = sync::Mutex::new((Vec::new(), Vec::new()));

impl Ways for OutlivesItself {
    fn admits(state: &State, waker: Option<&Waker>) -> bool {
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        let stale = std::mem::take(&mut kept.1);
        kept.0.extend(waker.cloned());
        drop(kept);
        stale.into_iter().for_each(Waker::wake);
        HandsOver::admits(state, waker)
    }

    fn drops() {
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = std::mem::take(&mut kept.0);
        kept.1.extend(gone);
    }
}

/// The way of a mutex that refuses every other try, whatever its state: no two runs are alike.
pub(crate) struct Moody;

impl Ways for Moody {
    fn admits_try(state: &State) -> bool {
        static REFUSES: AtomicBool = AtomicBool::new(true);
        REFUSES.fetch_not(Ordering::Relaxed) && HandsOver::admits_try(state)
    }
}

/// The number of an operation, in the order in which they asked.
pub(crate) type Ticket = u64;

/// What a mutex knows.
#[derive(Default)]
pub(crate) struct State {
    /// The operation that has the mutex, its guard still to be fetched or not.
    pub(super) holder: Option<Ticket>,
    /// How the holder could have been woken when it took the mutex, where that is kept.
    pub(super) holder_waker: Option<Waker>,
    pub(super) queue: VecDeque<Waiter>,
    pub(super) tickets: Ticket,
    /// Whether a waiter was cancelled; only a broken lock asks.
    pub(super) is_disturbed: bool,
}

pub(crate) struct Waiter {
    pub(super) ticket: Ticket,
    pub(super) sleeper: Sleeper,
}

/// Somebody who waits.
pub(crate) enum Sleeper {
    Task(Waker),
    Thread(Thread),
}

impl Sleeper {
    pub(super) fn wake(self) {
        match self {
            Sleeper::Task(waker) => waker.wake(),
            Sleeper::Thread(thread) => thread.unpark(),
        }
    }
}

impl State {
    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        self.tickets
    }

    pub(super) fn place(&self, own: Ticket) -> Option<usize> {
        self.queue.iter().position(|waiter| waiter.ticket == own)
    }

    /// Frees the mutex, or gives it to the waiter that is next.
    pub(super) fn pass_on<W: Ways>(&mut self) -> After {
        self.holder = None;
        self.holder_waker = None;
        let next = W::chooses(self).and_then(|place| self.queue.remove(place));
        if W::HANDS_OVER {
            self.holder = next.as_ref().map(|waiter| waiter.ticket);
        }
        After { wake: next.map(|waiter| waiter.sleeper), gone: None }
    }

    /// Takes a waiter out of the queue; if it has been granted the mutex, or woken for it, passes that on.
    pub(super) fn give_up<W: Ways>(&mut self, own: Ticket) -> After {
        if let Some(place) = self.place(own) {
            return After { wake: None, gone: self.queue.remove(place).map(|waiter| waiter.sleeper) };
        }
        let is_its_turn = self.holder == Some(own) || self.holder.is_none();
        if is_its_turn { self.pass_on::<W>() } else { After::default() }
    }

    /// Puts a waiter at its place, which is that of its ticket, with the waker of its last poll. Returns the waker of the
    /// poll before.
    pub(super) fn keep_waiting(&mut self, own: Ticket, sleeper: Sleeper) -> Option<Sleeper> {
        if let Some(place) = self.place(own) {
            return Some(std::mem::replace(&mut self.queue[place].sleeper, sleeper));
        }
        let place = self.queue.partition_point(|waiter| waiter.ticket < own);
        self.queue.insert(place, Waiter { ticket: own, sleeper });
        None
    }
}

/// What is left to do when the internal lock is no longer held: no waker is woken or dropped under it.
#[derive(Default)]
pub(crate) struct After {
    pub(super) wake: Option<Sleeper>,
    pub(super) gone: Option<Sleeper>,
}

/// A mutex that goes the ways of `W`.
#[derive(Default)]
pub(crate) struct Mutex<W: Ways> {
    state: sync::Mutex<State>,
    ways: std::marker::PhantomData<W>,
}

impl<W: Ways> Drop for Mutex<W> {
    fn drop(&mut self) {
        W::drops();
    }
}

impl<W: Ways> Mutex<W> {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, then does what is left to do.
    fn change(&self, change: impl FnOnce(&mut State) -> After) {
        let mut state = self.lock();
        let After { wake, gone } = change(&mut state);
        match wake {
            Some(sleeper) => W::wakes(sleeper, state),
            None => drop(state),
        }
        drop(gone);
    }

    fn guard(&self) -> Guard<'_, W> {
        Guard { mutex: self }
    }
}

/// The guard of a mutex.
pub(crate) struct Guard<'a, W: Ways> {
    mutex: &'a Mutex<W>,
}

impl<W: Ways> Drop for Guard<'_, W> {
    fn drop(&mut self) {
        if W::RELEASES_WHILE_PANICKING || !thread::panicking() {
            self.mutex.change(W::releases);
        }
    }
}

/// An acquire: it asks when it is first polled, and from then on has a ticket until it comes to its guard.
struct Acquire<'a, W: Ways> {
    mutex: &'a Mutex<W>,
    ticket: Option<Ticket>,
}

impl<'a, W: Ways> Acquire<'a, W> {
    /// Asks once; returns what must be dropped when the internal lock is no longer held.
    fn ask(&mut self, waker: Waker) -> (Poll<Result<Guard<'a, W>, Message>>, Option<Sleeper>) {
        let mut state = self.mutex.lock();
        let own = match self.ticket {
            Some(own) if W::takes(&state, own) => {
                let place = state.place(own);
                let gone = place.and_then(|place| state.queue.remove(place)).map(|waiter| waiter.sleeper);
                state.holder = Some(own);
                state.holder_waker = W::KNOWS_ITS_HOLDER.then_some(waker);
                self.ticket = None;
                return (Poll::Ready(Ok(self.mutex.guard())), gone);
            }
            Some(own) => own,
            None => match W::refuses(&state, &waker) {
                Some(error) => return (Poll::Ready(Err(Message::text(error))), None),
                None if W::HEEDS_BUDGET && is_budget_spent() && W::admits(&state, Some(&waker)) => {
                    let own = state.ticket();
                    state.holder = Some(own);
                    self.ticket = Some(own);
                    return (Poll::Pending, Some(Sleeper::Task(waker)));
                }
                None if W::admits(&state, Some(&waker)) => {
                    state.holder = Some(state.ticket());
                    state.holder_waker = W::KNOWS_ITS_HOLDER.then(|| waker.clone());
                    return (Poll::Ready(Ok(self.mutex.guard())), Some(Sleeper::Task(waker)));
                }
                None => *self.ticket.insert(state.ticket()),
            },
        };
        (Poll::Pending, W::waits_on(&mut state, own, Sleeper::Task(waker)))
    }
}

impl<'a, W: Ways> Future for Acquire<'a, W> {
    type Output = Result<Guard<'a, W>, Message>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            // Cloned before the internal lock is taken: a waker may act on it.
            let (answer, gone) = self.ask(cx.waker().clone());
            drop(gone);
            if answer.is_pending() && W::WAKES_ITSELF {
                cx.waker().wake_by_ref();
            }
            if answer.is_ready() || !W::SPINS {
                return answer;
            }
        }
    }
}

impl<W: Ways> Drop for Acquire<'_, W> {
    fn drop(&mut self) {
        if let Some(own) = self.ticket {
            self.mutex.change(|state| W::cancels(state, own));
        }
    }
}

impl<W: Ways> AsyncMutex for Mutex<W> {
    type Guard<'a> = Guard<'a, W>;
    const CAPABILITIES: MutexCapabilities = MutexCapabilities::plain().with_blocking().with_is_locked();

    fn new() -> Self {
        Self { state: sync::Mutex::default(), ways: std::marker::PhantomData }
    }

    async fn acquire(&self) -> Result<Guard<'_, W>, Message> {
        Acquire { mutex: self, ticket: None }.await
    }

    fn try_acquire(&self) -> Result<Guard<'_, W>, Message> {
        let mut state = self.lock();
        if !W::admits_try(&state) {
            return Err(Message::none());
        }
        state.holder = Some(state.ticket());
        state.holder_waker = None;
        Ok(self.guard())
    }

    fn acquire_blocking(&self) -> Result<Guard<'_, W>, Message> {
        let mut state = self.lock();
        if W::admits(&state, None) {
            state.holder = Some(state.ticket());
            state.holder_waker = None;
            return Ok(self.guard());
        }
        let own = state.ticket();
        loop {
            drop(state.keep_waiting(own, Sleeper::Thread(thread::current())));
            drop(state);
            thread::park();
            state = self.lock();
            if W::takes(&state, own) {
                if let Some(place) = state.place(own) {
                    drop(state.queue.remove(place));
                }
                state.holder = Some(own);
                return Ok(self.guard());
            }
        }
    }

    fn is_locked(&self) -> bool {
        W::tells(&self.lock())
    }

    fn debug(&self) -> String {
        format!("Mutex {{ locked: {} }}", self.lock().holder.is_some())
    }
}
