//! Prints a schedule as a script that the live driver replays.
//!
//! A line ends where nobody is woken, or where the live driver, which polls the woken in the order of their wakes, does
//! by itself what the schedule does next. In between the steps stand on one line, and a woken task that comes to its
//! turn is polled by a step.

use super::engine::Deed;
use super::plan::Plan;
use super::schedule::{Choice, Kind};
use crate::quiescence::TaskIndex;
use crate::scenario::name::Who;
use crate::scenario::{Action, Conduct, Line, Scenario, Step};

/// Returns the script of what was done, choice by choice. What follows the schedule is not in it.
pub(super) fn script(plan: &Plan, trace: &[Vec<Deed>]) -> Scenario {
    let name = format!("{}-schedule", plan.scenario.name);
    let mut script = Scenario {
        description: vec![format!("One schedule of {}.", plan.scenario.name)],
        objects: plan.objects().to_vec(),
        within: plan.scenario.within.clone(),
        ..Scenario::new(name.parse().unwrap_or_else(|_| plan.scenario.name.clone()))
    };
    let trace = &trace[..trace.len() - idle_polls(trace)];
    let mut line: Vec<Step> = Vec::new();
    // Whether one call woke several since the line began: then only the lock knows in which order.
    let mut is_doubtful = false;
    let mut next = 0;
    while next < trace.len() {
        let deeds = &trace[next];
        next += 1;
        line.extend(deeds.iter().filter_map(|deed| step(plan, deed)));
        is_doubtful |= rings_several(deeds);
        let end = if is_over(deeds) {
            Some(next)
        } else if is_doubtful {
            None
        } else {
            served(trace, next)
        };
        if let Some(end) = end {
            next = end;
            is_doubtful = false;
            flush(&mut script, &mut line);
        }
    }
    flush(&mut script, &mut line);
    script
}

/// Returns how many choices at the end are polls that came to nothing and to no end: the live driver does them by
/// itself.
fn idle_polls(trace: &[Vec<Deed>]) -> usize {
    const FEW: usize = 3;
    let is_idle = |deeds: &&Vec<Deed>| {
        let is_poll = matches!(deeds.first(), Some(Deed::Woken(_)));
        is_poll && !is_over(deeds) && !deeds.iter().any(|deed| matches!(deed, Deed::Granted { .. } | Deed::Op { .. }))
    };
    let idle = trace.iter().rev().take_while(is_idle).count();
    if idle > FEW { idle } else { 0 }
}

fn flush(script: &mut Scenario, line: &mut Vec<Step>) {
    if !line.is_empty() {
        script.lines.push(Line::new(std::mem::take(line)));
    }
}

/// Returns the place from which nobody is woken any more, if the choices from `next` on are what the live driver does
/// by itself.
fn served(trace: &[Vec<Deed>], next: usize) -> Option<usize> {
    let mut next = next;
    loop {
        let due = woken(&trace[next - 1])?;
        let deeds = trace.get(next)?;
        let is_served = matches!(deeds.first(), Some(Deed::Woken(task)) if *task == due);
        let is_alone = !deeds.iter().any(|deed| matches!(deed, Deed::Op { .. }));
        if !is_served || !is_alone || rings_several(deeds) {
            return None;
        }
        next += 1;
        if is_over(deeds) {
            return Some(next);
        }
    }
}

fn rings_several(deeds: &[Deed]) -> bool {
    deeds.iter().any(|deed| matches!(deed, Deed::Rung(tasks) if tasks.count_ones() > 1))
}

/// Returns who is polled next after these deeds.
fn woken(deeds: &[Deed]) -> Option<TaskIndex> {
    deeds.iter().find_map(|deed| match deed {
        Deed::After { queue, waits } => queue.iter().copied().find(|task| waits & 1 << task != 0),
        _ => None,
    })
}

fn is_over(deeds: &[Deed]) -> bool {
    woken(deeds).is_none()
}

fn step(plan: &Plan, deed: &Deed) -> Option<Step> {
    let who = |task: TaskIndex| Who::from(plan.tasks[task]);
    Some(match deed {
        Deed::Op { task, op } => {
            let op = plan.programs[*task].iter().find(|known| known.number == *op)?;
            Step::Task { who: who(*task), action: op.action.clone() }
        }
        Deed::Woken(task) => Step::Task { who: who(*task), action: Action::Repoll { new_waker: false } },
        Deed::Occasion(choice) => occasion(who(choice.task()), *choice)?,
        Deed::Begun | Deed::Rung(_) | Deed::Granted { .. } | Deed::NotRun | Deed::After { .. } => return None,
    })
}

fn occasion(who: Who, choice: Choice) -> Option<Step> {
    Some(match choice.kind() {
        Kind::Cancel => Step::Conductor(Conduct::Cancel(who)),
        Kind::Abort => Step::Conductor(Conduct::Abort(who)),
        Kind::Resume => Step::Task { who, action: Action::Repoll { new_waker: false } },
        Kind::ResumeAnew => Step::Task { who, action: Action::Repoll { new_waker: true } },
        Kind::Go | Kind::Stop => return None,
    })
}
