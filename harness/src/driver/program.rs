//! A scenario made ready to run: crowds given out to their members, names turned into indexes.

use std::ops::Range;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::primitive::Request;
use crate::quiescence::TaskIndex;
use crate::scenario::name::{FutureName, ObjectName, ScopeName, TaskName, Who};
pub use crate::scenario::parse::{STEPS_MAX, TASKS_MAX};
use crate::scenario::{Action, Conduct, Object, Parcel, Place, Reaction, Scenario, Step, WakerEvent};

/// An object of a program, counted from 0 in the order of declaration.
pub type ObjectIndex = usize;
/// A step of a program, counted from 0 with every member of a crowd on its own.
pub type StepIndex = usize;
/// A name of a future or a scope, counted from 0.
pub type NameIndex = usize;

/// A scenario made ready to run. Compiled once, run as often as need be.
#[derive(Debug)]
pub struct Program {
    /// What it was made of.
    pub scenario: Arc<Scenario>,
    /// The tasks, in the order of their names.
    pub tasks: Vec<TaskName>,
    /// Whether each task gives orders to its waker, at some time.
    pub acts: Vec<bool>,
    /// The steps, in order.
    pub steps: Vec<ProgramStep>,
    /// The steps of each line.
    pub lines: Vec<Range<StepIndex>>,
    /// The line of each step.
    pub line_of: Vec<usize>,
    /// The names of the futures that tasks keep.
    pub futures: Vec<FutureName>,
    /// The names of the scopes that tasks enter.
    pub scopes: Vec<ScopeName>,
}

/// One step of one task or of the conductor.
#[derive(Debug)]
pub struct ProgramStep {
    /// As the scenario prints it, each member of a crowd by its own name.
    pub text: String,
    /// The task that takes the step, or that the conductor does it to.
    pub task: Option<TaskIndex>,
    /// Who does what.
    pub what: Deed,
}

/// What a step does, by indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Deed {
    /// Of the task itself.
    Task(TaskDeed),
    /// Of the conductor.
    Conductor(ConductorDeed),
}

/// What a task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "verb", rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the variants and their fields are those of `Action`")]
pub enum TaskDeed {
    Ask {
        request: Request,
        object: ObjectIndex,
        place: Place,
    },
    Release {
        object: ObjectIndex,
    },
    ReleaseElsewhere {
        object: ObjectIndex,
    },
    #[serde(rename = "resume")]
    Repoll {
        #[serde(rename = "anew")]
        new_waker: bool,
    },
    Forget {
        object: ObjectIndex,
    },
    SendGuard {
        object: ObjectIndex,
        to: TaskIndex,
    },
    SendFuture {
        future: NameIndex,
        to: TaskIndex,
    },
    Panic,
    Return,
    Yield,
    Start {
        future: NameIndex,
        request: Request,
        object: ObjectIndex,
    },
    Prepare {
        future: NameIndex,
        request: Request,
        object: ObjectIndex,
    },
    Poll {
        future: NameIndex,
    },
    Await {
        future: NameIndex,
        keep: bool,
    },
    Drop {
        future: NameIndex,
    },
    Enter {
        scope: NameIndex,
    },
    Leave {
        scope: NameIndex,
    },
    On {
        event: WakerEvent,
        reaction: ReactionDeed,
    },
    Hold {
        micros: u32,
    },
    SpendBudget,
}

/// What an acting waker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the variants are those of `Reaction`")]
pub enum ReactionDeed {
    Release(ObjectIndex),
    TryAcquire(ObjectIndex),
    IsLocked(ObjectIndex),
    Poll,
    Panic,
}

/// What the conductor does; the task stands in the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "verb", rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the variants are those of `Conduct`")]
pub enum ConductorDeed {
    Cancel,
    Abort,
    Detach,
    DropHandle,
    Join,
    DropObject { object: ObjectIndex },
    Hold { micros: u32 },
}

