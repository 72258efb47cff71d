//! The semaphore of a library: the trait that its adapter implements, and the objects that are made of it.

use std::sync::Arc;

use crate::object::{Answer, Message, Object, Operation, Order, Reply, awaited, next_order, not_done};
use crate::primitive::semaphore::{ACQUIRE, ADD, AVAILABLE, CLOSE, DEBUG, FORGET_PERMITS, IS_CLOSED, TRY_ACQUIRE};
use crate::primitive::{Place, Request};

/// A semaphore of some library. An adapter translates each method into one call and decides nothing.
///
/// Permits are owned: they keep the semaphore alive by themselves. What a library lacks, and a number that its type
/// cannot hold, is `None`: the step is `unsupported`, and counted so.
pub trait AsyncSemaphore: Send + Sync + Sized + 'static {
    /// The library's guard of one or more permits.
    type Permit: Send + 'static;

    /// Words by which reports name what the library offers, such as `semaphore:add`.
    const CAPABILITIES: &'static [&'static str];

    /// Makes a semaphore of so many permits.
    fn new(permits: u64) -> Option<Self>;

    /// Makes the library's future that waits for permits: calls the library, and polls nothing.
    ///
    /// # Errors
    ///
    /// The library's message, if it refuses instead of waiting.
    fn acquire(&self, permits: u64) -> Option<impl Future<Output = Result<Self::Permit, Message>> + Send>;

    /// Takes permits if they are free.
    ///
    /// # Errors
    ///
    /// The library's message, or [`Message::none`] where it says no more than `None`.
    fn try_acquire(&self, permits: u64) -> Option<Result<Self::Permit, Message>>;

    /// Waits for permits in the library's blocking way.
    ///
    /// # Errors
    ///
    /// The library's message, if it refuses instead of waiting.
    fn acquire_blocking(&self, permits: u64) -> Option<Result<Self::Permit, Message>> {
        let _ = permits;
        None
    }

    /// Gives a permit up for good, in the library's own way. By default the library has none, and the guard is leaked.
    ///
    /// # Errors
    ///
    /// The permit, if there is no such call.
    fn forget(permit: Self::Permit) -> Result<(), Self::Permit> {
        Err(permit)
    }

    /// Adds permits.
    fn add(&self, permits: u64) -> Option<()> {
        let _ = permits;
        None
    }

    /// Takes free permits away for good; returns how many there were, if the library says so.
    fn forget_permits(&self, permits: u64) -> Option<u64> {
        let _ = permits;
        None
    }

    /// Has the semaphore refuse every wait from now on.
    fn close(&self) -> Option<()> {
        None
    }

    /// Returns how many permits are free.
    fn available(&self) -> Option<i64> {
        None
    }

    /// Returns whether it was closed.
    fn is_closed(&self) -> Option<bool> {
        None
    }

    /// Returns what `{:?}` prints of it.
    fn debug(&self) -> Option<String> {
        None
    }
}

/// Returns a new object over a semaphore of a library.
pub fn object<S: AsyncSemaphore>(permits: Option<u64>) -> Option<Arc<dyn Object>> {
    let object: Arc<dyn Object> = Arc::new(Erased(S::new(permits?)?));
    Some(object)
}

struct Erased<S>(S);

impl<S: AsyncSemaphore> Object for Erased<S> {
    fn operation(self: Arc<Self>, request: Request, place: Place) -> Operation {
        let amount = request.amount();
        match (request.of(1), place) {
            (ACQUIRE, Place::Task) => Operation::made_first(async move {
                let taken = awaited(self.0.acquire(amount)).await;
                drop(self);
                hold::<S>(taken).await
            }),
            (ACQUIRE, Place::Thread | Place::Inside) => Operation::new(async move {
                let taken = self.0.acquire_blocking(amount);
                drop(self);
                hold::<S>(taken).await
            }),
            (TRY_ACQUIRE, _) => Operation::new(async move {
                let taken = self.0.try_acquire(amount);
                drop(self);
                hold::<S>(taken).await
            }),
            _ => Operation::new(async move { self.change(request) }),
        }
    }
}

impl<S: AsyncSemaphore> Erased<S> {
    /// Does what neither waits nor takes.
    fn change(&self, request: Request) -> Reply {
        let changed = |done: Option<()>| done.map(|()| Reply::Changed(None));
        let reply = match request.of(1) {
            ADD => changed(self.0.add(request.amount())),
            CLOSE => changed(self.0.close()),
            FORGET_PERMITS => self.0.forget_permits(request.amount()).map(|number| Reply::Changed(Some(number))),
            AVAILABLE => self.0.available().map(|number| Reply::Answer(Answer::Number(number))),
            IS_CLOSED => self.0.is_closed().map(|flag| Reply::Answer(Answer::Flag(flag))),
            DEBUG => self.0.debug().map(|text| Reply::Answer(Answer::Text(text))),
            _ => None,
        };
        reply.unwrap_or(Reply::Unsupported)
    }
}

/// Holds a permit until it is dropped or given up.
async fn hold<S: AsyncSemaphore>(taken: Option<Result<S::Permit, Message>>) -> Reply {
    let mut permit = match taken {
        None => return Reply::Unsupported,
        Some(Err(message)) => return Reply::Refused(message),
        Some(Ok(permit)) => permit,
    };
    loop {
        match next_order().await {
            Order::Sent | Order::Received => {}
            Order::Turn(_) => not_done(Reply::Unsupported),
            Order::Forget => match S::forget(permit) {
                Ok(()) => return Reply::Changed(None),
                Err(back) => {
                    permit = back;
                    not_done(Reply::Unsupported);
                }
            },
        }
    }
}
