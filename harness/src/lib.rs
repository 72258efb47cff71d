//! Keyalike's harness: runs lock-semantics scenarios on real async locks and real runtimes, exactly and with no timeout.
//!
//! The way through it is the order of its modules: a [`scenario`] is compiled to a [`driver::program`], the [`driver`]
//! runs it on a [`backend`] and waits for [`quiescence`] after each line, a [`transcript`] says what happened, the
//! [`oracle`] names the [`verdict`] and the scenario's rule grades it, which makes an [`outcome`].

pub mod verdict;
pub mod scenario;
pub mod primitive;
pub mod object;
pub mod runtime;
pub mod quiescence;
pub mod driver;
pub mod transcript;
pub mod oracle;
pub mod outcome;
pub mod backend;
pub mod worker;
pub mod watchdog;
pub mod isolation;
pub mod suite;
pub mod ledger;
pub mod runner;
