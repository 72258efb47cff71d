//! What every model plays on: a hub, workers that poll as a runtime may, and a conductor that waits for quiescence.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use loom::sync::Notify;
use loom::thread::{self, JoinHandle};

use crate::hub::{Admission, Departure, FAITHFUL, Hub, Make, Quiescence, Task};

/// When a task tells the hub that it has ended. This order is the driver's and not the hub's, so it is mutated here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndOrder {
    /// After everything that it owned was dropped, as the driver does.
    DropsFirst,
    /// Before that.
    ReportsFirst,
}

/// What a model runs with.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The copy of the hub.
    pub make: Make,
    /// The order of the driver.
    pub end_order: EndOrder,
}

/// A concurrent program whose every execution, within its bound, must end, without a data race and with true
/// assertions.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    /// Its name.
    pub name: &'static str,
    /// What one execution does.
    pub play: fn(Setting),
    /// How often a thread that could go on is made to stand back, in one execution.
    pub preemptions_max: usize,
}

impl Setting {
    /// The hub and the driver as they are.
    pub const FAITHFUL: Self = Self { make: FAITHFUL, end_order: EndOrder::DropsFirst };

    /// Ends `task`, which owns what `drop_all` drops.
    pub fn end(self, hub: &dyn Hub, task: Task, drop_all: impl FnOnce()) {
        match self.end_order {
            EndOrder::DropsFirst => {
                drop_all();
                hub.end(task);
            }
            EndOrder::ReportsFirst => {
                hub.end(task);
                drop_all();
            }
        }
    }
}

/// Runs all executions of `model`. Returns how many there were.
///
/// # Errors
///
/// What the first execution that failed said: a deadlock, a data race or a false assertion.
pub fn check(model: Model, setting: Setting) -> Result<usize, String> {
    let executions = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&executions);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(model.preemptions_max);
    builder.max_permutations = None;
    builder.max_duration = None;
    let checked = catch_unwind(AssertUnwindSafe(|| {
        builder.check(move || {
            count.fetch_add(1, Ordering::Relaxed);
            (model.play)(setting);
        });
    }));
    let executions = executions.load(Ordering::Relaxed);
    checked.map(|()| executions).map_err(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("a panic without a text");
        format!("execution {executions}: {text}")
    })
}

/// A waker that lets one waiting thread go on.
#[derive(Debug, Default)]
struct Signal(Notify);

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.0.notify();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.notify();
    }
}

/// Waits until the hub says that there is quiescence, as the conductor does: with a waker of its own each time.
pub fn settle(hub: &dyn Hub) -> Quiescence {
    let signal = Arc::new(Signal::default());
    let waker = Waker::from(Arc::clone(&signal));
    loop {
        match hub.quiet(&waker) {
            Some(quiescence) => return quiescence,
            None => signal.0.wait(),
        }
    }
}

/// Starts a thread that polls `task` as a runtime may: at once, whenever its waker was called, and once for no reason
/// at all (loom's `Notify` returns spuriously once). `take` is one poll that was let in; if it returns
/// [`Departure::Done`], it has told the hub itself.
pub fn work(hub: &Arc<dyn Hub>, task: Task, mut take: impl FnMut(Admission) -> Departure + 'static) -> JoinHandle<()> {
    let hub = Arc::clone(hub);
    thread::spawn(move || {
        let signal = Arc::new(Signal::default());
        let waker = Waker::from(Arc::clone(&signal));
        loop {
            if let Some(admission) = hub.enter(task, &waker) {
                match take(admission) {
                    Departure::Done => return,
                    departure => {
                        hub.leave(task, departure);
                        if departure == Departure::Promised {
                            keep_promise(&hub, task);
                        }
                    }
                }
            }
            signal.0.wait();
        }
    })
}

/// Starts a thread that delivers the wake which a poll of `task` was promised. No transcript tells of it.
pub fn keep_promise(hub: &Arc<dyn Hub>, task: Task) -> JoinHandle<()> {
    let hub = Arc::clone(hub);
    thread::spawn(move || hub.wake(task, &mut || panic!("a promised wake was recorded")))
}

/// Joins a thread of the model.
pub fn join(thread: JoinHandle<()>) {
    thread.join().expect("loom ends the execution at the first panic");
}
