//! The locks under test: honest ones, and broken ones that differ from them in one decision each.

mod broken;
mod counted;
mod queued;

use std::sync::Arc;

use keyalike_harness::adapter::mutex::{self, AsyncMutex};
use keyalike_harness::adapter::semaphore;
use keyalike_harness::backend::{Backend, LockLibrary, Pair};
use keyalike_harness::driver::MakeObject;
use keyalike_harness::executor::Executor;
use keyalike_harness::object::Object;
use keyalike_harness::primitive::{Declaration, Primitive};
use keyalike_harness::subject::{Description, Subject};

pub(crate) use broken::ALL as BROKEN;
use queued::{Barging, HandsOver, HeedsBudget, Moody, Mutex, OutlivesItself, Ways};

/// The id of the lock that hands over to the longest waiter.
pub(crate) const HONEST: &str = "honest";
/// The id of the lock that a newcomer may take before a woken waiter has run.
pub(crate) const HONEST_BARGING: &str = "honest-barging";

/// The id of the semaphore that serves in the order of arrival.
pub(crate) const HONEST_COUNTED: &str = "honest-counted";

/// The id of the lock that says pending on an empty budget.
pub(crate) const HONEST_WITH_BUDGET: &str = "honest-with-budget";

/// The id of the lock whose wakers come when it is gone.
pub(crate) const OUTLIVES_ITSELF: &str = "outlives-itself";

/// The id of the lock that refuses every other try.
pub(crate) const MOODY: &str = "moody";

/// Makes locks whose waiters wake their own tasks with every poll.
pub(crate) const SELF_WAKING: MakeObject = Library::<broken::SelfWaking>::make;

/// A name by which a worker finds a lock, and how to make the backend.
pub(crate) type Row = (&'static str, fn(&'static str) -> Arc<dyn Backend>);

/// Returns the backend of a lock, on an executor of its own.
pub(crate) fn backend(id: &str) -> Option<Arc<dyn Backend>> {
    const OTHERS: [Row; 6] = [
        (HONEST, on_executor::<HandsOver>),
        (HONEST_BARGING, on_executor::<Barging>),
        (HONEST_COUNTED, paired::<Counted>),
        (HONEST_WITH_BUDGET, on_executor::<HeedsBudget>),
        (OUTLIVES_ITSELF, on_executor::<OutlivesItself>),
        (MOODY, on_executor::<Moody>),
    ];
    OTHERS.iter().chain(BROKEN).find(|(known, _)| *known == id).map(|(known, make)| make(known))
}

/// Pairs the mutex that goes these ways with a new executor.
fn on_executor<W: Ways>(id: &'static str) -> Arc<dyn Backend> {
    paired::<Library<W>>(id)
}

/// Pairs a library with a new executor.
fn paired<L: LockLibrary + 'static>(id: &'static str) -> Arc<dyn Backend> {
    let subject = |name: &str| Subject { name: name.to_owned(), version: String::new() };
    let description = Description {
        id: id.to_owned(),
        runtime: subject("executor"),
        locks: subject(id),
        capabilities: Vec::new(),
        native: true,
    };
    Arc::new(Pair::<Executor>::of::<L>(Arc::default(), description))
}

struct Library<W>(W);

impl<W: Ways> LockLibrary for Library<W> {
    fn make(declared: Declaration) -> Option<Arc<dyn Object>> {
        match declared.primitive {
            Primitive::Mutex => Some(mutex::borrowed::<Mutex<W>>()),
            _ => None,
        }
    }

    fn capabilities() -> Vec<&'static str> {
        Mutex::<W>::CAPABILITIES.words()
    }
}

struct Counted;

impl LockLibrary for Counted {
    fn make(declared: Declaration) -> Option<Arc<dyn Object>> {
        match declared.primitive {
            Primitive::Semaphore => semaphore::object::<counted::Semaphore>(declared.argument),
            _ => None,
        }
    }

    fn capabilities() -> Vec<&'static str> {
        <counted::Semaphore as semaphore::AsyncSemaphore>::CAPABILITIES.to_vec()
    }
}
