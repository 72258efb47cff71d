//! What can be asked of a strict mutex without taking it.

use std::fmt;

use crate::place::{self, Place};
use crate::state::Holding;
use crate::task::{Key, TaskId};

/// What a mutex was like a moment ago, in the spirit of AnyIO's `Lock.statistics()`.
///
/// ```
/// # #[cfg(feature = "tokio")] {
/// # use keyalike_strict::{StrictMutex, TokioSync};
/// let statistics = StrictMutex::<_, TokioSync>::new(()).statistics();
/// assert!(!statistics.locked && statistics.holder.is_none() && statistics.waiters == 0);
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Whether somebody holds it or has been promised it.
    pub locked: bool,
    /// Who holds it.
    pub holder: Option<Holder>,
    /// How many operations wait for it. One that is about to find it free may be among them for a moment.
    pub waiters: usize,
}

/// Who holds a mutex, and since where.
///
/// ```
/// # #[cfg(feature = "tokio")] {
/// # use keyalike_strict::{StrictMutex, TokioSync};
/// let mutex = StrictMutex::<_, TokioSync>::new(());
/// let _guard = mutex.try_acquire();
/// let holder = mutex.statistics().holder.expect("there is a guard");
/// assert_eq!(holder.task, None, "a try needs no task");
/// assert!(holder.acquired.is_some());
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// Its task; `None` if it took the mutex by a try where no task is known, or has passed the guard on.
    pub task: Option<TaskId>,
    /// The name of that task, if it has one and lives.
    pub name: Option<String>,
    /// Where it acquired; `None` if more than 65,534 places of the program have acquired something before it.
    pub acquired: Option<Place>,
    key: Key,
}

impl Holder {
    pub(crate) fn new(held: Holding) -> Self {
        let task = held.key.task();
        Self { task, name: task.and_then(TaskId::name), acquired: place::find(held.place), key: held.key }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key.describe())?;
        self.acquired.map_or(Ok(()), |place| write!(f, ", acquired at {place}"))
    }
}
