//! The copies of the hub, faithful and mutated, behind one trait.

use std::sync::Arc;
use std::task::Waker;

use crate::mutation::MUTATIONS;

/// A tracked task, counted from 0.
pub type Task = usize;

/// What the conductor of a model tells a task: a number that the model gives a meaning.
pub type Command = u8;

/// Why a task was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// The conductor gave it this command.
    Command(Command),
    /// It was woken.
    Woken,
}

/// How a poll of a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// It is pending.
    Parked,
    /// It is pending, and the runtime will wake it.
    Promised,
    /// It has ended.
    Done,
}

/// Why nothing can run any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quiescence {
    /// Every task waits, or has ended.
    Rest,
    /// The polls of one step reached their maximum.
    Livelock,
}

/// The hub's methods. Each means what the one of the same name means in `harness/src/quiescence.rs`.
#[expect(missing_docs, reason = "said where the methods are")]
pub trait Hub: Send + Sync {
    fn command(&self, task: Task, command: Command) -> bool;
    fn wake(&self, task: Task, record: &mut dyn FnMut());
    fn requeue(&self, task: Task);
    fn enter(&self, task: Task, waker: &Waker) -> Option<Admission>;
    fn leave(&self, task: Task, departure: Departure);
    fn end(&self, task: Task);
    fn announce_end(&self, task: Task) -> bool;
    fn outside_began(&self);
    fn outside_ended(&self);
    fn hold(&self, held: bool);
    fn act(&self, acting: bool);
    fn quiet(&self, waker: &Waker) -> Option<Quiescence>;
    fn is_done(&self, task: Task) -> bool;
    fn has_foreign_wake(&self) -> bool;
}

/// Makes a hub for `count` tasks (at least 1) that gives up after `polls_max` polls (at least 1).
pub type Make = fn(count: usize, polls_max: u32) -> Arc<dyn Hub>;

/// A copy of the hub that can be made.
trait Copied: Hub + Sized + 'static {
    fn new(count: usize, polls_max: u32) -> Self;
}

fn make<H: Copied>(count: usize, polls_max: u32) -> Arc<dyn Hub> {
    Arc::new(H::new(count, polls_max))
}

/// The hub as it is.
pub const FAITHFUL: Make = make::<hub::Hub<Command>>;

/// Returns the hub with the mutation of that name.
///
/// # Panics
///
/// If there is no mutation of that name.
pub fn mutant(name: &str) -> Make {
    let place = MUTATIONS.iter().position(|mutation| mutation.name == name);
    MUTANTS[place.expect("the name is one of the list in mutation.rs")]
}

/// Implements the traits for the hub of one module.
macro_rules! implement {
    ($copy:ident) => {
        impl Copied for $copy::Hub<Command> {
            fn new(count: usize, polls_max: u32) -> Self {
                $copy::Hub::new(count, polls_max)
            }
        }

        impl Hub for $copy::Hub<Command> {
            fn command(&self, task: Task, command: Command) -> bool {
                self.command(task, command)
            }
            fn wake(&self, task: Task, record: &mut dyn FnMut()) {
                self.wake(task, record);
            }
            fn requeue(&self, task: Task) {
                self.requeue(task);
            }
            fn enter(&self, task: Task, waker: &Waker) -> Option<Admission> {
                self.enter(task, waker).map(|admission| match admission {
                    $copy::Admission::Command(command) => Admission::Command(command),
                    $copy::Admission::Woken => Admission::Woken,
                })
            }
            fn leave(&self, task: Task, departure: Departure) {
                let departure = match departure {
                    Departure::Parked => $copy::Departure::Parked,
                    Departure::Promised => $copy::Departure::Promised,
                    Departure::Done => $copy::Departure::Done,
                };
                self.leave(task, departure);
            }
            fn end(&self, task: Task) {
                self.end(task);
            }
            fn announce_end(&self, task: Task) -> bool {
                self.announce_end(task)
            }
            fn outside_began(&self) {
                self.outside_began();
            }
            fn outside_ended(&self) {
                self.outside_ended();
            }
            fn hold(&self, held: bool) {
                self.hold(held);
            }
            fn act(&self, acting: bool) {
                self.act(acting);
            }
            fn quiet(&self, waker: &Waker) -> Option<Quiescence> {
                self.quiet(waker).map(|quiescence| match quiescence {
                    $copy::Quiescence::Rest => Quiescence::Rest,
                    $copy::Quiescence::Livelock => Quiescence::Livelock,
                })
            }
            fn is_done(&self, task: Task) -> bool {
                self.is_done(task)
            }
            fn has_foreign_wake(&self) -> bool {
                self.has_foreign_wake()
            }
        }
    };
}

include!(concat!(env!("OUT_DIR"), "/hubs.rs"));
