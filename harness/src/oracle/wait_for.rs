//! Deadlocks and abandoned waits: who can go on, at the end of the script.
//!
//! A task that does not wait can go on. A wait can go on if its object admits it without the holds of tasks that can,
//! and every older wait for the object can go on. What is left waits for each other, or for a guard that nobody can
//! release.

use std::collections::VecDeque;

use super::liveness::waits;
use super::{Finding, task};
use crate::primitive::model::Admission;
use crate::primitive::{Claim, State};
use crate::program::Program;
use crate::quiescence::TaskIndex;
use crate::transcript::replay::{Guard, Replay, Wait};
use crate::verdict::Verdict;

/// Judges every wait at the end of the script: cycles and forgotten guards first, then who waits behind them.
pub(super) fn judge(program: &Program, states: &[State], replay: &Replay) -> Vec<Finding> {
    let search = Search::new(states, replay);
    let stuck = replay.waits.iter().filter(|wait| search.is_stuck(wait.task));
    let (causes, behind): (Vec<_>, Vec<_>) =
        stuck.filter_map(|wait| search.judge(program, wait)).partition(|(is_cause, _)| *is_cause);
    causes.into_iter().chain(behind).map(|(_, finding)| finding).collect()
}

/// Who is in whose way.
struct Search<'a> {
    states: &'a [State],
    replay: &'a Replay,
    /// Tasks whose wait can go on.
    free: Vec<TaskIndex>,
}

/// What keeps a wait from going on.
#[derive(Clone, Copy)]
enum Obstacle<'a> {
    Hold(&'a Guard),
    /// An older wait for the same object.
    Wait(&'a Wait),
}

impl Obstacle<'_> {
    fn task(&self) -> TaskIndex {
        match self {
            Obstacle::Hold(guard) => guard.task,
            Obstacle::Wait(wait) => wait.task,
        }
    }
}

impl<'a> Search<'a> {
    fn new(states: &'a [State], replay: &'a Replay) -> Self {
        let mut search = Self { states, replay, free: Vec::new() };
        loop {
            let goes_on = |wait: &&Wait| {
                search.is_stuck(wait.task) && search.obstacles(wait).is_empty() && !search.is_above_total(wait)
            };
            let next: Vec<TaskIndex> = replay.waits.iter().filter(goes_on).map(|wait| wait.task).collect();
            if next.is_empty() {
                return search;
            }
            search.free.extend(next);
        }
    }

    /// Returns whether a task waits and cannot go on.
    fn is_stuck(&self, task: TaskIndex) -> bool {
        !self.free.contains(&task) && self.replay.waits.iter().any(|wait| wait.task == task)
    }

    /// Returns the holds that stay: those that were leaked, and those of tasks that are stuck.
    fn stays(&self, guard: &Guard) -> bool {
        guard.forgotten || self.is_stuck(guard.task)
    }

    /// Returns whether a wait asks for more than there is of its object in all.
    fn is_above_total(&self, wait: &Wait) -> bool {
        let total = self.states[wait.object].total();
        total.is_some_and(|total| total > 0 && i128::from(wait.claim.amount) > total)
    }

