//! Reads one step, of a task or of the conductor.

use super::Fault;
use super::names::Names;
use super::token::{Kind, Token};
use super::words::{Words, span, task, task_letter, waiting_request, who};
use crate::primitive::Request;
use crate::scenario::diagnostic::{Diagnostic, Location, did_you_mean, nearest, ticked};
use crate::scenario::name::{FutureName, ObjectName, ScopeName, TaskName};
use crate::scenario::vocabulary::{self, Role};
use crate::scenario::{Action, Conduct, Operation, Parcel, Place, Reaction, Step, WakerEvent};

/// Reads the step that `tokens`, at least one and no semicolon, are.
pub(super) fn step(tokens: &[Token<'_>], names: &Names<'_>) -> Result<Step, Fault> {
    let mut words = Words::new(tokens);
    let first = words.word("a step")?;
    let step = if task_letter(first.text()) {
        let who = who(first)?;
        words.belonging_to(first.text(), "A acquire m");
        Step::Task { who, action: action(&mut words, names)? }
    } else if let Some(entry) = vocabulary::find(Role::Conductor, first.text()) {
        words.belonging_to(entry.word, entry.example);
        Step::Conductor(conduct(entry.word, &mut words, names)?)
    } else {
        return Err(no_step(tokens).into());
    };
    words.finish()?;
    Ok(step)
}

/// Returns whether a line that begins with this token is the program of a task: `A:`.
pub(super) fn is_program(first: &Token<'_>) -> bool {
    matches!(first.kind, Kind::Word(word) if task_letter(word) && word.contains(':'))
}

/// Reads the program that `tokens`, of which the first is or begins with `A:`, are.
pub(super) fn program(tokens: &[Token<'_>], names: &Names<'_>) -> Result<Step, Fault> {
    let (first, rest) = tokens.split_first().expect("a program begins with its task");
    let mut first = parted(first, ':').into_iter();
    let who = who(&first.next().expect("a program begins with its task"))?;
    let colon = first.next().expect("a program has a colon");
    let rest = first.chain(rest.iter().copied()).flat_map(|token| parted(&token, ','));
    let mut turns: Vec<Vec<Action>> = vec![Vec::new()];
    let mut words: Vec<Token<'_>> = Vec::new();
    let mut before = colon;
    let end = |words: &mut Vec<Token<'_>>, at: &Token<'_>| -> Result<Action, Fault> {
        let Some(first) = words.first() else {
            return Err(Diagnostic::error(at.location, "no action of the task stands here")
                .expecting("an action")
                .hinting("such as `A: acquire m, release m`")
                .into());
        };
        let location = first.location;
        let mut taken = Words::new(words);
        let action = action(&mut taken, names)?;
        taken.finish()?;
        if matches!(action, Action::Repoll { .. }) {
            return Err(Diagnostic::error(location, "when a task is polled again is the explorer's choice")
                .expecting("an action of the task itself")
                .hinting("`B repoll` on a line of its own lets the explorer poll B again once, at any time")
                .into());
        }
        words.clear();
        Ok(action)
    };
    for token in rest {
        match token.kind {
            Kind::Semicolon => {
                let action = end(&mut words, &before)?;
                turns.last_mut().expect("there is a turn").push(action);
            }
            Kind::Word(",") => {
                let action = end(&mut words, &token)?;
                turns.last_mut().expect("there is a turn").push(action);
                turns.push(Vec::new());
            }
            _ => words.push(token),
        }
        before = token;
    }
    let action = end(&mut words, &before)?;
    turns.last_mut().expect("there is a turn").push(action);
    Ok(Step::Program { who, turns })
}

/// Returns what a word is made of: the marks in it, and what stands between them.
fn parted<'t>(token: &Token<'t>, mark: char) -> Vec<Token<'t>> {
    let Kind::Word(word) = token.kind else { return vec![*token] };
    let mut parts = Vec::new();
    let (mut column, mut end_byte) = (token.location.column, token.end_byte - word.len());
    for with_mark in word.split_inclusive(mark) {
        let (before, mark) = with_mark.split_at(with_mark.trim_end_matches(mark).len());
        for part in [before, mark].into_iter().filter(|part| !part.is_empty()) {
            let location = Location { column, length: part.chars().count(), ..token.location };
            column += location.length;
            end_byte += part.len();
            parts.push(Token { kind: Kind::Word(part), location, end_byte });
        }
    }
    parts
}

