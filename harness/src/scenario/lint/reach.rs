//! Finds the steps that can be taken under no lock.
//!
//! Follows each task through the script twice: once as far as it is ready for its next step, once as far as it waits.
//! What it may have is an upper bound in both, so that a step which needs more is surely never taken.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{created_futures, located_steps};
use crate::primitive::{Amount, Place};
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::name::{FutureName, ObjectName, ScopeName, TaskName};
use crate::scenario::parse::Parsed;
use crate::scenario::{Action, Conduct, Operation, Parcel, Reaction, Step};

/// Warns of each step that is never taken, once for a crowd.
pub(super) fn unreachable_steps(parsed: &Parsed) -> Vec<Diagnostic> {
    // The order is the explorer's, and an action that cannot be taken is passed over.
    if parsed.scenario.is_explored() {
        return Vec::new();
    }
    let mut walk = Walk { created: created_futures(&parsed.scenario), ..Walk::default() };
    let mut warnings = Vec::new();
    let mut line_before = 0;
    for (line, step, location) in located_steps(parsed) {
        if line != line_before {
            walk.end_line();
            line_before = line;
        }
        // A crowd's step is one warning, about the first member that cannot take it.
        let mut reason = None;
        for member in step.members() {
            let found = walk.step(&member);
            reason = reason.or(found);
        }
        if is_meant(parsed, line) {
            continue;
        }
        if let Some((message, hint)) = reason {
            warnings.push(Diagnostic::warning(location, format!("this step is never taken: {message}")).hinting(hint));
        }
    }
    warnings
}

/// Returns whether a line says in its comment that it is meant not to run.
fn is_meant(parsed: &Parsed, line: usize) -> bool {
    let comment = parsed.scenario.lines.get(line).and_then(|line| line.comment.as_deref());
    comment.is_some_and(|comment| comment.starts_with("not run"))
}

/// Why a step is never taken, and what to do about it.
type Reason = (String, &'static str);

/// What a task may have, at most, in one of the states in which it may be.
#[derive(Clone, Default)]
struct Having {
    /// How many guards of each object, granted or still to be granted to what it waits for.
    guards: HashMap<ObjectName, usize>,
    /// Whether more guards may come from a future that another task sent, or that has come to it otherwise.
    may_have_any_guard: bool,
    futures: HashSet<FutureName>,
    /// The scopes that are open, innermost last, where that is known.
    scopes: Option<Vec<ScopeName>>,
}

impl Having {
    fn nothing() -> Self {
        Self { scopes: Some(Vec::new()), ..Self::default() }
    }

    fn add_guard(&mut self, object: &ObjectName) {
        *self.guards.entry(object.clone()).or_default() += 1;
    }

    fn remove_guard(&mut self, object: &ObjectName) {
        self.guards.entry(object.clone()).and_modify(|count| *count = count.saturating_sub(1));
    }

    fn may_have_guard(&self, object: &ObjectName) -> bool {
        self.may_have_any_guard || self.guards.get(object).is_some_and(|count| *count > 0)
    }

    /// Takes in what the task may have in the other state.
    fn or(&mut self, other: &Having) {
        for (object, count) in &other.guards {
            let own = self.guards.entry(object.clone()).or_default();
            *own = (*own).max(*count);
        }
        self.may_have_any_guard |= other.may_have_any_guard;
        self.futures.extend(other.futures.iter().cloned());
        if self.scopes != other.scopes {
            self.scopes = None;
        }
    }
}

/// Takes `other` into `state`, if the task can be there at all.
fn or(state: &mut Option<Having>, other: Option<&Having>) {
    match (state.as_mut(), other) {
        (Some(state), Some(other)) => state.or(other),
        (None, Some(other)) => *state = Some(other.clone()),
        (_, None) => {}
    }
}

/// One task, as far as the script tells.
#[derive(Clone)]
struct Task {
    /// What it has if it can take a step; `None` if it surely cannot.
    ready: Option<Having>,
    /// What it has, with what may still be granted, if it waits; `None` if it surely does not.
    waiting: Option<Having>,
    /// How its end is told, once it has one.
    end: &'static str,
    /// Whether its handle is surely consumed.
    handle_is_gone: bool,
    /// Whether its handle may be consumed, so that an abort may come to nothing.
    handle_may_be_gone: bool,
    /// Whether it may block a thread, from which no abort frees it.
    may_block: bool,
    /// Whether it may have begun to wait on this line, and be ready again when the line ends.
    is_unsettled: bool,
    /// How many steps of others there were when it was last looked at.
    others_seen: usize,
    own_steps: usize,
}

impl Task {
    fn new() -> Self {
        Self {
            ready: Some(Having::nothing()),
            waiting: None,
            end: "",
            handle_is_gone: false,
            handle_may_be_gone: false,
            may_block: false,
            is_unsettled: false,
            others_seen: 0,
            own_steps: 0,
        }
    }

    /// Whatever it waits for may have been granted.
    fn may_be_granted(&mut self) {
        let waiting = self.waiting.take();
        or(&mut self.ready, waiting.as_ref());
        self.waiting = waiting;
    }

    /// It may wait from here on, with what it has now.
    fn may_wait(&mut self) {
        let ready = self.ready.take();
        or(&mut self.waiting, ready.as_ref());
        self.ready = ready;
        self.is_unsettled = true;
    }

    /// It gets something that does not depend on its state.
    fn get(&mut self, change: impl Fn(&mut Having)) {
        self.ready.iter_mut().chain(self.waiting.iter_mut()).for_each(change);
    }

    fn end(&mut self, how: &'static str) {
        self.ready = None;
        if self.waiting.is_none() {
            self.end = how;
        }
    }
}

/// The script as far as it was walked.
#[derive(Default)]
struct Walk<'s> {
    created: BTreeSet<&'s FutureName>,
    tasks: HashMap<TaskName, Task>,
    /// Tasks that have had a step on this line.
    touched: HashSet<TaskName>,
    aborted: Vec<TaskName>,
    /// Objects that somebody asked for already.
    asked: HashSet<ObjectName>,
    /// Objects of which the conductor has given up its share.
    dropped: HashSet<ObjectName>,
    /// Whether a task of this line has spent its budget, so that even a free lock may make it wait.
    budget_is_spent: bool,
    step_count: usize,
}

