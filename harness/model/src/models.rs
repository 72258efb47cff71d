//! The models. Tasks are A = 0, B = 1, C = 2; `x`, `y` and `z` are plain data, so that whoever is let in too early, or
//! sees quiescence too early, is in a data race or reads a wrong value.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::task::{Wake, Waker};

use loom::cell::Cell;
use loom::sync::Notify;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread::{self, JoinHandle};

use crate::hub::{Admission, Departure, Hub, Quiescence, Task};
use crate::stage::{Model, Setting, join, keep_promise, settle, work};

const A: Task = 0;
const B: Task = 1;
const C: Task = 2;

/// More polls than any model needs.
const ENOUGH: u32 = 8;

/// Every model.
pub const MODELS: &[Model] = &[
    Model { name: "wake_within_a_poll", play: wake_within_a_poll, preemptions_max: 3 },
    Model { name: "wake_of_a_polled_task", play: wake_of_a_polled_task, preemptions_max: 3 },
    Model { name: "abort_of_a_queued_task", play: abort_of_a_queued_task, preemptions_max: 3 },
    Model { name: "abort_of_a_holder", play: abort_of_a_holder, preemptions_max: 3 },
    Model { name: "promised_wake", play: promised_wake, preemptions_max: 3 },
    Model { name: "end_of_a_promised_task", play: end_of_a_promised_task, preemptions_max: 3 },
    Model { name: "two_wakes", play: two_wakes, preemptions_max: 2 },
    Model { name: "two_wakes_in_a_line", play: two_wakes_in_a_line, preemptions_max: 2 },
    Model { name: "held_line", play: held_line, preemptions_max: 3 },
    Model { name: "conductor_acts", play: conductor_acts, preemptions_max: 3 },
    Model { name: "step_after_step", play: step_after_step, preemptions_max: 3 },
    Model { name: "other_waker", play: other_waker, preemptions_max: 3 },
    Model { name: "livelock", play: livelock, preemptions_max: 2 },
    Model { name: "foreign_wake", play: foreign_wake, preemptions_max: 3 },
];

/// Returns the model of that name.
///
/// # Panics
///
/// If there is no model of that name.
pub fn named(name: &str) -> Model {
    *MODELS.iter().find(|model| model.name == name).expect("the name is one of the list in models.rs")
}

/// Plain data that several threads share. All threads of a model are one thread to the system, so `Rc` will do.
fn plain() -> Rc<Cell<u32>> {
    Rc::new(Cell::new(0))
}

fn unrecorded() {}

/// A wakes B inside its poll and goes on. B is polled for no reason before, and must not see A half done.
fn wake_within_a_poll(setting: Setting) {
    let hub = (setting.make)(2, ENOUGH);
    let (x, y) = (plain(), plain());
    let b = {
        let (inner, x, y) = (Arc::clone(&hub), Rc::clone(&x), Rc::clone(&y));
        work(&hub, B, move |admission| {
            assert_eq!(admission, Admission::Woken);
            setting.end(&*inner, B, || y.set(x.get()));
            Departure::Done
        })
    };
    assert!(hub.command(A, 1));
    let a = {
        let (inner, x) = (Arc::clone(&hub), Rc::clone(&x));
        work(&hub, A, move |admission| {
            assert_eq!(admission, Admission::Command(1));
            x.set(1);
            inner.wake(B, &mut unrecorded);
            setting.end(&*inner, A, || x.set(2));
            Departure::Done
        })
    };
    settle(&*hub);
    assert_eq!((x.get(), y.get()), (2, 2), "quiescence came before all had run");
    assert!(hub.is_done(A) && hub.is_done(B) && !hub.has_foreign_wake());
    join(a);
    join(b);
}

/// B starts a thread in its poll; the thread does what B waits for and wakes B, in that poll or after it.
fn wake_of_a_polled_task(setting: Setting) {
    let hub = (setting.make)(2, ENOUGH);
    let thread: Rc<RefCell<Option<JoinHandle<()>>>> = Rc::default();
    let ready = Rc::new(AtomicBool::new(false));
    let x = plain();
    assert!(hub.command(B, 1));
    let b = {
        let (inner, thread, x) = (Arc::clone(&hub), Rc::clone(&thread), Rc::clone(&x));
        work(&hub, B, move |admission| {
            if let Admission::Command(_) = admission {
                inner.outside_began();
                let (inner, ready) = (Arc::clone(&inner), Rc::clone(&ready));
                *thread.borrow_mut() = Some(thread::spawn(move || {
                    ready.store(true, Ordering::Release);
                    inner.wake(B, &mut unrecorded);
                    inner.outside_ended();
                }));
            }
            if !ready.load(Ordering::Acquire) || admission != Admission::Woken {
                return Departure::Parked;
            }
            setting.end(&*inner, B, || x.set(1));
            Departure::Done
        })
    };
    settle(&*hub);
    let started = thread.borrow_mut().take().expect("B has been polled at quiescence");
    join(started);
    settle(&*hub);
    assert_eq!(x.get(), 1, "the wake was lost");
    assert!(!hub.has_foreign_wake());
    join(b);
}

