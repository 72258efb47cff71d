//! What the conductor and the tasks of one run share.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Wake, Waker};

use super::events::is_scripted;
use super::hands::Belonging;
use super::thread::{End, Watch};
use super::{Heard, Listener};
use crate::identity::Identity;
use crate::object::{Object, Reply, touched};
use crate::program::{NameIndex, ObjectIndex, Program, StepIndex};
use crate::quiescence::{Hub, TaskIndex};
use crate::runtime::panic_message;
use crate::transcript::{At, Event, Role, What};

/// A command of the conductor to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// Take the steps `first..=last`, in one poll.
    Steps { first: StepIndex, last: StepIndex },
    /// Drop what you wait for.
    Cancel,
    /// Let go, at rest.
    LetGo(LetGo),
    /// End.
    Stop,
}

/// What a task lets go of at rest, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LetGo {
    Waits,
    Futures,
    Guards,
}

impl LetGo {
    /// Everything that a task can be asked to let go of.
    pub(super) const ALL: u8 = LetGo::Waits.bit() | LetGo::Futures.bit() | LetGo::Guards.bit();

    /// Returns the bit that stands for it in a [`Desk`].
    pub(super) const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// What the others know of a task, and what they put down for it.
///
/// Only one task is polled at a time and the conductor looks at quiescence, so the hub's mutex stands between any two
/// that touch a burden, and it can be relaxed.
struct Desk {
    mail: Mutex<Mailbox>,
    /// What the task may have to let go of, as bits of [`LetGo`], and [`MAIL`].
    burden: AtomicU8,
    /// How often the task took another waker. The wakers of before come to nothing.
    renewals: AtomicU32,
}

impl Desk {
    fn new() -> Self {
        Self { mail: Mutex::new(Some(Vec::new())), burden: AtomicU8::new(0), renewals: AtomicU32::new(0) }
    }
}

/// The bit of a burden that says that there is mail: whatever it is, the task may have to let go of it.
const MAIL: u8 = 1 << 7;

/// What the conductor and the tasks of one run share.
pub(super) struct Run {
    /// Counted, so that no task is taken for one of another run.
    number: u64,
    pub(super) hub: Hub<Command>,
    pub(super) program: Arc<Program>,
    /// The objects, until the script drops them.
    objects: Mutex<Vec<Option<Arc<dyn Object>>>>,
    events: Mutex<Vec<Event>>,
    /// How many events there are.
    told: AtomicUsize,
    at: AtomicUsize,
    unsupported: AtomicBool,
    /// Whether every task ends when it is next let in without a command.
    stops: AtomicBool,
    desks: Vec<Desk>,
    /// The threads that work for tasks.
    threads: Mutex<Vec<Arc<Watch>>>,
    /// Whether there ever was one: most runs have none, and ask after every step.
    has_threads: AtomicBool,
    listener: Option<Listener>,
}

/// What was sent to a task and not yet taken by it; `None` once the task has ended.
type Mailbox = Option<Vec<Belonging>>;

const PROBE: usize = usize::MAX - 1;
const REST: usize = usize::MAX;

impl Run {
    pub(super) fn new(program: Arc<Program>, polls_max: u32) -> Self {
        let tasks = program.tasks.len();
        Self {
            number: next_number(),
            hub: Hub::new(tasks, polls_max),
            events: Mutex::default(),
            told: AtomicUsize::new(0),
            objects: Mutex::new(Vec::with_capacity(program.objects().len())),
            at: AtomicUsize::new(0),
            unsupported: AtomicBool::new(false),
            stops: AtomicBool::new(false),
            desks: (0..tasks).map(|_| Desk::new()).collect(),
            threads: Mutex::default(),
            has_threads: AtomicBool::new(false),
            listener: None,
            program,
        }
    }

    /// Makes it another run of the same program, as it was when it was new, with the room that it has. It begins with
    /// no object.
    pub(super) fn begin_anew(&mut self) {
        // Every field, so that none that is added later is forgotten.
        let Self {
            number,
            hub,
            program: _,
            objects,
            events,
            told,
            at,
            unsupported,
            stops,
            desks,
            threads,
            has_threads,
            listener,
        } = self;
        *number = next_number();
        hub.begin_anew();
        unlocked(objects).clear();
        unlocked(events).clear();
        unlocked(threads).clear();
        desks.fill_with(Desk::new);
        for count in [told, at] {
            *count.get_mut() = 0;
        }
        for flag in [unsupported, stops, has_threads] {
            *flag.get_mut() = false;
        }
        *listener = None;
    }

