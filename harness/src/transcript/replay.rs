//! Who holds, keeps and waits for what, event by event: bookkeeping of what a transcript says, with no judgement.

use crate::primitive::{Claim, Request};
use crate::program::{NameIndex, ObjectIndex};
use crate::quiescence::TaskIndex;
use crate::transcript::{At, Event, Role, What};

/// Who holds, keeps and waits for what, after the events that were applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// The guards that exist, in the order of their grants.
    pub guards: Vec<Guard>,
    /// The operations that tasks wait for, in the order in which the waits began.
    pub waits: Vec<Wait>,
    /// The futures that tasks keep and do not wait for.
    pub kept: Vec<Kept>,
    /// The tasks that have ended.
    pub ended: Vec<TaskIndex>,
    /// The objects that a task without a guard of theirs could not give back when all let go.
    pub contested: Vec<ObjectIndex>,
    /// The tasks that have panicked.
    panicked: Vec<TaskIndex>,
    /// The objects of which a guard was dropped by the panic of its task.
    dropped_by_panic: Vec<ObjectIndex>,
    /// Whether something panicked that the script did not ask to.
    library_panicked: bool,
    /// Who was woken by what in the step of the last event.
    rung: Vec<(At, TaskIndex, Option<ObjectIndex>)>,
    clock: usize,
}

/// A guard that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    /// Whose it is.
    pub task: TaskIndex,
    /// Who took it; a guard that was sent belongs to another task.
    pub taken_by: TaskIndex,
    /// What it guards.
    pub object: ObjectIndex,
    /// In which mode, and how much of it.
    pub claim: Claim,
    /// Whether it was leaked, so that nobody can release it.
    pub forgotten: bool,
    /// Whether the lock refused its release when all let go: nobody can say whether it is held.
    pub contested: bool,
}

/// An operation that a task waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Who waits.
    pub task: TaskIndex,
    /// For what.
    pub object: ObjectIndex,
    /// In which mode, and how much of it.
    pub claim: Claim,
    /// Whether it is to turn the last guard that the task has, which stands in nobody's own way.
    pub turns: bool,
    /// The future, if it has a name.
    pub future: Option<NameIndex>,
    /// The task that polled the operation first: a lock that knows its owner takes that one for it.
    pub begun_by: TaskIndex,
    /// Whether a thread of its own waits, which outlives the task.
    pub thread: bool,
    /// When the operation was first polled, as a count of events.
    pub since: usize,
    /// How many grants of the object went to operations that began later.
    pub overtaken: usize,
    /// Whether its task was woken and has not been polled since: the object may have been offered to it.
    pub woken: bool,
}

/// A future that a task keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Whose it is.
    pub task: TaskIndex,
    /// Its name.
    pub future: NameIndex,
    /// What it is to acquire.
    pub object: ObjectIndex,
    /// In which mode, and how much of it.
    pub claim: Claim,
    /// When it was first polled, if it was.
    pub since: Option<usize>,
    /// The task that polled it first, if one has: a lock that knows its owner takes that one for it.
    pub begun_by: Option<TaskIndex>,
    /// The task that polled it last, which is the one that is woken for it; before that, the task that made it.
    pub polled_by: TaskIndex,
    /// Whether that task was woken since: the object may have been offered to it.
    pub woken: bool,
}

/// An operation that is polled in vain.
struct Asked {
    task: TaskIndex,
    object: ObjectIndex,
    future: Option<NameIndex>,
    claim: Claim,
    turns: bool,
}

