//! The default mode, poll by poll, over every lock library.

mod polling;

use std::panic::Location;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use keyalike_strict::{
    AcquireError, AsyncLock, FuturesUtil, Library, OwnedStrictGuard, StrictGuard, StrictMutex, TokioSync,
    TryAcquireError, current_task, task,
};
use polling::{ByHand, begin, join, over_every_library, pause};

type Mutex<L> = StrictMutex<u32, L>;

over_every_library! {
    second_acquire_of_a_task_is_refused_with_the_place
    error_is_the_same_whether_others_wait_or_not
    waiters_are_granted_in_the_order_of_arrival
    newcomer_stands_behind_the_promise
    dropped_promise_goes_to_the_next
    interrupted_wait_leaves_nothing_behind
    own_future_of_the_task_takes_the_promise
    future_that_is_kept_unpolled_costs_its_task_no_wake
    waiting_future_of_the_holder_is_refused_when_it_is_polled
    refused_future_stands_in_no_queue
    each_way_to_acquire_notes_its_place
    guard_that_is_read_belongs_to_its_reader
    passed_guard_belongs_to_nobody_then_to_its_user
    moved_guard_belongs_to_who_acquired_until_it_is_used
    guard_is_dropped_anywhere
    acquire_without_a_task_is_refused_also_if_free
    try_tells_reentry_from_a_busy_mutex
    abort_and_panic_release
    nested_task_is_a_task_of_its_own
    mutex_dropped_with_owned_waiters_lives_on
    blocking_acquire_knows_its_thread
    statistics_count_and_name
    waker_may_use_the_mutex
    replaced_waker_is_the_one_that_is_woken
    future_that_moves_asks_for_the_task_that_polls
}

fn second_acquire_of_a_task_is_refused_with_the_place<L: Library>() {
    let mutex = Mutex::<L>::new(0);
    let program = async {
        let first = mutex.acquire().await.expect("it is free");
        let line = Location::caller().line() - 1;
        let refused = mutex.acquire().await.map(drop).expect_err("it is held by this task");
        drop(first);
        let third = mutex.acquire().await;
        assert!(third.is_ok(), "the refusal left nothing behind: {third:?}");
        (refused, line)
    };
    let (refused, line) = ByHand::new(task(program).named("A")).ends();
    let text = refused.to_string();
    let place = format!("{}:{line}:", file!());
    assert!(text.starts_with("task A already holds this mutex, acquired at "), "{text}");
    assert!(text.contains(&place), "{text} names {place}");
    assert!(text.ends_with("; release it first or pass the guard"), "{text}");
    let AcquireError::Reentrant(refused) = refused else { panic!("{refused:?}") };
    assert_eq!((refused.task.as_str(), refused.acquired.map(|place| place.line())), ("task A", Some(line)));
}

fn error_is_the_same_whether_others_wait_or_not<L: Library>() {
    let mutex = Mutex::<L>::new(0);
    let mut waiter = ByHand::new(task(async { mutex.acquire().await.map(drop) }));
    let mut holder = ByHand::new(task(async {
        let _guard = mutex.acquire().await.expect("it is free");
        let alone = mutex.acquire().await.map(drop);
        pause().await;
        (alone, mutex.acquire().await.map(drop))
    }));
    holder.waits();
    waiter.waits();
    let (alone, beside) = holder.ends();
    assert!(matches!(alone, Err(AcquireError::Reentrant(_))));
    assert_eq!(alone, beside);
    drop(holder);
    assert_eq!(waiter.ends(), Ok(()));
}

fn waiters_are_granted_in_the_order_of_arrival<L: Library>() {
    let mutex = Mutex::<L>::new(0);
    let taking = || ByHand::new(task(async { mutex.acquire().await.expect("somebody else holds") }));
    let mut guard = Some(taking().ends());
    let mut waiters: Vec<_> = (0..5).map(|_| taking()).collect();
    waiters.iter_mut().for_each(ByHand::waits);
    assert_eq!(mutex.statistics().waiters, 5);
    for next in 0..waiters.len() {
        guard.take();
        let woken: Vec<usize> = waiters.iter().map(|waiter| waiter.wakes.count()).collect();
        assert_eq!(woken.iter().sum::<usize>(), next + 1, "one wake a release");
        waiters[next + 1..].iter_mut().for_each(ByHand::waits);
        guard = Some(waiters[next].ends());
    }
    drop(guard);
    assert!(!mutex.is_locked());
}

