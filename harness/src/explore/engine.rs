//! Runs one schedule after the other on one thread: polls the real, unmodified lock by hand, and keeps books that find
//! at once what the oracle would find in the transcript.
//!
//! It chooses nothing: a [`Chooser`] does. What it does to a lock is what the live driver does with the same steps, so
//! every schedule is a scenario.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Waker};

use super::books::{Books, Fate};
use super::plan::Plan;
use super::schedule::{Choice, Choices, Kind};
use super::subject::{Polled, Subject};
use super::waker::Board;
use super::{Bounds, Chooser, Machine};
use crate::driver::POLLS_MAX;
use crate::identity::Identity;
use crate::object::{Order, handing_over};
use crate::primitive::Request;
use crate::program::{NameIndex, ObjectIndex, TaskDeed};
use crate::quiescence::TaskIndex;
use crate::verdict::Verdict;

/// How many polls in a row may come to nothing, for each task, before it is a livelock.
const FRUITLESS_MAX: u32 = 8;

/// How often all are asked to let go, as in the live driver.
const ROUNDS_MAX: usize = 1_000;

/// What a task waits for.
#[derive(Clone, Copy, Debug)]
struct Wait {
    object: ObjectIndex,
    request: Request,
    /// The slot of the operation, unless the task keeps it.
    slot: Option<usize>,
    /// The name of the future, if it has one.
    future: Option<NameIndex>,
    /// The number of the action that waits.
    op: usize,
    since: u32,
    overtaken: u32,
}

/// A guard or a kept future.
#[derive(Clone, Copy, Debug)]
struct Belonging {
    slot: usize,
    object: ObjectIndex,
    kept: Option<KeptFuture>,
}

#[derive(Clone, Copy, Debug)]
struct KeptFuture {
    name: NameIndex,
    request: Request,
    /// When it was first polled.
    since: Option<u32>,
    /// Who polled it last.
    polled_by: TaskIndex,
    /// Whether that task was woken for it since.
    woken: bool,
    /// Whether its task waits for it.
    awaited: bool,
}

#[derive(Debug, Default)]
struct Task {
    pc: usize,
    wait: Option<Wait>,
    belongings: Vec<Belonging>,
    renewal: usize,
}

/// What was done in one choice, for the printer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// A run began.
    Begun,
    /// The task took this action.
    Op { task: TaskIndex, op: usize },
    /// The task was polled because it was woken.
    Woken(TaskIndex),
    /// Something happened to the task.
    Occasion(Choice),
    /// These were woken, all by one call of the lock.
    Rung(u32),
    /// The task was granted the object.
    Granted { task: TaskIndex, object: ObjectIndex },
    /// The action could not be taken.
    NotRun,
    /// Who is woken after the choice, in order, and who waits.
    After { queue: Vec<TaskIndex>, waits: u32 },
}

/// The machine of one lock library and one plan.
pub(crate) struct Engine<S: Subject> {
    subject: S,
    plan: Arc<Plan>,
    board: Arc<Board>,
    /// For each task the wakers that it has had, in order.
    wakers: Vec<Vec<Waker>>,
    objects: Vec<Option<S::Object>>,
    slots: Vec<S::Slot>,
    free: Vec<usize>,
    /// What was forgotten: never dropped while anybody looks, and then for good, or a long search would fill the
    /// memory.
    forgotten: Vec<S::Slot>,
    tasks: Vec<Task>,
    /// Who each task is to a lock that knows its holder.
    identities: Vec<Identity>,
    /// Tasks that take a turn if they are let.
    ready: u32,
    /// Tasks that wait.
    waits: u32,
    /// Tasks that have ended.
    ended: u32,
    /// Which occasions were used, for each kind.
    used: [u32; 4],
    spent: [u8; 4],
    /// The woken, in the order of their wakes.
    queue: Vec<TaskIndex>,
    /// Whether anything may happen to anybody.
    has_occasions: bool,
    /// How each object is tried from outside.
    tries: Vec<Request>,
    /// Which objects the last choice touched.
    footprint: u32,
    fruitless: u32,
    clock: u32,
    /// Whether the run is to be cut off: a verdict is certain.
    cut: bool,
    books: Books,
    trace: Option<Vec<Vec<Deed>>>,
}

impl<S: Subject> Engine<S> {
    pub(crate) fn new(subject: S, plan: Arc<Plan>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let board = Board::new();
        let tasks = plan.tasks.len();
        let objects = plan.objects().len();
        Self {
            wakers: (0..tasks).map(|task| vec![board.waker(task, 0)]).collect(),
            board,
            objects: (0..objects).map(|_| None).collect(),
            slots: Vec::new(),
            free: Vec::new(),
            forgotten: Vec::new(),
            tasks: (0..tasks).map(|_| Task::default()).collect(),
            identities: plan.tasks.iter().map(|task| Identity::new(number, *task)).collect(),
            ready: 0,
            waits: 0,
            ended: 0,
            used: [0; 4],
            spent: [0; 4],
            queue: Vec::with_capacity(tasks),
            has_occasions: plan.has_occasions(),
            tries: plan.primitives().map(|it| it.tries().next().expect("what is explored can be tried")).collect(),
            footprint: 0,
            fruitless: 0,
            clock: 0,
            cut: false,
            books: Books::new(&plan),
            trace: None,
            subject,
            plan,
        }
    }

