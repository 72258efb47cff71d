//! Finds lines of several steps that a blocked thread would disturb, which no driver runs.
//!
//! Whether a thread still waits can depend on the lock. A line counts as soon as it can happen for one lock that grants
//! what is released, whatever order it serves in: so a script that runs does so on every such lock.

use super::located_steps;
use crate::primitive::Place;
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::name::{ObjectName, TaskName};
use crate::scenario::parse::Parsed;
use crate::scenario::{Action, Conduct, Parcel, Step};

/// Warns of threads that are started in a line of several steps, and of such lines during which a thread may wait.
pub fn warnings(parsed: &Parsed) -> Vec<Diagnostic> {
    let mut asked = Asked::default();
    let mut warnings = Vec::new();
    let mut line_before = None;
    for (line, step, location) in located_steps(parsed) {
        let is_shared = parsed.scenario.lines[line].steps.len() > 1;
        let warning = if is_shared && step.starts_thread() {
            Some("this step starts a thread in a line of several steps, and cannot be run")
        } else if is_shared && line_before != Some(line) && asked.thread_may_wait() {
            Some("a thread may wait in a blocking acquire during this line of several steps, so that it cannot be run")
        } else {
            None
        };
        line_before = Some(line);
        warnings.extend(warning.map(|message| {
            Diagnostic::warning(location, message)
                .hinting("nobody can keep a thread from running between steps: give each step a line of its own")
        }));
        step.members().for_each(|member| asked.step(&member));
    }
    warnings
}

/// Everybody who may hold or wait for an object, and the threads among them that may wait.
#[derive(Default)]
struct Asked {
    asks: Vec<Ask>,
}

struct Ask {
    object: ObjectName,
    task: TaskName,
    /// Whether it is that of a thread, which nobody else has served for certain.
    may_block: bool,
}

impl Asked {
    /// Returns whether a thread may wait: somebody else may hold what it asked for.
    fn thread_may_wait(&self) -> bool {
        self.asks.iter().any(|ask| ask.may_block)
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Task { action, .. } => {
                if let Some(task) = step.who().and_then(|who| who.members().next()) {
                    self.act(task, action);
                }
            }
            Step::Conductor(Conduct::Cancel(who)) => {
                // A thread cannot be cancelled. Whatever else the task waits for is its last ask.
                let cancelled: Vec<TaskName> = who.members().collect();
                for task in cancelled {
                    if let Some(place) = self.asks.iter().rposition(|ask| ask.task == task && !ask.may_block) {
                        self.asks.remove(place);
                    }
                }
            }
            Step::Conductor(Conduct::Abort(who)) => {
                let aborted: Vec<TaskName> = who.members().collect();
                self.asks.retain(|ask| !aborted.contains(&ask.task) || ask.may_block);
            }
            _ => {}
        }
        // Who asks alone is served.
        for place in 0..self.asks.len() {
            let object = &self.asks[place].object;
            if self.asks.iter().filter(|ask| ask.object == *object).count() == 1 {
                self.asks[place].may_block = false;
            }
        }
    }

    fn act(&mut self, task: TaskName, action: &Action) {
        match action {
            // Of what several tasks can hold, or a part, nobody can say who waits: the warning is left out.
            Action::Ask { operation, .. } | Action::Start { operation, .. } | Action::Prepare { operation, .. }
                if !operation.request.primitive().is_exclusive() => {}
            Action::Ask { operation, place } => {
                // A try gets what nobody asked for; one that is refused leaves no trace.
                let is_free = !self.asks.iter().any(|ask| ask.object == operation.object);
                if is_free || operation.request.waits() {
                    self.asks.push(Ask { object: operation.object.clone(), task, may_block: *place == Place::Thread });
                }
            }
            Action::Start { operation, .. } | Action::Prepare { operation, .. } => {
                self.asks.push(Ask { object: operation.object.clone(), task, may_block: false });
            }
            Action::Release { object } | Action::ReleaseElsewhere { object } => {
                // The oldest ask is the one that was served, if any was.
                if let Some(place) = self.asks.iter().position(|ask| ask.task == task && ask.object == *object) {
                    self.asks.remove(place);
                }
            }
            Action::Send { what: Parcel::Guard(object), to } => {
                if let Some(ask) = self.asks.iter_mut().find(|ask| ask.task == task && ask.object == *object) {
                    ask.task = *to;
                }
            }
            // What a scope acquired, and which object a future is of, is not followed: the warning is left out.
            Action::Panic | Action::Return | Action::Leave { .. } | Action::Drop { .. } => {
                self.asks.retain(|ask| ask.task != task);
            }
            _ => {}
        }
    }
}
