//! The mutex: what can be asked of it, and the trait by which an adapter says how its library does it.

use std::marker::PhantomData;
use std::sync::Arc;

use crate::explore::{self, Explorable};
use crate::object::{Handover, Message, Object, Operation, Reply, hold_and};
use crate::primitive::{Primitive, Request};
use crate::scenario::Place;

/// What can be asked of a mutex.
pub const REQUESTS: &[Request] = &[Request::Acquire, Request::TryAcquire, Request::IsLocked, Request::Debug];

/// A mutex of some library, holding `()`. An adapter translates each method into one call and decides nothing.
pub trait AsyncMutex: Send + Sync + Sized + 'static {
    /// The library's guard. Borrowed from the mutex, or owned.
    type Guard<'a>: Send;

    /// What the library offers. What is not declared here is used by no scenario.
    const CAPABILITIES: MutexCapabilities;

    /// Makes a free mutex.
    fn new() -> Self;

    /// Waits for the mutex.
    ///
    /// # Errors
    ///
    /// The library's message, if it refuses instead of waiting.
    fn acquire(&self) -> impl Future<Output = Result<Self::Guard<'_>, Message>> + Send;

    /// Takes the mutex if it is free.
    ///
    /// # Errors
    ///
    /// The library's message, or [`Message::none`] where it says no more than `None`.
    fn try_acquire(&self) -> Result<Self::Guard<'_>, Message>;

    /// Waits for the mutex in the library's blocking way.
    ///
    /// # Errors
    ///
    /// The library's message, if it refuses instead of waiting; and by default, where
    /// [`MutexCapabilities::blocking`] is not declared.
    ///
    /// # Panics
    ///
    /// If the library does.
    fn acquire_blocking(&self) -> Result<Self::Guard<'_>, Message> {
        Err(Message::text("the library has no blocking acquire"))
    }

    /// Returns whether somebody holds the mutex. By default by trying and dropping, and then
    /// [`MutexCapabilities::is_locked`] must be [`Query::Emulated`].
    fn is_locked(&self) -> bool {
        self.try_acquire().is_err()
    }

    /// Returns what `{:?}` prints of the mutex.
    fn debug(&self) -> String;

    /// Tells a guard that its task gives it away, where the library has a call for that. By default a guard is just moved.
    fn sent(guard: &mut Self::Guard<'_>) {
        let _ = guard;
    }

    /// Tells a guard, in the task that has received it, that it has, where the library has a call for that.
    fn received(guard: &mut Self::Guard<'_>) {
        let _ = guard;
    }
}

/// Holds a guard for ever, and tells it when it goes to another task.
async fn hold<M: AsyncMutex>(mut guard: M::Guard<'_>) -> Reply {
    hold_and(|how| match how {
        Handover::Sent => M::sent(&mut guard),
        Handover::Received => M::received(&mut guard),
    })
    .await
}

/// A mutex whose guards are owned: they keep the mutex alive by themselves.
pub trait OwnedMutex: for<'a> AsyncMutex<Guard<'a> = Self::Owned> {
    /// The guard, whatever the lifetime.
    type Owned: Send + 'static;
}

/// What a library's mutex offers beyond acquire, try-acquire and release.
///
/// Begin with [`plain`](Self::plain), and add what there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MutexCapabilities {
    /// Whether there is a blocking acquire.
    pub blocking: bool,
    /// How `is-locked` is answered.
    pub is_locked: Query,
}

/// How a question is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Query {
    /// By the library's own method.
    Native,
    /// By other methods of the library.
    Emulated,
}

impl MutexCapabilities {
    /// Returns the capabilities of a mutex with no blocking acquire, whose `is-locked` is answered by a try.
    #[must_use]
    pub const fn plain() -> Self {
        Self { blocking: false, is_locked: Query::Emulated }
    }

    /// Returns the same with a blocking acquire: [`AsyncMutex::acquire_blocking`] is written.
    #[must_use]
    pub const fn with_blocking(mut self) -> Self {
        self.blocking = true;
        self
    }

    /// Returns the same with an `is-locked` of the library's own: [`AsyncMutex::is_locked`] is written.
    #[must_use]
    pub const fn with_is_locked(mut self) -> Self {
        self.is_locked = Query::Native;
        self
    }

    /// Every word by which reports name what a mutex offers.
    pub const WORDS: [&str; 7] = [
        "mutex",
        "mutex:try-acquire",
        "mutex:try-acquire-emulated",
        "mutex:debug",
        "mutex:is-locked",
        "mutex:is-locked-emulated",
        "mutex:acquire-blocking",
    ];

    /// Returns the words by which reports name what is offered.
    pub fn words(self) -> Vec<&'static str> {
        let mut words = vec!["mutex", "mutex:try-acquire", "mutex:debug"];
        words.push(match self.is_locked {
            Query::Native => "mutex:is-locked",
            Query::Emulated => "mutex:is-locked-emulated",
        });
        if self.blocking {
            words.push("mutex:acquire-blocking");
        }
        words
    }
}

/// How long a frame keeps the mutex: the difference between the two faces of a library.
trait Face<M: AsyncMutex>: Send + Sync + Sized + 'static {
    fn frame(mutex: Arc<Erased<M, Self>>, take: Take) -> Operation;
}

