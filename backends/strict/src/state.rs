//! What a strict mutex keeps beside its value: who holds it, and who waits, in the order of arrival.
//!
//! The library's lock decides who has the value. While nobody waits, a strict mutex only notes who that is. As soon as
//! somebody waits, a release promises the mutex to the first in the queue, and newcomers stand behind.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::cycle::{self, Edge, Registry, RegistryGuard, Wait};
use crate::error::{AcquireError, NoTask, Reentrant, TryAcquireError};
use crate::event;
use crate::mutex::Mode;
use crate::place::{self, Place, PlaceNumber};
use crate::task::{KEY_BITS, Key, current};

/// What a strict mutex keeps beside its value.
///
/// Locks are taken in this order: the registry of waits (in [`Mode::EndlessWaits`] only), the queue. Nothing is called,
/// woken, cloned or dropped that is not ours while one of them is held: a waker, the value, the name of a task and whoever
/// subscribes to events may use the mutex that they are about.
pub(crate) struct Core {
    /// The holder and his place, packed; 0 if there is none. Written by who has the value, and by nobody else.
    holding: AtomicU64,
    /// How many stand in the queue, or are about to. 0 means that a release has nobody to look for.
    waiting: AtomicUsize,
    queue: Mutex<Queue>,
    mode: Mode,
}

/// Who waits, by ticket.
#[derive(Default)]
pub(crate) struct Queue {
    /// In the order of their tickets.
    waiters: VecDeque<Waiter>,
    next: u64,
    /// Whose turn it is: nobody else may take the mutex, but another future of the same task.
    promised: Option<u64>,
}

pub(crate) struct Waiter {
    ticket: u64,
    /// The task that polled last.
    key: Key,
    /// `None` since it was used, until the next poll.
    pub(crate) waker: Option<Waker>,
    /// Why it must wait no longer: the whole cycle.
    pub(crate) refused: Option<Vec<Edge>>,
}

impl Queue {
    fn index(&self, ticket: u64) -> usize {
        let index = self.waiters.binary_search_by_key(&ticket, |waiter| waiter.ticket);
        index.expect("only the future that has a ticket takes it out of the queue")
    }

    pub(crate) fn waiter(&mut self, ticket: u64) -> &mut Waiter {
        let index = self.index(ticket);
        &mut self.waiters[index]
    }

    pub(crate) fn is_promised(&self, ticket: u64) -> bool {
        self.promised == Some(ticket)
    }

    /// Promises the mutex to the first waiter, if it is promised to nobody. Returns whom to wake.
    ///
    /// The waker of the first was used already if another future of its task took up an earlier promise, and it was not
    /// polled since. Then that of another future of the task will do, which takes up this one too.
    fn promise(&mut self) -> Option<Waker> {
        if self.promised.is_some() {
            return None;
        }
        let first = self.waiters.front_mut()?;
        self.promised = Some(first.ticket);
        let (key, waker) = (first.key, first.waker.take());
        let mut others = self.waiters.iter_mut().filter(|waiter| waiter.key == key);
        waker.or_else(|| others.find_map(|waiter| waiter.waker.take()))
    }

    /// Returns whether `key` may take the mutex, for the waiter with this ticket or for a new one.
    fn is_turn(&self, ticket: Option<u64>, key: Key) -> bool {
        match self.promised {
            Some(promised) => ticket == Some(promised) || self.waiters[self.index(promised)].key == key,
            None => self.waiters.front().is_none_or(|first| Some(first.ticket) == ticket),
        }
    }
}

/// Who holds, and where he acquired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Holding {
    pub(crate) key: Key,
    pub(crate) place: PlaceNumber,
}

impl Holding {
    fn pack(self) -> u64 {
        self.key.bits() << PlaceNumber::BITS | u64::from(self.place)
    }

