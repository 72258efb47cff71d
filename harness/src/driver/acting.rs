//! Wakers that act: a task's waker performs an operation, polls or panics when the lock wakes, clones or drops it.
//!
//! A lock that uses a waker under its own internal lock hangs here; one that trusts a waker loses the others. Scenarios
//! with acting wakers run in a process of their own.

use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use super::events::{boom, what};
use super::hands::{Belonging, Pending};
use super::run::{Run, lock};
use crate::object::{Message, Operation, Reply, touched};
use crate::primitive::{Place, Request};
use crate::program::{ObjectIndex, ReactionDeed};
use crate::quiescence::TaskIndex;
use crate::scenario::WakerEvent;
use crate::transcript::{At, Role, What};

/// The acting waker of one task: its orders, and what it shares with the task.
pub(super) struct Acting {
    run: Arc<Run>,
    task: TaskIndex,
    orders: Mutex<Vec<Order>>,
    shared: Mutex<Shared>,
}

/// Does `reaction`, once, at the next `event`.
struct Order {
    event: WakerEvent,
    reaction: ReactionDeed,
    /// The guard that [`ReactionDeed::Release`] drops.
    guard: Option<Operation>,
}

#[derive(Default)]
struct Shared {
    /// What the task waits for, so that a wake can poll it.
    pending: Option<Pending>,
    /// What the waker has acquired for the task.
    gains: Vec<Belonging>,
}

impl Acting {
    pub(super) fn new(run: &Arc<Run>, task: TaskIndex) -> Arc<Self> {
        Arc::new(Self { run: Arc::clone(run), task, orders: Mutex::default(), shared: Mutex::default() })
    }

    pub(super) fn arm(&self, event: WakerEvent, reaction: ReactionDeed, guard: Option<Operation>) {
        lock(&self.orders).push(Order { event, reaction, guard });
    }

    /// Returns whether an order that was not carried out yet has a guard of `object`.
    pub(super) fn holds(&self, object: ObjectIndex) -> bool {
        let releases = |order: &Order| matches!(order.reaction, ReactionDeed::Release(held) if held == object);
        lock(&self.orders).iter().any(releases)
    }

    /// Takes all orders back and releases the guards that they held.
    pub(super) fn disarm(&self) {
        let orders = std::mem::take(&mut *lock(&self.orders));
        for order in orders {
            if let (ReactionDeed::Release(object), Some(guard)) = (order.reaction, order.guard) {
                self.run.record(self.task, Role::Effect, What::Released { object });
                drop(guard);
            }
        }
    }

    pub(super) fn share(&self, pending: Pending) {
        lock(&self.shared).pending = Some(pending);
    }

    pub(super) fn unshare(&self) -> Option<Pending> {
        lock(&self.shared).pending.take()
    }

    /// Returns what the waker has acquired, and whether the task's operation is still pending.
    pub(super) fn take_gains(&self) -> (Vec<Belonging>, bool) {
        let mut shared = lock(&self.shared);
        (std::mem::take(&mut shared.gains), shared.pending.is_some())
    }

    /// Carries out the first order for `event`, if there is one. Only a lock gets to see it: a runtime that puts a wake
    /// off uses wakers too, on threads that it cannot spare. And only the script: the probes measure and must not
    /// disturb.
    fn react(self: &Arc<Self>, event: WakerEvent) {
        if touched().is_none() || !matches!(self.run.at(), At::Step(_)) {
            return;
        }
        let order = {
            let mut orders = lock(&self.orders);
            let place = orders.iter().position(|order| order.event == event);
            place.map(|place| orders.remove(place))
        };
        let Some(Order { reaction, guard, .. }) = order else {
            return;
        };
        // Whatever task it is that wakes: what its waker does, this task does.
        let _entered = self.run.identity(self.task).enter();
        match reaction {
            ReactionDeed::Release(object) => {
                self.record(What::Released { object });
                drop(guard);
            }
            ReactionDeed::Ask { object, request } => self.ask(object, request),
            ReactionDeed::Poll => self.poll(),
            ReactionDeed::Panic => {
                self.record(What::Panicked { scripted: true, message: Message::text(boom()) });
                resume_unwind(Box::new(boom()));
            }
        }
    }

    fn record(&self, what: What) {
        self.run.record(self.task, Role::Waker, what);
    }

    fn ask(self: &Arc<Self>, object: ObjectIndex, request: Request) {
        if let Some(live) = self.run.object(object) {
            let operation = live.operation(request, Place::Task).on(object);
            self.advance(Pending { object, request, future: None, operation });
        }
    }

