//! One task of a program on its own thread: takes its actions by hand, one poll at a time, and parks where it waits.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use super::team::{Bell, Team};
use crate::explore::Fate;
use crate::explore::plan::Op;
use crate::explore::random::Random;
use crate::identity::Identity;
use crate::object::{Answer, Object, Operation, Reply};
use crate::primitive::{Place, Request};
use crate::program::{NameIndex, ObjectIndex, TaskDeed};
use crate::quiescence::TaskIndex;
use crate::verdict::Verdict;

/// For how many turns of an empty loop a thread dawdles, at most: what races needs different starts.
const DAWDLE_MAX: u32 = 64;

/// One in so many times something happens that may happen.
const CHANCE: u32 = 2;

/// A guard, or a future that is kept.
struct Belonging {
    operation: Operation,
    request: Request,
    object: ObjectIndex,
    kept: Option<NameIndex>,
    /// Whether a kept future was polled and is pending, and how often the task had been woken then.
    polled: Option<u64>,
}

/// How a wait ended.
enum Waited {
    Over(Reply),
    /// The task dropped what it waited for.
    Cancelled,
    /// The task is aborted.
    Aborted,
    Panicked,
    /// Nothing more will come of it.
    Stuck,
}

/// What may happen to the task in this round, each once at most.
#[derive(Default)]
struct Luck {
    cancel: bool,
    abort: bool,
    resume: bool,
    resume_anew: bool,
}

/// One task.
pub(super) struct Player {
    team: Arc<Team>,
    task: TaskIndex,
    identity: Identity,
    random: Random,
    waker: Waker,
    renewal: u32,
    objects: Vec<Arc<dyn Object>>,
    belongings: Vec<Belonging>,
    /// What it waited for when nothing could go on.
    stuck: Option<Operation>,
    luck: Luck,
    has_ended: bool,
}

impl Player {
    pub(super) fn new(team: Arc<Team>, task: TaskIndex, seed: u64) -> Self {
        Self {
            identity: Identity::new(seed, team.plan.tasks[task]),
            random: Random::new(seed, task as u64),
            waker: Bell::waker(&team, task, 0),
            renewal: 0,
            objects: Vec::new(),
            belongings: Vec::new(),
            stuck: None,
            luck: Luck::default(),
            has_ended: false,
            team,
            task,
        }
    }

    /// Takes every action. Returns false if the phase ended while it waited.
    pub(super) fn play(&mut self, seen: u64) -> bool {
        self.objects = self.team.objects();
        self.has_ended = false;
        self.luck = self.draw();
        self.dawdle();
        let team = Arc::clone(&self.team);
        for op in &team.plan.programs[self.task] {
            team.steps.fetch_add(1, Ordering::Relaxed);
            if !self.can(op.deed) {
                continue;
            }
            if !self.act(op, seen) {
                return false;
            }
            if self.has_ended {
                break;
            }
        }
        self.objects.clear();
        self.tell_belongings();
        true
    }

    /// Lets go of everything: of what it waits for first, then of kept futures, then of guards.
    pub(super) fn let_go(&mut self) {
        if let Some(stuck) = self.stuck.take() {
            self.drop_operation(stuck);
        }
        for is_kept in [true, false] {
            while let Some(place) = self.belongings.iter().rposition(|it| it.kept.is_some() == is_kept) {
                let belonging = self.belongings.remove(place);
                self.drop_belonging(belonging);
            }
        }
        self.objects.clear();
    }

    fn draw(&mut self) -> Luck {
        let bit = 1_u32 << self.task;
        let occasions = self.team.plan.occasions;
        let mut may = |tasks: u32| tasks & bit != 0 && self.random.below(CHANCE) == 0;
        Luck {
            cancel: may(occasions.cancel),
            abort: may(occasions.abort),
            resume: may(occasions.resume),
            resume_anew: may(occasions.resume_anew),
        }
    }

    fn dawdle(&mut self) {
        for _ in 0..self.random.below(DAWDLE_MAX) {
            std::hint::spin_loop();
        }
    }

    /// Returns whether the task has what the action needs. What it cannot do because an acquire gave it nothing, it
    /// passes over, as the explorer does.
    fn can(&self, deed: TaskDeed) -> bool {
        match deed {
            TaskDeed::Release { object } => self.guard(object).is_some(),
            TaskDeed::Poll { future } | TaskDeed::Await { future, .. } | TaskDeed::Drop { future } => {
                self.future(future).is_some()
            }
            TaskDeed::Start { future, .. } | TaskDeed::Prepare { future, .. } => self.future(future).is_none(),
            _ => true,
        }
    }

