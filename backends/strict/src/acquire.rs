//! The futures of an acquire.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::error::AcquireError;
use crate::guard::{OwnedStrictGuard, StrictGuard};
use crate::library::Library;
use crate::state::{Asking, Core};

/// A wait for a [`StrictMutex`](crate::StrictMutex), made by [`acquire`](crate::StrictMutex::acquire).
///
/// ```
/// # #[cfg(feature = "tokio")] {
/// # use keyalike_strict::{StrictMutex, TokioSync};
/// let mutex = StrictMutex::<_, TokioSync>::new(());
/// let acquire: keyalike_strict::Acquire<'_, _, _> = mutex.acquire();
/// drop(acquire);
/// assert!(!mutex.is_locked(), "it was never polled");
/// # }
/// ```
#[must_use = "an acquire does nothing unless it is polled"]
pub struct Acquire<'a, T, L: Library> {
    inner: &'a L::Mutex<T>,
    core: &'a Arc<Core>,
    asking: Asking,
}

impl<'a, T, L: Library> Acquire<'a, T, L> {
    pub(crate) fn new(inner: &'a L::Mutex<T>, core: &'a Arc<Core>, asking: Asking) -> Self {
        Self { inner, core, asking }
    }
}

impl<'a, T: 'a, L: Library> Future for Acquire<'a, T, L> {
    type Output = Result<StrictGuard<'a, T, L>, AcquireError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { inner, core, asking } = self.get_mut();
        let (inner, core) = (*inner, *core);
        core.poll(asking, cx, || L::take(inner)).map_ok(|guard| StrictGuard::new(guard, core))
    }
}

impl<T, L: Library> Drop for Acquire<'_, T, L> {
    #[inline]
    fn drop(&mut self) {
        self.core.leave(&mut self.asking);
    }
}

impl<T, L: Library> fmt::Debug for Acquire<'_, T, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquire").finish_non_exhaustive()
    }
}

/// A wait for a [`StrictMutex`](crate::StrictMutex) that keeps it alive, made by
/// [`acquire_owned`](crate::StrictMutex::acquire_owned).
///
/// ```
/// # #[cfg(feature = "tokio")] {
/// # use keyalike_strict::{StrictMutex, TokioSync};
/// let acquire: keyalike_strict::AcquireOwned<_, _> = StrictMutex::<_, TokioSync>::new(()).acquire_owned();
/// # drop(acquire);
/// # }
/// ```
#[must_use = "an acquire does nothing unless it is polled"]
pub struct AcquireOwned<T, L: Library> {
    inner: Arc<L::Mutex<T>>,
    core: Arc<Core>,
    asking: Asking,
}

impl<T, L: Library> AcquireOwned<T, L> {
    pub(crate) fn new(inner: Arc<L::Mutex<T>>, core: Arc<Core>, asking: Asking) -> Self {
        Self { inner, core, asking }
    }
}

impl<T: 'static, L: Library> Future for AcquireOwned<T, L> {
    type Output = Result<OwnedStrictGuard<T, L>, AcquireError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { inner, core, asking } = self.get_mut();
        let polled = core.poll(asking, cx, || L::take_owned(inner));
        polled.map_ok(|guard| OwnedStrictGuard::new(guard, Arc::clone(core)))
    }
}

impl<T, L: Library> Drop for AcquireOwned<T, L> {
    #[inline]
    fn drop(&mut self) {
        self.core.leave(&mut self.asking);
    }
}

impl<T, L: Library> fmt::Debug for AcquireOwned<T, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcquireOwned").finish_non_exhaustive()
    }
}
