//! A runtime of one thread for the replay of schedules: it polls its tasks in the order of their wakes, inside `block_on`
//! and nowhere else.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use crate::object::Message;
use crate::runtime::{Ending, Runtime, panic_message};

/// A runtime of one thread.
#[derive(Default)]
pub(super) struct Executor(Arc<Ready>);

/// The woken tasks, and the thread that polls them.
#[derive(Default)]
struct Ready {
    queue: Mutex<VecDeque<Arc<Job>>>,
    thread: Mutex<Option<Thread>>,
}

type Body = Pin<Box<dyn Future<Output = ()> + Send>>;

/// One task.
pub(super) struct Job {
    ready: Arc<Ready>,
    queued: AtomicBool,
    body: Mutex<Option<Body>>,
    ending: Mutex<Option<Ending>>,
    joiner: Mutex<Option<Waker>>,
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
        let Some(mut body) = lock(&self.body).take() else { return };
        let waker = Waker::from(Arc::clone(self));
        match catch_unwind(AssertUnwindSafe(|| body.as_mut().poll(&mut Context::from_waker(&waker)))) {
            Ok(Poll::Pending) => *lock(&self.body) = Some(body),
            Ok(Poll::Ready(())) => self.end(body, Ending::Returned),
            Err(payload) => self.end(body, Ending::Panicked(panic_message(&*payload))),
        }
    }

    fn end(&self, body: Body, ending: Ending) {
        drop(body);
        lock(&self.ending).get_or_insert(ending);
        let joiner = lock(&self.joiner).take();
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
            body: Mutex::new(Some(Box::pin(task))),
            ending: Mutex::default(),
            joiner: Mutex::default(),
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
            *lock(&handle.joiner) = Some(cx.waker().clone());
            lock(&handle.ending).clone().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    async fn abort(&self, handle: Arc<Job>) -> Ending {
        let body = lock(&handle.body).take();
        if let Some(body) = body {
            handle.end(body, Ending::Aborted(Message::none()));
        }
        self.join(handle).await
    }

    fn detach(&self, handle: Arc<Job>) {
        drop(handle);
    }
}