/// In a held line A wakes B and C, then B is aborted: it leaves the queue, and nobody gets in before the line is over.
fn abort_of_a_queued_task(setting: Setting) {
    let hub = (setting.make)(3, ENOUGH);
    let (x, y) = (plain(), plain());
    hub.hold(true);
    assert!(hub.command(A, 1));
    // A runs on the conductor's thread: its own polls are not what this model is about.
    assert_eq!(hub.enter(A, Waker::noop()), Some(Admission::Command(1)));
    hub.wake(B, &mut unrecorded);
    hub.wake(C, &mut unrecorded);
    hub.end(A);
    let c = {
        let (inner, x, y) = (Arc::clone(&hub), Rc::clone(&x), Rc::clone(&y));
        work(&hub, C, move |admission| {
            assert_eq!(admission, Admission::Woken);
            setting.end(&*inner, C, || y.set(x.get()));
            Departure::Done
        })
    };
    settle(&*hub);
    assert!(hub.announce_end(B));
    let b = {
        let (hub, x) = (Arc::clone(&hub), Rc::clone(&x));
        thread::spawn(move || {
            assert_eq!(hub.enter(B, Waker::noop()), None);
            x.set(1);
            hub.wake(C, &mut unrecorded);
            setting.end(&*hub, B, || x.set(2));
        })
    };
    settle(&*hub);
    assert_eq!(
        (x.get(), y.get()),
        (2, 0),
        "quiescence came before B was dropped, or C was let in before the line's end"
    );
    hub.hold(false);
    settle(&*hub);
    assert_eq!(y.get(), 2);
    assert!(!hub.has_foreign_wake());
    join(b);
    join(c);
}

/// B is aborted, and what it owns is dropped on a thread of the runtime. The first of it wakes C, which must not run
/// beside the rest.
fn abort_of_a_holder(setting: Setting) {
    let hub = (setting.make)(3, ENOUGH);
    let (x, y) = (plain(), plain());
    let c = {
        let (inner, x, y) = (Arc::clone(&hub), Rc::clone(&x), Rc::clone(&y));
        work(&hub, C, move |admission| {
            assert_eq!(admission, Admission::Woken);
            setting.end(&*inner, C, || y.set(x.get()));
            Departure::Done
        })
    };
    assert!(hub.announce_end(B));
    let b = {
        let (hub, x) = (Arc::clone(&hub), Rc::clone(&x));
        thread::spawn(move || {
            x.set(1);
            hub.wake(C, &mut unrecorded);
            setting.end(&*hub, B, || x.set(2));
        })
    };
    settle(&*hub);
    assert_eq!((x.get(), y.get()), (2, 2), "quiescence came before B was dropped and C had run");
    assert!(!hub.has_foreign_wake());
    join(b);
    join(c);
}

/// The runtime wakes B after its poll, from another thread, as it has promised. No transcript tells of that wake.
fn promised_wake(setting: Setting) {
    let hub = (setting.make)(2, ENOUGH);
    let x = plain();
    assert!(hub.command(B, 1));
    let b = {
        let (inner, x) = (Arc::clone(&hub), Rc::clone(&x));
        work(&hub, B, move |admission| {
            if let Admission::Command(_) = admission {
                x.set(1);
                return Departure::Promised;
            }
            assert_eq!(x.get(), 1);
            setting.end(&*inner, B, || x.set(2));
            Departure::Done
        })
    };
    settle(&*hub);
    assert_eq!(x.get(), 2, "quiescence came before the promised wake");
    assert!(!hub.has_foreign_wake());
    join(b);
}

/// The runtime drops B although it has promised a wake, which comes before, meanwhile or after.
fn end_of_a_promised_task(setting: Setting) {
    let hub = (setting.make)(2, ENOUGH);
    let x = plain();
    assert!(hub.command(B, 1));
    let b = {
        let (hub, x) = (Arc::clone(&hub), Rc::clone(&x));
        thread::spawn(move || {
            assert_eq!(hub.enter(B, Waker::noop()), Some(Admission::Command(1)));
            hub.leave(B, Departure::Promised);
            let scheduler = keep_promise(&hub, B);
            setting.end(&*hub, B, || x.set(1));
            join(scheduler);
        })
    };
    settle(&*hub);
    assert_eq!(x.get(), 1, "quiescence came before B was dropped");
    join(b);
    assert!(!hub.has_foreign_wake());
}

