//! The scenario as a value: what is asked of a lock, step by step, and which verdicts its rule accepts.
//!
//! A scenario knows no backend, no expectation beyond its `accept` lines, and no clock but the one it names.

pub mod diagnostic;
pub mod lint;
pub mod name;
pub mod parse;
pub mod print;
pub mod vocabulary;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::primitive::{Declaration, Place, Primitive, Request};
use crate::verdict::{Grade, Verdict};
use name::{FutureName, ObjectName, RuleId, ScenarioName, ScopeName, TaskName, Who};

/// One scenario. `name` comes from the place of its file; everything else stands in the text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scenario {
    /// The name by which it is known everywhere.
    pub name: ScenarioName,
    /// The comment lines at the head, without their `#`: which rule is tested, and why.
    pub description: Vec<String>,
    /// The rules that it tests; the first is the one that its grade speaks of.
    pub rules: Vec<RuleId>,
    /// Where its claim comes from: `owner/repo path`, `owner/repo#issue`, a URL or a paper.
    pub sources: Vec<String>,
    /// The objects, in the order of their declaration.
    pub objects: Vec<Object>,
    /// `show wakes`: the transcript counts the wakes of every step.
    pub show_wakes: bool,
    /// `within 400us "why"`: a run counts only if its script took less than this; it is run again otherwise, whatever
    /// its outcome was. For subjects that read a clock themselves.
    pub within: Option<Within>,
    /// The script.
    pub lines: Vec<Line>,
    /// Which verdicts the rule accepts. Empty means `accept completed conforms`.
    pub accepts: Vec<Accept>,
    /// Comment lines that stand after everything else, without their `#`.
    pub closing: Vec<String>,
}

/// A declared object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// Which primitive it is.
    pub primitive: Primitive,
    /// How the script calls it.
    pub name: ObjectName,
    /// Number of its declaration, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argument: Option<u64>,
}

impl Object {
    /// Returns what it is declared to be.
    pub fn declaration(&self) -> Declaration {
        Declaration { primitive: self.primitive, argument: self.argument }
    }
}

/// The validity window of a scenario whose subject reads a clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Within {
    /// The script of a valid run takes less than this.
    pub limit: Span,
    /// Which clock the subject reads, and where.
    pub reason: String,
}

/// A span of time in whole microseconds, at least 1 and at most [`Span::MAX_MICROS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    micros: u32,
}

impl Span {
    /// The longest span that a scenario may name: ten seconds.
    pub const MAX_MICROS: u32 = 10_000_000;

    /// Returns a span of `micros` microseconds, or `None` out of `1..=MAX_MICROS`.
    pub fn from_micros(micros: u32) -> Option<Self> {
        (1..=Self::MAX_MICROS).contains(&micros).then_some(Self { micros })
    }

    /// Returns the span in microseconds.
    pub fn micros(self) -> u32 {
        self.micros
    }

    /// Returns the span as a duration.
    pub fn duration(self) -> std::time::Duration {
        std::time::Duration::from_micros(self.micros.into())
    }
}

/// One line of the script: steps with no scheduling in between.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Comment lines above it, without their `#`.
    pub above: Vec<String>,
    /// Whether a blank line stands above it and its comments (the first line of a script has none).
    pub gap: bool,
    /// The steps, joined by `;` in the text. Never empty.
    pub steps: Vec<Step>,
    /// The comment behind the last step, without its `#`.
    pub comment: Option<String>,
}

impl Line {
    /// Returns a line of `steps` with no comments.
    pub fn new(steps: Vec<Step>) -> Self {
        Self { above: Vec::new(), gap: false, steps, comment: None }
    }
}

