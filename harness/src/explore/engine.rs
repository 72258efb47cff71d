//! Runs one schedule after the other on one thread: polls the real, unmodified lock by hand, and keeps books that find
//! at once what the oracle would find in the transcript.
//!
//! It chooses nothing: a [`Chooser`] does. What it does to a lock is what the live driver does with the same steps, so
//! every schedule is a scenario.

mod deeds;
mod ending;
mod kept;
mod letting_go;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Waker};

use super::books::Books;
use super::plan::Plan;
use super::schedule::{Choice, Choices, Kind};
use super::subject::{Polled, Subject};
use super::waker::Board;
use super::{Bounds, Chooser, Machine};
use crate::identity::Identity;
use crate::primitive::Request;
use crate::program::{NameIndex, ObjectIndex};
use crate::quiescence::TaskIndex;
use crate::verdict::Verdict;

/// How many polls in a row may come to nothing, for each task, before it is a livelock.
const FRUITLESS_MAX: u32 = 8;

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

    fn find_guard(&self, task: TaskIndex, object: ObjectIndex) -> Option<usize> {
        self.tasks[task].belongings.iter().rposition(|it| it.kept.is_none() && it.object == object)
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
