//! The lock of the first releases of smol, which is shared by cloning it and whose guards own their share.

pub use smol::lock::Lock as Mutex;

/// A guard. It borrows nothing.
pub type Guard<'a> = smol::lock::LockGuard<()>;

/// Waits for the lock.
pub fn acquire(mutex: &Mutex<()>) -> impl Future<Output = Guard<'_>> + Send {
    mutex.lock()
}

/// Compiles only if tasks can use it.
pub fn is_usable(mutex: &Mutex<()>) -> impl Future<Output = Guard<'_>> + Send {
    acquire(mutex)
}