    fn unpack(bits: u64) -> Option<Self> {
        const { assert!(KEY_BITS + PlaceNumber::BITS == u64::BITS) };
        let key = Key::from_bits(bits >> PlaceNumber::BITS)?;
        Some(Self { key, place: bits as PlaceNumber })
    }
}

/// One acquire: where it was asked for, and its place in the queue once it waits.
pub(crate) struct Asking {
    place: Place,
    /// Whether its thread is blocked as long as it waits.
    is_blocking: bool,
    ticket: Option<u64>,
}

impl Asking {
    pub(crate) fn new(place: Place) -> Self {
        Self { place, is_blocking: false, ticket: None }
    }

    pub(crate) fn blocking(place: Place) -> Self {
        Self { is_blocking: true, ..Self::new(place) }
    }
}

/// What is done when no lock is held any more: declare it before the locks. A waker is used, another one dropped, and a
/// wait is told.
#[derive(Default)]
struct Afterwards {
    wake: Option<Waker>,
    drop: Option<Waker>,
    waits: Option<(Key, Place)>,
}

impl Drop for Afterwards {
    fn drop(&mut self) {
        if let Some(waker) = self.wake.take() {
            waker.wake();
        }
        if let Some((key, asked)) = self.waits {
            event::waits(key, asked);
        }
    }
}

