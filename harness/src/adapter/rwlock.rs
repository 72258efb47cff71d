//! The rwlock of a library: the trait that its adapter implements, and the objects that are made of it.

use std::pin::pin;
use std::sync::Arc;

use crate::object::{Answer, Message, Object, Operation, Order, Reply, awaited, made, next_order, not_done};
use crate::primitive::rwlock::{
    DEBUG, DOWNGRADE, DOWNGRADE_TO_UPGRADABLE, READ, TRY_READ, TRY_UPGRADABLE_READ, TRY_UPGRADE, TRY_WRITE,
    UPGRADABLE_READ, UPGRADE, WRITE,
};
use crate::primitive::{Place, Request};

/// An rwlock of some library, holding `()`. An adapter translates each method into one call and decides nothing.
///
/// Guards are owned: they keep the lock alive by themselves. What a library lacks is `None`: the step is `unsupported`,
/// and counted so.
pub trait AsyncRwLock: Send + Sync + Sized + 'static {
    /// Guard of a reader.
    type Read: Send + 'static;
    /// Guard of a writer.
    type Write: Send + 'static;
    /// Guard of a reader that may upgrade. [`Never`] where the library has none.
    type Upgradable: Send + 'static;

    /// Words by which reports name what the library offers, such as `rwlock:downgrade`.
    const CAPABILITIES: &'static [&'static str];

    /// Makes a free lock, with at most `readers` readers if that is given.
    fn new(readers: Option<u64>) -> Option<Self>;

    /// Makes the library's future that waits to read: calls the library, and polls nothing.
    ///
    /// # Errors
    ///
    /// The library's message, if it refuses instead of waiting; so for the others.
    fn read(&self) -> impl Future<Output = Result<Self::Read, Message>> + Send;

    /// Makes the library's future that waits to write.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    fn write(&self) -> impl Future<Output = Result<Self::Write, Message>> + Send;

    /// Makes the library's future that waits to read with the right to upgrade.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    fn upgradable_read(&self) -> Option<impl Future<Output = Result<Self::Upgradable, Message>> + Send> {
        None::<std::future::Ready<_>>
    }

    /// Makes the library's future that turns a guard into one of a writer.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    fn upgrade(guard: Self::Upgradable) -> impl Future<Output = Result<Self::Write, Message>> + Send;

    /// Takes the lock for reading if that needs no waiting.
    ///
    /// # Errors
    ///
    /// The library's message, or [`Message::none`] where it says no more than `None`; so for the others.
    fn try_read(&self) -> Result<Self::Read, Message>;

    /// Takes the lock for writing if that needs no waiting.
    ///
    /// # Errors
    ///
    /// As [`try_read`](Self::try_read).
    fn try_write(&self) -> Result<Self::Write, Message>;

    /// Takes the lock for reading with the right to upgrade, if that needs no waiting.
    ///
    /// # Errors
    ///
    /// As [`try_read`](Self::try_read).
    fn try_upgradable_read(&self) -> Option<Result<Self::Upgradable, Message>> {
        None
    }

    /// Turns a guard into one of a writer if that needs no waiting.
    ///
    /// # Errors
    ///
    /// The guard, where it must wait, and the library's message.
    fn try_upgrade(guard: Self::Upgradable) -> Result<Self::Write, (Self::Upgradable, Message)>;

    /// Waits to read in the library's blocking way.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    fn read_blocking(&self) -> Option<Result<Self::Read, Message>> {
        None
    }

    /// Waits to write in the library's blocking way.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    fn write_blocking(&self) -> Option<Result<Self::Write, Message>> {
        None
    }

    /// Waits to read with the right to upgrade, in the library's blocking way.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    fn upgradable_read_blocking(&self) -> Option<Result<Self::Upgradable, Message>> {
        None
    }

    /// Turns the guard of a writer into one of a reader.
    ///
    /// # Errors
    ///
    /// The guard, if there is no such call; so for the others.
    fn downgrade(guard: Self::Write) -> Result<Self::Read, Self::Write> {
        Err(guard)
    }

    /// Turns the guard of a writer into an upgradable one.
    ///
    /// # Errors
    ///
    /// As [`downgrade`](Self::downgrade).
    fn downgrade_to_upgradable(guard: Self::Write) -> Result<Self::Upgradable, Self::Write> {
        Err(guard)
    }

    /// Turns an upgradable guard into one of a reader.
    ///
    /// # Errors
    ///
    /// As [`downgrade`](Self::downgrade).
    fn downgrade_upgradable(guard: Self::Upgradable) -> Result<Self::Read, Self::Upgradable> {
        Err(guard)
    }

    /// Returns what `{:?}` prints of it.
    fn debug(&self) -> Option<String> {
        None
    }
}

/// Guard that no library can make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Never {}

