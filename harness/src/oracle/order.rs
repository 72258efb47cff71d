//! The order of grants: who came before whom although he arrived later. Barging is a fact that the transcript shows;
//! only a waiter that is overtaken again and again is starved.

use super::{Finding, object, task};
use crate::program::{ObjectIndex, Program};
use crate::quiescence::TaskIndex;
use crate::transcript::replay::Replay;
use crate::transcript::{Event, What};
use crate::verdict::Verdict;

/// A waiter that still waits at the end and was overtaken at least this often (a count of grants to operations that
/// began later) is starved.
pub const OVERTAKEN_MAX: usize = 3;

/// How many waiters a fact names, at most; the others are counted.
const NAMES_MAX: usize = 4;

/// Collects who was granted an object before whom.
#[derive(Debug, Default)]
pub(super) struct Order {
    overtakings: Vec<Overtaking>,
}

#[derive(Debug)]
struct Overtaking {
    object: ObjectIndex,
    granted: TaskIndex,
    passed: Vec<TaskIndex>,
}

impl Order {
    /// Hears one event, with the state before it.
    pub(super) fn hear(&mut self, event: &Event, before: &Replay) {
        let (What::Acquired { object, future, wait: waits, .. }, Some(granted)) = (&event.what, event.task) else {
            return;
        };
        let began = if *waits { before.since(granted, *object, *future) } else { None };
        let since = began.unwrap_or(usize::MAX);
        let is_passed = |wait: &&crate::transcript::replay::Wait| wait.object == *object && wait.since < since;
        let passed: Vec<TaskIndex> =
            before.waits.iter().filter(is_passed).map(|wait| wait.task).filter(|task| *task != granted).collect();
        if !passed.is_empty() {
            self.overtakings.push(Overtaking { object: *object, granted, passed });
        }
    }

    /// Returns what was found, in the order of the grants, each fact once.
    pub(super) fn facts(&self, program: &Program) -> Vec<String> {
        let mut facts = Vec::new();
        for overtaking in &self.overtakings {
            let names: Vec<String> =
                overtaking.passed.iter().take(NAMES_MAX).map(|&passed| task(program, passed)).collect();
            let others = match overtaking.passed.len().saturating_sub(NAMES_MAX) {
                0 => String::new(),
                count => format!(" and {count} others"),
            };
            let fact = format!(
                "{}: {} before {}{others}",
                object(program, overtaking.object),
                task(program, overtaking.granted),
                names.join(", ")
            );
            if !facts.contains(&fact) {
                facts.push(fact);
            }
        }
        facts
    }
}

/// Judges the waits at the end of the script.
pub(super) fn starved(program: &Program, state: &Replay) -> Vec<Finding> {
    let is_starved = |wait: &&crate::transcript::replay::Wait| wait.overtaken >= OVERTAKEN_MAX;
    let say = |wait: &crate::transcript::replay::Wait| {
        let because = format!(
            "{} waits for {} and was overtaken {} times",
            task(program, wait.task),
            object(program, wait.object),
            wait.overtaken
        );
        Finding::new(Verdict::Starved, because)
    };
    state.waits.iter().filter(is_starved).map(say).collect()
}
