//! Makes a scenario as small as it can be while something stays true of it: greedy, one change after the other, the same
//! result for the same scenario.
//!
//! A script holds its program and its schedule at once, so a smaller script has less of both.

use std::collections::BTreeMap;

use crate::primitive::Request;
use crate::scenario::name::{FutureName, ObjectName, TaskName, Who};
use crate::scenario::{Action, Conduct, Line, Operation, Parcel, Place, Scenario, Step};

/// The most scenarios that are tried for one.
pub const TRIES_MAX: usize = 4_000;

/// Scripts of this length or less are also tried without any two of their steps.
const PAIRS_AT_MOST: usize = 14;

/// Returns the smallest scenario that `keeps` accepts and that single changes lead to, beginning with `scenario`.
pub fn shrink(scenario: &Scenario, keeps: &mut dyn FnMut(&Scenario) -> bool) -> Scenario {
    let mut best = scenario.clone();
    let mut tries = 0;
    loop {
        let before = best.clone();
        for change in
            [without_a_task, without_a_line, without_a_step, apart, simpler, with_fewer_tasks, without_two_steps]
        {
            // After every success the changes of what is left are tried, from where the last one succeeded.
            let mut next = 0;
            while let Some(candidate) = change(&best).into_iter().nth(next) {
                if tries >= TRIES_MAX {
                    return best;
                }
                let candidate = tidy(candidate);
                if size(&candidate) < size(&best) {
                    tries += 1;
                    if keeps(&candidate) {
                        best = candidate;
                        continue;
                    }
                }
                next += 1;
            }
        }
        if best == before {
            break;
        }
    }
    let renamed = renamed(&best);
    if renamed != best && keeps(&renamed) { renamed } else { best }
}

/// How large a scenario is: actions, tasks, objects, steps that share a line, and how special they are.
pub fn size(scenario: &Scenario) -> (usize, usize, usize, usize, usize) {
    let steps = scenario.steps().count();
    let actions: usize = scenario.steps().map(|(_, step)| step.actions().count().max(1)).sum();
    let special = scenario.steps().map(|(_, step)| special(step)).sum();
    let turns: usize = scenario
        .steps()
        .map(|(_, step)| match step {
            Step::Program { turns, .. } => turns.iter().map(|turn| turn.len() - 1).sum(),
            _ => 0,
        })
        .sum();
    let joined = steps - scenario.lines.len() + turns;
    (actions, tasks(scenario).len(), scenario.objects.len(), joined, special)
}

fn special(step: &Step) -> usize {
    let by_conductor = match step {
        Step::Conductor(Conduct::Abort(_)) => 2,
        Step::Conductor(_) => 1,
        _ => 0,
    };
    let action = |action: &Action| match action {
        Action::Ask { operation, .. } => usize::from(!operation.request.waits()),
        Action::Release { .. } => 0,
        Action::Start { .. } | Action::Prepare { .. } | Action::Drop { .. } => 3,
        Action::Poll { .. } | Action::Await { .. } => 3,
        Action::Return | Action::ReleaseElsewhere { .. } => 2,
        Action::Repoll { new_waker: false } => 2,
        Action::Repoll { new_waker: true } => 3,
        Action::Panic | Action::AwaitRef { .. } => 4,
        _ => 5,
    };
    by_conductor + step.actions().map(action).sum::<usize>()
}

/// Returns every task that a scenario names, in the order of the text.
fn tasks(scenario: &Scenario) -> Vec<TaskName> {
    let mut tasks = Vec::new();
    for (_, step) in scenario.steps() {
        let receivers = step.actions().filter_map(|action| match action {
            Action::Send { to, .. } => Some(*to),
            _ => None,
        });
        for task in step.who().into_iter().flat_map(Who::members).chain(receivers) {
            if !tasks.contains(&task) {
                tasks.push(task);
            }
        }
    }
    tasks
}

fn without_a_task(scenario: &Scenario) -> Vec<Scenario> {
    let names = |step: &Step, task: TaskName| {
        step.who() == Some(Who::from(task))
            || step.actions().any(|action| matches!(action, Action::Send { to, .. } if *to == task))
    };
    tasks(scenario).into_iter().rev().map(|task| kept(scenario, |_, step| !names(step, task))).collect()
}

fn without_a_line(scenario: &Scenario) -> Vec<Scenario> {
    let lines = 0..scenario.lines.len();
    let several = lines.filter(|line| scenario.lines[*line].steps.len() > 1);
    several.rev().map(|gone| Scenario { lines: without(&scenario.lines, gone), ..scenario.clone() }).collect()
}

