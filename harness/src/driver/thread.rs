//! A blocking acquire on a thread of its own, and the exact answer to the question whether that thread sleeps.
//!
//! A thread has no waker to watch, but the kernel knows whether it can run. When nothing else runs, a thread that
//! sleeps in the kernel is blocked for good; a thread that was just released is runnable at once. So no time is needed.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use super::events::what;
use super::run::Run;
use crate::object::{Operation, Reply};
use crate::primitive::Request;
use crate::program::{ObjectIndex, StepIndex};
use crate::quiescence::TaskIndex;
use crate::transcript::{At, Role};

/// What came out of a thread: the reply and its guard, or a panic.
pub(super) type End = Result<(Reply, Operation), Box<dyn Any + Send>>;

/// A thread as the conductor sees it.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) task: TaskIndex,
    pub(super) step: StepIndex,
    pub(super) object: ObjectIndex,
    pub(super) request: Request,
    /// The kernel's number of the thread, 0 until it runs.
    number: AtomicI32,
    finished: AtomicBool,
    /// Whether the transcript says that the task waits.
    announced: AtomicBool,
    /// Whether the transcript says what the thread came back with.
    told: AtomicBool,
    end: Mutex<Option<EndCell>>,
}

struct EndCell(End);

impl std::fmt::Debug for EndCell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EndCell")
    }
}

/// A task's wait for its thread.
#[derive(Debug)]
pub(super) struct ThreadWait {
    pub(super) object: ObjectIndex,
    pub(super) step: StepIndex,
    watch: Arc<Watch>,
}

/// What a thread is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Runs,
    Sleeps,
    Finished,
    /// The operating system does not say.
    Unknown,
}

impl ThreadWait {
    /// Starts `operation`, whose first poll blocks, on a thread of its own.
    pub(super) fn start(
        run: &Arc<Run>,
        task: TaskIndex,
        step: StepIndex,
        (object, request): (ObjectIndex, Request),
        operation: Operation,
    ) -> Self {
        let watch = Arc::new(Watch {
            task,
            step,
            object,
            request,
            number: AtomicI32::new(0),
            finished: AtomicBool::new(false),
            announced: AtomicBool::new(false),
            told: AtomicBool::new(false),
            end: Mutex::new(None),
        });
        run.hub.outside_began();
        run.watch(Arc::clone(&watch));
        let (thread_run, thread_watch) = (Arc::clone(run), Arc::clone(&watch));
        std::thread::spawn(move || thread_watch.work(&thread_run, operation));
        Self { object, step, watch }
    }

    /// Returns the mode of the guard that it waits for.
    pub(super) fn mode(&self) -> u8 {
        self.watch.request.claim().mode
    }

    pub(super) fn is_announced(&self) -> bool {
        self.watch.announced.load(Ordering::Relaxed)
    }

    /// Records what the thread came back with, if it has and nobody has told.
    pub(super) fn record_reply(&self, run: &Run) {
        self.watch.record_reply(run);
    }

    /// Returns what came out of the thread, or the wait itself if it still runs.
    pub(super) fn take_end(self) -> Result<End, Self> {
        self.watch.take_end().ok_or(self)
    }
}

impl Watch {
    fn work(&self, run: &Run, mut operation: Operation) {
        self.number.store(own_thread_number(), Ordering::Release);
        let poll = || {
            let _entered = run.identity(self.task).enter();
            operation.poll(&mut Context::from_waker(Waker::noop()))
        };
        let end = match catch_unwind(AssertUnwindSafe(poll)) {
            Ok(Poll::Ready(reply)) => Ok((reply, operation)),
            Ok(Poll::Pending) => unreachable!("a blocking operation replies in its first poll"),
            Err(payload) => Err(payload),
        };
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = Some(EndCell(end));
        run.hub.requeue(self.task);
        self.finished.store(true, Ordering::Release);
        run.hub.outside_ended();
    }

    /// Takes what came out of the thread, if it has ended and nobody has taken it.
    pub(super) fn take_end(&self) -> Option<End> {
        let end = self.end.lock().unwrap_or_else(PoisonError::into_inner).take();
        end.map(|EndCell(end)| end)
    }

    /// Records what the thread came back with, once: as the result of its step, or as an effect if that was `waits`.
    /// Its task may stand still in a line, so whoever sees the end first tells it; the guard stays here for the task.
    pub(super) fn record_reply(&self, run: &Run) {
        let reply = match &*self.end.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(EndCell(Ok((reply, _)))) if !self.told.swap(true, Ordering::Relaxed) => reply.clone(),
            _ => return,
        };
        let what = what(self.object, self.request, None, &reply);
        match self.announced.load(Ordering::Relaxed) {
            true => run.record(self.task, Role::Effect, what),
            false => run.record_at(At::Step(self.step), self.task, Role::Result, what),
        }
    }

    /// Marks the wait as told, and returns whether it was not yet.
    pub(super) fn announce(&self) -> bool {
        !self.announced.swap(true, Ordering::Relaxed)
    }

    /// Returns what the thread does now.
    pub(super) fn state(&self) -> State {
        if self.finished.load(Ordering::Acquire) {
            return State::Finished;
        }
        match self.number.load(Ordering::Acquire) {
            0 => State::Runs,
            number => kernel_state(number),
        }
    }
}

#[cfg(target_os = "linux")]
fn own_thread_number() -> i32 {
    let link = std::fs::read_link("/proc/thread-self").ok();
    let number = link.as_deref().and_then(|path| path.file_name()).and_then(|name| name.to_str()?.parse().ok());
    number.unwrap_or(-1)
}

#[cfg(target_os = "linux")]
fn kernel_state(number: i32) -> State {
    let stat = procfs::process::Process::myself().and_then(|process| process.task_from_tid(number)?.stat());
    match stat.map(|stat| stat.state) {
        Ok('S') => State::Sleeps,
        Ok(_) => State::Runs,
        Err(_) if number > 0 => State::Finished,
        Err(_) => State::Unknown,
    }
}

#[cfg(not(target_os = "linux"))]
fn own_thread_number() -> i32 {
    -1
}

#[cfg(not(target_os = "linux"))]
fn kernel_state(_number: i32) -> State {
    State::Unknown
}