fn newcomer_stands_behind_the_promise<L: Library>() {
    let mutex = Mutex::<L>::new(0);
    let taking = || ByHand::new(task(async { mutex.acquire().await.expect("somebody else holds") }));
    let (mut first, mut second, mut newcomer) = (taking(), taking(), taking());
    let guard = first.ends();
    second.waits();
    drop(guard);
    assert!(mutex.is_locked(), "it is promised");
    assert_eq!(mutex.try_acquire().err(), Some(TryAcquireError::Busy));
    newcomer.waits();
    drop(second.ends());
    assert_eq!(newcomer.wakes.count(), 1);
    drop(newcomer.ends());
}

fn dropped_promise_goes_to_the_next<L: Library>() {
    let mutex = Mutex::<L>::new(0);
    let taking = || ByHand::new(task(async { mutex.acquire().await.map(drop) }));
    let guard = mutex.try_acquire().expect("it is free");
    let (mut one, mut two, mut three) = (taking(), taking(), taking());
    one.waits();
    two.waits();
    three.waits();
    drop(guard);
    drop(one);
    assert_eq!((two.wakes.count(), three.wakes.count()), (1, 0));
    drop(three);
    assert_eq!(two.ends(), Ok(()));
    assert_eq!(mutex.statistics().waiters, 0);
    assert!(!mutex.is_locked());
}

fn interrupted_wait_leaves_nothing_behind<L: Library>() {
    let mutex = Mutex::<L>::new(0);
    let mut holder = ByHand::new(task(async {
        let guard = mutex.acquire().await.expect("it is free");
        assert!(mutex.acquire().await.is_err());
        assert!(mutex.acquire().await.is_err(), "a second refusal says the same");
        pause().await;
        drop(guard);
        pause().await;
        assert_eq!(*mutex.acquire().await.expect("it is free again"), 0);
    }));
    holder.waits();
    let mut waiter = ByHand::new(task(async {
        {
            let mut interrupted = std::pin::pin!(mutex.acquire());
            begin(interrupted.as_mut()).await;
        }
        pause().await;
        mutex.acquire().await.map(drop)
    }));
    waiter.waits();
    assert_eq!(mutex.statistics().waiters, 0, "the interrupted wait is over");
    holder.waits();
    assert_eq!(waiter.ends(), Ok(()));
    holder.ends();
}

fn own_future_of_the_task_takes_the_promise<L: Library>() {
    let mutex = Mutex::<L>::new(0);
    let guard = mutex.try_acquire().expect("it is free");
    let mut chooser = ByHand::new(task(async {
        let mut kept = std::pin::pin!(mutex.acquire());
        begin(kept.as_mut()).await;
        // The promise goes to the future that is kept; this one takes it, or the task would wait for itself.
        drop(mutex.acquire().await.expect("this task holds nothing"));
        drop(kept.await.expect("this task holds nothing"));
    }));
    chooser.waits();
    let mut behind = ByHand::new(task(async { mutex.acquire().await.map(drop) }));
    behind.waits();
    drop(guard);
    chooser.ends();
    assert_eq!(behind.ends(), Ok(()));
}

