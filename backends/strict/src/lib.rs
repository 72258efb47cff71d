//! An async mutex that refuses re-entry at once and says where, the same way on every runtime and over every lock library.
//!
//! A task that acquires an async mutex which it holds waits for itself, for ever, and nothing tells. With this one it gets an
//! error: `task A already holds this mutex, acquired at src/pool.rs:41:18; release it first or pass the guard`.
//!
//! ```
//! # #[cfg(feature = "tokio")]
//! # poll_once(async {
//! use keyalike_strict::{StrictMutex, TokioSync, task};
//!
//! struct Pool {
//!     free: StrictMutex<Vec<u32>, TokioSync>,
//! }
//!
//! impl Pool {
//!     async fn get(&self) -> Result<Option<u32>, keyalike_strict::AcquireError> {
//!         let mut free = self.free.acquire().await?;
//!         if free.is_empty() {
//!             self.grow().await?; // takes the mutex that is held here
//!         }
//!         Ok(free.pop())
//!     }
//!
//!     async fn grow(&self) -> Result<(), keyalike_strict::AcquireError> {
//!         self.free.acquire().await?.extend([1, 2, 3]);
//!         Ok(())
//!     }
//! }
//!
//! let pool = Pool { free: StrictMutex::default() };
//! let refused = task(pool.get()).named("A").await.expect_err("`get` and `grow` both take it");
//! assert!(refused.to_string().starts_with("task A already holds this mutex, acquired at "));
//! # });
//! # #[cfg(feature = "tokio")] fn poll_once(future: impl Future<Output = ()>) {
//! #     let polled = std::pin::pin!(future).poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
//! #     assert!(polled.is_ready());
//! # }
//! ```
//!
//! # Over which lock, on which runtime
//!
//! The value lies in a mutex of tokio::sync, async-lock or futures-util, which the features `tokio`, `async-lock` and
//! `futures` bring as [`Library`]. That lock alone decides who has the value, so there is no `unsafe` here. The waiters stand
//! in a queue of the strict mutex itself, and a release hands over to the first of them. That is why order, wakes and
//! messages are the same over each library and on each runtime, whatever the library does on its own.
//!
//! # Who asks
//!
//! | where | how its tasks are known | what it costs |
//! |---|---|---|
//! | anywhere: smol, a bare `block_on`, an executor of your own | spawn or block on [`task(future)`](task()) | two writes to a thread-local a poll, no allocation |
//! | spawned on tokio | the feature `tokio-tasks` asks `tokio::task::try_id()` | a read of tokio's thread-local an acquire |
//! | `tokio::runtime::Runtime::block_on`, `#[tokio::main]` | tokio gives them no id: block on `task(future)` | as above |
//! | async-std, also its `block_on` | the feature `async-std-tasks` asks `async_std::task::try_current()` | a clone of an `Arc` an acquire |
//! | a runtime with identities of its own | [`set_source`] | what that function costs |
//! | a thread, in [`acquire_blocking`](StrictMutex::acquire_blocking) | by itself | a thread-local |
//!
//! smol has no identity of tasks, and no waker gives one away: some executors wake several tasks by one waker. So where no
//! task is known, [`acquire`](StrictMutex::acquire) is refused with [`AcquireError::NoTask`], also if the mutex is free: what
//! was forgotten shows at the first acquire of a program and not as a hang of the thousandth. A try needs no task.
//!
//! What one task runs in itself is that task: the branches of a `select!`, the arms of a `join!`, a `FuturesUnordered`. What
//! is wrapped in [`task()`] again is a task of its own. An executor that one task runs inside itself, such as smol's
//! `LocalExecutor`, has tasks of its own only if they are wrapped, or known to their runtime. Async-std knows a task in its
//! polls and not in the drop that ends it early; a `try_acquire` in a destructor is then by nobody. A `block_on` of async-std
//! is a task of its own for it, also within another: there that one waits for a task that cannot go on, and is not refused.
//! While a numbered task of
//! tokio lives, no other has its number; a guard that was forgotten by a task that has ended may meet that number again.
//!
//! # Whose guard
//!
//! A guard belongs to the task that acquired it. [`pass`](StrictGuard::pass) says that it is on its way to another; the first
//! task that uses the value, or [adopts](StrictGuard::adopt) the guard, holds it from then on. A plain move cannot be seen:
//! until the receiver uses the value the sender still counts as the holder, and an acquire of the sender is refused, which is
//! loud, and not hung; an acquire of the receiver is not known to be its second, and waits for itself. So `pass` what is sent,
//! and above all a guard of `()`, which nobody ever uses. A task that only lends its guard by reference to another should use it itself afterwards. Guards are
//! dropped anywhere: in another task, on another thread, outside of both. Abort and panic release as they do on every lock,
//! and poison nothing. A forgotten guard is never released, on any lock; [`StrictMutex::statistics`] says where it was
//! acquired. An interrupted wait leaves the queue and nothing behind: who held still holds, and is told nothing else.
//!
//! # Two futures of one task
//!
//! Where the task holds, every other acquire of it is refused when it is polled, also one that has waited since before. The
//! promise of a release is made to a task: whichever of its futures is polled first takes it, so no task waits behind a
//! future of its own that it does not poll. (It must be woken for that, by the waker of the future which waits longest: a
//! `FuturesUnordered` that is kept and not polled may swallow it.) What a task keeps unpolled may still stand in the way of *others*, as on every
//! mutex that hands over.
//!
//! # Only what could never end
//!
//! [`Mode::EndlessWaits`] refuses less: lawful arms of a `join!` take turns, and only a wait that nothing can end is refused,
//! with the whole cycle of tasks, mutexes and places in the error.
//!
//! # What it costs
//!
//! Acquire and release against the bare lock, polled by hand, medians of 201 pairs of batches in one run on two busy cores
//! (`cargo bench -p keyalike-suites --features backend-all --bench strict`):
//!
//! | locks | case | bare ns | strict ns | strict / bare |
//! |---|---|---|---|---|
//! | tokio::sync | uncontended | 47.8 | 48.1 | 1.01 |
//! | tokio::sync | two tasks in turns | 147.9 | 197.0 | 1.33 |
//! | async-lock | uncontended | 37.2 | 56.0 | 1.51 |
//! | async-lock | two tasks in turns | 131.3 | 205.2 | 1.56 |
//! | futures-util | uncontended | 20.2 | 31.8 | 1.57 |
//! | futures-util | two tasks in turns | 62.5 | 179.8 | 2.89 |
//! | tokio::sync | uncontended, `EndlessWaits` | 47.8 | 144.7 | 3.03 |
//! | async-lock | uncontended, `EndlessWaits` | 37.2 | 152.0 | 4.09 |
//! | futures-util | uncontended, `EndlessWaits` | 20.2 | 128.2 | 6.35 |
//!
//! The quartiles lie within 0.02 of these ratios. futures-util barges: its releaser takes the mutex again before the waiter has
//! run, so that its two tasks hardly ever wait, where a strict mutex hands over each time.
//!
//! The default mode adds no allocation to an acquire; a queue allocates as it grows, and keeps its room. The rest of the
//! price is the thread-local that says who asks, and one atomic write of each release that makes sure that nobody is missed.
//!
//! # See
//!
//! [`StrictMutex::statistics`] tells who holds, since where, and how many wait. With the feature `tracing` each acquire that is
//! refused is an event of level `WARN`, and each wait one of level `TRACE`, of the target `keyalike_strict`. A try that finds
//! the mutex held is no event.

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

/// The examples of the README.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../README.md")]
struct Readme;