impl Core {
    pub(crate) fn new(mode: Mode) -> Self {
        Self { holding: AtomicU64::new(0), waiting: AtomicUsize::new(0), queue: Mutex::default(), mode }
    }

    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    pub(crate) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns who holds.
    ///
    /// A task that holds has written so itself, so it cannot miss it. A task that does not hold may for a moment be told
    /// that it does, if another one releases its guard at that same moment, as if it had asked before the release.
    #[inline]
    pub(crate) fn holding(&self) -> Option<Holding> {
        Holding::unpack(self.holding.load(Ordering::Relaxed))
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    #[inline]
    fn hold(&self, key: Key, place: Place) {
        let holding = Holding { key, place: place::number(place) };
        self.holding.store(holding.pack(), Ordering::Relaxed);
    }

    /// Says whose the guard is now; `None` if it is on its way to nobody knows whom. Only who has the guard may call it.
    pub(crate) fn hand_over(&self, to: Option<Key>) {
        let key = to.unwrap_or(Key::NOBODY);
        let Some(holding) = self.holding().filter(|holding| holding.key != key) else { return };
        let _registry = self.registry();
        self.holding.store(Holding { key, ..holding }.pack(), Ordering::Relaxed);
    }

    /// Takes the lock of all waits, in the mode that follows them.
    fn registry(&self) -> Option<RegistryGuard> {
        match self.mode {
            Mode::EveryReentry => None,
            Mode::EndlessWaits => Some(cycle::registry()),
        }
    }

    /// Polls an acquire by the task that runs on this thread.
    #[inline]
    pub(crate) fn poll<G>(
        self: &Arc<Self>,
        asking: &mut Asking,
        cx: &mut Context<'_>,
        take: impl Fn() -> Option<G>,
    ) -> Poll<Result<G, AcquireError>> {
        match current() {
            Some(key) => self.poll_by(key, asking, cx, take),
            None => {
                self.leave(asking);
                Poll::Ready(Err(no_task(asking, false)))
            }
        }
    }

    /// Polls an acquire by `key`. `take` takes the library's lock if it is free.
    #[inline]
    pub(crate) fn poll_by<G>(
        self: &Arc<Self>,
        key: Key,
        asking: &mut Asking,
        cx: &mut Context<'_>,
        take: impl Fn() -> Option<G>,
    ) -> Poll<Result<G, AcquireError>> {
        if self.mode == Mode::EveryReentry {
            if let Some(held) = self.holding().filter(|held| held.key == key) {
                self.leave(asking);
                let refused = Reentrant::new(key, place::find(held.place));
                event::refused(&refused, asking.place);
                return Poll::Ready(Err(AcquireError::Reentrant(refused)));
            }
            if asking.ticket.is_none()
                && self.waiting.load(Ordering::Acquire) == 0
                && let Some(guard) = take()
            {
                self.hold(key, asking.place);
                return Poll::Ready(Ok(guard));
            }
        }
        self.poll_in_queue(key, asking, cx, take)
    }

    #[cold]
    fn poll_in_queue<G>(
        self: &Arc<Self>,
        key: Key,
        asking: &mut Asking,
        cx: &mut Context<'_>,
        take: impl Fn() -> Option<G>,
    ) -> Poll<Result<G, AcquireError>> {
        // Cloned while no lock is held, and only if the queue has no waker of this task yet.
        let mut waker = asking.ticket.is_none().then(|| cx.waker().clone());
        loop {
            let mut afterwards = Afterwards::default();
            let mut registry = self.registry();
            let mut queue = self.queue();
            if registry.as_ref().is_some_and(|registry| !registry.watches(key)) {
                drop((queue, registry));
                self.leave(asking);
                return Poll::Ready(Err(no_task(asking, true)));
            }
            if let Some(ticket) = asking.ticket
                && let Some(refused) = queue.waiter(ticket).refused.take()
            {
                // At once: a wait that is neither refused any more nor over would be taken for one of a cycle.
                self.leave_locked(asking, &mut queue, registry.as_deref_mut(), &mut afterwards);
                drop((queue, registry));
                let refused = Edge::tell_all(&refused);
                event::refused(&refused, asking.place);
                return Poll::Ready(Err(AcquireError::Endless(refused)));
            }
            if asking.ticket.is_none() {
                // Before the try: whoever releases after the try has failed must find somebody to look for.
                self.waiting.fetch_add(1, Ordering::AcqRel);
            }
            if queue.is_turn(asking.ticket, key) {
                if let Some(guard) = take() {
                    queue.promised = None;
                    afterwards.drop = self.forget(asking, &mut queue, registry.as_deref_mut());
                    self.waiting.fetch_sub(1, Ordering::Release);
                    self.hold(key, asking.place);
                    return Poll::Ready(Ok(guard));
                }
                // Somebody had seen an empty queue and was faster. His release promises the mutex again, for which nobody
                // may have the promise: not even another future of this task, which nobody would wake a second time.
                queue.promised = None;
            }
            let ticket = match asking.ticket {
                Some(ticket) => ticket,
                None => {
                    let ticket = queue.next;
                    queue.next += 1;
                    queue.waiters.push_back(Waiter { ticket, key, waker: waker.take(), refused: None });
                    asking.ticket = Some(ticket);
                    afterwards.waits = Some((key, asking.place));
                    ticket
                }
            };
            let waiter = queue.waiter(ticket);
            let former = std::mem::replace(&mut waiter.key, key);
            if let Some(registry) = registry.as_deref_mut() {
                if former != key {
                    registry.remove(former, self, ticket);
                }
                let Asking { place, is_blocking, .. } = *asking;
                registry.add(key, Wait { core: Arc::clone(self), ticket, place, is_blocking });
            }
            if waiter.waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
                return Poll::Pending;
            }
            if let Some(waker) = waker.take() {
                afterwards.drop = waiter.waker.replace(waker);
                return Poll::Pending;
            }
            drop((queue, registry));
            waker = Some(cx.waker().clone());
        }
    }

    /// Takes an acquire out of the queue, if it stands there. Returns its waker.
    fn forget(
        self: &Arc<Self>,
        asking: &mut Asking,
        queue: &mut Queue,
        registry: Option<&mut Registry>,
    ) -> Option<Waker> {
        let ticket = asking.ticket.take()?;
        let index = queue.index(ticket);
        let waiter = queue.waiters.remove(index)?;
        if let Some(registry) = registry {
            registry.remove(waiter.key, self, ticket);
        }
        waiter.waker
    }

