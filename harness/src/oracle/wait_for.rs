//! Deadlocks and abandoned waits: follows who waits for what held by whom, at the end of the script.

use super::{Finding, object, task};
use crate::program::Program;
use crate::quiescence::TaskIndex;
use crate::transcript::replay::{Guard, Replay, Wait};
use crate::verdict::Verdict;

/// Where the chain from a waiter leads.
enum Fate {
    /// To a live task that can release.
    Lawful,
    /// Into a cycle, which these waits make up.
    Cycle(Vec<(Wait, TaskIndex)>),
    /// To a guard that nobody can release any more.
    Leaked(Guard),
}

/// Judges every wait at the end of the script: cycles and forgotten guards first, then who waits behind them.
pub(super) fn judge(program: &Program, state: &Replay) -> Vec<Finding> {
    let stuck = state.waits.iter().filter_map(|wait| judge_wait(program, state, wait));
    let (causes, behind): (Vec<_>, Vec<_>) = stuck.partition(|(is_cause, _)| *is_cause);
    causes.into_iter().chain(behind).map(|(_, finding)| finding).collect()
}

/// Returns what is wrong with a wait, and whether it is the cause itself and not behind it.
fn judge_wait(program: &Program, state: &Replay, wait: &Wait) -> Option<(bool, Finding)> {
    let holder = state.holders(wait.object).next()?;
    let because = |tail: &str| format!("{}{tail}", link(program, wait, holder.task));
    match follow(state, wait) {
        Fate::Lawful => None,
        Fate::Cycle(cycle) if cycle.iter().any(|(member, _)| member.task == wait.task) => {
            Some((true, Finding::new(Verdict::Deadlock, print_cycle(program, cycle))))
        }
        Fate::Cycle(_) => Some((false, Finding::new(Verdict::Deadlock, because(", behind a cycle")))),
        Fate::Leaked(guard) if guard == *holder => {
            let because = format!(
                "{} waits for {}, whose guard {} forgot",
                task(program, wait.task),
                object(program, wait.object),
                task(program, guard.task)
            );
            Some((true, Finding::new(Verdict::Abandoned, because)))
        }
        Fate::Leaked(_) => Some((false, Finding::new(Verdict::Abandoned, because(", behind a forgotten guard")))),
    }
}

/// Follows the chain of holders from `wait`. A task waits for one thing at a time and a mutex has one holder, so there
/// is one chain; it ends, or comes back to a task it has met.
fn follow(state: &Replay, wait: &Wait) -> Fate {
    let mut chain: Vec<(Wait, TaskIndex)> = Vec::new();
    let mut wait = *wait;
    loop {
        let Some(guard) = state.holders(wait.object).next() else {
            return Fate::Lawful;
        };
        if guard.forgotten {
            return Fate::Leaked(*guard);
        }
        chain.push((wait, guard.task));
        if let Some(start) = chain.iter().position(|(met, _)| met.task == guard.task) {
            return Fate::Cycle(chain.split_off(start));
        }
        match state.waits.iter().find(|next| next.task == guard.task) {
            Some(next) => wait = *next,
            None => return Fate::Lawful,
        }
    }
}

/// Prints a cycle from its first task on, so that it is the same whoever was asked.
fn print_cycle(program: &Program, mut cycle: Vec<(Wait, TaskIndex)>) -> String {
    let first = cycle.iter().enumerate().min_by_key(|(_, (wait, _))| wait.task).map_or(0, |(place, _)| place);
    cycle.rotate_left(first);
    let links: Vec<String> = cycle.iter().map(|(wait, holder)| link(program, wait, *holder)).collect();
    links.join("; ")
}

fn link(program: &Program, wait: &Wait, holder: TaskIndex) -> String {
    format!("{} waits for {} held by {}", task(program, wait.task), object(program, wait.object), task(program, holder))
}
