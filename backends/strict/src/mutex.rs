//! The strict mutex itself: acquire, try, blocking acquire, and what can be asked of it.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use crate::acquire::{Acquire, AcquireOwned};
use crate::cycle::Blocked;
use crate::error::{AcquireError, TryAcquireError};
use crate::guard::{OwnedStrictGuard, StrictGuard};
use crate::library::Library;
use crate::place::Place;
use crate::state::{Asking, Core};
use crate::statistics::{Holder, Statistics};
use crate::task::current_or_thread;

/// When a strict mutex refuses an acquire.
///
/// ```
/// assert_eq!(keyalike_strict::Mode::default(), keyalike_strict::Mode::EveryReentry);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mode {
    /// Whenever the task that asks holds the mutex. Needs [`task`](crate::task()) or a runtime that is asked, costs no
    /// allocation and no lock of the whole program, and also refuses where one arm of a `join!` holds the mutex and
    /// another asks, although the first might release it.
    #[default]
    EveryReentry,
    /// Only when the wait could never end: the task waits for itself, or for others that wait for it, over any number of
    /// mutexes of this mode. The error names them all, with their places.
    ///
    /// A wait counts as endless when nothing can wake its task any more but mutexes of this mode which are held by tasks
    /// of which the same is true. That is known exactly, not guessed from time: the wakers of a task are counted. So the
    /// arms of a `join!` may take turns, and a `select!` with a timer waits for its timer. An end from outside the task,
    /// such as an abort, is not counted on.
    ///
    /// It needs [`Task::watched`](crate::Task::watched), and each acquire, wait and release takes a lock of the whole
    /// program. What it cannot see it takes for a way out, and waits: a waker that something holds and never uses, a
    /// mutex of the other mode, a guard that was forgotten.
    ///
    /// ```
    /// # #[cfg(feature = "tokio")] {
    /// use keyalike_strict::{AcquireError, Mode, StrictMutex, TokioSync};
    /// use std::sync::Barrier;
    ///
    /// let left = StrictMutex::<_, TokioSync>::with_mode((), Mode::EndlessWaits);
    /// let right = StrictMutex::<_, TokioSync>::with_mode((), Mode::EndlessWaits);
    /// let both_hold = Barrier::new(2);
    /// let take = |first: &StrictMutex<(), TokioSync>, second: &StrictMutex<(), TokioSync>| {
    ///     let _first = first.acquire_blocking().expect("it is free");
    ///     both_hold.wait();
    ///     second.acquire_blocking().map(drop)
    /// };
    /// let ends = std::thread::scope(|scope| {
    ///     let other = scope.spawn(|| take(&right, &left));
    ///     [take(&left, &right), other.join().expect("it does not panic")]
    /// });
    /// // Whoever closes the cycle is told; then he releases, and the other one gets what he waits for.
    /// let ([Err(AcquireError::Endless(refused)), Ok(())] | [Ok(()), Err(AcquireError::Endless(refused))]) = &ends else {
    ///     panic!("{ends:?}");
    /// };
    /// assert_eq!(refused.cycle.len(), 2);
    /// assert_eq!(refused.cycle[0].holder, refused.cycle[1].task);
    /// # }
    /// ```
    EndlessWaits,
}

/// An async mutex over the lock library `L` that gives an error instead of a wait for oneself.
///
/// The value lies in a mutex of `L`. The waiters stand in a queue of the strict mutex itself, which hands over in the
/// order of arrival, so it behaves the same over every library and on every runtime. A panic of the holder releases and
/// poisons nothing.
///
/// ```
/// # #[cfg(feature = "tokio")]
/// # poll_once(async {
/// use keyalike_strict::{StrictMutex, TokioSync, task};
///
/// let balance = StrictMutex::<u32, TokioSync>::new(1);
/// task(async {
///     *balance.acquire().await? += 41;
///     assert_eq!(*balance.acquire().await?, 42);
///     Ok::<_, keyalike_strict::AcquireError>(())
/// })
/// .await
/// .expect("each guard is dropped before the next acquire");
/// # });
/// # #[cfg(feature = "tokio")] fn poll_once(future: impl Future<Output = ()>) {
/// #     let polled = std::pin::pin!(future).poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
/// #     assert!(polled.is_ready());
/// # }
/// ```
pub struct StrictMutex<T, L: Library> {
    inner: Arc<L::Mutex<T>>,
    core: Arc<Core>,
}

