//! The adapter: what the release offers, behind the traits of the harness.

use std::sync::Arc;

use harness::adapter::mutex::{self, AsyncMutex, MutexCapabilities};
use harness::backend::LockLibrary;
use harness::object::{Message, Object};
use harness::primitive::{Declaration, Primitive};

use crate::lacking::{HAS_TRY, Lacking};
use crate::subject;

const MUTEX: MutexCapabilities = match cfg!(feature = "blocking") {
    true => MutexCapabilities::plain().with_blocking(),
    false => MutexCapabilities::plain(),
};

/// The locks of the release, by the guards that borrow.
pub(crate) struct Borrowed;

impl LockLibrary for Borrowed {
    fn make(declared: Declaration) -> Option<Arc<dyn Object>> {
        match declared.primitive {
            Primitive::Mutex => Some(Arc::new(Lacking::new(mutex::borrowed::<BorrowedMutex>()))),
            _ => None,
        }
    }

    fn capabilities() -> Vec<&'static str> {
        words(MUTEX)
    }
}

fn words(capabilities: MutexCapabilities) -> Vec<&'static str> {
    let words = capabilities.words().into_iter().filter(|word| *word != "mutex:debug" || cfg!(feature = "debug"));
    let told = |word| if word == "mutex:try-acquire" && !HAS_TRY { "mutex:try-acquire-emulated" } else { word };
    words.map(told).collect()
}

struct BorrowedMutex(subject::mutex::Mutex<()>);

impl AsyncMutex for BorrowedMutex {
    type Guard<'a> = subject::mutex::Guard<'a>;
    const CAPABILITIES: MutexCapabilities = MUTEX;

    fn new() -> Self {
        Self(subject::mutex::Mutex::new(()))
    }

    fn acquire(&self) -> impl Future<Output = Result<Self::Guard<'_>, Message>> + Send {
        let acquired = subject::mutex::acquire(&self.0);
        async move { Ok(acquired.await) }
    }

    fn try_acquire(&self) -> Result<Self::Guard<'_>, Message> {
        #[cfg(feature = "try_acquire")]
        return subject::try_acquire::try_acquire(&self.0);
        #[cfg(all(feature = "try_plain", not(feature = "try_acquire")))]
        return subject::try_plain::try_acquire(&self.0);
        #[cfg(not(any(feature = "try_acquire", feature = "try_plain")))]
        unreachable!("`Lacking` answers before it is asked")
    }

    #[cfg(feature = "blocking")]
    fn acquire_blocking(&self) -> Result<Self::Guard<'_>, Message> {
        Ok(subject::blocking::acquire(&self.0))
    }

    fn debug(&self) -> String {
        #[cfg(feature = "debug")]
        return subject::debug::debug(&self.0);
        #[cfg(not(feature = "debug"))]
        unreachable!("`Lacking` answers before it is asked")
    }
}

#[cfg(feature = "owned")]
pub(crate) use owned::Owned;

#[cfg(feature = "owned")]
mod owned {
    use harness::adapter::mutex::OwnedMutex;

    use super::*;

    const MUTEX: MutexCapabilities = MutexCapabilities::plain();

    /// The locks of the release, by the guards that own.
    pub(crate) struct Owned;

    impl LockLibrary for Owned {
        fn make(declared: Declaration) -> Option<Arc<dyn Object>> {
            match declared.primitive {
                Primitive::Mutex => Some(Arc::new(Lacking::new(mutex::owned::<SharedMutex>()))),
                _ => None,
            }
        }

        fn capabilities() -> Vec<&'static str> {
            words(MUTEX)
        }
    }

    struct SharedMutex(Arc<subject::mutex::Mutex<()>>);

    impl AsyncMutex for SharedMutex {
        type Guard<'a> = subject::owned::Guard;
        const CAPABILITIES: MutexCapabilities = MUTEX;

        fn new() -> Self {
            Self(Arc::new(subject::mutex::Mutex::new(())))
        }

        fn acquire(&self) -> impl Future<Output = Result<subject::owned::Guard, Message>> + Send {
            let acquired = subject::owned::acquire(&self.0);
            async move { Ok(acquired.await) }
        }

        fn try_acquire(&self) -> Result<subject::owned::Guard, Message> {
            subject::owned::try_acquire(&self.0)
        }

        fn debug(&self) -> String {
            #[cfg(feature = "debug")]
            return subject::debug::debug(&self.0);
            #[cfg(not(feature = "debug"))]
            unreachable!("`Lacking` answers before it is asked")
        }
    }

    impl OwnedMutex for SharedMutex {
        type Owned = subject::owned::Guard;
    }
}
