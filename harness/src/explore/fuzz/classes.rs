//! Which findings have one cause: five hundred programs that meet one behaviour are one finding.
//!
//! Told by the kind of the finding, and by the shape of its smallest script: who does what there, without names and ways
//! of doing it. A script whose shape has that of a smaller one in it, with the same kind, shows the same.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::shrink::size;
use super::{Finding, Kind};
use crate::scenario::name::{FutureName, TaskName};
use crate::scenario::{Action, Conduct, Scenario, Step};

/// Findings with one cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Class {
    /// The smallest of them.
    pub finding: Finding,
    /// In how many programs it was met.
    pub programs: u64,
    /// How many different smallest scripts there are.
    pub scripts: u64,
}

/// Puts findings into classes, the smallest first. The order of the findings does not matter.
pub fn classes(findings: &[Finding]) -> Vec<Class> {
    let mut sorted: Vec<(&Finding, String)> = findings
        .iter()
        .map(|finding| (finding, finding.script.lines.iter().map(|line| format!("{line}\n")).collect()))
        .collect();
    sorted.sort_by(|(one, text), (other, other_text)| {
        let key = |finding: &Finding| (!finding.is_violation(), size(&finding.script));
        (key(one), text, one.program).cmp(&(key(other), other_text, other.program))
    });
    struct Draft<'f> {
        finding: &'f Finding,
        shape: Vec<&'static str>,
        programs: BTreeSet<u64>,
        scripts: BTreeSet<String>,
    }
    let mut drafts: Vec<Draft<'_>> = Vec::new();
    for (finding, _) in sorted {
        let shape = shape(&finding.script);
        let known = drafts
            .iter_mut()
            .find(|it| cause(&it.finding.kind) == cause(&finding.kind) && is_within(&it.shape, &shape));
        let draft = match known {
            Some(known) => known,
            None => {
                let draft = Draft { finding, shape, programs: BTreeSet::new(), scripts: BTreeSet::new() };
                drafts.push(draft);
                drafts.last_mut().expect("one was just put in")
            }
        };
        draft.programs.insert(finding.program);
        let lines: Vec<String> = finding.script.lines.iter().map(ToString::to_string).collect();
        draft.scripts.insert(lines.join("\n"));
    }
    let class = |draft: Draft<'_>| Class {
        finding: draft.finding.clone(),
        programs: draft.programs.len() as u64,
        scripts: draft.scripts.len() as u64,
    };
    drafts.into_iter().map(class).collect()
}

/// Returns what a kind says of the cause: in which way one asks or lets go does not matter, nor how one hears that it is
/// taken.
fn cause(kind: &Kind) -> (&'static str, &'static str, &'static str) {
    let Kind::Difference { step, left, right } = kind else {
        return match kind {
            Kind::Violation { verdict, herd: false } => (verdict.as_str(), "", ""),
            Kind::Violation { verdict, herd: true } => (verdict.as_str(), "herd", ""),
            _ => ("disagreement", "", ""),
        };
    };
    let answer = |text: &str| match text {
        text if text.contains("another acquired") => "another is granted",
        text if text.contains("woke") => "wakes",
        text if text.contains("not run") => "not run",
        text if text.contains("free") || text.contains("acquired") || text == "no" => "is free",
        text if text.contains("refused") || text == "waits" || text == "pending" || text == "yes" => "is taken",
        "-" => "-",
        "another" | "one" => "another",
        _ => "else",
    };
    let words: Vec<&str> = step.split(' ').collect();
    let verb = match (words.first(), words.get(1)) {
        (
            Some(&"task"),
            Some(&("acquire" | "try-acquire" | "is-locked" | "start" | "await" | "await-ref" | "poll")),
        ) => "asks",
        (Some(&"task"), Some(&"repoll")) => "polls",
        (Some(&"task"), Some(&("release" | "panic" | "return"))) | (Some(&"abort"), _) => "lets go",
        (Some(&"task"), Some(&"drop")) | (Some(&"cancel"), _) => "gives up",
        (Some(&("probe" | "rest" | "end")), _) => "asks",
        (Some(&"order"), _) => "order",
        _ => "else",
    };
    match (verb, answer(left), answer(right)) {
        // A probe that says no more than that an object is free where the other says something else of it.
        ("asks", "-", right) => ("asks", if right == "is free" { "is taken" } else { "is free" }, right),
        ("asks", left, "-") => ("asks", left, if left == "is free" { "is taken" } else { "is free" }),
        cause => cause,
    }
}