fn action<'t>(words: &mut Words<'_, 't>, names: &Names<'_>) -> Result<Action, Fault> {
    let verb = words.word("a verb")?;
    let word = vocabulary::current(verb.text());
    let Some(entry) = vocabulary::find(Role::Task, word) else { return Err(no_verb(verb).into()) };
    words.belonging_to(entry.word, entry.example);
    Ok(match entry.word {
        "acquire" => ask(words, names, Request::Acquire)?,
        "try-acquire" => ask(words, names, Request::TryAcquire)?,
        "is-locked" => ask(words, names, Request::IsLocked)?,
        "debug" => ask(words, names, Request::Debug)?,
        "release" => release(words, names)?,
        "repoll" => Action::Repoll { new_waker: words.take_if("anew") || adverb(words, "new-waker")? },
        "forget" => Action::Forget { object: object(words, names)? },
        "send" => Action::Send { what: parcel(words, names)?, to: receiver(words)? },
        "panic" => Action::Panic,
        "return" => Action::Return,
        "yield" => Action::Yield,
        "start" => Action::Start { future: future(words, names)?, operation: operation(words, names)? },
        "prepare" => Action::Prepare { future: future(words, names)?, operation: operation(words, names)? },
        "poll" => Action::Poll { future: future(words, names)? },
        "await" => Action::Await { future: future(words, names)? },
        "await-ref" => Action::AwaitRef { future: future(words, names)? },
        "drop" => Action::Drop { future: future(words, names)? },
        "enter" => Action::Enter { scope: scope(words)? },
        "leave" => Action::Leave { scope: scope(words)? },
        "on" => Action::On { event: event(words)?, reaction: reaction(words, names)? },
        "hold" => Action::Hold { span: span(words.word("a span of time")?)? },
        "spend-budget" => Action::SpendBudget,
        _ => return Err(no_verb(verb).into()),
    })
}

fn conduct(verb: &str, words: &mut Words<'_, '_>, names: &Names<'_>) -> Result<Conduct, Fault> {
    Ok(match verb {
        "drop" => Conduct::DropObject(object(words, names)?),
        "hold" => Conduct::Hold(span(words.word("a span of time")?)?),
        _ => {
            let who = who(words.word("a task")?)?;
            match verb {
                "cancel" => Conduct::Cancel(who),
                "abort" => Conduct::Abort(who),
                "detach" => Conduct::Detach(who),
                "drop-handle" => Conduct::DropHandle(who),
                _ => Conduct::Join(who),
            }
        }
    })
}

fn ask(words: &mut Words<'_, '_>, names: &Names<'_>, request: Request) -> Result<Action, Fault> {
    let operation = Operation { request, object: object(words, names)? };
    let Some(blocking) = words.peek().filter(|token| token.kind == Kind::Word("blocking")) else {
        return match words.peek() {
            Some(token) if request.waits() => Err(no_place(token, "blocking").into()),
            _ => Ok(Action::Ask { operation, place: Place::Task }),
        };
    };
    if !request.waits() {
        let message = format!("`{request}` never waits, so it cannot be blocking");
        return Err(Diagnostic::error(blocking.location, message).expecting("the end of the step").into());
    }
    words.take_if("blocking");
    let place = if words.take_if("inside") { Place::Inside } else { Place::Thread };
    match words.peek() {
        Some(token) if place == Place::Thread => Err(no_place(token, "inside").into()),
        _ => Ok(Action::Ask { operation, place }),
    }
}

fn no_place(token: &Token<'_>, word: &'static str) -> Diagnostic {
    Diagnostic::error(token.location, format!("{} is not a place where an operation runs", ticked(token.text())))
        .expecting(format!("`{word}`"))
        .expecting("the end of the step")
        .hinting("steps on one line are joined by `;`")
        .maybe_hinting(did_you_mean(token.text(), [word]))
}

