//! The lock libraries that a strict mutex can stand on: which mutex holds its value, and how a free one is taken.
//!
//! A strict mutex keeps its waiters itself, so nothing ever waits inside the library's own lock.

use std::ops::DerefMut;
use std::sync::Arc;

mod sealed {
    pub trait Sealed {}
}

/// A lock library. Its mutex holds the value of a [`StrictMutex`](crate::StrictMutex), and its guard gives access to it.
///
/// The markers that implement it are behind the features of the same name: `TokioSync` (`tokio`), `AsyncLock`
/// (`async-lock`) and `FuturesUtil` (`futures`). Nothing else can: what a strict mutex promises was tested on these.
///
/// ```
/// # #[cfg(feature = "tokio")] {
/// use keyalike_strict::{Library, StrictMutex, TokioSync};
///
/// fn counter<L: Library>() -> StrictMutex<u32, L> {
///     StrictMutex::new(0)
/// }
/// let mutex = counter::<TokioSync>();
/// assert!(!mutex.is_locked());
/// # }
/// ```
pub trait Library: sealed::Sealed + 'static {
    /// The library's mutex.
    type Mutex<T>;
    /// The library's guard that borrows the mutex.
    type Guard<'a, T: 'a>: DerefMut<Target = T>;
    /// The library's guard that owns its share of the mutex.
    type OwnedGuard<T: 'static>: DerefMut<Target = T>;

    #[doc(hidden)]
    fn new<T>(value: T) -> Self::Mutex<T>;

    /// Takes a free mutex.
    #[doc(hidden)]
    fn take<T>(mutex: &Self::Mutex<T>) -> Option<Self::Guard<'_, T>>;

    /// Takes a free mutex, and a share of it.
    #[doc(hidden)]
    fn take_owned<T: 'static>(mutex: &Arc<Self::Mutex<T>>) -> Option<Self::OwnedGuard<T>>;

    #[doc(hidden)]
    fn get_mut<T>(mutex: &mut Self::Mutex<T>) -> &mut T;

    #[doc(hidden)]
    fn into_inner<T>(mutex: Self::Mutex<T>) -> T;
}

/// `tokio::sync`.
#[cfg(feature = "tokio")]
#[derive(Debug)]
pub enum TokioSync {}

#[cfg(feature = "tokio")]
impl sealed::Sealed for TokioSync {}

#[cfg(feature = "tokio")]
impl Library for TokioSync {
    type Mutex<T> = tokio::sync::Mutex<T>;
    type Guard<'a, T: 'a> = tokio::sync::MutexGuard<'a, T>;
    type OwnedGuard<T: 'static> = tokio::sync::OwnedMutexGuard<T>;

    fn new<T>(value: T) -> Self::Mutex<T> {
        tokio::sync::Mutex::new(value)
    }

    fn take<T>(mutex: &Self::Mutex<T>) -> Option<Self::Guard<'_, T>> {
        mutex.try_lock().ok()
    }

    fn take_owned<T: 'static>(mutex: &Arc<Self::Mutex<T>>) -> Option<Self::OwnedGuard<T>> {
        Arc::clone(mutex).try_lock_owned().ok()
    }

    fn get_mut<T>(mutex: &mut Self::Mutex<T>) -> &mut T {
        mutex.get_mut()
    }

    fn into_inner<T>(mutex: Self::Mutex<T>) -> T {
        mutex.into_inner()
    }
}

/// async-lock, which smol and async-std re-export as their own.
#[cfg(feature = "async-lock")]
#[derive(Debug)]
pub enum AsyncLock {}

#[cfg(feature = "async-lock")]
impl sealed::Sealed for AsyncLock {}

#[cfg(feature = "async-lock")]
impl Library for AsyncLock {
    type Mutex<T> = async_lock::Mutex<T>;
    type Guard<'a, T: 'a> = async_lock::MutexGuard<'a, T>;
    type OwnedGuard<T: 'static> = async_lock::MutexGuardArc<T>;

    fn new<T>(value: T) -> Self::Mutex<T> {
        async_lock::Mutex::new(value)
    }

    fn take<T>(mutex: &Self::Mutex<T>) -> Option<Self::Guard<'_, T>> {
        mutex.try_lock()
    }

    fn take_owned<T: 'static>(mutex: &Arc<Self::Mutex<T>>) -> Option<Self::OwnedGuard<T>> {
        mutex.try_lock_arc()
    }

    fn get_mut<T>(mutex: &mut Self::Mutex<T>) -> &mut T {
        mutex.get_mut()
    }

    fn into_inner<T>(mutex: Self::Mutex<T>) -> T {
        mutex.into_inner()
    }
}

/// futures-util.
#[cfg(feature = "futures")]
#[derive(Debug)]
pub enum FuturesUtil {}

#[cfg(feature = "futures")]
impl sealed::Sealed for FuturesUtil {}

#[cfg(feature = "futures")]
impl Library for FuturesUtil {
    type Mutex<T> = futures_util::lock::Mutex<T>;
    type Guard<'a, T: 'a> = futures_util::lock::MutexGuard<'a, T>;
    type OwnedGuard<T: 'static> = futures_util::lock::OwnedMutexGuard<T>;

    fn new<T>(value: T) -> Self::Mutex<T> {
        futures_util::lock::Mutex::new(value)
    }

    fn take<T>(mutex: &Self::Mutex<T>) -> Option<Self::Guard<'_, T>> {
        mutex.try_lock()
    }

    fn take_owned<T: 'static>(mutex: &Arc<Self::Mutex<T>>) -> Option<Self::OwnedGuard<T>> {
        mutex.try_lock_owned()
    }

    fn get_mut<T>(mutex: &mut Self::Mutex<T>) -> &mut T {
        mutex.get_mut()
    }

    fn into_inner<T>(mutex: Self::Mutex<T>) -> T {
        mutex.into_inner()
    }
}
