//! Every word that can begin a line or a step, with its arguments and what it does.
//!
//! The parser's hints, the documentation and completions read this one table.

use serde::Serialize;

use crate::primitive::Primitive;

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

/// Every word, in the order in which the documentation lists them.
pub const VOCABULARY: &[Entry] = &[
    entry(Role::Head, "rule", "ID", "rule CANCEL-3", "names a rule that is tested"),
    entry(Role::Head, "source", "TEXT", "source owner/repo#1", "says where the claim comes from"),
    entry(Role::Head, "mutex", "NAME", "mutex m", "declares a mutex"),
    entry(Role::Head, "show", "wakes", "show wakes", "has the transcript count the wakes of each step"),
    entry(Role::Head, "within", "SPAN \"WHY\"", "within 400us \"why\"", "says how short a valid run is"),
    entry(Role::Task, "acquire", "OBJECT [blocking [inside]]", "A acquire m", "awaits the lock"),
    entry(Role::Task, "try-acquire", "OBJECT", "A try-acquire m", "takes the lock if that needs no waiting"),
    entry(Role::Task, "release", "OBJECT [elsewhere]", "A release m", "drops the guard that it acquired last"),
    entry(
        Role::Task,
        "resume",
        "[anew]",
        "B resume",
        "polls what it waits for, woken or not; anew: with another waker",
    ),
    entry(Role::Task, "forget", "OBJECT", "A forget m", "leaks the guard that it acquired last"),
    entry(Role::Task, "send", "OBJECT|FUTURE TASK", "A send m B", "moves a guard or a kept future to a task"),
    entry(Role::Task, "panic", "", "A panic", "panics with `boom`"),
    entry(Role::Task, "return", "", "A return", "ends the task as a function ends"),
    entry(Role::Task, "yield", "", "A yield", "gives way once"),
    entry(Role::Task, "is-locked", "OBJECT", "A is-locked m", "asks whether somebody holds it"),
    entry(Role::Task, "debug", "OBJECT", "A debug m", "prints it with `{:?}`"),
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

/// The primitives that the language is meant to have and this version lacks.
pub const PLANNED_PRIMITIVES: &[&str] = &["rwlock", "semaphore", "condvar", "barrier", "notify", "once"];

/// The verbs of those primitives.
pub const PLANNED_VERBS: &[&str] = &["read", "write", "upgrade", "downgrade", "add", "close"];

/// The events that a task's waker can act on.
pub const EVENTS: &[&str] = &["wake", "wake-clone", "wake-drop"];

/// The first words of what a task's waker can do.
pub const REACTIONS: &[&str] = &["release", "try-acquire", "is-locked", "poll", "panic"];

/// Returns every entry of `role`.
pub fn entries(role: Role) -> impl Iterator<Item = &'static Entry> {
    VOCABULARY.iter().filter(move |entry| entry.role == role)
}

/// Returns the entry of `word` in `role`, if there is one.
pub fn find(role: Role, word: &str) -> Option<&'static Entry> {
    entries(role).find(|entry| entry.word == word)
}

/// Returns the primitive that `word` declares an object of, if this version has it.
pub fn primitive(word: &str) -> Option<Primitive> {
    Primitive::ALL.into_iter().find(|primitive| primitive.as_str() == word)
}
