//! Where an adapter is asked: on a thread of its own, so that a call that does not come back is seen, and with wakers
//! that remember where they were woken.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Wake, Waker};
use std::thread::{self, ThreadId};
use std::time::Duration;

use super::{Conviction, Fault, PATIENCE, convict};
use crate::object::Message;
use crate::runtime::{Runtime, panic_message};

/// A started runtime, and how to work on it.
pub(super) struct Bench<R> {
    pub(super) runtime: Arc<R>,
}

/// What a check is doing: the fault that it is if it never comes back.
#[derive(Clone)]
pub(super) struct Doing(Arc<Mutex<(Fault, &'static str)>>);

/// Why a check ended early.
pub(super) enum Stop {
    /// A fault.
    Convicted(Conviction),
    /// A call did not come back: its thread is left behind, and what follows would be too.
    Stuck(Conviction),
}

impl From<Conviction> for Stop {
    fn from(conviction: Conviction) -> Self {
        Stop::Convicted(conviction)
    }
}

impl Doing {
    /// Says what comes next.
    pub(super) fn begin(&self, fault: Fault, what: &'static str) {
        *lock(&self.0) = (fault, what);
    }
}

impl<R: Runtime> Bench<R> {
    pub(super) fn new(runtime: &Arc<R>) -> Self {
        Self { runtime: Arc::clone(runtime) }
    }

    /// Runs `check` on a thread of its own, and waits for it as long as [`PATIENCE`] lasts.
    pub(super) fn patiently(
        &self,
        check: impl FnOnce(&Arc<R>, &Doing) -> Result<(), Conviction> + Send + 'static,
    ) -> Result<(), Stop> {
        let doing = Doing(Arc::new(Mutex::new((Fault::Panics, "the first step"))));
        let (sender, receiver) = mpsc::channel();
        let (runtime, told) = (Arc::clone(&self.runtime), doing.clone());
        let work = move || {
            let result = catch_unwind(AssertUnwindSafe(|| check(&runtime, &told)));
            // Whoever waited may have lost patience.
            let _ = sender.send(result.map_err(|payload| panic_message(&*payload)));
        };
        thread::Builder::new()
            .name("certify".to_owned())
            .spawn(work)
            .map_err(|error| convict(Fault::Panics, format!("no thread can be started: {error}")))?;
        match receiver.recv_timeout(PATIENCE) {
            Ok(Ok(result)) => result.map_err(Stop::Convicted),
            Ok(Err(message)) => {
                let (_, what) = *lock(&doing.0);
                Err(convict(Fault::Panics, format!("{what} panics: {}", text(&message))).into())
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                let (fault, what) = *lock(&doing.0);
                let told = format!("{what} does not come back within {} s", PATIENCE.as_secs());
                Err(Stop::Stuck(convict(fault, told)))
            }
        }
    }

    /// Runs `check` as [`patiently`](Self::patiently) does, inside `block_on`.
    pub(super) fn inside(
        &self,
        check: impl FnOnce(&Doing) -> Result<(), Conviction> + Send + 'static,
    ) -> Result<(), Stop> {
        self.patiently(move |runtime, doing| {
            let mut check = Some(check);
            let once = std::future::poll_fn(|_| match check.take() {
                Some(check) => Poll::Ready(check(doing)),
                None => Poll::Pending,
            });
            runtime.block_on(once)
        })
    }
}

/// Returns the text of a message.
pub(super) fn text(message: &Message) -> String {
    message.texts().next().unwrap_or("no text").to_owned()
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A waker that counts, and knows on which threads it was woken.
#[derive(Debug)]
pub(super) struct Bell {
    home: ThreadId,
    rings: Mutex<Rings>,
    rung: Condvar,
}

/// How often a bell was rung.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rings {
    /// On the thread that made it.
    pub(super) at_home: usize,
    /// On any other.
    pub(super) abroad: usize,
}

impl Rings {
    pub(super) fn any(self) -> bool {
        self.at_home + self.abroad > 0
    }
}

impl Bell {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { home: thread::current().id(), rings: Mutex::default(), rung: Condvar::new() })
    }

    pub(super) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    /// Takes what was rung since the last take.
    pub(super) fn take(&self) -> Rings {
        std::mem::take(&mut *lock(&self.rings))
    }

    /// Waits until it is rung, for `limit` at most, and takes that.
    pub(super) fn wait(&self, limit: Duration) -> Rings {
        let rings = lock(&self.rings);
        let waited = self.rung.wait_timeout_while(rings, limit, |rings| !rings.any());
        std::mem::take(&mut *waited.unwrap_or_else(PoisonError::into_inner).0)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut rings = lock(&self.rings);
        match thread::current().id() == self.home {
            true => rings.at_home += 1,
            false => rings.abroad += 1,
        }
        self.rung.notify_all();
    }
}
