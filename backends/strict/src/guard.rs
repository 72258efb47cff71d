//! Guards: access to the value, release on drop, and whose they are.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use crate::library::Library;
use crate::state::Core;
use crate::task::current;

macro_rules! guard {
    ($(#[$doc:meta])* $name:ident<$($lifetime:lifetime,)? T> { guard: $guard:ty, core: $core:ty } where $($bound:tt)*) => {
        $(#[$doc])*
        #[must_use = "a guard that is dropped at once releases at once"]
        pub struct $name<$($lifetime,)? T: $($bound)*, L: Library> {
            // Only the drop takes it out.
            guard: Option<$guard>,
            core: $core,
        }

        impl<$($lifetime,)? T: $($bound)*, L: Library> $name<$($lifetime,)? T, L> {
            #[inline]
            pub(crate) fn new(guard: $guard, core: $core) -> Self {
                Self { guard: Some(guard), core }
            }

            /// Says that the guard is on its way to another task: until that one uses or [adopts](Self::adopt) it, nobody
            /// is its holder, and who passed it may ask for the mutex and wait.
            ///
            /// A guard that is only moved still belongs to who acquired it, because a move is nothing that a mutex can see.
            ///
            /// ```
            /// # #[cfg(feature = "tokio")] {
            #[doc = concat!("use keyalike_strict::{", stringify!($name), ", StrictMutex, TokioSync};")]
            ///
            /// let mutex = StrictMutex::<_, TokioSync>::new(7);
            #[doc = concat!("let mut guard = mutex.", guard!(@acquire $name), "().expect(\"it is free\");")]
            #[doc = concat!(stringify!($name), "::pass(&mut guard);")]
            /// assert_eq!(mutex.statistics().holder.and_then(|holder| holder.task), None);
            /// std::thread::scope(|scope| {
            ///     scope.spawn(move || assert_eq!(*guard, 7));
            /// });
            /// # }
            /// ```
            pub fn pass(guard: &mut Self) {
                guard.core.hand_over(None);
            }

            /// Makes the task that runs on this thread the holder. Using the value does so too.
            ///
            /// ```
            /// # #[cfg(feature = "tokio")]
            /// # poll_once(async {
            #[doc = concat!("use keyalike_strict::{", stringify!($name), ", StrictMutex, TokioSync, current_task, task};")]
            ///
            /// let mutex = StrictMutex::<_, TokioSync>::new(7);
            #[doc = concat!("let mut guard = mutex.", guard!(@acquire $name), "().expect(\"it is free\");")]
            /// task(async {
            #[doc = concat!("    ", stringify!($name), "::adopt(&mut guard);")]
            ///     assert_eq!(mutex.statistics().holder.and_then(|holder| holder.task), current_task());
            /// })
            /// .await;
            /// # });
            /// # #[cfg(feature = "tokio")] fn poll_once(future: impl Future<Output = ()>) {
            /// #     let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            /// #     assert!(std::pin::pin!(future).poll(&mut cx).is_ready());
            /// # }
            /// ```
            #[inline]
            pub fn adopt(guard: &mut Self) {
                guard.is_used();
            }

            /// Whoever uses the value holds the guard, wherever it was moved from. Where no task is known, nothing changes.
            #[inline]
            fn is_used(&self) {
                if let Some(key) = current() {
                    self.core.hand_over(Some(key));
                }
            }
        }

        impl<$($lifetime,)? T: $($bound)*, L: Library> Deref for $name<$($lifetime,)? T, L> {
            type Target = T;

            #[inline]
            fn deref(&self) -> &T {
                self.is_used();
                self.guard.as_ref().expect("only the drop takes it out")
            }
        }

        impl<$($lifetime,)? T: $($bound)*, L: Library> DerefMut for $name<$($lifetime,)? T, L> {
            #[inline]
            fn deref_mut(&mut self) -> &mut T {
                self.is_used();
                self.guard.as_mut().expect("only the drop takes it out")
            }
        }

        impl<$($lifetime,)? T: $($bound)*, L: Library> Drop for $name<$($lifetime,)? T, L> {
            #[inline]
            fn drop(&mut self) {
                let guard = self.guard.take();
                self.core.release(guard!(@is_owned $name), || drop(guard));
            }
        }

        impl<$($lifetime,)? T: fmt::Debug + $($bound)*, L: Library> fmt::Debug for $name<$($lifetime,)? T, L> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.guard.as_deref().expect("only the drop takes it out"), f)
            }
        }

        impl<$($lifetime,)? T: fmt::Display + $($bound)*, L: Library> fmt::Display for $name<$($lifetime,)? T, L> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self.guard.as_deref().expect("only the drop takes it out"), f)
            }
        }
    };
    (@acquire StrictGuard) => { "try_acquire" };
    (@acquire OwnedStrictGuard) => { "try_acquire_owned" };
    (@is_owned StrictGuard) => { false };
    (@is_owned OwnedStrictGuard) => { true };
}

guard! {
    /// Access to the value of a [`StrictMutex`](crate::StrictMutex), until it is dropped.
    ///
    /// It can be dropped in any task, on any thread and outside of both. Its holder is the task that acquired it, or the
    /// one that used or [adopted](Self::adopt) it last.
    ///
    /// ```
    /// # #[cfg(feature = "tokio")] {
    /// # use keyalike_strict::{StrictMutex, TokioSync};
    /// let mutex = StrictMutex::<_, TokioSync>::new(7);
    /// let mut guard: keyalike_strict::StrictGuard<'_, _, _> = mutex.try_acquire().expect("it is free");
    /// *guard += 1;
    /// assert_eq!(*guard, 8);
    /// # }
    /// ```
    StrictGuard<'a, T> { guard: L::Guard<'a, T>, core: &'a Arc<Core> } where 'a
}

guard! {
    /// Access to the value of a [`StrictMutex`](crate::StrictMutex) that keeps it alive by itself, until it is dropped.
    ///
    /// It can be dropped in any task, on any thread and outside of both. Its holder is the task that acquired it, or the
    /// one that used or [adopted](Self::adopt) it last.
    ///
    /// ```
    /// # #[cfg(feature = "tokio")] {
    /// # use keyalike_strict::{OwnedStrictGuard, StrictMutex, TokioSync};
    /// let guard: OwnedStrictGuard<_, _> = StrictMutex::<_, TokioSync>::new(7).try_acquire_owned().expect("it is free");
    /// assert_eq!(*guard, 7);
    /// # }
    /// ```
    OwnedStrictGuard<T> { guard: L::OwnedGuard<T>, core: Arc<Core> } where 'static
}
