//! Twists of a script that only a runtime and a process of its own can bear: for each task that waits, a waker that
//! polls the task at once, asks or tries the same lock, or panics; and for each acquire a cooperative budget that is
//! spent.
//!
//! It transforms scenarios and runs nothing. A lock that wakes under its own internal lock hangs its thread in some of
//! these.

use std::collections::BTreeSet;
use std::fmt;

use crate::primitive::{Effect, Primitive, Request};
use crate::scenario::name::{ObjectName, TaskName, Who};
use crate::scenario::{Action, Line, Operation, Reaction, Scenario, Step, WakerEvent};

/// The most variants of one script.
pub const VARIANTS_MAX: usize = 64;

/// What is put into a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Twist {
    /// A waker polls its task at once.
    WakerPolls,
    /// A waker asks the lock that wakes it.
    WakerAsks,
    /// A waker tries the lock that wakes it.
    WakerTries,
    /// A waker panics.
    WakerPanics,
    /// An acquire finds the cooperative budget spent.
    BudgetSpent,
}

impl Twist {
    /// The wakers that act.
    pub const WAKERS: [Twist; 4] = [Twist::WakerPolls, Twist::WakerAsks, Twist::WakerTries, Twist::WakerPanics];
}

impl fmt::Display for Twist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Twist::WakerPolls => "a waker that polls its task at once",
            Twist::WakerAsks => "a waker that asks the same lock",
            Twist::WakerTries => "a waker that tries the same lock",
            Twist::WakerPanics => "a waker that panics",
            Twist::BudgetSpent => "an acquire whose budget is spent",
        })
    }
}

/// Returns the variants of a script with these twists, one twist in each, and how many more there would be.
pub fn variants(scenario: &Scenario, twists: &[Twist]) -> (Vec<(Twist, Scenario)>, usize) {
    let mut variants = Vec::new();
    for twist in twists {
        match twist {
            Twist::BudgetSpent => variants.extend(spent(scenario).into_iter().map(|variant| (*twist, variant))),
            _ => {
                let acting = waits(scenario).into_iter().filter_map(|(task, object)| {
                    let step = on_wake(task, reaction(*twist, primitive_of(scenario, &object)?, object)?);
                    let mut changed = changed(scenario);
                    changed.lines.insert(0, Line::new(vec![step]));
                    Some((*twist, changed))
                });
                variants.extend(acting);
            }
        }
    }
    let more = variants.len().saturating_sub(VARIANTS_MAX);
    variants.truncate(VARIANTS_MAX);
    (variants, more)
}

fn primitive_of(scenario: &Scenario, name: &ObjectName) -> Option<Primitive> {
    scenario.objects.iter().find(|object| object.name == *name).map(|object| object.primitive)
}

/// Returns the script without what its rule accepts: that speaks of the script as it was.
fn changed(scenario: &Scenario) -> Scenario {
    Scenario { accepts: Vec::new(), ..scenario.clone() }
}

/// Returns the question whether somebody holds an object of `primitive`, if there is one.
fn question(primitive: Primitive) -> Option<Request> {
    primitive.requests().find(|request| request.verb().effect == Effect::AskHeld)
}

fn reaction(twist: Twist, primitive: Primitive, object: ObjectName) -> Option<Reaction> {
    Some(match twist {
        Twist::WakerPolls => Reaction::Poll,
        Twist::WakerAsks => Reaction::Ask(Operation { request: question(primitive)?, object }),
        Twist::WakerTries => Reaction::Ask(Operation { request: primitive.tries().next()?, object }),
        Twist::WakerPanics => Reaction::Panic,
        Twist::BudgetSpent => return None,
    })
}

fn on_wake(task: TaskName, reaction: Reaction) -> Step {
    Step::Task { who: Who::from(task), action: Action::On { event: WakerEvent::Wake, reaction } }
}

/// Returns who asks for what in a way that can wait.
fn waits(scenario: &Scenario) -> BTreeSet<(TaskName, ObjectName)> {
    let mut waits = BTreeSet::new();
    for (_, step) in scenario.steps() {
        let Step::Task { who, action } = step else { continue };
        let operation = match action {
            Action::Ask { operation, .. } | Action::Start { operation, .. } | Action::Prepare { operation, .. } => {
                operation
            }
            _ => continue,
        };
        if operation.request.waits() {
            waits.extend(who.members().map(|member| (member, operation.object.clone())));
        }
    }
    waits
}

/// Returns the script once for each of its acquires, in the poll of which the task has spent its budget before.
fn spent(scenario: &Scenario) -> Vec<Scenario> {
    let mut variants = Vec::new();
    for (place, line) in scenario.lines.iter().enumerate() {
        for (within, step) in line.steps.iter().enumerate() {
            let Step::Task { who, action: Action::Ask { operation, .. } } = step else { continue };
            if operation.request.waits() && who.count() == 1 {
                let mut changed = changed(scenario);
                let spend = Step::Task { who: *who, action: Action::SpendBudget };
                changed.lines[place].steps.insert(within, spend);
                variants.push(changed);
            }
        }
    }
    variants
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::parse::parse;

    const TEXT: &str = "mutex m\nmutex n\n\nA acquire m\nB acquire m\nB try-acquire n\nA release m\n";

    #[test]
    fn each_waiter_has_a_waker_of_each_kind() {
        let scenario = parse("a/b".parse().expect("a name"), TEXT).expect("a scenario");
        let (variants, more) = variants(&scenario, &Twist::WAKERS);
        assert_eq!(more, 0);
        let first: Vec<String> = variants.iter().map(|(_, variant)| variant.lines[0].to_string()).collect();
        let expected = ["poll", "is-locked m", "try-acquire m", "panic"]
            .iter()
            .flat_map(|what| ["A", "B"].map(|task| format!("{task} on wake {what}")));
        assert_eq!(first, expected.collect::<Vec<_>>());
        assert!(variants.iter().all(|(_, variant)| variant.lines[1..] == scenario.lines[..]));
    }

    #[test]
    fn each_acquire_finds_its_budget_spent() {
        let scenario = parse("a/b".parse().expect("a name"), TEXT).expect("a scenario");
        let (variants, _) = variants(&scenario, &[Twist::BudgetSpent]);
        let changed: Vec<String> =
            variants.iter().enumerate().map(|(place, (_, variant))| variant.lines[place].to_string()).collect();
        assert_eq!(changed, ["A spend-budget; A acquire m", "B spend-budget; B acquire m"]);
    }
}