impl Walk<'_> {
    /// Between two lines what was woken runs, and what was aborted ends.
    fn end_line(&mut self) {
        for name in self.touched.drain() {
            if let Some(task) = self.tasks.get_mut(&name).filter(|task| task.is_unsettled) {
                task.may_be_granted();
                task.is_unsettled = false;
            }
        }
        for name in std::mem::take(&mut self.aborted) {
            if let Some(task) = self.tasks.get_mut(&name).filter(|task| !task.may_block) {
                task.waiting = None;
                task.end("is aborted");
            }
        }
        self.budget_is_spent = false;
    }

    /// Goes one step on, and says why it is never taken if that is so.
    fn step(&mut self, step: &Step) -> Option<Reason> {
        self.step_count += 1;
        match (step, step.who().and_then(|who| who.members().next())) {
            (Step::Task { action, .. }, Some(name)) => self.task_step(name, action),
            (Step::Conductor(conduct), Some(name)) => self.conductor_step(name, conduct),
            (Step::Conductor(Conduct::DropObject(object)), None) => (!self.dropped.insert(object.clone())).then(|| {
                (format!("the conductor has no share of `{object}` any more"), "remove it, or the `drop` before it")
            }),
            _ => None,
        }
    }

    /// Takes the task out, as it is after all that others did since its last step.
    fn take(&mut self, name: TaskName) -> Task {
        let mut task = self.tasks.remove(&name).unwrap_or_else(Task::new);
        let others = self.step_count - 1 - task.own_steps;
        if others > task.others_seen {
            task.may_be_granted();
            task.others_seen = others;
        }
        task
    }

    fn task_step(&mut self, name: TaskName, action: &Action) -> Option<Reason> {
        let mut task = self.take(name);
        task.own_steps += 1;
        let reason = self.why_not(name, &task, action);
        if task.ready.is_some() && reason.is_none() {
            self.act(&mut task, action);
        }
        self.touched.insert(name);
        self.tasks.insert(name, task);
        if let Action::Send { what, to } = action {
            self.receive(name, what, *to);
        }
        reason
    }

    /// Returns why the task cannot take the step, whatever the lock does.
    fn why_not(&self, name: TaskName, task: &Task, action: &Action) -> Option<Reason> {
        let Some(ready) = &task.ready else {
            let state = if task.end.is_empty() { "has ended, or still waits" } else { task.end };
            return Some((
                format!("task {name} {state} on an earlier step"),
                "remove it, or put it before the end of the task",
            ));
        };
        match action {
            Action::Release { object }
            | Action::ReleaseElsewhere { object }
            | Action::Forget { object }
            | Action::Send { what: Parcel::Guard(object), .. }
                if !ready.may_have_guard(object) =>
            {
                let hint = "put an `acquire` before it, or remove it";
                Some((format!("task {name} can have no guard of `{object}` here"), hint))
            }
            Action::Poll { future }
            | Action::Await { future }
            | Action::AwaitRef { future }
            | Action::Drop { future }
            | Action::Send { what: Parcel::Future(future), .. }
                if !ready.futures.contains(future) && self.created.contains(future) =>
            {
                let hint = "put a `start` or `prepare` before it, or remove it";
                Some((format!("task {name} keeps no future `{future}` here"), hint))
            }
            Action::Leave { scope } if ready.scopes.as_ref().is_some_and(|open| open.last() != Some(scope)) => {
                let hint = "scopes are left in the reverse order of their `enter`";
                Some((format!("`{scope}` is not the innermost scope of task {name} here"), hint))
            }
            _ => None,
        }
    }

    /// Lets the task, if it is ready, do what it does.
    fn act(&mut self, task: &mut Task, action: &Action) {
        let Some(ready) = &mut task.ready else { return };
        match action {
            Action::Ask { operation: Operation { request, object }, place } => {
                // Nobody has asked for it yet: there is nobody to wait for, unless the runtime itself delays the task.
                // What is counted may have less than is asked for.
                let is_counted = request.verb().amount != Amount::None;
                let is_untouched =
                    self.asked.insert(object.clone()) && *place == Place::Task && !self.budget_is_spent && !is_counted;
                if request.takes() {
                    ready.add_guard(object);
                }
                task.may_block |= *place != Place::Task;
                if request.waits() && !is_untouched {
                    task.may_wait();
                }
            }
            Action::Release { object } | Action::ReleaseElsewhere { object } | Action::Forget { object } => {
                ready.remove_guard(object);
            }
            Action::Send { what: Parcel::Guard(object), .. } => ready.remove_guard(object),
            Action::Send { what: Parcel::Future(future), .. } | Action::Drop { future } => {
                ready.futures.remove(future);
            }
            Action::Panic => task.end("has panicked"),
            Action::Return => task.end("has returned"),
            Action::Yield => task.may_wait(),
            Action::Start { future, operation } | Action::Prepare { future, operation } => {
                self.asked.insert(operation.object.clone());
                ready.futures.insert(future.clone());
                ready.add_guard(&operation.object);
            }
            // A future that is finished already may stay kept.
            Action::Await { .. } | Action::AwaitRef { .. } => task.may_wait(),
            Action::Enter { scope } => {
                if let Some(open) = &mut ready.scopes {
                    open.push(scope.clone());
                }
            }
            Action::Leave { .. } => {
                if let Some(open) = &mut ready.scopes {
                    open.pop();
                }
            }
            Action::On { reaction, .. } => {
                if let Reaction::Ask(Operation { request, object }) = reaction
                    && request.takes()
                {
                    self.asked.insert(object.clone());
                    ready.add_guard(object);
                }
            }
            Action::SpendBudget => self.budget_is_spent = true,
            Action::Poll { .. } | Action::Hold { .. } | Action::Repoll { .. } => {}
        }
    }

    /// Lets `to` have what another task may have sent.
    fn receive(&mut self, from: TaskName, what: &Parcel, to: TaskName) {
        let task = self.tasks.entry(to).or_insert_with(Task::new);
        match what {
            Parcel::Guard(object) => task.get(|having| having.add_guard(object)),
            Parcel::Future(future) => task.get(|having| {
                having.futures.insert(future.clone());
                having.may_have_any_guard |= from != to;
            }),
        }
    }

    fn conductor_step(&mut self, name: TaskName, conduct: &Conduct) -> Option<Reason> {
        let mut task = self.take(name);
        let reason = match conduct {
            Conduct::Cancel(_) => {
                // What the task does on the same line may not have come to its end yet.
                let is_idle = task.waiting.is_none() && !self.touched.contains(&name);
                let reason = is_idle.then(|| {
                    let hint = "put an `acquire` that waits before it, or remove it";
                    (format!("task {name} waits for nothing here"), hint)
                });
                task.may_be_granted();
                if !task.may_block {
                    task.waiting = None;
                }
                reason
            }
            Conduct::Abort(_) => {
                if !task.handle_may_be_gone {
                    self.aborted.push(name);
                }
                None
            }
            Conduct::Detach(_) | Conduct::DropHandle(_) | Conduct::Join(_) => {
                // A task that is not at its end cannot be joined yet, and keeps its handle then.
                let has_ended = task.ready.is_none() && task.waiting.is_none();
                let is_consumed = has_ended || !matches!(conduct, Conduct::Join(_));
                task.handle_may_be_gone = true;
                let was_gone = task.handle_is_gone;
                task.handle_is_gone |= is_consumed;
                was_gone.then(|| {
                    let hint = "a handle is joined, dropped or detached once; remove one of the steps";
                    (format!("the handle of task {name} is consumed by an earlier step"), hint)
                })
            }
            Conduct::DropObject(_) | Conduct::Hold(_) => None,
        };
        self.tasks.insert(name, task);
        reason
    }
}