fn release(words: &mut Words<'_, '_>, names: &Names<'_>) -> Result<Action, Fault> {
    let object = object(words, names)?;
    Ok(match adverb(words, "elsewhere")? {
        true => Action::ReleaseElsewhere { object },
        false => Action::Release { object },
    })
}

/// Takes the word `adverb` if it stands there. A word that is nearly it is no other mistake.
fn adverb(words: &mut Words<'_, '_>, adverb: &'static str) -> Result<bool, Fault> {
    if words.take_if(adverb) {
        return Ok(true);
    }
    match words.peek().and_then(|token| Some((token, did_you_mean(token.text(), [adverb])?))) {
        Some((token, hint)) => {
            let message = format!("{} says nothing about this step", ticked(token.text()));
            Err(Diagnostic::error(token.location, message)
                .expecting(format!("`{adverb}`"))
                .expecting("the end of the step")
                .hinting(hint)
                .into())
        }
        None => Ok(false),
    }
}

fn operation(words: &mut Words<'_, '_>, names: &Names<'_>) -> Result<Operation, Fault> {
    let request = waiting_request(words.word("an operation")?)?;
    Ok(Operation { request, object: object(words, names)? })
}

fn object(words: &mut Words<'_, '_>, names: &Names<'_>) -> Result<ObjectName, Fault> {
    let token = words.word("an object")?;
    match token.text().parse() {
        Ok(name) if names.primitive(token.text()).is_some() => Ok(name),
        Ok(_) => Err(names.undeclared(token)),
        Err(_) if names.is_doubtful(token.text()) => Err(Fault::Told),
        Err(_) => Err(no_name(token, "an object").into()),
    }
}

fn future(words: &mut Words<'_, '_>, names: &Names<'_>) -> Result<FutureName, Fault> {
    let token = words.word("a future")?;
    let name = token.text();
    match (names.primitive(name), name.parse()) {
        (None, Ok(future)) => Ok(future),
        (None, Err(_)) => Err(no_name(token, "a future").into()),
        (Some(primitive), _) => {
            Err(Diagnostic::error(token.location, format!("`{name}` is a {primitive}, not a future"))
                .expecting("a name that no object has")
                .hinting(format!(
                    "a task releases its guard with `release {name}`; the conductor drops its share with `drop {name}`"
                ))
                .into())
        }
    }
}

fn parcel(words: &mut Words<'_, '_>, names: &Names<'_>) -> Result<Parcel, Fault> {
    let token = words.word("an object or a future")?;
    let name = token.text();
    if names.primitive(name).is_none() && names.is_doubtful(name) {
        return Err(Fault::Told);
    }
    let guard = names.primitive(name).and_then(|_| name.parse().ok()).map(Parcel::Guard);
    let parcel = guard.or_else(|| name.parse().ok().map(Parcel::Future));
    parcel.ok_or_else(|| no_name(token, "an object or a future").into())
}

fn receiver(words: &mut Words<'_, '_>) -> Result<TaskName, Diagnostic> {
    task(words.word("a task")?)
}

fn scope(words: &mut Words<'_, '_>) -> Result<ScopeName, Diagnostic> {
    let token = words.word("a scope")?;
    token.text().parse().map_err(|_| no_name(token, "a scope"))
}

fn event(words: &mut Words<'_, '_>) -> Result<WakerEvent, Diagnostic> {
    let token = words.word("an event")?;
    match token.text() {
        "wake" => Ok(WakerEvent::Wake),
        "wake-clone" => Ok(WakerEvent::Clone),
        "wake-drop" => Ok(WakerEvent::Drop),
        other => Err(Diagnostic::error(token.location, format!("{} is not an event of a waker", ticked(other)))
            .expecting("`wake`")
            .expecting("`wake-clone`")
            .expecting("`wake-drop`")
            .maybe_hinting(did_you_mean(other, vocabulary::EVENTS.iter().copied()))),
    }
}

