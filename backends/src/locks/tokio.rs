//! tokio::sync.

use std::sync::Arc;

use harness::adapter::mutex::{self, AsyncMutex, MutexCapabilities, OwnedMutex};
use harness::adapter::rwlock::{self, AsyncRwLock, Never};
use harness::adapter::semaphore::{self, AsyncSemaphore};
use harness::backend::LockLibrary;
use harness::explore::Explorable;
use harness::object::{Message, Object};
use harness::primitive::{Declaration, Primitive};
use tokio::sync::{
    Mutex, MutexGuard, OwnedMutexGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, OwnedSemaphorePermit, RwLock,
    Semaphore,
};

const MUTEX: MutexCapabilities = MutexCapabilities::plain().with_blocking();

/// What tokio::sync offers.
fn capabilities() -> Vec<&'static str> {
    let words = MUTEX.words().into_iter();
    words.chain(TokioSemaphore::CAPABILITIES.iter().copied()).chain(TokioRwLock::CAPABILITIES.iter().copied()).collect()
}

/// tokio::sync, by the guards that borrow. Permits and guards of an rwlock are owned in either way.
pub struct Tokio;

impl LockLibrary for Tokio {
    fn make(declared: Declaration) -> Option<Arc<dyn Object>> {
        match declared.primitive {
            Primitive::Mutex => Some(mutex::borrowed::<TokioMutex>()),
            Primitive::Semaphore => semaphore::object::<TokioSemaphore>(declared.argument),
            Primitive::Rwlock => rwlock::object::<TokioRwLock>(declared.argument),
            _ => None,
        }
    }

    fn explorable() -> Explorable {
        mutex::explorable_borrowed::<TokioMutex>(Explorable::erased(Self::make))
    }

    fn capabilities() -> Vec<&'static str> {
        capabilities()
    }
}

/// tokio::sync, by the guards that own.
pub struct TokioOwned;

impl LockLibrary for TokioOwned {
    fn make(declared: Declaration) -> Option<Arc<dyn Object>> {
        match declared.primitive {
            Primitive::Mutex => Some(mutex::owned::<TokioOwnedMutex>()),
            Primitive::Semaphore => semaphore::object::<TokioSemaphore>(declared.argument),
            Primitive::Rwlock => rwlock::object::<TokioRwLock>(declared.argument),
            _ => None,
        }
    }

    fn explorable() -> Explorable {
        mutex::explorable_owned::<TokioOwnedMutex>(Explorable::erased(Self::make))
    }

    fn capabilities() -> Vec<&'static str> {
        capabilities()
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

struct TokioSemaphore(Arc<Semaphore>);

impl AsyncSemaphore for TokioSemaphore {
    type Permit = OwnedSemaphorePermit;
    const CAPABILITIES: &'static [&'static str] = &[
        "semaphore",
        "semaphore:counted",
        "semaphore:add",
        "semaphore:forget-permits",
        "semaphore:close",
        "semaphore:available",
        "semaphore:is-closed",
        "semaphore:debug",
    ];

    fn new(permits: u64) -> Option<Self> {
        let permits = usize::try_from(permits).ok().filter(|permits| *permits <= Semaphore::MAX_PERMITS)?;
        Some(Self(Arc::new(Semaphore::new(permits))))
    }

    fn acquire(&self, permits: u64) -> Option<impl Future<Output = Result<OwnedSemaphorePermit, Message>> + Send> {
        let acquired = Arc::clone(&self.0).acquire_many_owned(u32::try_from(permits).ok()?);
        Some(async move { acquired.await.map_err(|error| Message::of(&error)) })
    }

    fn try_acquire(&self, permits: u64) -> Option<Result<OwnedSemaphorePermit, Message>> {
        let taken = Arc::clone(&self.0).try_acquire_many_owned(u32::try_from(permits).ok()?);
        Some(taken.map_err(|error| Message::of(&error)))
    }

    fn forget(permit: OwnedSemaphorePermit) -> Result<(), OwnedSemaphorePermit> {
        permit.forget();
        Ok(())
    }

    fn add(&self, permits: u64) -> Option<()> {
        self.0.add_permits(usize::try_from(permits).ok()?);
        Some(())
    }

    fn forget_permits(&self, permits: u64) -> Option<u64> {
        Some(self.0.forget_permits(usize::try_from(permits).ok()?) as u64)
    }

    fn close(&self) -> Option<()> {
        self.0.close();
        Some(())
    }

    fn available(&self) -> Option<i64> {
        i64::try_from(self.0.available_permits()).ok()
    }

    fn is_closed(&self) -> Option<bool> {
        Some(self.0.is_closed())
    }

    fn debug(&self) -> Option<String> {
        Some(format!("{:?}", self.0))
    }
}

struct TokioRwLock(Arc<RwLock<()>>);

impl AsyncRwLock for TokioRwLock {
    type Read = OwnedRwLockReadGuard<()>;
    type Write = OwnedRwLockWriteGuard<()>;
    type Upgradable = Never;
    const CAPABILITIES: &'static [&'static str] = &["rwlock", "rwlock:readers", "rwlock:downgrade", "rwlock:debug"];

    fn new(readers: Option<u64>) -> Option<Self> {
        let lock = match readers {
            None => RwLock::new(()),
            // More, or none, is a panic of the library.
            Some(readers) => RwLock::with_max_readers(
                (),
                u32::try_from(readers).ok().filter(|readers| (1..=MAX_READS).contains(readers))?,
            ),
        };
        Some(Self(Arc::new(lock)))
    }

    fn read(&self) -> impl Future<Output = Result<Self::Read, Message>> + Send {
        let acquired = Arc::clone(&self.0).read_owned();
        async move { Ok(acquired.await) }
    }

    fn write(&self) -> impl Future<Output = Result<Self::Write, Message>> + Send {
        let acquired = Arc::clone(&self.0).write_owned();
        async move { Ok(acquired.await) }
    }

    #[expect(clippy::manual_async_fn, reason = "there is no guard to call the library with")]
    fn upgrade(guard: Never) -> impl Future<Output = Result<Self::Write, Message>> + Send {
        async move { match guard {} }
    }

    fn try_read(&self) -> Result<Self::Read, Message> {
        Arc::clone(&self.0).try_read_owned().map_err(|error| Message::of(&error))
    }

    fn try_write(&self) -> Result<Self::Write, Message> {
        Arc::clone(&self.0).try_write_owned().map_err(|error| Message::of(&error))
    }

    fn try_upgrade(guard: Never) -> Result<Self::Write, (Never, Message)> {
        match guard {}
    }

    fn downgrade(guard: Self::Write) -> Result<Self::Read, Self::Write> {
        Ok(guard.downgrade())
    }

    fn debug(&self) -> Option<String> {
        Some(format!("{:?}", self.0))
    }
}

/// The most readers that `RwLock::with_max_readers` takes: tokio-rs/tokio tokio/src/sync/rwlock.rs, `MAX_READS`.
const MAX_READS: u32 = u32::MAX >> 3;
