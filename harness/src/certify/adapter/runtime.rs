//! What every adapter of a runtime owes: that tasks run, end, and are said to have ended as they did.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::bench::{Bench, Doing, Stop, lock};
use super::{Conviction, Fault, convict};
use crate::runtime::{Ending, Runtime};

/// How long a task or the drop of its future takes its time, so that who returns too early is seen to. It decides
/// nothing for who waits.
const SLOWNESS: Duration = Duration::from_millis(20);

type Check<R> = fn(&Arc<R>, &Doing) -> Result<(), Conviction>;

/// Makes every check, up to the first that does not come back.
pub(super) fn check_all<R: Runtime>(bench: &Bench<R>) -> Vec<Conviction> {
    let checks: [Check<R>; 7] = [returns, runs_tasks, tells_panics, aborts, drops_handles, detaches, promises];
    let mut convictions = Vec::new();
    for check in checks {
        match bench.patiently(check) {
            Ok(()) => {}
            Err(Stop::Convicted(conviction)) => convictions.push(conviction),
            Err(Stop::Stuck(conviction)) => {
                convictions.push(conviction);
                break;
            }
        }
    }
    convictions
}

/// A moment that can be awaited.
#[derive(Default)]
struct Moment(Mutex<(bool, Vec<Waker>)>);

impl Moment {
    fn come(&self) {
        let wakers = {
            let mut moment = lock(&self.0);
            moment.0 = true;
            std::mem::take(&mut moment.1)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    fn has_come(&self) -> bool {
        lock(&self.0).0
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        let mut moment = lock(&self.0);
        if moment.0 {
            return Poll::Ready(());
        }
        moment.1.push(cx.waker().clone());
        Poll::Pending
    }

    async fn wait(&self) {
        std::future::poll_fn(|cx| self.poll(cx)).await;
    }
}

/// The future of a task that waits until it is woken, with what becomes of it.
#[derive(Default)]
struct Life {
    waits: Moment,
    ran_again: Moment,
    dropped: Moment,
    waker: Mutex<Option<Waker>>,
}

/// What became of a task that was woken after its handle was given up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    RanAgain,
    Dropped,
}

impl Life {
    /// Spawns the task, and returns once it waits.
    fn spawn<R: Runtime>(self: &Arc<Self>, runtime: &Arc<R>) -> R::Handle {
        let handle = runtime.spawn(Body(Arc::clone(self)));
        runtime.block_on(self.waits.wait());
        handle
    }

    fn wake(&self) {
        let waker = lock(&self.waker).clone();
        waker.into_iter().for_each(Waker::wake);
    }

    async fn fate(&self) -> Fate {
        std::future::poll_fn(|cx| match (self.ran_again.poll(cx), self.dropped.poll(cx)) {
            (Poll::Ready(()), _) => Poll::Ready(Fate::RanAgain),
            (_, Poll::Ready(())) => Poll::Ready(Fate::Dropped),
            _ => Poll::Pending,
        })
        .await
    }
}

struct Body(Arc<Life>);

impl Future for Body {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if lock(&self.0.waker).replace(cx.waker().clone()).is_some() {
            self.0.ran_again.come();
            return Poll::Ready(());
        }
        self.0.waits.come();
        Poll::Pending
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        std::thread::sleep(SLOWNESS);
        self.0.dropped.come();
    }
}

/// `block_on` returns what its future returns, after as many polls as that takes.
fn returns<R: Runtime>(runtime: &Arc<R>, doing: &Doing) -> Result<(), Conviction> {
    doing.begin(Fault::BlockOnDoesNotReturn, "`block_on` of a future that yields twice");
    let mut yields = 2;
    let value = runtime.block_on(std::future::poll_fn(|cx| {
        if yields == 0 {
            return Poll::Ready(7);
        }
        yields -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }));
    match value {
        7 => Ok(()),
        _ => Err(convict(Fault::BlockOnDoesNotReturn, "`block_on` returns another value than its future")),
    }
}

/// A spawned task runs to its end, and a join waits for it.
fn runs_tasks<R: Runtime>(runtime: &Arc<R>, doing: &Doing) -> Result<(), Conviction> {
    doing.begin(Fault::SpawnRunsNothing, "a join of a task that yields once");
    let ended = Arc::new(Moment::default());
    let mut has_yielded = false;
    let handle = runtime.spawn({
        let ended = Arc::clone(&ended);
        std::future::poll_fn(move |cx| {
            if !std::mem::replace(&mut has_yielded, true) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            std::thread::sleep(SLOWNESS);
            ended.come();
            Poll::Ready(())
        })
    });
    let ending = runtime.block_on(runtime.join(handle));
    if !ended.has_come() {
        doing.begin(Fault::SpawnRunsNothing, "a task whose join returned before it had run");
        runtime.block_on(ended.wait());
        return Err(convict(Fault::JoinReturnsEarly, "a join returns while its task still runs; await the handle"));
    }
    match ending {
        Ending::Returned => Ok(()),
        other => Err(convict(Fault::EndingMisreported, format!("a task returned, and its join says {other:?}"))),
    }
}

