//! Makes up programs: an explored scenario from a seed and a number, always the same.
//!
//! Made of pieces that tasks are written of, not of single actions, so that most steps can be taken; and now and then of
//! an action that fits nowhere.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::explore::Explorable;
use crate::explore::random::Random;
use crate::object::Reply;
use crate::primitive::{Primitive, Request};
use crate::scenario::name::{FutureName, ObjectName, ScenarioName, TaskName, Who};
use crate::scenario::{Action, Conduct, Line, Object, Operation, Parcel, Place, Scenario, Step};

/// The most tasks of a program.
pub const TASKS_MAX: usize = 8;

/// The most actions of all tasks together.
pub const ACTIONS_MAX: usize = 16;

/// What programs are made of: the primitives and requests that lock libraries have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Palette {
    has: Vec<(Primitive, Request)>,
}

impl Palette {
    /// Returns what every one of `libraries` can do, found out by trying.
    pub fn common(libraries: &[Explorable]) -> Self {
        let all = Primitive::ALL.into_iter().flat_map(|it| it.requests().iter().map(move |request| (it, *request)));
        let explored = all.filter(|(_, request)| *request != Request::Debug);
        Self { has: explored.filter(|(it, request)| libraries.iter().all(|one| can(one, *it, *request))).collect() }
    }

    /// Returns whether there is something that a task can acquire.
    pub fn is_empty(&self) -> bool {
        !self.has.iter().any(|(_, request)| request.waits())
    }

    fn has(&self, primitive: Primitive, request: Request) -> bool {
        self.has.contains(&(primitive, request))
    }

    fn primitives(&self) -> Vec<Primitive> {
        self.has.iter().filter(|(_, request)| request.waits()).map(|(primitive, _)| *primitive).collect()
    }
}

/// Tries a request on an object of its own.
fn can(locks: &Explorable, primitive: Primitive, request: Request) -> bool {
    let Some(object) = locks.make()(primitive) else { return false };
    let mut operation = Arc::clone(&object).operation(request, Place::Task);
    operation.poll(&mut Context::from_waker(Waker::noop())) != Poll::Ready(Reply::Unsupported)
}

/// Returns program `number` of those that `seed` begins.
pub fn program(palette: &Palette, seed: u64, number: u64) -> Scenario {
    let name: ScenarioName = format!("fuzz/seed-{seed}-program-{number}").parse().expect("a theme and a name");
    let mut maker = Maker { random: Random::new(seed, number), palette, tasks: Vec::new(), objects: Vec::new() };
    maker.scenario(name)
}

struct Maker<'a> {
    random: Random,
    palette: &'a Palette,
    tasks: Vec<TaskName>,
    objects: Vec<Object>,
}

/// A piece of a program: turns, each of actions with no scheduling in between.
type Turns = Vec<Vec<Action>>;

