//! An async mutex that refuses re-entry at once and says where, the same way on every runtime and over every lock library.

mod acquire;

mod cycle;
mod error;
mod event;
mod guard;
mod library;
mod mutex;
mod place;
mod state;
mod statistics;
mod task;

pub use acquire::{Acquire, AcquireOwned};
pub use error::{AcquireError, Endless, Link, NoTask, Reentrant, TryAcquireError};
pub use guard::{OwnedStrictGuard, StrictGuard};
#[cfg(feature = "async-lock")]
pub use library::AsyncLock;
#[cfg(feature = "futures")]
pub use library::FuturesUtil;
pub use library::Library;
#[cfg(feature = "tokio")]
pub use library::TokioSync;
pub use mutex::{Mode, StrictMutex};
pub use place::Place;
pub use statistics::{Holder, Statistics};
pub use task::{Source, SourceAlreadySet, Task, TaskId, current_task, set_source, task};