    fn begin(&mut self) {
        if let Some(trace) = &mut self.trace {
            trace.push(vec![Deed::Begun]);
        }
        let count = self.tasks.len();
        for (index, object) in self.plan.objects().iter().enumerate() {
            self.objects[index] = self.subject.object(object.declaration());
        }
        self.board.reset(count);
        self.ready = 0;
        for (index, task) in self.tasks.iter_mut().enumerate() {
            task.pc = 0;
            task.wait = None;
            task.renewal = 0;
            task.belongings.clear();
            self.ready |= u32::from(!self.plan.programs[index].is_empty()) << index;
        }
        (self.waits, self.ended, self.footprint, self.fruitless, self.clock) = (0, 0, 0, 0, 0);
        (self.used, self.spent) = ([0; 4], [0; 4]);
        self.queue.clear();
        self.cut = false;
        self.books.begin();
    }

    /// Returns what can be chosen now.
    fn offer(&mut self, bounds: &Bounds) -> Choices {
        let woken = self.board.woken();
        let mut offer = Choices::default();
        offer.0[Kind::Go as usize] = self.ready | (self.waits & woken);
        if self.has_occasions && bounds.total > self.spent.iter().sum() {
            let may = |kind: usize, bound: u8, tasks: u32| {
                if self.spent[kind] < bound { tasks & !self.used[kind] } else { 0 }
            };
            let occasions = &self.plan.occasions;
            offer.0[Kind::Cancel as usize] = may(0, bounds.cancels, occasions.cancel & self.waits);
            let abort = may(1, bounds.aborts, occasions.abort & !self.ended);
            if abort != 0 {
                let owns = |task: usize| u32::from(!self.tasks[task].belongings.is_empty()) << task;
                let owners = (0..self.tasks.len()).fold(self.waits, |mask, task| mask | owns(task));
                offer.0[Kind::Abort as usize] = abort & owners;
            }
            offer.0[Kind::Resume as usize] = may(2, bounds.resumes, occasions.resume & self.waits & !woken);
            let anew = may(3, bounds.resumes_anew, occasions.resume_anew & self.waits);
            offer.0[Kind::ResumeAnew as usize] = if self.plan.keeps_futures { anew & !self.keepers() } else { anew };
            if offer.0[0] == 0 && !offer.is_empty() {
                offer.0[Kind::Stop as usize] = 1;
            }
        }
        offer
    }

    /// Returns who has polled a kept future: it would have to poll that one as well if it took another waker, and a
    /// wake that goes astray would be its own fault.
    fn keepers(&self) -> u32 {
        let kept = self.tasks.iter().flat_map(|task| &task.belongings).filter_map(|it| it.kept);
        kept.filter(|kept| kept.since.is_some() && !kept.awaited).fold(0, |mask, kept| mask | 1 << kept.polled_by)
    }

    fn take(&mut self, choice: Choice) {
        let task = choice.task();
        self.footprint = 0;
        if let Some(trace) = &mut self.trace {
            trace.push(Vec::new());
        }
        let kind = choice.kind();
        if let Kind::Cancel | Kind::Abort | Kind::Resume | Kind::ResumeAnew = kind {
            let place = kind as usize - 1;
            self.used[place] |= 1 << task;
            self.spent[place] += 1;
            self.note(Deed::Occasion(choice));
        }
        let _entered = (kind != Kind::Stop).then(|| self.identities[task].enter());
        match kind {
            Kind::Go => self.go(task),
            Kind::Cancel => {
                self.books
                    .cover_cancel(self.tasks[task].wait.map_or(0, |wait| wait.op), self.board.woken() & 1 << task != 0);
                self.cancel(task);
            }
            Kind::Abort => self.abort(task),
            Kind::Resume => self.poll_wait(task),
            Kind::ResumeAnew => {
                let renewal = self.board.renew(task);
                if self.wakers[task].len() <= renewal as usize {
                    self.wakers[task].push(self.board.waker(task, renewal));
                }
                self.tasks[task].renewal = renewal as usize;
                self.forsake(task);
                self.poll_wait(task);
            }
            Kind::Stop => {}
        }
        self.end_choice();
    }

    /// Takes note that what a task keeps was polled with a waker that comes to nothing now: whether it has been told
    /// since, nobody can say.
    fn forsake(&mut self, task: TaskIndex) {
        let kept = self.tasks.iter_mut().flat_map(|task| &mut task.belongings).filter_map(|it| it.kept.as_mut());
        for future in kept.filter(|kept| kept.polled_by == task) {
            future.woken |= future.since.is_some() && !future.awaited;
        }
    }

