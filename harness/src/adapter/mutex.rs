//! The mutex of a library: the trait that its adapter implements, and the objects that are made of it.

use std::marker::PhantomData;
use std::pin::pin;
use std::sync::Arc;

use crate::explore::{self, Explorable};
use crate::object::{Answer, Message, Object, Operation, Order, Reply, hold_and, made, not_done};
use crate::primitive::mutex::{ACQUIRE, DEBUG, IS_LOCKED, TRY_ACQUIRE};
use crate::primitive::{Place, Primitive, Request};

/// A mutex of some library, holding `()`. An adapter translates each method into one call and decides nothing.
pub trait AsyncMutex: Send + Sync + Sized + 'static {
    /// The library's guard. Borrowed from the mutex, or owned.
    type Guard<'a>: Send;

    /// What the library offers. What is not declared here is used by no scenario.
    const CAPABILITIES: MutexCapabilities;

    /// Makes a free mutex.
    fn new() -> Self;

    /// Makes the library's future that waits for the mutex: calls the library, and polls nothing.
    ///
    /// Written as `fn`, with the call before the `async` block. In an `async fn` the call would come with the first
    /// poll, and what the library does when a future is made would look as if it did nothing.
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

    /// Tells a guard that its task gives it away, where the library has a call for that. By default a guard is just
    /// moved.
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
    hold_and(|order| match order {
        Order::Sent => M::sent(&mut guard),
        Order::Received => M::received(&mut guard),
        Order::Forget | Order::Turn(_) => not_done(Reply::Unsupported),
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
    /// Whether the mutex is poisoned by the panic of its holder: it refuses from then on, and says so.
    pub poison: bool,
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
        Self { blocking: false, is_locked: Query::Emulated, poison: false }
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

    /// Returns the same with poison: whatever is asked of a mutex whose holder has panicked is refused, and says so.
    #[must_use]
    pub const fn with_poison(mut self) -> Self {
        self.poison = true;
        self
    }

    /// Returns the words by which reports name what is offered.
    pub fn words(self) -> Vec<&'static str> {
        let mut words = vec!["mutex", "mutex:try-acquire", "mutex:debug"];
        words.push(match self.is_locked {
            Query::Native => "mutex:is-locked",
            Query::Emulated => "mutex:is-locked-emulated",
        });
        if self.poison {
            words.push("mutex:poison");
        }
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

/// Takes the mutex in one of its ways. Every one is a call of the library when this is first polled.
async fn take<M: AsyncMutex>(mutex: &M, take: Take) -> Result<M::Guard<'_>, Message> {
    match take {
        Take::Wait => {
            let future = pin!(mutex.acquire());
            made().await;
            future.await
        }
        Take::Try => mutex.try_acquire(),
        Take::Block => mutex.acquire_blocking(),
    }
}

/// The guard borrows the mutex, so the frame keeps both.
struct Borrowed;

impl<M: AsyncMutex> Face<M> for Borrowed {
    fn frame(mutex: Arc<Erased<M, Self>>, how: Take) -> Operation {
        Operation::made_first(async move {
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
        Operation::made_first(async move {
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
            (ACQUIRE, Place::Task) => F::frame(self, Take::Wait),
            (ACQUIRE, Place::Thread | Place::Inside) if M::CAPABILITIES.blocking => F::frame(self, Take::Block),
            (TRY_ACQUIRE, _) => F::frame(self, Take::Try),
            (IS_LOCKED | DEBUG, _) => Operation::new(async move { answer(&self.0, request) }),
            _ => Operation::new(async { Reply::Unsupported }),
        }
    }

    fn probe(self: Arc<Self>, request: Request, tried: &mut dyn FnMut(bool)) {
        probe(&self.0, request, tried);
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
fn probe<M: AsyncMutex>(mutex: &M, _: Request, tried: &mut dyn FnMut(bool)) {
    let guard = mutex.try_acquire();
    tried(guard.is_ok());
}

/// Makes a request; no guard comes of a question.
async fn ask<M: AsyncMutex>(mutex: &M, request: Request) -> Result<Option<M::Guard<'_>>, Message> {
    match request {
        ACQUIRE => take(mutex, Take::Wait).await.map(Some),
        TRY_ACQUIRE => mutex.try_acquire().map(Some),
        _ => Ok(None),
    }
}

/// Answers a question.
fn answer<M: AsyncMutex>(mutex: &M, request: Request) -> Reply {
    Reply::Answer(match request {
        IS_LOCKED => Answer::Flag(mutex.is_locked()),
        _ => Answer::Text(mutex.debug()),
    })
}

/// Returns a new object over a mutex whose guards borrow it.
pub fn borrowed<M: AsyncMutex>() -> Arc<dyn Object> {
    Arc::new(Erased::<M, Borrowed>(M::new(), PhantomData))
}

/// Returns a new object over a mutex whose guards are owned.
pub fn owned<M: OwnedMutex>() -> Arc<dyn Object> {
    Arc::new(Erased::<M, Owned>(M::new(), PhantomData))
}