    fn guard(&self, object: ObjectIndex) -> Option<usize> {
        self.belongings.iter().rposition(|it| it.kept.is_none() && it.object == object)
    }

    fn future(&self, name: NameIndex) -> Option<usize> {
        self.belongings.iter().position(|it| it.kept == Some(name))
    }

    /// Takes one action. Returns false if the phase ended while it waited.
    fn act(&mut self, op: &Op, seen: u64) -> bool {
        match op.deed {
            TaskDeed::Ask { request, object, .. } => {
                let operation = self.operation(request, object);
                self.wait(operation, request, object, op.number, seen)
            }
            TaskDeed::Release { object } => {
                let place = self.guard(object).expect("it was looked up");
                let guard = self.belongings.remove(place);
                self.tell(op.number, Fate::Released);
                self.drop_belonging(guard);
                true
            }
            TaskDeed::Start { future, request, object } => {
                let operation = self.operation(request, object);
                self.belongings.push(Belonging { operation, request, object, kept: Some(future), polled: None });
                self.poll_kept(self.belongings.len() - 1, op.number);
                true
            }
            TaskDeed::Prepare { future, request, object } => {
                let mut operation = self.operation(request, object);
                operation.prepare();
                self.belongings.push(Belonging { operation, request, object, kept: Some(future), polled: None });
                self.tell(op.number, Fate::Prepared);
                true
            }
            TaskDeed::Poll { future } => {
                let place = self.future(future).expect("it was looked up");
                self.poll_kept(place, op.number);
                true
            }
            // A future that is awaited by reference and cancelled is dropped here too: threads have no time to keep it.
            TaskDeed::Await { future, .. } => {
                let place = self.future(future).expect("it was looked up");
                let kept = self.belongings.remove(place);
                self.wait(kept.operation, kept.request, kept.object, op.number, seen)
            }
            TaskDeed::Drop { future } => {
                let place = self.future(future).expect("it was looked up");
                let kept = self.belongings.remove(place);
                self.tell(op.number, Fate::Dropped);
                self.drop_belonging(kept);
                true
            }
            TaskDeed::Return => {
                self.tell(op.number, Fate::Returned);
                self.end();
                true
            }
            _ => unreachable!("what is not stressed was refused"),
        }
    }

    fn operation(&self, request: Request, object: ObjectIndex) -> Operation {
        Arc::clone(&self.objects[object]).operation(request, Place::Task)
    }

    /// Awaits an operation. Returns false if the phase ended before it.
    fn wait(&mut self, mut operation: Operation, request: Request, object: ObjectIndex, op: usize, seen: u64) -> bool {
        match self.until(&mut operation, object, op, seen) {
            Waited::Over(Reply::Granted) => {
                self.team.enter(self.task, object);
                self.tell(op, Fate::Acquired);
                self.belongings.push(Belonging { operation, request, object, kept: None, polled: None });
                self.dawdle();
            }
            Waited::Over(Reply::Answer(answer)) => {
                let is_locked = answer == Answer::Flag(true);
                if !is_locked && self.guard(object).is_some() {
                    self.team.accuse(Verdict::Violation);
                }
                self.tell(op, if is_locked { Fate::Yes } else { Fate::No });
                self.drop_operation(operation);
            }
            Waited::Over(_) => {
                if request.waits() {
                    self.team.accuse(Verdict::Refused);
                }
                self.tell(op, Fate::Refused);
                self.drop_operation(operation);
            }
            Waited::Cancelled => {
                self.tell(op, Fate::Cancelled);
                self.drop_operation(operation);
            }
            Waited::Aborted => {
                self.tell(op, Fate::Aborted);
                self.drop_operation(operation);
                self.end();
            }
            Waited::Panicked => {
                self.tell(op, Fate::Panicked);
                self.team.accuse(Verdict::Panicked);
                self.drop_operation(operation);
                self.end();
            }
            Waited::Stuck => {
                self.stuck = Some(operation);
                return false;
            }
        }
        true
    }