/// The wake of the kept future was used for the first promise. The second one must wake the future that waits.
fn future_that_is_kept_unpolled_costs_its_task_no_wake<L: Library>() {
    let mutex = Mutex::<L>::new(0);
    let guard = mutex.try_acquire().expect("it is free");
    let slot = std::cell::Cell::new(None);
    let mut chooser = ByHand::new(task(async {
        let mut kept = std::pin::pin!(mutex.acquire());
        begin(kept.as_mut()).await;
        pause().await;
        let mut guard = mutex.acquire().await.expect("this task holds nothing");
        StrictGuard::pass(&mut guard);
        slot.set(Some(guard));
        mutex.acquire().await.map(drop)
    }));
    chooser.waits();
    drop(guard);
    assert_eq!(chooser.wakes.count(), 1);
    chooser.waits();
    drop(slot.take().expect("it was passed"));
    assert_eq!(chooser.wakes.count(), 2, "the mutex is free, and its task waits");
    assert_eq!(chooser.ends(), Ok(()));
}

fn waiting_future_of_the_holder_is_refused_when_it_is_polled<L: Library>() {
    let mutex = Mutex::<L>::new(0);
    let guard = mutex.try_acquire().expect("it is free");
    let mut both = ByHand::new(task(async { join(mutex.acquire(), mutex.acquire()).await }));
    both.waits();
    assert_eq!(mutex.statistics().waiters, 2);
    drop(guard);
    let (one, other) = both.ends();
    assert!(one.is_ok());
    assert!(matches!(other, Err(AcquireError::Reentrant(_))));
    assert_eq!(mutex.statistics().waiters, 0);
}

/// However long it is kept.
fn refused_future_stands_in_no_queue<L: Library>() {
    let mutex = Mutex::<L>::new(0);
    let guard = mutex.try_acquire().expect("it is free");
    let mut kept = Box::pin(mutex.acquire());
    let mut holder = ByHand::new(task(async {
        begin(kept.as_mut()).await;
        pause().await;
        let _guard = mutex.acquire().await.expect("this task holds nothing");
        assert_eq!(mutex.statistics().waiters, 1);
        assert!(matches!(kept.as_mut().await, Err(AcquireError::Reentrant(_))));
        assert_eq!(mutex.statistics().waiters, 0);
    }));
    holder.waits();
    drop(guard);
    holder.ends();
    drop(holder);

    let guard = mutex.try_acquire().expect("it was released");
    let mut kept = Box::pin(mutex.acquire());
    ByHand::new(task(begin(kept.as_mut()))).ends();
    assert_eq!(mutex.statistics().waiters, 1);
    let polled = kept.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Ready(Err(AcquireError::NoTask(_)))), "nobody polls it");
    assert_eq!(mutex.statistics().waiters, 0);
    drop(guard);
}

fn each_way_to_acquire_notes_its_place<L: Library>() {
    let mutex = Mutex::<L>::new(0);
    let line = || mutex.statistics().holder.and_then(|holder| holder.acquired).map(|place| place.line());
    ByHand::new(task(async {
        let guard = mutex.acquire().await;
        assert_eq!(line(), Some(line!() - 1));
        drop(guard);
        let guard = mutex.acquire_owned().await;
        assert_eq!(line(), Some(line!() - 1));
        drop(guard);
        let guard = mutex.try_acquire();
        assert_eq!(line(), Some(line!() - 1));
        drop(guard);
        let guard = mutex.try_acquire_owned();
        assert_eq!(line(), Some(line!() - 1));
        drop(guard);
        let guard = mutex.acquire_blocking();
        assert_eq!(line(), Some(line!() - 1));
        drop(guard);
        let guard = mutex.acquire_blocking_owned();
        assert_eq!(line(), Some(line!() - 1));
        drop(guard);
    }))
    .ends();
}

fn guard_that_is_read_belongs_to_its_reader<L: Library>() {
    let mutex = Mutex::<L>::new(0);
    let guard = ByHand::new(task(async { mutex.acquire().await.expect("it is free") })).ends();
    ByHand::new(task(async {
        assert_eq!(*guard, 0);
        assert!(matches!(mutex.acquire().await, Err(AcquireError::Reentrant(_))));
    }))
    .ends();
}

