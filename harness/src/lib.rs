//! Keyalike's harness: runs lock-semantics scenarios on real async locks and real runtimes, exactly and with no timeout.
//!
//! The way through it is the order of its modules: a [`scenario`] is compiled to a [`program`], the [`driver`] runs it on
//! a [`backend`] and waits for [`quiescence`] after each line, a [`transcript`] says what happened, the [`oracle`] names
//! the [`verdict`] and the scenario's rule grades it, which makes an [`outcome`]. A [`comparison`] tells outcomes apart, a
//! [`review`] holds them against the ledger and the [`snapshot`]s, and a [`report`] tells it.

pub mod adapter;
pub mod backend;
pub mod cancel_points;
pub mod certify;
pub mod comparison;
pub mod diff;
pub mod driver;
pub mod executor;
pub mod explore;
pub mod identity;
pub mod isolation;
pub mod ledger;
pub mod object;
pub mod oracle;
pub mod outcome;
pub mod primitive;
pub mod program;
pub mod protocol;
pub mod quiescence;
pub mod report;
pub mod review;
pub mod runner;
pub mod runtime;
pub mod scenario;
pub mod snapshot;
pub mod stage;
pub mod stress;
pub mod subject;
pub mod suite;
pub mod transcript;
pub mod twists;
pub mod verdict;
pub mod watchdog;
pub mod worker;
