//! Waits that could never end: who waits for whom, over all mutexes of [`Mode::EndlessWaits`](crate::Mode::EndlessWaits).
//!
//! A task is stuck if nobody can wake it but the mutexes that it waits for, and each of them is held by a task that is
//! stuck. Both are known exactly under one lock: who holds and who waits, because every change is made under it; who can
//! wake a task, because the clones of its waker are counted. So no race between two threads can hide a cycle or make one
//! up. What is not known counts as a way out: a missed cycle is a wait, as on a bare lock, and never a false refusal.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::error::{Endless, Link};
use crate::place::{self, Place};
use crate::state::{Core, Holding};
use crate::task::Key;

static REGISTRY: LazyLock<Mutex<Registry>> = LazyLock::new(Mutex::default);

/// The lock under which everything that concerns waits is changed.
pub(crate) type RegistryGuard = MutexGuard<'static, Registry>;

/// Takes the lock under which everything that concerns waits is changed.
pub(crate) fn registry() -> RegistryGuard {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who is watched, and what he waits for.
#[derive(Default)]
pub(crate) struct Registry {
    records: HashMap<Key, Record>,
}

struct Record {
    /// How a task is woken; a thread that waits in a blocking acquire has none.
    watch: Option<Arc<Watch>>,
    /// The operations that wait, the one that was polled last at the end.
    waits: Vec<Wait>,
}

/// One operation that waits.
pub(crate) struct Wait {
    pub(crate) core: Arc<Core>,
    pub(crate) ticket: u64,
    pub(crate) place: Place,
    /// Whether its thread is blocked as long as it waits, so that nothing else there can go on.
    pub(crate) is_blocking: bool,
}

/// One task of a cycle, before anybody is asked for its name: what it waits for, and who holds that.
#[derive(Clone, Copy)]
pub(crate) struct Edge {
    waiting: Key,
    asked: Place,
    held: Holding,
}

impl Edge {
    /// Returns a cycle in words.
    pub(crate) fn tell_all(cycle: &[Edge]) -> Endless {
        let tell = |edge: &Edge| Link {
            task: edge.waiting.describe(),
            asked: Some(edge.asked),
            holder: edge.held.key.describe(),
            acquired: place::find(edge.held.place),
        };
        Endless { cycle: cycle.iter().map(tell).collect() }
    }
}

impl Wait {
    fn is(&self, core: &Arc<Core>, ticket: u64) -> bool {
        self.ticket == ticket && Arc::ptr_eq(&self.core, core)
    }

    /// Returns who holds what this waits for, unless the wait is over: it was promised or refused.
    fn holder(&self) -> Option<Key> {
        let mut queue = self.core.queue();
        let is_over = queue.is_promised(self.ticket) || queue.waiter(self.ticket).refused.is_some();
        drop(queue);
        if is_over { None } else { self.core.holding().map(|held| held.key) }
    }

    fn has_waker_of(&self, watch: &Arc<Watch>) -> bool {
        let mut queue = self.core.queue();
        let waker = queue.waiter(self.ticket).waker.as_ref();
        waker.is_some_and(|waker| std::ptr::eq(waker.data(), Arc::as_ptr(watch).cast()))
    }
}

impl Registry {
    pub(crate) fn watches(&self, key: Key) -> bool {
        self.records.contains_key(&key)
    }

    /// Notes that `key` has polled an operation that waits.
    pub(crate) fn add(&mut self, key: Key, wait: Wait) {
        self.remove(key, &wait.core, wait.ticket);
        if let Some(record) = self.records.get_mut(&key) {
            record.waits.push(wait);
            record.count();
        }
    }

    pub(crate) fn remove(&mut self, key: Key, core: &Arc<Core>, ticket: u64) {
        if let Some(record) = self.records.get_mut(&key) {
            record.waits.retain(|wait| !wait.is(core, ticket));
            record.count();
        }
    }

    /// Judges `key`, which has just stopped to wait. If its wait could never end, the operation that it polled last is
    /// refused, and it must be polled again.
    fn judge(&mut self, key: Key) -> bool {
        let stuck = self.stuck(key);
        if !stuck.contains_key(&key) {
            return false;
        }
        let cycle = self.cycle(key);
        let Some(wait) = self.records.get(&key).and_then(|record| record.waits.last()) else { return false };
        wait.core.queue().waiter(wait.ticket).refused = Some(cycle);
        true
    }

    /// Returns the tasks that can be reached from `key` and are stuck, with those that hold what they wait for.
    fn stuck(&self, key: Key) -> HashMap<Key, Vec<Key>> {
        let mut stuck = HashMap::new();
        let mut open = vec![key];
        while let Some(key) = open.pop() {
            if stuck.contains_key(&key) {
                continue;
            }
            let Some(holders) = self.records.get(&key).and_then(Record::holders) else { continue };
            open.extend(holders.iter().copied());
            stuck.insert(key, holders);
        }
        loop {
            let can_go_on = |holders: &Vec<Key>| holders.iter().any(|holder| !stuck.contains_key(holder));
            let free: Vec<Key> = stuck.iter().filter(|(_, holders)| can_go_on(holders)).map(|(key, _)| *key).collect();
            if free.is_empty() {
                return stuck;
            }
            stuck.retain(|key, _| !free.contains(key));
        }
    }

    /// Returns the chain of waits from the last one of `key`, up to a task that it has met.
    fn cycle(&self, key: Key) -> Vec<Edge> {
        let mut edges = Vec::new();
        let mut met = vec![key];
        let mut waiting = key;
        loop {
            let wait = self.records.get(&waiting).and_then(|record| record.waits.last());
            let Some((wait, held)) = wait.and_then(|wait| Some((wait, wait.core.holding()?))) else { return edges };
            edges.push(Edge { waiting, asked: wait.place, held });
            if met.contains(&held.key) {
                return edges;
            }
            met.push(held.key);
            waiting = held.key;
        }
    }
}

impl Record {
    fn count(&self) {
        if let Some(watch) = &self.watch {
            watch.waits.store(self.waits.len(), Ordering::Relaxed);
        }
    }

    /// Returns the holders of all that this one waits for, if nobody but them can let it go on.
    fn holders(&self) -> Option<Vec<Key>> {
        // While its thread is blocked, no other operation of a task is polled.
        if let Some(blocking) = self.waits.iter().find(|wait| wait.is_blocking) {
            return blocking.holder().map(|holder| vec![holder]);
        }
        if self.waits.is_empty() || !self.is_closed() {
            return None;
        }
        self.waits.iter().map(Wait::holder).collect()
    }

    /// Returns whether only the mutexes that the task waits for can wake it.
    fn is_closed(&self) -> bool {
        let Some(watch) = &self.watch else { return false };
        // The task has two, and this record has one.
        const OWN: usize = 3;
        let ours = self.waits.iter().filter(|wait| wait.has_waker_of(watch)).count();
        let is_alone = Arc::strong_count(watch) == OWN + ours;
        // Whoever gave up a clone has used it before, or has not: with this fence, a use is seen here if its end is.
        fence(Ordering::Acquire);
        // In this order: a poll says that it is no longer parked before it forgets that it was woken.
        let is_woken = watch.is_woken.load(Ordering::Acquire);
        is_alone && !is_woken && watch.is_parked.load(Ordering::Acquire)
    }
}

/// What is known of a watched task on every thread; as a waker, what its future is given.
struct Watch {
    /// How the runtime wants to be told; `None` since it was, until the next poll.
    outer: Mutex<Option<Waker>>,
    is_woken: AtomicBool,
    is_parked: AtomicBool,
    /// How many operations of the task wait, so that a poll of a task without any takes no lock.
    waits: AtomicUsize,
}

impl Wake for Watch {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_woken.store(true, Ordering::Release);
        // Taken and not cloned: that would call the runtime's own code under the lock. Each poll gives another one.
        let outer = self.outer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(outer) = outer {
            outer.wake();
        }
    }
}