fn passed_guard_belongs_to_nobody_then_to_its_user<L: Library>() {
    let mutex = Mutex::<L>::new(0);
    let mut sender = ByHand::new(task(async {
        let mut guard = mutex.acquire().await.expect("it is free");
        StrictGuard::pass(&mut guard);
        guard
    }));
    let mut guard = sender.ends();
    assert_eq!(mutex.statistics().holder.and_then(|holder| holder.task), None);
    let mut receiver = ByHand::new(task(async {
        StrictGuard::adopt(&mut guard);
        assert_eq!(mutex.statistics().holder.and_then(|holder| holder.task), current_task());
        let refused = mutex.acquire().await.map(drop);
        drop(guard);
        refused
    }));
    assert!(matches!(receiver.ends(), Err(AcquireError::Reentrant(_))));
}

fn moved_guard_belongs_to_who_acquired_until_it_is_used<L: Library>() {
    let mutex = Mutex::<L>::new(0);
    let slot = std::cell::Cell::new(None);
    let mut sender = ByHand::new(task(async {
        slot.set(Some(mutex.acquire().await.expect("it is free")));
        let before = mutex.acquire().await.map(drop);
        pause().await;
        (before, mutex.acquire().await.map(drop))
    }));
    sender.waits();
    let mut receiver = ByHand::new(task(async {
        let mut guard = slot.take().expect("the sender put it there");
        *guard += 1;
        assert!(mutex.acquire().await.is_err(), "who uses it holds it");
        pause().await;
        drop(guard);
    }));
    receiver.waits();
    sender.waits();
    receiver.ends();
    let (before, after) = sender.ends();
    assert!(matches!(before, Err(AcquireError::Reentrant(_))), "a move is nothing that a mutex can see: {before:?}");
    assert_eq!(after, Ok(()), "then it waits for the receiver");
}

fn guard_is_dropped_anywhere<L: Library>()
where
    for<'a> StrictGuard<'a, u32, L>: Sized,
{
    let mutex = Mutex::<L>::new(0);
    let mut holder = ByHand::new(task(async { mutex.acquire().await.expect("it is free") }));
    drop(holder.ends());
    assert!(!mutex.is_locked(), "outside of every task");
    let guard = holder_of(&mutex);
    let mut other = ByHand::new(task(async { drop(guard) }));
    other.ends();
    assert!(!mutex.is_locked(), "in another task");
}

fn holder_of<L: Library>(mutex: &Mutex<L>) -> StrictGuard<'_, u32, L> {
    ByHand::new(task(async { mutex.acquire().await.expect("it is free") })).ends()
}

fn acquire_without_a_task_is_refused_also_if_free<L: Library>() {
    let mutex = Mutex::<L>::new(0);
    let mut acquire = std::pin::pin!(mutex.acquire());
    let Poll::Ready(Err(AcquireError::NoTask(refused))) =
        acquire.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    else {
        panic!("nobody asks");
    };
    assert!(!refused.only_unwatched);
    assert!(refused.to_string().contains(file!()), "{refused}");
    assert!(!mutex.is_locked());
}

fn try_tells_reentry_from_a_busy_mutex<L: Library>() {
    let mutex = Mutex::<L>::new(0);
    let mut holder = ByHand::new(task(async {
        let first = mutex.try_acquire().expect("it is free");
        assert!(matches!(mutex.try_acquire(), Err(TryAcquireError::Reentrant(_))));
        assert!(matches!(mutex.acquire().await, Err(AcquireError::Reentrant(_))), "a try makes a holder too");
        pause().await;
        drop(first);
    }));
    holder.waits();
    ByHand::new(task(async { assert_eq!(mutex.try_acquire().err(), Some(TryAcquireError::Busy)) })).ends();
    assert_eq!(mutex.try_acquire().err(), Some(TryAcquireError::Busy));
    holder.ends();
    drop(mutex.try_acquire().expect("it was released"));
}

fn abort_and_panic_release<L: Library>() {
    let mutex = Mutex::<L>::new(0);
    let mut aborted = ByHand::new(task(async {
        let _guard = mutex.acquire().await.expect("it is free");
        pause().await;
    }));
    aborted.waits();
    drop(aborted);
    assert!(!mutex.is_locked());
    let mut panicked = ByHand::new(task(async {
        let _guard = mutex.acquire().await.expect("it is free");
        std::panic::resume_unwind(Box::new("boom"));
    }));
    let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| panicked.poll()));
    assert!(unwound.is_err());
    assert!(!mutex.is_locked());
    assert_eq!(ByHand::new(task(async { mutex.acquire().await.map(drop) })).ends(), Ok(()), "nothing is poisoned");
}