/// One step: of a task (or each member of a crowd in turn), or of the conductor.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// `A acquire m`: the task does it itself, inside a poll.
    Task {
        /// Who takes the step.
        who: Who,
        /// What it does.
        action: Action,
    },
    /// `cancel B`: done to a task, to an object or to all, from outside.
    Conductor(Conduct),
    /// `A: acquire m, release m`: what a task of an explored scenario does, in an order of the explorer's choice among
    /// the tasks.
    Program {
        /// Whose program it is; each member of a crowd has its own.
        who: Who,
        /// The actions, in turns that are apart by `,`. What a turn holds, joined by `;`, runs with no scheduling in
        /// between. No turn is empty.
        turns: Vec<Vec<Action>>,
    },
}

/// What a task does in a step.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// `acquire m`, `try-acquire m`, `is-locked m`, `debug m`, `acquire m blocking`, `acquire m blocking inside`: makes
    /// the request and awaits it.
    Ask {
        /// What is asked, and of which object.
        operation: Operation,
        /// Where the operation runs.
        place: Place,
    },
    /// `release m`: drops the guard that was acquired last.
    Release {
        /// The object whose guard goes.
        object: ObjectName,
    },
    /// `release m elsewhere`: drops the guard on another thread, which has ended before the step has.
    ReleaseElsewhere {
        /// The object whose guard goes.
        object: ObjectName,
    },
    /// `repoll`, `repoll new-waker`: polls what the task waits for, woken or not. JSON keeps the former names.
    #[serde(rename = "resume")]
    Repoll {
        /// With another waker. The wakers that the task gave out before come to nothing from now on.
        #[serde(rename = "anew")]
        new_waker: bool,
    },
    /// `forget m`: leaks the guard, as `std::mem::forget` does.
    Forget {
        /// The object whose guard is leaked.
        object: ObjectName,
    },
    /// `send m B`, `send x B`: moves a guard or a kept future to another task.
    Send {
        /// What is moved.
        what: Parcel,
        /// The task that gets it.
        to: TaskName,
    },
    /// `panic`: panics with the message `boom`.
    Panic,
    /// `return`: ends the task as a function ends, dropping what it has in reverse order.
    Return,
    /// `yield`: gives way once and is polled again.
    Yield,
    /// `start x acquire m`: creates a future, polls it once and keeps it.
    Start {
        /// How the task calls the future.
        future: FutureName,
        /// What the future does.
        operation: Operation,
    },
    /// `prepare x acquire m`: creates a future and keeps it unpolled.
    Prepare {
        /// How the task calls the future.
        future: FutureName,
        /// What the future does.
        operation: Operation,
    },
    /// `poll x`: polls a kept future once.
    Poll {
        /// Which one.
        future: FutureName,
    },
    /// `await x`: waits for a kept future; a cancel drops it.
    Await {
        /// Which one.
        future: FutureName,
    },
    /// `await-ref x`: waits for a kept future by reference; a cancel leaves it kept.
    AwaitRef {
        /// Which one.
        future: FutureName,
    },
    /// `drop x`: drops a kept future.
    Drop {
        /// Which one.
        future: FutureName,
    },
    /// `enter f`: opens a scope.
    Enter {
        /// How the scope is called.
        scope: ScopeName,
    },
    /// `leave f`: closes the innermost scope: releases the guards that were got in it, drops the futures that
    /// were made in it, in reverse order.
    Leave {
        /// The scope that must be the innermost one.
        scope: ScopeName,
    },
    /// `on wake release m`, `on wake-clone panic`, ...: from now on the task's waker acts, once, when the lock uses it.
    On {
        /// Which use of the waker it answers.
        event: WakerEvent,
        /// What the waker does.
        reaction: Reaction,
    },
    /// `hold 2ms`: keeps its thread for the span, inside one poll.
    Hold {
        /// How long.
        span: Span,
    },
    /// `spend-budget`: spends what cooperative budget the runtime gives to this poll, if it gives any.
    SpendBudget,
}

/// What a step asks of an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Operation {
    /// What is asked.
    pub request: Request,
    /// Of which object.
    pub object: ObjectName,
}

/// What `send` moves.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Parcel {
    /// The guard of an object.
    Guard(ObjectName),
    /// A kept future.
    Future(FutureName),
}

