//! The second mode: only waits that could never end are refused, and the whole cycle is named.

mod polling;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::task::{Context, Waker};

use keyalike_strict::{AcquireError, Library, Mode, OwnedStrictGuard, StrictGuard, StrictMutex, Task, task};
use polling::{ByHand, First, Outside, begin, first, join, over_every_library, pause, yield_now};

type Mutex<L> = StrictMutex<u32, L>;

fn mutex<L: Library>() -> Mutex<L> {
    Mutex::with_mode(0, Mode::EndlessWaits)
}

fn named<F: Future>(name: &str, future: F) -> Task<F> {
    task(future).named(name).watched()
}

over_every_library! {
    task_that_waits_for_itself_is_refused
    cycle_of_three_is_refused_and_named
    waiter_behind_a_cycle_is_not_refused
    arms_of_a_join_may_take_turns
    select_with_a_way_out_waits
    select_of_two_mutexes_waits_for_the_one_that_comes
    wait_with_another_waker_is_no_clone_of_ours
    wait_that_something_else_can_end_is_no_cycle
    joined_arms_that_wait_for_each_other_are_refused
    passed_guard_breaks_the_cycle
    unwatched_task_is_told_so
    threads_that_race_into_a_cycle_never_hang
    threads_that_do_not_cross_are_never_refused
    cancelled_wait_is_no_edge
    yielding_task_is_not_stuck
    blocked_thread_of_a_task_polls_nothing_else
    value_that_is_dropped_with_its_last_guard_may_use_a_mutex
    task_that_is_watched_twice_is_watched
    runtime_is_not_held_on_to_after_it_was_told
    runtime_that_polled_last_is_told
    refused_future_stands_in_no_queue
}

fn task_that_waits_for_itself_is_refused<L: Library>() {
    let m = mutex::<L>();
    let mut program = ByHand::new(named("A", async {
        let _guard = m.acquire().await.expect("it is free");
        m.acquire().await.map(drop)
    }));
    let Err(AcquireError::Endless(refused)) = program.ends() else { panic!("the wait could never end") };
    assert_eq!(refused.cycle.len(), 1);
    let text = refused.to_string();
    assert!(text.starts_with("this wait could never end: task A waits at "), "{text}");
    assert!(text.contains(" for the mutex that task A acquired at "), "{text}");
    assert_eq!(text.matches(file!()).count(), 2, "{text}");
    drop(program);
    assert!(!m.is_locked());
}

fn cycle_of_three_is_refused_and_named<L: Library>() {
    let [l, m, n] = [mutex::<L>(), mutex::<L>(), mutex::<L>()];
    let take = async |first: &Mutex<L>, second: &Mutex<L>| {
        let _first = first.acquire().await?;
        pause().await;
        second.acquire().await.map(drop)
    };
    let mut a = ByHand::new(named("A", take(&l, &m)));
    let mut b = ByHand::new(named("B", take(&m, &n)));
    let mut c = ByHand::new(named("C", take(&n, &l)));
    for one in [&mut a, &mut b, &mut c] {
        one.waits();
    }
    a.waits();
    b.waits();
    let Err(AcquireError::Endless(refused)) = c.ends() else { panic!("it closes the cycle") };
    let links: Vec<(&str, &str)> =
        refused.cycle.iter().map(|link| (link.task.as_str(), link.holder.as_str())).collect();
    assert_eq!(links, [("task C", "task A"), ("task A", "task B"), ("task B", "task C")]);
    assert!(refused.cycle.iter().all(|link| link.asked.is_some() && link.acquired.is_some()));
    assert_eq!((b.wakes.count(), b.ends()), (1, Ok(())), "the others get what they wait for");
    assert_eq!((a.wakes.count(), a.ends()), (1, Ok(())));
}

