//! The sequential model of a mutex: one guard at a time, and a free one is there to be taken.

use super::{Finding, object, task};
use crate::program::{ObjectIndex, Program};
use crate::quiescence::TaskIndex;
use crate::transcript::replay::Replay;
use crate::transcript::{At, Event, Role, Trial, What};
use crate::verdict::Verdict;

/// Judges a grant, a refusal, an answer or a try by the conductor, with the state before it.
pub(super) fn hear(program: &Program, event: &Event, mutex: ObjectIndex, before: &Replay) -> Option<Finding> {
    let name = object(program, mutex);
    let holders: Vec<String> = before.holders(mutex).map(|guard| task(program, guard.task)).collect();
    match &event.what {
        What::Acquired { .. } => (!holders.is_empty()).then(|| {
            let second = event.task.map_or_else(String::new, |index| task(program, index));
            Finding::new(Verdict::Violation, format!("{name} is held by {} and {second}", holders.join(" and ")))
        }),
        What::Answered { locked: false, .. } if !holders.is_empty() => Some(Finding::new(
            Verdict::Violation,
            format!("{name} is held by {}, yet is-locked says no", holders.join(" and ")),
        )),
        What::Answered { locked: true, .. } if is_out_of_use(before, mutex) && event.role != Role::Waker => {
            Some(Finding::new(Verdict::Leaked, format!("{name} is free, yet is-locked says yes")))
        }
        // A waker may find the lock in the middle of a call, so its refusals say nothing.
        What::Refused { wait: false, .. } if is_out_of_use(before, mutex) && event.role != Role::Waker => {
            Some(Finding::new(Verdict::Leaked, format!("{name} is free, yet a try is refused")))
        }
        What::Refused { wait: true, .. } if is_out_of_use(before, mutex) => {
            Some(Finding::new(Verdict::Violation, format!("{name} is free, yet an acquire is refused")))
        }
        // At rest it follows from a wait that the harness broke off and not the script, so it is told and not judged.
        What::NotReleased { .. } if event.at == At::Rest => None,
        What::NotReleased { .. } => event.task.and_then(|holder| not_released(program, mutex, holder, before)),
        What::Tried { trial, .. } => tried(program, mutex, *trial, before),
        _ => None,
    }
}

/// Judges a release that the lock refused. Who took the lock holds it and can give it back; to whom it was handed over,
/// a lock that knows its owner may refuse it.
fn not_released(program: &Program, mutex: ObjectIndex, holder: TaskIndex, before: &Replay) -> Option<Finding> {
    let (name, by) = (object(program, mutex), task(program, holder));
    let guard = before.guard(holder, mutex)?;
    if guard.taken_by == holder {
        return Some(Finding::new(Verdict::Violation, format!("{by} holds {name}, yet its release is refused")));
    }
    let because = format!("{} took {name}, so the lock refuses its release by {by}", task(program, guard.taken_by));
    Some(Finding::new(Verdict::Refused, because))
}

/// Judges a try by the conductor.
fn tried(program: &Program, mutex: ObjectIndex, trial: Trial, state: &Replay) -> Option<Finding> {
    let name = object(program, mutex);
    match trial {
        Trial::Free => state.holders(mutex).find(|guard| !guard.contested).map(|guard| {
            let holder = task(program, guard.task);
            Finding::new(Verdict::Violation, format!("{name} is held by {holder}, yet a try takes it"))
        }),
        Trial::Refused => (is_out_of_use(state, mutex) && !state.contested.contains(&mutex))
            .then(|| Finding::new(Verdict::Leaked, format!("{name} is held by nobody, yet refused"))),
        Trial::Panicked => Some(Finding::new(Verdict::Panicked, format!("a try of {name} panics"))),
        Trial::Gone => None,
    }
}

/// Returns whether nobody holds a mutex and nobody has asked for it, so that it must be there to be taken. An operation
/// that has begun may have it reserved.
fn is_out_of_use(state: &Replay, mutex: ObjectIndex) -> bool {
    state.is_free(mutex)
        && state.waits.iter().all(|wait| wait.object != mutex)
        && state.kept.iter().all(|kept| kept.object != mutex || kept.since.is_none())
}
