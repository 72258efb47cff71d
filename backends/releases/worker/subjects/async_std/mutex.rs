//! The mutex of async-std.

pub use async_std::sync::Mutex;

/// A guard that borrows the mutex.
pub type Guard<'a> = async_std::sync::MutexGuard<'a, ()>;

/// Waits for the mutex.
pub fn acquire(mutex: &Mutex<()>) -> impl Future<Output = Guard<'_>> + Send {
    mutex.lock()
}

/// Compiles only if tasks can use it.
pub fn is_usable(mutex: &Mutex<()>) -> impl Future<Output = Guard<'_>> + Send {
    acquire(mutex)
}
