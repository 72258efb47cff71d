//! Warns of what is surely not meant in a scenario that can be read.
//!
//! It warns only of what holds for every lock that grants an object which nobody ever asked for: whether a waiter is
//! granted, overtaken or forgotten is what scenarios are there to find out.

mod reach;
mod threads;

use std::collections::{BTreeSet, HashSet};

use crate::scenario::diagnostic::{Diagnostic, Location, did_you_mean, nearest, ticked};
use crate::scenario::name::{FutureName, ObjectName, RuleId, TaskName};
use crate::scenario::parse::Parsed;
use crate::scenario::vocabulary::{RESULTS, is_result};
use crate::scenario::{Action, Condition, Conduct, Operation, Parcel, Reaction, Scenario, Step};

pub use threads::warnings as lines_with_threads;

/// What is known about the place of a scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LintContext {
    /// Every rule that there is, if that is known.
    pub rules: Option<BTreeSet<RuleId>>,
    /// Whether it belongs to the suites, where each scenario names its rule and its source.
    pub in_suites: bool,
}

/// Returns what is surely not meant, in the order of the text.
pub fn lint(parsed: &Parsed, context: &LintContext) -> Vec<Diagnostic> {
    let mut warnings = head(parsed, context);
    warnings.extend(objects(parsed));
    warnings.extend(futures(parsed));
    warnings.extend(strangers(parsed));
    warnings.extend(reach::unreachable_steps(parsed));
    warnings.extend(accepts(parsed));
    warnings.extend(results(parsed));
    warnings.extend(threads::warnings(parsed));
    warnings.sort_by_key(Diagnostic::location);
    warnings
}

/// The very beginning of a text, for what is missing there.
const START: Location = Location { line: 1, column: 1, length: 0 };

fn head(Parsed { scenario, locations }: &Parsed, context: &LintContext) -> Vec<Diagnostic> {
    let mut warnings = Vec::new();
    let mut missing = |what: &str, hint: &str| warnings.push(Diagnostic::warning(START, what).hinting(hint));
    if scenario.description.iter().all(String::is_empty) {
        missing("the scenario has no description", "say in a comment at the top what is tested, and why");
    }
    if scenario.lines.is_empty() {
        missing("the scenario has no step", "such as `A acquire m`");
    }
    if context.in_suites && scenario.rules.is_empty() {
        missing("the scenario names no rule", "such as `rule CANCEL-3`");
    }
    if context.in_suites && scenario.sources.is_empty() {
        missing("the scenario names no source", "such as `source owner/repo#1`");
    }
    let Some(known) = &context.rules else { return warnings };
    for (rule, location) in scenario.rules.iter().zip(&locations.rules) {
        if !known.contains(rule) {
            let hint = did_you_mean(rule.as_str(), known.iter().map(RuleId::as_str));
            warnings.push(
                Diagnostic::warning(*location, format!("there is no rule `{rule}`"))
                    .expecting("the number of a rule")
                    .hinting("add it to the rules, or name another one")
                    .maybe_hinting(hint),
            );
        }
    }
    warnings
}

/// Warns of objects that no step names.
fn objects(Parsed { scenario, locations }: &Parsed) -> Vec<Diagnostic> {
    let used: HashSet<&ObjectName> = scenario.steps().flat_map(|(_, step)| objects_of(step)).collect();
    let unused = scenario.objects.iter().zip(&locations.objects).filter(|(object, _)| !used.contains(&object.name));
    unused
        .map(|(object, location)| {
            Diagnostic::warning(*location, format!("no step uses the {} `{}`", object.primitive, object.name))
                .hinting("remove its declaration")
        })
        .collect()
}

fn objects_of(step: &Step) -> impl Iterator<Item = &ObjectName> {
    let dropped = match step {
        Step::Conductor(Conduct::DropObject(object)) => Some(object),
        _ => None,
    };
    dropped.into_iter().chain(step.actions().filter_map(object_of))
}

fn object_of(action: &Action) -> Option<&ObjectName> {
    match action {
        Action::Ask { operation, .. } | Action::Start { operation, .. } | Action::Prepare { operation, .. } => {
            Some(&operation.object)
        }
        Action::Release { object } | Action::ReleaseElsewhere { object } | Action::Forget { object } => Some(object),
        Action::Send { what: Parcel::Guard(object), .. } => Some(object),
        Action::On { reaction, .. } => match reaction {
            Reaction::Release(object) | Reaction::Ask(Operation { object, .. }) => Some(object),
            Reaction::Poll | Reaction::Panic => None,
        },
        _ => None,
    }
}

