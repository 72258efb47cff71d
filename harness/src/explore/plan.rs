//! An explored scenario made ready: the programs of its tasks by indexes, and what may happen to them at any time.

use std::sync::Arc;

use crate::driver::MakeObject;
use crate::primitive::{Effect, Place, Primitive};
use crate::program::{Deed, Program, ProgramError, TaskDeed};
use crate::quiescence::TaskIndex;
use crate::scenario::name::{FutureName, ObjectName, ScenarioName, TaskName};
use crate::scenario::{Action, Conduct, Line, Object, Scenario, Step};

/// The largest number of tasks in an explored scenario: a set of them is one word.
pub const TASKS_MAX: usize = 32;

/// The largest number of objects in an explored scenario.
pub const OBJECTS_MAX: usize = 32;

/// The largest number of actions of all tasks together.
pub const ACTIONS_MAX: usize = 4_096;

/// An explored scenario made ready. Compiled once, explored as often as need be.
#[derive(Debug)]
pub struct Plan {
    /// What it was made of.
    pub scenario: Arc<Scenario>,
    /// The tasks, in the order of their names.
    pub tasks: Vec<TaskName>,
    /// The names of the futures that tasks keep.
    pub futures: Vec<FutureName>,
    /// What each task does.
    pub programs: Vec<Vec<Op>>,
    /// What may happen to whom.
    pub occasions: Occasions,
    /// Whether a task may be sent a guard or a future.
    pub(crate) has_sends: bool,
    /// Whether a task keeps futures.
    pub(crate) keeps_futures: bool,
}

/// One action of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Op {
    /// What the task does, by indexes.
    pub deed: TaskDeed,
    /// The same as the scenario says it.
    pub action: Action,
    /// Whether nothing is scheduled between the action before and this one.
    pub joined: bool,
    /// Its number among the actions of all tasks.
    pub number: usize,
}

/// What may happen to a task once, at any time, or not at all: a set of tasks each, the task with index 0 in the lowest
/// bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Occasions {
    /// Whose pending operation may be dropped.
    pub cancel: u32,
    /// Who may be aborted.
    pub abort: u32,
    /// Who may be polled though not woken.
    pub resume: u32,
    /// Who may be polled with another waker.
    pub resume_anew: u32,
}

impl Occasions {
    /// Returns every occasion for each of `tasks` tasks.
    pub fn everywhere(tasks: usize) -> Self {
        let all = u32::MAX.checked_shr(32_u32.saturating_sub(tasks as u32)).unwrap_or(0);
        Self { cancel: all, abort: all, resume: all, resume_anew: all }
    }
}

/// A scenario that cannot be explored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// It is a script.
    #[error(
        "{scenario} has a script and no programs; run it with `keyalike run`, or give its tasks programs, such as \
             `A: acquire m, release m`"
    )]
    NotExplored {
        /// The scenario.
        scenario: ScenarioName,
    },
    /// It is too large.
    #[error("{scenario} has {count} {what}, more than the {max} that can be explored; make it smaller")]
    TooLarge {
        /// The scenario.
        scenario: ScenarioName,
        /// How many there are.
        count: usize,
        /// Of what.
        what: &'static str,
        /// How many there may be.
        max: usize,
    },
    /// An action has no place in an explored scenario.
    #[error("{scenario}: {task} does `{action}`, which the explorer cannot do: {why}")]
    NotExplorable {
        /// The scenario.
        scenario: ScenarioName,
        /// Whose action it is.
        task: TaskName,
        /// The action.
        action: Box<Action>,
        /// Why not.
        why: &'static str,
    },
    /// An object can be held by several tasks, or in part.
    #[error(
        "{scenario}: `{object}` is {noun}, and the explorer follows only objects that one task holds at a time; \
             write a script for it"
    )]
    Shared {
        /// The scenario.
        scenario: ScenarioName,
        /// The object.
        object: ObjectName,
        /// What it is.
        noun: &'static str,
    },
    /// A line is neither a program nor an occasion.
    #[error("{scenario}: `{step}` is neither a program nor something that may happen at any time; remove it")]
    NoOccasion {
        /// The scenario.
        scenario: ScenarioName,
        /// The step.
        step: Box<Step>,
    },
    /// It could not be compiled.
    #[error(transparent)]
    Program(#[from] ProgramError),
}