/// A join says that its task panicked, and does not panic itself.
fn tells_panics<R: Runtime>(runtime: &Arc<R>, doing: &Doing) -> Result<(), Conviction> {
    doing.begin(Fault::JoinLosesThePanic, "a join of a task that panicked");
    // Not `panic!`, which would print.
    let handle = runtime.spawn(async { resume_unwind(Box::new("certify")) });
    let joined = catch_unwind(AssertUnwindSafe(|| runtime.block_on(runtime.join(handle))));
    match joined {
        Ok(Ending::Panicked(_)) => Ok(()),
        Ok(other) => Err(convict(
            Fault::JoinLosesThePanic,
            format!("a task panicked, and its join says {other:?}; it must say `Ending::Panicked`"),
        )),
        Err(_) => Err(convict(
            Fault::JoinLosesThePanic,
            "a join passes the panic of its task on; await the handle by `join_unwinding`",
        )),
    }
}

/// An abort returns when the future of its task is dropped, and says so.
fn aborts<R: Runtime>(runtime: &Arc<R>, doing: &Doing) -> Result<(), Conviction> {
    doing.begin(Fault::SpawnRunsNothing, "the first poll of a spawned task");
    let life = Arc::new(Life::default());
    let handle = life.spawn(runtime);
    doing.begin(Fault::AbortDoesNotEnd, "an abort of a task that waits");
    let ending = runtime.block_on(runtime.abort(handle));
    if !life.dropped.has_come() {
        doing.begin(Fault::AbortDoesNotEnd, "the drop of a task whose abort has returned");
        life.wake();
        return Err(match runtime.block_on(life.fate()) {
            Fate::Dropped => convict(
                Fault::AbortReturnsEarly,
                "an abort returns before the future of its task is dropped; await the end of the task",
            ),
            Fate::RanAgain => convict(Fault::AbortDoesNotEnd, "a task that was aborted runs on"),
        });
    }
    match ending {
        Ending::Aborted(_) => Ok(()),
        other => Err(convict(Fault::EndingMisreported, format!("a task was aborted, and the abort says {other:?}"))),
    }
}

/// `DROP_ABORTS` says what the drop of a handle does.
fn drops_handles<R: Runtime>(runtime: &Arc<R>, doing: &Doing) -> Result<(), Conviction> {
    doing.begin(Fault::SpawnRunsNothing, "the first poll of a spawned task");
    let life = Arc::new(Life::default());
    drop(life.spawn(runtime));
    doing.begin(Fault::DropAbortsDeclaredWrong, "the end of a task whose handle was dropped");
    life.wake();
    match (R::DROP_ABORTS, runtime.block_on(life.fate())) {
        (true, Fate::Dropped) | (false, Fate::RanAgain) => Ok(()),
        (true, Fate::RanAgain) => Err(convict(
            Fault::DropAbortsDeclaredWrong,
            "`DROP_ABORTS` is true, and a task whose handle was dropped runs on",
        )),
        (false, Fate::Dropped) => Err(convict(
            Fault::DropAbortsDeclaredWrong,
            "`DROP_ABORTS` is false, and a task whose handle was dropped is ended",
        )),
    }
}

/// A task that was detached runs on.
fn detaches<R: Runtime>(runtime: &Arc<R>, doing: &Doing) -> Result<(), Conviction> {
    doing.begin(Fault::SpawnRunsNothing, "the first poll of a spawned task");
    let life = Arc::new(Life::default());
    let handle = life.spawn(runtime);
    runtime.detach(handle);
    doing.begin(Fault::DetachEndsTheTask, "the wake of a task that was detached");
    life.wake();
    match runtime.block_on(life.fate()) {
        Fate::RanAgain => Ok(()),
        Fate::Dropped => Err(convict(Fault::DetachEndsTheTask, "a task that was detached is ended")),
    }
}

/// A wake that is promised comes.
fn promises<R: Runtime>(runtime: &Arc<R>, doing: &Doing) -> Result<(), Conviction> {
    doing.begin(Fault::PromisesAWake, "the wake that `promises_wake` promised");
    let promised = Arc::new(AtomicBool::new(false));
    let task = {
        let (runtime, promised) = (Arc::clone(runtime), Arc::clone(&promised));
        std::future::poll_fn(move |cx| match promised.load(Ordering::Relaxed) {
            false if runtime.promises_wake(cx) => {
                promised.store(true, Ordering::Relaxed);
                Poll::Pending
            }
            _ => Poll::Ready(()),
        })
    };
    let handle = runtime.spawn(task);
    runtime.block_on(runtime.join(handle));
    Ok(())
}
