//! The mutex: its words and its model.

use crate::primitive::model::{self, Admission, Expected};
use crate::primitive::{Argument, Claim, Effect, Mode, Primitive, Request, Table, Verb};

/// Take it, waiting as long as need be.
pub const ACQUIRE: Request = Request::new(Primitive::Mutex, 0);
/// Take it if that needs no waiting.
pub const TRY_ACQUIRE: Request = Request::new(Primitive::Mutex, 1);
/// Say whether somebody holds it.
pub const IS_LOCKED: Request = Request::new(Primitive::Mutex, 2);
/// Print it with `{:?}`.
pub const DEBUG: Request = Request::new(Primitive::Mutex, 3);

/// Words of the mutex.
pub static TABLE: Table = Table {
    word: "mutex",
    noun: "a mutex",
    argument: Argument::None,
    modes: &[Mode { granted: "acquired", holds: "holds {x}", waits: "waits for {x}", probe: "", is_common: true }],
    verbs: &[
        Verb::new("acquire", Effect::Take(0), "awaits the lock").waiting(),
        Verb::new("try-acquire", Effect::Take(0), "takes the lock if that needs no waiting"),
        Verb::new("is-locked", Effect::AskHeld, "asks whether somebody holds it"),
        Verb::new("debug", Effect::Print, "prints it with `{:?}`"),
    ],
    features: &["poison"],
};

/// Model of a mutex: one hold at a time, and a free one is there to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Model;

impl model::Model for Model {
    fn new(_: Option<u64>) -> Self {
        Self
    }

    fn admits(&self, _: Claim, mut holds: impl Iterator<Item = Claim> + Clone) -> Admission {
        if holds.next().is_none() { Admission::Must } else { Admission::Never }
    }

    fn answer(&self, request: Request, mut holds: impl Iterator<Item = Claim> + Clone) -> Expected {
        match request {
            IS_LOCKED => Expected::Is(holds.next().is_some()),
            _ => Expected::Any,
        }
    }
}
