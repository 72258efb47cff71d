//! What the sequential model of a primitive says of one object.

use super::{Claim, Request};

/// Sequential model of one object. It knows what was declared and changed, and is given who holds what; it keeps
/// neither text nor allocation, so that the explorer can step it in every poll.
pub trait Model: Copy {
    /// Returns the model of a new object that was declared with `argument`.
    fn new(argument: Option<u64>) -> Self;

    /// Returns what must come of `claim` while `holds` are all the holds of the object.
    fn admits(&self, claim: Claim, holds: impl Iterator<Item = Claim> + Clone) -> Admission;

    /// Returns whether `claim` is there to be had while `holds` are all the holds, closed or not.
    fn is_there(&self, claim: Claim, holds: impl Iterator<Item = Claim> + Clone) -> bool {
        self.admits(claim, holds) != Admission::Never
    }

    /// Returns the number that must be answered to `request` while `holds` are all the holds, nobody waits and nothing
    /// is reserved; if it is a question for a number.
    fn count(&self, request: Request, holds: impl Iterator<Item = Claim> + Clone) -> Option<i128> {
        let _ = (request, holds);
        None
    }

    /// Returns how much there is of the object in all, if it is counted.
    fn total(&self) -> Option<i128> {
        None
    }

    /// Returns whether every wait that begins now is refused.
    fn is_closed(&self) -> bool {
        false
    }

    /// Changes the object by `request`, for which the library gave `number`, if it gave one.
    fn change(&mut self, request: Request, number: Option<u64>) {
        let _ = (request, number);
    }

    /// Returns whether what `request` gives is there while the library is still at it, so that a waker that it calls on
    /// the way may have it, also if that waker's panic ends the call.
    fn gives_early(&self, request: Request) -> bool {
        let _ = request;
        false
    }

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
    /// It must be refused.
    Refused,
}

/// What must be answered to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// This.
    Is(bool),
    /// Anything: the model cannot say.
    Any,
}
