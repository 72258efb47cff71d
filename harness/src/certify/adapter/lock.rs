//! What every adapter of a lock owes, asked one poll at a time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use super::bench::{Bell, Bench, Doing, Rings, Stop, text};
use super::{Adapter, Conviction, Fault, convict, runs};
use crate::driver::MakeObject;
use crate::identity::Identity;
use crate::object::{Answer, Object, Operation, Reply};
use crate::primitive::{Place, Primitive, Request, mutex};
use crate::runtime::{Runtime, panic_message};
use crate::scenario::name::TaskName;

/// How long to look for wakes that nobody asked for. An honest adapter makes none, however long one looks.
const LOOK: Duration = Duration::from_millis(50);

/// How long to look for a wake that is missing, to tell one that comes from elsewhere from one that is lost.
const LOOK_FOR_LATE: Duration = Duration::from_secs(1);

/// How often an operation that wakes itself is polled: a few yields are lawful.
const POLLS_MAX: usize = 16;

type Check = fn(MakeObject, &Doing) -> Result<(), Conviction>;

/// Makes every check, up to the first that does not come back.
pub(super) fn check_all<R: Runtime>(bench: &Bench<R>, adapter: &Adapter) -> Vec<Conviction> {
    const CHECKS: &[Check] = &[free_lock, other_lock, held_lock, hand_over, questions];
    let mut convictions = Vec::new();
    let make = adapter.make;
    for (index, check) in CHECKS.iter().enumerate() {
        match bench.inside(move |doing| check(make, doing)) {
            Ok(()) => {}
            // A lock that asks the runtime whose task it is in is right to refuse where there is none, as here. What it
            // owes, runs have to show.
            Err(Stop::Convicted(conviction))
                if index == 0 && conviction.fault == Fault::RefusesAFreeLock && runs::grants_in_a_task(bench, make) =>
            {
                break;
            }
            Err(Stop::Convicted(conviction)) => convictions.push(conviction),
            Err(Stop::Stuck(conviction)) => {
                convictions.push(conviction);
                return convictions;
            }
        }
        // What follows takes for granted that a free lock is granted and released.
        if !convictions.is_empty() {
            break;
        }
    }
    convictions.extend(capabilities(bench, adapter));
    convictions
}

/// An operation that is polled by hand, each by another task for whoever asks the driver.
struct Hand {
    /// Only the drop takes it out.
    operation: Option<Operation>,
    bell: Arc<Bell>,
    identity: Identity,
}

impl Hand {
    fn new(object: &Arc<dyn Object>, request: Request, place: Place) -> Self {
        static RUN: AtomicU64 = AtomicU64::new(0);
        let name = TaskName::new('A').expect("it is a letter");
        let identity = Identity::new(RUN.fetch_add(1, Ordering::Relaxed), name);
        let _entered = identity.enter();
        Self { operation: Some(Arc::clone(object).operation(request, place)), bell: Bell::new(), identity }
    }

    fn acquire(object: &Arc<dyn Object>) -> Self {
        Self::new(object, mutex::ACQUIRE, Place::Task)
    }

    /// Polls it once.
    fn poll(&mut self) -> Poll<Reply> {
        let _entered = self.identity.enter();
        let operation = self.operation.as_mut().expect("only the drop takes it out");
        operation.poll(&mut Context::from_waker(&self.bell.waker()))
    }

    /// Polls it until it replies or waits without having woken itself.
    fn settle(&mut self) -> Result<Poll<Reply>, Conviction> {
        for _ in 0..POLLS_MAX {
            if let Poll::Ready(reply) = self.poll() {
                return Ok(Poll::Ready(reply));
            }
            let rings = self.bell.take();
            at_home(rings)?;
            if !rings.any() {
                return Ok(Poll::Pending);
            }
        }
        Err(convict(
            Fault::BusyWait,
            format!(
                "an acquire that must wait woke itself after each of {POLLS_MAX} polls; wait for the release, and let \
                 that wake"
            ),
        ))
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        let _entered = self.identity.enter();
        self.operation.take();
    }
}

fn at_home(rings: Rings) -> Result<(), Conviction> {
    match rings.abroad {
        0 => Ok(()),
        _ => Err(convict(
            Fault::ExternalWake,
            "a waiter is woken on a thread that does not touch the lock; a wake must come from the release itself",
        )),
    }
}

