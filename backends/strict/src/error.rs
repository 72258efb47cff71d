//! What a strict mutex says instead of waiting for ever.

use std::error::Error;
use std::fmt;

use crate::place::Place;
use crate::task::Key;

/// An acquire that was refused.
///
/// ```
/// # #[cfg(feature = "futures")]
/// # poll_once(async {
/// use keyalike_strict::{AcquireError, FuturesUtil, StrictMutex, task};
///
/// let mutex = StrictMutex::<_, FuturesUtil>::new(());
/// task(async {
///     let _guard = mutex.acquire().await.expect("it is free");
///     let Err(AcquireError::Reentrant(refused)) = mutex.acquire().await else { panic!("a second guard") };
///     assert_eq!(refused.acquired.map(|place| place.file()), Some(file!()));
/// })
/// .await;
/// # });
/// # #[cfg(feature = "futures")] fn poll_once(future: impl Future<Output = ()>) {
/// #     let polled = std::pin::pin!(future).poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
/// #     assert!(polled.is_ready());
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AcquireError {
    /// The task that asks holds the mutex.
    Reentrant(Reentrant),
    /// The wait could never end: [`Mode::EndlessWaits`](crate::Mode::EndlessWaits).
    Endless(Endless),
    /// Nobody knows which task asks.
    NoTask(NoTask),
}

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AcquireError::Reentrant(refused) => refused.fmt(f),
            AcquireError::Endless(refused) => refused.fmt(f),
            AcquireError::NoTask(refused) => refused.fmt(f),
        }
    }
}

impl Error for AcquireError {}

/// A try that was refused.
///
/// ```
/// # #[cfg(feature = "tokio")] {
/// use keyalike_strict::{StrictMutex, TokioSync, TryAcquireError};
///
/// let mutex = StrictMutex::<_, TokioSync>::new(());
/// let _guard = mutex.try_acquire().expect("it is free");
/// assert_eq!(mutex.try_acquire().unwrap_err(), TryAcquireError::Busy);
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TryAcquireError {
    /// The task that asks holds the mutex. It may try, and a loop of tries would never end.
    Reentrant(Reentrant),
    /// Another task holds the mutex, or has been promised it.
    Busy,
}

impl fmt::Display for TryAcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TryAcquireError::Reentrant(refused) => refused.fmt(f),
            TryAcquireError::Busy => f.write_str("another task holds this mutex or comes before"),
        }
    }
}

impl Error for TryAcquireError {}

/// A task asked for a mutex that it holds.
///
/// ```
/// # #[cfg(feature = "tokio")] {
/// use keyalike_strict::{StrictMutex, TokioSync, TryAcquireError};
///
/// let mutex = StrictMutex::<_, TokioSync>::new(());
/// let _guard = mutex.acquire_blocking().expect("it is free");
/// let Err(TryAcquireError::Busy) = mutex.try_acquire() else { panic!("a thread is no task") };
/// let refused = mutex.acquire_blocking().unwrap_err().to_string();
/// assert!(refused.contains("already holds this mutex, acquired at "), "{refused}");
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reentrant {
    /// What messages call the task: `task A`, or `task 7` if it has no name.
    pub task: String,
    /// Where it acquired the mutex.
    pub acquired: Option<Place>,
}

impl Reentrant {
    pub(crate) fn new(task: Key, acquired: Option<Place>) -> Self {
        Self { task: task.describe(), acquired }
    }
}

impl fmt::Display for Reentrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} already holds this mutex, acquired at {}", self.task, At(self.acquired))?;
        f.write_str("; release it first or pass the guard")
    }
}

impl fmt::Debug for Reentrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.task, At(self.acquired))
    }
}

impl Error for Reentrant {}

/// A wait that could never end, with everybody whom it waits for.
///
/// ```
/// # #[cfg(feature = "tokio")] {
/// use keyalike_strict::{AcquireError, Mode, StrictMutex, TokioSync};
///
/// let mutex = StrictMutex::<_, TokioSync>::with_mode((), Mode::EndlessWaits);
/// let _guard = mutex.acquire_blocking().expect("it is free");
/// let Err(AcquireError::Endless(refused)) = mutex.acquire_blocking() else { panic!("it is held here") };
/// assert_eq!(refused.cycle.len(), 1, "this thread waits for itself");
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endless {
    /// Who waits for whom, from the wait that was refused on. The holder of the last link is a task of an earlier one.
    pub cycle: Vec<Link>,
}

impl fmt::Display for Endless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this wait could never end: ")?;
        for (index, link) in self.cycle.iter().enumerate() {
            write!(f, "{}{link}", if index == 0 { "" } else { "; " })?;
        }
        f.write_str("; release one of them first or pass the guard")
    }
}

impl Error for Endless {}

/// One task of a cycle: what it waits for, and who holds that.
///
/// ```
/// # #[cfg(feature = "tokio")] {
/// use keyalike_strict::{AcquireError, Mode, StrictMutex, TokioSync};
///
/// let mutex = StrictMutex::<_, TokioSync>::with_mode((), Mode::EndlessWaits);
/// let _guard = mutex.acquire_blocking().expect("it is free");
/// let Err(AcquireError::Endless(refused)) = mutex.acquire_blocking() else { panic!("it is held here") };
/// let link: &keyalike_strict::Link = &refused.cycle[0];
/// assert_eq!(link.task, link.holder);
/// assert_ne!(link.asked, link.acquired);
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Link {
    /// What messages call the task that waits.
    pub task: String,
    /// Where it asked.
    pub asked: Option<Place>,
    /// What messages call the task that holds.
    pub holder: String,
    /// Where that one acquired.
    pub acquired: Option<Place>,
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { task, asked, holder, acquired } = self;
        write!(f, "{task} waits at {} for the mutex that {holder} acquired at {}", At(*asked), At(*acquired))
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An acquire where no task is known.
///
/// It is refused also if the mutex is free: a program that forgot to say what its tasks are learns it from its first
/// acquire, and not from the one in a thousand that would have hung.
///
/// ```
/// # #[cfg(feature = "async-lock")] {
/// use keyalike_strict::{AsyncLock, StrictMutex};
///
/// let mutex = StrictMutex::<_, AsyncLock>::new(());
/// let mut acquire = std::pin::pin!(mutex.acquire());
/// let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
/// let std::task::Poll::Ready(Err(refused)) = acquire.as_mut().poll(&mut cx) else { panic!("nobody asks") };
/// assert!(refused.to_string().contains("keyalike_strict::task"));
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NoTask {
    /// Where somebody asked.
    pub asked: Option<Place>,
    /// Whether there is a task, but none that is watched, as the mode of this mutex needs it.
    pub only_unwatched: bool,
}

impl fmt::Display for NoTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = At(self.asked);
        match self.only_unwatched {
            false => write!(f, "no task is known at {at}; spawn or block on `keyalike_strict::task(future)`"),
            true => write!(
                f,
                "the task at {at} is not watched, so nobody knows whether a wait of it could end; spawn or block on \
                 `keyalike_strict::task(future).watched()`"
            ),
        }
    }
}

impl fmt::Debug for NoTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", At(self.asked))
    }
}

impl Error for NoTask {}

/// Prints a place, if it is known.
struct At(Option<Place>);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(place) => place.fmt(f),
            None => f.write_str("a place unknown"),
        }
    }
}