    /// Looks whether something is lost for good, and whether the line is over.
    fn end_choice(&mut self) {
        if self.trace.is_some() {
            self.note(Deed::After { queue: self.queue.clone(), waits: self.waits });
        }
        if self.board.woken() & self.waits == 0 {
            self.board.clear(u32::MAX);
            self.queue.clear();
        }
        for object in 0..self.objects.len() {
            if self.books.held(object) == 0 && self.books.asked(object) {
                self.look_at_free(object);
            }
        }
        self.cut |= self.fruitless > FRUITLESS_MAX * (self.tasks.len() as u32 + 1);
        self.books.cover_state(self.waits, self.board.woken());
    }

    /// Looks at an object that nobody holds and somebody asks for: nobody else is going to touch it unless he has been
    /// woken for it.
    #[cold]
    fn look_at_free(&mut self, object: ObjectIndex) {
        let woken = self.board.woken();
        let mut waiters = 0;
        for task in tasks_of(self.waits) {
            waiters |= u32::from(self.tasks[task].wait.is_some_and(|wait| wait.object == object)) << task;
        }
        if waiters & woken != 0 || self.is_offered(object) {
            return;
        }
        self.books.accuse(Verdict::LostWakeup);
        self.cut = true;
    }

    /// Returns whether a kept future that asks for `object` has been told of it since it was polled.
    fn is_offered(&self, object: ObjectIndex) -> bool {
        let kept = self.tasks.iter().flat_map(|task| &task.belongings).filter(|it| it.object == object);
        kept.filter_map(|it| it.kept).any(|kept| kept.since.is_some() && kept.woken && !kept.awaited)
    }

    fn go(&mut self, task: TaskIndex) {
        if self.waits & 1 << task != 0 {
            self.note(Deed::Woken(task));
            self.poll_wait(task);
        } else {
            self.act(task);
        }
        while self.ready & 1 << task != 0 && self.plan.programs[task][self.tasks[task].pc].joined && !self.cut {
            self.act(task);
        }
    }

    /// Says whether the task has a turn to take.
    fn refresh(&mut self, task: TaskIndex) {
        let bit = 1 << task;
        // What a waiter can do next depends on what it is granted.
        if !self.plan.has_sends && (self.waits | self.ended) & bit == 0 {
            self.skip(task);
        }
        let goes = (self.waits | self.ended) & bit == 0 && self.tasks[task].pc < self.plan.programs[task].len();
        self.ready = if goes { self.ready | bit } else { self.ready & !bit };
    }

    /// Passes over what the task cannot do, because a cancelled or refused acquire gave it nothing. Where others may
    /// send it something, it waits for its turn instead.
    fn skip(&mut self, task: TaskIndex) {
        while let Some(op) = self.plan.programs[task].get(self.tasks[task].pc) {
            if self.can(task, op.deed) {
                break;
            }
            self.tasks[task].pc += 1;
        }
    }

    fn can(&self, task: TaskIndex, deed: TaskDeed) -> bool {
        match deed {
            TaskDeed::Release { object }
            | TaskDeed::ReleaseElsewhere { object }
            | TaskDeed::Forget { object }
            | TaskDeed::SendGuard { object, .. } => self.find_guard(task, object).is_some(),
            TaskDeed::Poll { future }
            | TaskDeed::Await { future, .. }
            | TaskDeed::Drop { future }
            | TaskDeed::SendFuture { future, .. } => self.find_future(task, future).is_some(),
            TaskDeed::Start { future, .. } | TaskDeed::Prepare { future, .. } => {
                self.find_future(task, future).is_none()
            }
            _ => true,
        }
    }

    fn find_guard(&self, task: TaskIndex, object: ObjectIndex) -> Option<usize> {
        self.tasks[task].belongings.iter().rposition(|it| it.kept.is_none() && it.object == object)
    }

    fn find_future(&self, task: TaskIndex, name: NameIndex) -> Option<usize> {
        self.tasks[task].belongings.iter().position(|it| it.kept.is_some_and(|kept| kept.name == name))
    }

    /// Takes the next action of a task that does not wait.
    fn act(&mut self, task: TaskIndex) {
        let (deed, number) = {
            let op = &self.plan.programs[task][self.tasks[task].pc];
            (op.deed, op.number)
        };
        self.tasks[task].pc += 1;
        self.fruitless = 0;
        self.note(Deed::Op { task, op: number });
        self.books.cover_act(number);
        if self.can(task, deed) {
            self.do_deed(task, deed, number);
        } else {
            self.note(Deed::NotRun);
            self.books.result(number, Fate::NotRun);
        }
        self.refresh(task);
    }

