//! The guards of futures-util that own.

use std::sync::Arc;

use harness::object::Message;

use super::mutex::Mutex;

/// A guard that owns its share of the mutex.
pub type Guard = futures_util::lock::OwnedMutexGuard<()>;

/// Waits for the mutex.
pub fn acquire(mutex: &Arc<Mutex<()>>) -> impl Future<Output = Guard> + Send {
    Arc::clone(mutex).lock_owned()
}

/// Takes the mutex if it is free.
pub fn try_acquire(mutex: &Arc<Mutex<()>>) -> Result<Guard, Message> {
    mutex.try_lock_owned().ok_or_else(Message::none)
}
