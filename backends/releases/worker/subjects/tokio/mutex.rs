//! The mutex of tokio.

pub use tokio::sync::Mutex;

/// A guard that borrows the mutex.
pub type Guard<'a> = tokio::sync::MutexGuard<'a, ()>;

/// Waits for the mutex.
pub async fn acquire(mutex: &Mutex<()>) -> Guard<'_> {
    mutex.lock().await
}

/// Compiles only if tasks can use it.
pub fn is_usable(mutex: &Mutex<()>) -> impl Future<Output = Guard<'_>> + Send {
    acquire(mutex)
}
