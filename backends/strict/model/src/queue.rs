//! The copies of the queue, faithful and mutated, behind one trait, each over a lock that is one flag.

use std::panic::Location;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use loom::cell::Cell;
use loom::sync::atomic::{AtomicBool, Ordering};

use crate::mutation::MUTATIONS;

/// A task, counted from 1.
pub type Task = u64;

/// One acquire. Its drop interrupts it, if it waits.
pub trait Acquire {
    /// Polls it by `task`, which must hold nothing. Once it is ready, the task holds the mutex.
    fn poll(&mut self, task: Task, waker: &Waker) -> Poll<()>;
}

/// Which mode a mutex has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refuses {
    /// The default mode.
    EveryReentry,
    /// The one that follows waits.
    EndlessWaits,
}

/// A strict mutex.
pub trait Mutex {
    /// Begins an acquire.
    fn acquire(self: Rc<Self>) -> Box<dyn Acquire>;
    /// Acquires for a thread, which calls `park` until `waker` is called. Returns whether it was granted.
    fn acquire_blocking(&self, thread: Task, waker: &Waker, park: &dyn Fn()) -> bool;
    /// Takes the mutex if that needs no waiting. Nobody is noted as the holder.
    fn try_acquire(&self) -> bool;
    /// Releases the mutex. Only who holds it may call it.
    fn release(&self);
    /// Returns who holds it.
    fn holder(&self) -> Option<Task>;
    /// Returns how many wait.
    fn waiting(&self) -> usize;
    /// Returns what the mutex guards.
    fn value(&self) -> &Cell<u32>;
}

/// What tells a thread from a task, in the number of who asks.
const THREADS: u64 = 5 << 45;

/// Makes a free mutex.
pub type Make = fn(Refuses) -> Rc<dyn Mutex>;

/// A library's lock, as weak as it may be: a release synchronizes with the take that finds it free, and with nothing else.
/// Like theirs, it is taken and released by reading and writing in one (loom leaves a plain store beside these unordered).
#[derive(Debug)]
struct Flag {
    is_taken: AtomicBool,
    value: Cell<u32>,
}

impl Flag {
    fn new() -> Self {
        Self { is_taken: AtomicBool::new(false), value: Cell::new(0) }
    }

    fn take(&self) -> Option<()> {
        (!self.is_taken.swap(true, Ordering::Acquire)).then_some(())
    }

    fn release(&self) {
        self.is_taken.swap(false, Ordering::Release);
    }
}

/// A copy of the queue that can be made.
trait Copied: 'static {
    fn make(refuses: Refuses) -> Rc<dyn Mutex>;
}

fn make<C: Copied>(refuses: Refuses) -> Rc<dyn Mutex> {
    C::make(refuses)
}

/// The queue as it is.
pub const FAITHFUL: Make = make::<faithful::state::Core>;

/// Returns the queue with the mutation of that name.
///
/// # Panics
///
/// If there is no mutation of that name.
pub fn mutant(name: &str) -> Make {
    let place = MUTATIONS.iter().position(|mutation| mutation.name == name);
    MUTANTS[place.expect("the name is one of the list in mutation.rs")]
}

/// Implements the traits for the queue of one module.
macro_rules! implement {
    ($copy:ident) => {
        const _: () = {
            use std::sync::Arc;

            use $copy::cycle::Blocked;
            use $copy::mutex::Mode;
            use $copy::state::{Asking, Core};
            use $copy::task::Key;

            struct Strict {
                core: Arc<Core>,
                flag: Flag,
            }

            struct Asks {
                mutex: Rc<Strict>,
                asking: Asking,
            }

            impl Copied for Core {
                fn make(refuses: Refuses) -> Rc<dyn Mutex> {
                    let mode = match refuses {
                        Refuses::EveryReentry => Mode::EveryReentry,
                        Refuses::EndlessWaits => Mode::EndlessWaits,
                    };
                    Rc::new(Strict { core: Arc::new(Core::new(mode)), flag: Flag::new() })
                }
            }

            impl Mutex for Strict {
                fn acquire(self: Rc<Self>) -> Box<dyn Acquire> {
                    Box::new(Asks { mutex: self, asking: Asking::new(Location::caller()) })
                }
                fn acquire_blocking(&self, thread: Task, waker: &Waker, park: &dyn Fn()) -> bool {
                    // As `block` in mutex.rs does, which knows its thread.
                    let key = Key::from_bits(THREADS | thread).expect("threads are counted from 1");
                    let blocked = Blocked::new(key);
                    let mut asking = Asking::blocking(Location::caller());
                    loop {
                        let mut cx = Context::from_waker(waker);
                        if let Poll::Ready(reply) = self.core.poll_by(key, &mut asking, &mut cx, || self.flag.take()) {
                            return reply.is_ok();
                        }
                        if !blocked.judge() {
                            park();
                        }
                    }
                }
                fn try_acquire(&self) -> bool {
                    self.core.try_acquire(Location::caller(), || self.flag.take()).is_ok()
                }
                fn release(&self) {
                    // As an owned guard is released, in more steps than a borrowed one.
                    self.core.release(true, || self.flag.release());
                }
                fn holder(&self) -> Option<Task> {
                    self.core.holding().map(|held| held.key.bits())
                }
                fn waiting(&self) -> usize {
                    self.core.waiting()
                }
                fn value(&self) -> &Cell<u32> {
                    &self.flag.value
                }
            }

            impl Acquire for Asks {
                fn poll(&mut self, task: Task, waker: &Waker) -> Poll<()> {
                    let key = Key::from_bits(task).expect("tasks are counted from 1");
                    let (core, flag) = (&self.mutex.core, &self.mutex.flag);
                    let polled = core.poll_by(key, &mut self.asking, &mut Context::from_waker(waker), || flag.take());
                    polled.map(|taken| taken.expect("the task holds nothing"))
                }
            }

            impl Drop for Asks {
                fn drop(&mut self) {
                    // An execution that failed is unwound, and loom is not there any more.
                    if !std::thread::panicking() {
                        self.mutex.core.leave(&mut self.asking);
                    }
                }
            }
        };
    };
}

include!(concat!(env!("OUT_DIR"), "/copies.rs"));