fn waiter_behind_a_cycle_is_not_refused<L: Library>() {
    let [m, n] = [mutex::<L>(), mutex::<L>()];
    let mut a = ByHand::new(named("A", async {
        let _guard = m.acquire().await.expect("it is free");
        pause().await;
        n.acquire().await.map(drop)
    }));
    let mut behind = ByHand::new(named("D", async { m.acquire().await.map(drop) }));
    let mut b = ByHand::new(named("B", async {
        let _guard = n.acquire().await.expect("it is free");
        pause().await;
        m.acquire().await.map(drop)
    }));
    a.waits();
    b.waits();
    a.waits();
    behind.waits();
    assert!(matches!(b.ends(), Err(AcquireError::Endless(_))));
    drop(b);
    assert_eq!(a.ends(), Ok(()));
    assert_eq!(behind.ends(), Ok(()));
}

fn arms_of_a_join_may_take_turns<L: Library>() {
    let m = mutex::<L>();
    let timer = Outside::default();
    let mut program = ByHand::new(named("A", async {
        let holds = async {
            let _guard = m.acquire().await.expect("it is free");
            timer.wait().await;
        };
        join(holds, async { m.acquire().await.map(drop) }).await.1
    }));
    program.waits();
    assert_eq!(m.statistics().waiters, 1);
    timer.wake();
    assert_eq!(program.wakes.count(), 1);
    assert_eq!(program.ends(), Ok(()));
}

fn select_with_a_way_out_waits<L: Library>() {
    let m = mutex::<L>();
    let timer = Outside::default();
    let mut program = ByHand::new(named("A", async {
        let _guard = m.acquire().await.expect("it is free");
        let ended = first(m.acquire(), timer.wait()).await;
        matches!(ended, First::Other(()))
    }));
    program.waits();
    timer.wake();
    assert!(program.ends(), "the timer was first, and nothing was refused");
}

/// One of its waits is part of a cycle, and the other one is not.
fn select_of_two_mutexes_waits_for_the_one_that_comes<L: Library>() {
    let [m, n, o] = [mutex::<L>(), mutex::<L>(), mutex::<L>()];
    let guard = ByHand::new(named("N", async { o.acquire().await.expect("it is free") })).ends();
    let mut a = ByHand::new(named("A", async {
        let _guard = m.acquire().await.expect("it is free");
        pause().await;
        matches!(first(n.acquire(), o.acquire()).await, First::Other(Ok(_)))
    }));
    let mut b = ByHand::new(named("B", async {
        let _guard = n.acquire().await.expect("it is free");
        m.acquire().await.map(drop)
    }));
    a.waits();
    b.waits();
    a.waits();
    drop(guard);
    assert!(a.ends());
    drop(a);
    assert_eq!(b.ends(), Ok(()));
}