impl Maker<'_> {
    fn scenario(&mut self, name: ScenarioName) -> Scenario {
        // Most faults need few tasks, and few tasks are searched through best.
        let count = [2, 3, 3, 3, 4, 4, 5, 6, 8][self.random.below(9) as usize];
        self.tasks = ('A'..='Z').filter_map(TaskName::new).take(count.min(TASKS_MAX)).collect();
        let objects = if self.random.below(6) == 0 { 2 } else { 1 };
        let primitives = self.palette.primitives();
        self.objects = ["m", "n"][..objects]
            .iter()
            .map(|name| Object {
                primitive: primitives[self.random.below(primitives.len() as u32) as usize],
                name: name.parse().expect("a name of an object"),
            })
            .collect();
        let mut scenario = Scenario { objects: self.objects.clone(), ..Scenario::new(name) };
        let mut left = ACTIONS_MAX;
        for index in 0..self.tasks.len() {
            // Everyone who is to come gets an action at least.
            let others = self.tasks.len() - 1 - index;
            let turns = self.turns(index, left - others);
            left -= turns.iter().map(Vec::len).sum::<usize>();
            let who = Who::from(self.tasks[index]);
            scenario.lines.push(Line::new(vec![Step::Program { who, turns }]));
        }
        let mut is_first = true;
        for index in 0..self.tasks.len() {
            for step in self.occasions(index) {
                let line = Line::new(vec![step]);
                scenario.lines.push(Line { gap: std::mem::take(&mut is_first), ..line });
            }
        }
        // A declared object that nobody came to use is nothing but noise.
        let is_used = |object: &Object| {
            let used = |action: &Action| format!("{action} ").contains(&format!(" {} ", object.name));
            scenario.steps().any(|(_, step)| step.actions().any(used))
        };
        scenario.objects = self.objects.iter().filter(|object| is_used(object)).cloned().collect();
        scenario
    }

    /// Returns what a task does, in `most` actions at most and one at least.
    fn turns(&mut self, task: usize, most: usize) -> Turns {
        let share = (2 * ACTIONS_MAX / self.tasks.len()).clamp(3, 8).min(most);
        let mut turns = Turns::new();
        let pieces = 1 + self.random.below(3);
        for _ in 0..pieces {
            let mut piece = self.piece(task);
            // Barging: what follows a release at once.
            if self.random.below(5) == 0
                && let (Some(last), false) = (turns.last_mut(), piece.is_empty())
            {
                last.extend(piece.remove(0));
            }
            turns.extend(piece);
        }
        let mut left = share;
        for turn in &mut turns {
            turn.truncate(left);
            left -= turn.len();
        }
        turns.retain(|turn| !turn.is_empty());
        turns
    }

    fn piece(&mut self, task: usize) -> Turns {
        let object = self.objects[self.random.below(self.objects.len() as u32) as usize].clone();
        let name = object.name.clone();
        let ask = |request| Action::Ask { operation: Operation { request, object: name.clone() }, place: Place::Task };
        let acquire = ask(Request::Acquire);
        let operation = Operation { request: Request::Acquire, object: name.clone() };
        let future: FutureName = ["x", "y"][self.random.below(2) as usize].parse().expect("a name of a future");
        let has = |request| self.palette.has(object.primitive, request);
        let (tries, asks) = (has(Request::TryAcquire), has(Request::IsLocked));
        let start = Action::Start { future: future.clone(), operation: operation.clone() };
        let prepare = Action::Prepare { future: future.clone(), operation };
        let release = Action::Release { object: name.clone() };
        let actions = match self.random.below(21) {
            0..=5 => vec![acquire, self.end_of_hold(task, &name)],
            6 | 7 if tries => vec![ask(Request::TryAcquire), self.end_of_hold(task, &name)],
            8 if asks => vec![acquire, ask(Request::IsLocked), release],
            9 if asks => vec![ask(Request::IsLocked)],
            10 | 11 => vec![start, self.use_of_future(task, &future)],
            12 => vec![start, Action::Await { future }, self.end_of_hold(task, &name)],
            13 => vec![prepare, self.use_of_future(task, &future)],
            14 => vec![start, acquire, release, Action::Drop { future }],
            15 => vec![start, Action::AwaitRef { future: future.clone() }, release, Action::Drop { future }],
            // Some that fit nowhere by design: a lock must stand them.
            16 => vec![self.end_of_hold(task, &name)],
            17 => vec![self.use_of_future(task, &future)],
            18 => vec![acquire, Action::Yield, release],
            19 => vec![prepare, Action::Drop { future }],
            _ => vec![acquire],
        };
        actions.into_iter().map(|action| vec![action]).collect()
    }

    fn end_of_hold(&mut self, task: usize, object: &ObjectName) -> Action {
        let object = object.clone();
        match self.random.below(16) {
            0 => Action::ReleaseElsewhere { object },
            1 => Action::Panic,
            2 => Action::Return,
            3 if self.random.below(4) == 0 => Action::Forget { object },
            4 => match self.other(task) {
                Some(to) => Action::Send { what: Parcel::Guard(object), to },
                None => Action::Release { object },
            },
            _ => Action::Release { object },
        }
    }

    fn use_of_future(&mut self, task: usize, future: &FutureName) -> Action {
        let future = future.clone();
        match self.random.below(8) {
            0 | 1 => Action::Poll { future },
            2 => Action::Await { future },
            3 => Action::AwaitRef { future },
            4 => match self.other(task) {
                Some(to) => Action::Send { what: Parcel::Future(future), to },
                None => Action::Drop { future },
            },
            _ => Action::Drop { future },
        }
    }

    fn other(&mut self, task: usize) -> Option<TaskName> {
        let others = (self.tasks.len() as u32).checked_sub(1).filter(|count| *count > 0)?;
        let place = self.random.below(others) as usize;
        Some(self.tasks[if place >= task { place + 1 } else { place }])
    }

    /// Returns what may happen to a task at any time, weighted to cancel.
    fn occasions(&mut self, task: usize) -> Vec<Step> {
        let who = Who::from(self.tasks[task]);
        let all = [
            (50, Step::Conductor(Conduct::Cancel(who))),
            (15, Step::Conductor(Conduct::Abort(who))),
            (25, Step::Task { who, action: Action::Repoll { new_waker: false } }),
            (20, Step::Task { who, action: Action::Repoll { new_waker: true } }),
        ];
        all.into_iter().filter(|(percent, _)| self.random.below(100) < *percent).map(|(_, step)| step).collect()
    }
}
