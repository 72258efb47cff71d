//! Judges a transcript: replays it on a sequential model of each primitive and names the verdict.
//!
//! It knows no backend and no rule of a suite, runs nothing, and prints nothing.

mod fault;
mod holds;
mod liveness;
mod order;
mod wait_for;

use std::collections::HashSet;

use crate::primitive::State;
use crate::program::{Deed, NameIndex, ObjectIndex, Program, StepIndex, TaskDeed};
use crate::promises::Promises;
use crate::quiescence::TaskIndex;
use crate::transcript::replay::Replay;
use crate::transcript::{At, Event, Fault, Role, Transcript, What};
use crate::verdict::Verdict;

pub use order::OVERTAKEN_MAX;

/// What a run came to, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The worst of the findings, or `completed`.
    pub verdict: Verdict,
    /// What was found, worst first, with a sentence each where the transcript alone does not say it.
    pub findings: Vec<Finding>,
    /// Who was granted an object before whom, where it was not the order of arrival. Facts, not faults.
    pub order: Vec<String>,
}

/// One thing that the oracle found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Finding {
    /// What it makes of the run.
    pub verdict: Verdict,
    /// Why, in terms of the scenario; empty where the transcript says it.
    pub because: String,
}

impl Finding {
    fn new(verdict: Verdict, because: impl Into<String>) -> Self {
        Self { verdict, because: because.into() }
    }
}

/// Judges a transcript of a library with these promises.
pub fn judge(transcript: &Transcript, promises: Promises) -> Judgement {
    let fault = transcript.record.fault.as_ref();
    let livelock = fault.filter(|fault| matches!(fault, Fault::Livelock { .. })).and_then(Fault::at);
    let states = transcript.program.objects().iter().map(|object| object.primitive.model(object.argument)).collect();
    let closed_at = vec![None; transcript.program.objects().len()];
    let program = &transcript.program;
    let counted = HashSet::new();
    let mut court = Court { program, promises, states, closed_at, livelock, counted, findings: Vec::new() };
    // A livelock came before the operation that is lacking, which ends the script.
    if transcript.is_unsupported() && livelock.is_none() {
        let findings = vec![Finding::new(Verdict::Unsupported, "")];
        return Judgement { verdict: Verdict::Unsupported, findings, order: Vec::new() };
    }
    let is_complete = fault.is_none_or(|fault| !fault.is_in_script());
    let mut replay = Replay::default();
    let mut order = order::Order::default();
    let mut events = transcript.script().peekable();
    let mut line = None;
    while let Some(event) = events.next() {
        court.foresee(event);
        court.hear(event, &replay);
        if !court.is_after_livelock(event.at) {
            order.hear(event, &replay);
        }
        replay.apply(event);
        if let (true, Some(task)) = (renews(court.program, event), event.task) {
            replay.renew(task);
        }
        // What a step came to may be told late, during a later line, which is not over by that.
        line = line.max(line_of(court.program, event));
        // A line that was broken off has not come to quiescence.
        let is_line_over = events.peek().map_or(is_complete, |next| line_of(court.program, next) > line);
        if is_line_over {
            // In the line of a livelock, and after it, those who spin were woken and are not polled.
            if !court.has_come_to_livelock(line) {
                court.findings.extend(liveness::at_quiescence(court.program, &court.states, &replay));
            }
            replay.settle();
        }
    }
    if is_complete {
        court.findings.extend(liveness::at_end(court.program, &court.states, &replay));
        court.findings.extend(wait_for::judge(court.program, &court.states, &replay));
        court.findings.extend(order::starved(court.program, &replay));
    }
    if is_complete || livelock.is_some() {
        court.hear_probes(transcript, replay);
    }
    court.findings.extend(fault.map(|fault| fault::judge(court.program, fault)));
    // The sort is stable, and the findings come in the order of the waits.
    court.findings.sort_by_key(|finding| finding.verdict);
    let mut told = HashSet::new();
    court.findings.retain(|finding| told.insert(finding.clone()));
    let verdict = court.findings.first().map_or(Verdict::Completed, |finding| finding.verdict);
    Judgement { verdict, findings: court.findings, order: order.facts(court.program) }
}

/// Returns whether an event is what came of a poll with another waker.
fn renews(program: &Program, event: &Event) -> bool {
    let At::Step(step) = event.at else { return false };
    let has_new_waker = matches!(program.steps[step].what, Deed::Task(TaskDeed::Repoll { new_waker: true }));
    let is_result = event.role == Role::Result && event.task == program.steps[step].task;
    has_new_waker && is_result && !matches!(event.what, What::NotRun { .. })
}

/// Returns the line of the script that an event belongs to.
fn line_of(program: &Program, event: &Event) -> Option<usize> {
    match event.at {
        At::Step(step) => Some(program.line_of[step]),
        At::Probe | At::Rest => None,
    }
}

struct Court<'a> {
    program: &'a Program,
    promises: Promises,
    /// The model of each object.
    states: Vec<State>,
    /// When each object was closed, as a count of events, if it was.
    closed_at: Vec<Option<usize>>,
    /// When the first livelock came, if one did.
    livelock: Option<At>,
    /// Steps whose change was counted, or never came to be.
    counted: HashSet<usize>,
    findings: Vec<Finding>,
}