fn without_a_step(scenario: &Scenario) -> Vec<Scenario> {
    let count = scenario.steps().count();
    let mut smaller: Vec<Scenario> = (0..count).rev().map(|gone| kept(scenario, |place, _| place != gone)).collect();
    for (line, step) in scenario.lines.iter().enumerate() {
        let [Step::Program { who, turns }] = &step.steps[..] else { continue };
        for (turn, actions) in turns.iter().enumerate().rev() {
            for action in (0..actions.len()).rev() {
                let mut turns = turns.clone();
                turns[turn].remove(action);
                turns.retain(|turn| !turn.is_empty());
                let mut smaller_one = scenario.clone();
                smaller_one.lines[line] = Line::new(vec![Step::Program { who: *who, turns }]);
                smaller.push(smaller_one);
            }
        }
    }
    smaller
}

fn without_two_steps(scenario: &Scenario) -> Vec<Scenario> {
    let count = scenario.steps().count();
    if count > PAIRS_AT_MOST {
        return Vec::new();
    }
    let pairs = (0..count).flat_map(|one| (one + 1..count).map(move |other| (one, other)));
    pairs.rev().map(|(one, other)| kept(scenario, |place, _| place != one && place != other)).collect()
}

/// Every line of several steps in two.
fn apart(scenario: &Scenario) -> Vec<Scenario> {
    let mut apart = Vec::new();
    for (index, line) in scenario.lines.iter().enumerate() {
        for cut in 1..line.steps.len() {
            let mut lines = scenario.lines.clone();
            let behind = lines[index].steps.split_off(cut);
            lines.insert(index + 1, Line::new(behind));
            apart.push(Scenario { lines, ..scenario.clone() });
        }
        let [Step::Program { who, turns }] = &line.steps[..] else { continue };
        for (turn, actions) in turns.iter().enumerate() {
            for cut in 1..actions.len() {
                let mut turns = turns.clone();
                let behind = turns[turn].split_off(cut);
                turns.insert(turn + 1, behind);
                let mut one = scenario.clone();
                one.lines[index].steps = vec![Step::Program { who: *who, turns }];
                apart.push(one);
            }
        }
    }
    apart
}

/// Every step in a plainer way.
fn simpler(scenario: &Scenario) -> Vec<Scenario> {
    let mut simpler = Vec::new();
    for (line, place) in places(scenario) {
        for plain in plainer(scenario, &scenario.lines[line].steps[place]) {
            let mut one = scenario.clone();
            one.lines[line].steps[place] = plain;
            simpler.push(one);
        }
    }
    simpler
}

fn plainer(scenario: &Scenario, step: &Step) -> Vec<Step> {
    let (who, action) = match step {
        Step::Conductor(Conduct::Abort(who)) => return vec![Step::Conductor(Conduct::Cancel(*who))],
        Step::Task { who, action } => (*who, action),
        _ => return Vec::new(),
    };
    let acquire = |operation: &Operation| Action::Ask {
        operation: Operation { request: Request::Acquire, object: operation.object.clone() },
        place: Place::Task,
    };
    let plain: Vec<Action> = match action {
        Action::Ask { operation, .. } if !operation.request.waits() => vec![acquire(operation)],
        Action::Start { operation, .. } => vec![acquire(operation)],
        Action::Prepare { operation, future } => {
            vec![acquire(operation), Action::Start { future: future.clone(), operation: operation.clone() }]
        }
        Action::ReleaseElsewhere { object } | Action::Forget { object } => {
            vec![Action::Release { object: object.clone() }]
        }
        Action::Send { what: Parcel::Guard(object), .. } => vec![Action::Release { object: object.clone() }],
        Action::Panic | Action::Return => {
            let releases = scenario.objects.iter().map(|object| Action::Release { object: object.name.clone() });
            let ends = matches!(action, Action::Panic).then_some(Action::Return);
            releases.chain(ends).collect()
        }
        Action::AwaitRef { future } => vec![Action::Await { future: future.clone() }],
        Action::Repoll { new_waker: true } => vec![Action::Repoll { new_waker: false }],
        _ => Vec::new(),
    };
    plain.into_iter().map(|action| Step::Task { who, action }).collect()
}

/// Every task's steps given to one that comes before it.
fn with_fewer_tasks(scenario: &Scenario) -> Vec<Scenario> {
    if scenario.is_explored() {
        return Vec::new();
    }
    let tasks = tasks(scenario);
    let pairs = (1..tasks.len()).rev().flat_map(|one| (0..one).map(move |other| (one, other)));
    pairs
        .map(|(one, other)| {
            let names = Names { tasks: BTreeMap::from([(tasks[one], tasks[other])]), ..Names::default() };
            names.apply(scenario)
        })
        .collect()
}

fn places(scenario: &Scenario) -> Vec<(usize, usize)> {
    let lines = scenario.lines.iter().enumerate();
    lines.flat_map(|(line, it)| (0..it.steps.len()).map(move |place| (line, place))).collect()
}

fn without<T: Clone>(all: &[T], gone: usize) -> Vec<T> {
    all.iter().enumerate().filter(|(place, _)| *place != gone).map(|(_, it)| it.clone()).collect()
}

