//! A runtime of one thread, small enough to be read: the harness knows no other, but replays schedules and tests
//! itself.
//!
//! It polls its tasks in the order of their wakes, inside `block_on` and nowhere else. Like tokio it has a budget for
//! each poll, and wakes whoever asked when it was spent after the poll.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use crate::object::Message;
use crate::runtime::{Ending, Runtime, panic_message};

/// A runtime of one thread. Its budget for a poll is spent only where a scenario says so.
#[derive(Default)]
pub struct Executor(Arc<Ready>);

impl std::fmt::Debug for Executor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Executor").finish_non_exhaustive()
    }
}

/// The woken tasks, and the thread that polls them.
#[derive(Default)]
struct Ready {
    queue: Mutex<VecDeque<Arc<Job>>>,
    thread: Mutex<Option<Thread>>,
}

/// A task of an [`Executor`].
pub struct Job {
    ready: Arc<Ready>,
    queued: AtomicBool,
    future: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
    end: Mutex<End>,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct End {
    ending: Option<Ending>,
    joiner: Option<Waker>,
}

thread_local! {
    /// Whether the budget of this poll is spent.
    static SPENT: Cell<bool> = const { Cell::new(false) };
    /// Whom to wake after this poll.
    static DEFERRED: RefCell<Vec<Waker>> = const { RefCell::new(Vec::new()) };
}

/// Returns whether the budget of this poll is spent. A lock that heeds it answers pending; the wake is certain to come.
pub fn is_budget_spent() -> bool {
    SPENT.get()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ready {
    fn unpark(&self) {
        if let Some(thread) = &*lock(&self.thread) {
            thread.unpark();
        }
    }
}

impl Wake for Job {
    fn wake(self: Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            let ready = Arc::clone(&self.ready);
            lock(&ready.queue).push_back(self);
            ready.unpark();
        }
    }
}

impl Job {
    fn run(self: &Arc<Self>) {
        self.queued.store(false, Ordering::Release);
        let Some(mut future) = lock(&self.future).take() else {
            return;
        };
        let waker = Waker::from(Arc::clone(self));
        SPENT.set(false);
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut Context::from_waker(&waker))));
        SPENT.set(false);
        match polled {
            Ok(Poll::Pending) => *lock(&self.future) = Some(future),
            Ok(Poll::Ready(())) => self.end(future, Ending::Returned),
            Err(payload) => self.end(future, Ending::Panicked(panic_message(&*payload))),
        }
        DEFERRED.take().into_iter().for_each(Waker::wake);
    }

    fn end(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>, ending: Ending) {
        drop(future);
        let joiner = {
            let mut end = lock(&self.end);
            end.ending.get_or_insert(ending);
            end.joiner.take()
        };
        joiner.into_iter().for_each(Waker::wake);
    }
}

/// The waker of the future that `block_on` runs.
struct Main {
    ready: Arc<Ready>,
    woken: AtomicBool,
}

impl Wake for Main {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.ready.unpark();
    }
}

impl Runtime for Executor {
    type Handle = Arc<Job>;
    const DROP_ABORTS: bool = false;

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> Arc<Job> {
        let job = Arc::new(Job {
            ready: Arc::clone(&self.0),
            queued: AtomicBool::new(false),
            future: Mutex::new(Some(Box::pin(task))),
            end: Mutex::default(),
        });
        Arc::clone(&job).wake();
        job
    }

    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        *lock(&self.0.thread) = Some(thread::current());
        let main = Arc::new(Main { ready: Arc::clone(&self.0), woken: AtomicBool::new(true) });
        let waker = Waker::from(Arc::clone(&main));
        let mut future = pin!(future);
        loop {
            if main.woken.swap(false, Ordering::AcqRel)
                && let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker))
            {
                return value;
            }
            let job = lock(&self.0.queue).pop_front();
            match job {
                Some(job) => job.run(),
                None if main.woken.load(Ordering::Acquire) => {}
                None => thread::park(),
            }
        }
    }

    async fn join(&self, handle: Arc<Job>) -> Ending {
        std::future::poll_fn(|cx| {
            let mut end = lock(&handle.end);
            end.joiner = Some(cx.waker().clone());
            end.ending.clone().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    async fn abort(&self, handle: Arc<Job>) -> Ending {
        let future = lock(&handle.future).take();
        if let Some(future) = future {
            handle.end(future, Ending::Aborted(Message::none()));
        }
        self.join(handle).await
    }

    fn detach(&self, handle: Arc<Job>) {
        drop(handle);
    }

    fn spend_budget(&self, _cx: &mut Context<'_>) {
        SPENT.set(true);
    }

    fn promises_wake(&self, cx: &mut Context<'_>) -> bool {
        if is_budget_spent() {
            DEFERRED.with_borrow_mut(|deferred| deferred.push(cx.waker().clone()));
        }
        is_budget_spent()
    }
}