    /// Says who listens, and makes room for so many events.
    pub(super) fn set_up(&mut self, listener: Option<Listener>, room: usize) {
        self.listener = listener;
        unlocked(&mut self.events).reserve_exact(room);
    }

    /// Adds the next object.
    pub(super) fn add_object(&mut self, object: Arc<dyn Object>) {
        unlocked(&mut self.objects).push(Some(object));
    }

    /// Returns who `task` is, for locks that know their holder.
    pub(super) fn identity(&self, task: TaskIndex) -> Identity {
        Identity::new(self.number, self.program.tasks[task])
    }

    pub(super) fn watch(&self, thread: Arc<Watch>) {
        // The hub's mutex stands between the poll that watches and the conductor.
        self.has_threads.store(true, Ordering::Relaxed);
        lock(&self.threads).push(thread);
    }

    pub(super) fn unwatch(&self, thread: &Arc<Watch>) {
        lock(&self.threads).retain(|known| !Arc::ptr_eq(known, thread));
    }

    pub(super) fn threads(&self) -> Vec<Arc<Watch>> {
        if !self.has_threads.load(Ordering::Relaxed) {
            return Vec::new();
        }
        lock(&self.threads).clone()
    }

    /// Says when the events from now on happen. Written only at quiescence or in a held line, so a relaxed store is
    /// enough: the hub's mutex stands between it and every reader.
    pub(super) fn set_at(&self, at: At) {
        let value = match at {
            At::Step(step) => step,
            At::Probe => PROBE,
            At::Rest => REST,
        };
        self.at.store(value, Ordering::Relaxed);
        if let Some(listener) = &self.listener {
            listener(Heard::Begun(at));
        }
    }

    pub(super) fn at(&self) -> At {
        match self.at.load(Ordering::Relaxed) {
            PROBE => At::Probe,
            REST => At::Rest,
            step => At::Step(step),
        }
    }

    pub(super) fn record(&self, task: impl Into<Option<TaskIndex>>, role: Role, what: What) {
        self.record_at(self.at(), task, role, what);
    }

    pub(super) fn record_at(&self, at: At, task: impl Into<Option<TaskIndex>>, role: Role, what: What) {
        if matches!(what, What::Unsupported) {
            self.unsupported.store(true, Ordering::Relaxed);
        }
        let event = Event { at, task: task.into(), role, what };
        if let Some(listener) = &self.listener {
            listener(Heard::Event(&event));
        }
        let mut events = lock(&self.events);
        events.push(event);
        // Under the lock, and the hub's mutex stands between this and who reads it.
        self.told.store(events.len(), Ordering::Relaxed);
    }

    /// Returns how many events there are. Only at quiescence.
    pub(super) fn event_count(&self) -> usize {
        self.told.load(Ordering::Relaxed)
    }

    /// Returns whether the library lacked an operation.
    pub(super) fn met_unsupported(&self) -> bool {
        self.unsupported.load(Ordering::Relaxed)
    }

    pub(super) fn take_events(&self) -> Vec<Event> {
        std::mem::take(&mut *lock(&self.events))
    }

    pub(super) fn object(&self, index: ObjectIndex) -> Option<Arc<dyn Object>> {
        lock(&self.objects)[index].clone()
    }

    /// Takes an object out, so that the caller drops it when no lock of the run is held.
    pub(super) fn take_object(&self, index: ObjectIndex) -> Option<Arc<dyn Object>> {
        lock(&self.objects)[index].take()
    }

    /// Puts `parcel` into the mailbox of `to`. If that task has ended, the caller drops what it gets back.
    pub(super) fn send(&self, to: TaskIndex, parcel: Belonging) -> Option<Belonging> {
        let desk = &self.desks[to];
        match &mut *lock(&desk.mail) {
            Some(mailbox) => {
                mailbox.push(parcel);
                desk.burden.fetch_or(MAIL, Ordering::Relaxed);
                None
            }
            None => Some(parcel),
        }
    }

    /// Returns whether `task` has not ended, so that it can be sent something.
    pub(super) fn receives(&self, task: TaskIndex) -> bool {
        lock(&self.desks[task].mail).is_some()
    }