/// Two threads wake a task each. The tasks get in one at a time, in the order of their wakes.
fn two_wakes(setting: Setting) {
    two_wakes_with(setting, false);
}

/// The same in a held line, so that both stand in the queue.
fn two_wakes_in_a_line(setting: Setting) {
    two_wakes_with(setting, true);
}

fn two_wakes_with(setting: Setting, held: bool) {
    let hub = (setting.make)(2, ENOUGH);
    hub.hold(held);
    let (wakes, polls) = (plain(), plain());
    let workers = [A, B].map(|task| {
        let (inner, polls) = (Arc::clone(&hub), Rc::clone(&polls));
        work(&hub, task, move |admission| {
            assert_eq!(admission, Admission::Woken);
            setting.end(&*inner, task, || log(&polls, task));
            Departure::Done
        })
    });
    hub.outside_began();
    hub.outside_began();
    let wake = |hub: &dyn Hub, wakes: &Cell<u32>, task| {
        hub.wake(task, &mut || log(wakes, task));
        hub.outside_ended();
    };
    let beside = {
        let (hub, wakes) = (Arc::clone(&hub), Rc::clone(&wakes));
        thread::spawn(move || wake(&*hub, &wakes, A))
    };
    wake(&*hub, &wakes, B);
    join(beside);
    hub.hold(false);
    settle(&*hub);
    assert_eq!(polls.get(), wakes.get(), "the order of polls is not the order of wakes");
    assert!(!hub.has_foreign_wake());
    for worker in workers {
        join(worker);
    }
}

/// Appends `task` to a log that is a number of one digit per entry.
fn log(entries: &Cell<u32>, task: Task) {
    let digit = u32::try_from(task).expect("there are few tasks") + 1;
    entries.set(entries.get() * 10 + digit);
}

/// A wakes B in a line that is held: B gets in when the line is over and not before.
fn held_line(setting: Setting) {
    let hub = (setting.make)(2, ENOUGH);
    let (x, y) = (plain(), plain());
    hub.hold(true);
    assert!(hub.command(A, 1));
    let a = {
        let inner = Arc::clone(&hub);
        work(&hub, A, move |_| {
            inner.wake(B, &mut unrecorded);
            setting.end(&*inner, A, || {});
            Departure::Done
        })
    };
    let b = {
        let (inner, x, y) = (Arc::clone(&hub), Rc::clone(&x), Rc::clone(&y));
        work(&hub, B, move |_| {
            setting.end(&*inner, B, || y.set(x.get()));
            Departure::Done
        })
    };
    settle(&*hub);
    x.set(1);
    assert_eq!(y.get(), 0, "B was let in while the line was held");
    hub.hold(false);
    settle(&*hub);
    assert_eq!(y.get(), 1, "B was not let in after the line");
    assert!(!hub.has_foreign_wake());
    join(a);
    join(b);
}

/// The conductor itself touches an object and so wakes B, which must not run beside the rest of what it does.
fn conductor_acts(setting: Setting) {
    let hub = (setting.make)(2, ENOUGH);
    let (x, y) = (plain(), plain());
    let b = {
        let (inner, x, y) = (Arc::clone(&hub), Rc::clone(&x), Rc::clone(&y));
        work(&hub, B, move |_| {
            setting.end(&*inner, B, || y.set(x.get()));
            Departure::Done
        })
    };
    hub.act(true);
    hub.wake(B, &mut unrecorded);
    x.set(1);
    hub.act(false);
    settle(&*hub);
    assert_eq!(y.get(), 1);
    assert!(!hub.has_foreign_wake());
    join(b);
}

/// A parks after its first command and ends with its second: the runtime hears of the second, and the conductor, whose
/// waker is another each time, sleeps through neither.
fn step_after_step(setting: Setting) {
    let hub = (setting.make)(1, ENOUGH);
    let x = plain();
    assert!(hub.command(A, 1));
    let a = {
        let (inner, x) = (Arc::clone(&hub), Rc::clone(&x));
        work(&hub, A, move |admission| match admission {
            Admission::Command(1) => {
                x.set(1);
                Departure::Parked
            }
            admission => {
                assert_eq!(admission, Admission::Command(2));
                setting.end(&*inner, A, || x.set(2));
                Departure::Done
            }
        })
    };
    settle(&*hub);
    assert_eq!(x.get(), 1);
    assert!(hub.command(A, 2));
    settle(&*hub);
    assert_eq!(x.get(), 2);
    assert!(!hub.command(A, 3), "an ended task took a command");
    assert!(!hub.announce_end(A));
    hub.requeue(A);
    settle(&*hub);
    join(a);
}

