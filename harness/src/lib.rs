//! Keyalike's harness: runs lock-semantics scenarios on real async locks and real runtimes, exactly and with no
//! timeout.
//!
//! The way through it is the order of its modules:
//!
//! 1. A [`scenario`] asks what a [`primitive`] can be asked, and is compiled to a [`program`].
//! 2. The [`driver`] runs the program on a [`runtime`] and the [`object`]s of a lock library, and waits for
//!    [`quiescence`] after each line. A [`transcript`] says what happened.
//! 3. The [`oracle`] names the [`verdict`] and the scenario's rule grades it, which makes an [`outcome`]. A
//!    [`comparison`] says how far outcomes differ.
//! 4. A scenario that can hang or crash runs by [`isolation`] in another process; [`explore`] runs every schedule of
//!    it.
//! 5. An [`adapter`] makes objects of a library, a [`backend`] pairs them with a runtime, and the [`runner`] runs a
//!    [`suite`] on backends.
//! 6. A [`report`] lists what came out, and a [`review`] compares it with the [`ledger`] and the [`snapshot`]s.

// What is asked, and what can come of it.
pub mod identity;
pub mod primitive;
pub mod program;
pub mod quiescence;
pub mod scenario;
pub mod twists;
pub mod verdict;

// What it is asked of.
pub mod executor;
pub mod object;
pub mod runtime;
pub mod stage;
pub mod subject;

// One run of it.
pub mod driver;
pub mod transcript;

// What the run shows.
pub mod comparison;
pub mod oracle;
pub mod outcome;
pub mod promises;

// Runs in processes of their own.
pub mod isolation;
pub mod protocol;
pub mod watchdog;

// Other schedules of it.
pub mod cancel_points;
pub mod explore;
pub mod stress;

// What a user brings, and running all of it.
pub mod adapter;
pub mod backend;
pub mod ledger;
pub mod runner;
pub mod suite;
pub mod worker;

// What is told, and held against what is known.
pub mod certify;
pub mod diff;
pub mod report;
pub mod review;
pub mod snapshot;
