//! A backend: a runtime and a lock library, paired and ready to run programs.

use std::sync::Arc;

use crate::driver::{DriveError, Listener, MakeObject, Runs, Seat, drive};
use crate::explore::Explorable;
use crate::isolation::{IsolationError, WorkerCommand, Workshop};
use crate::object::Object;
use crate::primitive::Declaration;
use crate::program::Program;
use crate::protocol::UnknownCapability;
use crate::runtime::Runtime;
use crate::subject::Description;
use crate::transcript::Transcript;

/// A library of locks that needs no reactor of its own.
pub trait LockLibrary: 'static {
    /// Makes a live object, or `None` where the library cannot make one.
    fn make(declared: Declaration) -> Option<Arc<dyn Object>>;

    /// Returns the library as the explorer sees it.
    fn explorable() -> Explorable {
        Explorable::erased(Self::make)
    }

    /// Returns what it offers, in the words of reports.
    fn capabilities() -> Vec<&'static str>;
}

/// A runtime paired with a lock library, ready to run programs.
pub trait Backend: Send + Sync {
    /// Returns what it is.
    fn description(&self) -> &Description;

    /// Returns where the conductor can sit, at least one.
    fn seats(&self) -> &[Seat] {
        &[Seat::Spawned, Seat::BlockOn]
    }

    /// Returns the worker that it runs in, if it can run nowhere else.
    fn worker(&self) -> Option<&WorkerCommand> {
        None
    }

    /// Runs `program` as often as `runs` says, and gives each transcript to `receive`.
    ///
    /// # Errors
    ///
    /// [`DriveError`], for the first run that has no outcome.
    fn drive(
        &self,
        program: &Arc<Program>,
        runs: Runs,
        listener: Option<Listener>,
        receive: &mut dyn FnMut(Transcript),
    ) -> Result<(), DriveError>;

    /// Returns its id.
    fn id(&self) -> &str {
        &self.description().id
    }
}

/// A runtime and what makes the locks on it.
pub struct Pair<R> {
    runtime: Arc<R>,
    make: MakeObject,
    description: Description,
}

impl<R: Runtime> Pair<R> {
    /// Returns the pair of a started runtime and the locks that `make` makes.
    pub fn new(runtime: Arc<R>, make: MakeObject, description: Description) -> Self {
        Self { runtime, make, description }
    }

    /// Returns the pair of a started runtime and a lock library. The capabilities in `description` are filled in.
    pub fn of<L: LockLibrary>(runtime: Arc<R>, mut description: Description) -> Self {
        description.capabilities = L::capabilities().into_iter().map(str::to_owned).collect();
        Self::new(runtime, L::make, description)
    }
}

impl<R: Runtime> Backend for Pair<R> {
    fn description(&self) -> &Description {
        &self.description
    }

    fn drive(
        &self,
        program: &Arc<Program>,
        runs: Runs,
        listener: Option<Listener>,
        receive: &mut dyn FnMut(Transcript),
    ) -> Result<(), DriveError> {
        drive(&self.runtime, self.make, program, runs, listener, receive)
    }
}

/// A backend that runs in a worker and nowhere else: in another language, or of another release.
#[derive(Clone, Debug)]
pub struct Remote {
    command: WorkerCommand,
    description: Description,
    seats: Vec<Seat>,
    unknown: Vec<UnknownCapability>,
}

impl Remote {
    /// Starts a worker in `workshop`, and returns the backend that it says it is.
    ///
    /// # Errors
    ///
    /// [`IsolationError`], if it does not start or says no hello.
    pub fn greet(workshop: &Workshop, command: WorkerCommand) -> Result<Self, IsolationError> {
        let hello = workshop.greet(&command)?;
        let unknown = hello.unknown_capabilities();
        let description = Description {
            id: hello.backend,
            runtime: hello.runtime,
            locks: hello.locks,
            capabilities: hello.capabilities,
            native: false,
        };
        Ok(Self { command, description, seats: hello.seats, unknown })
    }

    /// Returns what the user should know of it: capabilities of a newer protocol, which are not read.
    pub fn warning(&self) -> Option<String> {
        let words: Vec<String> = self.unknown.iter().map(ToString::to_string).collect();
        let what = format!(
            "{} speaks a newer protocol; its capabilities {} are not read",
            self.description.id,
            words.join(", ")
        );
        (!words.is_empty()).then(|| format!("{what}; update keyalike"))
    }

    /// Returns the same backend under the id by which the user asked for it.
    #[must_use]
    pub fn called(mut self, id: &str) -> Self {
        id.clone_into(&mut self.description.id);
        self
    }
}

impl Backend for Remote {
    fn description(&self) -> &Description {
        &self.description
    }

    fn seats(&self) -> &[Seat] {
        &self.seats
    }

    fn worker(&self) -> Option<&WorkerCommand> {
        Some(&self.command)
    }

    fn drive(
        &self,
        program: &Arc<Program>,
        _runs: Runs,
        _listener: Option<Listener>,
        _receive: &mut dyn FnMut(Transcript),
    ) -> Result<(), DriveError> {
        Err(DriveError::OnlyInWorker { scenario: program.scenario.name.to_string() })
    }
}
