//! Every word that can begin a line or a step, with its arguments and what it does; and every word for its result.
//!
//! The parser's hints, the documentation and completions read the one table; the linter and the transcript the other.

use std::sync::LazyLock;

use serde::Serialize;

use crate::primitive::{Amount, Argument, Effect, Primitive, Request};
use crate::scenario::name::TaskName;

/// A word that begins a line of the head, a step or an `accept` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The word itself.
    pub word: &'static str,
    /// Where it stands.
    pub role: Role,
    /// What follows it: capitals stand for something, brackets mean that it may be left out.
    pub arguments: &'static str,
    /// One step or line with it, as it could stand in a scenario.
    pub example: &'static str,
    /// What it does, in one line.
    pub meaning: &'static str,
}

/// Where a word stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// At the beginning of a line of the head.
    Head,
    /// Behind a task.
    Task,
    /// At the beginning of a step of the conductor.
    Conductor,
    /// At the beginning of an `accept` line.
    Accept,
}

const fn entry(
    role: Role,
    word: &'static str,
    arguments: &'static str,
    example: &'static str,
    meaning: &'static str,
) -> Entry {
    Entry { word, role, arguments, example, meaning }
}

/// Every word, in the order in which the documentation lists them: those of the language, and those that the tables of
/// the primitives give.
pub static VOCABULARY: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let mut all = OF_THE_LANGUAGE.to_vec();
    let place = |role| OF_THE_LANGUAGE.iter().position(|entry| entry.role == role).expect("every role has words");
    // From the back, so that the places hold.
    let mut verbs: Vec<Entry> = Vec::new();
    for request in Primitive::ALL.iter().flat_map(|primitive| primitive.requests()) {
        if verbs.iter().all(|entry| entry.word != request.as_str()) {
            verbs.push(verb(request));
        }
    }
    all.splice(place(Role::Task)..place(Role::Task), verbs);
    let behind_sources = place(Role::Head) + 2;
    all.splice(behind_sources..behind_sources, Primitive::ALL.iter().map(|primitive| declaration(*primitive)));
    all
});

/// Returns the entry of the word that declares an object.
fn declaration(primitive: Primitive) -> Entry {
    let table = primitive.table();
    let letter = &table.word[..1];
    let (arguments, example) = match table.argument {
        Argument::None => ("NAME".to_owned(), format!("{} {letter}", table.word)),
        Argument::Number(_) => ("NAME NUMBER".to_owned(), format!("{} {letter} 2", table.word)),
        Argument::Optional(word) => (format!("NAME [{word} NUMBER]"), format!("{} {letter}", table.word)),
    };
    entry(Role::Head, table.word, arguments.leak(), example.leak(), format!("declares {}", table.noun).leak())
}

/// Returns the entry of a verb that a primitive has.
fn verb(request: Request) -> Entry {
    let mut arguments = "OBJECT".to_owned();
    let letter = &request.primitive().as_str()[..1];
    let mut example = format!("A {request} {letter}");
    match request.verb().amount {
        Amount::None => {}
        Amount::Optional => arguments.push_str(" [NUMBER]"),
        Amount::Needed => {
            arguments.push_str(" NUMBER");
            example.push_str(" 2");
        }
    }
    if request.waits() {
        arguments.push_str(" [blocking [inside]]");
    }
    entry(Role::Task, request.as_str(), arguments.leak(), example.leak(), request.verb().meaning)
}