fn make_mutex(make: MakeObject) -> Result<Arc<dyn Object>, Conviction> {
    make(Primitive::Mutex.into()).ok_or_else(|| convict(Fault::CapabilityNotThere, "the adapter makes no mutex"))
}

fn try_acquire(object: &Arc<dyn Object>, doing: &Doing) -> Result<(Reply, Hand), Conviction> {
    doing.begin(Fault::TryWaits, "a try");
    let mut hand = Hand::new(object, mutex::TRY_ACQUIRE, Place::Task);
    match hand.poll() {
        Poll::Ready(reply) => Ok((reply, hand)),
        Poll::Pending => Err(convict(Fault::TryWaits, "a try is pending; it must answer at once")),
    }
}

fn is_free(object: &Arc<dyn Object>, doing: &Doing) -> Result<bool, Conviction> {
    Ok(try_acquire(object, doing)?.0 == Reply::Granted)
}

/// Takes a free lock.
fn take(object: &Arc<dyn Object>, doing: &Doing) -> Result<Hand, Conviction> {
    doing.begin(Fault::BlocksItsThread, "an acquire of a free lock");
    let mut hand = Hand::acquire(object);
    match hand.settle()? {
        Poll::Ready(Reply::Granted) => Ok(hand),
        Poll::Ready(Reply::Refused(message)) => Err(convict(
            Fault::RefusesAFreeLock,
            format!("an acquire of a free lock gives an error: {}", text(&message)),
        )),
        Poll::Ready(Reply::Answer(_) | Reply::Changed(_) | Reply::Unsupported) => {
            Err(convict(Fault::CapabilityNotThere, "there is no acquire, without which there is nothing to test"))
        }
        Poll::Pending => Err(why_pending(object, hand, doing)?),
    }
}

/// Says why an acquire waits for a lock that nobody else holds.
fn why_pending(object: &Arc<dyn Object>, hand: Hand, doing: &Doing) -> Result<Conviction, Conviction> {
    at_home(hand.bell.wait(LOOK_FOR_LATE))?;
    let was_free = is_free(object, doing)?;
    drop(hand);
    Ok(match (was_free, is_free(object, doing)?) {
        (false, true) => convict(
            Fault::AcquiresTwice,
            "an acquire of a free lock waits, and the lock is held as long as it does: it took the lock, and waits to \
             take it again; acquire once",
        ),
        _ => convict(Fault::WaitsForAFreeLock, "an acquire of a lock that nobody holds waits"),
    })
}

/// A free lock is granted, and free again after its guard was dropped.
fn free_lock(make: MakeObject, doing: &Doing) -> Result<(), Conviction> {
    let object = make_mutex(make)?;
    let guard = take(&object, doing)?;
    drop(guard);
    let (reply, guard) = try_acquire(&object, doing)?;
    match reply {
        Reply::Granted => {}
        Reply::Unsupported => return Ok(()),
        // A lock that was never held tells a try that fails from a guard that stays.
        _ if !is_free(&make_mutex(make)?, doing)? => {
            return Err(convict(Fault::RefusesAFreeLock, "a try of a lock that was never held fails"));
        }
        _ => return Err(stays("an acquire")),
    }
    drop(guard);
    doing.begin(Fault::GuardDoesNotRelease, "an acquire after the guard of a try was dropped");
    match Hand::acquire(&object).settle()? {
        Poll::Ready(Reply::Granted) => Ok(()),
        _ => Err(stays("a try")),
    }
}

fn stays(whose: &str) -> Conviction {
    convict(
        Fault::GuardDoesNotRelease,
        format!("the guard of {whose} was dropped, and the lock is not free; return the guard of the library itself"),
    )
}

/// Two locks are two.
fn other_lock(make: MakeObject, doing: &Doing) -> Result<(), Conviction> {
    let (one, other) = (make_mutex(make)?, make_mutex(make)?);
    let _guard = take(&one, doing)?;
    doing.begin(Fault::SharesState, "an acquire of another lock than the one that is held");
    match Hand::acquire(&other).settle()? {
        Poll::Ready(Reply::Granted) => Ok(()),
        _ => Err(convict(
            Fault::SharesState,
            "one lock is held, and another, new one cannot be acquired; `new` must make a lock of its own",
        )),
    }
}

