//! Runs the harness's quiescence hub under loom, and shows that each of its known mutations is caught.
//!
//! # Method
//!
//! The subject is the source of `harness/src/quiescence.rs` itself. The harness has no `cfg` for this: the build script
//! copies that file, puts loom's mutex in the place of std's, and compiles the copy here. It writes one more copy for
//! each known mutation, a textual replacement that must match exactly once. If the hub changes so that a replacement no
//! longer matches, this crate does not build, so a mutation cannot go stale.
//!
//! In a [model](models) a thread per task plays the runtime: it polls when its waker was called, and also when nobody
//! called. The main thread plays the conductor. Tasks write plain data in their polls and the conductor reads it at
//! quiescence; loom tracks that data, so a quiescence that comes too early, or two tasks that are let in at once, is a
//! data race or a wrong value, and one that never comes is a deadlock. loom plays every execution in which threads stand
//! back at most as often as the model's bound says.
//!
//! Each model must hold on the faithful copy, all its executions played, and each mutation must make those models fail
//! that its row names. `cargo run -p keyalike-model --example matrix` tries every model on every mutation.
//!
//! What is not modelled: the locks, the runtimes, and the driver beyond the order in which it calls the hub. The one order
//! of the driver that quiescence hangs on, dropping everything that a task owned before telling the hub that it has
//! ended, is mutated by [`stage::EndOrder`].
//!
//! # Why a mutex
//!
//! The prototype counted the tasks that are not parked with an atomic, and each task had a state of its own. Two tasks
//! that were woken by one step then ran at the same time, and the order of what they did had to be mended by sorting. The
//! design wants more: woken tasks are let in one at a time, in the order of their wakes. That takes a queue, and a queue
//! that several threads push to takes a lock or a lock-free structure beside the counter. With one mutex over queue,
//! phases and waker, every method is one atomic step, so what is left to prove is which steps there are and not how
//! their loads and stores interleave. The price is a short critical section per wake and per poll, in which nothing
//! foreign runs but a waker's clone and the caller's `record`.
//!
//! # Mutations
//!
#![doc = include_str!(concat!(env!("OUT_DIR"), "/mutations.md"))]
//!
//! Ending a task in the wrong order ([`stage::EndOrder::ReportsFirst`]) must fail in every model.
//!
//! One condition of the hub has no mutation, because it cannot matter: that a queue which is not empty is no quiescence.
//! The queue stands with nobody in only in a held line, where it does not count, under an announced end, which is owed,
//! and while the conductor acts, when it does not wait.

pub mod hub;
pub mod models;
pub mod mutation;
pub mod stage;