fn reaction(words: &mut Words<'_, '_>, names: &Names<'_>) -> Result<Reaction, Fault> {
    let token = words.word("a reaction")?;
    Ok(match token.text() {
        "release" => Reaction::Release(object(words, names)?),
        "try-acquire" => Reaction::TryAcquire(object(words, names)?),
        "is-locked" => Reaction::IsLocked(object(words, names)?),
        "poll" => Reaction::Poll,
        "panic" => Reaction::Panic,
        other => {
            return Err(Diagnostic::error(token.location, format!("{} is nothing that a waker does", ticked(other)))
                .expecting("`release m`")
                .expecting("`try-acquire m`")
                .expecting("`is-locked m`")
                .expecting("`poll`")
                .expecting("`panic`")
                .maybe_hinting(did_you_mean(other, vocabulary::REACTIONS.iter().copied()))
                .into());
        }
    })
}

pub(super) fn no_name(token: &Token<'_>, what: &str) -> Diagnostic {
    let text = token.text();
    Diagnostic::error(token.location, format!("{} cannot be the name of {what}", ticked(text)))
        .expecting("lower-case letters, digits and inner hyphens, a letter first")
        .maybe_hinting(glued_comment(text))
}

/// Returns what to say of a word with a comment in it.
fn glued_comment(word: &str) -> Option<String> {
    word.contains('#').then(|| "a comment has a space before its `#`".to_owned())
}

/// Returns the error of a word that is no verb of a task.
fn no_verb(token: &Token<'_>) -> Diagnostic {
    let word = token.text();
    let fault = |message: String| Diagnostic::error(token.location, message);
    if let Some(entry) = vocabulary::find(Role::Conductor, word) {
        return fault(format!("`{word}` is a verb of the conductor, not of a task"))
            .expecting("a verb of a task")
            .hinting(format!("write it without a task before it: `{}`", entry.example));
    }
    if vocabulary::PLANNED_VERBS.contains(&word) {
        return fault(format!("`{word}` belongs to a primitive that this version lacks"))
            .expecting("a verb of a task")
            .hinting("this version has only `mutex`");
    }
    let verbs = || vocabulary::entries(Role::Task).map(|entry| entry.word);
    let list = format!("the verbs of a task are {}", verbs().collect::<Vec<_>>().join(", "));
    fault(format!("{} is not a verb", ticked(word)))
        .expecting("a verb of a task")
        .hinting(list)
        .maybe_hinting(did_you_mean(word, verbs()))
        .maybe_hinting(glued_comment(word))
}

/// Returns the error of a step that begins with neither a task nor a verb of the conductor.
fn no_step(tokens: &[Token<'_>]) -> Diagnostic {
    let (first, second) = (&tokens[0], tokens.get(1).map_or("", Token::text));
    let word = first.text();
    let fault = |message: String| Diagnostic::error(first.location, message);
    if let Some(entry) = vocabulary::find(Role::Task, word) {
        return fault(format!("`{word}` is a verb of a task, and no task stands before it"))
            .expecting("a task")
            .hinting(format!("such as `{}`", entry.example));
    }
    if vocabulary::PLANNED_PRIMITIVES.contains(&word) {
        return fault(format!("this version has no `{word}`")).expecting("`mutex`").hinting("it has only `mutex`");
    }
    if vocabulary::find(Role::Task, second).is_some() {
        return who(first).err().unwrap_or_else(|| fault(format!("{} is not a task", ticked(word))));
    }
    if let Some(entry) = vocabulary::VOCABULARY.iter().find(|entry| entry.word == word && entry.role != Role::Task) {
        return fault(format!("`{word}` begins a line of its own, and this is inside a line"))
            .expecting("a step")
            .hinting(format!("such as `{}`, on a line of its own", entry.example));
    }
    let known = || vocabulary::VOCABULARY.iter().filter(|entry| entry.role != Role::Task).map(|entry| entry.word);
    let primitive = nearest(word, vocabulary::PLANNED_PRIMITIVES.iter().copied());
    fault(format!("{} begins neither a step nor another line", ticked(word)))
        .expecting("a task, a verb of the conductor, a word of the head or `accept`")
        .maybe_hinting(primitive.map(|word| format!("this version has no `{word}`; it has only `mutex`")))
        .maybe_hinting(did_you_mean(word, known()))
}