/// A scenario that cannot be made ready: one that was built by hand and never went through the parser.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// A step names an object that is not declared.
    #[error("{scenario}, line {} of the script: `{object}` is not declared; add `mutex {object}` to the head", .line + 1)]
    Undeclared {
        /// The scenario.
        scenario: String,
        /// The line of the script, from 0.
        line: usize,
        /// The name.
        object: ObjectName,
    },
    /// It leaves the order to the explorer.
    #[error("{scenario}: an explored scenario has no script to drive; run it with `keyalike explore`")]
    Explored {
        /// The scenario.
        scenario: String,
    },
    /// A thread is started in a line of several steps: nothing may run between them, and nobody can keep a thread from
    /// running.
    #[error(
        "{scenario}: `{step}` starts a thread in a line of several steps, and nobody can keep a thread from running between them; give it a line of its own"
    )]
    ThreadInLine {
        /// The scenario.
        scenario: String,
        /// The step.
        step: String,
    },
    /// There are too many tasks or steps.
    #[error("{scenario} has {count} {what}, more than {max}; make its crowds smaller")]
    TooLarge {
        /// The scenario.
        scenario: String,
        /// How many there are.
        count: usize,
        /// Of what.
        what: &'static str,
        /// How many there may be.
        max: usize,
    },
}

impl Program {
    /// Makes `scenario` ready to run.
    ///
    /// # Errors
    ///
    /// [`ProgramError`], for a value that no text parses to.
    pub fn new(scenario: Arc<Scenario>) -> Result<Self, ProgramError> {
        let tasks = task_names(&scenario);
        too_large(&scenario, tasks.len(), "tasks", TASKS_MAX)?;
        let count = scenario.steps().map(|(_, step)| step.who().map_or(1, Who::count)).sum();
        too_large(&scenario, count, "steps", STEPS_MAX)?;
        let mut program = Self {
            acts: vec![false; tasks.len()],
            tasks,
            steps: Vec::with_capacity(count),
            lines: Vec::with_capacity(scenario.lines.len()),
            line_of: Vec::with_capacity(count),
            futures: Vec::new(),
            scopes: Vec::new(),
            scenario: Arc::clone(&scenario),
        };
        for (index, line) in scenario.lines.iter().enumerate() {
            program.add_line(index, &line.steps)?;
        }
        for step in &program.steps {
            if let (Deed::Task(TaskDeed::On { .. }), Some(task)) = (step.what, step.task) {
                program.acts[task] = true;
            }
        }
        for (line, steps) in program.lines.iter().enumerate() {
            program.line_of.resize(steps.end, line);
        }
        Ok(program)
    }

    /// Returns the declared objects.
    pub fn objects(&self) -> &[Object] {
        &self.scenario.objects
    }

    /// Adds a line. A crowd of a single-step line gives each member a line of its own: scheduling happens in between.
    fn add_line(&mut self, line: usize, steps: &[Step]) -> Result<(), ProgramError> {
        let apart = steps.len() == 1;
        if let Some(step) = steps.iter().find(|step| !apart && step.starts_thread()) {
            let scenario = self.scenario.name.to_string();
            return Err(ProgramError::ThreadInLine { scenario, step: step.to_string() });
        }
        let mut first = self.steps.len();
        for step in steps {
            for member in step.members() {
                let step = self.compile(line, &member)?;
                self.steps.push(step);
                if apart {
                    self.lines.push(first..self.steps.len());
                    first = self.steps.len();
                }
            }
        }
        if !apart {
            self.lines.push(first..self.steps.len());
        }
        Ok(())
    }

    fn compile(&mut self, line: usize, step: &Step) -> Result<ProgramStep, ProgramError> {
        let what = match step {
            Step::Task { action, .. } => Deed::Task(self.task_deed(line, action)?),
            Step::Conductor(conduct) => Deed::Conductor(self.conductor_deed(line, conduct)?),
            Step::Program { .. } => {
                return Err(ProgramError::Explored { scenario: self.scenario.name.to_string() });
            }
        };
        let task = step.who().and_then(|who| who.members().next()).map(|member| self.task(member));
        Ok(ProgramStep { text: step.to_string(), task, what })
    }

    fn task(&self, name: TaskName) -> TaskIndex {
        self.tasks.binary_search(&name).expect("every task that a step names is in the list")
    }

    fn object(&self, line: usize, name: &ObjectName) -> Result<ObjectIndex, ProgramError> {
        let found = self.scenario.objects.iter().position(|object| object.name == *name);
        found.ok_or_else(|| ProgramError::Undeclared {
            scenario: self.scenario.name.to_string(),
            line,
            object: name.clone(),
        })
    }