/// A way to take the mutex.
#[derive(Clone, Copy)]
enum Take {
    Wait,
    Try,
    Block,
}

async fn take<M: AsyncMutex>(mutex: &M, take: Take) -> Result<M::Guard<'_>, Message> {
    match take {
        Take::Wait => mutex.acquire().await,
        Take::Try => mutex.try_acquire(),
        Take::Block => mutex.acquire_blocking(),
    }
}

/// The guard borrows the mutex, so the frame keeps both.
struct Borrowed;

impl<M: AsyncMutex> Face<M> for Borrowed {
    fn frame(mutex: Arc<Erased<M, Self>>, how: Take) -> Operation {
        Operation::new(async move {
            match take(&mutex.0, how).await {
                Ok(guard) => hold::<M>(guard).await,
                Err(message) => Reply::Refused(message),
            }
        })
    }
}

/// The guard owns its share of the mutex, so the frame gives up its own.
struct Owned;

impl<M: OwnedMutex> Face<M> for Owned {
    fn frame(mutex: Arc<Erased<M, Self>>, how: Take) -> Operation {
        Operation::new(async move {
            let taken = take(&mutex.0, how).await;
            drop(mutex);
            match taken {
                Ok(guard) => hold::<M>(guard).await,
                Err(message) => Reply::Refused(message),
            }
        })
    }
}

struct Erased<M, F>(M, PhantomData<F>);

impl<M: AsyncMutex, F: Face<M>> Object for Erased<M, F> {
    fn operation(self: Arc<Self>, request: Request, place: Place) -> Operation {
        match (request, place) {
            (Request::Acquire, Place::Task) => F::frame(self, Take::Wait),
            (Request::Acquire, Place::Thread | Place::Inside) if M::CAPABILITIES.blocking => {
                F::frame(self, Take::Block)
            }
            (Request::Acquire, Place::Thread | Place::Inside) => Operation::new(async { Reply::Unsupported }),
            (Request::TryAcquire, _) => F::frame(self, Take::Try),
            (Request::IsLocked, _) => {
                Operation::new(async move { Reply::Answer(if self.0.is_locked() { "yes" } else { "no" }.to_owned()) })
            }
            (Request::Debug, _) => Operation::new(async move { Reply::Answer(self.0.debug()) }),
        }
    }

    fn probe(self: Arc<Self>, tried: &mut dyn FnMut(bool)) {
        probe(&self.0, tried);
    }
}

/// Returns a library whose mutexes, with guards that borrow, are explored without erasure.
pub fn explorable_borrowed<M: AsyncMutex>(locks: Explorable) -> Explorable {
    async fn frame<M: AsyncMutex>(mutex: Arc<M>, request: Request) -> Reply {
        match ask(&*mutex, request).await {
            Ok(Some(guard)) => hold::<M>(guard).await,
            Ok(None) => answer(&*mutex, request),
            Err(message) => Reply::Refused(message),
        }
    }
    locks.with_typed(Primitive::Mutex, |plan| explore::typed(plan, Primitive::Mutex, M::new, frame::<M>, probe::<M>))
}

/// Returns a library whose mutexes, with guards that own, are explored without erasure.
pub fn explorable_owned<M: OwnedMutex>(locks: Explorable) -> Explorable {
    async fn frame<M: OwnedMutex>(mutex: Arc<M>, request: Request) -> Reply {
        match ask(&*mutex, request).await {
            Ok(Some(guard)) => {
                drop(mutex);
                hold::<M>(guard).await
            }
            Ok(None) => answer(&*mutex, request),
            Err(message) => Reply::Refused(message),
        }
    }
    locks.with_typed(Primitive::Mutex, |plan| explore::typed(plan, Primitive::Mutex, M::new, frame::<M>, probe::<M>))
}

/// Tries a mutex and lets go of it; says in between whether it was free.
fn probe<M: AsyncMutex>(mutex: &M, tried: &mut dyn FnMut(bool)) {
    let guard = mutex.try_acquire();
    tried(guard.is_ok());
}

/// Makes a request; no guard comes of a question.
async fn ask<M: AsyncMutex>(mutex: &M, request: Request) -> Result<Option<M::Guard<'_>>, Message> {
    match request {
        Request::Acquire => mutex.acquire().await.map(Some),
        Request::TryAcquire => mutex.try_acquire().map(Some),
        Request::IsLocked | Request::Debug => Ok(None),
    }
}

/// Answers a question.
fn answer<M: AsyncMutex>(mutex: &M, request: Request) -> Reply {
    match request {
        Request::IsLocked => Reply::Answer(if mutex.is_locked() { "yes" } else { "no" }.to_owned()),
        _ => Reply::Answer(mutex.debug()),
    }
}

/// Returns a new object over a mutex whose guards borrow it.
pub fn borrowed<M: AsyncMutex>() -> Arc<dyn Object> {
    Arc::new(Erased::<M, Borrowed>(M::new(), PhantomData))
}

/// Returns a new object over a mutex whose guards are owned.
pub fn owned<M: OwnedMutex>() -> Arc<dyn Object> {
    Arc::new(Erased::<M, Owned>(M::new(), PhantomData))
}
