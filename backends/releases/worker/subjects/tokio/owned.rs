//! The guards of tokio that own.

use std::sync::Arc;

use harness::object::Message;

use super::mutex::Mutex;

/// A guard that owns its share of the mutex.
pub type Guard = tokio::sync::OwnedMutexGuard<()>;

/// Waits for the mutex.
pub fn acquire(mutex: &Arc<Mutex<()>>) -> impl Future<Output = Guard> + Send + use<> {
    Arc::clone(mutex).lock_owned()
}

/// Takes the mutex if it is free.
pub fn try_acquire(mutex: &Arc<Mutex<()>>) -> Result<Guard, Message> {
    Arc::clone(mutex).try_lock_owned().map_err(|error| Message::of(&error))
}