impl Plan {
    /// Makes `scenario` ready to be explored.
    ///
    /// # Errors
    ///
    /// [`PlanError`], if it has no programs, is too large, or does what the explorer cannot do.
    pub fn new(scenario: Arc<Scenario>) -> Result<Self, PlanError> {
        let name = || scenario.name.clone();
        if !scenario.is_explored() {
            return Err(PlanError::NotExplored { scenario: name() });
        }
        if let Some(shared) = scenario.objects.iter().find(|object| !object.primitive.is_exclusive()) {
            let (object, noun) = (shared.name.clone(), shared.primitive.table().noun);
            return Err(PlanError::Shared { scenario: name(), object, noun });
        }
        let Actions { mut script, joins, occasions } = Actions::new(&scenario)?;
        let count = script.lines.len();
        too_large(&scenario, count, "actions", ACTIONS_MAX)?;
        // Who is only named by an occasion is a task as well.
        script.lines.extend(occasions.iter().map(|step| Line::new(vec![step.clone()])));
        let compiled = Program::new(Arc::new(script))?;
        too_large(&scenario, compiled.tasks.len(), "tasks", TASKS_MAX)?;
        too_large(&scenario, compiled.objects().len(), "objects", OBJECTS_MAX)?;
        let mut plan = Self {
            tasks: compiled.tasks.clone(),
            futures: compiled.futures.clone(),
            programs: vec![Vec::new(); compiled.tasks.len()],
            occasions: Occasions::default(),
            has_sends: false,
            keeps_futures: false,
            scenario: Arc::clone(&scenario),
        };
        let mut yielded = vec![false; compiled.tasks.len()];
        for (index, line) in compiled.scenario.lines.iter().enumerate().take(count) {
            let Step::Task { action, .. } = &line.steps[0] else { continue };
            let (Deed::Task(deed), Some(task)) = (compiled.steps[index].what, compiled.steps[index].task) else {
                continue;
            };
            plan.has_sends |= matches!(deed, TaskDeed::SendGuard { .. } | TaskDeed::SendFuture { .. });
            plan.keeps_futures |= matches!(deed, TaskDeed::Start { .. } | TaskDeed::Prepare { .. });
            // A yield is nothing but the place where others come in.
            if deed == TaskDeed::Yield {
                yielded[task] = true;
                continue;
            }
            let joined = joins[index] && !std::mem::take(&mut yielded[task]) && !plan.programs[task].is_empty();
            yielded[task] = false;
            let number = plan.programs.iter().map(Vec::len).sum();
            plan.programs[task].push(Op { deed, action: action.clone(), joined, number });
        }
        // Numbered anew, task by task.
        for (number, op) in plan.programs.iter_mut().flatten().enumerate() {
            op.number = number;
        }
        for step in &occasions {
            let Some(task) = step.who().and_then(|who| who.members().next()) else { continue };
            let bit = 1_u32 << plan.task(task).expect("the compiler has seen every task");
            match step {
                Step::Conductor(Conduct::Cancel(_)) => plan.occasions.cancel |= bit,
                Step::Conductor(Conduct::Abort(_)) => plan.occasions.abort |= bit,
                Step::Task { action: Action::Repoll { new_waker: true }, .. } => plan.occasions.resume_anew |= bit,
                _ => plan.occasions.resume |= bit,
            }
        }
        Ok(plan)
    }

    /// Returns for each task the others that do the same, and to whom the same may happen: to exchange them changes no
    /// more than names. A set each, the task with index 0 in the lowest bit.
    pub(crate) fn alike(&self) -> Vec<u32> {
        let sent_to = |op: &Op| match op.deed {
            TaskDeed::SendGuard { to, .. } | TaskDeed::SendFuture { to, .. } => 1 << to,
            _ => 0,
        };
        let named = self.programs.iter().flatten().fold(0, |named, op| named | sent_to(op));
        let Occasions { cancel, abort, resume, resume_anew } = self.occasions;
        let alike = |one: TaskIndex, other: TaskIndex| {
            let does = |task: TaskIndex| self.programs[task].iter().map(|op| (op.deed, op.joined));
            let may = |task: TaskIndex| [cancel, abort, resume, resume_anew].map(|set| set >> task & 1);
            one != other && named & (1 << one | 1 << other) == 0 && may(one) == may(other) && does(one).eq(does(other))
        };
        let tasks = 0..self.tasks.len();
        let others = |one: TaskIndex| tasks.clone().filter(move |other| alike(one, *other));
        tasks.clone().map(|one| others(one).fold(0, |set, other| set | 1 << other)).collect()
    }

