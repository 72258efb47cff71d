//! Cancel everywhere: from what a scenario did, the same scenario with a cancel or an abort at each place where an
//! operation was pending, and in each window between a grant and its poll.
//!
//! It transforms scenarios and runs nothing.

use std::collections::BTreeSet;
use std::fmt;

use crate::program::Program;
use crate::quiescence::TaskIndex;
use crate::scenario::name::Who;
use crate::scenario::{Conduct, Line, Scenario, Step};
use crate::transcript::replay::Replay;
use crate::transcript::{At, Record, Role, What};
use crate::verdict::Verdict;

/// How many tasks are tried at one place, at most: of a crowd, the first, the second, one in the middle and the last.
const TASKS_MAX: usize = 4;

/// A scenario with one thing put into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// What was put in, and where.
    pub point: Point,
    /// The scenario with it.
    pub scenario: Scenario,
}

/// What was put into a scenario, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// The cancel or the abort.
    pub conduct: Conduct,
    /// The line of the script, counted from 0, that it follows or ends.
    pub line: usize,
    /// Whether it is on that line, before anybody who was woken is polled, or on one of its own.
    pub in_window: bool,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.in_window { "in the grant window of" } else { "after" };
        write!(f, "`{}` {place} line {} of the script", self.conduct, self.line)
    }
}

/// Returns the variants of a scenario of which this was the record.
pub fn variants(program: &Program, record: &Record) -> Vec<Variant> {
    let mut variants = Vec::new();
    for (line, places) in places(program, record).into_iter().enumerate() {
        for (in_window, tasks) in [(true, places.granted), (false, places.waiting)] {
            for task in few(&tasks) {
                let who = Who::from(program.tasks[task]);
                for conduct in [Conduct::Cancel(who), Conduct::Abort(who)] {
                    let point = Point { conduct, line, in_window };
                    variants.extend(variant(&program.scenario, point));
                }
            }
        }
    }
    variants
}

/// Returns whether a verdict of a variant speaks against the lock. What tasks do to each other, or what becomes of a
/// wait when its script goes on otherwise, does not.
pub fn is_fault(verdict: Verdict) -> bool {
    crate::explore::is_fault(verdict)
}

/// Who can be cancelled at a line.
#[derive(Default)]
struct Places {
    /// Who waits at its end.
    waiting: BTreeSet<TaskIndex>,
    /// Who waited and was woken or granted in its course.
    granted: BTreeSet<TaskIndex>,
}

fn places(program: &Program, record: &Record) -> Vec<Places> {
    // A crowd has a line of the program for each member, and one of the scenario.
    let mut line_of = Vec::with_capacity(program.steps.len());
    for (line, text) in program.scenario.lines.iter().enumerate() {
        let count: usize = text.steps.iter().map(|step| step.members().count()).sum();
        line_of.extend(std::iter::repeat_n(line, count));
    }
    let mut places: Vec<Places> = program.scenario.lines.iter().map(|_| Places::default()).collect();
    let mut replay = Replay::default();
    let mut last = 0;
    for event in &record.events {
        let At::Step(step) = event.at else { break };
        // What a step came to may be told late.
        let line = line_of[step].max(last);
        for passed in &mut places[last..line] {
            passed.waiting = waiting(&replay);
        }
        last = line;
        if let (Some(task), What::Acquired { .. } | What::Woken { .. }, Role::Effect) =
            (event.task, &event.what, event.role)
            && waiting(&replay).contains(&task)
        {
            places[line].granted.insert(task);
        }
        replay.apply(event);
    }
    for passed in places.iter_mut().skip(last) {
        passed.waiting = waiting(&replay);
    }
    places
}

fn waiting(replay: &Replay) -> BTreeSet<TaskIndex> {
    replay.waits.iter().filter(|wait| !wait.thread).map(|wait| wait.task).collect()
}

fn few(tasks: &BTreeSet<TaskIndex>) -> Vec<TaskIndex> {
    let all: Vec<TaskIndex> = tasks.iter().copied().collect();
    if all.len() <= TASKS_MAX {
        return all;
    }
    vec![all[0], all[1], all[all.len() / 2], all[all.len() - 1]]
}

/// Puts a point into a scenario. The steps of a line that gives a thread its operation stay alone.
fn variant(scenario: &Scenario, point: Point) -> Option<Variant> {
    let mut changed = scenario.clone();
    let step = Step::Conductor(point.conduct.clone());
    if point.in_window {
        let is_crowd = |step: &Step| step.members().nth(1).is_some();
        if changed.lines[point.line].steps.iter().any(is_crowd) {
            return None;
        }
        changed.lines[point.line].steps.push(step);
    } else {
        changed.lines.insert(point.line + 1, Line::new(vec![step]));
    }
    // Its rule speaks of the script as it was.
    changed.accepts.clear();
    Some(Variant { point, scenario: changed })
}
