//! Judges a transcript: replays it on a sequential model of each primitive and names the verdict.
//!
//! It knows no backend and no rule of a suite, runs nothing, and prints nothing.

mod fault;
mod liveness;
mod mutex;
mod order;
mod wait_for;

use crate::driver::program::{ObjectIndex, Program};
use crate::primitive::Primitive;
use crate::quiescence::TaskIndex;
use crate::transcript::replay::Replay;
use crate::transcript::{At, Event, Role, Transcript, What};
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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

/// Judges a transcript.
pub fn judge(transcript: &Transcript) -> Judgement {
    let mut court = Court { program: &transcript.program, findings: Vec::new() };
    if transcript.is_unsupported() {
        let findings = vec![Finding::new(Verdict::Unsupported, "")];
        return Judgement { verdict: Verdict::Unsupported, findings, order: Vec::new() };
    }
    let mut replay = Replay::default();
    let mut order = order::Order::default();
    let mut events = transcript.script().peekable();
    while let Some(event) = events.next() {
        court.hear(event, &replay);
        order.hear(event, &replay);
        replay.apply(event);
        let line = line_of(court.program, event);
        let is_line_over = events.peek().is_none_or(|next| line_of(court.program, next) != line);
        if is_line_over && transcript.record.fault.is_none() {
            court.findings.extend(liveness::at_quiescence(court.program, &replay));
        }
    }
    match &transcript.record.fault {
        Some(fault) => court.findings.push(fault::judge(court.program, fault)),
        None => {
            court.findings.extend(liveness::at_end(court.program, &replay));
            court.findings.extend(wait_for::judge(court.program, &replay));
            court.findings.extend(order::starved(court.program, &replay));
            court.probes(transcript, &replay);
        }
    }
    court.findings.sort();
    court.findings.dedup();
    let verdict = court.findings.first().map_or(Verdict::Completed, |finding| finding.verdict);
    Judgement { verdict, findings: court.findings, order: order.facts(court.program) }
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
    findings: Vec<Finding>,
}

impl Court<'_> {
    /// Hears one event, with the state before it.
    fn hear(&mut self, event: &Event, before: &Replay) {
        match &event.what {
            What::Panicked { scripted: false, .. } => self.findings.push(Finding::new(Verdict::Panicked, "")),
            What::Refused { wait: true, .. } if event.role != Role::Waker => {
                self.findings.push(Finding::new(Verdict::Refused, ""));
            }
            _ => {}
        }
        if let Some(object) = object_of(&event.what) {
            self.findings.extend(match self.program.objects()[object].primitive {
                Primitive::Mutex => mutex::hear(self.program, event, object, before),
            });
        }
    }

    /// Hears what the probes found: with everybody in place, and at rest.
    fn probes(&mut self, transcript: &Transcript, end: &Replay) {
        let mut rest = end.clone();
        for event in transcript.record.events.iter().filter(|event| event.at == At::Rest) {
            if matches!(event.what, What::Panicked { scripted: false, .. }) {
                self.findings.push(Finding::new(Verdict::Panicked, "while the tasks let go"));
            }
            rest.apply(event);
        }
        for (object, declared) in self.program.objects().iter().enumerate() {
            let trials = [(&transcript.record.probe, end), (&transcript.record.rest, &rest)];
            for (trial, state) in trials.iter().filter_map(|(trials, state)| Some((trials.get(object)?, state))) {
                self.findings.extend(match declared.primitive {
                    Primitive::Mutex => mutex::try_by_conductor(self.program, object, *trial, state),
                });
            }
        }
    }
}

/// Returns the object that an event speaks of.
fn object_of(what: &What) -> Option<ObjectIndex> {
    match what {
        What::Acquired { object, .. } | What::Refused { object, .. } | What::Answered { object, .. } => Some(*object),
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
