//! The guards of the first releases of async-lock, all of which own.

use std::sync::Arc;

use harness::object::Message;

use super::mutex::Mutex;

/// A guard that owns its share of the lock.
pub type Guard = super::mutex::Guard<'static>;

/// Waits for the lock.
pub fn acquire(mutex: &Arc<Mutex<()>>) -> impl Future<Output = Guard> + Send {
    mutex.lock()
}

/// Takes the lock if it is free.
pub fn try_acquire(mutex: &Arc<Mutex<()>>) -> Result<Guard, Message> {
    mutex.try_lock().ok_or_else(Message::none)
}
