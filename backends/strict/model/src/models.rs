//! The models. Main holds the mutex when the threads start, and releases it beside what they do.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Wake, Waker};

use loom::sync::Notify;
use loom::thread::{self, JoinHandle};

use crate::queue::{Acquire, Make, Mutex, Refuses, Task};

const MAIN: Task = 1;
const A: Task = 2;
const B: Task = 3;

/// A concurrent program whose every execution, within its bound, must end, without a data race and with true
/// assertions.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    /// Its name.
    pub name: &'static str,
    /// What one execution does.
    pub play: fn(Make),
    /// How often a thread that could go on is made to stand back, in one execution.
    pub preemptions_max: usize,
}

/// Every model.
pub const MODELS: &[Model] = &[
    Model { name: "release_beside_an_acquire", play: release_beside_an_acquire, preemptions_max: 3 },
    Model { name: "waiter_beside_a_newcomer", play: waiter_beside_a_newcomer, preemptions_max: 3 },
    Model { name: "interrupted_wait", play: interrupted_wait, preemptions_max: 3 },
    Model { name: "own_future_beside_a_newcomer", play: own_future_beside_a_newcomer, preemptions_max: 2 },
    Model { name: "try_beside_a_waiter", play: try_beside_a_waiter, preemptions_max: 3 },
    Model { name: "threads_that_cross", play: threads_that_cross, preemptions_max: 3 },
    Model { name: "threads_that_do_not_cross", play: threads_that_do_not_cross, preemptions_max: 2 },
];

/// Returns the model of that name.
///
/// # Panics
///
/// If there is no model of that name.
pub fn named(name: &str) -> Model {
    *MODELS.iter().find(|model| model.name == name).expect("the name is one of the list in models.rs")
}

