//! Adapters of async-lock's mutex, each with one thing wrong.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use async_lock::{Mutex as Inner, MutexGuard, MutexGuardArc};
use keyalike::{AsyncMutex, Message, MutexCapabilities};

type Taken<'a> = Result<MutexGuard<'a, ()>, Message>;

/// Writes an adapter over async-lock that is honest but for what `$wrong` overrides.
macro_rules! adapter {
    ($(#[$doc:meta])* $name:ident, $capabilities:expr, acquire: |$this:ident| $acquire:expr, try: |$that:ident| $try:expr
        $(, $($rest:item)*)?) => {
        $(#[$doc])*
        pub(crate) struct $name(Inner<()>);

        impl AsyncMutex for $name {
            type Guard<'a> = MutexGuard<'a, ()>;
            const CAPABILITIES: MutexCapabilities = $capabilities;

            fn new() -> Self {
                Self(Inner::new(()))
            }

            async fn acquire(&self) -> Taken<'_> {
                let $this = self;
                $acquire
            }

            fn try_acquire(&self) -> Taken<'_> {
                let $that = self;
                $try
            }

            fn debug(&self) -> String {
                format!("{:?}", self.0)
            }

            $($($rest)*)?
        }
    };
}

const PLAIN: MutexCapabilities = MutexCapabilities::plain();

fn tried(inner: &Inner<()>) -> Taken<'_> {
    inner.try_lock().ok_or_else(Message::none)
}

adapter!(
    /// It translates.
    Honest, PLAIN, acquire: |this| Ok(this.0.lock().await), try: |this| tried(&this.0)
);

adapter!(
    /// It asks the runtime whose task it is in, as a lock that knows its holder must. Only tokio tells.
    NeedsATask, PLAIN,
    acquire: |this| match tokio::task::try_id() {
        Some(_) => Ok(this.0.lock().await),
        None => Err(Message::text("nobody asks")),
    },
    try: |this| tried(&this.0)
);

static MOOD: AtomicUsize = AtomicUsize::new(0);

adapter!(
    /// Every seventh time it thinks again before it asks.
    Moody, PLAIN,
    acquire: |this| {
        if MOOD.fetch_add(1, Ordering::Relaxed) % 7 == 6 {
            smol::future::yield_now().await;
        }
        Ok(this.0.lock().await)
    },
    try: |this| tried(&this.0)
);

adapter!(
    /// Has a thread wake every waiter, for fear of a lost wake-up.
    WokenByAThread, PLAIN,
    acquire: |this| {
        let mut lock = std::pin::pin!(this.0.lock());
        std::future::poll_fn(|cx| {
            let polled = lock.as_mut().poll(cx);
            if polled.is_pending() {
                let waker = cx.waker().clone();
                std::thread::spawn(move || waker.wake());
            }
            polled.map(Ok)
        })
        .await
    },
    try: |this| tried(&this.0)
);

adapter!(
    /// Has a thread wake it every now and then, to try again.
    PolledByAThread, PLAIN,
    acquire: |this| std::future::poll_fn(|cx| match this.0.try_lock() {
        Some(guard) => Poll::Ready(Ok(guard)),
        None => {
            let waker = cx.waker().clone();
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(100));
                waker.wake();
            });
            Poll::Pending
        }
    })
    .await,
    try: |this| tried(&this.0)
);

adapter!(
    /// Looks whether it gets the lock, and then gets it.
    AcquiresTwice, PLAIN,
    acquire: |this| {
        drop(this.0.lock().await);
        Ok(this.0.lock().await)
    },
    try: |this| tried(&this.0)
);

adapter!(
    /// Keeps the first guard while it asks for the second.
    WaitsForItself, PLAIN,
    acquire: |this| {
        let _first = this.0.lock().await;
        Ok(this.0.lock().await)
    },
    try: |this| tried(&this.0)
);

adapter!(
    /// Lets a guard of the blocking kind go nowhere.
    KeepsItsBlockingGuard, PLAIN.with_blocking(),
    acquire: |this| Ok(this.0.lock().await),
    try: |this| tried(&this.0),
    fn acquire_blocking(&self) -> Taken<'_> {
        match self.0.try_lock() {
            Some(guard) => {
                std::mem::forget(guard);
                // A guard of another lock, so that this one stays held.
                static OTHER: LazyLock<Inner<()>> = LazyLock::new(|| Inner::new(()));
                Ok(OTHER.lock_blocking())
            }
            None => Err(Message::none()),
        }
    }
);

adapter!(
    /// Declares a blocking acquire, and has none.
    DeclaresBlocking, PLAIN.with_blocking(), acquire: |this| Ok(this.0.lock().await), try: |this| tried(&this.0)
);