    fn do_deed(&mut self, task: TaskIndex, deed: TaskDeed, op: usize) {
        match deed {
            TaskDeed::Ask { request, object, .. } if request.takes() => {
                let slot = self.begin_operation(object, request);
                let wait = Wait { object, request, slot: Some(slot), future: None, op, since: u32::MAX, overtaken: 0 };
                self.attempt(task, wait, slot);
            }
            TaskDeed::Ask { request, object, .. } => {
                let slot = self.begin_operation(object, request);
                match self.poll_slot(task, object, slot) {
                    None => self.panic(task, op, Some(slot)),
                    Some(reply) => {
                        if let Polled::Answered(locked) = reply {
                            self.books.answered(object, locked, op);
                        }
                        self.clear_own(task, object, slot);
                    }
                }
            }
            TaskDeed::Release { object } => {
                self.books.result(op, Fate::Released);
                let guard = self.take_guard(task, object);
                self.clear_own(task, object, guard);
            }
            TaskDeed::ReleaseElsewhere { object } => {
                self.books.result(op, Fate::Released);
                let guard = self.take_guard(task, object);
                self.footprint |= 1 << object;
                let (slot, identity) = (&mut self.slots[guard], self.identities[task]);
                let drop_there = || {
                    let _entered = identity.enter();
                    S::clear(slot);
                };
                let dropped = std::thread::scope(|scope| scope.spawn(drop_there).join());
                self.free.push(guard);
                self.hear(object);
                if dropped.is_err() {
                    self.panic(task, op, None);
                }
            }
            TaskDeed::Forget { object } => {
                self.books.result(op, Fate::Forgotten);
                let place = self.find_guard(task, object).expect("it was looked up");
                let guard = self.tasks[task].belongings.remove(place);
                self.forgotten.push(self.subject.take(&mut self.slots[guard.slot]));
                self.free.push(guard.slot);
                self.books.forget(object);
            }
            TaskDeed::SendGuard { object, to } => {
                self.footprint = u32::MAX;
                self.books.result(op, Fate::Sent);
                let place = self.find_guard(task, object).expect("it was looked up");
                let guard = self.tasks[task].belongings.remove(place);
                let slot = &mut self.slots[guard.slot];
                handing_over(Order::Sent, |cx| S::poll(slot, cx) == Polled::Granted);
                if self.ended & 1 << to == 0 {
                    let _entered = self.identities[to].enter();
                    handing_over(Order::Received, |cx| S::poll(slot, cx) == Polled::Granted);
                    self.tasks[to].belongings.push(guard);
                    self.refresh(to);
                } else {
                    self.books.release(object);
                    self.clear_own(task, object, guard.slot);
                }
            }
            TaskDeed::SendFuture { future, to } => {
                self.footprint = u32::MAX;
                self.books.result(op, Fate::Sent);
                let place = self.find_future(task, future).expect("it was looked up");
                let sent = self.tasks[task].belongings.remove(place);
                if self.ended & 1 << to == 0 {
                    self.tasks[to].belongings.push(sent);
                    self.refresh(to);
                } else {
                    self.stop_asking(&sent);
                    self.clear_own(task, sent.object, sent.slot);
                }
            }
            TaskDeed::Panic => {
                self.books.result(op, Fate::Panicked);
                self.unwind(task);
            }
            TaskDeed::Return => {
                self.books.result(op, Fate::Returned);
                self.end(task);
            }
            TaskDeed::Start { future, request, object } => {
                self.keep(task, future, request, object);
                self.poll_kept(task, future, op, false);
            }
            TaskDeed::Prepare { future, request, object } => {
                self.books.result(op, Fate::Prepared);
                self.keep(task, future, request, object);
                self.prepare(task, object, op);
            }
            TaskDeed::Poll { future } => self.poll_kept(task, future, op, false),
            TaskDeed::Await { future, keep: true } => self.poll_kept(task, future, op, true),
            TaskDeed::Await { future, keep: false } => {
                let place = self.find_future(task, future).expect("it was looked up");
                let taken = self.tasks[task].belongings.remove(place);
                self.stop_asking(&taken);
                let kept = taken.kept.expect("a future was looked up");
                let wait = Wait {
                    object: taken.object,
                    request: kept.request,
                    slot: Some(taken.slot),
                    future: Some(future),
                    op,
                    since: kept.since.unwrap_or(u32::MAX),
                    overtaken: 0,
                };
                self.attempt(task, wait, taken.slot);
            }
            TaskDeed::Drop { future } => {
                self.books.result(op, Fate::Dropped);
                let place = self.find_future(task, future).expect("it was looked up");
                let dropped = self.tasks[task].belongings.remove(place);
                self.stop_asking(&dropped);
                self.clear_own(task, dropped.object, dropped.slot);
            }
            _ => unreachable!("a plan has only what can be explored"),
        }
    }