impl Replay {
    /// Applies one event.
    pub fn apply(&mut self, event: &Event) {
        self.clock += 1;
        // They are all of one place.
        if self.rung.first().is_some_and(|(at, ..)| *at != event.at) {
            self.rung.clear();
        }
        let Some(task) = event.task else {
            return;
        };
        match &event.what {
            What::Acquired { object, future, wait, claim } => self.grant(task, *object, *future, *wait, *claim),
            What::Waits { object, future, thread, claim, turns } => {
                let asked = Asked { task, object: *object, future: *future, claim: *claim, turns: *turns };
                self.wait(event.at, asked, *thread);
            }
            What::Pending { object, future, claim } => self.pend(event.at, task, *object, *future, *claim),
            What::Prepared { object, future, claim } => {
                let (future, object, claim) = (*future, *object, *claim);
                let (since, begun_by) = (None, None);
                self.kept.push(Kept { task, future, object, claim, since, begun_by, polled_by: task, woken: false });
            }
            // A try by a waker is no operation that its task waits for.
            What::Refused { object, future, wait, .. } if *wait || event.role != Role::Waker => {
                self.end_operation(task, *object, *future);
            }
            What::Released { object } => {
                if self.panicked.contains(&task) && !self.dropped_by_panic.contains(object) {
                    self.dropped_by_panic.push(*object);
                }
                self.remove_guard(task, *object);
            }
            What::NotReleased { object, .. } if event.at == At::Rest => match self.find_guard(task, *object) {
                Some(guard) => guard.contested = true,
                None => self.contested.push(*object),
            },
            What::Turned { object, request } => self.turn(task, *object, *request),
            What::Forgotten { object } => {
                if let Some(guard) = self.find_guard(task, *object) {
                    guard.forgotten = true;
                }
            }
            What::Cancelled { object, kept } => self.cancel(task, *object, *kept),
            What::Woken { object } => {
                let rung = (event.at, task, *object);
                if !self.rung.contains(&rung) {
                    self.rung.push(rung);
                }
                self.wake(task, *object);
            }
            What::Promised => self.wake(task, None),
            What::Panicked { .. } if event.role == Role::Waker => {}
            What::Panicked { scripted, .. } => {
                self.panicked.push(task);
                self.library_panicked |= !scripted;
                self.end(task);
            }
            What::Returned | What::Aborted { .. } => self.end(task),
            what => self.hand_on(task, what),
        }
    }

    /// Applies what a task sends to another, or drops unawaited.
    fn hand_on(&mut self, task: TaskIndex, what: &What) {
        match what {
            What::SentGuard { object, received: false, .. } => self.remove_guard(task, *object),
            What::SentGuard { object, to, .. } => {
                if let Some(guard) = self.find_guard(task, *object) {
                    guard.task = *to;
                }
            }
            What::SentFuture { future, received: false, .. } => {
                self.remove_kept(task, None, *future);
            }
            What::DroppedFuture { object, future } => {
                self.remove_kept(task, Some(*object), *future);
            }
            What::SentFuture { future, to, .. } => {
                if let Some(kept) = self.remove_kept(task, None, *future) {
                    self.kept.push(Kept { task: *to, ..kept });
                }
            }
            _ => {}
        }
    }

    /// Applies the end of a task. A thread of its own outlives it.
    fn end(&mut self, task: TaskIndex) {
        let turned = self.waits.iter().find(|wait| wait.task == task && wait.turns).map(|wait| wait.object);
        if let Some(object) = turned {
            self.remove_guard(task, object);
        }
        self.waits.retain(|wait| wait.task != task || wait.thread);
        if !self.ended.contains(&task) {
            self.ended.push(task);
        }
    }

    /// Takes note that a task goes on with another waker. What it keeps was polled with one that comes to nothing now:
    /// whether it has been told since, nobody can say, so that the object may have been offered to it.
    pub fn renew(&mut self, task: TaskIndex) {
        for kept in self.kept.iter_mut().filter(|kept| kept.polled_by == task && kept.since.is_some()) {
            kept.woken = true;
        }
    }

    /// Takes note that nothing can run any more: every task that waits and was woken has been polled.
    pub fn settle(&mut self) {
        for wait in &mut self.waits {
            wait.woken = false;
        }
    }

    /// Returns the holders of an object, leaked guards included.
    pub fn holders(&self, object: ObjectIndex) -> impl Iterator<Item = &Guard> {
        self.guards.iter().filter(move |guard| guard.object == object)
    }

    /// Returns whether nobody holds an object.
    pub fn is_free(&self, object: ObjectIndex) -> bool {
        self.holders(object).next().is_none()
    }

    /// Returns when an operation was first polled, if it has been.
    pub(crate) fn since(&self, task: TaskIndex, object: ObjectIndex, future: Option<NameIndex>) -> Option<usize> {
        let waits = self.waits.iter().filter(|wait| (wait.task, wait.object, wait.future) == (task, object, future));
        let kept =
            self.kept.iter().filter(|kept| (kept.task, kept.object, Some(kept.future)) == (task, object, future));
        waits.map(|wait| Some(wait.since)).chain(kept.map(|kept| kept.since)).next().flatten()
    }