impl Court<'_> {
    /// Returns whether what happens at `at` comes after a livelock. What the lock does then depends on whom the driver
    /// does not poll any more, so nothing but a violation speaks against the lock.
    fn is_after_livelock(&self, at: At) -> bool {
        let line = |step: StepIndex| self.program.line_of[step];
        match (self.livelock, at) {
            (None, _) => false,
            (Some(At::Step(livelock)), At::Step(step)) => line(step) > line(livelock),
            // While all let go, nothing tells what came before the livelock.
            (Some(livelock), at) => at >= livelock,
        }
    }

    /// Returns whether a livelock came in `line` of the script or before it.
    fn has_come_to_livelock(&self, line: Option<usize>) -> bool {
        match self.livelock {
            Some(At::Step(step)) => line >= Some(self.program.line_of[step]),
            _ => false,
        }
    }

    /// Counts what a step gives before its own result is recorded, if something else happens during it.
    fn foresee(&mut self, event: &Event) {
        let At::Step(step) = event.at else { return };
        let Deed::Task(TaskDeed::Ask { request, object, .. }) = self.program.steps[step].what else { return };
        if !self.states[object].gives_early(request) {
            return;
        }
        match (event.role, &event.what) {
            (Role::Result, What::NotRun { .. } | What::Unsupported) => {
                self.counted.insert(step);
            }
            (Role::Result, _) => {}
            _ if self.counted.insert(step) => self.states[object].change(request, None),
            _ => {}
        }
    }

    /// Hears one event, with the state before it.
    fn hear(&mut self, event: &Event, before: &Replay) {
        let known = self.findings.len();
        self.hear_all(event, before);
        if self.is_after_livelock(event.at) {
            let mut late = self.findings.split_off(known);
            late.retain(|finding| finding.verdict == Verdict::Violation);
            self.findings.extend(late);
        }
    }

    fn hear_all(&mut self, event: &Event, before: &Replay) {
        match &event.what {
            What::Panicked { scripted: false, .. } => {
                let because = match (event.at, event.task) {
                    (At::Rest, Some(index)) => format!("{} panicked while the tasks let go", task(self.program, index)),
                    (At::Probe, Some(index)) => format!("{} panicked because of a try", task(self.program, index)),
                    _ => String::new(),
                };
                self.findings.push(Finding::new(Verdict::Panicked, because));
            }
            What::ObjectPanicked { object: index, .. } => {
                let because = format!("{} panicked when it was dropped", object(self.program, *index));
                self.findings.push(Finding::new(Verdict::Panicked, because));
            }
            What::Refused { wait: true, object, future, .. }
                if !self.ends_by_close(event, *object, *future, before) =>
            {
                self.findings.push(Finding::new(Verdict::Refused, ""));
            }
            What::Acquired { object: index, future, .. }
                if self.closed_at[*index].is_some() && !self.ends_by_close(event, *index, *future, before) =>
            {
                let (name, who) = (object(self.program, *index), event.task.map(|who| task(self.program, who)));
                let because = format!("{name} is closed, yet {} acquires it", who.unwrap_or_default());
                self.findings.push(Finding::new(Verdict::Violation, because));
            }
            _ => {}
        }
        if let Some(object) = object_of(&event.what) {
            let state = &self.states[object];
            self.findings.extend(holds::hear(self.program, (state, self.promises), event, object, before));
        }
        if let What::Changed { object, request, number } = &event.what {
            let is_counted = match event.at {
                At::Step(step) => !self.counted.insert(step),
                At::Probe | At::Rest => false,
            };
            if !is_counted {
                self.states[*object].change(*request, *number);
            }
            if self.states[*object].is_closed() {
                self.closed_at[*object].get_or_insert(before.clock());
            }
        }
    }

    /// Returns whether an operation began before its object was closed, so that the script's own close may end it.
    fn ends_by_close(&self, event: &Event, object: ObjectIndex, future: Option<NameIndex>, before: &Replay) -> bool {
        let began = event.task.and_then(|task| before.since(task, object, future));
        self.closed_at[object].is_some_and(|closed| began.is_some_and(|began| began <= closed))
    }

    /// Hears what followed the script: what the probes found, with everybody in place and at rest, and what came of it.
    fn hear_probes(&mut self, transcript: &Transcript, mut state: Replay) {
        for event in transcript.record.events.iter().filter(|event| !matches!(event.at, At::Step(_))) {
            self.hear(event, &state);
            state.apply(event);
        }
    }
}

/// Returns the object that an event speaks of.
fn object_of(what: &What) -> Option<ObjectIndex> {
    match what {
        What::Acquired { object, .. }
        | What::Turned { object, .. }
        | What::Replied { object, .. }
        | What::Refused { object, .. }
        | What::Answered { object, .. }
        | What::NotReleased { object, .. }
        | What::Tried { object, .. } => Some(*object),
        _ => None,
    }
}

/// Returns the name of a task.
fn task(program: &Program, task: TaskIndex) -> String {
    program.tasks[task].to_string()
}

/// Returns the name of an object.
fn object(program: &Program, object: ObjectIndex) -> String {
    program.objects()[object].name.to_string()
}
