//! Holds a worker to the protocol, for those who write one: each line of `docs/PROTOCOL.md` that can be tested from
//! outside is a check.
//!
//! It judges the worker and not the lock: that a waiter waits and a release releases is taken only from locks that say
//! so themselves.
//!
//! [`adapter`] does the same for an adapter in Rust, of a lock or of a runtime.

pub mod adapter;
mod checks;

use std::path::PathBuf;
use std::time::Duration;

use crate::isolation::WorkerCommand;
use crate::report::paint::{Layout, TITLE};

/// What a worker was held to, and what it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The worker's command.
    pub command: String,
    /// The checks, in the order in which they were made.
    pub checks: Vec<Check>,
}

/// One thing that a worker must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What it must do, as a sentence without a full stop.
    pub rule: &'static str,
    /// Nothing if it does; what it did instead, and how to put it right, if it does not.
    pub fault: Option<String>,
}

impl Certificate {
    /// Returns whether the worker keeps to the protocol.
    pub fn holds(&self) -> bool {
        self.checks.iter().all(|check| check.fault.is_none())
    }

    /// Returns it as a text for a terminal.
    pub fn render(&self, layout: Layout) -> String {
        let mut text = format!("{}\n", layout.paint(TITLE, &self.command));
        for check in &self.checks {
            match &check.fault {
                None => text.push_str(&format!("  ok      {}\n", check.rule)),
                Some(fault) => text.push_str(&format!("  failed  {}\n            {fault}\n", check.rule)),
            }
        }
        let failed = self.checks.iter().filter(|check| check.fault.is_some()).count();
        text.push_str(&match failed {
            0 => format!("\nkeeps to the protocol: {} checks\n", self.checks.len()),
            _ => format!(
                "\nbreaks the protocol in {failed} of {} checks; docs/PROTOCOL.md says how it goes\n",
                self.checks.len()
            ),
        });
        text
    }
}

/// Holds a worker to the protocol. `guard` is as in [`Workshop::guarded_by`](crate::isolation::Workshop::guarded_by);
/// `limit` sets how long it may be silent.
pub fn certify(command: &WorkerCommand, guard: Option<&PathBuf>, limit: Option<Duration>) -> Certificate {
    Certificate { command: command.text(), checks: checks::all(command, guard, limit) }
}
