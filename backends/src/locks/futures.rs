//! futures-util's locks.

use std::sync::Arc;

use futures_util::lock::{Mutex, MutexGuard, OwnedMutexGuard};
use harness::adapter::mutex::{self, AsyncMutex, MutexCapabilities, OwnedMutex};
use harness::backend::LockLibrary;
use harness::explore::Explorable;
use harness::object::{Message, Object};
use harness::primitive::{Declaration, Primitive};

const MUTEX: MutexCapabilities = MutexCapabilities::plain();

/// futures-util, by the guards that borrow.
pub struct Futures;

impl LockLibrary for Futures {
    fn make(declared: Declaration) -> Option<Arc<dyn Object>> {
        match declared.primitive {
            Primitive::Mutex => Some(mutex::borrowed::<FuturesMutex>()),
            _ => None,
        }
    }

    fn explorable() -> Explorable {
        mutex::explorable_borrowed::<FuturesMutex>(Explorable::erased(Self::make))
    }

    fn capabilities() -> Vec<&'static str> {
        MUTEX.words()
    }
}

/// futures-util, by the guards that own.
pub struct FuturesOwned;

impl LockLibrary for FuturesOwned {
    fn make(declared: Declaration) -> Option<Arc<dyn Object>> {
        match declared.primitive {
            Primitive::Mutex => Some(mutex::owned::<FuturesOwnedMutex>()),
            _ => None,
        }
    }

    fn explorable() -> Explorable {
        mutex::explorable_owned::<FuturesOwnedMutex>(Explorable::erased(Self::make))
    }

    fn capabilities() -> Vec<&'static str> {
        MUTEX.words()
    }
}

struct FuturesMutex(Mutex<()>);

impl AsyncMutex for FuturesMutex {
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
        self.0.try_lock().ok_or_else(Message::none)
    }

    fn debug(&self) -> String {
        format!("{:?}", self.0)
    }
}

struct FuturesOwnedMutex(Arc<Mutex<()>>);

impl AsyncMutex for FuturesOwnedMutex {
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
        self.0.try_lock_owned().ok_or_else(Message::none)
    }

    fn debug(&self) -> String {
        format!("{:?}", self.0)
    }
}

impl OwnedMutex for FuturesOwnedMutex {
    type Owned = OwnedMutexGuard<()>;
}