/// Returns what is done in a script, step by step, in classes of ways to do it.
fn shape(script: &Scenario) -> Vec<&'static str> {
    let mut unpolled: BTreeSet<&FutureName> = BTreeSet::new();
    let mut shape = Vec::new();
    for (_, step) in script.steps() {
        let word = match step {
            Step::Conductor(Conduct::Cancel(_)) => "gives up",
            // An abort is worth its place only where it drops a guard; where it drops a wait, a cancel does.
            Step::Conductor(Conduct::Abort(_)) => "lets go",
            Step::Conductor(_) => "other",
            Step::Program { .. } => "program",
            Step::Task { action, .. } => match action {
                // A future that was never polled has done nothing; its first poll asks.
                Action::Prepare { future, .. } => {
                    unpolled.insert(future);
                    continue;
                }
                Action::Poll { future } | Action::Await { future } | Action::AwaitRef { future }
                    if unpolled.remove(future) =>
                {
                    "asks"
                }
                Action::Ask { .. } | Action::Start { .. } => "asks",
                Action::Release { .. } | Action::ReleaseElsewhere { .. } | Action::Panic | Action::Return => "lets go",
                Action::Forget { .. } => "forgets",
                Action::Send { .. } => "sends",
                Action::Poll { .. } | Action::Await { .. } | Action::AwaitRef { .. } | Action::Repoll { .. } => "polls",
                Action::Drop { .. } => "gives up",
                _ => "other",
            },
        };
        shape.push(word);
    }
    shape
}

/// Returns whether everything in `small` comes in `large` in the same order.
fn is_within(small: &[&str], large: &[&str]) -> bool {
    let mut rest = large.iter();
    small.iter().all(|word| rest.any(|other| other == word))
}

/// Returns where two outcomes of a script part, without names, if they do.
pub fn difference(script: &Scenario, left: &[String], right: &[String]) -> Option<Kind> {
    let place = (0..left.len().max(right.len())).find(|place| left.get(*place) != right.get(*place))?;
    let split = |lines: &[String]| match lines.get(place) {
        None => (String::new(), String::new()),
        Some(line) => match line.split_once("  ") {
            Some((step, result)) => (step.to_owned(), result.trim().to_owned()),
            None => (line.clone(), String::new()),
        },
    };
    let ((step, one), (_, other)) = (split(left), split(right));
    let parts = |text: &str| -> BTreeSet<String> { text.split("; ").map(|part| nameless(script, part)).collect() };
    let (one, other) = (parts(&one), parts(&other));
    let only = |these: &BTreeSet<String>, those: &BTreeSet<String>| {
        let only: Vec<&str> = these.difference(those).map(String::as_str).collect();
        if only.is_empty() { "-".to_owned() } else { only.join(", ") }
    };
    let (left, right) = match one == other {
        // The same happens to others.
        true => ("one".to_owned(), "another".to_owned()),
        false => (only(&one, &other), only(&other, &one)),
    };
    Some(Kind::Difference { step: nameless(script, &step), left, right })
}

/// Puts words in the place of the names of tasks, objects and futures.
fn nameless(script: &Scenario, text: &str) -> String {
    let is_object = |word: &str| script.objects.iter().any(|object| object.name.as_str() == word);
    let words = text.split(' ').enumerate().filter_map(|(place, word)| match word {
        word if word.parse::<TaskName>().is_ok() => (place > 0).then_some("another").or(Some("task")),
        word if is_object(word) => Some("object"),
        "x" | "y" | "z" => Some("future"),
        word => Some(word),
    });
    words.collect::<Vec<_>>().join(" ")
}
