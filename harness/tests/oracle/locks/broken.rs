//! Broken locks: each is the honest one with one small mistake, of a kind that real locks have had.

use std::sync::MutexGuard;
use std::task::Waker;
use std::thread;
use std::time::Duration;

use super::queued::{After, Sleeper, State, Ticket, Ways};
use super::{Row, on_executor};

/// Every broken lock, by name.
pub(crate) const ALL: &[Row] = &[
    ("aborts-process", on_executor::<AbortsProcess>),
    ("cancel-frees", on_executor::<CancelFrees>),
    ("cancel-loses-queue", on_executor::<CancelLosesQueue>),
    ("forgets-polled-waiter", on_executor::<ForgetsPolledWaiter>),
    ("grant-to-the-dead", on_executor::<GrantToTheDead>),
    ("hands-over-in-silence", on_executor::<HandsOverInSilence>),
    ("keeps-first-waker", on_executor::<KeepsFirstWaker>),
    ("keeps-on-panic", on_executor::<KeepsOnPanic>),
    ("leaks-on-cancel", on_executor::<LeaksOnCancel>),
    ("leaves-threads-asleep", on_executor::<LeavesThreadsAsleep>),
    ("lies-about-free", on_executor::<LiesAboutFree>),
    ("lies-about-locked", on_executor::<LiesAboutLocked>),
    ("lifo", on_executor::<Lifo>),
    ("lost-wake-on-cancel", on_executor::<LostWakeOnCancel>),
    ("panics-on-cancel", on_executor::<PanicsOnCancel>),
    ("panics-on-drop", on_executor::<PanicsOnDrop>),
    ("panics-on-grant", on_executor::<PanicsOnGrant>),
    ("panics-on-release", on_executor::<PanicsOnRelease>),
    ("reentrant-grant", on_executor::<ReentrantGrant>),
    ("refuses-free-acquire", on_executor::<RefusesFreeAcquire>),
    ("refuses-free-try", on_executor::<RefusesFreeTry>),
    ("refuses-reentry", on_executor::<RefusesReentry>),
    ("self-waking", on_executor::<SelfWaking>),
    ("self-waking-on-cancel", on_executor::<WakesOnCancelForEver>),
    ("spinning", on_executor::<Spinning>),
    ("starves-one", on_executor::<StarvesOne>),
    ("two-holders", on_executor::<TwoHolders>),
    ("wakes-from-own-thread", on_executor::<WakesFromOwnThread>),
    ("wakes-nobody", on_executor::<WakesNobody>),
    ("wakes-the-second", on_executor::<WakesTheSecond>),
    ("wakes-under-internal-lock", on_executor::<WakesUnderInternalLock>),
    ("woken-means-granted", on_executor::<WokenMeansGranted>),
];

/// Loses the grant of a waiter that is cancelled before it has run.
struct LostWakeOnCancel;

impl Ways for LostWakeOnCancel {
    fn cancels(state: &mut State, own: Ticket) -> After {
        if state.holder == Some(own) {
            state.holder = None;
            return After::default();
        }
        state.give_up::<Self>(own)
    }
}

/// Keeps the mutex for a waiter that is cancelled after its grant.
struct LeaksOnCancel;

impl Ways for LeaksOnCancel {
    fn cancels(state: &mut State, own: Ticket) -> After {
        if state.holder == Some(own) { After::default() } else { state.give_up::<Self>(own) }
    }
}

/// Leaves a cancelled waiter in the queue, and grants the mutex to it when its turn comes.
struct GrantToTheDead;

impl Ways for GrantToTheDead {
    fn cancels(state: &mut State, own: Ticket) -> After {
        if state.holder == Some(own) { state.give_up::<Self>(own) } else { After::default() }
    }
}

/// A cancelled waiter takes those behind it along.
struct CancelLosesQueue;

impl Ways for CancelLosesQueue {
    fn cancels(state: &mut State, own: Ticket) -> After {
        match state.place(own) {
            Some(place) => {
                state.queue.truncate(place);
                After::default()
            }
            None => state.give_up::<Self>(own),
        }
    }
}

/// A cancelled waiter releases, though it never held.
struct CancelFrees;

