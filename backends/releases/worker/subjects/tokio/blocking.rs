//! The blocking acquire of tokio.

use super::mutex::{Guard, Mutex};

/// Waits for the mutex and blocks the thread.
pub fn acquire(mutex: &Mutex<()>) -> Guard<'_> {
    mutex.blocking_lock()
}
