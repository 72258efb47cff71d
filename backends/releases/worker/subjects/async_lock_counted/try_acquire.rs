//! The try of the first releases of async-lock.

use harness::object::Message;

use super::mutex::{Guard, Mutex};

/// Takes the lock if it is free.
pub fn try_acquire(mutex: &Mutex<()>) -> Result<Guard<'_>, Message> {
    mutex.try_lock().ok_or_else(Message::none)
}