fn kept(scenario: &Scenario, keeps: impl Fn(usize, &Step) -> bool) -> Scenario {
    let mut place = 0;
    let mut lines = Vec::new();
    for line in &scenario.lines {
        let mut steps = Vec::new();
        for step in &line.steps {
            if keeps(place, step) {
                steps.push(step.clone());
            }
            place += 1;
        }
        if !steps.is_empty() {
            lines.push(Line { steps, ..line.clone() });
        }
    }
    Scenario { lines, ..scenario.clone() }
}

/// Removes what nothing names any more.
fn tidy(scenario: Scenario) -> Scenario {
    let mut tidy = scenario;
    for line in &mut tidy.lines {
        line.steps.retain(|step| !matches!(step, Step::Program { turns, .. } if turns.is_empty()));
    }
    tidy.lines.retain(|line| !line.steps.is_empty());
    if let Some(first) = tidy.lines.first_mut() {
        first.gap = false;
    }
    let names = Names::in_order(&tidy);
    tidy.objects.retain(|object| names.objects.contains_key(&object.name));
    tidy
}

/// Calls tasks A, B, C, objects m, n, o and futures x, y, z in the order in which they come.
fn renamed(scenario: &Scenario) -> Scenario {
    let names = Names::in_order(scenario);
    let mut renamed = names.apply(scenario);
    renamed.objects.sort_by(|one, other| one.name.cmp(&other.name));
    renamed
}

/// New names for old ones.
#[derive(Default)]
struct Names {
    tasks: BTreeMap<TaskName, TaskName>,
    objects: BTreeMap<ObjectName, ObjectName>,
    futures: BTreeMap<FutureName, FutureName>,
}

impl Names {
    fn in_order(scenario: &Scenario) -> Self {
        let mut names = Self::default();
        let letters = ('A'..='Z').filter_map(TaskName::new);
        names.tasks = tasks(scenario).into_iter().zip(letters).collect();
        for action in scenario.steps().flat_map(|(_, step)| step.actions()) {
            if let Some(object) = object_of(action) {
                let next = (b'm' + names.objects.len().min(10) as u8) as char;
                let next = || next.to_string().parse().expect("a letter is a name");
                names.objects.entry(object.clone()).or_insert_with(next);
            }
            if let Some(future) = future_of(action) {
                let next = ["x", "y", "z", "u", "v", "w"][names.futures.len().min(5)];
                names.futures.entry(future.clone()).or_insert_with(|| next.parse().expect("a letter is a name"));
            }
        }
        names
    }

    fn apply(&self, scenario: &Scenario) -> Scenario {
        let mut renamed = scenario.clone();
        for object in &mut renamed.objects {
            object.name = self.object(&object.name);
        }
        for step in renamed.lines.iter_mut().flat_map(|line| &mut line.steps) {
            let who = step.who().map(|who| match who {
                Who::Task(task) => Who::from(self.task(task)),
                crowd => crowd,
            });
            if let Some(who) = who {
                *step = step.for_who(who);
            }
            match step {
                Step::Task { action, .. } => self.rename(action),
                Step::Program { turns, .. } => turns.iter_mut().flatten().for_each(|action| self.rename(action)),
                Step::Conductor(Conduct::DropObject(object)) => *object = self.object(object),
                Step::Conductor(_) => {}
            }
        }
        renamed
    }

    fn task(&self, task: TaskName) -> TaskName {
        self.tasks.get(&task).copied().unwrap_or(task)
    }

    fn object(&self, object: &ObjectName) -> ObjectName {
        self.objects.get(object).unwrap_or(object).clone()
    }

    fn rename(&self, action: &mut Action) {
        if let Action::Send { to, .. } = action {
            *to = self.task(*to);
        }
        if let Some(object) = object_in(action) {
            *object = self.object(object);
        }
        if let Some(future) = future_in(action) {
            *future = self.futures.get(future).unwrap_or(future).clone();
        }
    }
}

fn object_of(action: &Action) -> Option<ObjectName> {
    object_in(&mut action.clone()).cloned()
}

fn future_of(action: &Action) -> Option<FutureName> {
    future_in(&mut action.clone()).cloned()
}

/// Returns the object that an action names.
fn object_in(action: &mut Action) -> Option<&mut ObjectName> {
    match action {
        Action::Ask { operation, .. } | Action::Start { operation, .. } | Action::Prepare { operation, .. } => {
            Some(&mut operation.object)
        }
        Action::Release { object }
        | Action::ReleaseElsewhere { object }
        | Action::Forget { object }
        | Action::Send { what: Parcel::Guard(object), .. } => Some(object),
        _ => None,
    }
}

/// Returns the kept future that an action names.
fn future_in(action: &mut Action) -> Option<&mut FutureName> {
    match action {
        Action::Start { future, .. }
        | Action::Prepare { future, .. }
        | Action::Poll { future }
        | Action::Await { future }
        | Action::AwaitRef { future }
        | Action::Drop { future }
        | Action::Send { what: Parcel::Future(future), .. } => Some(future),
        _ => None,
    }
}