impl Ways for CancelFrees {
    fn cancels(state: &mut State, own: Ticket) -> After {
        if let Some(place) = state.place(own) {
            state.queue.remove(place);
        }
        state.pass_on::<Self>()
    }
}

/// A try forgets to look for a holder.
struct TwoHolders;

impl Ways for TwoHolders {
    fn admits_try(_state: &State) -> bool {
        true
    }
}

/// A woken waiter takes the mutex without looking whether somebody was faster.
struct WokenMeansGranted;

impl Ways for WokenMeansGranted {
    const HANDS_OVER: bool = false;

    fn takes(state: &State, own: Ticket) -> bool {
        state.place(own).is_none()
    }
}

/// Grants the mutex to its holder a second time.
struct ReentrantGrant;

impl Ways for ReentrantGrant {
    const KNOWS_ITS_HOLDER: bool = true;

    fn admits(state: &State, waker: Option<&Waker>) -> bool {
        state.holder.is_none() || waker.is_some_and(|waker| is_holder(state, waker))
    }
}

/// Refuses its holder a second acquire. Not broken: an error instead of a wait.
struct RefusesReentry;

impl Ways for RefusesReentry {
    const KNOWS_ITS_HOLDER: bool = true;

    fn refuses(state: &State, waker: &Waker) -> Option<&'static str> {
        is_holder(state, waker).then_some("the task holds the mutex already")
    }
}

fn is_holder(state: &State, waker: &Waker) -> bool {
    state.holder_waker.as_ref().is_some_and(|holder| holder.will_wake(waker))
}

/// A release frees the mutex and leaves the queue alone.
struct WakesNobody;

impl Ways for WakesNobody {
    fn releases(state: &mut State) -> After {
        state.holder = None;
        After::default()
    }
}

/// A release hands the mutex over and does not say so.
struct HandsOverInSilence;

impl Ways for HandsOverInSilence {
    fn wakes(_sleeper: Sleeper, _internals: MutexGuard<'_, State>) {}
}

/// A release hands the mutex to one waiter and wakes another.
struct WakesTheSecond;

impl Ways for WakesTheSecond {
    fn releases(state: &mut State) -> After {
        let mut after = state.pass_on::<Self>();
        if let (Some(first), Some(second)) = (&mut after.wake, state.queue.front_mut()) {
            std::mem::swap(first, &mut second.sleeper);
        }
        after
    }
}

/// Wakes the tasks that wait and not the threads.
struct LeavesThreadsAsleep;

impl Ways for LeavesThreadsAsleep {
    fn wakes(sleeper: Sleeper, internals: MutexGuard<'_, State>) {
        drop(internals);
        if let Sleeper::Task(_) = sleeper {
            sleeper.wake();
        }
    }
}

/// A guard that is dropped by a panic does not release.
struct KeepsOnPanic;

impl Ways for KeepsOnPanic {
    const RELEASES_WHILE_PANICKING: bool = false;
}

/// A waiter that is polled with nothing new loses its place.
struct ForgetsPolledWaiter;

impl Ways for ForgetsPolledWaiter {
    fn waits_on(state: &mut State, own: Ticket, sleeper: Sleeper) -> Option<Sleeper> {
        match state.place(own) {
            Some(place) => state.queue.remove(place).map(|waiter| waiter.sleeper),
            None => state.keep_waiting(own, sleeper),
        }
    }
}

/// Wakes the task that polled a waiter first, whoever polled it last.
struct KeepsFirstWaker;

impl Ways for KeepsFirstWaker {
    fn waits_on(state: &mut State, own: Ticket, sleeper: Sleeper) -> Option<Sleeper> {
        match state.place(own) {
            Some(_) => Some(sleeper),
            None => state.keep_waiting(own, sleeper),
        }
    }
}

/// Grants the mutex to the youngest waiter. Not broken: no rule of the oracle demands fairness.
struct Lifo;

impl Ways for Lifo {
    fn chooses(state: &State) -> Option<usize> {
        state.queue.len().checked_sub(1)
    }
}

/// Grants the mutex to the oldest waiter only if there is no other.
struct StarvesOne;

impl Ways for StarvesOne {
    fn chooses(state: &State) -> Option<usize> {
        (!state.queue.is_empty()).then_some(usize::from(state.queue.len() > 1))
    }
}

/// Says that it is free while it is held.
struct LiesAboutLocked;

impl Ways for LiesAboutLocked {
    fn tells(_state: &State) -> bool {
        false
    }
}

/// Says that it is held as soon as it once was.
struct LiesAboutFree;

impl Ways for LiesAboutFree {
    fn tells(state: &State) -> bool {
        state.tickets > 0
    }
}

/// A try succeeds only once.
struct RefusesFreeTry;

impl Ways for RefusesFreeTry {
    fn admits_try(state: &State) -> bool {
        state.tickets == 0
    }
}

/// An acquire of the free mutex fails when it was held before.
struct RefusesFreeAcquire;

impl Ways for RefusesFreeAcquire {
    fn refuses(state: &State, _waker: &Waker) -> Option<&'static str> {
        (state.holder.is_none() && state.tickets > 0).then_some("the mutex is closed")
    }
}

