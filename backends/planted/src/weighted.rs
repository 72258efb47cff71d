//! A queue of waiters that ask for different amounts, honest in several policies or wrong in one line; and its faces, a
//! semaphore and an rwlock.
//!
//! A reader takes one unit and a writer all of them, so most mistakes need to be written once.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use harness::adapter::rwlock::{AsyncRwLock, Never};
use harness::adapter::semaphore::AsyncSemaphore;
use harness::object::Message;

macro_rules! flaws {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What is wrong with a queue: nothing, or one of these. The first are policies, and no mistakes.
        pub trait Flaw: Send + Sync + 'static {
            $($(#[$doc])* const $name: bool = false;)*
        }
    };
}

flaws! {
    /// Policy: a newcomer takes what is free although others wait.
    BARGES,
    /// Policy: the youngest waiter is served first.
    YOUNGEST_FIRST,
    /// Policy: whoever can be served is served, however long others have waited for more.
    GREEDY,
    /// A waiter is granted one unit more than there is.
    GRANTS_ONE_TOO_MANY,
    /// A try takes what is not there.
    TRY_OVERDRAWS,
    /// A release gives nothing back.
    RELEASE_KEEPS,
    /// A release wakes nobody and grants nothing.
    RELEASE_WAKES_NONE,
    /// A release serves one waiter, where it could serve several.
    RELEASE_SERVES_ONE,
    /// A waiter that is dropped after its grant keeps it.
    CANCEL_KEEPS_GRANT,
    /// A waiter that is dropped at the head of the queue does not let those behind it go.
    CANCEL_LETS_NOBODY_GO,
    /// A waiter that is dropped stays in the queue.
    CANCEL_STAYS_QUEUED,
    /// Added units are served to nobody.
    ADD_WAKES_NONE,
    /// A close does not end the waits.
    CLOSE_WAKES_NONE,
    /// A closed queue goes on granting.
    CLOSE_GRANTS_ON,
    /// The number that is free is said one too high.
    COUNT_IS_HIGH,
    /// The number that is free is said one too low.
    COUNT_IS_LOW,
    /// Giving a unit up for good gives it back.
    FORGET_RETURNS,
    /// A writer that turns into a reader keeps the others out.
    DOWNGRADE_KEEPS,
    /// A reader is let in beside a writer.
    READS_BESIDE_A_WRITER,
}

type Ticket = u64;

struct State {
    free: i64,
    is_closed: bool,
    queue: VecDeque<Waiter>,
    /// Granted and not yet taken up.
    granted: Vec<(Ticket, i64)>,
    tickets: Ticket,
}

struct Waiter {
    ticket: Ticket,
    need: i64,
    waker: Waker,
}

/// A queue for units.
pub struct Queue<F> {
    state: Mutex<State>,
    flaw: PhantomData<F>,
}

impl<F: Flaw> Queue<F> {
    fn new(units: i64) -> Arc<Self> {
        let state = State { free: units, is_closed: false, queue: VecDeque::new(), granted: Vec::new(), tickets: 0 };
        Arc::new(Self { state: Mutex::new(state), flaw: PhantomData })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, then wakes whom that concerns: never under the internal lock.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> (T, Vec<Waker>)) -> T {
        let (value, wakers) = change(&mut self.lock());
        wakers.into_iter().for_each(Waker::wake);
        value
    }

    fn give(&self, units: i64) {
        self.change(|state| {
            if F::RELEASE_KEEPS {
                return ((), Vec::new());
            }
            state.free += units;
            ((), if F::RELEASE_WAKES_NONE { Vec::new() } else { state.serve::<F>() })
        });
    }

    fn try_take(&self, need: i64) -> Option<()> {
        let mut state = self.lock();
        let waits = !F::BARGES && !F::GREEDY && !state.queue.is_empty();
        let is_there = state.free >= need && !waits || F::TRY_OVERDRAWS;
        let is_open = !state.is_closed || F::CLOSE_GRANTS_ON;
        (is_there && is_open).then(|| state.free -= need)
    }
}