impl<T, L: Library> StrictMutex<T, L> {
    /// Makes a free mutex of the default mode, [`Mode::EveryReentry`].
    ///
    /// ```
    /// # #[cfg(feature = "tokio")] {
    /// use keyalike_strict::{Mode, StrictMutex, TokioSync};
    ///
    /// assert_eq!(StrictMutex::<_, TokioSync>::new(7).mode(), Mode::EveryReentry);
    /// # }
    /// ```
    pub fn new(value: T) -> Self {
        Self::with_mode(value, Mode::default())
    }

    /// Makes a free mutex.
    ///
    /// ```
    /// # #[cfg(feature = "tokio")] {
    /// use keyalike_strict::{Mode, StrictMutex, TokioSync};
    ///
    /// assert_eq!(StrictMutex::<_, TokioSync>::with_mode(7, Mode::EndlessWaits).mode(), Mode::EndlessWaits);
    /// # }
    /// ```
    pub fn with_mode(value: T, mode: Mode) -> Self {
        Self { inner: Arc::new(L::new(value)), core: Arc::new(Core::new(mode)) }
    }

    #[cfg(all(test, feature = "tokio"))]
    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Returns when it refuses.
    ///
    /// ```
    /// # #[cfg(feature = "tokio")] {
    /// # use keyalike_strict::{Mode, StrictMutex, TokioSync};
    /// assert_eq!(StrictMutex::<_, TokioSync>::new(7).mode(), Mode::EveryReentry);
    /// # }
    /// ```
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.core.mode()
    }

    /// Waits for the mutex, or says why that wait must not be. The place of the call is what messages name.
    ///
    /// Whose acquire it is shows at each poll: it is that of the task that polls. Dropping the future leaves the queue; if
    /// the mutex was promised to it already, it goes to the next one.
    ///
    /// # Errors
    ///
    /// The future gives [`AcquireError::Reentrant`] in [`Mode::EveryReentry`] if the task that polls holds the mutex,
    /// [`AcquireError::Endless`] in [`Mode::EndlessWaits`] if the wait could never end, and [`AcquireError::NoTask`] if
    /// the task that polls is not known, or not watched in a mode that needs it.
    ///
    /// ```
    /// # #[cfg(feature = "async-lock")]
    /// # poll_once(async {
    /// use keyalike_strict::{AsyncLock, StrictMutex, task};
    ///
    /// let mutex = StrictMutex::<_, AsyncLock>::new(vec![1]);
    /// let guard = task(mutex.acquire()).await.expect("it is free");
    /// assert_eq!(*guard, [1]);
    /// # });
    /// # #[cfg(feature = "async-lock")] fn poll_once(future: impl Future<Output = ()>) {
    /// #     let polled = std::pin::pin!(future).poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
    /// #     assert!(polled.is_ready());
    /// # }
    /// ```
    #[track_caller]
    pub fn acquire(&self) -> Acquire<'_, T, L> {
        Acquire::new(&*self.inner, &self.core, Asking::new(Location::caller()))
    }

    /// The same as [`StrictMutex::acquire`], with a guard that keeps the mutex alive by itself.
    ///
    /// # Errors
    ///
    /// As [`StrictMutex::acquire`].
    ///
    /// ```
    /// # #[cfg(feature = "futures")]
    /// # poll_once(async {
    /// use keyalike_strict::{FuturesUtil, StrictMutex, task};
    ///
    /// let mutex = StrictMutex::<_, FuturesUtil>::new(7);
    /// let guard = task(mutex.acquire_owned()).await.expect("it is free");
    /// drop(mutex);
    /// assert_eq!(*guard, 7);
    /// # });
    /// # #[cfg(feature = "futures")] fn poll_once(future: impl Future<Output = ()>) {
    /// #     let polled = std::pin::pin!(future).poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
    /// #     assert!(polled.is_ready());
    /// # }
    /// ```
    #[track_caller]
    pub fn acquire_owned(&self) -> AcquireOwned<T, L>
    where
        T: 'static,
    {
        AcquireOwned::new(Arc::clone(&self.inner), Arc::clone(&self.core), Asking::new(Location::caller()))
    }

    /// Takes the mutex if that needs no waiting. Where no task is known, nobody is noted as its holder.
    ///
    /// # Errors
    ///
    /// [`TryAcquireError::Reentrant`] if the task that asks holds the mutex, [`TryAcquireError::Busy`] if another one
    /// does or comes before.
    ///
    /// ```
    /// # #[cfg(feature = "tokio")] {
    /// # use keyalike_strict::{StrictMutex, TokioSync};
    /// let mutex = StrictMutex::<_, TokioSync>::new(7);
    /// let guard = mutex.try_acquire().expect("it is free");
    /// assert!(mutex.try_acquire().is_err());
    /// # drop(guard);
    /// # }
    /// ```
    #[track_caller]
    pub fn try_acquire(&self) -> Result<StrictGuard<'_, T, L>, TryAcquireError> {
        let guard = self.core.try_acquire(Location::caller(), || L::take(&self.inner))?;
        Ok(StrictGuard::new(guard, &self.core))
    }

    /// The same as [`StrictMutex::try_acquire`], with a guard that keeps the mutex alive by itself.
    ///
    /// # Errors
    ///
    /// As [`StrictMutex::try_acquire`].
    ///
    /// ```
    /// # #[cfg(feature = "tokio")] {
    /// # use keyalike_strict::{StrictMutex, TokioSync};
    /// let guard = StrictMutex::<_, TokioSync>::new(7).try_acquire_owned().expect("it is free");
    /// assert_eq!(*guard, 7);
    /// # }
    /// ```
    #[track_caller]
    pub fn try_acquire_owned(&self) -> Result<OwnedStrictGuard<T, L>, TryAcquireError>
    where
        T: 'static,
    {
        let guard = self.core.try_acquire(Location::caller(), || L::take_owned(&self.inner))?;
        Ok(OwnedStrictGuard::new(guard, Arc::clone(&self.core)))
    }

    /// Waits for the mutex and blocks the calling thread meanwhile. It asks for the task that runs on the thread, and
    /// where none is known for the thread itself.
    ///
    /// # Errors
    ///
    /// As [`StrictMutex::acquire`]; a thread that asks for itself needs no [`task`](crate::task()).
    ///
    /// ```
    /// # #[cfg(feature = "tokio")] {
    /// # use keyalike_strict::{StrictMutex, TokioSync};
    /// let mutex = StrictMutex::<_, TokioSync>::new(7);
    /// assert_eq!(*mutex.acquire_blocking().expect("it is free"), 7);
    /// # }
    /// ```
    #[track_caller]
    pub fn acquire_blocking(&self) -> Result<StrictGuard<'_, T, L>, AcquireError> {
        let guard = block(&self.core, Location::caller(), || L::take(&self.inner))?;
        Ok(StrictGuard::new(guard, &self.core))
    }

    /// The same as [`StrictMutex::acquire_blocking`], with a guard that keeps the mutex alive by itself.
    ///
    /// # Errors
    ///
    /// As [`StrictMutex::acquire_blocking`].
    ///
    /// ```
    /// # #[cfg(feature = "tokio")] {
    /// # use keyalike_strict::{StrictMutex, TokioSync};
    /// let guard = StrictMutex::<_, TokioSync>::new(7).acquire_blocking_owned().expect("it is free");
    /// assert_eq!(*guard, 7);
    /// # }
    /// ```
    #[track_caller]
    pub fn acquire_blocking_owned(&self) -> Result<OwnedStrictGuard<T, L>, AcquireError>
    where
        T: 'static,
    {
        let guard = block(&self.core, Location::caller(), || L::take_owned(&self.inner))?;
        Ok(OwnedStrictGuard::new(guard, Arc::clone(&self.core)))
    }

    /// Returns whether somebody holds the mutex or has been promised it: whether a try would be refused.
    ///
    /// It tells what was true a moment ago. To ask it before an acquire is no remedy against re-entry: it says yes of
    /// others too, and they come between the answer and the acquire.
    ///
    /// ```
    /// # #[cfg(feature = "tokio")] {
    /// # use keyalike_strict::{StrictMutex, TokioSync};
    /// let mutex = StrictMutex::<_, TokioSync>::new(7);
    /// let guard = mutex.try_acquire();
    /// assert!(mutex.is_locked());
    /// drop(guard);
    /// assert!(!mutex.is_locked());
    /// # }
    /// ```
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.statistics().locked
    }

    /// Returns who holds, since where, and how many wait. It takes no lock that an acquire waits for.
    ///
    /// ```
    /// # #[cfg(feature = "tokio")] {
    /// # use keyalike_strict::{StrictMutex, TokioSync};
    /// let mutex = StrictMutex::<_, TokioSync>::new(7);
    /// let _guard = mutex.acquire_blocking();
    /// let statistics = mutex.statistics();
    /// let holder = statistics.holder.expect("this thread holds");
    /// assert_eq!((statistics.locked, statistics.waiters), (true, 0));
    /// assert_eq!(holder.acquired.map(|place| place.file()), Some(file!()));
    /// # }
    /// ```
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let holder = self.core.holding().map(Holder::new);
        let waiters = self.core.waiting();
        Statistics { locked: holder.is_some() || waiters > 0, holder, waiters }
    }

    /// Returns the value, which nobody else can reach, unless an owned guard or future of the mutex is still about.
    ///
    /// ```
    /// # #[cfg(feature = "tokio")] {
    /// # use keyalike_strict::{StrictMutex, TokioSync};
    /// let mut mutex = StrictMutex::<_, TokioSync>::new(7);
    /// *mutex.get_mut().expect("there is no owned guard") += 1;
    /// let _guard = mutex.try_acquire_owned();
    /// assert!(mutex.get_mut().is_none());
    /// # }
    /// ```
    pub fn get_mut(&mut self) -> Option<&mut T> {
        Arc::get_mut(&mut self.inner).map(L::get_mut)
    }

    /// Gives up the mutex and returns the value.
    ///
    /// # Errors
    ///
    /// The mutex itself, if an owned guard or future of it is still about.
    ///
    /// ```
    /// # #[cfg(feature = "tokio")] {
    /// # use keyalike_strict::{StrictMutex, TokioSync};
    /// assert_eq!(StrictMutex::<_, TokioSync>::new(7).into_inner().expect("there is no owned guard"), 7);
    /// # }
    /// ```
    pub fn into_inner(self) -> Result<T, Self> {
        let Self { inner, core } = self;
        Arc::try_unwrap(inner).map(L::into_inner).map_err(|inner| Self { inner, core })
    }
}