adapter!(
    /// Declares a blocking acquire, and has not come round to it.
    TodoBlocking, PLAIN.with_blocking(), acquire: |this| Ok(this.0.lock().await), try: |this| tried(&this.0),
    fn acquire_blocking(&self) -> Taken<'_> {
        unimplemented!()
    }
);

adapter!(
    /// Declares a blocking acquire that waits for nothing.
    EndlessBlocking, PLAIN.with_blocking(), acquire: |this| Ok(this.0.lock().await), try: |this| tried(&this.0),
    fn acquire_blocking(&self) -> Taken<'_> {
        loop {
            std::thread::park();
        }
    }
);

adapter!(
    /// Has a blocking acquire, and does not say so.
    HidesBlocking, PLAIN, acquire: |this| Ok(this.0.lock().await), try: |this| tried(&this.0),
    fn acquire_blocking(&self) -> Taken<'_> {
        Ok(self.0.lock_blocking())
    }
);

adapter!(
    /// Never acquires.
    AlwaysRefuses, PLAIN, acquire: |_this| Err(Message::text("closed")), try: |this| tried(&this.0)
);

adapter!(
    /// Never lets a try succeed.
    TryRefuses, PLAIN, acquire: |this| Ok(this.0.lock().await), try: |_this| Err(Message::none())
);

adapter!(
    /// Tries where it should wait.
    TriesInsteadOfWaiting, PLAIN, acquire: |this| tried(&this.0), try: |this| tried(&this.0)
);

adapter!(
    /// Waits for nothing.
    NeverGrants, PLAIN, acquire: |_this| std::future::pending().await, try: |this| tried(&this.0)
);

adapter!(
    /// Blocks the thread in a try.
    TryWaits, PLAIN, acquire: |this| Ok(this.0.lock().await), try: |this| Ok(this.0.lock_blocking())
);

adapter!(
    /// Blocks the thread in an acquire.
    BlocksInPoll, PLAIN, acquire: |this| Ok(this.0.lock_blocking()), try: |this| tried(&this.0)
);

adapter!(
    /// Asks again and again.
    Spins, PLAIN,
    acquire: |this| std::future::poll_fn(|cx| match this.0.try_lock() {
        Some(guard) => Poll::Ready(Ok(guard)),
        None => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await,
    try: |this| tried(&this.0)
);

adapter!(
    /// Polls the library with a waker of its own.
    LosesItsWaker, PLAIN,
    acquire: |this| {
        let mut lock = std::pin::pin!(this.0.lock());
        std::future::poll_fn(|_| lock.as_mut().poll(&mut std::task::Context::from_waker(Waker::noop())).map(Ok)).await
    },
    try: |this| tried(&this.0)
);

adapter!(
    /// Says that nobody ever holds the lock.
    IsLockedLies, PLAIN.with_is_locked(), acquire: |this| Ok(this.0.lock().await), try: |this| tried(&this.0),
    fn is_locked(&self) -> bool {
        false
    }
);

adapter!(
    /// Tries, to see whether the lock is held, and keeps what it gets.
    IsLockedLeaks, PLAIN.with_is_locked(), acquire: |this| Ok(this.0.lock().await), try: |this| tried(&this.0),
    fn is_locked(&self) -> bool {
        self.0.try_lock().map(std::mem::forget).is_none()
    }
);

adapter!(
    /// Panics in an acquire.
    Panics, PLAIN, acquire: |_this| panic!("not yet"), try: |this| tried(&this.0)
);

/// Prints which one it is.
pub(crate) struct NumberedDebug(Inner<()>, usize);

impl AsyncMutex for NumberedDebug {
    type Guard<'a> = MutexGuard<'a, ()>;
    const CAPABILITIES: MutexCapabilities = PLAIN;

    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        Self(Inner::new(()), COUNT.fetch_add(1, Ordering::Relaxed))
    }

    async fn acquire(&self) -> Taken<'_> {
        Ok(self.0.lock().await)
    }

    fn try_acquire(&self) -> Taken<'_> {
        tried(&self.0)
    }

    fn debug(&self) -> String {
        format!("Mutex number {}", self.1)
    }
}

/// Cannot be printed while it is held.
pub(crate) struct DebugPanics(Inner<()>);

impl AsyncMutex for DebugPanics {
    type Guard<'a> = MutexGuard<'a, ()>;
    const CAPABILITIES: MutexCapabilities = PLAIN;

    fn new() -> Self {
        Self(Inner::new(()))
    }

    async fn acquire(&self) -> Taken<'_> {
        Ok(self.0.lock().await)
    }

    fn try_acquire(&self) -> Taken<'_> {
        tried(&self.0)
    }

    fn debug(&self) -> String {
        format!("{:?}", self.0.try_lock().expect("nobody holds it"))
    }
}

/// Every lock is the same one.
pub(crate) struct OneForAll(Arc<Inner<()>>);