    fn until(&mut self, operation: &mut Operation, object: ObjectIndex, op: usize, seen: u64) -> Waited {
        loop {
            match self.poll(operation) {
                None => return Waited::Panicked,
                Some(Poll::Ready(reply)) => return Waited::Over(reply),
                Some(Poll::Pending) => {}
            }
            // Each of these at a moment of its own, before or after the grant.
            if std::mem::take(&mut self.luck.resume_anew) {
                self.dawdle();
                self.renew();
                continue;
            }
            if std::mem::take(&mut self.luck.resume) {
                self.dawdle();
                continue;
            }
            if self.luck.cancel || self.luck.abort {
                self.dawdle();
                let cancels = std::mem::take(&mut self.luck.cancel);
                return if cancels { Waited::Cancelled } else { Waited::Aborted };
            }
            self.tell(op, Fate::Waits);
            self.tell_belongings();
            self.team.seat(self.task).waits_for.store(object + 1, Ordering::Release);
            if !Team::park(&self.team, self.task, seen) {
                return Waited::Stuck;
            }
            self.team.seat(self.task).waits_for.store(0, Ordering::Release);
        }
    }

    /// Takes another waker; those that were given out before come to nothing.
    fn renew(&mut self) {
        self.renewal = self.renewal.wrapping_add(1);
        self.team.seat(self.task).renewal.store(self.renewal, Ordering::Release);
        self.waker = Bell::waker(&self.team, self.task, self.renewal);
    }

    /// Polls an operation; `None` if that panics.
    fn poll(&self, operation: &mut Operation) -> Option<Poll<Reply>> {
        let _entered = self.identity.enter();
        let mut context = Context::from_waker(&self.waker);
        self.call(|| operation.poll(&mut context))
    }

    fn poll_kept(&mut self, place: usize, op: usize) {
        let mut belonging = self.belongings.remove(place);
        // Told before this poll does not count; told in this poll does.
        let rings = self.team.seat(self.task).rings.load(Ordering::Acquire);
        match self.poll(&mut belonging.operation) {
            Some(Poll::Pending) => {
                self.tell(op, Fate::Pending);
                self.belongings.insert(place, Belonging { polled: Some(rings), ..belonging });
            }
            Some(Poll::Ready(Reply::Granted)) => {
                self.team.enter(self.task, belonging.object);
                self.tell(op, Fate::Acquired);
                self.belongings.push(Belonging { kept: None, polled: None, ..belonging });
            }
            Some(Poll::Ready(_)) => {
                self.team.accuse(Verdict::Refused);
                self.tell(op, Fate::Refused);
                self.drop_operation(belonging.operation);
            }
            None => {
                self.tell(op, Fate::Panicked);
                self.team.accuse(Verdict::Panicked);
                self.drop_operation(belonging.operation);
                self.end();
            }
        }
    }

    /// Ends the task: what it has goes, last things first.
    fn end(&mut self) {
        self.has_ended = true;
        while let Some(belonging) = self.belongings.pop() {
            self.drop_belonging(belonging);
        }
    }

    fn drop_belonging(&mut self, belonging: Belonging) {
        if belonging.kept.is_none() {
            self.team.leave(belonging.object);
        }
        self.drop_operation(belonging.operation);
    }

    fn drop_operation(&self, operation: Operation) {
        let _entered = self.identity.enter();
        if self.call(|| drop(operation)).is_none() {
            self.team.accuse(Verdict::Panicked);
        }
    }

    /// Calls the lock; `None` if that panics.
    fn call<T>(&self, call: impl FnOnce() -> T) -> Option<T> {
        let in_call = &self.team.seat(self.task).in_call;
        in_call.store(true, Ordering::Relaxed);
        let result = catch_unwind(AssertUnwindSafe(call)).ok();
        in_call.store(false, Ordering::Relaxed);
        result
    }

    fn tell(&self, op: usize, fate: Fate) {
        let mut told = self.told();
        match told.fates.last_mut().filter(|(known, _)| *known == op) {
            Some((_, known)) => *known = fate,
            None => told.fates.push((op, fate)),
        }
    }

    /// Says what the task has, before it stands still.
    fn tell_belongings(&self) {
        let mut told = self.told();
        told.is_clean = self.belongings.is_empty();
        told.kept.clear();
        told.kept.extend(self.belongings.iter().filter_map(|it| Some((it.object, it.polled?))));
    }

    fn told(&self) -> std::sync::MutexGuard<'_, super::team::Told> {
        self.team.seat(self.task).told.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
