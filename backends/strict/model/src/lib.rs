//! Runs the queue of the strict mutex under loom, and shows that each of its known mutations is caught.
//!
//! # Method
//!
//! The subject is the source of `backends/strict/src` itself, above all `state.rs`. The strict mutex has no `cfg` for this:
//! the build script copies its files, puts loom's atomics and mutexes in the place of std's, and compiles the copy here.
//! It writes one more copy for each known mutation, textual replacements that must match exactly once. If the queue
//! changes so that a replacement no longer matches, this crate does not build, so a mutation cannot go stale.
//!
//! In a [model](models) each thread is a task that polls, and is woken by its waker. The lock library below is one flag, as
//! weak as a lock may be. What the mutex guards is plain data that loom tracks, so two holders are a data race, and a wake
//! that is lost is a deadlock. Each model must hold on the faithful copy in every execution in which threads stand back at
//! most as often as its bound says, and each mutation must make those models fail that its row names.
//!
//! # What there is to prove
//!
//! Most of the queue is plain data under one mutex, which loom could not say much about. Beside it stand two atomics that
//! are used without it, so that an acquire nobody contends takes no lock: how many wait, and who holds. An acquire may go by
//! on the first alone and take the library's lock although the mutex has just been promised to a waiter; a release looks at
//! it alone to know that nobody must be woken. That nobody is left behind by these two, and that nobody is taken for the
//! holder who is not, is what the models are about.
//!
//! In [`Mode::EndlessWaits`] every acquire, wait, release and hand-over, and each judgement, is made under the one lock of the
//! registry. What there is to prove is that each of them leaves behind what the others may judge by. Threads that block
//! show it: of two that cross, one is refused and not both.
//!
//! What is not modelled is what the registry reads beside its lock: whether a task is parked and woken, and how many clones
//! of its waker there are. These are written by the task before and after its polls and by whoever wakes it, and each of
//! them errs to one side: until all have been written, the task counts as one that may go on.
//!
//! [`Mode::EndlessWaits`]: https://docs.rs/keyalike-strict/latest/keyalike_strict/enum.Mode.html
//!
//! # Mutations
//!
#![doc = include_str!(concat!(env!("OUT_DIR"), "/mutations.md"))]

// The examples of the copies are those of their originals.
#[cfg(not(doctest))]
pub mod models;
#[cfg(not(doctest))]
pub mod mutation;
#[cfg(not(doctest))]
pub mod queue;
