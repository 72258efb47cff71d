//! Runs a program that a user has written as plain `async` code to quiescence: not until it has taken too long, but
//! until nothing in it can ever run again.
//!
//! Its tasks are real tasks of the runtime. All that wakes them must come from one of them: locks and channels, and no
//! timers, threads or joins of the runtime.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::quiescence::{Departure, Hub, Quiescence, TaskIndex};
use crate::runtime::{Ending, Runtime};

/// The most polls of woken tasks from one [`Stage::settle`] to the next spawn (a count). Reaching it ends the program.
pub const POLLS_MAX: u32 = 1_000_000;

/// A runtime on which tasks are watched.
pub struct Stage<R: Runtime> {
    runtime: Arc<R>,
    hub: Arc<Hub<()>>,
    handles: Mutex<Vec<Option<R::Handle>>>,
    spawned: AtomicUsize,
    tasks_max: usize,
}

/// A program of which nothing can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StageError {
    /// Something woke a task that is none of the tasks.
    #[error(
        "a task was woken from outside the stage, so quiescence means nothing; keep timers, threads and joins out of it"
    )]
    ForeignWake,
    /// The tasks wake each other for ever.
    #[error("the tasks were polled {POLLS_MAX} times and did not come to rest")]
    Livelock,
}

impl<R: Runtime> Stage<R> {
    /// Returns a stage for `tasks_max` tasks at most.
    pub fn new(runtime: Arc<R>, tasks_max: usize) -> Self {
        Self {
            runtime,
            hub: Arc::new(Hub::new(tasks_max, POLLS_MAX)),
            handles: Mutex::default(),
            spawned: AtomicUsize::new(0),
            tasks_max,
        }
    }

    /// Spawns a task, from outside or from another task. It runs when its turn comes.
    ///
    /// # Panics
    ///
    /// If there are more tasks than the stage has room for.
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> TaskIndex {
        let index = self.spawned.fetch_add(1, Ordering::Relaxed);
        assert!(index < self.tasks_max, "the stage has room for {} tasks", self.tasks_max);
        let waker = Waker::from(Arc::new(TaskWaker { hub: Arc::clone(&self.hub), index }));
        self.hub.requeue(index);
        let actor = Actor {
            runtime: Arc::clone(&self.runtime),
            hub: Arc::clone(&self.hub),
            index,
            waker,
            future: Some(Box::pin(future)),
        };
        let handle = self.runtime.spawn(actor);
        let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        if handles.len() <= index {
            handles.resize_with(index + 1, || None);
        }
        handles[index] = Some(handle);
        index
    }

    /// Waits until nothing can run any more.
    ///
    /// # Errors
    ///
    /// [`StageError`], if nothing can be said of the program.
    pub fn settle(&self) -> Result<(), StageError> {
        let quiescence = self.runtime.block_on(std::future::poll_fn(|cx| match self.hub.quiet(cx.waker()) {
            Some(quiescence) => Poll::Ready(quiescence),
            None => Poll::Pending,
        }));
        match quiescence {
            Quiescence::Livelock => Err(StageError::Livelock),
            Quiescence::Rest if self.hub.has_foreign_wake() => Err(StageError::ForeignWake),
            Quiescence::Rest => Ok(()),
        }
    }

    /// Ends a task by the runtime's own means; `None` if that was done before.
    pub fn abort(&self, task: TaskIndex) -> Option<Ending> {
        let handle = self.handles.lock().unwrap_or_else(PoisonError::into_inner)[task].take()?;
        self.hub.act(true);
        self.hub.announce_end(task);
        let ending = self.runtime.block_on(self.runtime.abort(handle));
        self.hub.act(false);
        Some(ending)
    }

    /// Returns whether a task has ended. Asked after [`Stage::settle`], a task that has not never will.
    pub fn has_ended(&self, task: TaskIndex) -> bool {
        self.hub.is_done(task)
    }

    /// Returns the tasks that were spawned and have not ended.
    pub fn remaining(&self) -> Vec<TaskIndex> {
        (0..self.spawned.load(Ordering::Relaxed)).filter(|&task| !self.hub.is_done(task)).collect()
    }
}

impl<R: Runtime> Drop for Stage<R> {
    /// Ends what waits for ever, so that nothing is left on the runtime.
    fn drop(&mut self) {
        for task in self.remaining() {
            self.abort(task);
        }
        let handles = std::mem::take(&mut *self.handles.lock().unwrap_or_else(PoisonError::into_inner));
        handles.into_iter().flatten().for_each(|handle| self.runtime.detach(handle));
    }
}

struct TaskWaker {
    hub: Arc<Hub<()>>,
    index: TaskIndex,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.hub.wake(self.index, || ());
    }
}

/// A task whose polls and end go through the hub.
struct Actor<R> {
    runtime: Arc<R>,
    hub: Arc<Hub<()>>,
    index: TaskIndex,
    waker: Waker,
    future: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl<R: Runtime> Future for Actor<R> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if this.hub.enter(this.index, cx.waker()).is_none() {
            return Poll::Pending;
        }
        let mut cx = Context::from_waker(&this.waker);
        let future = this.future.as_mut().expect("an ended task is not let in");
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut cx))) {
            Ok(Poll::Pending) => {
                let is_promised = this.runtime.promises_wake(&mut cx);
                this.hub.leave(this.index, if is_promised { Departure::Promised } else { Departure::Parked });
                Poll::Pending
            }
            Ok(Poll::Ready(())) => {
                this.end();
                Poll::Ready(())
            }
            Err(payload) => {
                this.end();
                resume_unwind(payload)
            }
        }
    }
}

impl<R> Actor<R> {
    /// Drops everything, then tells the hub: in this order, or quiescence would be seen while a guard still lives.
    fn end(&mut self) {
        self.future = None;
        self.hub.end(self.index);
    }
}

impl<R> Drop for Actor<R> {
    fn drop(&mut self) {
        if self.future.is_some() {
            self.end();
        }
    }
}
