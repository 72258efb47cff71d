//! The second mode: only waits that could never end are refused, and the whole cycle is named.

mod polling;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::task::{Poll, Waker};

use keyalike_strict::{
    AcquireError, AsyncLock, FuturesUtil, Library, Mode, StrictGuard, StrictMutex, Task, TokioSync, task,
};
use polling::{ByHand, begin, join, pause};

type Mutex<L> = StrictMutex<u32, L>;

fn mutex<L: Library>() -> Mutex<L> {
    Mutex::with_mode(0, Mode::EndlessWaits)
}

fn named<F: Future>(name: &str, future: F) -> Task<F> {
    task(future).named(name).watched()
}

macro_rules! over_every_library {
    ($($name:ident)*) => {
        mod tokio_sync { $(#[test] fn $name() { super::$name::<super::TokioSync>(); })* }
        mod async_lock { $(#[test] fn $name() { super::$name::<super::AsyncLock>(); })* }
        mod futures_util { $(#[test] fn $name() { super::$name::<super::FuturesUtil>(); })* }
    };
}

over_every_library! {
    task_that_waits_for_itself_is_refused
    cycle_of_three_is_refused_and_named
    waiter_behind_a_cycle_is_not_refused
    arms_of_a_join_may_take_turns
    select_with_a_way_out_waits
    wait_that_something_else_can_end_is_no_cycle
    joined_arms_that_wait_for_each_other_are_refused
    passed_guard_breaks_the_cycle
    unwatched_task_is_told_so
    threads_that_race_into_a_cycle_never_hang
    threads_that_do_not_cross_are_never_refused
    cancelled_wait_is_no_edge
    yielding_task_is_not_stuck
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
    let turn = Arc::new(std::sync::Mutex::new(None::<Waker>));
    let mut program = ByHand::new(named("A", async {
        let holds = async {
            let _guard = m.acquire().await.expect("it is free");
            // Something outside has the waker of this task, such as a timer.
            let mut was_here = false;
            std::future::poll_fn(|cx| {
                if std::mem::replace(&mut was_here, true) {
                    return Poll::Ready(());
                }
                *turn.lock().expect("nobody panics with it") = Some(cx.waker().clone());
                Poll::Pending
            })
            .await;
        };
        join(holds, async { m.acquire().await.map(drop) }).await.1
    }));
    program.waits();
    assert_eq!(m.statistics().waiters, 1);
    let waker = turn.lock().expect("nobody panics with it").take().expect("the timer has it");
    waker.wake();
    assert_eq!(program.wakes.count(), 1);
    assert_eq!(program.ends(), Ok(()));
}

fn select_with_a_way_out_waits<L: Library>() {
    let m = mutex::<L>();
    let timer = Arc::new(std::sync::Mutex::new(None::<Waker>));
    let mut program = ByHand::new(named("A", async {
        let _guard = m.acquire().await.expect("it is free");
        let mut again = std::pin::pin!(m.acquire());
        let mut polls = 0;
        std::future::poll_fn(|cx| {
            if let Poll::Ready(result) = again.as_mut().poll(cx) {
                return Poll::Ready(Some(result.map(drop)));
            }
            polls += 1;
            *timer.lock().expect("nobody panics with it") = Some(cx.waker().clone());
            if polls == 2 { Poll::Ready(None) } else { Poll::Pending }
        })
        .await
    }));
    program.waits();
    assert_eq!(program.ends(), None, "the timer was first, and nothing was refused");
}

fn wait_that_something_else_can_end_is_no_cycle<L: Library>() {
    let [m, n] = [mutex::<L>(), mutex::<L>()];
    let outside = std::sync::Mutex::new(None::<Waker>);
    let mut a = ByHand::new(named("A", async {
        let guard = m.acquire().await.expect("it is free");
        let mut other = std::pin::pin!(n.acquire());
        // Waits for the mutex or for a word from outside, and then releases.
        let mut polls = 0;
        std::future::poll_fn(|cx| {
            polls += 1;
            *outside.lock().expect("nobody panics with it") = Some(cx.waker().clone());
            if polls > 1 { Poll::Ready(Ok(())) } else { other.as_mut().poll(cx).map_ok(drop) }
        })
        .await
        .expect("there is a way out");
        drop(guard);
    }));
    let mut b = ByHand::new(named("B", async {
        let _guard = n.acquire().await.expect("it is free");
        m.acquire().await.map(drop)
    }));
    let mut first = ByHand::new(named("N", async { n.acquire().await.expect("it is free") }));
    let guard = first.ends();
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
                let mut was_here = false;
                std::future::poll_fn(|cx| {
                    if std::mem::replace(&mut was_here, true) {
                        return Poll::Ready(());
                    }
                    cx.waker().wake_by_ref();
                    Poll::Pending
                })
                .await;
            }
        };
        join(holds, async { m.acquire().await.map(drop) }).await.1
    }));
    program.waits();
    program.waits();
    program.waits();
    assert_eq!(program.ends(), Ok(()));
}