/// Runs all executions of `model`. Returns how many there were.
///
/// # Errors
///
/// What the first execution that failed said: a deadlock, a data race or a false assertion.
pub fn check(model: Model, make: Make) -> Result<usize, String> {
    let executions = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&executions);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(model.preemptions_max);
    builder.max_permutations = None;
    builder.max_duration = None;
    let checked = catch_unwind(AssertUnwindSafe(|| {
        builder.check(move || {
            count.fetch_add(1, Ordering::Relaxed);
            (model.play)(make);
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
}

/// One task on a thread: its wakes, of which loom's `Notify` makes one up.
struct Runs {
    task: Task,
    signal: Arc<Signal>,
    waker: Waker,
}

impl Runs {
    fn new(task: Task) -> Self {
        let signal = Arc::new(Signal::default());
        Self { task, waker: Waker::from(Arc::clone(&signal)), signal }
    }

    fn poll(&self, acquire: &mut dyn Acquire) -> Poll<()> {
        acquire.poll(self.task, &self.waker)
    }

    fn wait_for(&self, acquire: &mut dyn Acquire) {
        while self.poll(acquire).is_pending() {
            self.signal.0.wait();
        }
    }
}

/// Acquires without a wait.
fn take(mutex: &Rc<dyn Mutex>, task: Task) {
    assert_eq!(Runs::new(task).poll(&mut *Rc::clone(mutex).acquire()), Poll::Ready(()));
}

/// Uses what the mutex guards, and releases it.
fn use_and_release(mutex: &Rc<dyn Mutex>, task: Option<Task>) {
    if task.is_some() {
        assert_eq!(mutex.holder(), task, "who holds is known as the holder");
    }
    mutex.value().set(mutex.value().get() + 1);
    mutex.release();
}

/// Starts a thread that acquires, waiting if it must, and releases.
fn acquires(mutex: &Rc<dyn Mutex>, task: Task) -> JoinHandle<()> {
    let mutex = Rc::clone(mutex);
    thread::spawn(move || {
        Runs::new(task).wait_for(&mut *Rc::clone(&mutex).acquire());
        use_and_release(&mutex, Some(task));
    })
}

/// Checks that nobody waits and nobody holds.
fn check_is_over(mutex: &Rc<dyn Mutex>) {
    assert_eq!((mutex.waiting(), mutex.holder()), (0, None), "nobody waits and nobody holds in the end");
    assert!(mutex.try_acquire(), "it is free in the end");
}

fn join(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| thread.join().expect("loom ends the execution at the first panic"));
}

/// A asks while main releases: it finds the mutex free, or is woken.
fn release_beside_an_acquire(make: Make) {
    let mutex = &make(Refuses::EveryReentry);
    take(mutex, MAIN);
    let a = acquires(mutex, A);
    use_and_release(mutex, Some(MAIN));
    join([a]);
    assert_eq!(mutex.value().get(), 2);
    check_is_over(mutex);
}

/// A and B ask while main releases. One of them may have seen nobody wait, and be faster than the one it is promised to.
fn waiter_beside_a_newcomer(make: Make) {
    let mutex = &make(Refuses::EveryReentry);
    take(mutex, MAIN);
    let threads = [acquires(mutex, A), acquires(mutex, B)];
    use_and_release(mutex, Some(MAIN));
    join(threads);
    assert_eq!(mutex.value().get(), 3);
    check_is_over(mutex);
}

/// A waits, and gives up while main releases: what it was promised goes to B.
fn interrupted_wait(make: Make) {
    let mutex = &make(Refuses::EveryReentry);
    take(mutex, MAIN);
    let runs = Runs::new(A);
    let mut given_up = Rc::clone(mutex).acquire();
    assert!(runs.poll(&mut *given_up).is_pending());
    let b = acquires(mutex, B);
    let a = {
        let given_up = given_up;
        thread::spawn(move || drop(given_up))
    };
    use_and_release(mutex, Some(MAIN));
    join([a, b]);
    assert_eq!(mutex.value().get(), 2);
    check_is_over(mutex);
}

/// A keeps a future that waits, and never polls it again; another future of A waits for the mutex. B comes between.
fn own_future_beside_a_newcomer(make: Make) {
    let mutex = &make(Refuses::EveryReentry);
    take(mutex, MAIN);
    let b = acquires(mutex, B);
    let a = {
        let mutex = Rc::clone(mutex);
        thread::spawn(move || {
            let runs = Runs::new(A);
            let mut kept = Rc::clone(&mutex).acquire();
            if runs.poll(&mut *kept).is_pending() {
                runs.wait_for(&mut *Rc::clone(&mutex).acquire());
            }
            use_and_release(&mutex, Some(A));
        })
    };
    use_and_release(mutex, Some(MAIN));
    join([a, b]);
    assert_eq!(mutex.value().get(), 3);
    check_is_over(mutex);
}

/// A waits while main releases, and B tries: it is refused, or has the mutex for itself.
fn try_beside_a_waiter(make: Make) {
    let mutex = &make(Refuses::EveryReentry);
    take(mutex, MAIN);
    let a = acquires(mutex, A);
    let b = {
        let mutex = Rc::clone(mutex);
        thread::spawn(move || {
            if mutex.try_acquire() {
                use_and_release(&mutex, None);
            }
        })
    };
    use_and_release(mutex, Some(MAIN));
    join([a, b]);
    assert!((2..=3).contains(&mutex.value().get()));
    check_is_over(mutex);
}

/// A holds m and asks for n, B holds n and asks for m, each on a thread that blocks. One of them is refused and releases
/// what it holds, and the other one gets what it asks for.
fn threads_that_cross(make: Make) {
    let (m, n) = (make(Refuses::EndlessWaits), make(Refuses::EndlessWaits));
    let both_hold = [(A, &m), (B, &n)];
    for (task, mutex) in both_hold {
        let granted = mutex.acquire_blocking(task, Waker::noop(), &|| panic!("it is free"));
        assert!(granted);
    }
    let crosses = |task: Task, holds: &Rc<dyn Mutex>, asks: &Rc<dyn Mutex>| {
        let (holds, asks) = (Rc::clone(holds), Rc::clone(asks));
        thread::spawn(move || {
            let runs = Runs::new(task);
            let granted = asks.acquire_blocking(task, &runs.waker, &|| runs.signal.0.wait());
            if granted {
                use_and_release(&asks, None);
            } else {
                // Whoever was refused has the mutex still, so this is a data race if another one has it too.
                holds.value().set(holds.value().get() + 10);
            }
            use_and_release(&holds, None);
        })
    };
    join([crosses(A, &m, &n), crosses(B, &n, &m)]);
    let values = [m.value().get(), n.value().get()];
    assert!(values == [1, 12] || values == [12, 1], "one of them is refused, and one granted: {values:?}");
    check_is_over(&m);
    check_is_over(&n);
}

/// A and B block while main releases: one may come between the release and its promise, and nobody is refused.
fn threads_that_do_not_cross(make: Make) {
    let mutex = make(Refuses::EndlessWaits);
    assert!(mutex.acquire_blocking(MAIN, Waker::noop(), &|| panic!("it is free")));
    let threads = [A, B].map(|task| {
        let mutex = Rc::clone(&mutex);
        thread::spawn(move || {
            let runs = Runs::new(task);
            assert!(mutex.acquire_blocking(task, &runs.waker, &|| runs.signal.0.wait()), "there is no cycle");
            use_and_release(&mutex, None);
        })
    });
    use_and_release(&mutex, None);
    join(threads);
    assert_eq!(mutex.value().get(), 3);
    check_is_over(&mutex);
}