impl State {
    /// Grants what is free to those who wait, and returns their wakers.
    fn serve<F: Flaw>(&mut self) -> Vec<Waker> {
        let mut wakers = Vec::new();
        let spare = i64::from(F::GRANTS_ONE_TOO_MANY);
        loop {
            let fits = |waiter: &Waiter| waiter.need <= self.free + spare;
            let place = match () {
                () if F::GREEDY => self.queue.iter().position(fits),
                () if F::YOUNGEST_FIRST => self.queue.len().checked_sub(1).filter(|last| fits(&self.queue[*last])),
                () => (!self.queue.is_empty() && fits(&self.queue[0])).then_some(0),
            };
            let Some(waiter) = place.and_then(|place| self.queue.remove(place)) else { return wakers };
            self.free -= waiter.need;
            self.granted.push((waiter.ticket, waiter.need));
            wakers.push(waiter.waker);
            if F::RELEASE_SERVES_ONE {
                return wakers;
            }
        }
    }

    fn take_grant(&mut self, ticket: Ticket) -> bool {
        let place = self.granted.iter().position(|(granted, _)| *granted == ticket);
        place.map(|place| self.granted.swap_remove(place)).is_some()
    }
}

/// Units that somebody holds.
pub struct Units<F: Flaw> {
    queue: Arc<Queue<F>>,
    count: i64,
}

impl<F: Flaw> Units<F> {
    fn of(queue: &Arc<Queue<F>>, count: i64) -> Self {
        Self { queue: Arc::clone(queue), count }
    }

    /// Gives all but `keep` units back.
    fn shrink(mut self, keep: i64) -> Self {
        if !F::DOWNGRADE_KEEPS {
            self.queue.give(self.count - keep);
            self.count = keep;
        }
        self
    }
}

impl<F: Flaw> Drop for Units<F> {
    fn drop(&mut self) {
        if self.count > 0 {
            self.queue.give(self.count);
        }
    }
}

/// A wait for units.
struct Acquire<F: Flaw> {
    queue: Arc<Queue<F>>,
    need: i64,
    ticket: Option<Ticket>,
}

impl<F: Flaw> Future for Acquire<F> {
    type Output = Result<Units<F>, Message>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (queue, need) = (Arc::clone(&self.queue), self.need);
        let mut state = queue.lock();
        let closed = || Poll::Ready(Err(Message::text("closed")));
        if let Some(ticket) = self.ticket {
            if state.take_grant(ticket) {
                self.ticket = None;
                return Poll::Ready(Ok(Units::of(&queue, need)));
            }
            match state.queue.iter_mut().find(|waiter| waiter.ticket == ticket) {
                Some(waiter) => waiter.waker = cx.waker().clone(),
                None => {
                    self.ticket = None;
                    return closed();
                }
            }
            return Poll::Pending;
        }
        if state.is_closed && !F::CLOSE_GRANTS_ON {
            return closed();
        }
        let waits = !F::BARGES && !F::GREEDY && !state.queue.is_empty();
        if state.free >= need && !waits || F::READS_BESIDE_A_WRITER && need == 1 {
            state.free -= need;
            return Poll::Ready(Ok(Units::of(&queue, need)));
        }
        state.tickets += 1;
        let ticket = state.tickets;
        state.queue.push_back(Waiter { ticket, need, waker: cx.waker().clone() });
        self.ticket = Some(ticket);
        Poll::Pending
    }
}

impl<F: Flaw> Drop for Acquire<F> {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        self.queue.change(|state| {
            if state.take_grant(ticket) {
                if F::CANCEL_KEEPS_GRANT {
                    return ((), Vec::new());
                }
                state.free += self.need;
                return ((), state.serve::<F>());
            }
            if !F::CANCEL_STAYS_QUEUED {
                state.queue.retain(|waiter| waiter.ticket != ticket);
            }
            ((), if F::CANCEL_LETS_NOBODY_GO { Vec::new() } else { state.serve::<F>() })
        });
    }
}

/// The semaphore that is a queue.
pub struct Semaphore<F: Flaw>(Arc<Queue<F>>);