    /// Ends an acquire that was not granted, or whose promise was not taken up: then the next one is promised it.
    #[inline]
    pub(crate) fn leave(self: &Arc<Self>, asking: &mut Asking) {
        if asking.ticket.is_some() {
            self.leave_queue(asking);
        }
    }

    #[cold]
    fn leave_queue(self: &Arc<Self>, asking: &mut Asking) {
        let mut afterwards = Afterwards::default();
        let mut registry = self.registry();
        let mut queue = self.queue();
        self.leave_locked(asking, &mut queue, registry.as_deref_mut(), &mut afterwards);
    }

    fn leave_locked(
        self: &Arc<Self>,
        asking: &mut Asking,
        queue: &mut Queue,
        registry: Option<&mut Registry>,
        afterwards: &mut Afterwards,
    ) {
        let was_promised = asking.ticket.is_some_and(|ticket| queue.is_promised(ticket));
        afterwards.drop = self.forget(asking, queue, registry);
        self.waiting.fetch_sub(1, Ordering::Release);
        if was_promised {
            queue.promised = None;
            afterwards.wake = queue.promise();
        }
    }

    /// Takes the mutex if that needs no waiting.
    pub(crate) fn try_acquire<G>(&self, place: Place, take: impl Fn() -> Option<G>) -> Result<G, TryAcquireError> {
        let key = current().unwrap_or(Key::NOBODY);
        let registry = self.registry();
        if let Some(held) = self.holding().filter(|held| held.key == key && key != Key::NOBODY) {
            drop(registry);
            return Err(TryAcquireError::Reentrant(Reentrant::new(key, place::find(held.place))));
        }
        let guard = if self.waiting.load(Ordering::Acquire) == 0 { take() } else { None };
        let guard = guard.ok_or(TryAcquireError::Busy)?;
        self.hold(key, place);
        Ok(guard)
    }

    /// Releases the mutex; `release` drops the library's guard, which may be the last share of the value if it is owned.
    #[inline]
    pub(crate) fn release(&self, is_owned: bool, release: impl FnOnce()) {
        if self.mode == Mode::EveryReentry {
            self.holding.store(0, Ordering::Relaxed);
            release();
            // Not a load: of a release and an acquire that goes to wait, one must see the other. Both write `waiting`. If
            // the acquire writes later, its try comes after this release, and finds the library's lock free.
            if self.waiting.compare_exchange(0, 0, Ordering::AcqRel, Ordering::Acquire).is_err() {
                self.promise();
            }
        } else {
            let mut afterwards = Afterwards::default();
            let mut registry = self.registry();
            self.holding.store(0, Ordering::Relaxed);
            if is_owned {
                // Under no lock: the value is not ours, and may be dropped with its guard.
                drop(registry);
                release();
                registry = self.registry();
            } else {
                release();
            }
            afterwards.wake = self.queue().promise();
            drop(registry);
        }
    }

    #[cold]
    fn promise(&self) {
        let mut afterwards = Afterwards::default();
        afterwards.wake = self.queue().promise();
    }
}

