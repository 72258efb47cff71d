//! An outcome: a transcript with its verdict, and the grade that the scenario's rule gives to it.

use crate::oracle::{Judgement, judge};
use crate::promises::Promises;
use crate::scenario::{Accept, Condition, Scenario};
use crate::transcript::render::{RESULT_COLUMN, StepText};
use crate::transcript::{Record, Transcript};
use crate::verdict::{Grade, Verdict};

/// What one backend did with one scenario, judged and put into words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What the run came to.
    pub verdict: Verdict,
    /// What the scenario's rule says of it.
    pub grade: Grade,
    /// Why it is permitted, or which conditions failed if the verdict is accepted only under conditions.
    pub sentence: Option<String>,
    /// The text that snapshots keep: transcript, order of grants, verdict and its reasons.
    pub lines: Vec<String>,
    /// What was seen, for comparing runs.
    pub record: Record,
}

impl Outcome {
    /// Judges a transcript of a library that promises nothing more than its models, and grades the verdict.
    pub fn of(transcript: Transcript) -> Self {
        Self::under(Promises::default(), transcript)
    }

    /// Judges a transcript of a library with these promises, and grades the verdict.
    pub fn under(promises: Promises, transcript: Transcript) -> Self {
        let judgement = judge(&transcript, promises);
        let scenario = &transcript.program.scenario;
        let (grade, sentence) = grade(scenario, judgement.verdict, || transcript.steps());
        Self {
            verdict: judgement.verdict,
            grade,
            sentence,
            lines: lines(&transcript, &judgement),
            record: transcript.record,
        }
    }

    /// Returns the text that snapshots keep.
    pub fn text(&self) -> String {
        self.lines.join("\n")
    }

    /// Returns the lines that tell kinds of behaviour, without the verbatim messages of libraries: two outcomes that
    /// differ in their lines and not here differ only in wording.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str).filter(|line| !is_message(line))
    }
}

/// Returns whether a line of an outcome is the verbatim message of a library: it begins where results begin.
pub fn is_message(line: &str) -> bool {
    line.len() > RESULT_COLUMN && line.as_bytes()[..RESULT_COLUMN].iter().all(|byte| *byte == b' ')
}

fn lines(transcript: &Transcript, judgement: &Judgement) -> Vec<String> {
    if judgement.verdict == Verdict::Unsupported {
        let lacking = transcript.steps().into_iter().find(|step| step.parts.iter().any(|part| part == "unsupported"));
        let step = lacking.map_or_else(String::new, |step| step.step);
        return vec![row(&step, "unsupported"), row("verdict", Verdict::Unsupported.as_str())];
    }
    let mut lines = transcript.lines();
    lines.extend(judgement.order.iter().map(|fact| row("order", fact)));
    lines.push(row("verdict", judgement.verdict.as_str()));
    let told = judgement.findings.iter().filter(|finding| !finding.because.is_empty());
    lines.extend(told.map(|finding| {
        let name = if finding.verdict == judgement.verdict { "because" } else { "also" };
        row(name, &finding.because)
    }));
    lines
}

fn row(left: &str, right: &str) -> String {
    let width = RESULT_COLUMN - 2;
    format!("{left:width$}  {right}")
}

/// Returns whether a part of a transcript line says what a condition asks for. A condition may leave out the object
/// that a transcript adds where the step does not name it.
fn gives(scenario: &Scenario, part: &str, wanted: &str) -> bool {
    let names_object = |object: &str| scenario.objects.iter().any(|declared| declared.name.as_str() == object);
    match part.strip_prefix(wanted) {
        Some("") => true,
        Some(rest) => rest.strip_prefix(' ').is_some_and(names_object),
        None => false,
    }
}

/// Returns the grade that the `accept` lines of a scenario give to a verdict, and why: the first line that applies
/// decides.
///
/// The reason is the sentence of a `permitted` line, or, if lines accept the verdict and none of them applies, which
/// conditions failed. `unsupported` that no line accepts stays ungraded.
pub fn grade(scenario: &Scenario, verdict: Verdict, steps: impl FnOnce() -> Vec<StepText>) -> (Grade, Option<String>) {
    let otherwise = match verdict {
        Verdict::Unsupported => Grade::Ungraded,
        Verdict::Completed if scenario.accepts.is_empty() => Grade::Conforms,
        _ => Grade::Violates,
    };
    let candidates: Vec<&Accept> = scenario.accepts.iter().filter(|accept| accept.verdict == verdict).collect();
    let steps = if candidates.iter().any(|accept| !accept.conditions.is_empty()) { steps() } else { Vec::new() };
    let mut failed = Vec::new();
    for accept in candidates {
        match accept.conditions.iter().find(|condition| !holds(scenario, condition, &steps)) {
            None => return (accept.grade, accept.sentence.clone()),
            Some(condition) => failed.push(condition),
        }
    }
    (otherwise, (otherwise == Grade::Violates && !steps.is_empty()).then(|| say_failed(&failed, &steps)))
}

/// Returns what each occurrence of the step of a condition came to.
fn results<'s>(condition: &Condition, steps: &'s [StepText]) -> impl Iterator<Item = &'s [String]> {
    let texts: Vec<String> = condition.step.members().map(|member| member.to_string()).collect();
    steps.iter().filter(move |step| texts.contains(&step.step)).map(|step| step.parts.as_slice())
}

fn holds(scenario: &Scenario, condition: &Condition, steps: &[StepText]) -> bool {
    results(condition, steps).flatten().any(|part| gives(scenario, part, &condition.gives))
}

/// Names the conditions that failed, step by step, and what the steps gave instead.
fn say_failed(failed: &[&Condition], steps: &[StepText]) -> String {
    let mut texts: Vec<String> = Vec::new();
    for (place, condition) in failed.iter().enumerate() {
        let is_same = |other: &&&Condition| other.step == condition.step;
        if failed[..place].iter().any(|other| is_same(&other)) {
            continue;
        }
        let mut wanted: Vec<String> = failed.iter().filter(is_same).map(|same| format!("`{}`", same.gives)).collect();
        wanted.dedup();
        let given: Vec<String> = results(condition, steps).map(|parts| format!("`{}`", parts.join("; "))).collect();
        let given = if given.is_empty() { "nothing".to_owned() } else { given.join(" and ") };
        texts.push(format!("`{}` gives {given}, not {}", condition.step, wanted.join(" or ")));
    }
    texts.join("; ")
}