impl<F: Flaw> AsyncSemaphore for Semaphore<F> {
    type Permit = Units<F>;
    const CAPABILITIES: &'static [&'static str] = &["semaphore", "semaphore:counted", "semaphore:close"];

    fn new(permits: u64) -> Option<Self> {
        Some(Self(Queue::new(i64::try_from(permits).ok()?)))
    }

    fn acquire(&self, permits: u64) -> Option<impl Future<Output = Result<Units<F>, Message>> + Send> {
        Some(Acquire { queue: Arc::clone(&self.0), need: i64::try_from(permits).ok()?, ticket: None })
    }

    fn try_acquire(&self, permits: u64) -> Option<Result<Units<F>, Message>> {
        let need = i64::try_from(permits).ok()?;
        Some(self.0.try_take(need).map(|()| Units::of(&self.0, need)).ok_or_else(Message::none))
    }

    fn forget(mut permit: Units<F>) -> Result<(), Units<F>> {
        permit.count *= i64::from(F::FORGET_RETURNS);
        Ok(())
    }

    fn add(&self, permits: u64) -> Option<()> {
        let permits = i64::try_from(permits).ok()?;
        self.0.change(|state| {
            state.free += permits;
            (Some(()), if F::ADD_WAKES_NONE { Vec::new() } else { state.serve::<F>() })
        })
    }

    fn forget_permits(&self, permits: u64) -> Option<u64> {
        let mut state = self.0.lock();
        let taken = i64::try_from(permits).ok()?.min(state.free.max(0));
        state.free -= taken;
        u64::try_from(taken).ok()
    }

    fn close(&self) -> Option<()> {
        self.0.change(|state| {
            state.is_closed = true;
            let ended = if F::CLOSE_WAKES_NONE { VecDeque::new() } else { std::mem::take(&mut state.queue) };
            (Some(()), ended.into_iter().map(|waiter| waiter.waker).collect())
        })
    }

    fn available(&self) -> Option<i64> {
        Some(self.0.lock().free + i64::from(F::COUNT_IS_HIGH) - i64::from(F::COUNT_IS_LOW))
    }

    fn is_closed(&self) -> Option<bool> {
        Some(self.0.lock().is_closed)
    }
}

/// How many units the rwlock has where nobody limits its readers.
const UNITS: u64 = 1 << 20;

/// The rwlock that is a queue: one unit for a reader, all for a writer.
pub struct RwLock<F: Flaw> {
    queue: Arc<Queue<F>>,
    units: i64,
}

impl<F: Flaw> AsyncRwLock for RwLock<F> {
    type Read = Units<F>;
    type Write = Units<F>;
    type Upgradable = Never;
    const CAPABILITIES: &'static [&'static str] = &["rwlock", "rwlock:readers", "rwlock:downgrade"];

    fn new(readers: Option<u64>) -> Option<Self> {
        let units = i64::try_from(readers.unwrap_or(UNITS)).ok()?;
        Some(Self { queue: Queue::new(units), units })
    }

    fn read(&self) -> impl Future<Output = Result<Units<F>, Message>> + Send {
        Acquire { queue: Arc::clone(&self.queue), need: 1, ticket: None }
    }

    fn write(&self) -> impl Future<Output = Result<Units<F>, Message>> + Send {
        Acquire { queue: Arc::clone(&self.queue), need: self.units, ticket: None }
    }

    #[expect(clippy::manual_async_fn, reason = "there is no guard to turn")]
    fn upgrade(guard: Never) -> impl Future<Output = Result<Units<F>, Message>> + Send {
        async move { match guard {} }
    }

    fn try_read(&self) -> Result<Units<F>, Message> {
        self.queue.try_take(1).map(|()| Units::of(&self.queue, 1)).ok_or_else(Message::none)
    }

    fn try_write(&self) -> Result<Units<F>, Message> {
        self.queue.try_take(self.units).map(|()| Units::of(&self.queue, self.units)).ok_or_else(Message::none)
    }

    fn try_upgrade(guard: Never) -> Result<Units<F>, (Never, Message)> {
        match guard {}
    }

    fn downgrade(guard: Units<F>) -> Result<Units<F>, Units<F>> {
        Ok(guard.shrink(1))
    }
}
