//! The blocking acquire of smol.

use super::mutex::{Guard, Mutex};

/// Waits for the mutex and blocks the thread.
pub fn acquire(mutex: &Mutex<()>) -> Guard<'_> {
    mutex.lock_blocking()
}
