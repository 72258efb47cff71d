//! Lost wake-ups and futurelocks: who waits although nothing explains it.

use super::holds::{held, held_by_others};
use super::{Finding, object, task};
use crate::primitive::State;
use crate::primitive::model::Admission;
use crate::program::{ObjectIndex, Program};
use crate::transcript::replay::{Kept, Replay, Wait};
use crate::verdict::Verdict;

/// Judges the state at quiescence after a line. Nothing can run any more, so a wait that nothing explains would go on
/// for ever; also if a later step of the script happens to wake its task.
pub(super) fn at_quiescence(program: &Program, states: &[State], replay: &Replay) -> Vec<Finding> {
    let lost = |wait: &&Wait| {
        let state = &states[wait.object];
        !is_explained(state, replay, wait.object)
            && offered_to(replay, wait.object).is_none()
            && in_line(state, replay, wait.object).is_none()
    };
    let say = |wait: &Wait| {
        let state = if states[wait.object].is_closed() { "closed" } else { "free" };
        let because = format!("{} {}, which is {state}", task(program, wait.task), waits(program, wait));
        Finding::new(Verdict::LostWakeup, because)
    };
    let mut findings: Vec<Finding> = replay.waits.iter().filter(lost).map(say).collect();
    findings.extend((0..program.objects().len()).filter_map(|index| untold(program, &states[index], replay, index)));
    findings
}

/// Returns whether holds explain the waits for an object: they keep at least one of its waits from going on. That one
/// explains the others, whichever the policy: it is older, and they queue behind it, or it is newer, and the lock
/// serves it first.
fn is_explained(state: &State, replay: &Replay, object: ObjectIndex) -> bool {
    let mut waits = replay.waits.iter().filter(|wait| wait.object == object);
    waits.any(|wait| state.admits(wait.claim, held_by_others(replay, wait)) == Admission::Never)
}

/// Judges an object that only kept futures ask for. If one of them could have it, one must have been woken: a task that
/// chooses among several futures is woken, or it never looks.
fn untold(program: &Program, state: &State, replay: &Replay, index: ObjectIndex) -> Option<Finding> {
    if replay.waits.iter().any(|wait| wait.object == index) {
        return None;
    }
    let asking = || replay.kept.iter().filter(|kept| kept.object == index && kept.since.is_some());
    if asking().any(|kept| state.admits(kept.claim, held(replay, index)) == Admission::Never) {
        return None;
    }
    let first = asking().min_by_key(|kept| kept.since).filter(|_| asking().all(|kept| !kept.woken))?;
    let because = format!(
        "the future {} that {} keeps was not woken for {}, which is free",
        program.futures[first.future],
        task(program, first.task),
        object(program, index)
    );
    Some(Finding::new(Verdict::LostWakeup, because))
}

/// Judges the state at the end of the script: a future that is kept and not polled may stand in the way only for a
/// while, and the script had its chance to poll it.
pub(super) fn at_end(program: &Program, states: &[State], replay: &Replay) -> Vec<Finding> {
    let locked = |wait: &Wait| {
        let state = &states[wait.object];
        if is_explained(state, replay, wait.object) {
            return None;
        }
        let (kept, how) = match offered_to(replay, wait.object) {
            Some(kept) => (kept, "which is offered to"),
            None => (in_line(state, replay, wait.object)?, "behind"),
        };
        let because = format!(
            "{} {}, {how} the future {} that {} keeps and does not poll",
            task(program, wait.task),
            waits(program, wait),
            program.futures[kept.future],
            task(program, kept.task),
        );
        Some(Finding::new(Verdict::Futurelock, because))
    };
    replay.waits.iter().filter_map(locked).collect()
}

/// Returns what a waiting task does: `waits for m`.
pub(super) fn waits(program: &Program, wait: &Wait) -> String {
    let table = program.objects()[wait.object].primitive.table();
    table.modes[wait.claim.mode as usize].waits(wait.claim.amount, &object(program, wait.object))
}

/// Returns a kept future that began to ask for an object and was offered it since it was polled last.
fn offered_to(replay: &Replay, object: ObjectIndex) -> Option<&Kept> {
    replay.kept.iter().find(|kept| kept.object == object && kept.since.is_some() && kept.woken)
}

/// Returns a kept future that began to ask for an object and asks for more than there is: those who could have the rest
/// may stand behind it, whichever the policy, as they may behind a wait.
fn in_line<'a>(state: &State, replay: &'a Replay, object: ObjectIndex) -> Option<&'a Kept> {
    let mut kept = replay.kept.iter().filter(|kept| kept.object == object && kept.since.is_some());
    kept.find(|kept| state.admits(kept.claim, held(replay, object)) == Admission::Never)
}