/// Panics when a waiter is cancelled.
struct PanicsOnCancel;

impl Ways for PanicsOnCancel {
    fn cancels(state: &mut State, own: Ticket) -> After {
        drop(state.give_up::<Self>(own));
        panic!("a waiter must not go");
    }
}

/// Panics when it is released and nobody waits.
struct PanicsOnRelease;

impl Ways for PanicsOnRelease {
    fn releases(state: &mut State) -> After {
        let after = state.pass_on::<Self>();
        assert!(state.holder.is_some(), "the queue is empty");
        after
    }
}

/// Panics when a waiter comes back for the mutex.
struct PanicsOnGrant;

impl Ways for PanicsOnGrant {
    fn takes(state: &State, own: Ticket) -> bool {
        assert!(state.holder != Some(own), "the mutex is taken");
        false
    }
}

/// Panics when it goes.
struct PanicsOnDrop;

impl Ways for PanicsOnDrop {
    fn drops() {
        panic!("the mutex must not go");
    }
}

/// Tries again and again and lets nothing else run.
struct Spinning;

impl Ways for Spinning {
    const SPINS: bool = true;
}

/// A waiter wakes its own task with every poll.
pub(super) struct SelfWaking;

impl Ways for SelfWaking {
    const WAKES_ITSELF: bool = true;
}

/// Once a waiter was cancelled, every later one wakes its own task with every poll.
struct WakesOnCancelForEver;

impl Ways for WakesOnCancelForEver {
    fn waits_on(state: &mut State, own: Ticket, sleeper: Sleeper) -> Option<Sleeper> {
        if let (Sleeper::Task(waker), true) = (&sleeper, state.is_disturbed) {
            waker.wake_by_ref();
        }
        state.keep_waiting(own, sleeper)
    }

    fn cancels(state: &mut State, own: Ticket) -> After {
        state.is_disturbed = true;
        let after = state.give_up::<Self>(own);
        // Those who wait already begin at once.
        let first = state.queue.front_mut();
        if let Some(Sleeper::Task(waker)) = first.map(|waiter| &waiter.sleeper) {
            waker.wake_by_ref();
        }
        after
    }
}

/// Wakes while it holds its own internal lock, which a waker that acts needs as well.
struct WakesUnderInternalLock;

impl Ways for WakesUnderInternalLock {
    fn wakes(sleeper: Sleeper, internals: MutexGuard<'_, State>) {
        sleeper.wake();
        drop(internals);
    }
}

/// Ends the process when a release finds somebody waiting.
struct AbortsProcess;

impl Ways for AbortsProcess {
    fn releases(state: &mut State) -> After {
        if !state.queue.is_empty() {
            std::process::abort();
        }
        state.pass_on::<Self>()
    }
}

/// Leaves waking to a thread of its own.
struct WakesFromOwnThread;

impl Ways for WakesFromOwnThread {
    fn wakes(sleeper: Sleeper, internals: MutexGuard<'_, State>) {
        drop(internals);
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(2));
            sleeper.wake();
        });
    }
}
