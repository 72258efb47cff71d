//! The naive remedy for re-entry: `if lock.is_locked() { error }` before the acquire, over tokio::sync.
//!
//! It is a subject and no advice: it takes everybody else for a second self, and what it has seen is old when it waits.

use std::sync::Arc;

use harness::adapter::mutex::MutexCapabilities;
use harness::backend::LockLibrary;
use harness::object::{Answer, Message, Object, Operation, Reply, hold};
use harness::primitive::{Declaration, Place, Primitive, Request, mutex};
use tokio::sync::Mutex;

/// The naive remedy over tokio::sync.
pub struct Naive;

impl LockLibrary for Naive {
    fn make(declared: Declaration) -> Option<Arc<dyn Object>> {
        match declared.primitive {
            Primitive::Mutex => Some(Arc::new(NaiveMutex::default())),
            _ => None,
        }
    }

    fn capabilities() -> Vec<&'static str> {
        MutexCapabilities::plain().words()
    }
}

/// A mutex with the remedy. As in the code of its users, the check is made where the acquire is called, and the wait begins
/// where its future is awaited.
#[derive(Default)]
struct NaiveMutex(Mutex<()>);

impl NaiveMutex {
    fn is_locked(&self) -> bool {
        self.0.try_lock().is_err()
    }

    fn acquire(self: Arc<Self>) -> Operation {
        if self.is_locked() {
            return Operation::new(async { Reply::Refused(Message::text("this mutex is locked already")) });
        }
        Operation::new(async move {
            let _guard = self.0.lock().await;
            hold().await
        })
    }
}

impl Object for NaiveMutex {
    fn operation(self: Arc<Self>, request: Request, place: Place) -> Operation {
        match (request, place) {
            (mutex::ACQUIRE, Place::Task) => self.acquire(),
            (mutex::TRY_ACQUIRE, _) => Operation::new(async move {
                match self.0.try_lock() {
                    Ok(_guard) => hold().await,
                    Err(error) => Reply::Refused(Message::of(&error)),
                }
            }),
            (mutex::IS_LOCKED, _) => Operation::new(async move { Reply::Answer(Answer::Flag(self.is_locked())) }),
            (mutex::DEBUG, _) => Operation::new(async move { Reply::Answer(Answer::Text(format!("{:?}", self.0))) }),
            _ => Operation::new(async { Reply::Unsupported }),
        }
    }
}