fn nested_task_is_a_task_of_its_own<L: Library>() {
    let mutex = Mutex::<L>::new(0);
    let mut outer = ByHand::new(task(async {
        let guard = mutex.acquire().await.expect("it is free");
        let inner = task(async {
            pause().await;
            mutex.acquire().await.map(drop)
        });
        let releases = async {
            pause().await;
            pause().await;
            drop(guard);
        };
        join(inner, releases).await.0
    }));
    outer.waits();
    outer.waits();
    outer.waits();
    assert_eq!(outer.ends(), Ok(()));
}

fn mutex_dropped_with_owned_waiters_lives_on<L: Library>() {
    let mutex = Mutex::<L>::new(7);
    let guard = mutex.try_acquire_owned().expect("it is free");
    let mut interrupted = ByHand::new(task(mutex.acquire_owned()));
    interrupted.waits();
    drop(interrupted);
    assert_eq!(mutex.statistics().waiters, 0);
    let waiting = mutex.acquire_owned();
    let mut waiter = ByHand::new(task(async { waiting.await.map(|guard| *guard) }));
    waiter.waits();
    let mut mutex = mutex.into_inner().expect_err("there is a guard");
    assert!(mutex.get_mut().is_none());
    drop(mutex);
    drop::<OwnedStrictGuard<u32, L>>(guard);
    assert_eq!(waiter.ends(), Ok(7));
}

fn blocking_acquire_knows_its_thread<L: Library>() {
    let mutex = Mutex::<L>::new(0);
    let guard = mutex.acquire_blocking().expect("it is free");
    let refused = mutex.acquire_blocking().map(drop).expect_err("this thread holds it");
    assert!(refused.to_string().starts_with("thread "), "{refused}");
    drop(guard);
    ByHand::new(task(async {
        let _guard = mutex.acquire_blocking().expect("it is free");
        assert!(mutex.acquire().await.is_err(), "in a task it asks for the task");
    }))
    .ends();
}

fn statistics_count_and_name<L: Library>() {
    let mutex = Mutex::<L>::new(0);
    let mut holder = ByHand::new(
        task(async {
            let _guard = mutex.acquire().await.expect("it is free");
            pause().await;
        })
        .named("pool"),
    );
    holder.waits();
    let mut waiters: Vec<_> = (0..300).map(|_| ByHand::new(task(async { mutex.acquire().await.map(drop) }))).collect();
    waiters.iter_mut().for_each(ByHand::waits);
    let statistics = mutex.statistics();
    let known = statistics.holder.expect("somebody holds");
    assert_eq!((statistics.locked, statistics.waiters, known.name.as_deref()), (true, 300, Some("pool")));
    let text = format!("{mutex:?}");
    assert!(text.starts_with("StrictMutex { locked: true, holder: task pool, acquired at "), "{text}");
    holder.ends();
    waiters.drain(..150).for_each(drop);
    waiters.iter_mut().for_each(|waiter| assert_eq!(waiter.ends(), Ok(())));
    assert_eq!(format!("{mutex:?}"), "StrictMutex { locked: false, waiters: 0, .. }");
}

