//! The strict mutex, over each of the lock libraries that were built.

use std::sync::Arc;

use harness::adapter::mutex::{self, AsyncMutex, MutexCapabilities};
use harness::backend::LockLibrary;
use harness::identity::Identity;
use harness::object::{Message, Object};
use harness::primitive::{Declaration, Primitive};
use strict::{Acquire, AcquireError, Library, Source, StrictGuard, StrictMutex, TryAcquireError};

// The places of these three calls stand in the messages, and so in the snapshots, whichever library is below.

fn acquire<L: Library>(mutex: &StrictMutex<(), L>) -> Acquire<'_, (), L> {
    mutex.acquire()
}

fn try_acquire<L: Library>(mutex: &StrictMutex<(), L>) -> Result<StrictGuard<'_, (), L>, TryAcquireError> {
    mutex.try_acquire()
}

fn acquire_blocking<L: Library>(mutex: &StrictMutex<(), L>) -> Result<StrictGuard<'_, (), L>, AcquireError> {
    mutex.acquire_blocking()
}

const MUTEX: MutexCapabilities = MutexCapabilities::plain().with_blocking().with_is_locked();

/// Who asks is the task of the scenario: a runtime that knows its tasks would name them otherwise than one that does not.
const TASKS: Source = Source::new(|| Identity::current().map(Identity::number))
    .with_names(|number| Identity::from_number(number).task().map(|task| task.to_string()));

macro_rules! strict_over {
    ($(#[$doc:meta])* $name:ident, $mutex:ident, $library:ty) => {
        $(#[$doc])*
        pub struct $name;

        impl LockLibrary for $name {
            fn make(declared: Declaration) -> Option<Arc<dyn Object>> {
                match declared.primitive {
                    Primitive::Mutex => Some(mutex::borrowed::<$mutex>()),
                    _ => None,
                }
            }

            fn explorable() -> harness::explore::Explorable {
                mutex::explorable_borrowed::<$mutex>(harness::explore::Explorable::erased(Self::make))
            }

            fn capabilities() -> Vec<&'static str> {
                MUTEX.words()
            }
        }

        struct $mutex(StrictMutex<(), $library>);

        impl AsyncMutex for $mutex {
            type Guard<'a> = StrictGuard<'a, (), $library>;
            const CAPABILITIES: MutexCapabilities = MUTEX;

            fn new() -> Self {
                // The same source, however often it is set.
                let _ = strict::set_source(TASKS);
                Self(StrictMutex::new(()))
            }

            fn acquire(&self) -> impl Future<Output = Result<Self::Guard<'_>, Message>> + Send {
                let acquired = acquire(&self.0);
                async move { acquired.await.map_err(|error| Message::of(&error)) }
            }

            fn try_acquire(&self) -> Result<Self::Guard<'_>, Message> {
                try_acquire(&self.0).map_err(|error| Message::of(&error))
            }

            fn acquire_blocking(&self) -> Result<Self::Guard<'_>, Message> {
                acquire_blocking(&self.0).map_err(|error| Message::of(&error))
            }

            fn is_locked(&self) -> bool {
                self.0.is_locked()
            }

            fn debug(&self) -> String {
                format!("{:?}", self.0)
            }

            fn sent(guard: &mut Self::Guard<'_>) {
                StrictGuard::pass(guard);
            }

            fn received(guard: &mut Self::Guard<'_>) {
                StrictGuard::adopt(guard);
            }
        }
    };
}

#[cfg(feature = "backend-tokio")]
strict_over! {
    /// The strict mutex over tokio::sync.
    StrictTokio, StrictTokioMutex, strict::TokioSync
}

#[cfg(feature = "backend-async-lock")]
strict_over! {
    /// The strict mutex over async-lock.
    StrictAsyncLock, StrictAsyncLockMutex, strict::AsyncLock
}

#[cfg(feature = "backend-futures")]
strict_over! {
    /// The strict mutex over futures-util.
    StrictFutures, StrictFuturesMutex, strict::FuturesUtil
}
