//! The semaphore: its words and its model.

use crate::primitive::model::{self, Admission, Expected};
use crate::primitive::{Amount, Argument, Claim, Effect, Mode, Primitive, Request, Table, Verb};

/// Take permits, waiting as long as need be.
pub const ACQUIRE: Request = Request::new(Primitive::Semaphore, 0);
/// Take permits if that needs no waiting.
pub const TRY_ACQUIRE: Request = Request::new(Primitive::Semaphore, 1);
/// Add permits.
pub const ADD: Request = Request::new(Primitive::Semaphore, 2);
/// Take free permits away for good, as many as there are.
pub const FORGET_PERMITS: Request = Request::new(Primitive::Semaphore, 3);
/// Refuse every wait from now on.
pub const CLOSE: Request = Request::new(Primitive::Semaphore, 4);
/// Say how many permits are free.
pub const AVAILABLE: Request = Request::new(Primitive::Semaphore, 5);
/// Say whether it was closed.
pub const IS_CLOSED: Request = Request::new(Primitive::Semaphore, 6);
/// Print it with `{:?}`.
pub const DEBUG: Request = Request::new(Primitive::Semaphore, 7);

/// Words of the semaphore.
pub static TABLE: Table = Table {
    word: "semaphore",
    noun: "a semaphore",
    argument: Argument::Number("the number of permits"),
    modes: &[Mode {
        granted: "acquired",
        holds: "holds {n} of {x}",
        waits: "waits for {n} of {x}",
        probe: "",
        is_common: true,
    }],
    verbs: &[
        Verb::new("acquire", Effect::Take(0), "awaits the lock").counting(Amount::Optional).waiting(),
        Verb::new("try-acquire", Effect::Take(0), "takes the lock if that needs no waiting").counting(Amount::Optional),
        Verb::new("add", Effect::Change, "adds permits").counting(Amount::Needed).saying("added {}"),
        Verb::new("forget-permits", Effect::Change, "takes free permits away for good, as many as there are")
            .counting(Amount::Needed)
            .saying("forgot {}"),
        Verb::new("close", Effect::Change, "has it refuse every wait from now on").saying("closed"),
        Verb::new("available", Effect::Count, "asks how many permits are free").saying("{} available"),
        Verb::new("is-closed", Effect::Ask, "asks whether it was closed"),
        Verb::new("debug", Effect::Print, "prints it with `{:?}`"),
    ],
    features: &["counted"],
};

/// Model of a semaphore: as many permits as there are, out or free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Model {
    /// Permits in all, those that are out among them: declared and added, less those that were taken away.
    total: i128,
    closed: bool,
}

impl Model {
    /// Returns how many permits are free while `holds` are out.
    fn free(&self, holds: impl Iterator<Item = Claim>) -> i128 {
        self.total - holds.map(|claim| i128::from(claim.amount)).sum::<i128>()
    }
}

impl model::Model for Model {
    fn new(argument: Option<u64>) -> Self {
        Self { total: argument.unwrap_or_default().into(), closed: false }
    }

    fn admits(&self, claim: Claim, holds: impl Iterator<Item = Claim> + Clone) -> Admission {
        match self.is_there(claim, holds) {
            _ if self.closed => Admission::Refused,
            true => Admission::Must,
            false => Admission::Never,
        }
    }

    fn is_there(&self, claim: Claim, holds: impl Iterator<Item = Claim> + Clone) -> bool {
        i128::from(claim.amount) <= self.free(holds)
    }

    fn change(&mut self, request: Request, number: Option<u64>) {
        let number = i128::from(number.unwrap_or(request.amount()));
        match request.of(1) {
            ADD => self.total += number,
            FORGET_PERMITS => self.total -= number,
            CLOSE => self.closed = true,
            _ => {}
        }
    }

    fn gives_early(&self, request: Request) -> bool {
        request.of(1) == ADD
    }

    fn answer(&self, request: Request, _: impl Iterator<Item = Claim> + Clone) -> Expected {
        match request {
            IS_CLOSED => Expected::Is(self.closed),
            _ => Expected::Any,
        }
    }

    fn count(&self, request: Request, holds: impl Iterator<Item = Claim> + Clone) -> Option<i128> {
        (request == AVAILABLE).then(|| self.free(holds))
    }

    fn total(&self) -> Option<i128> {
        Some(self.total)
    }

    fn is_closed(&self) -> bool {
        self.closed
    }
}
