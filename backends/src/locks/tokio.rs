//! tokio::sync.

use std::sync::Arc;

use harness::adapter::mutex::{self, AsyncMutex, MutexCapabilities, OwnedMutex};
use harness::backend::LockLibrary;
use harness::explore::Explorable;
use harness::object::{Message, Object};
use harness::primitive::{Declaration, Primitive};
use tokio::sync::{Mutex, MutexGuard, OwnedMutexGuard};

const MUTEX: MutexCapabilities = MutexCapabilities::plain().with_blocking();

/// tokio::sync, by the guards that borrow.
pub struct Tokio;

impl LockLibrary for Tokio {
    fn make(declared: Declaration) -> Option<Arc<dyn Object>> {
        match declared.primitive {
            Primitive::Mutex => Some(mutex::borrowed::<TokioMutex>()),
            _ => None,
        }
    }

    fn explorable() -> Explorable {
        mutex::explorable_borrowed::<TokioMutex>(Explorable::erased(Self::make))
    }

    fn capabilities() -> Vec<&'static str> {
        MUTEX.words()
    }
}

/// tokio::sync, by the guards that own.
pub struct TokioOwned;

impl LockLibrary for TokioOwned {
    fn make(declared: Declaration) -> Option<Arc<dyn Object>> {
        match declared.primitive {
            Primitive::Mutex => Some(mutex::owned::<TokioOwnedMutex>()),
            _ => None,
        }
    }

    fn explorable() -> Explorable {
        mutex::explorable_owned::<TokioOwnedMutex>(Explorable::erased(Self::make))
    }

    fn capabilities() -> Vec<&'static str> {
        MUTEX.words()
    }
}

struct TokioMutex(Mutex<()>);

impl AsyncMutex for TokioMutex {
    type Guard<'a> = MutexGuard<'a, ()>;
    const CAPABILITIES: MutexCapabilities = MUTEX;

    fn new() -> Self {
        Self(Mutex::new(()))
    }

    fn acquire(&self) -> impl Future<Output = Result<MutexGuard<'_, ()>, Message>> + Send {
        let acquired = self.0.lock();
        async move { Ok(acquired.await) }
    }

    fn try_acquire(&self) -> Result<MutexGuard<'_, ()>, Message> {
        self.0.try_lock().map_err(|error| Message::of(&error))
    }

    fn acquire_blocking(&self) -> Result<MutexGuard<'_, ()>, Message> {
        Ok(self.0.blocking_lock())
    }

    fn debug(&self) -> String {
        format!("{:?}", self.0)
    }
}

struct TokioOwnedMutex(Arc<Mutex<()>>);

impl AsyncMutex for TokioOwnedMutex {
    type Guard<'a> = OwnedMutexGuard<()>;
    const CAPABILITIES: MutexCapabilities = MUTEX;

    fn new() -> Self {
        Self(Arc::new(Mutex::new(())))
    }

    fn acquire(&self) -> impl Future<Output = Result<OwnedMutexGuard<()>, Message>> + Send {
        let acquired = Arc::clone(&self.0).lock_owned();
        async move { Ok(acquired.await) }
    }

    fn try_acquire(&self) -> Result<OwnedMutexGuard<()>, Message> {
        Arc::clone(&self.0).try_lock_owned().map_err(|error| Message::of(&error))
    }

    fn acquire_blocking(&self) -> Result<OwnedMutexGuard<()>, Message> {
        Ok(Arc::clone(&self.0).blocking_lock_owned())
    }

    fn debug(&self) -> String {
        format!("{:?}", self.0)
    }
}

impl OwnedMutex for TokioOwnedMutex {
    type Owned = OwnedMutexGuard<()>;
}
