//! The mutex of async-lock.

pub use async_lock::Mutex;

/// A guard that borrows the mutex.
pub type Guard<'a> = async_lock::MutexGuard<'a, ()>;

/// Waits for the mutex.
pub fn acquire(mutex: &Mutex<()>) -> impl Future<Output = Guard<'_>> + Send {
    mutex.lock()
}

/// Compiles only if tasks can use it.
pub fn is_usable(mutex: &Mutex<()>) -> impl Future<Output = Guard<'_>> + Send {
    acquire(mutex)
}