/// A held lock is waited for, without a wake until it is released.
fn held_lock(make: MakeObject, doing: &Doing) -> Result<(), Conviction> {
    let object = make_mutex(make)?;
    let guard = take(&object, doing)?;
    if is_free(&object, doing)? {
        return Err(convict(Fault::GrantsAHeldLock, "a try of a held lock succeeds"));
    }
    let Some(mut waiter) = wait(&object, doing)? else { return Ok(()) };
    at_home(waiter.bell.wait(LOOK)).and_then(|()| untouched(&waiter.bell))?;
    drop(guard);
    let rings = waiter.bell.take();
    at_home(rings)?;
    if !rings.any() {
        at_home(waiter.bell.wait(LOOK_FOR_LATE))?;
        return Err(convict(
            Fault::LosesTheWake,
            "the lock was released while one waits, and nothing woke it; give the library the waker of each poll",
        ));
    }
    match waiter.settle()? {
        Poll::Ready(Reply::Granted) => drop(waiter),
        Poll::Ready(_) => {
            return Err(convict(Fault::RefusesAFreeLock, "a waiter is woken by a release and gets an error"));
        }
        Poll::Pending => return Err(why_pending(&object, waiter, doing)?),
    }
    match is_free(&object, doing)? {
        true => Ok(()),
        false => Err(stays("an acquire that had to wait")),
    }
}

/// Returns an acquire that waits for a held lock. Nothing for a lock that knows that the task which asks is the
/// holder's own: then a run has to show it.
fn wait(object: &Arc<dyn Object>, doing: &Doing) -> Result<Option<Hand>, Conviction> {
    doing.begin(Fault::BlocksItsThread, "an acquire of a held lock");
    let mut hand = Hand::acquire(object);
    match hand.settle()? {
        Poll::Pending => Ok(Some(hand)),
        Poll::Ready(Reply::Granted) => Err(convict(Fault::GrantsAHeldLock, "an acquire of a held lock succeeds")),
        Poll::Ready(_) => Ok(None),
    }
}

fn untouched(bell: &Bell) -> Result<(), Conviction> {
    match bell.take().any() {
        false => Ok(()),
        true => Err(convict(Fault::ExternalWake, "a waiter is woken while nobody touches the lock")),
    }
}

/// A waiter that is granted keeps the lock: it does not pass it on to the next within its own acquire.
fn hand_over(make: MakeObject, doing: &Doing) -> Result<(), Conviction> {
    let object = make_mutex(make)?;
    let guard = take(&object, doing)?;
    let Some(first) = wait(&object, doing)? else { return Ok(()) };
    let Some(second) = wait(&object, doing)? else { return Ok(()) };
    drop(guard);
    let (mut woken, other) = match (first.bell.take().any(), second.bell.take().any()) {
        (true, false) => (first, second),
        (false, true) => (second, first),
        // Whoever wakes all of them lets them find out by themselves.
        _ => return Ok(()),
    };
    doing.begin(Fault::BlocksItsThread, "the poll of a waiter that was woken");
    let polled = woken.settle()?;
    let is_granted = polled == Poll::Ready(Reply::Granted);
    match other.bell.take().any() {
        false => Ok(()),
        true => Err(convict(
            Fault::AcquiresTwice,
            format!(
                "a waiter was woken by a release, and its own poll woke the next one, as a release does; then it {}: \
                 it took the lock, released it and acquired it again; acquire once",
                if is_granted { "was granted the lock" } else { "waited again" }
            ),
        )),
    }
}

/// Questions are answered as it is, and leave no trace.
fn questions(make: MakeObject, doing: &Doing) -> Result<(), Conviction> {
    let object = make_mutex(make)?;
    ask_locked(&object, doing, false, "a free lock")?;
    let free = ask_debug(&object, doing, "a free lock")?;
    let guard = take(&object, doing).map_err(|conviction| {
        convict(
            Fault::IsLockedLies,
            format!("after `is-locked` and `debug`, which must leave no trace: {}", conviction.told),
        )
    })?;
    ask_locked(&object, doing, true, "a held lock")?;
    ask_debug(&object, doing, "a held lock")?;
    let waiter = wait(&object, doing)?;
    ask_debug(&object, doing, "a lock with a waiter")?;
    drop(waiter);
    drop(guard);
    ask_locked(&object, doing, false, "a lock that was released")?;
    let again = ask_debug(&make_mutex(make)?, doing, "a free lock")?;
    match free == again {
        true => Ok(()),
        false => Err(convict(
            Fault::Nondeterminism,
            format!(
                "two new locks print differently: `{}` and `{}`",
                free.unwrap_or_default(),
                again.unwrap_or_default()
            ),
        )),
    }
}