    fn task_deed(&mut self, line: usize, action: &Action) -> Result<TaskDeed, ProgramError> {
        Ok(match action {
            Action::Ask { operation, place } => TaskDeed::Ask {
                request: operation.request,
                object: self.object(line, &operation.object)?,
                place: *place,
            },
            Action::Release { object } => TaskDeed::Release { object: self.object(line, object)? },
            Action::ReleaseElsewhere { object } => TaskDeed::ReleaseElsewhere { object: self.object(line, object)? },
            Action::Repoll { new_waker } => TaskDeed::Repoll { new_waker: *new_waker },
            Action::Forget { object } => TaskDeed::Forget { object: self.object(line, object)? },
            Action::Send { what: Parcel::Guard(object), to } => {
                TaskDeed::SendGuard { object: self.object(line, object)?, to: self.task(*to) }
            }
            Action::Send { what: Parcel::Future(future), to } => {
                TaskDeed::SendFuture { future: intern(&mut self.futures, future), to: self.task(*to) }
            }
            Action::Panic => TaskDeed::Panic,
            Action::Return => TaskDeed::Return,
            Action::Yield => TaskDeed::Yield,
            Action::Start { future, operation } => TaskDeed::Start {
                future: intern(&mut self.futures, future),
                request: operation.request,
                object: self.object(line, &operation.object)?,
            },
            Action::Prepare { future, operation } => TaskDeed::Prepare {
                future: intern(&mut self.futures, future),
                request: operation.request,
                object: self.object(line, &operation.object)?,
            },
            Action::Poll { future } => TaskDeed::Poll { future: intern(&mut self.futures, future) },
            Action::Await { future } => TaskDeed::Await { future: intern(&mut self.futures, future), keep: false },
            Action::AwaitRef { future } => TaskDeed::Await { future: intern(&mut self.futures, future), keep: true },
            Action::Drop { future } => TaskDeed::Drop { future: intern(&mut self.futures, future) },
            Action::Enter { scope } => TaskDeed::Enter { scope: intern(&mut self.scopes, scope) },
            Action::Leave { scope } => TaskDeed::Leave { scope: intern(&mut self.scopes, scope) },
            Action::On { event, reaction } => {
                TaskDeed::On { event: *event, reaction: self.reaction_deed(line, reaction)? }
            }
            Action::Hold { span } => TaskDeed::Hold { micros: span.micros() },
            Action::SpendBudget => TaskDeed::SpendBudget,
        })
    }

    fn reaction_deed(&self, line: usize, reaction: &Reaction) -> Result<ReactionDeed, ProgramError> {
        Ok(match reaction {
            Reaction::Release(object) => ReactionDeed::Release(self.object(line, object)?),
            Reaction::TryAcquire(object) => ReactionDeed::TryAcquire(self.object(line, object)?),
            Reaction::IsLocked(object) => ReactionDeed::IsLocked(self.object(line, object)?),
            Reaction::Poll => ReactionDeed::Poll,
            Reaction::Panic => ReactionDeed::Panic,
        })
    }

    fn conductor_deed(&self, line: usize, conduct: &Conduct) -> Result<ConductorDeed, ProgramError> {
        Ok(match conduct {
            Conduct::Cancel(_) => ConductorDeed::Cancel,
            Conduct::Abort(_) => ConductorDeed::Abort,
            Conduct::Detach(_) => ConductorDeed::Detach,
            Conduct::DropHandle(_) => ConductorDeed::DropHandle,
            Conduct::Join(_) => ConductorDeed::Join,
            Conduct::DropObject(object) => ConductorDeed::DropObject { object: self.object(line, object)? },
            Conduct::Hold(span) => ConductorDeed::Hold { micros: span.micros() },
        })
    }
}

fn task_names(scenario: &Scenario) -> Vec<TaskName> {
    let mut tasks = Vec::new();
    scenario.steps().for_each(|(_, step)| tasks.extend(step.tasks()));
    tasks.sort_unstable();
    tasks.dedup();
    tasks
}

fn intern<T: Clone + PartialEq>(names: &mut Vec<T>, name: &T) -> NameIndex {
    names.iter().position(|known| known == name).unwrap_or_else(|| {
        names.push(name.clone());
        names.len() - 1
    })
}

fn too_large(scenario: &Scenario, count: usize, what: &'static str, max: usize) -> Result<(), ProgramError> {
    match count > max {
        true => Err(ProgramError::TooLarge { scenario: scenario.name.to_string(), count, what, max }),
        false => Ok(()),
    }
}