    /// Returns which task polled an operation first, if one has.
    fn begun_by(&self, task: TaskIndex, object: ObjectIndex, future: Option<NameIndex>) -> Option<TaskIndex> {
        let waits = self.waits.iter().filter(|wait| (wait.task, wait.object, wait.future) == (task, object, future));
        let kept =
            self.kept.iter().filter(|kept| (kept.task, kept.object, Some(kept.future)) == (task, object, future));
        waits.map(|wait| Some(wait.begun_by)).chain(kept.map(|kept| kept.begun_by)).next().flatten()
    }

    fn grant(&mut self, task: TaskIndex, object: ObjectIndex, future: Option<NameIndex>, waits: bool, claim: Claim) {
        let began = if waits { self.since(task, object, future) } else { None };
        let since = began.unwrap_or(self.clock);
        for wait in self.waits.iter_mut().filter(|wait| wait.object == object && wait.since < since) {
            wait.overtaken += 1;
        }
        let taken_by = if waits { self.begun_by(task, object, future) } else { None }.unwrap_or(task);
        if waits {
            self.end_operation(task, object, future);
        }
        self.guards.push(Guard { task, taken_by, object, claim, forgotten: false, contested: false });
    }

    fn wait(&mut self, at: At, Asked { task, object, future, claim, turns }: Asked, thread: bool) {
        let woken = self.is_told(at, task, object);
        let since = self.since(task, object, future).unwrap_or(self.clock);
        let begun_by = self.begun_by(task, object, future).unwrap_or(task);
        // A wait that was polled in vain goes on.
        let before = self.waits.iter().find(|wait| (wait.task, wait.object, wait.future) == (task, object, future));
        let overtaken = before.map_or(0, |wait| wait.overtaken);
        self.end_operation(task, object, future);
        self.waits.push(Wait { task, object, claim, turns, future, begun_by, thread, since, overtaken, woken });
    }

    /// Returns whether a task was told within the poll that ends now. What it was told before does not count; but
    /// whoever gives way, and wakes the task within its poll, asks to be polled again.
    fn is_told(&self, at: At, task: TaskIndex, object: ObjectIndex) -> bool {
        let is_it = |(when, who, by): &(At, TaskIndex, Option<ObjectIndex>)| {
            (*when, *who) == (at, task) && by.is_none_or(|by| by == object)
        };
        self.rung.iter().any(is_it)
    }

    fn pend(&mut self, at: At, task: TaskIndex, object: ObjectIndex, future: NameIndex, claim: Claim) {
        let woken = self.is_told(at, task, object);
        let since = self.since(task, object, Some(future)).or(Some(self.clock));
        let begun_by = self.begun_by(task, object, Some(future)).or(Some(task));
        let kept = Kept { task, future, object, claim, since, begun_by, polled_by: task, woken };
        // In its place, so that of two futures of one name the first stays the first, as it does in the task.
        match self.kept.iter_mut().find(|kept| (kept.task, kept.object, kept.future) == (task, object, future)) {
            Some(place) => *place = kept,
            None => self.kept.push(kept),
        }
    }

    fn cancel(&mut self, task: TaskIndex, object: Option<ObjectIndex>, kept: Option<NameIndex>) {
        let wait = self.waits.iter().find(|wait| wait.task == task).copied();
        self.waits.retain(|wait| wait.task != task);
        // The guard was in the operation that is dropped.
        if let Some(Wait { turns: true, object, .. }) = wait {
            self.remove_guard(task, object);
        }
        if let (Some(object), Some(future)) = (object, kept) {
            let (since, woken) = (wait.map(|wait| wait.since), wait.is_some_and(|wait| wait.woken));
            let begun_by = wait.map(|wait| wait.begun_by);
            let claim = wait.map_or_else(Claim::default, |wait| wait.claim);
            self.kept.push(Kept { task, future, object, claim, since, begun_by, polled_by: task, woken });
        }
    }

    /// Notes a wake of `task` by an object, or by nobody knows whom.
    fn wake(&mut self, task: TaskIndex, by: Option<ObjectIndex>) {
        let is_by = |object: ObjectIndex| by.is_none_or(|by| by == object);
        for wait in self.waits.iter_mut().filter(|wait| wait.task == task && is_by(wait.object)) {
            wait.woken = true;
        }
        let asks = |kept: &&mut Kept| kept.polled_by == task && kept.since.is_some() && is_by(kept.object);
        for kept in self.kept.iter_mut().filter(asks) {
            kept.woken = true;
        }
    }