fn waker_may_use_the_mutex<L: Library>()
where
    Mutex<L>: Send + Sync,
{
    struct Asks<L: Library>(Arc<Mutex<L>>);
    impl<L: Library> std::task::Wake for Asks<L>
    where
        Mutex<L>: Send + Sync,
    {
        fn wake(self: Arc<Self>) {
            assert!(self.0.is_locked(), "it is promised");
            assert_eq!(self.0.try_acquire().err(), Some(TryAcquireError::Busy));
        }
    }
    let mutex = Arc::new(Mutex::<L>::new(0));
    let guard = mutex.try_acquire().expect("it is free");
    let waker = Waker::from(Arc::new(Asks(Arc::clone(&mutex))));
    let mut waiter = Box::pin(task(mutex.acquire()));
    assert!(waiter.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    drop(guard);
    assert!(waiter.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
}

fn replaced_waker_is_the_one_that_is_woken<L: Library>() {
    let mutex = Mutex::<L>::new(0);
    let guard = mutex.try_acquire().expect("it is free");
    let mut waiter = Box::pin(task(mutex.acquire()));
    let wakes: [Arc<polling::Wakes>; 2] = Default::default();
    for wakes in &wakes {
        let waker = Waker::from(Arc::clone(wakes));
        assert!(waiter.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    drop(guard);
    assert_eq!(wakes.each_ref().map(|wakes| wakes.count()), [0, 1]);
}

fn future_that_moves_asks_for_the_task_that_polls<L: Library>() {
    let mutex = Mutex::<L>::new(0);
    let slot = std::cell::Cell::new(None);
    let guard = mutex.try_acquire().expect("it is free");
    ByHand::new(task(async {
        let mut acquire = Box::pin(mutex.acquire());
        begin(acquire.as_mut()).await;
        slot.set(Some(acquire));
    }))
    .ends();
    let mut taker = ByHand::new(task(async {
        let _guard = slot.take().expect("it was put there").await.expect("this task holds nothing");
        assert_eq!(mutex.statistics().holder.and_then(|holder| holder.task), current_task());
    }));
    taker.waits();
    drop(guard);
    assert_eq!(taker.wakes.count(), 1, "who polled last is woken");
    taker.ends();
}

/// What is sent and shared is what std's mutex sends and shares.
#[test]
fn bounds_are_those_of_the_library() {
    fn is_send<T: Send>() {}
    fn is_sync<T: Sync>() {}
    type OnlySend = std::cell::Cell<u32>;
    is_send::<StrictMutex<OnlySend, TokioSync>>();
    is_sync::<StrictMutex<OnlySend, TokioSync>>();
    is_send::<StrictMutex<OnlySend, AsyncLock>>();
    is_sync::<StrictMutex<OnlySend, AsyncLock>>();
    is_send::<StrictMutex<OnlySend, FuturesUtil>>();
    is_sync::<StrictMutex<OnlySend, FuturesUtil>>();
    is_send::<StrictGuard<'static, OnlySend, TokioSync>>();
    is_send::<StrictGuard<'static, OnlySend, AsyncLock>>();
    is_send::<OwnedStrictGuard<OnlySend, AsyncLock>>();
    is_send::<keyalike_strict::Acquire<'static, OnlySend, TokioSync>>();
    is_send::<keyalike_strict::Acquire<'static, OnlySend, AsyncLock>>();
    is_send::<keyalike_strict::Acquire<'static, OnlySend, FuturesUtil>>();
    is_send::<keyalike_strict::AcquireOwned<OnlySend, TokioSync>>();
    is_send::<keyalike_strict::Task<std::future::Ready<()>>>();
}

/// Threads, some with tasks and some without, under contention: nobody is left behind and no count is lost.
#[test]
fn threads_under_contention_lose_nothing() {
    const THREADS: u32 = 4;
    const ROUNDS: u32 = 2_000;
    fn contend<L: Library>()
    where
        Mutex<L>: Send + Sync,
    {
        let mutex = Mutex::<L>::new(0);
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for round in 0..ROUNDS {
                        if round % 7 == 0 {
                            let waits = mutex.acquire();
                            drop(ByHand::new(task(async move { waits.await.map(drop) })).poll());
                        }
                        *mutex.acquire_blocking().expect("a thread holds one guard at a time") += 1;
                        assert!(mutex.statistics().waiters <= THREADS as usize * 2);
                    }
                });
            }
        });
        assert_eq!(mutex.into_inner().expect("there is no owned guard"), THREADS * ROUNDS);
    }
    contend::<TokioSync>();
    contend::<AsyncLock>();
    contend::<FuturesUtil>();
}