    fn begin_operation(&mut self, object: ObjectIndex, request: Request) -> usize {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(self.subject.slot());
            self.slots.len() - 1
        });
        let live = self.objects[object].as_ref().expect("every object was made");
        self.subject.begin(&mut self.slots[slot], live, request);
        slot
    }

    /// Has the library make the future that the task has just kept.
    fn prepare(&mut self, task: TaskIndex, object: ObjectIndex, op: usize) {
        self.footprint |= 1 << object;
        let slot = self.tasks[task].belongings.last().expect("a future was kept just now").slot;
        let place = &mut self.slots[slot];
        let prepared = catch_unwind(AssertUnwindSafe(|| S::prepare(place)));
        self.hear(object);
        if prepared.is_err() {
            self.panic(task, op, None);
        }
    }

    /// Polls what is in a slot; `None` if that panics.
    fn poll_slot(&mut self, task: TaskIndex, object: ObjectIndex, slot: usize) -> Option<Polled> {
        self.footprint |= 1 << object;
        let waker = &self.wakers[task][self.tasks[task].renewal];
        let slot = &mut self.slots[slot];
        let reply = catch_unwind(AssertUnwindSafe(|| S::poll(slot, &mut Context::from_waker(waker)))).ok();
        self.hear(object);
        reply
    }

    /// Drops what is in a slot. Returns whether that went well.
    fn clear_slot(&mut self, object: ObjectIndex, slot: usize) -> bool {
        self.footprint |= 1 << object;
        let place = &mut self.slots[slot];
        let dropped = catch_unwind(AssertUnwindSafe(|| S::clear(place))).is_ok();
        self.free.push(slot);
        self.hear(object);
        dropped
    }

    /// Drops what is in a slot for a task, which panics if that does.
    fn clear_own(&mut self, task: TaskIndex, object: ObjectIndex, slot: usize) {
        if !self.clear_slot(object, slot) {
            self.books.accuse(Verdict::Panicked);
            self.unwind(task);
        }
    }

    /// Takes note of the wakes that `object` has caused.
    fn hear(&mut self, object: ObjectIndex) {
        let rung = self.board.take_rings();
        self.hear_rings(object, rung);
    }

    fn hear_rings(&mut self, object: ObjectIndex, (rung, rings): (u32, u32)) {
        if rings == 0 {
            return;
        }
        self.note(Deed::Rung(rung));
        self.books.rang(object, rings);
        for task in tasks_of(rung) {
            if self.ended & 1 << task != 0 {
                self.board.clear(1 << task);
            } else if !self.queue.contains(&task) {
                self.queue.push(task);
            }
        }
        if self.plan.keeps_futures {
            let kept = self.tasks.iter_mut().flat_map(|task| &mut task.belongings).filter(|it| it.object == object);
            for future in kept.filter_map(|it| it.kept.as_mut()) {
                future.woken |= future.since.is_some() && rung & 1 << future.polled_by != 0;
            }
        }
    }

    /// Polls an operation that the task owns and waits for.
    fn attempt(&mut self, task: TaskIndex, wait: Wait, slot: usize) {
        let bit = 1 << task;
        match self.poll_slot(task, wait.object, slot) {
            Some(Polled::Pending) => {
                let since = if wait.since == u32::MAX { self.tick() } else { wait.since };
                self.books.wait(task, wait.object, self.waits & bit == 0, wait.op);
                self.waits |= bit;
                self.tasks[task].wait = Some(Wait { since, ..wait });
            }
            reply => {
                self.end_wait(task);
                match reply {
                    Some(Polled::Granted) => {
                        self.tasks[task].belongings.push(Belonging { slot, object: wait.object, kept: None });
                        self.grant(task, wait.object, wait.since, wait.op);
                    }
                    Some(_) => {
                        self.books.refused(wait.object, wait.request.waits(), wait.op);
                        self.clear_own(task, wait.object, slot);
                    }
                    _ => self.panic(task, wait.op, Some(slot)),
                }
            }
        }
    }

    /// Polls a kept future in its place. A grant turns it into a guard that was got now, as in the live driver.
    fn poll_kept(&mut self, task: TaskIndex, name: NameIndex, op: usize, awaits: bool) {
        let place = self.find_future(task, name).expect("it was looked up");
        let Belonging { slot, object, kept } = self.tasks[task].belongings[place];
        let kept = kept.expect("a future was looked up");
        let since = kept.since.unwrap_or_else(|| self.tick());
        // Told before this poll does not count; told in this poll does, and be it the first.
        if let Some(future) = self.tasks[task].belongings[place].kept.as_mut() {
            (future.woken, future.polled_by, future.since) = (false, task, Some(since));
        }
        let reply = self.poll_slot(task, object, slot);
        if reply.is_none()
            && let Some(future) = self.tasks[task].belongings[place].kept.as_mut()
        {
            // It panicked, and asked for nothing if it had not before.
            future.since = kept.since;
        }
        let was_waiting = self.waits & 1 << task != 0;
        match reply {
            Some(Polled::Pending) => {
                if !kept.awaited && kept.since.is_none() && !awaits {
                    self.books.ask(object, 1);
                }
                if awaits && !kept.awaited && kept.since.is_some() {
                    self.books.ask(object, -1);
                }
                if let Some(future) = self.tasks[task].belongings[place].kept.as_mut() {
                    future.since = Some(since);
                    future.awaited = awaits;
                }
                if awaits {
                    let overtaken = self.tasks[task].wait.map_or(0, |wait| wait.overtaken);
                    self.books.wait(task, object, !was_waiting, op);
                    self.waits |= 1 << task;
                    self.tasks[task].wait = Some(Wait {
                        object,
                        request: kept.request,
                        slot: None,
                        future: Some(name),
                        op,
                        since,
                        overtaken,
                    });
                } else {
                    self.books.result(op, Fate::Pending);
                }
            }
            reply => {
                if kept.since.is_some() && !kept.awaited {
                    self.books.ask(object, -1);
                }
                self.end_wait(task);
                match reply {
                    Some(Polled::Granted) => {
                        self.tasks[task].belongings.remove(place);
                        self.tasks[task].belongings.push(Belonging { slot, object, kept: None });
                        self.grant(task, object, kept.since.unwrap_or(u32::MAX), op);
                    }
                    Some(_) => {
                        self.tasks[task].belongings.remove(place);
                        self.books.refused(object, true, op);
                        self.clear_own(task, object, slot);
                    }
                    _ => self.panic(task, op, None),
                }
            }
        }
    }

    fn keep(&mut self, task: TaskIndex, name: NameIndex, request: Request, object: ObjectIndex) {
        let slot = self.begin_operation(object, request);
        let kept = KeptFuture { name, request, since: None, polled_by: task, woken: false, awaited: false };
        self.tasks[task].belongings.push(Belonging { slot, object, kept: Some(kept) });
    }

    /// Polls what a task waits for.
    fn poll_wait(&mut self, task: TaskIndex) {
        self.board.clear(1 << task);
        self.queue.retain(|woken| *woken != task);
        let wait = self.tasks[task].wait.expect("the task waits");
        match (wait.slot, wait.future) {
            (Some(slot), _) => self.attempt(task, wait, slot),
            (None, Some(future)) => self.poll_kept(task, future, wait.op, true),
            (None, None) => unreachable!("an operation has a slot or a name"),
        }
        if self.waits & 1 << task != 0 {
            self.fruitless += 1;
        } else {
            self.fruitless = 0;
        }
        self.refresh(task);
    }

    fn end_wait(&mut self, task: TaskIndex) {
        if let Some(wait) = self.tasks[task].wait.take() {
            self.waits &= !(1 << task);
            self.books.end_wait(wait.object);
        }
    }

    fn grant(&mut self, task: TaskIndex, object: ObjectIndex, since: u32, op: usize) {
        self.note(Deed::Granted { task, object });
        let mut passed = 0;
        for other in tasks_of(self.waits) {
            if let Some(wait) =
                self.tasks[other].wait.as_mut().filter(|wait| wait.object == object && wait.since < since)
            {
                wait.overtaken += 1;
                passed |= 1 << other;
            }
        }
        if self.books.grant(task, object, passed, op) {
            self.cut = true;
        }
    }

    fn tick(&mut self) -> u32 {
        self.clock += 1;
        self.clock
    }

    fn take_guard(&mut self, task: TaskIndex, object: ObjectIndex) -> usize {
        let place = self.find_guard(task, object).expect("it was looked up");
        self.books.release(object);
        self.tasks[task].belongings.remove(place).slot
    }

    fn stop_asking(&mut self, belonging: &Belonging) {
        if belonging.kept.is_some_and(|kept| kept.since.is_some() && !kept.awaited) {
            self.books.ask(belonging.object, -1);
        }
    }

    /// Drops what a task waits for; the task lives on.
    fn cancel(&mut self, task: TaskIndex) {
        let Some(wait) = self.tasks[task].wait else { return };
        self.fruitless = 0;
        self.end_wait(task);
        self.books.result(wait.op, Fate::Cancelled);
        match wait.slot {
            Some(slot) => {
                // The task does it itself, in a poll that serves no wake.
                self.clear_own(task, wait.object, slot);
            }
            None => {
                let woken = self.board.woken() & 1 << task != 0;
                let place = wait.future.and_then(|future| self.find_future(task, future));
                if let Some(future) = place.and_then(|place| self.tasks[task].belongings[place].kept.as_mut()) {
                    (future.awaited, future.woken) = (false, woken);
                    self.books.ask(wait.object, 1);
                }
            }
        }
        self.refresh(task);
    }

    fn abort(&mut self, task: TaskIndex) {
        self.fruitless = 0;
        if let Some(wait) = self.tasks[task].wait {
            self.books.result(wait.op, Fate::Aborted);
        }
        self.books.aborted(task);
        self.end(task);
    }

    /// Records that an operation panicked, and unwinds its task. The operation in `slot` goes first.
    #[cold]
    fn panic(&mut self, task: TaskIndex, op: usize, slot: Option<usize>) {
        self.books.result(op, Fate::Panicked);
        self.books.accuse(Verdict::Panicked);
        self.books.broke(u32::MAX);
        self.end_wait(task);
        if let Some(slot) = slot {
            let place = &mut self.slots[slot];
            let unwinding = catch_unwind(AssertUnwindSafe(|| {
                let _cleared = OnDrop(|| {
                    let _ = catch_unwind(AssertUnwindSafe(|| S::clear(place)));
                });
                resume_unwind(Box::new(()));
            }));
            drop(unwinding);
            self.free.push(slot);
            let objects = (0..self.objects.len()).collect::<Vec<_>>();
            objects.into_iter().for_each(|object| self.hear(object));
        }
        self.unwind(task);
    }

    /// Ends a task as a panic does: what it has is dropped while its thread panics.
    #[cold]
    fn unwind(&mut self, task: TaskIndex) {
        let unwinding = catch_unwind(AssertUnwindSafe(|| {
            let _dropped = OnDrop(|| self.end(task));
            resume_unwind(Box::new(()));
        }));
        drop(unwinding);
    }

    /// Ends a task: what it waits for goes first, then what it has, last things first.
    fn end(&mut self, task: TaskIndex) {
        let bit = 1 << task;
        if self.ended & bit != 0 {
            return;
        }
        if let Some(wait) = self.tasks[task].wait {
            self.end_wait(task);
            if let Some(slot) = wait.slot
                && !self.clear_slot(wait.object, slot)
            {
                self.books.accuse(Verdict::Panicked);
            }
        }
        while let Some(belonging) = self.tasks[task].belongings.pop() {
            self.let_go_of(belonging);
        }
        self.ended |= bit;
        self.ready &= !bit;
        self.board.clear(bit);
        self.queue.retain(|woken| *woken != task);
    }

    /// Drops a guard or a kept future. Returns whether that went well.
    fn let_go_of(&mut self, belonging: Belonging) -> bool {
        match belonging.kept {
            None => {
                if std::thread::panicking() {
                    self.books.broke(1 << belonging.object);
                }
                self.books.release(belonging.object);
            }
            Some(_) => self.stop_asking(&belonging),
        }
        let went_well = self.clear_slot(belonging.object, belonging.slot);
        if !went_well {
            self.books.accuse(Verdict::Panicked);
        }
        went_well
    }

    /// Polls the woken, in the order of their wakes, until nobody is woken. Returns whether that came to an end.
    fn settle(&mut self) -> bool {
        let mut polls = 0;
        while !self.queue.is_empty() {
            let task = self.queue.remove(0);
            self.board.clear(1 << task);
            if self.waits & 1 << task != 0 {
                polls += 1;
                if polls > POLLS_MAX {
                    self.books.accuse(Verdict::Livelock);
                    return false;
                }
                self.poll_wait(task);
            }
        }
        true
    }

    /// Judges how the run ended, and lets all go.
    fn finish(&mut self) {
        // What follows is no part of the schedule: first the polls that end its last line, then the judgement.
        if let Some(trace) = &mut self.trace {
            trace.push(Vec::new());
        }
        let is_settled = !self.cut || self.settle();
        if let Some(trace) = &mut self.trace {
            trace.push(Vec::new());
        }
        if !is_settled {
            return self.abandon();
        }
        let is_clean = self.waits == 0 && self.tasks.iter().all(|task| task.belongings.is_empty());
        if !is_clean {
            self.judge_waits();
        }
        self.books.end_script();
        if !self.probe() || (!is_clean && !self.rest()) || !self.probe() {
            return self.abandon();
        }
        self.abandon();
    }

    /// Tries every object. Returns whether that came to an end.
    fn probe(&mut self) -> bool {
        for object in 0..self.objects.len() {
            let (mut was_free, mut rung) = (None, (0, 0));
            let live = self.objects[object].as_ref().expect("every object was made");
            let mut tried = |is_free| (was_free, rung) = (Some(is_free), self.board.take_rings());
            let request = self.tries[object];
            let probed = catch_unwind(AssertUnwindSafe(|| self.subject.probe(live, request, &mut tried)));
            self.hear_rings(object, rung);
            self.hear(object);
            if let Some(is_free) = was_free {
                self.books.tried(object, is_free);
            }
            if probed.is_err() {
                self.books.accuse(Verdict::Panicked);
            }
            if !self.settle() {
                return false;
            }
        }
        true
    }

    /// Has everybody let go: waits first, then kept futures, then guards. Returns whether that came to an end.
    fn rest(&mut self) -> bool {
        for _ in 0..ROUNDS_MAX {
            let mut changed = false;
            for round in 0..3 {
                for task in 0..self.tasks.len() {
                    if self.ended & 1 << task != 0 {
                        continue;
                    }
                    let _entered = self.identities[task].enter();
                    match round {
                        0 if self.waits & 1 << task != 0 => {
                            self.cancel(task);
                            changed = true;
                        }
                        0 => {}
                        _ => {
                            let goes = |it: &Belonging| it.kept.is_some() == (round == 1);
                            while let Some(place) = self.tasks[task].belongings.iter().rposition(goes) {
                                let belonging = self.tasks[task].belongings.remove(place);
                                changed = true;
                                if !self.let_go_of(belonging) {
                                    self.unwind(task);
                                }
                            }
                        }
                    }
                    if !self.settle() {
                        return false;
                    }
                }
            }
            if !changed {
                break;
            }
        }
        true
    }

    /// Judges those who still wait.
    #[cold]
    fn judge_waits(&mut self) {
        for task in tasks_of(self.waits) {
            let Some(wait) = self.tasks[task].wait else { continue };
            if self.books.held(wait.object) == 0 {
                if self.is_offered(wait.object) {
                    self.books.accuse(Verdict::Futurelock);
                }
                continue;
            }
            if wait.overtaken >= crate::oracle::OVERTAKEN_MAX as u32 {
                self.books.accuse(Verdict::Starved);
            }
            let mut met = 1_u32 << task;
            let mut object = wait.object;
            loop {
                let holder = (0..self.tasks.len()).find(|holder| self.find_guard(*holder, object).is_some());
                let Some(holder) = holder else {
                    if self.books.held(object) > 0 {
                        self.books.accuse(Verdict::Abandoned);
                    }
                    break;
                };
                if met & 1 << holder != 0 {
                    self.books.accuse(Verdict::Deadlock);
                    break;
                }
                met |= 1 << holder;
                match self.tasks[holder].wait {
                    Some(next) => object = next.object,
                    None => break,
                }
            }
        }
    }

    /// Drops whatever is left, and the objects.
    fn abandon(&mut self) {
        self.books.close();
        for task in 0..self.tasks.len() {
            if let Some(slot) = self.tasks[task].wait.take().and_then(|wait| wait.slot) {
                let place = &mut self.slots[slot];
                let _ = catch_unwind(AssertUnwindSafe(|| S::clear(place)));
                self.free.push(slot);
            }
            while let Some(belonging) = self.tasks[task].belongings.pop() {
                let place = &mut self.slots[belonging.slot];
                let _ = catch_unwind(AssertUnwindSafe(|| S::clear(place)));
                self.free.push(belonging.slot);
            }
        }
        for index in 0..self.objects.len() {
            let object = self.objects[index].take();
            if catch_unwind(AssertUnwindSafe(|| drop(object))).is_err() {
                self.books.accuse(Verdict::Panicked);
            }
        }
        for mut slot in self.forgotten.drain(..) {
            let _ = catch_unwind(AssertUnwindSafe(|| S::clear(&mut slot)));
        }
    }

    fn note(&mut self, deed: Deed) {
        if let Some(last) = self.trace.as_mut().and_then(|trace| trace.last_mut()) {
            last.push(deed);
        }
    }
}