    /// Removes an operation that has replied, or that changes its kind.
    fn end_operation(&mut self, task: TaskIndex, object: ObjectIndex, future: Option<NameIndex>) {
        let waits = self.waits.len();
        self.waits.retain(|wait| (wait.task, wait.object, wait.future) != (task, object, future));
        if let (Some(future), true) = (future, self.waits.len() == waits) {
            self.remove_kept(task, Some(object), future);
        }
    }

    /// Removes a kept future. A task may keep two of one name, one of them sent by another task, for two objects.
    fn remove_kept(&mut self, task: TaskIndex, object: Option<ObjectIndex>, future: NameIndex) -> Option<Kept> {
        let is_it = |kept: &Kept| {
            (kept.task, kept.future) == (task, future) && object.is_none_or(|object| object == kept.object)
        };
        let place = self.kept.iter().position(is_it)?;
        Some(self.kept.remove(place))
    }

    /// Returns the guard that a release by `task` concerns: the one that it came by last.
    pub(crate) fn guard(&self, task: TaskIndex, object: ObjectIndex) -> Option<&Guard> {
        let is_it = |guard: &&Guard| (guard.task, guard.object, guard.forgotten) == (task, object, false);
        self.guards.iter().rev().find(is_it)
    }

    /// Turns the last guard into one of another mode, which counts as got now.
    fn turn(&mut self, task: TaskIndex, object: ObjectIndex, request: Request) {
        self.end_operation(task, object, None);
        let is_it = |guard: &Guard| (guard.task, guard.object, guard.forgotten) == (task, object, false);
        if let Some(place) = self.guards.iter().rposition(is_it) {
            let guard = self.guards.remove(place);
            let claim = Claim { mode: request.claim().mode, ..guard.claim };
            self.guards.push(Guard { claim, ..guard });
        }
    }

    /// Returns the place among the guards of the one that a step of `task` on the object concerns.
    pub(crate) fn last_guard(&self, task: TaskIndex, object: ObjectIndex) -> Option<usize> {
        let is_it = |guard: &Guard| (guard.task, guard.object, guard.forgotten) == (task, object, false);
        self.guards.iter().rposition(is_it)
    }

    /// Returns whether a guard of an object was dropped by the panic of its task.
    pub(crate) fn was_dropped_by_panic(&self, object: ObjectIndex) -> bool {
        self.dropped_by_panic.contains(&object)
    }

    /// Returns whether something panicked that the script did not ask to.
    pub(crate) fn has_library_panicked(&self) -> bool {
        self.library_panicked
    }

    /// Returns how many events were applied.
    pub(crate) fn clock(&self) -> usize {
        self.clock
    }

    fn find_guard(&mut self, task: TaskIndex, object: ObjectIndex) -> Option<&mut Guard> {
        let is_it = |guard: &&mut Guard| (guard.task, guard.object, guard.forgotten) == (task, object, false);
        self.guards.iter_mut().rev().find(is_it)
    }

    fn remove_guard(&mut self, task: TaskIndex, object: ObjectIndex) {
        let is_it = |guard: &Guard| (guard.task, guard.object, guard.forgotten) == (task, object, false);
        if let Some(place) = self.guards.iter().rposition(is_it) {
            self.guards.remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::within_its_poll(1, 0, Some(0), true)]
    #[case::by_nobody_knows_whom(1, 0, None, true)]
    #[case::before_its_poll(0, 0, Some(0), false)]
    #[case::for_another_object(1, 0, Some(7), false)]
    #[case::another_task(1, 3, Some(0), false)]
    fn kept_future_is_told_by_a_wake_within_its_own_poll(
        #[case] step: usize,
        #[case] woken: TaskIndex,
        #[case] by: Option<ObjectIndex>,
        #[case] is_told: bool,
    ) {
        let event = |step, task, role, what| Event { at: At::Step(step), task: Some(task), role, what };
        let mut replay = Replay::default();
        replay.apply(&event(step, woken, Role::Effect, What::Woken { object: by }));
        replay.apply(&event(1, 0, Role::Result, What::Pending { object: 0, future: 0, claim: Claim::WHOLE }));
        assert_eq!(replay.kept.first().map(|kept| kept.woken), Some(is_told));
    }
}
