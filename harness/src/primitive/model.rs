//! What the sequential model of a primitive says of one object.

use super::{Claim, Request};

/// Sequential model of one object. It knows what was declared and changed, and is given who holds what; it keeps neither
/// text nor allocation, so that the explorer can step it in every poll.
pub trait Model: Copy {
    /// Returns the model of a new object that was declared with `argument`.
    fn new(argument: Option<u64>) -> Self;

    /// Returns what must come of `claim` while `holds` are all the holds of the object.
    fn admits(&self, claim: Claim, holds: impl Iterator<Item = Claim> + Clone) -> Admission;

    /// Returns what the object must answer to `request`, a question, while `holds` are all its holds.
    fn answer(&self, request: Request, holds: impl Iterator<Item = Claim> + Clone) -> Expected {
        let _ = (request, holds);
        Expected::Any
    }
}

/// What must come of a claim, whatever the policy of the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Nothing is in the way: if nobody else asks, it must be granted.
    Must,
    /// It must not be granted.
    Never,
}

/// What must be answered to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// This.
    Is(bool),
    /// Anything: the model cannot say.
    Any,
}
