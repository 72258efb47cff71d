//! async-lock, which smol and async-std re-export as their own.

use std::sync::Arc;

use async_lock::{
    Mutex, MutexGuard, MutexGuardArc, RwLock, RwLockReadGuardArc, RwLockUpgradableReadGuardArc, RwLockWriteGuardArc,
    Semaphore, SemaphoreGuardArc,
};
use harness::adapter::mutex::{self, AsyncMutex, MutexCapabilities, OwnedMutex};
use harness::adapter::rwlock::{self, AsyncRwLock};
use harness::adapter::semaphore::{self, AsyncSemaphore};
use harness::backend::LockLibrary;
use harness::explore::Explorable;
use harness::object::{Message, Object};
use harness::primitive::{Declaration, Primitive};

const MUTEX: MutexCapabilities = MutexCapabilities::plain().with_blocking();

/// What async-lock offers.
fn capabilities() -> Vec<&'static str> {
    let words = MUTEX.words().into_iter();
    let others = AsyncLockSemaphore::CAPABILITIES.iter().chain(AsyncLockRwLock::CAPABILITIES).copied();
    words.chain(others).collect()
}

/// async-lock, by the guards that borrow. Permits and guards of an rwlock are owned in either way.
pub struct AsyncLock;

impl LockLibrary for AsyncLock {
    fn make(declared: Declaration) -> Option<Arc<dyn Object>> {
        match declared.primitive {
            Primitive::Mutex => Some(mutex::borrowed::<AsyncLockMutex>()),
            Primitive::Semaphore => semaphore::object::<AsyncLockSemaphore>(declared.argument),
            Primitive::Rwlock => rwlock::object::<AsyncLockRwLock>(declared.argument),
            _ => None,
        }
    }

    fn explorable() -> Explorable {
        mutex::explorable_borrowed::<AsyncLockMutex>(Explorable::erased(Self::make))
    }

    fn capabilities() -> Vec<&'static str> {
        capabilities()
    }
}

/// async-lock, by the guards that own.
pub struct AsyncLockArc;

impl LockLibrary for AsyncLockArc {
    fn make(declared: Declaration) -> Option<Arc<dyn Object>> {
        match declared.primitive {
            Primitive::Mutex => Some(mutex::owned::<AsyncLockArcMutex>()),
            Primitive::Semaphore => semaphore::object::<AsyncLockSemaphore>(declared.argument),
            Primitive::Rwlock => rwlock::object::<AsyncLockRwLock>(declared.argument),
            _ => None,
        }
    }

    fn explorable() -> Explorable {
        mutex::explorable_owned::<AsyncLockArcMutex>(Explorable::erased(Self::make))
    }

    fn capabilities() -> Vec<&'static str> {
        capabilities()
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

struct AsyncLockSemaphore(Arc<Semaphore>);

impl AsyncSemaphore for AsyncLockSemaphore {
    type Permit = SemaphoreGuardArc;
    const CAPABILITIES: &'static [&'static str] =
        &["semaphore", "semaphore:add", "semaphore:acquire-blocking", "semaphore:available", "semaphore:debug"];

    fn new(permits: u64) -> Option<Self> {
        Some(Self(Arc::new(Semaphore::new(usize::try_from(permits).ok()?))))
    }

    fn acquire(&self, permits: u64) -> Option<impl Future<Output = Result<SemaphoreGuardArc, Message>> + Send> {
        let acquired = (permits == 1).then(|| self.0.acquire_arc())?;
        Some(async move { Ok(acquired.await) })
    }

    fn try_acquire(&self, permits: u64) -> Option<Result<SemaphoreGuardArc, Message>> {
        (permits == 1).then(|| self.0.try_acquire_arc().ok_or_else(Message::none))
    }

    fn acquire_blocking(&self, permits: u64) -> Option<Result<SemaphoreGuardArc, Message>> {
        (permits == 1).then(|| Ok(self.0.acquire_arc_blocking()))
    }

