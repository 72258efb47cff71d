//! The cooperative budget of a release of tokio that does not show it, by a semaphore with a permit to spare: its acquire
//! is pending only when the budget is spent.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

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
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..UNITS_MAX {
        if is_spent(&mut cx) {
            break;
        }
    }
}

/// Returns whether the scheduler will wake the task after this poll because its budget is spent. Releases that wake at once
/// have done so already, from within the lock, and promise nothing more.
pub fn promises_wake(cx: &mut Context<'_>) -> bool {
    let noted = Arc::new(Noted::default());
    let waker = Waker::from(Arc::clone(&noted));
    let is_deferred = is_spent(&mut Context::from_waker(&waker)) && !noted.0.load(Ordering::SeqCst);
    is_deferred && is_spent(cx)
}
