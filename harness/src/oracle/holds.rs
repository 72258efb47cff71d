//! Grants, refusals, answers and tries, held against the model of the object: nobody gets what is not there, and what
//! is there is not refused.

use super::{Finding, object, task};
use crate::object::Answer;
use crate::primitive::model::{Admission, Expected};
use crate::primitive::{Claim, Request, State};
use crate::program::{ObjectIndex, Program};
use crate::promises::Promises;
use crate::quiescence::TaskIndex;
use crate::transcript::replay::{Guard, Replay, Wait};
use crate::transcript::{At, Event, Role, Trial, What};
use crate::verdict::Verdict;

/// Claims of everybody who holds an object.
pub(super) fn held(replay: &Replay, object: ObjectIndex) -> impl Iterator<Item = Claim> + Clone {
    replay.guards.iter().filter(move |guard| guard.object == object).map(|guard| guard.claim)
}

/// Claims of everybody who stands in the way of a wait: its own guard, which it is to turn, does not.
pub(super) fn held_by_others(replay: &Replay, wait: &Wait) -> impl Iterator<Item = Claim> + Clone {
    let own = wait.turns.then(|| replay.last_guard(wait.task, wait.object)).flatten();
    let (own, object) = (own, wait.object);
    let guards = replay.guards.iter().enumerate();
    guards.filter(move |(place, guard)| guard.object == object && Some(*place) != own).map(|(_, guard)| guard.claim)
}

/// Returns the guards that stand in the way of a claim: those that do so by themselves, or else all of them.
pub(super) fn in_the_way<'a>(state: &State, replay: &'a Replay, object: ObjectIndex, claim: Claim) -> Vec<&'a Guard> {
    let alone = |guard: &&Guard| !state.is_there(claim, std::iter::once(guard.claim));
    let guards: Vec<&Guard> = replay.holders(object).filter(alone).collect();
    if guards.is_empty() { replay.holders(object).collect() } else { guards }
}

/// Judges a grant, a refusal, an answer or a try by the conductor of the object `index`, with the state before it.
pub(super) fn hear(
    program: &Program,
    (state, promises): (&State, Promises),
    event: &Event,
    index: ObjectIndex,
    before: &Replay,
) -> Option<Finding> {
    let name = object(program, index);
    let table = program.objects()[index].primitive.table();
    let holders = || before.holders(index).map(|guard| task(program, guard.task)).collect::<Vec<_>>().join(" and ");
    // A waker may find the lock in the middle of a call, so what it is refused or answered says nothing.
    let is_unused = |claim: Claim| is_unused(state, before, index, claim) && event.role != Role::Waker;
    // Whoever took over from a holder that panicked was refused, or will be.
    let is_poisoned = promises.poison && before.was_dropped_by_panic(index);
    match &event.what {
        What::Acquired { .. } if is_poisoned => {
            let because = format!("{name} is poisoned by the panic of its holder, yet it is acquired");
            Some(Finding::new(Verdict::Violation, because))
        }
        What::Refused { .. } | What::Tried { trial: Trial::Refused, .. } if is_poisoned => None,
        What::Tried { trial: Trial::Free, .. } if is_poisoned => Some(Finding::new(
            Verdict::Violation,
            format!("{name} is poisoned by the panic of its holder, yet a try takes it"),
        )),
        What::Acquired { claim, .. } if !state.is_there(*claim, held(before, index)) => {
            let second = event.task.map_or_else(String::new, |index| task(program, index));
            let guards = in_the_way(state, before, index, *claim);
            Some(Finding::new(Verdict::Violation, together(program, index, &guards, (&second, *claim))))
        }
        What::Turned { request, .. } => {
            let holder = event.task?;
            let own = before.last_guard(holder, index)?;
            let others =
                before.guards.iter().enumerate().filter(|(place, guard)| guard.object == index && *place != own);
            let claims = others.clone().map(|(_, guard)| guard.claim);
            (!state.is_there(request.claim(), claims)).then(|| {
                let guards: Vec<&Guard> = others.map(|(_, guard)| guard).collect();
                Finding::new(
                    Verdict::Violation,
                    together(program, index, &guards, (&task(program, holder), request.claim())),
                )
            })
        }
        What::Replied { request, answer, .. } => untrue(program, state, (index, *request), answer, before),
        What::Answered { locked, .. } => {
            let request = crate::primitive::Primitive::requests(program.objects()[index].primitive)
                .find(|request| request.verb().effect == crate::primitive::Effect::AskHeld)?;
            match (state.answer(request, held(before, index)), locked) {
                (Expected::Is(true), false) => Some(Finding::new(
                    Verdict::Violation,
                    format!("{name} is held by {}, yet {request} says no", holders()),
                )),
                (Expected::Is(false), true) if is_unused(Claim::WHOLE) => {
                    Some(Finding::new(Verdict::Leaked, format!("{name} is free, yet {request} says yes")))
                }
                _ => None,
            }
        }
        What::Refused { wait: false, claim, .. } if is_unused(*claim) => {
            Some(Finding::new(Verdict::Leaked, format!("{name} is free, yet a try is refused")))
        }
        What::Refused { wait: true, claim, .. } if self::is_unused(state, before, index, *claim) => {
            let what = if table.modes.len() == 1 { "an acquire" } else { "a wait" };
            // What a panic left behind is broken, and no lie about who holds it.
            let verdict = if before.was_dropped_by_panic(index) || before.has_library_panicked() {
                Verdict::Leaked
            } else {
                Verdict::Violation
            };
            Some(Finding::new(verdict, format!("{name} is free, yet {what} is refused")))
        }
        // At rest it follows from a wait that the harness broke off and not the script, so it is no fault of the lock.
        What::NotReleased { .. } if event.at == At::Rest => None,
        What::NotReleased { .. } => event.task.and_then(|holder| not_released(program, index, holder, before)),
        What::Tried { trial, mode, .. } => tried(program, state, index, (*trial, *mode), before),
        _ => None,
    }
}