/// A waker whose every use comes back to the hub: a wake, as that of a runtime that polls at once, and a drop, as that of
/// the last share of another task.
struct Reentrant {
    notify: Notify,
    hub: Weak<dyn Hub>,
}

impl Reentrant {
    fn new(hub: &Arc<dyn Hub>) -> Arc<Self> {
        Arc::new(Self { notify: Notify::new(), hub: Arc::downgrade(hub) })
    }

    fn come_back(&self) {
        if let Some(hub) = self.hub.upgrade() {
            hub.is_done(A);
        }
    }
}

impl Wake for Reentrant {
    fn wake(self: Arc<Self>) {
        self.come_back();
        self.notify.notify();
    }
}

impl Drop for Reentrant {
    fn drop(&mut self) {
        // Once an execution has failed, loom cannot be asked any more.
        if !std::thread::panicking() {
            self.come_back();
        }
    }
}

/// The runtime polls A with one waker and then with another, and only the second counts; so does the conductor. No waker
/// is woken or dropped while the hub's state is locked.
fn other_waker(setting: Setting) {
    let hub = (setting.make)(1, ENOUGH);
    let x = plain();
    let a = {
        let (hub, x) = (Arc::clone(&hub), Rc::clone(&x));
        thread::spawn(move || {
            let mut signal = Reentrant::new(&hub);
            let mut admission = hub.enter(A, &Waker::from(Arc::clone(&signal)));
            if admission.is_none() {
                signal = Reentrant::new(&hub);
                admission = hub.enter(A, &Waker::from(Arc::clone(&signal)));
            }
            while admission.is_none() {
                signal.notify.wait();
                admission = hub.enter(A, &Waker::from(Arc::clone(&signal)));
            }
            drop(signal);
            setting.end(&*hub, A, || x.set(1));
        })
    };
    assert!(hub.command(A, 1));
    let _ = hub.quiet(&Waker::from(Reentrant::new(&hub)));
    settle(&*hub);
    assert_eq!(x.get(), 1);
    join(a);
}

/// A wakes itself for ever: the hub gives up on it after the named number of polls, tells the conductor, and lets in B,
/// which A woke in the last of them. A command gets in to A nevertheless, and no wake that follows from it.
fn livelock(setting: Setting) {
    const POLLS_MAX: u32 = 2;
    let hub = (setting.make)(2, POLLS_MAX);
    let (x, y, z) = (plain(), plain(), plain());
    let b = {
        let (inner, z) = (Arc::clone(&hub), Rc::clone(&z));
        work(&hub, B, move |admission| {
            assert_eq!(admission, Admission::Woken);
            setting.end(&*inner, B, || z.set(1));
            Departure::Done
        })
    };
    assert!(hub.command(A, 1));
    let a = {
        let (inner, x, y) = (Arc::clone(&hub), Rc::clone(&x), Rc::clone(&y));
        work(&hub, A, move |admission| {
            if admission == Admission::Command(3) {
                setting.end(&*inner, A, || y.set(1));
                return Departure::Done;
            }
            inner.requeue(A);
            if admission == Admission::Command(2) {
                return Departure::Parked;
            }
            x.set(x.get() + 1);
            if x.get() == 1 + POLLS_MAX {
                inner.requeue(B);
            }
            Departure::Parked
        })
    };
    assert_eq!(settle(&*hub), Quiescence::Livelock);
    assert_eq!((x.get(), z.get()), (1 + POLLS_MAX, 1));
    assert!(hub.command(A, 2));
    assert_eq!(settle(&*hub), Quiescence::Livelock);
    assert!(hub.command(A, 3));
    settle(&*hub);
    assert_eq!((x.get(), y.get()), (1 + POLLS_MAX, 1));
    join(a);
    join(b);
}

/// A thread that nobody has announced wakes B at quiescence: the run is invalid, and B gets in nevertheless.
fn foreign_wake(setting: Setting) {
    let hub = (setting.make)(2, ENOUGH);
    let x = plain();
    let b = {
        let (inner, x) = (Arc::clone(&hub), Rc::clone(&x));
        work(&hub, B, move |_| {
            setting.end(&*inner, B, || x.set(1));
            Departure::Done
        })
    };
    let stranger = {
        let hub = Arc::clone(&hub);
        thread::spawn(move || hub.wake(B, &mut unrecorded))
    };
    join(stranger);
    settle(&*hub);
    assert!(hub.has_foreign_wake());
    assert_eq!(x.get(), 1);
    join(b);
}