/// The part of a [`Task`](crate::Task) that is watched.
pub(crate) struct Watched {
    key: Key,
    watch: Arc<Watch>,
    waker: Waker,
}

impl Watched {
    pub(crate) fn new(key: Key) -> Self {
        let watch = Arc::new(Watch {
            outer: Mutex::new(None),
            is_woken: AtomicBool::new(false),
            is_parked: AtomicBool::new(false),
            waits: AtomicUsize::new(0),
        });
        let record = Record { watch: Some(Arc::clone(&watch)), waits: Vec::new() };
        registry().records.insert(key, record);
        Self { key, waker: Waker::from(Arc::clone(&watch)), watch }
    }

    /// Polls the task, and again as long as a wait of it is refused. Each refusal ends one wait, so this ends.
    pub(crate) fn poll<T>(&self, cx: &mut Context<'_>, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        self.renew_outer(cx.waker());
        loop {
            self.watch.is_parked.store(false, Ordering::Release);
            self.watch.is_woken.store(false, Ordering::Release);
            let polled = poll(&mut Context::from_waker(&self.waker));
            if polled.is_ready() || self.watch.waits.load(Ordering::Relaxed) == 0 {
                return polled;
            }
            let mut registry = registry();
            self.watch.is_parked.store(true, Ordering::Release);
            if !registry.judge(self.key) {
                return polled;
            }
        }
    }