/// The words that every primitive shares.
const OF_THE_LANGUAGE: &[Entry] = &[
    entry(Role::Head, "rule", "ID", "rule CANCEL-3", "names a rule that is tested"),
    entry(Role::Head, "source", "TEXT", "source owner/repo#1", "says where the claim comes from"),
    entry(Role::Head, "show", "wakes", "show wakes", "has the transcript count the wakes of each step"),
    entry(Role::Head, "within", "SPAN \"WHY\"", "within 400us \"why\"", "says how short a valid run is"),
    entry(Role::Task, "release", "OBJECT [elsewhere]", "A release m", "drops the guard that it acquired last"),
    entry(
        Role::Task,
        "repoll",
        "[new-waker]",
        "B repoll",
        "polls what it waits for, woken or not; new-waker: with another waker",
    ),
    entry(Role::Task, "forget", "OBJECT", "A forget m", "leaks the guard that it acquired last"),
    entry(Role::Task, "send", "OBJECT|FUTURE TASK", "A send m B", "moves a guard or a kept future to a task"),
    entry(Role::Task, "panic", "", "A panic", "panics with `boom`"),
    entry(Role::Task, "return", "", "A return", "ends the task as a function ends"),
    entry(Role::Task, "yield", "", "A yield", "gives way once"),
    entry(Role::Task, "start", "FUTURE acquire OBJECT", "A start x acquire m", "creates a future and polls it once"),
    entry(Role::Task, "prepare", "FUTURE acquire OBJECT", "A prepare x acquire m", "creates a future, unpolled"),
    entry(Role::Task, "poll", "FUTURE", "A poll x", "polls a kept future once"),
    entry(Role::Task, "await", "FUTURE", "A await x", "waits for a kept future; a cancel drops it"),
    entry(Role::Task, "await-ref", "FUTURE", "A await-ref x", "waits for a kept future; a cancel leaves it kept"),
    entry(Role::Task, "drop", "FUTURE", "A drop x", "drops a kept future"),
    entry(Role::Task, "enter", "SCOPE", "A enter f", "opens a scope"),
    entry(Role::Task, "leave", "SCOPE", "A leave f", "closes a scope and lets go of what A got in it"),
    entry(Role::Task, "on", "EVENT REACTION", "A on wake release m", "has the task's waker act once"),
    entry(Role::Task, "hold", "SPAN", "A hold 2ms", "keeps its thread inside one poll"),
    entry(Role::Task, "spend-budget", "", "A spend-budget", "spends the cooperative budget of this poll"),
    entry(Role::Conductor, "cancel", "TASK", "cancel B", "drops what the task waits for; it lives on"),
    entry(Role::Conductor, "abort", "TASK", "abort B", "ends the task by the runtime's own means"),
    entry(Role::Conductor, "detach", "TASK", "detach B", "gives up the task's handle by the runtime's own call"),
    entry(Role::Conductor, "drop-handle", "TASK", "drop-handle B", "drops the task's handle"),
    entry(Role::Conductor, "join", "TASK", "join B", "awaits the task's handle"),
    entry(Role::Conductor, "drop", "OBJECT", "drop m", "drops the conductor's share of an object"),
    entry(Role::Conductor, "hold", "SPAN", "hold 2ms", "has all stand still"),
    entry(
        Role::Accept,
        "accept",
        "VERDICT [if \"STEP\" gives \"RESULT\"]... conforms|permitted \"WHY\"",
        "accept completed conforms",
        "grades a verdict",
    ),
];

/// Former verbs of a task, each with the verb that replaced it. The parser reads both, and prints the new one.
pub const FORMER_VERBS: &[(&str, &str)] = &[("resume", "repoll")];

/// The primitives that the language is meant to have and this version lacks.
pub const PLANNED_PRIMITIVES: &[&str] = &["notify", "event", "condvar", "barrier", "once"];

/// The verbs of those primitives.
pub const PLANNED_VERBS: &[&str] = &[
    "wait",
    "notify",
    "enable",
    "set",
    "reset",
    "is-set",
    "arrive",
    "break",
    "parties",
    "arrived",
    "init",
    "try-set",
    "finish",
    "fail",
    "get",
    "take",
    "split",
    "merge",
    "resize",
    "reduce-permits",
    "owner",
    "waiting",
];

/// Returns the words of the primitives that this version has, for hints.
pub fn primitives() -> String {
    let words: Vec<String> = Primitive::ALL.iter().map(|primitive| format!("`{primitive}`")).collect();
    let (last, others) = words.split_last().expect("there are primitives");
    format!("{} and {last}", others.join(", "))
}