    fn poll(self: &Arc<Self>) {
        if let Some(pending) = self.unshare() {
            self.advance(pending);
        }
    }

    fn advance(self: &Arc<Self>, mut pending: Pending) {
        // Not dropped as a waker: only what the lock does with its own clones is an event.
        let waker = ManuallyDrop::new(self.waker());
        let poll = || pending.operation.poll(&mut Context::from_waker(&waker));
        let polled = catch_unwind(AssertUnwindSafe(poll));
        give_back(&waker);
        let reply = polled.unwrap_or_else(|payload| {
            // The operation goes with the panic, so its task waits no longer.
            if pending.request.waits() {
                self.record(What::Cancelled { object: Some(pending.object), kept: None });
            }
            resume_unwind(payload)
        });
        match reply {
            Poll::Pending => self.share(pending),
            Poll::Ready(reply) => {
                self.record(what(pending.object, pending.request, pending.future, &reply));
                if reply == Reply::Granted {
                    let guard = Belonging::Guard {
                        object: pending.object,
                        mode: pending.request.claim().mode,
                        operation: pending.operation,
                    };
                    lock(&self.shared).gains.push(guard);
                }
            }
        }
    }

    /// Records the wake, then reacts to it.
    fn woken(self: &Arc<Self>) {
        self.run.wake(self.task);
        self.react(WakerEvent::Wake);
    }

    /// Returns a waker that acts on every use of it.
    #[expect(unsafe_code, reason = "std's `Wake` cannot see clones and drops of a waker")]
    pub(super) fn waker(self: &Arc<Self>) -> Waker {
        let raw = RawWaker::new(Arc::into_raw(Arc::clone(self)).cast(), &VTABLE);
        // SAFETY: the data pointer owns one count of an `Arc<Acting>`, which is `Send + Sync`; each function of the
        // table keeps that count (`clone` adds one, `wake` and `drop` use theirs up, `wake_by_ref` leaves it).
        unsafe { Waker::from_raw(raw) }
    }
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(raw_clone, raw_wake, raw_wake_by_ref, raw_drop);

/// Returns the acting waker behind `data` without using up its count.
#[expect(unsafe_code, reason = "see `Acting::waker`")]
unsafe fn borrow(data: *const ()) -> ManuallyDrop<Arc<Acting>> {
    // SAFETY: `data` came from `Arc::into_raw` in `Acting::waker` or `raw_clone`, and its count is still owned by the
    // waker that was passed in; `ManuallyDrop` leaves it there, also when a reaction unwinds.
    ManuallyDrop::new(unsafe { Arc::from_raw(data.cast()) })
}

/// Uses up the count of a waker of ours without an event.
#[expect(unsafe_code, reason = "see `Acting::waker`")]
fn give_back(waker: &ManuallyDrop<Waker>) {
    // SAFETY: the waker was made by `Acting::waker`, is never dropped, and is not used after this.
    drop(unsafe { Arc::<Acting>::from_raw(waker.data().cast()) });
}

#[expect(unsafe_code, reason = "see `Acting::waker`")]
unsafe fn raw_clone(data: *const ()) -> RawWaker {
    // SAFETY: `Waker::clone` passes the pointer of a live waker.
    let acting = unsafe { borrow(data) };
    acting.react(WakerEvent::Clone);
    RawWaker::new(Arc::into_raw(Arc::clone(&acting)).cast(), &VTABLE)
}

#[expect(unsafe_code, reason = "see `Acting::waker`")]
unsafe fn raw_wake(data: *const ()) {
    // SAFETY: `Waker::wake` passes the pointer of a waker that it gives up, so this owns its count.
    let acting: Arc<Acting> = unsafe { Arc::from_raw(data.cast()) };
    acting.woken();
}

#[expect(unsafe_code, reason = "see `Acting::waker`")]
unsafe fn raw_wake_by_ref(data: *const ()) {
    // SAFETY: `Waker::wake_by_ref` passes the pointer of a live waker.
    unsafe { borrow(data) }.woken();
}

#[expect(unsafe_code, reason = "see `Acting::waker`")]
unsafe fn raw_drop(data: *const ()) {
    // SAFETY: `Waker::drop` passes the pointer of a waker that it gives up, so this owns its count.
    let acting: Arc<Acting> = unsafe { Arc::from_raw(data.cast()) };
    acting.react(WakerEvent::Drop);
}