/// Says who holds an object together who must not.
fn together(program: &Program, index: ObjectIndex, guards: &[&Guard], second: (&str, Claim)) -> String {
    let name = object(program, index);
    let table = program.objects()[index].primitive.table();
    if program.objects()[index].primitive.is_exclusive() {
        let holders: Vec<String> = guards.iter().map(|guard| task(program, guard.task)).collect();
        return format!("{name} is held by {} and {}", holders.join(" and "), second.0);
    }
    let all = guards.iter().map(|guard| (task(program, guard.task), guard.claim));
    let texts: Vec<String> = all
        .chain([(second.0.to_owned(), second.1)])
        .map(|(who, claim)| format!("{who} {}", holds(table, claim, &name)))
        .collect();
    texts.join(" and ")
}

/// Returns what a task does that holds `name` with this claim.
fn holds(table: &crate::primitive::Table, claim: Claim, name: &str) -> String {
    table.modes[claim.mode as usize].holds(claim.amount, name)
}

/// Judges the answer to a question that is no yes or no about holders.
fn untrue(
    program: &Program,
    state: &State,
    (index, request): (ObjectIndex, Request),
    answer: &Answer,
    replay: &Replay,
) -> Option<Finding> {
    let name = object(program, index);
    let lie = |right: &str| {
        Some(Finding::new(Verdict::Violation, format!("{request} of {name} says {answer}, and it is {right}")))
    };
    match answer {
        Answer::Flag(flag) => match state.answer(request, held(replay, index)) {
            Expected::Is(right) if right != *flag => lie(if right { "yes" } else { "no" }),
            _ => None,
        },
        Answer::Number(number) => {
            let right = state.count(request, held(replay, index))?;
            // What is granted and not yet taken up is out, so fewer may be there while somebody asks.
            let is_asked = replay.waits.iter().any(|wait| wait.object == index)
                || replay.kept.iter().any(|kept| kept.object == index && kept.since.is_some());
            let given = i128::from(*number);
            let is_short = given < right && !is_asked;
            match given > right {
                true => lie(&right.to_string()),
                false if is_short => Some(Finding::new(
                    Verdict::Leaked,
                    format!("{request} of {name} says {number}, and nobody holds the other {}", right - given),
                )),
                false => None,
            }
        }
        Answer::Text(_) => None,
    }
}

/// Judges a release that the lock refused. Who took the lock holds it and can give it back; to whom it was handed over,
/// a lock that knows its owner may refuse it.
fn not_released(program: &Program, index: ObjectIndex, holder: TaskIndex, before: &Replay) -> Option<Finding> {
    let (name, by) = (object(program, index), task(program, holder));
    let guard = before.guard(holder, index)?;
    if guard.taken_by == holder {
        return Some(Finding::new(Verdict::Violation, format!("{by} holds {name}, yet its release is refused")));
    }
    let because = format!("{} took {name}, so the lock refuses its release by {by}", task(program, guard.taken_by));
    Some(Finding::new(Verdict::Refused, because))
}

/// Judges a try by the conductor.
fn tried(
    program: &Program,
    state: &State,
    index: ObjectIndex,
    (trial, mode): (Trial, u8),
    replay: &Replay,
) -> Option<Finding> {
    let name = object(program, index);
    let claim = Claim { mode, amount: 1 };
    let is_contested = || replay.holders(index).any(|guard| guard.contested);
    match trial {
        Trial::Free if state.is_closed() => {
            Some(Finding::new(Verdict::Violation, format!("{name} is closed, yet a try takes it")))
        }
        Trial::Free if !state.is_there(claim, held(replay, index)) && !is_contested() => {
            let guards = in_the_way(state, replay, index, claim);
            let because = match guards.first() {
                Some(guard) => format!("{name} is held by {}, yet a try takes it", task(program, guard.task)),
                None => format!("there is nothing of {name}, yet a try takes it"),
            };
            Some(Finding::new(Verdict::Violation, because))
        }
        Trial::Free | Trial::Gone => None,
        Trial::Refused => {
            let is_leaked = is_unused(state, replay, index, claim) && !replay.contested.contains(&index);
            is_leaked.then(|| Finding::new(Verdict::Leaked, format!("{name} is held by nobody, yet refused")))
        }
        Trial::Panicked => Some(Finding::new(Verdict::Panicked, format!("a try of {name} panics"))),
    }
}

/// Returns whether nothing is in the way of a claim and nobody has asked for the object, so that it must be there to be
/// taken. An operation that has begun may have it reserved.
fn is_unused(state: &State, replay: &Replay, index: ObjectIndex, claim: Claim) -> bool {
    state.admits(claim, held(replay, index)) == Admission::Must
        && replay.waits.iter().all(|wait| wait.object != index)
        && replay.kept.iter().all(|kept| kept.object != index || kept.since.is_none())
}