impl<T: Default, L: Library> Default for StrictMutex<T, L> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T, L: Library> From<T> for StrictMutex<T, L> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T, L: Library> fmt::Debug for StrictMutex<T, L> {
    /// Prints the statistics, and never the value: that would need the mutex.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Statistics { locked, holder, waiters } = self.statistics();
        let mut print = f.debug_struct("StrictMutex");
        print.field("locked", &locked);
        if let Some(holder) = holder {
            print.field("holder", &format_args!("{holder}"));
        }
        print.field("waiters", &waiters).finish_non_exhaustive()
    }
}

/// Wakes a blocked thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// An acquire that leaves the queue when it is dropped, also by a panic.
struct Blocking<'a> {
    core: &'a Arc<Core>,
    asking: Asking,
}

impl Drop for Blocking<'_> {
    fn drop(&mut self) {
        self.core.leave(&mut self.asking);
    }
}

/// Waits for the mutex and blocks the calling thread meanwhile.
fn block<G>(core: &Arc<Core>, place: Place, take: impl Fn() -> Option<G>) -> Result<G, AcquireError> {
    let key = current_or_thread();
    let blocked = (core.mode() == Mode::EndlessWaits).then(|| Blocked::new(key));
    let mut blocking = Blocking { core, asking: Asking::blocking(place) };
    let mut poll = |waker: &Waker| core.poll_by(key, &mut blocking.asking, &mut Context::from_waker(waker), &take);
    // A free mutex needs no waker, which would cost an allocation.
    if let Poll::Ready(reply) = poll(Waker::noop()) {
        return reply;
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        if let Poll::Ready(reply) = poll(&waker) {
            return reply;
        }
        if !blocked.as_ref().is_some_and(Blocked::judge) {
            std::thread::park();
        }
    }
}
