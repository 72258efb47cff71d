//! The cooperative budget of a release of tokio that does not show it, by a semaphore with a permit to spare: its acquire
//! is pending only when the budget is spent.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Wake, Waker};

use tokio::runtime::Builder;
use tokio::sync::Semaphore;

/// More than any release's budget; one without a budget never ends the loop otherwise.
const UNITS_MAX: usize = 1024;

/// Notes that it was woken.
#[derive(Default)]
struct Noted(AtomicBool);

impl Wake for Noted {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Returns whether the budget is spent, and takes one unit of it if it is not.
fn is_spent(cx: &mut Context<'_>) -> bool {
    let semaphore = Semaphore::new(1);
    let acquire = pin!(semaphore.acquire());
    acquire.poll(cx).is_pending()
}

/// Spends the budget of this poll. Nobody is to be woken for that, so the task's waker is left out.
pub fn spend(_cx: &mut Context<'_>) {
    LazyLock::force(&DEFERS);
    exhaust();
}

fn exhaust() {
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..UNITS_MAX {
        if is_spent(&mut cx) {
            break;
        }
    }
}

/// Whether this release wakes a task that has spent its budget after the poll, and not within it. Tried out on a task of a
/// runtime of its own, for a waker that is not the task's would be deferred behind the task's, which would be woken twice.
static DEFERS: LazyLock<bool> = LazyLock::new(|| {
    let try_out = || {
        let runtime = Builder::new_current_thread().build().expect("it needs nothing but this thread");
        let task = runtime.spawn(poll_fn(|_| {
            let noted = Arc::new(Noted::default());
            let waker = Waker::from(Arc::clone(&noted));
            exhaust();
            Poll::Ready(is_spent(&mut Context::from_waker(&waker)) && !noted.0.load(Ordering::SeqCst))
        }));
        runtime.block_on(task).expect("it does not panic")
    };
    std::thread::spawn(try_out).join().expect("it does not panic")
});

/// Returns whether the scheduler will wake the task after this poll because its budget is spent. Releases that wake at once
/// have done so already, from within the lock, and promise nothing more.
pub fn promises_wake(cx: &mut Context<'_>) -> bool {
    *DEFERS && is_spent(cx)
}