    /// Returns what keeps a wait from going on, holds first.
    fn obstacles(&self, wait: &Wait) -> Vec<Obstacle<'a>> {
        let state = &self.states[wait.object];
        let own = wait.turns.then(|| self.replay.last_guard(wait.task, wait.object)).flatten();
        let others = self.replay.guards.iter().enumerate().filter(move |(place, _)| Some(*place) != own);
        let others = others.map(|(_, guard)| guard);
        let stay = || others.clone().filter(|guard| guard.object == wait.object && self.stays(guard));
        let claims = stay().map(|guard| guard.claim).collect::<Vec<Claim>>();
        if state.admits(wait.claim, claims.iter().copied()) == Admission::Never {
            let alone = |guard: &&Guard| state.admits(wait.claim, std::iter::once(guard.claim)) == Admission::Never;
            let some: Vec<Obstacle<'a>> = stay().filter(alone).map(Obstacle::Hold).collect();
            return if some.is_empty() { stay().map(Obstacle::Hold).collect() } else { some };
        }
        let older = |other: &&Wait| {
            other.object == wait.object
                && other.task != wait.task
                && other.since < wait.since
                && self.is_stuck(other.task)
        };
        self.replay.waits.iter().filter(older).map(Obstacle::Wait).collect()
    }

    /// Returns what is wrong with a wait that is stuck, and whether it is the cause itself and not behind it.
    fn judge(&self, program: &Program, wait: &'a Wait) -> Option<(bool, Finding)> {
        if self.is_above_total(wait) {
            let total = self.states[wait.object].total().unwrap_or_default();
            let because =
                format!("{} {}, and there are {total} in all", task(program, wait.task), waits(program, wait));
            return Some((true, Finding::new(Verdict::Deadlock, because)));
        }
        if let Some(cycle) = self.own_cycle(wait) {
            return Some((true, Finding::new(Verdict::Deadlock, self.print(program, cycle))));
        }
        let obstacles = self.obstacles(wait);
        let first = obstacles.first()?;
        if let Obstacle::Hold(guard) = first
            && guard.forgotten
        {
            let because = format!(
                "{} {}, whose guard {} forgot",
                task(program, wait.task),
                waits(program, wait),
                task(program, guard.task)
            );
            return Some((true, Finding::new(Verdict::Abandoned, because)));
        }
        let (verdict, tail) = match self.meets_cycle(wait) {
            true => (Verdict::Deadlock, ", behind a cycle"),
            false => (Verdict::Abandoned, ", behind a forgotten guard"),
        };
        Some((false, Finding::new(verdict, format!("{}{tail}", link(program, wait, first)))))
    }

    fn wait_of(&self, task: TaskIndex) -> Option<&'a Wait> {
        self.replay.waits.iter().find(|wait| wait.task == task)
    }

    /// Returns the cycle that a wait is the cause of: its shortest, unless a task of it is in a shorter one, behind
    /// which the wait stands.
    fn own_cycle(&self, start: &'a Wait) -> Option<Vec<(&'a Wait, Obstacle<'a>)>> {
        let cycle = self.cycle(start)?;
        let is_longer = |wait: &Wait| self.cycle(self.wait_of(wait.task)?).map(|other| other.len() < cycle.len());
        let is_behind = cycle.iter().any(|(wait, _)| is_longer(wait) == Some(true));
        (!is_behind).then_some(cycle)
    }

    /// Returns the shortest way from a wait back to its own task, if there is one.
    fn cycle(&self, start: &'a Wait) -> Option<Vec<(&'a Wait, Obstacle<'a>)>> {
        let mut queue = VecDeque::from([vec![start]]);
        let mut seen = vec![start.task];
        while let Some(way) = queue.pop_front() {
            let last = *way.last().expect("a way begins with a wait");
            for obstacle in self.obstacles(last) {
                if matches!(obstacle, Obstacle::Hold(guard) if guard.forgotten) {
                    continue;
                }
                if obstacle.task() == start.task {
                    return Some(self.links(&way, obstacle));
                }
                if let Some(next) = self.wait_of(obstacle.task()).filter(|next| !seen.contains(&next.task)) {
                    seen.push(next.task);
                    queue.push_back(way.iter().copied().chain([next]).collect());
                }
            }
        }
        None
    }

    /// Returns each wait of a way with what is in its way: the next, and `last` for the last.
    fn links(&self, way: &[&'a Wait], last: Obstacle<'a>) -> Vec<(&'a Wait, Obstacle<'a>)> {
        let obstacle = |(place, wait): (usize, &&'a Wait)| {
            let next = way
                .get(place + 1)
                .and_then(|next| self.obstacles(wait).into_iter().find(|obstacle| obstacle.task() == next.task));
            (*wait, next.unwrap_or(last))
        };
        way.iter().enumerate().map(obstacle).collect()
    }

    /// Returns whether the ways from a wait lead into a cycle.
    fn meets_cycle(&self, start: &'a Wait) -> bool {
        let mut ahead = vec![start];
        let mut seen = vec![start.task];
        while let Some(wait) = ahead.pop() {
            for obstacle in self.obstacles(wait) {
                let Some(next) = self.wait_of(obstacle.task()).filter(|next| !seen.contains(&next.task)) else {
                    continue;
                };
                if self.cycle(next).is_some() || self.is_above_total(next) {
                    return true;
                }
                seen.push(next.task);
                ahead.push(next);
            }
        }
        false
    }

    /// Prints a cycle from its first task on, so that it is the same whoever was asked.
    fn print(&self, program: &Program, mut cycle: Vec<(&Wait, Obstacle<'_>)>) -> String {
        let first = cycle.iter().enumerate().min_by_key(|(_, (wait, _))| wait.task).map_or(0, |(place, _)| place);
        cycle.rotate_left(first);
        let links: Vec<String> = cycle.iter().map(|(wait, obstacle)| link(program, wait, obstacle)).collect();
        links.join("; ")
    }
}

/// Says what a task waits for and who is in its way.
fn link(program: &Program, wait: &Wait, obstacle: &Obstacle<'_>) -> String {
    let (who, what, by) = (task(program, wait.task), waits(program, wait), task(program, obstacle.task()));
    let primitive = program.objects()[wait.object].primitive;
    match obstacle {
        Obstacle::Hold(_) if primitive.is_exclusive() => format!("{who} {what} held by {by}"),
        Obstacle::Hold(guard) => {
            let holds = primitive.table().modes[guard.claim.mode as usize].holds(guard.claim.amount, "");
            // The name of the object may have stood between two words.
            let holds: Vec<&str> = holds.split_whitespace().collect();
            format!("{who} {what}, which {by} {}", holds.join(" "))
        }
        Obstacle::Wait(older) => {
            format!("{who} {what}, behind {by}, which {}", waits(program, older))
        }
    }
}
