//! Keyalike's harness: runs lock-semantics scenarios on real async locks and real runtimes, exactly and with no timeout.

pub mod object;
pub mod primitive;
pub mod scenario;
pub mod verdict;