/// The one clone of the task's waker lies with the timer, and none with the mutex.
fn wait_with_another_waker_is_no_clone_of_ours<L: Library>() {
    let m = mutex::<L>();
    let timer = Outside::default();
    let mut program = ByHand::new(named("A", async {
        let _guard = m.acquire().await.expect("it is free");
        let mut again = std::pin::pin!(m.acquire());
        assert!(again.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        timer.wait().await;
    }));
    program.waits();
    timer.wake();
    program.ends();
}

fn wait_that_something_else_can_end_is_no_cycle<L: Library>() {
    let [m, n] = [mutex::<L>(), mutex::<L>()];
    let outside = Outside::default();
    let mut a = ByHand::new(named("A", async {
        let guard = m.acquire().await.expect("it is free");
        // Waits for the mutex or for a word from outside, and then releases.
        let ended = first(outside.wait(), n.acquire()).await;
        assert!(matches!(ended, First::One(())), "there is a way out");
        drop(guard);
    }));
    let mut b = ByHand::new(named("B", async {
        let _guard = n.acquire().await.expect("it is free");
        m.acquire().await.map(drop)
    }));
    let guard = ByHand::new(named("N", async { n.acquire().await.expect("it is free") })).ends();
    a.waits();
    drop(guard);
    // The promise of n lies with A, who does not look; B waits behind A for n, and nobody is refused.
    b.waits();
    a.ends();
    assert_eq!(b.ends(), Ok(()));
}

fn joined_arms_that_wait_for_each_other_are_refused<L: Library>() {
    let [m, n] = [mutex::<L>(), mutex::<L>()];
    let arm = async |first: &Mutex<L>, second: &Mutex<L>| {
        let _first = first.acquire().await?;
        pause().await;
        second.acquire().await.map(drop)
    };
    let mut program = ByHand::new(named("A", async { join(arm(&m, &n), arm(&n, &m)).await }));
    program.waits();
    program.waits();
    assert_eq!(program.wakes.count(), 1, "the arm that was refused has released");
    let (one, other) = program.ends();
    let refused = [&one, &other].into_iter().filter(|end| matches!(end, Err(AcquireError::Endless(_)))).count();
    assert_eq!(refused, 1, "one arm gives way and the other goes on: {one:?}, {other:?}");
}

fn passed_guard_breaks_the_cycle<L: Library>() {
    let m = mutex::<L>();
    let slot = std::cell::Cell::new(None);
    let mut a = ByHand::new(named("A", async {
        let mut guard = m.acquire().await.expect("it is free");
        StrictGuard::pass(&mut guard);
        slot.set(Some(guard));
        m.acquire().await.map(drop)
    }));
    a.waits();
    drop(slot.take());
    assert_eq!(a.ends(), Ok(()));
}

fn unwatched_task_is_told_so<L: Library>() {
    let m = mutex::<L>();
    let refused = ByHand::new(task(async { m.acquire().await.map(drop) })).ends().expect_err("it is not watched");
    assert!(matches!(&refused, AcquireError::NoTask(refused) if refused.only_unwatched), "{refused:?}");
    assert!(refused.to_string().contains(".watched()"), "{refused}");
    assert!(!m.is_locked());
}

/// Two threads run into a cycle as fast as they can, again and again. A missed cycle would hang the test, a false one fails
/// it: exactly one is refused if both hold their first, and nobody otherwise.
fn threads_that_race_into_a_cycle_never_hang<L: Library>()
where
    Mutex<L>: Send + Sync,
{
    const ROUNDS: usize = 500;
    let [m, n] = [mutex::<L>(), mutex::<L>()];
    let (both_hold, both_done) = (Barrier::new(2), Barrier::new(2));
    let refusals = AtomicUsize::new(0);
    let cross = |first: &Mutex<L>, second: &Mutex<L>| {
        for round in 0..ROUNDS {
            let guard = first.acquire_blocking().expect("it is free");
            both_hold.wait();
            match second.acquire_blocking() {
                Ok(_) => {}
                Err(AcquireError::Endless(refused)) => {
                    assert_eq!(refused.cycle.len(), 2, "{refused}");
                    refusals.fetch_add(1, Ordering::SeqCst);
                }
                Err(other) => panic!("{other}"),
            }
            drop(guard);
            both_done.wait();
            assert_eq!(refusals.load(Ordering::SeqCst), round + 1, "one a round");
            both_done.wait();
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| cross(&m, &n));
        scope.spawn(|| cross(&n, &m));
    });
}

fn threads_that_do_not_cross_are_never_refused<L: Library>()
where
    Mutex<L>: Send + Sync,
{
    let [m, n] = [mutex::<L>(), mutex::<L>()];
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..1_000 {
                    let mut first = m.acquire_blocking().expect("they are taken in one order");
                    let mut second = n.acquire_blocking().expect("they are taken in one order");
                    *first += 1;
                    *second += 1;
                }
            });
        }
    });
    let totals = [m, n].map(|mutex| mutex.into_inner().expect("there is no owned guard"));
    assert_eq!(totals, [3_000; 2]);
}

fn cancelled_wait_is_no_edge<L: Library>() {
    let [m, n] = [mutex::<L>(), mutex::<L>()];
    let mut a = ByHand::new(named("A", async {
        let guard = m.acquire().await.expect("it is free");
        pause().await;
        {
            let mut cancelled = std::pin::pin!(n.acquire());
            begin(cancelled.as_mut()).await;
        }
        pause().await;
        drop(guard);
    }));
    let mut b = ByHand::new(named("B", async {
        let _guard = n.acquire().await.expect("it is free");
        pause().await;
        m.acquire().await.map(drop)
    }));
    a.waits();
    b.waits();
    a.waits();
    b.waits();
    a.ends();
    assert_eq!(b.ends(), Ok(()));
}

