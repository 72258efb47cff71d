//! The guards of async-std that own.

use std::sync::Arc;

use harness::object::Message;

use super::mutex::Mutex;

/// A guard that owns its share of the mutex.
pub type Guard = async_std::sync::MutexGuardArc<()>;

/// Waits for the mutex.
pub fn acquire(mutex: &Arc<Mutex<()>>) -> impl Future<Output = Guard> + Send {
    mutex.lock_arc()
}

/// Takes the mutex if it is free.
pub fn try_acquire(mutex: &Arc<Mutex<()>>) -> Result<Guard, Message> {
    mutex.try_lock_arc().ok_or_else(Message::none)
}