/// Tells that nobody knows who asks.
#[cold]
fn no_task(asking: &Asking, only_unwatched: bool) -> AcquireError {
    let refused = NoTask { asked: Some(asking.place), only_unwatched };
    event::refused(&refused, asking.place);
    AcquireError::NoTask(refused)
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::panic::Location;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A library's lock that does something before it is taken.
    struct Lock {
        core: Arc<Core>,
        is_taken: Cell<bool>,
    }

    impl Lock {
        fn new() -> Self {
            Self { core: Arc::new(Core::new(Mode::EveryReentry)), is_taken: Cell::new(false) }
        }

        fn poll(&self, key: Key, asking: &mut Asking, waker: &Waker) -> Poll<Result<(), AcquireError>> {
            self.poll_after(key, asking, waker, || ())
        }

        fn poll_after(
            &self,
            key: Key,
            asking: &mut Asking,
            waker: &Waker,
            before: impl Fn(),
        ) -> Poll<Result<(), AcquireError>> {
            let take = || {
                before();
                (!self.is_taken.replace(true)).then_some(())
            };
            self.core.poll_by(key, asking, &mut Context::from_waker(waker), take)
        }

        fn release(&self) {
            self.core.release(true, || self.is_taken.set(false));
        }
    }

    fn asking() -> Asking {
        Asking::new(Location::caller())
    }

    /// The library's lock is free, and the first in the queue is promised it next: nobody comes between.
    #[test]
    fn newcomer_stands_behind_who_is_about_to_be_promised() {
        let [holder, waits, newcomer] = [1, 2, 3].map(|number| Key::from_bits(number).expect("it is not 0"));
        let lock = Lock::new();
        assert!(lock.poll(holder, &mut asking(), Waker::noop()).is_ready());
        let (mut first, mut second) = (asking(), asking());
        assert!(lock.poll(waits, &mut first, Waker::noop()).is_pending());
        lock.core.release(true, || {
            lock.is_taken.set(false);
            assert!(lock.poll(newcomer, &mut second, Waker::noop()).is_pending());
        });
        assert!(lock.poll(waits, &mut first, Waker::noop()).is_ready());
        lock.release();
        assert!(lock.poll(newcomer, &mut second, Waker::noop()).is_ready());
    }

    /// Who was woken for a promise is not woken again for the same one, by whichever of his futures.
    #[test]
    fn promise_is_made_once() {
        let [holder, waits, barges] = [1, 2, 3].map(|number| Key::from_bits(number).expect("it is not 0"));
        let (wakes, lock) = (Arc::new(Wakes::default()), Lock::new());
        let waker = Waker::from(Arc::clone(&wakes));
        assert!(lock.poll(holder, &mut asking(), Waker::noop()).is_ready());
        let (futures, is_over) = (RefCell::new([asking(), asking()]), Cell::new(false));
        let meanwhile = || {
            if !is_over.replace(true) {
                let mut futures = futures.borrow_mut();
                assert!(futures.iter_mut().all(|future| lock.poll(waits, future, &waker).is_pending()));
                lock.release();
            }
        };
        assert!(lock.poll_after(barges, &mut asking(), Waker::noop(), meanwhile).is_ready());
        lock.release();
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
        let [first, second] = &mut *futures.borrow_mut();
        assert!(lock.poll(waits, first, &waker).is_ready());
        lock.core.leave(second);
    }

    /// An acquire has seen that nobody waits, and takes the mutex when it is released, before the waiter does that it was
    /// promised to. That one's task then asks by another future, and must be woken by the next release, through it.
    #[test]
    fn promise_that_another_task_was_faster_than_is_made_again() {
        let [holder, waits, barges] = [1, 2, 3].map(|number| Key::from_bits(number).expect("it is not 0"));
        let (wakes, lock) = (Arc::new(Wakes::default()), Lock::new());
        let waker = Waker::from(Arc::clone(&wakes));
        assert!(lock.poll(holder, &mut asking(), Waker::noop()).is_ready());
        let (kept, is_over) = (RefCell::new(asking()), Cell::new(false));
        let meanwhile = || {
            if !is_over.replace(true) {
                assert!(lock.poll(waits, &mut kept.borrow_mut(), &waker).is_pending());
                lock.release();
            }
        };
        assert!(lock.poll_after(barges, &mut asking(), Waker::noop(), meanwhile).is_ready());
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1, "it was promised");
        let mut other = asking();
        assert!(lock.poll(waits, &mut other, &waker).is_pending(), "somebody was faster");
        lock.release();
        assert_eq!(wakes.0.load(Ordering::Relaxed), 2, "it is promised again");
        assert!(lock.poll(waits, &mut other, &waker).is_ready());
        lock.core.leave(&mut kept.borrow_mut());
        lock.release();
        assert_eq!((lock.core.waiting(), lock.core.holding()), (0, None));
    }
}