    fn renew_outer(&self, waker: &Waker) {
        let mut outer = self.watch.outer.lock().unwrap_or_else(PoisonError::into_inner);
        if outer.as_ref().is_some_and(|known| known.will_wake(waker)) {
            return;
        }
        drop(outer);
        let waker = waker.clone();
        outer = self.watch.outer.lock().unwrap_or_else(PoisonError::into_inner);
        let former = outer.replace(waker);
        drop(outer);
        drop(former);
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let record = registry().records.remove(&self.key);
        drop(record);
        // It may be the last share of the runtime's task, and a clone of ours may live on.
        let outer = self.watch.outer.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(outer);
    }
}

/// A blocking acquire by `key`.
pub(crate) struct Blocked {
    key: Key,
    /// Whether the record was made for it.
    is_ours: bool,
}

impl Blocked {
    /// A thread that asks for itself is watched for as long as this lives. A task is, or is not.
    pub(crate) fn new(key: Key) -> Self {
        let mut registry = registry();
        let is_ours = key.is_thread() && !registry.watches(key);
        if is_ours {
            registry.records.insert(key, Record { watch: None, waits: Vec::new() });
        }
        Self { key, is_ours }
    }

    /// Judges the wait. Returns whether it was refused, so that it must be polled again.
    pub(crate) fn judge(&self) -> bool {
        registry().judge(self.key)
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        if self.is_ours {
            let record = registry().records.remove(&self.key);
            drop(record);
        }
    }
}

#[cfg(all(test, feature = "tokio"))]
mod tests {
    use super::*;
    use crate::state::Asking;
    use crate::{Mode, StrictMutex, TokioSync, task};

    /// Who was refused goes on, although he has not noticed yet.
    #[test]
    fn wait_that_was_refused_is_no_edge() {
        let m = StrictMutex::<_, TokioSync>::with_mode((), Mode::EndlessWaits);
        let _guard = m.acquire_blocking().expect("it is free");
        let key = crate::task::current_or_thread();
        let blocked = Blocked::new(key);
        let mut asking = Asking::blocking(std::panic::Location::caller());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(m.core().poll_by(key, &mut asking, &mut cx, || None::<()>).is_pending());
        assert!(blocked.judge(), "the thread waits for itself");
        let mut behind = Box::pin(task(m.acquire()).watched());
        assert!(behind.as_mut().poll(&mut cx).is_pending(), "it waits for a thread that will go on");
        assert!(m.core().poll_by(key, &mut asking, &mut cx, || None::<()>).is_ready());
    }

    #[test]
    fn who_has_ended_is_not_watched() {
        let watched = task(async {}).watched();
        let key = watched.key();
        assert!(registry().watches(key));
        drop(watched);
        assert!(!registry().watches(key));
        let key = crate::task::current_or_thread();
        drop(Blocked::new(key));
        assert!(!registry().watches(key));
    }

    /// A task that is about to block, or has just blocked, keeps an operation that waits. That is no cycle: it goes on.
    #[test]
    fn thread_that_does_not_block_yet_may_go_on() {
        let [m, n] = [(); 2].map(|()| StrictMutex::<_, TokioSync>::with_mode((), Mode::EndlessWaits));
        let (mut cx, mut was_here) = (Context::from_waker(Waker::noop()), false);
        let mut b = Box::pin(
            task(async {
                let _guard = n.acquire().await.expect("it is free");
                let once = |_: &mut Context<'_>| {
                    if std::mem::replace(&mut was_here, true) { Poll::Ready(()) } else { Poll::Pending }
                };
                std::future::poll_fn(once).await;
                m.acquire().await.map(drop)
            })
            .watched(),
        );
        assert!(b.as_mut().poll(&mut cx).is_pending());
        let mut a = Box::pin(
            task(async {
                let _guard = m.acquire().await.expect("it is free");
                let mut kept = Box::pin(n.acquire());
                std::future::poll_fn(|cx| {
                    assert!(kept.as_mut().poll(cx).is_pending());
                    let _blocked = Blocked::new(crate::task::current().expect("this task"));
                    // Not by the waker of this task, whose clone would be a way out.
                    Poll::Ready(b.as_mut().poll(&mut Context::from_waker(Waker::noop())))
                })
                .await
            })
            .watched(),
        );
        assert!(matches!(a.as_mut().poll(&mut cx), Poll::Ready(Poll::Pending)), "b is refused nothing");
        drop(a);
        assert_eq!(b.as_mut().poll(&mut cx), Poll::Ready(Ok(())));
    }
}