fn yielding_task_is_not_stuck<L: Library>() {
    let m = mutex::<L>();
    let mut program = ByHand::new(named("A", async {
        let holds = async {
            let _guard = m.acquire().await.expect("it is free");
            for _ in 0..3 {
                yield_now().await;
            }
        };
        join(holds, async { m.acquire().await.map(drop) }).await.1
    }));
    program.waits();
    program.waits();
    program.waits();
    assert_eq!(program.ends(), Ok(()));
}

/// An operation that the task keeps cannot end its wait: nothing polls it while the thread is blocked.
fn blocked_thread_of_a_task_polls_nothing_else<L: Library>() {
    let [m, n] = [mutex::<L>(), mutex::<L>()];
    let elsewhere = ByHand::new(named("N", async { n.acquire().await.expect("it is free") })).ends();
    let mut program = ByHand::new(named("A", async {
        let _guard = m.acquire().await.expect("it is free");
        let mut kept = std::pin::pin!(n.acquire());
        begin(kept.as_mut()).await;
        m.acquire_blocking().map(drop)
    }));
    // A cycle that is missed would hang the test.
    let Err(AcquireError::Endless(refused)) = program.ends() else { panic!("its thread waits for itself") };
    assert_eq!(refused.cycle.len(), 1);
    drop(elsewhere);
}

/// No lock of ours is held over the drop of a value, or this would hang.
fn value_that_is_dropped_with_its_last_guard_may_use_a_mutex<L: Library>() {
    let inner = mutex::<L>();
    let outer = StrictMutex::<OwnedStrictGuard<u32, L>, L>::with_mode(
        inner.try_acquire_owned().expect("it is free"),
        Mode::EndlessWaits,
    );
    let guard = outer.try_acquire_owned().expect("it is free");
    drop(outer);
    drop(guard);
    assert!(!inner.is_locked(), "the guard in the value was dropped with it");
}

fn task_that_is_watched_twice_is_watched<L: Library>() {
    let m = mutex::<L>();
    let mut program = ByHand::new(named("A", async { m.acquire().await.map(drop) }).watched());
    assert_eq!(program.ends(), Ok(()));
}

fn runtime_is_not_held_on_to_after_it_was_told<L: Library>() {
    let m = mutex::<L>();
    let guard = ByHand::new(named("N", async { m.acquire().await.expect("it is free") })).ends();
    let mut program = ByHand::new(named("A", async { m.acquire().await.map(drop) }));
    program.waits();
    assert_eq!(Arc::strong_count(&program.wakes), 2);
    drop(guard);
    assert_eq!((program.wakes.count(), Arc::strong_count(&program.wakes)), (1, 1));
    assert_eq!(program.ends(), Ok(()));
}

fn runtime_that_polled_last_is_told<L: Library>() {
    let m = mutex::<L>();
    let guard = ByHand::new(named("N", async { m.acquire().await.expect("it is free") })).ends();
    let mut program = ByHand::new(named("A", async { m.acquire().await.map(drop) }));
    program.waits();
    let former = std::mem::take(&mut program.wakes);
    program.waits();
    drop(guard);
    assert_eq!((former.count(), program.wakes.count()), (0, 1));
    assert_eq!(program.ends(), Ok(()));
}

/// However long it is kept.
fn refused_future_stands_in_no_queue<L: Library>() {
    let m = mutex::<L>();
    let mut kept = Box::pin(m.acquire());
    let guard = ByHand::new(named("N", async { m.acquire().await.expect("it is free") })).ends();
    ByHand::new(named("A", begin(kept.as_mut()))).ends();
    assert_eq!(m.statistics().waiters, 1);
    let refused = ByHand::new(task(kept.as_mut())).ends().map(drop).expect_err("its new task is not watched");
    assert!(matches!(&refused, AcquireError::NoTask(refused) if refused.only_unwatched), "{refused:?}");
    assert_eq!(m.statistics().waiters, 0);
    drop(guard);

    let mut again = Box::pin(m.acquire());
    let mut program = ByHand::new(named("A", async {
        let _guard = m.acquire().await.expect("it is free");
        again.as_mut().await.map(drop)
    }));
    assert!(matches!(program.ends(), Err(AcquireError::Endless(_))));
    drop(program);
    assert_eq!((m.statistics().waiters, m.is_locked()), (0, false));
}
