//! A backend: a runtime and a lock library, paired, with the names and versions of both.

use std::marker::PhantomData;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::driver::program::Program;
use crate::driver::{DriveError, Listener, Seat, drive};
use crate::object::Object;
use crate::primitive::Primitive;
use crate::runtime::Runtime;
use crate::transcript::Transcript;

/// A library of locks that needs no reactor of its own.
pub trait LockLibrary: 'static {
    /// Makes a live object, or `None` where the library has no such primitive.
    fn make(primitive: Primitive) -> Option<Arc<dyn Object>>;

    /// Returns what it offers, in the words of reports.
    fn capabilities() -> Vec<&'static str>;
}

/// The name and version of a crate that a backend is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The crate.
    pub name: String,
    /// Its version, as the lock file has it.
    pub version: String,
}

/// What a backend is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// `RUNTIME+LOCKS`, or the runtime alone for its native pair.
    pub id: String,
    /// The crate that the runtime comes from.
    pub runtime: Subject,
    /// The crate that the locks come from.
    pub locks: Subject,
    /// What the locks offer, and how.
    pub capabilities: Vec<String>,
    /// Whether it is the runtime's own pair, and so a column by default.
    pub native: bool,
}

/// A runtime paired with a lock library, ready to run programs.
pub trait Backend: Send + Sync {
    /// Returns what it is.
    fn description(&self) -> &Description;

    /// Runs `program` `runs` times with the conductor in `seat`, and gives each transcript to `receive`.
    ///
    /// # Errors
    ///
    /// [`DriveError`], for the first run that has no outcome.
    fn drive(
        &self,
        program: &Arc<Program>,
        seat: Seat,
        runs: usize,
        listener: Option<Listener>,
        receive: &mut dyn FnMut(Transcript),
    ) -> Result<(), DriveError>;

    /// Returns its id.
    fn id(&self) -> &str {
        &self.description().id
    }
}

/// The pair of `R` and `L`.
pub struct Pair<R, L> {
    runtime: Arc<R>,
    description: Description,
    locks: PhantomData<fn() -> L>,
}

impl<R: Runtime, L: LockLibrary> Pair<R, L> {
    /// Returns the pair of a started runtime and a lock library. The capabilities in `description` are filled in.
    pub fn new(runtime: Arc<R>, mut description: Description) -> Self {
        description.capabilities = L::capabilities().into_iter().map(str::to_owned).collect();
        Self { runtime, description, locks: PhantomData }
    }
}

impl<R: Runtime, L: LockLibrary> Backend for Pair<R, L> {
    fn description(&self) -> &Description {
        &self.description
    }

    fn drive(
        &self,
        program: &Arc<Program>,
        seat: Seat,
        runs: usize,
        listener: Option<Listener>,
        receive: &mut dyn FnMut(Transcript),
    ) -> Result<(), DriveError> {
        drive(&self.runtime, L::make, program, seat, runs, listener, receive)
    }
}