impl<S: Subject> Machine for Engine<S> {
    fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    fn run(&mut self, bounds: &Bounds, chooser: &mut dyn Chooser) -> bool {
        self.begin();
        loop {
            if self.cut {
                break;
            }
            let offer = self.offer(bounds);
            // Most have none, and to look at all kinds at once waits for what was just written kind by kind.
            let is_over = if self.has_occasions { offer.is_empty() } else { offer.0[Kind::Go as usize] == 0 };
            if is_over {
                break;
            }
            let remaining = |task: TaskIndex| {
                self.plan.programs[task].len() - self.tasks[task].pc.min(self.plan.programs[task].len())
            };
            let Some(choice) = chooser.choose(&offer, self.footprint, &remaining) else {
                self.abandon();
                return false;
            };
            debug_assert!(offer.has(choice), "a chooser takes what is offered");
            if choice.kind() == Kind::Stop {
                self.footprint = u32::MAX;
                break;
            }
            self.take(choice);
        }
        chooser.end(self.footprint);
        self.finish();
        true
    }

    fn books(&self) -> &Books {
        &self.books
    }

    fn books_mut(&mut self) -> &mut Books {
        &mut self.books
    }

    fn record(&mut self, on: bool) -> Vec<Vec<Deed>> {
        std::mem::replace(&mut self.trace, on.then(Vec::new)).unwrap_or_default()
    }
}

/// Returns the tasks of a set.
fn tasks_of(mask: u32) -> impl Iterator<Item = TaskIndex> {
    let mut left = mask;
    std::iter::from_fn(move || {
        let task = (left != 0).then(|| left.trailing_zeros() as usize)?;
        left &= left - 1;
        Some(task)
    })
}

/// Does something when it goes.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