fn ask_locked(object: &Arc<dyn Object>, doing: &Doing, is_held: bool, what: &str) -> Result<(), Conviction> {
    doing.begin(Fault::IsLockedLies, "is-locked");
    match Hand::new(object, mutex::IS_LOCKED, Place::Task).poll() {
        Poll::Ready(Reply::Answer(Answer::Flag(answer))) if answer == is_held => Ok(()),
        Poll::Ready(Reply::Answer(answer)) => {
            Err(convict(Fault::IsLockedLies, format!("`is-locked` of {what} says {answer}")))
        }
        Poll::Ready(Reply::Unsupported) => Ok(()),
        other => Err(convict(Fault::IsLockedLies, format!("`is-locked` of {what} gives {other:?}"))),
    }
}

fn ask_debug(object: &Arc<dyn Object>, doing: &Doing, what: &str) -> Result<Option<String>, Conviction> {
    doing.begin(Fault::DebugPanics, "printing a lock");
    let asked = catch_unwind(AssertUnwindSafe(|| Hand::new(object, mutex::DEBUG, Place::Task).poll()));
    match asked {
        Ok(Poll::Ready(Reply::Answer(Answer::Text(text)))) => Ok(Some(text)),
        Ok(_) => Ok(None),
        Err(payload) => {
            Err(convict(Fault::DebugPanics, format!("printing {what} panics: {}", text(&panic_message(&*payload)))))
        }
    }
}

/// What is declared is there, and what is there is declared.
fn capabilities<R: Runtime>(bench: &Bench<R>, adapter: &Adapter) -> Option<Conviction> {
    let make = adapter.make;
    if adapter.declares("mutex:acquire-blocking") {
        // On a thread that knows no runtime, as a user of it would.
        return match bench.patiently(move |_, doing| blocking(make, doing)) {
            Ok(()) => None,
            Err(Stop::Convicted(mut conviction) | Stop::Stuck(mut conviction)) => {
                if conviction.fault == Fault::Panics {
                    conviction.fault = Fault::CapabilityNotThere;
                }
                Some(conviction)
            }
        };
    }
    let blocks = adapter.blocks?;
    let undeclared = bench.patiently(move |_, doing| {
        doing.begin(Fault::CapabilityNotThere, "a blocking acquire that is not declared");
        match blocks() {
            true => Err(convict(
                Fault::CapabilityUndeclared,
                "`acquire_blocking` grants a free lock and is not declared, so no scenario uses it; add \
                 `.with_blocking()` to the capabilities",
            )),
            false => Ok(()),
        }
    });
    match undeclared {
        Err(Stop::Convicted(conviction)) if conviction.fault == Fault::CapabilityUndeclared => Some(conviction),
        // It is not declared, so it may do what it likes.
        _ => None,
    }
}

fn blocking(make: MakeObject, doing: &Doing) -> Result<(), Conviction> {
    doing.begin(Fault::CapabilityNotThere, "`acquire_blocking` of a free lock, which is declared,");
    let object = make_mutex(make)?;
    let mut hand = Hand::new(&object, mutex::ACQUIRE, Place::Thread);
    match hand.poll() {
        Poll::Ready(Reply::Granted) => drop(hand),
        Poll::Ready(Reply::Refused(message)) => {
            return Err(convict(
                Fault::CapabilityNotThere,
                format!("`acquire_blocking` is declared, and of a free lock gives an error: {}", text(&message)),
            ));
        }
        other => {
            return Err(convict(
                Fault::CapabilityNotThere,
                format!("`acquire_blocking` is declared, and of a free lock gives {other:?}"),
            ));
        }
    }
    doing.begin(Fault::GuardDoesNotRelease, "`acquire_blocking` of a lock that was released");
    match Hand::new(&object, mutex::ACQUIRE, Place::Thread).poll() {
        Poll::Ready(Reply::Granted) => Ok(()),
        _ => Err(stays("`acquire_blocking`")),
    }
}
