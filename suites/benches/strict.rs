//! What the strict mutex costs: acquire and release, against the bare lock that it stands on.
//!
//! Alternating batches of one process give the ratios. A benchmark reports: it holds nobody to its figures.

#[allow(dead_code, reason = "the other benchmark uses the rest")]
#[path = "cost/paired.rs"]
mod paired;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use comfy_table::{Table, presets};
use paired::{Paired, compare, time};
use strict::{AsyncLock, FuturesUtil, Library, Mode, StrictMutex, TokioSync, task};

/// Acquires in one batch.
const ROUNDS: usize = 1_000;
/// Pairs of batches behind each ratio: many and short, so that most of them meet no other process.
const PAIRS: usize = 201;

fn main() {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["locks", "case", "bare ns", "strict ns", "strict/bare", ""]);
    macro_rules! row {
        ($name:literal, $library:ty, $bare:ty, $bare_mutex:ident, $acquire:expr) => {
            let bare = <$bare>::new(0_u64);
            let strict = StrictMutex::<u64, $library>::new(0);
            let endless = StrictMutex::<u64, $library>::with_mode(0, Mode::EndlessWaits);
            let alone_bare = || {
                alone(async {
                    for _ in 0..ROUNDS {
                        let $bare_mutex = &bare;
                        *$acquire.await += 1;
                    }
                })
            };
            let alone_strict = || alone(task(uncontended(&strict)));
            let alone_endless = || alone(task(uncontended(&endless)).watched());
            push(&mut table, $name, "uncontended", compare(PAIRS, alone_strict, alone_bare));
            push(&mut table, $name, "uncontended, endless waits", compare(PAIRS, alone_endless, alone_bare));
            let one_bare = || async {
                for _ in 0..ROUNDS / 2 {
                    let $bare_mutex = &bare;
                    let mut guard = $acquire.await;
                    *guard += 1;
                    pause().await;
                }
            };
            let both_bare = || both(one_bare(), one_bare());
            let both_strict = || both(task(contended(&strict)), task(contended(&strict)));
            push(&mut table, $name, "two tasks", compare(PAIRS, both_strict, both_bare));
        };
    }
    row!("tokio::sync", TokioSync, tokio::sync::Mutex<u64>, mutex, mutex.lock());
    row!("async-lock", AsyncLock, async_lock::Mutex<u64>, mutex, mutex.lock());
    row!("futures-util", FuturesUtil, futures_util::lock::Mutex<u64>, mutex, mutex.lock());
    println!("Acquire and release, medians of {PAIRS} pairs of batches, [quartiles] of their ratios.\n{table}");
}

fn push(table: &mut Table, locks: &str, case: &str, Paired { one, other, ratio }: Paired) {
    table.add_row([
        locks.to_owned(),
        case.to_owned(),
        format!("{:.1}", other.median),
        format!("{:.1}", one.median),
        format!("{:.2}", ratio.median),
        format!("[{:.2}, {:.2}]", ratio.first, ratio.third),
    ]);
}

async fn uncontended<L: Library>(mutex: &StrictMutex<u64, L>) {
    for _ in 0..ROUNDS {
        *mutex.acquire().await.expect("this task holds nothing") += 1;
    }
}

/// Keeps the mutex while the other task runs, so that each acquire waits and each release hands over.
async fn contended<L: Library>(mutex: &StrictMutex<u64, L>) {
    for _ in 0..ROUNDS / 2 {
        let mut guard = mutex.acquire().await.expect("this task holds nothing");
        *guard += 1;
        pause().await;
    }
}

async fn pause() {
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

fn alone(future: impl Future<Output = ()>) -> (Duration, usize) {
    let mut future = std::pin::pin!(future);
    let duration = time(|| assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready()));
    (duration, ROUNDS)
}

/// Whether a task was woken.
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

/// Polls whichever of the two was woken, in turns, until both have ended.
fn both(one: impl Future<Output = ()>, other: impl Future<Output = ()>) -> (Duration, usize) {
    let (mut one, mut other) = (std::pin::pin!(one), std::pin::pin!(other));
    let flags = [(); 2].map(|()| Arc::new(Flag(AtomicBool::new(true))));
    let wakers = flags.clone().map(Waker::from);
    let duration = time(|| {
        let mut ended = [false; 2];
        while ended != [true; 2] {
            let mut ran = false;
            for index in 0..2 {
                if ended[index] || !flags[index].0.swap(false, Ordering::Acquire) {
                    continue;
                }
                ran = true;
                let mut cx = Context::from_waker(&wakers[index]);
                ended[index] = match index {
                    0 => one.as_mut().poll(&mut cx).is_ready(),
                    _ => other.as_mut().poll(&mut cx).is_ready(),
                };
            }
            assert!(ran, "one of them can go on");
        }
    });
    (duration, ROUNDS)
}
