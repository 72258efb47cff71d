//! async-lock, which smol and async-std re-export as their own.

use std::sync::Arc;

use async_lock::{Mutex, MutexGuard, MutexGuardArc};
use harness::adapter::mutex::{self, AsyncMutex, MutexCapabilities, OwnedMutex};
use harness::backend::LockLibrary;
use harness::explore::Explorable;
use harness::object::{Message, Object};
use harness::primitive::{Declaration, Primitive};

const MUTEX: MutexCapabilities = MutexCapabilities::plain().with_blocking();

/// async-lock, by the guards that borrow.
pub struct AsyncLock;

impl LockLibrary for AsyncLock {
    fn make(declared: Declaration) -> Option<Arc<dyn Object>> {
        match declared.primitive {
            Primitive::Mutex => Some(mutex::borrowed::<AsyncLockMutex>()),
            _ => None,
        }
    }

    fn explorable() -> Explorable {
        mutex::explorable_borrowed::<AsyncLockMutex>(Explorable::erased(Self::make))
    }

    fn capabilities() -> Vec<&'static str> {
        MUTEX.words()
    }
}

/// async-lock, by the guards that own.
pub struct AsyncLockArc;

impl LockLibrary for AsyncLockArc {
    fn make(declared: Declaration) -> Option<Arc<dyn Object>> {
        match declared.primitive {
            Primitive::Mutex => Some(mutex::owned::<AsyncLockArcMutex>()),
            _ => None,
        }
    }

    fn explorable() -> Explorable {
        mutex::explorable_owned::<AsyncLockArcMutex>(Explorable::erased(Self::make))
    }

    fn capabilities() -> Vec<&'static str> {
        MUTEX.words()
    }
}

struct AsyncLockMutex(Mutex<()>);

impl AsyncMutex for AsyncLockMutex {
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

    fn acquire_blocking(&self) -> Result<MutexGuard<'_, ()>, Message> {
        Ok(self.0.lock_blocking())
    }

    fn debug(&self) -> String {
        format!("{:?}", self.0)
    }
}

struct AsyncLockArcMutex(Arc<Mutex<()>>);

impl AsyncMutex for AsyncLockArcMutex {
    type Guard<'a> = MutexGuardArc<()>;
    const CAPABILITIES: MutexCapabilities = MUTEX;

    fn new() -> Self {
        Self(Arc::new(Mutex::new(())))
    }

    fn acquire(&self) -> impl Future<Output = Result<MutexGuardArc<()>, Message>> + Send {
        let acquired = self.0.lock_arc();
        async move { Ok(acquired.await) }
    }

    fn try_acquire(&self) -> Result<MutexGuardArc<()>, Message> {
        self.0.try_lock_arc().ok_or_else(Message::none)
    }

    fn acquire_blocking(&self) -> Result<MutexGuardArc<()>, Message> {
        Ok(self.0.lock_arc_blocking())
    }

    fn debug(&self) -> String {
        format!("{:?}", self.0)
    }
}

impl OwnedMutex for AsyncLockArcMutex {
    type Owned = MutexGuardArc<()>;
}