/// The events that a task's waker can act on.
pub const EVENTS: &[&str] = &["wake", "wake-clone", "wake-drop"];

/// Returns the first words of what a task's waker can do: whatever never waits, and what a waker alone can.
pub fn reactions() -> Vec<&'static str> {
    let mut words = vec!["release"];
    let requests = Primitive::ALL.iter().flat_map(|primitive| primitive.requests());
    words.extend(requests.filter(|request| is_reaction(*request)).map(Request::as_str));
    words.extend(["poll", "panic"]);
    let mut seen = std::collections::HashSet::new();
    words.retain(|word| seen.insert(*word));
    words
}

/// Returns whether a waker can make a request: one that never waits, needs no guard of its task, and answers with no
/// text.
pub fn is_reaction(request: Request) -> bool {
    !request.waits() && !request.turns() && request.verb().effect != Effect::Print
}

/// Returns every entry of `role`.
pub fn entries(role: Role) -> impl Iterator<Item = &'static Entry> {
    VOCABULARY.iter().filter(move |entry| entry.role == role)
}

/// Returns the entry of `word` in `role`, if there is one.
pub fn find(role: Role, word: &str) -> Option<&'static Entry> {
    entries(role).find(|entry| entry.word == word)
}

/// Returns the verb that replaced `verb`, or `verb` itself if nothing did.
pub fn current(verb: &str) -> &str {
    FORMER_VERBS.iter().find(|(former, _)| *former == verb).map_or(verb, |(_, current)| current)
}

/// Returns the primitive that `word` declares an object of, if this version has it.
pub fn primitive(word: &str) -> Option<Primitive> {
    Primitive::from_word(word)
}

/// Result of a step in which a thread hung or the process ended.
pub const DOES_NOT_COME_BACK: &str = "does not come back";

/// What a step, or what followed from it for a task, is said to give; behind some of them stands an object, a future or
/// a reason. It is the list of the words that a transcript is rendered with.
pub const RESULTS: &[&str] = &[
    "acquired",
    "waits",
    "pending",
    "refused",
    "yes",
    "no",
    "printed",
    "unsupported",
    "released",
    "not released",
    "forgotten",
    "sent",
    "dropped",
    "prepared",
    "cancelled",
    "not cancelled",
    "panicked",
    "returned",
    "yielded",
    "entered",
    "left",
    "armed",
    "spent",
    "held",
    "woke",
    "woken",
    "tried",
    "aborted",
    "detached",
    "finished",
    "not run:",
    DOES_NOT_COME_BACK,
];

/// Returns whether a transcript can say this of a step.
pub fn is_result(text: &str) -> bool {
    let is_phrase = |text: &str| {
        let mut rests = RESULTS.iter().filter_map(|result| text.strip_prefix(result));
        rests.any(|rest| rest.is_empty() || rest.starts_with([' ', ':'])) || is_said_by_a_verb(text)
    };
    let of_task = text.split_once(' ').is_some_and(|(owner, rest)| {
        // B, or B's waker.
        let (task, rest) = match owner.strip_suffix("'s") {
            Some(task) => (task, rest.strip_prefix("waker ").unwrap_or_default()),
            None => (owner, rest),
        };
        task.parse::<TaskName>().is_ok() && is_phrase(rest)
    });
    of_task || is_phrase(text)
}

/// Returns whether the table of some primitive has this as the result of a verb, with a number where it says one.
fn is_said_by_a_verb(text: &str) -> bool {
    let mut requests = Primitive::ALL.iter().flat_map(|primitive| primitive.requests());
    requests.any(|request| match request.verb().result.split_once("{}") {
        Some((before, behind)) => {
            let number = text.strip_prefix(before).and_then(|rest| rest.strip_suffix(behind));
            number.is_some_and(|number| number.parse::<i128>().is_ok())
        }
        None => !text.is_empty() && request.verb().result == text,
    })
}