/// A use of a task's waker by the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WakerEvent {
    /// `on wake`: the lock wakes the task.
    Wake,
    /// `on wake-clone`: the lock clones the waker.
    Clone,
    /// `on wake-drop`: the lock drops a clone of the waker.
    Drop,
}

/// What an acting waker does, inside the lock's own call.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reaction {
    /// `release m`: drops a guard that the task held when it gave the order.
    Release(ObjectName),
    /// `try-acquire m`, `is-locked m` and whatever else never waits: makes the request, and keeps the guard for the
    /// task or records the answer.
    Ask(Operation),
    /// `poll`: polls what its task waits for, at once, inside the wake.
    Poll,
    /// `panic`: panics with the message `boom`.
    Panic,
}

/// What the conductor does.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conduct {
    /// `cancel B`: drops what the task waits for; the task lives on.
    Cancel(Who),
    /// `abort B`: ends the task by the runtime's own means.
    Abort(Who),
    /// `detach B`: gives up the task's handle, and says so to the runtime.
    Detach(Who),
    /// `drop-handle B`: drops the task's handle.
    DropHandle(Who),
    /// `join B`: awaits the task's handle, from outside the tracked tasks.
    Join(Who),
    /// `drop m`: drops the conductor's share of an object.
    DropObject(ObjectName),
    /// `hold 2ms`: all stand still for the span.
    Hold(Span),
}

/// One `accept` line: a verdict, when it applies, and its grade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accept {
    /// Comment lines above it, without their `#`.
    pub above: Vec<String>,
    /// The verdict that it speaks of.
    pub verdict: Verdict,
    /// `if "A release m" gives "B acquired"`: the line applies only then. All conditions must hold.
    pub conditions: Vec<Condition>,
    /// [`Grade::Conforms`] or [`Grade::Permitted`].
    pub grade: Grade,
    /// Why it is permitted; every `permitted` has one.
    pub sentence: Option<String>,
    /// The comment behind it, without its `#`.
    pub comment: Option<String>,
}

/// `if "STEP" gives "RESULT"`: some occurrence of the step had this among its results and effects.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Condition {
    /// A step of the script.
    pub step: Step,
    /// One of the parts of its transcript line that are set apart by `;`.
    pub gives: String,
}

impl Step {
    /// Returns whose step it is or to whom it is done, unless it concerns an object or all.
    pub fn who(&self) -> Option<Who> {
        match self {
            Step::Task { who, .. } | Step::Program { who, .. } => Some(*who),
            Step::Conductor(conduct) => conduct.who(),
        }
    }

    /// Returns the same step for `who` instead; a step that concerns no task stays as it is.
    pub fn for_who(&self, who: Who) -> Step {
        match self {
            Step::Task { action, .. } => Step::Task { who, action: action.clone() },
            Step::Conductor(conduct) => Step::Conductor(conduct.for_who(who)),
            Step::Program { turns, .. } => Step::Program { who, turns: turns.clone() },
        }
    }

    /// Returns the tasks that it concerns, those that are sent something among them.
    pub fn tasks(&self) -> impl Iterator<Item = TaskName> {
        let receivers = self.actions().filter_map(|action| match action {
            Action::Send { to, .. } => Some(*to),
            _ => None,
        });
        self.who().into_iter().flat_map(Who::members).chain(receivers)
    }

    /// Returns whether it starts a thread.
    pub fn starts_thread(&self) -> bool {
        self.actions().any(|action| matches!(action, Action::Ask { place: Place::Thread, .. }))
    }

    /// Returns what tasks do in it.
    pub fn actions(&self) -> impl Iterator<Item = &Action> {
        let (alone, turns) = match self {
            Step::Task { action, .. } => (Some(action), &[][..]),
            Step::Program { turns, .. } => (None, &turns[..]),
            Step::Conductor(_) => (None, &[][..]),
        };
        alone.into_iter().chain(turns.iter().flatten())
    }