    /// Returns the sets of tasks that are alike, two at least, in the order of their names.
    pub fn sets_of_alike(&self) -> Vec<Vec<TaskName>> {
        let firsts = self.alike().into_iter().enumerate();
        let sets = firsts.filter(|(task, others)| *others != 0 && others.trailing_zeros() as usize > *task);
        let members = |set: u32| (0..self.tasks.len()).filter(move |task| set & 1 << task != 0);
        sets.map(|(task, others)| members(others | 1 << task).map(|task| self.tasks[task]).collect()).collect()
    }

    /// Returns the declared objects.
    pub fn objects(&self) -> &[Object] {
        &self.scenario.objects
    }

    /// Returns whether anything may happen to anybody.
    pub(crate) fn has_occasions(&self) -> bool {
        self.occasions != Occasions::default()
    }

    /// Returns how many actions all tasks have.
    pub fn action_count(&self) -> usize {
        self.programs.iter().map(Vec::len).sum()
    }

    /// Returns the primitives that it needs.
    pub fn primitives(&self) -> impl Iterator<Item = Primitive> {
        self.objects().iter().map(|object| object.primitive)
    }

    /// Returns the primitive of the first object that a library cannot make.
    pub(crate) fn lacking(&self, make: MakeObject) -> Option<Primitive> {
        self.objects().iter().find(|object| make(object.declaration()).is_none()).map(|object| object.primitive)
    }

    fn task(&self, name: TaskName) -> Option<TaskIndex> {
        self.tasks.iter().position(|task| *task == name)
    }
}

/// What an explored scenario says, taken apart.
struct Actions {
    /// Every action as a step of a script, which the driver's own compiler turns into indexes.
    script: Scenario,
    /// For each of them whether nothing is scheduled between the action before and this one.
    joins: Vec<bool>,
    /// What may happen, member by member.
    occasions: Vec<Step>,
}

impl Actions {
    fn new(scenario: &Scenario) -> Result<Self, PlanError> {
        let mut script = Scenario { objects: scenario.objects.clone(), ..Scenario::new(scenario.name.clone()) };
        let mut joins = Vec::new();
        let mut occasions = Vec::new();
        for (_, step) in scenario.steps() {
            match step {
                Step::Program { who, turns } => {
                    let actions: usize = turns.iter().map(Vec::len).sum();
                    too_large(scenario, actions.saturating_mul(who.count()), "actions", ACTIONS_MAX)?;
                    too_large(scenario, who.count(), "tasks", TASKS_MAX)?;
                    for member in who.members() {
                        let mut joined = false;
                        for turn in turns {
                            for action in turn {
                                explorable(member, action).map_err(|why| PlanError::NotExplorable {
                                    scenario: scenario.name.clone(),
                                    task: member,
                                    action: Box::new(action.clone()),
                                    why,
                                })?;
                                let step = Step::Task { who: member.into(), action: action.clone() };
                                script.lines.push(Line::new(vec![step]));
                                joins.push(joined);
                                joined = true;
                            }
                            joined = false;
                        }
                    }
                }
                step if step.is_occasion() => occasions.extend(step.members()),
                step => {
                    return Err(PlanError::NoOccasion {
                        scenario: scenario.name.clone(),
                        step: Box::new(step.clone()),
                    });
                }
            }
        }
        Ok(Self { script, joins, occasions })
    }
}

fn too_large(scenario: &Scenario, count: usize, what: &'static str, max: usize) -> Result<(), PlanError> {
    match count > max {
        true => Err(PlanError::TooLarge { scenario: scenario.name.clone(), count, what, max }),
        false => Ok(()),
    }
}

/// Says why an action cannot be explored, if it cannot.
fn explorable(task: TaskName, action: &Action) -> Result<(), &'static str> {
    match action {
        Action::Send { to, .. } if *to == task => Err("what a task sends to itself it has only in its next poll"),
        Action::Ask { place: Place::Thread | Place::Inside, .. } => {
            Err("a blocking operation keeps the explorer's one thread")
        }
        Action::Ask { operation, .. } if operation.request.verb().effect == Effect::Print => {
            Err("what a lock prints of itself is no outcome")
        }
        Action::Enter { .. } | Action::Leave { .. } => Err("scopes shape scripts; write the releases"),
        Action::Hold { .. } => Err("it has no clock"),
        Action::SpendBudget => Err(
            "there is no budget outside of a runtime; leave it out and explore with --spent-budget, or write a script",
        ),
        Action::On { .. } => Err(
            "a waker that acts inside the lock may never come back; leave it out and explore with --acting-wakers, or \
             write a script",
        ),
        Action::Repoll { .. } => Err("when a task is polled again is the explorer's choice"),
        _ => Ok(()),
    }
}