static THE_ONE: LazyLock<Arc<Inner<()>>> = LazyLock::new(|| Arc::new(Inner::new(())));

impl AsyncMutex for OneForAll {
    type Guard<'a> = MutexGuardArc<()>;
    const CAPABILITIES: MutexCapabilities = PLAIN;

    fn new() -> Self {
        Self(Arc::clone(&THE_ONE))
    }

    async fn acquire(&self) -> Result<MutexGuardArc<()>, Message> {
        Ok(self.0.lock_arc().await)
    }

    fn try_acquire(&self) -> Result<MutexGuardArc<()>, Message> {
        self.0.try_lock_arc().ok_or_else(Message::none)
    }

    fn debug(&self) -> String {
        "OneForAll".to_owned()
    }
}

/// A guard that may be no guard.
pub(crate) struct Maybe<'a>(#[expect(dead_code, reason = "it is held")] Option<MutexGuard<'a, ()>>);

/// Writes an adapter whose guards are `Maybe`.
macro_rules! maybe {
    ($(#[$doc:meta])* $name:ident, acquire: |$this:ident| $acquire:expr, try: |$that:ident| $try:expr) => {
        $(#[$doc])*
        pub(crate) struct $name(Inner<()>);

        impl AsyncMutex for $name {
            type Guard<'a> = Maybe<'a>;
            const CAPABILITIES: MutexCapabilities = PLAIN;

            fn new() -> Self {
                Self(Inner::new(()))
            }

            async fn acquire(&self) -> Result<Maybe<'_>, Message> {
                let $this = self;
                $acquire
            }

            fn try_acquire(&self) -> Result<Maybe<'_>, Message> {
                let $that = self;
                $try
            }

            fn debug(&self) -> String {
                stringify!($name).to_owned()
            }
        }
    };
}

maybe!(
    /// Leaks the guard of an acquire.
    KeepsItsGuard,
    acquire: |this| {
        std::mem::forget(this.0.lock().await);
        Ok(Maybe(None))
    },
    try: |this| this.0.try_lock().map(|guard| Maybe(Some(guard))).ok_or_else(Message::none)
);

maybe!(
    /// Leaks the guard of a try.
    KeepsItsTryGuard,
    acquire: |this| Ok(Maybe(Some(this.0.lock().await))),
    try: |this| this.0.try_lock().map(std::mem::forget).map(|()| Maybe(None)).ok_or_else(Message::none)
);

maybe!(
    /// Locks nothing.
    NoLockAtAll,
    acquire: |this| {
        drop(this.0.lock().await);
        Ok(Maybe(None))
    },
    try: |this| {
        drop(this.0.try_lock());
        Ok(Maybe(None))
    }
);

/// A queue that hands over, asked twice: who asks again stands behind the others.
#[derive(Default)]
pub(crate) struct AcquiresTwiceInTurn(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    held: bool,
    granted: Option<usize>,
    waiters: VecDeque<(usize, Waker)>,
    next: usize,
}

pub(crate) struct Turn<'a>(&'a AcquiresTwiceInTurn);

impl AcquiresTwiceInTurn {
    fn queue(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn turn(&self) -> Turn<'_> {
        let mut own = None;
        std::future::poll_fn(|cx| {
            let mut queue = self.queue();
            match own {
                None if !queue.held => {
                    queue.held = true;
                    return Poll::Ready(Turn(self));
                }
                None => {
                    queue.next += 1;
                    own = Some(queue.next);
                    let ticket = queue.next;
                    queue.waiters.push_back((ticket, cx.waker().clone()));
                }
                Some(ticket) if queue.granted == Some(ticket) => {
                    queue.granted = None;
                    return Poll::Ready(Turn(self));
                }
                Some(_) => {}
            }
            Poll::Pending
        })
        .await
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.queue();
        match queue.waiters.pop_front() {
            Some((ticket, waker)) => {
                queue.granted = Some(ticket);
                drop(queue);
                waker.wake();
            }
            None => queue.held = false,
        }
    }
}

impl AsyncMutex for AcquiresTwiceInTurn {
    type Guard<'a> = Turn<'a>;
    const CAPABILITIES: MutexCapabilities = PLAIN;

    fn new() -> Self {
        Self::default()
    }

    async fn acquire(&self) -> Result<Turn<'_>, Message> {
        drop(self.turn().await);
        Ok(self.turn().await)
    }

    fn try_acquire(&self) -> Result<Turn<'_>, Message> {
        let mut queue = self.queue();
        match std::mem::replace(&mut queue.held, true) {
            true => Err(Message::none()),
            false => Ok(Turn(self)),
        }
    }

    fn debug(&self) -> String {
        "AcquiresTwiceInTurn".to_owned()
    }
}
