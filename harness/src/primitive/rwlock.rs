//! The rwlock: its words and its model.

use crate::primitive::model::{self, Admission, Expected};
use crate::primitive::{Argument, Claim, Effect, Mode, Primitive, Request, Table, Verb};

/// Take it for reading, waiting as long as need be.
pub const READ: Request = Request::new(Primitive::Rwlock, 0);
/// Take it for writing, waiting as long as need be.
pub const WRITE: Request = Request::new(Primitive::Rwlock, 1);
/// Take it for reading with the right to upgrade, waiting as long as need be.
pub const UPGRADABLE_READ: Request = Request::new(Primitive::Rwlock, 2);
/// Turn an upgradable guard into one for writing, waiting as long as need be.
pub const UPGRADE: Request = Request::new(Primitive::Rwlock, 3);
/// Take it for reading if that needs no waiting.
pub const TRY_READ: Request = Request::new(Primitive::Rwlock, 4);
/// Take it for writing if that needs no waiting.
pub const TRY_WRITE: Request = Request::new(Primitive::Rwlock, 5);
/// Take it for reading with the right to upgrade if that needs no waiting.
pub const TRY_UPGRADABLE_READ: Request = Request::new(Primitive::Rwlock, 6);
/// Turn an upgradable guard into one for writing if that needs no waiting.
pub const TRY_UPGRADE: Request = Request::new(Primitive::Rwlock, 7);
/// Turn a guard into one for reading.
pub const DOWNGRADE: Request = Request::new(Primitive::Rwlock, 8);
/// Turn a guard for writing into an upgradable one.
pub const DOWNGRADE_TO_UPGRADABLE: Request = Request::new(Primitive::Rwlock, 9);
/// Say whether somebody holds it, and how.
pub const IS_LOCKED: Request = Request::new(Primitive::Rwlock, 10);
/// Print it with `{:?}`.
pub const DEBUG: Request = Request::new(Primitive::Rwlock, 11);

/// Mode of those who read.
pub const READING: u8 = 0;
/// Mode of the one who writes.
pub const WRITING: u8 = 1;
/// Mode of the one who reads with the right to upgrade.
pub const UPGRADABLE: u8 = 2;

/// Words of the rwlock.
pub static TABLE: Table = Table {
    word: "rwlock",
    noun: "an rwlock",
    argument: Argument::Optional("readers"),
    modes: &[
        Mode {
            granted: "acquired for reading",
            holds: "reads {x}",
            waits: "waits to read {x}",
            probe: "read",
            is_common: true,
        },
        Mode {
            granted: "acquired for writing",
            holds: "writes {x}",
            waits: "waits to write {x}",
            probe: "write",
            is_common: true,
        },
        Mode {
            granted: "acquired for upgradable reading",
            holds: "reads {x} upgradably",
            waits: "waits to read {x} upgradably",
            probe: "upgradable",
            is_common: false,
        },
    ],
    verbs: &[
        Verb::new("read", Effect::Take(READING), "awaits the lock for reading").waiting(),
        Verb::new("write", Effect::Take(WRITING), "awaits the lock for writing").waiting(),
        Verb::new(
            "upgradable-read",
            Effect::Take(UPGRADABLE),
            "awaits the lock for reading, with the right to upgrade",
        )
        .waiting(),
        Verb::new("upgrade", Effect::Turn(&[UPGRADABLE], WRITING), "turns an upgradable guard into one for writing")
            .waiting()
            .saying("upgraded"),
        Verb::new("try-read", Effect::Take(READING), "takes the lock for reading if that needs no waiting"),
        Verb::new("try-write", Effect::Take(WRITING), "takes the lock for writing if that needs no waiting"),
        Verb::new(
            "try-upgradable-read",
            Effect::Take(UPGRADABLE),
            "takes the lock for reading, with the right to upgrade, if that needs no waiting",
        ),
        Verb::new(
            "try-upgrade",
            Effect::Turn(&[UPGRADABLE], WRITING),
            "turns an upgradable guard into one for writing if that needs no waiting",
        )
        .saying("upgraded"),
        Verb::new("downgrade", Effect::Turn(&[WRITING, UPGRADABLE], READING), "turns a guard into one for reading")
            .saying("downgraded"),
        Verb::new(
            "downgrade-to-upgradable",
            Effect::Turn(&[WRITING], UPGRADABLE),
            "turns a guard for writing into an upgradable one",
        )
        .saying("downgraded"),
        Verb::new("is-locked", Effect::Ask, "asks whether somebody holds it"),
        Verb::new("debug", Effect::Print, "prints it with `{:?}`"),
    ],
    features: &["readers"],
};

/// Model of an rwlock: one writer and nobody else, or readers up to the limit, of whom one may be upgradable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Model {
    readers_max: u64,
}

impl model::Model for Model {
    fn new(argument: Option<u64>) -> Self {
        Self { readers_max: argument.unwrap_or(u64::MAX) }
    }

    fn admits(&self, claim: Claim, holds: impl Iterator<Item = Claim> + Clone) -> Admission {
        let is_written = holds.clone().any(|hold| hold.mode == WRITING);
        let is_upgradable = holds.clone().any(|hold| hold.mode == UPGRADABLE);
        let readers = holds.count() as u64;
        let is_there = match claim.mode {
            WRITING => readers == 0,
            UPGRADABLE => !is_written && !is_upgradable && readers < self.readers_max,
            _ => !is_written && readers < self.readers_max,
        };
        if is_there { Admission::Must } else { Admission::Never }
    }

    fn answer(&self, _: Request, _: impl Iterator<Item = Claim> + Clone) -> Expected {
        Expected::Any
    }
}