    /// Returns whether an explored scenario can leave it to the explorer when it happens, and whether at all.
    pub fn is_occasion(&self) -> bool {
        matches!(
            self,
            Step::Conductor(Conduct::Cancel(_) | Conduct::Abort(_)) | Step::Task { action: Action::Repoll { .. }, .. }
        )
    }

    /// Returns the step of each member of its crowd, in turn; without a crowd, the step itself.
    pub fn members(&self) -> impl Iterator<Item = Step> {
        let crowd = self.who().map(|who| who.members().map(|task| self.for_who(task.into())));
        let alone = self.who().is_none().then(|| self.clone());
        crowd.into_iter().flatten().chain(alone)
    }
}

impl Action {
    /// Returns what it asks of an object, if it asks something.
    pub fn operation(&self) -> Option<&Operation> {
        match self {
            Action::Ask { operation, .. }
            | Action::Start { operation, .. }
            | Action::Prepare { operation, .. }
            | Action::On { reaction: Reaction::Ask(operation), .. } => Some(operation),
            _ => None,
        }
    }
}

impl Conduct {
    /// Returns to whom it is done, unless it concerns an object or all.
    pub fn who(&self) -> Option<Who> {
        match self {
            Conduct::Cancel(who)
            | Conduct::Abort(who)
            | Conduct::Detach(who)
            | Conduct::DropHandle(who)
            | Conduct::Join(who) => Some(*who),
            Conduct::DropObject(_) | Conduct::Hold(_) => None,
        }
    }

    fn for_who(&self, who: Who) -> Conduct {
        match self {
            Conduct::Cancel(_) => Conduct::Cancel(who),
            Conduct::Abort(_) => Conduct::Abort(who),
            Conduct::Detach(_) => Conduct::Detach(who),
            Conduct::DropHandle(_) => Conduct::DropHandle(who),
            Conduct::Join(_) => Conduct::Join(who),
            Conduct::DropObject(_) | Conduct::Hold(_) => self.clone(),
        }
    }
}

impl Scenario {
    /// Returns a scenario called `name` with nothing in it.
    pub fn new(name: ScenarioName) -> Self {
        Self {
            name,
            description: Vec::new(),
            rules: Vec::new(),
            sources: Vec::new(),
            objects: Vec::new(),
            show_wakes: false,
            within: None,
            lines: Vec::new(),
            accepts: Vec::new(),
            closing: Vec::new(),
        }
    }

    /// Returns every step with the index of its line, in the order of the text.
    pub fn steps(&self) -> impl Iterator<Item = (usize, &Step)> {
        self.lines.iter().enumerate().flat_map(|(index, line)| line.steps.iter().map(move |step| (index, step)))
    }

    /// Returns whether it gives its tasks programs and leaves their order to the explorer.
    pub fn is_explored(&self) -> bool {
        self.steps().any(|(_, step)| matches!(step, Step::Program { .. }))
    }

    /// Returns whether what a step of it does is the runtime's own affair and not the lock's, so that backends of one
    /// lock library may differ: the ends and handles of tasks, budgets, and blocking on the runtime's own thread.
    pub fn concerns_runtime(&self) -> bool {
        self.steps().any(|(_, step)| match step {
            Step::Task { action: Action::SpendBudget, .. } => true,
            Step::Task { action: Action::Ask { place, .. }, .. } => *place == Place::Inside,
            Step::Conductor(Conduct::Abort(_) | Conduct::Detach(_) | Conduct::DropHandle(_) | Conduct::Join(_)) => true,
            _ => false,
        })
    }

    /// Returns whether a step of it can block or kill the thread that runs it, so that it needs a process of its own:
    /// blocking operations and wakers that act.
    pub fn needs_isolation(&self) -> bool {
        self.steps().any(|(_, step)| match step {
            Step::Task { action: Action::Ask { place, .. }, .. } => *place != Place::Task,
            Step::Task { action: Action::On { .. }, .. } => true,
            _ => false,
        })
    }
}
