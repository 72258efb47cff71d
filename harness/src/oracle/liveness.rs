//! Lost wake-ups and futurelocks: who waits for an object that nobody holds.

use super::{Finding, object, task};
use crate::program::{ObjectIndex, Program};
use crate::transcript::replay::{Replay, Wait};
use crate::verdict::Verdict;

/// Judges the state at quiescence after a line. Nothing can run any more, so whoever waits for a free object would wait
/// for ever; also if a later step of the script happens to wake him.
pub(super) fn at_quiescence(program: &Program, state: &Replay) -> Vec<Finding> {
    let lost = |wait: &&Wait| state.is_free(wait.object) && offered_to(state, wait).is_none();
    let say = |wait: &Wait| {
        let because = format!("{} waits for {}, which is free", task(program, wait.task), object(program, wait.object));
        Finding::new(Verdict::LostWakeup, because)
    };
    let mut findings: Vec<Finding> = state.waits.iter().filter(lost).map(say).collect();
    findings.extend((0..program.objects().len()).filter_map(|object| untold(program, state, object)));
    findings
}

/// Judges an object that only kept futures ask for. If it is free, one of them must have been told: a task that chooses
/// among several futures is woken, or it never looks.
fn untold(program: &Program, state: &Replay, index: ObjectIndex) -> Option<Finding> {
    if !state.is_free(index) || state.waits.iter().any(|wait| wait.object == index) {
        return None;
    }
    let asking = || state.kept.iter().filter(|kept| kept.object == index && kept.since.is_some());
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
pub(super) fn at_end(program: &Program, state: &Replay) -> Vec<Finding> {
    let locked = |wait: &Wait| {
        let kept = state.is_free(wait.object).then(|| offered_to(state, wait)).flatten()?;
        let because = format!(
            "{} waits for {}, which is offered to the future {} that {} keeps and does not poll",
            task(program, wait.task),
            object(program, wait.object),
            program.futures[kept.future],
            task(program, kept.task),
        );
        Some(Finding::new(Verdict::Futurelock, because))
    };
    state.waits.iter().filter_map(locked).collect()
}

/// Returns a kept future that began to ask for the object of `wait` and was offered it since it was polled last.
fn offered_to<'a>(state: &'a Replay, wait: &Wait) -> Option<&'a crate::transcript::replay::Kept> {
    state.kept.iter().find(|kept| kept.object == wait.object && kept.since.is_some() && kept.woken)
}