/// Returns a new object over an rwlock of a library.
pub fn object<L: AsyncRwLock>(readers: Option<u64>) -> Option<Arc<dyn Object>> {
    let object: Arc<dyn Object> = Arc::new(Erased(L::new(readers)?));
    Some(object)
}

/// A guard in one of its modes.
enum Held<L: AsyncRwLock> {
    Read(L::Read),
    Write(L::Write),
    Upgradable(L::Upgradable),
}

/// What came of a wait or a try: nothing where the library has no such call.
type Taken<L> = Option<Result<Held<L>, Message>>;

struct Erased<L>(L);

impl<L: AsyncRwLock> Object for Erased<L> {
    fn operation(self: Arc<Self>, request: Request, place: Place) -> Operation {
        match (request, place) {
            (READ | WRITE | UPGRADABLE_READ, Place::Task) => Operation::made_first(async move {
                let taken = wait(&self.0, request).await;
                drop(self);
                hold(taken).await
            }),
            (READ | WRITE | UPGRADABLE_READ, Place::Thread | Place::Inside) => Operation::new(async move {
                let taken = block(&self.0, request);
                drop(self);
                hold(taken).await
            }),
            (TRY_READ | TRY_WRITE | TRY_UPGRADABLE_READ, _) => Operation::new(async move {
                let taken = take(&self.0, request);
                drop(self);
                hold(taken).await
            }),
            (DEBUG, _) => Operation::new(async move {
                self.0.debug().map_or(Reply::Unsupported, |text| Reply::Answer(Answer::Text(text)))
            }),
            _ => Operation::new(async { Reply::Unsupported }),
        }
    }
}

async fn wait<L: AsyncRwLock>(lock: &L, request: Request) -> Taken<L> {
    match request {
        READ => {
            let future = pin!(lock.read());
            made().await;
            Some(future.await.map(Held::Read))
        }
        WRITE => {
            let future = pin!(lock.write());
            made().await;
            Some(future.await.map(Held::Write))
        }
        _ => awaited(lock.upgradable_read()).await.map(|taken| taken.map(Held::Upgradable)),
    }
}

fn block<L: AsyncRwLock>(lock: &L, request: Request) -> Taken<L> {
    match request {
        READ => lock.read_blocking().map(|taken| taken.map(Held::Read)),
        WRITE => lock.write_blocking().map(|taken| taken.map(Held::Write)),
        _ => lock.upgradable_read_blocking().map(|taken| taken.map(Held::Upgradable)),
    }
}

fn take<L: AsyncRwLock>(lock: &L, request: Request) -> Taken<L> {
    match request {
        TRY_READ => Some(lock.try_read().map(Held::Read)),
        TRY_WRITE => Some(lock.try_write().map(Held::Write)),
        _ => lock.try_upgradable_read().map(|taken| taken.map(Held::Upgradable)),
    }
}

/// Holds a guard until it is dropped, and turns it into one of another mode when that is asked.
async fn hold<L: AsyncRwLock>(taken: Taken<L>) -> Reply {
    let mut held = match taken {
        None => return Reply::Unsupported,
        Some(Err(message)) => return Reply::Refused(message),
        Some(Ok(held)) => held,
    };
    loop {
        held = match (next_order().await, held) {
            (Order::Turn(UPGRADE), Held::Upgradable(guard)) => {
                let future = pin!(L::upgrade(guard));
                made().await;
                match future.await {
                    Ok(guard) => Held::Write(guard),
                    Err(message) => return Reply::Refused(message),
                }
            }
            (Order::Turn(TRY_UPGRADE), Held::Upgradable(guard)) => match L::try_upgrade(guard) {
                Ok(guard) => Held::Write(guard),
                Err((guard, message)) => {
                    not_done(Reply::Refused(message));
                    Held::Upgradable(guard)
                }
            },
            (Order::Turn(DOWNGRADE), Held::Write(guard)) => {
                turned(L::downgrade(guard).map(Held::Read).map_err(Held::Write))
            }
            (Order::Turn(DOWNGRADE), Held::Upgradable(guard)) => {
                turned(L::downgrade_upgradable(guard).map(Held::Read).map_err(Held::Upgradable))
            }
            (Order::Turn(DOWNGRADE_TO_UPGRADABLE), Held::Write(guard)) => {
                turned(L::downgrade_to_upgradable(guard).map(Held::Upgradable).map_err(Held::Write))
            }
            (Order::Turn(_) | Order::Forget, held) => {
                not_done(Reply::Unsupported);
                held
            }
            (Order::Sent | Order::Received, held) => held,
        };
    }
}

/// Returns the guard that came of a turn, or the old one where the library has no such call.
fn turned<L: AsyncRwLock>(guard: Result<Held<L>, Held<L>>) -> Held<L> {
    guard.unwrap_or_else(|guard| {
        not_done(Reply::Unsupported);
        guard
    })
}
