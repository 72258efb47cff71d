//! A lock of a stranger, its type erased, and the certification of its adapter.

use harness::adapter::mutex::{self, AsyncMutex, MutexCapabilities, OwnedMutex};
use harness::certify::adapter::{Adapter, Certificate};
use harness::driver::MakeObject;
use harness::primitive::Primitive;

use crate::runtimes::RuntimeEntry;

/// A lock to be tested: made of a type that implements [`AsyncMutex`].
#[derive(Clone, Copy, Debug)]
pub struct Lock {
    pub(crate) make: MakeObject,
    pub(crate) capabilities: MutexCapabilities,
    blocks: fn() -> bool,
}

impl Lock {
    /// Returns the lock of an adapter whose guards borrow the mutex.
    #[must_use]
    pub fn borrowed<M: AsyncMutex>() -> Self {
        Self {
            make: |declared| match declared.primitive {
                Primitive::Mutex => Some(mutex::borrowed::<M>()),
                _ => None,
            },
            capabilities: M::CAPABILITIES,
            blocks: blocks::<M>,
        }
    }

    /// Returns the lock of an adapter whose guards are owned: they keep the mutex alive by themselves.
    #[must_use]
    pub fn owned<M: OwnedMutex>() -> Self {
        Self {
            make: |declared| match declared.primitive {
                Primitive::Mutex => Some(mutex::owned::<M>()),
                _ => None,
            },
            ..Self::borrowed::<M>()
        }
    }

    pub(crate) fn subject(&self) -> Adapter {
        Adapter::new(self.make, self.capabilities.words()).with_blocking_probe(self.blocks)
    }
}

/// Returns whether a blocking acquire is written, declared or not.
fn blocks<M: AsyncMutex>() -> bool {
    M::new().acquire_blocking().is_ok()
}

/// Certifies the adapter of a lock on a runtime: looks for faults that are the adapter's own, each by its name.
///
/// [`test_lock!`](crate::test_lock) does so in one of its tests; here it is one line for a test of your own. A certificate
/// does not say that the lock is right. That is what the scenarios are for.
///
#[cfg_attr(feature = "smol", doc = "```")]
#[cfg_attr(not(feature = "smol"), doc = "```ignore")]
/// # use keyalike::{AsyncMutex, Message, MutexCapabilities};
/// /// It never releases.
/// struct Sticky(std::sync::atomic::AtomicBool);
///
/// impl AsyncMutex for Sticky {
///     type Guard<'a> = ();
///     const CAPABILITIES: MutexCapabilities = MutexCapabilities::plain();
/// #     fn new() -> Self { Self(false.into()) }
///     async fn acquire(&self) -> Result<(), Message> {
///         std::future::poll_fn(|_| match self.try_acquire() {
///             Ok(()) => std::task::Poll::Ready(Ok(())),
///             Err(_) => std::task::Poll::Pending,
///         })
///         .await
///     }
///     // ...
/// #     fn try_acquire(&self) -> Result<(), Message> {
/// #         match self.0.swap(true, std::sync::atomic::Ordering::SeqCst) {
/// #             true => Err(Message::none()),
/// #             false => Ok(()),
/// #         }
/// #     }
/// #     fn debug(&self) -> String { "Sticky".to_owned() }
/// }
///
/// let certificate = keyalike::certify::<Sticky>(&keyalike::runtimes::smol());
/// assert!(certificate.convicts(keyalike::Fault::GuardDoesNotRelease));
/// ```
#[must_use]
pub fn certify<M: AsyncMutex>(runtime: &RuntimeEntry) -> Certificate {
    runtime.certification(&Lock::borrowed::<M>())()
}

/// Certifies the adapter of a lock whose guards are owned, as [`certify`] does.
#[must_use]
pub fn certify_owned<M: OwnedMutex>(runtime: &RuntimeEntry) -> Certificate {
    runtime.certification(&Lock::owned::<M>())()
}