    pub(super) fn receive(&self, task: TaskIndex) -> Vec<Belonging> {
        let desk = &self.desks[task];
        if desk.burden.load(Ordering::Relaxed) & MAIL == 0 {
            return Vec::new();
        }
        desk.burden.fetch_and(!MAIL, Ordering::Relaxed);
        lock(&desk.mail).as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Closes the mailbox of a task that ends. Whatever is in it is all that there is left to let go of.
    pub(super) fn close_mailbox(&self, task: TaskIndex) -> Vec<Belonging> {
        let desk = &self.desks[task];
        let mail = lock(&desk.mail).take();
        desk.burden.store(0, Ordering::Relaxed);
        mail.unwrap_or_default()
    }

    /// Says what `task` may have to let go of after this poll, beside its mail.
    pub(super) fn set_burden(&self, task: TaskIndex, burden: u8) {
        let desk = &self.desks[task].burden;
        desk.store(burden | (desk.load(Ordering::Relaxed) & MAIL), Ordering::Relaxed);
    }

    /// Returns whether `task` may have something of this kind to let go of.
    pub(super) fn may_let_go(&self, task: TaskIndex, what: LetGo) -> bool {
        self.desks[task].burden.load(Ordering::Relaxed) & (what.bit() | MAIL) != 0
    }

    /// Records a wake of `task`. Of a task that has ended it is told only if an object wakes it, which may still offer
    /// itself to a future that the task had polled; what a runtime does with such a task comes when it likes.
    pub(super) fn wake(&self, task: TaskIndex) {
        let object = touched();
        let record = || self.record(task, Role::Effect, What::Woken { object });
        if !self.hub.wake(task, record) && object.is_some() {
            record();
        }
    }

    /// Drops what came out of a thread whose task has ended: nobody is there to take it.
    pub(super) fn let_go_of_end(&self, task: TaskIndex, object: ObjectIndex, end: End) {
        match end {
            Ok((reply, operation)) => {
                if reply == Reply::Granted {
                    self.record(task, Role::Effect, What::Released { object });
                }
                drop(operation);
            }
            Err(payload) => {
                let message = panic_message(&*payload);
                self.record(task, Role::Effect, What::Panicked { scripted: is_scripted(&*payload), message });
            }
        }
    }

    /// Returns another waker of `task`; from now on only that one wakes it.
    pub(super) fn renew_waker(self: &Arc<Self>, task: TaskIndex) -> Waker {
        self.desks[task].renewals.fetch_add(1, Ordering::Relaxed);
        TaskWaker::waker(self, task)
    }

    /// Returns whether `task` has nothing to let go of.
    pub(super) fn has_let_go(&self, task: TaskIndex) -> bool {
        self.desks[task].burden.load(Ordering::Relaxed) == 0
    }

    /// Says that every task ends when it is next let in without a command.
    pub(super) fn stop(&self) {
        // The hub's mutex stands between this and the polls that follow from it.
        self.stops.store(true, Ordering::Relaxed);
    }

    /// Returns whether every task ends when it is next let in without a command.
    pub(super) fn stops(&self) -> bool {
        self.stops.load(Ordering::Relaxed)
    }
}

fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Returns what is in a mutex that nobody else can lock.
fn unlocked<T>(mutex: &mut Mutex<T>) -> &mut T {
    mutex.get_mut().unwrap_or_else(|poison| poison.into_inner())
}

/// Locks a mutex of the harness. That somebody panicked while it was held says nothing of what it holds.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poison| poison.into_inner())
}

/// The waker that a task gives to its locks.
pub(super) struct TaskWaker {
    run: Arc<Run>,
    task: TaskIndex,
    /// How many wakers the task had before this one.
    renewal: u32,
}

impl TaskWaker {
    pub(super) fn waker(run: &Arc<Run>, task: TaskIndex) -> Waker {
        let renewal = run.desks[task].renewals.load(Ordering::Relaxed);
        Waker::from(Arc::new(Self { run: Arc::clone(run), task, renewal }))
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.run.desks[self.task].renewals.load(Ordering::Relaxed) == self.renewal {
            self.run.wake(self.task);
        }
    }
}

/// A kept future's place among names, for events.
pub(super) type Kept = Option<NameIndex>;
