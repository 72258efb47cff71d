//! The words in which a run is judged: verdicts, from worst to best, and the grades that a rule gives to them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a run came to. Where several hold, the worst is the verdict; the order of the variants is from worst to best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Verdict {
    /// The lock broke its own promise: two holders, a grant to the dead, a refusal of a free lock.
    Violation,
    /// The process that ran the scenario ended by itself (an abort, a signal).
    Crashed,
    /// A thread of the runtime is blocked or spins for ever inside the lock.
    Hung,
    /// A task was polled more often in one step than the named maximum.
    Livelock,
    /// A task waits for an object that is free, and nothing will ever wake it.
    LostWakeup,
    /// The object is reserved for a future that its own task keeps and does not poll, while others wait.
    Futurelock,
    /// Tasks wait for each other, or one for itself, in a cycle.
    Deadlock,
    /// A task waits for a guard that nobody can release any more.
    Abandoned,
    /// Nobody holds the object at rest, yet it is refused.
    Leaked,
    /// An operation of the lock panicked.
    Panicked,
    /// A waiter was overtaken again and again and still waits.
    Starved,
    /// An acquire gave an error instead of waiting.
    Refused,
    /// Every task got what it asked for, or waits lawfully for a live holder.
    Completed,
    /// The backend declares that it lacks an operation of the scenario.
    Unsupported,
}

impl Verdict {
    /// Every verdict, from worst to best, `unsupported` last.
    pub const ALL: [Verdict; 14] = [
        Verdict::Violation,
        Verdict::Crashed,
        Verdict::Hung,
        Verdict::Livelock,
        Verdict::LostWakeup,
        Verdict::Futurelock,
        Verdict::Deadlock,
        Verdict::Abandoned,
        Verdict::Leaked,
        Verdict::Panicked,
        Verdict::Starved,
        Verdict::Refused,
        Verdict::Completed,
        Verdict::Unsupported,
    ];

    /// Returns the word that stands in scenarios, transcripts and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Violation => "violation",
            Verdict::Crashed => "crashed",
            Verdict::Hung => "hung",
            Verdict::Livelock => "livelock",
            Verdict::LostWakeup => "lost-wakeup",
            Verdict::Futurelock => "futurelock",
            Verdict::Deadlock => "deadlock",
            Verdict::Abandoned => "abandoned",
            Verdict::Leaked => "leaked",
            Verdict::Panicked => "panicked",
            Verdict::Starved => "starved",
            Verdict::Refused => "refused",
            Verdict::Completed => "completed",
            Verdict::Unsupported => "unsupported",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Verdict {
    type Err = UnknownVerdict;

    fn from_str(text: &str) -> Result<Self, UnknownVerdict> {
        Self::ALL.into_iter().find(|verdict| verdict.as_str() == text).ok_or_else(|| UnknownVerdict(text.to_owned()))
    }
}

/// A word that names no verdict.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a verdict; write one of violation, crashed, hung, livelock, lost-wakeup, futurelock, deadlock, \
         abandoned, leaked, panicked, starved, refused, completed, unsupported"
)]
pub struct UnknownVerdict(String);

/// What the scenario's rule says of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    /// An `accept` line calls it right.
    Conforms,
    /// An `accept` line allows it, with a sentence that says why.
    Permitted,
    /// No `accept` line allows it.
    Violates,
    /// There is nothing to grade: the backend lacks an operation.
    Ungraded,
}

impl Grade {
    /// Returns the word that stands in scenarios and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Grade::Conforms => "conforms",
            Grade::Permitted => "permitted",
            Grade::Violates => "violates",
            Grade::Ungraded => "ungraded",
        }
    }
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