    fn forget(permit: SemaphoreGuardArc) -> Result<(), SemaphoreGuardArc> {
        permit.forget();
        Ok(())
    }

    fn add(&self, permits: u64) -> Option<()> {
        self.0.add_permits(usize::try_from(permits).ok()?);
        Some(())
    }

    fn available(&self) -> Option<i64> {
        i64::try_from(self.0.available_permits()).ok()
    }

    fn debug(&self) -> Option<String> {
        Some(format!("{:?}", self.0))
    }
}

struct AsyncLockRwLock(Arc<RwLock<()>>);

impl AsyncRwLock for AsyncLockRwLock {
    type Read = RwLockReadGuardArc<()>;
    type Write = RwLockWriteGuardArc<()>;
    type Upgradable = RwLockUpgradableReadGuardArc<()>;
    const CAPABILITIES: &'static [&'static str] = &[
        "rwlock",
        "rwlock:upgradable-read",
        "rwlock:upgrade",
        "rwlock:downgrade",
        "rwlock:downgrade-to-upgradable",
        "rwlock:read-blocking",
        "rwlock:write-blocking",
        "rwlock:debug",
    ];

    fn new(readers: Option<u64>) -> Option<Self> {
        readers.is_none().then(|| Self(Arc::new(RwLock::new(()))))
    }

    fn read(&self) -> impl Future<Output = Result<Self::Read, Message>> + Send {
        let acquired = self.0.read_arc();
        async move { Ok(acquired.await) }
    }

    fn write(&self) -> impl Future<Output = Result<Self::Write, Message>> + Send {
        let acquired = self.0.write_arc();
        async move { Ok(acquired.await) }
    }

    fn upgradable_read(&self) -> Option<impl Future<Output = Result<Self::Upgradable, Message>> + Send> {
        let acquired = self.0.upgradable_read_arc();
        Some(async move { Ok(acquired.await) })
    }

    fn upgrade(guard: Self::Upgradable) -> impl Future<Output = Result<Self::Write, Message>> + Send {
        let upgraded = RwLockUpgradableReadGuardArc::upgrade(guard);
        async move { Ok(upgraded.await) }
    }

    fn try_read(&self) -> Result<Self::Read, Message> {
        self.0.try_read_arc().ok_or_else(Message::none)
    }

    fn try_write(&self) -> Result<Self::Write, Message> {
        self.0.try_write_arc().ok_or_else(Message::none)
    }

    fn try_upgradable_read(&self) -> Option<Result<Self::Upgradable, Message>> {
        Some(self.0.try_upgradable_read_arc().ok_or_else(Message::none))
    }

    fn try_upgrade(guard: Self::Upgradable) -> Result<Self::Write, (Self::Upgradable, Message)> {
        RwLockUpgradableReadGuardArc::try_upgrade(guard).map_err(|guard| (guard, Message::none()))
    }

    fn read_blocking(&self) -> Option<Result<Self::Read, Message>> {
        Some(Ok(self.0.read_arc_blocking()))
    }

    fn write_blocking(&self) -> Option<Result<Self::Write, Message>> {
        Some(Ok(self.0.write_arc_blocking()))
    }

    fn upgradable_read_blocking(&self) -> Option<Result<Self::Upgradable, Message>> {
        Some(Ok(self.0.upgradable_read_arc_blocking()))
    }

    fn downgrade(guard: Self::Write) -> Result<Self::Read, Self::Write> {
        Ok(RwLockWriteGuardArc::downgrade(guard))
    }

    fn downgrade_to_upgradable(guard: Self::Write) -> Result<Self::Upgradable, Self::Write> {
        Ok(RwLockWriteGuardArc::downgrade_to_upgradable(guard))
    }

    fn downgrade_upgradable(guard: Self::Upgradable) -> Result<Self::Read, Self::Upgradable> {
        Ok(RwLockUpgradableReadGuardArc::downgrade(guard))
    }

    fn debug(&self) -> Option<String> {
        Some(format!("{:?}", self.0))
    }
}
