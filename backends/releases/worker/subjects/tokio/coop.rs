//! The cooperative budget of a release of tokio that shows it.

use std::task::{Context, Poll};

use tokio::task::coop;

/// Spends the budget of this poll.
pub fn spend(cx: &mut Context<'_>) {
    while let Poll::Ready(progress) = coop::poll_proceed(cx) {
        progress.made_progress();
    }
}

/// Returns whether the scheduler will wake the task after this poll because its budget is spent. Asking once more registers
/// that wake if nothing has yet.
pub fn promises_wake(cx: &mut Context<'_>) -> bool {
    coop::poll_proceed(cx).is_pending()
}
