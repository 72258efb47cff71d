//! The blocking acquire of async-std.

use super::mutex::{Guard, Mutex};

/// Waits for the mutex and blocks the thread.
pub fn acquire(mutex: &Mutex<()>) -> Guard<'_> {
    mutex.lock_blocking()
}