/// Returns the kept future that an action takes up, if it takes up one.
fn future_of(action: &Action) -> Option<&FutureName> {
    match action {
        Action::Send { what: Parcel::Future(future), .. }
        | Action::Poll { future }
        | Action::Await { future }
        | Action::AwaitRef { future }
        | Action::Drop { future } => Some(future),
        _ => None,
    }
}

/// Returns the names of all futures that some step creates.
fn created_futures(scenario: &Scenario) -> BTreeSet<&FutureName> {
    let created = scenario.steps().flat_map(|(_, step)| step.actions()).filter_map(|action| match action {
        Action::Start { future, .. } | Action::Prepare { future, .. } => Some(future),
        _ => None,
    });
    created.collect()
}

/// Warns of steps on futures that no step creates.
fn futures(parsed: &Parsed) -> Vec<Diagnostic> {
    let created = created_futures(&parsed.scenario);
    let objects = parsed.scenario.objects.iter().map(|object| object.name.as_str());
    let known: Vec<&str> = created.iter().map(|future| future.as_str()).chain(objects).collect();
    let undefined = located_steps(parsed).filter_map(|(_, step, location)| {
        let future = step.actions().filter_map(future_of).find(|future| !created.contains(future))?;
        Some(
            Diagnostic::warning(location, format!("no step creates a future `{future}`"))
                .hinting(format!("such as `A start {future} acquire m`, on a line before this one"))
                .maybe_hinting(did_you_mean(future.as_str(), known.iter().copied())),
        )
    });
    undefined.collect()
}

/// Warns of steps of the conductor on tasks that take no step themselves.
fn strangers(parsed: &Parsed) -> Vec<Diagnostic> {
    let acting: HashSet<TaskName> = parsed
        .scenario
        .steps()
        .filter(|(_, step)| !matches!(step, Step::Conductor(_)))
        .flat_map(|(_, step)| step.tasks())
        .collect();
    let strangers = located_steps(parsed).filter_map(|(_, step, location)| {
        let Step::Conductor(conduct) = step else { return None };
        let task = conduct.who()?.members().find(|task| !acting.contains(task))?;
        Some(
            Diagnostic::warning(location, format!("task {task} takes no step in this scenario"))
                .hinting("name another task, or give it a step"),
        )
    });
    strangers.collect()
}

/// Warns of `accept` lines that an earlier one hides.
fn accepts(Parsed { scenario, locations }: &Parsed) -> Vec<Diagnostic> {
    let mut seen: HashSet<(_, &[Condition])> = HashSet::new();
    let mut warnings = Vec::new();
    for (accept, location) in scenario.accepts.iter().zip(&locations.accepts) {
        let hidden =
            seen.contains(&(accept.verdict, &[][..])) || !seen.insert((accept.verdict, accept.conditions.as_slice()));
        if hidden {
            let message = format!("this line is never reached: an earlier one accepts `{}` as well", accept.verdict);
            warnings.push(Diagnostic::warning(*location, message).hinting("remove it, or put it before the other one"));
        }
    }
    warnings
}

/// Warns of conditions on a result that no step ever has: such a line never applies, and what it was to accept
/// violates.
fn results(Parsed { scenario, locations }: &Parsed) -> Vec<Diagnostic> {
    let asked = scenario.accepts.iter().flat_map(|accept| &accept.conditions).zip(locations.results.iter().flatten());
    let unknown = asked.filter(|(condition, _)| !is_result(&condition.gives));
    unknown
        .map(|(condition, location)| {
            let result = &condition.gives;
            // Behind a task stands what came of it.
            let (owner, phrase) = match result.split_once(' ') {
                Some((first, rest)) if first.parse::<TaskName>().is_ok() => (format!("{first} "), rest),
                _ => (String::new(), result.as_str()),
            };
            let near = nearest(phrase, RESULTS.iter().copied());
            Diagnostic::warning(*location, format!("no step ever gives {}", ticked(result)))
                .expecting("a result as a transcript prints it, such as `acquired` or `B acquired`")
                .hinting(near.map_or_else(
                    || format!("the results are {}", RESULTS.join(", ")),
                    |near| format!("did you mean `{owner}{near}`?"),
                ))
        })
        .collect()
}

/// Returns every step with the index of its line and its place.
fn located_steps(parsed: &Parsed) -> impl Iterator<Item = (usize, &Step, Location)> {
    let locations = parsed.locations.steps.iter().flatten();
    parsed.scenario.steps().zip(locations).map(|((line, step), location)| (line, step, *location))
}
