//! Hands a finding over: as a scenario of a suite, and as a program that shows it on the bare library, with nothing else.
//!
//! How a library is called comes from its adapter; what is done comes from the script.

use std::collections::BTreeSet;

use super::{Finding, Kind};
use crate::outcome::is_message;
use crate::primitive::{Primitive, Request};
use crate::scenario::name::{ObjectName, TaskName, Who};
use crate::scenario::{Accept, Action, Conduct, Line, Parcel, Place, Scenario, Step};
use crate::verdict::{Grade, Verdict};

/// How a bare lock library is called.
#[derive(Clone, Copy, Debug)]
pub struct BareSyntax {
    /// The crate, as a manifest names it.
    pub package: &'static str,
    /// The features that its locks need, apart from the default ones.
    pub features: &'static [&'static str],
    /// Whether the default features are needed.
    pub default_features: bool,
    /// For each primitive: the types `Lock` (which is `Clone`) and `Guard`, and the functions `make`, `acquire` and
    /// `try_acquire`.
    pub items: &'static [(Primitive, &'static str)],
}

/// A program that shows a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BareProgram {
    /// `Cargo.toml`.
    pub manifest: String,
    /// `src/main.rs`.
    pub main: String,
}

/// Returns a finding as a scenario of a suite that the libraries `ids` can be run on.
pub fn regression(finding: &Finding, ids: &[&str]) -> Scenario {
    let text = finding.script.lines.iter().map(Line::to_string).collect::<Vec<_>>().join("\n");
    // FNV-1a: the name must be the same in every build.
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    let (word, rule) = match &finding.kind {
        Kind::Violation { verdict, herd } => (verdict.as_str(), rule(*verdict, *herd)),
        Kind::Difference { .. } => ("difference", "FAIRNESS-4"),
        Kind::Disagreement => ("disagreement", "EXCLUSION-1"),
    };
    let name = format!("regressions/{word}-{:08x}", hash >> 32);
    let backends: Vec<String> = ids.iter().map(|id| format!("--backend {id}")).collect();
    let verdicts: BTreeSet<Verdict> = finding.outcomes.iter().filter_map(|lines| verdict(lines)).collect();
    let accepts = match finding.kind {
        Kind::Difference { .. } => verdicts.into_iter().map(accept).collect(),
        _ => Vec::new(),
    };
    let description = match &finding.kind {
        Kind::Difference { step, left, right } => vec![format!(
            "At `{step}` two lock libraries part: {} says `{left}`, and {} `{right}`.",
            ids.first().unwrap_or(&"one"),
            ids.get(1).unwrap_or(&"the other")
        )],
        kind => vec![format!("Found by fuzzing: {kind}.")],
    };
    Scenario {
        description,
        rules: rule_id(rule),
        sources: vec![format!("keyalike fuzz {}, program {}", backends.join(" "), finding.program)],
        accepts,
        name: name.parse().expect("a theme and a name"),
        ..finding.script.clone()
    }
}

fn rule_id(rule: &str) -> Vec<crate::scenario::name::RuleId> {
    vec![rule.parse().expect("the id of a rule")]
}

/// Returns the rule that a fault breaks.
fn rule(verdict: Verdict, herd: bool) -> &'static str {
    match verdict {
        Verdict::LostWakeup => "WAKER-1",
        Verdict::Leaked => "EXCLUSION-2",
        Verdict::Panicked => "EXCLUSION-2",
        Verdict::Livelock => "WAKER-3",
        _ if herd => "WAKER-3",
        _ => "EXCLUSION-1",
    }
}

fn verdict(lines: &[String]) -> Option<Verdict> {
    lines.iter().find_map(|line| line.strip_prefix("verdict ")?.trim().parse().ok())
}

fn accept(verdict: Verdict) -> Accept {
    let conforms = verdict == Verdict::Completed;
    Accept {
        above: Vec::new(),
        verdict,
        conditions: Vec::new(),
        grade: if conforms { Grade::Conforms } else { Grade::Permitted },
        sentence: (!conforms).then(|| "one of two lock libraries does so; see the source".to_owned()),
        comment: None,
    }
}

/// The part of a bare program that is the same for every finding.
const RUN: &str = include_str!("bare_program.rs");

/// Returns the program that shows what the library of `syntax`, in its release `version`, does in a script: it exits 0 if
/// that is what `outcome` says.
///
/// # Errors
///
/// Why there is none, if the script does what a bare program cannot.
pub fn bare_program(
    script: &Scenario,
    syntax: &BareSyntax,
    version: &str,
    outcome: &[String],
) -> Result<BareProgram, String> {
    let primitives: BTreeSet<Primitive> = script.objects.iter().map(|object| object.primitive).collect();
    let Some(primitive) = primitives.first().filter(|_| primitives.len() == 1) else {
        return Err("it needs objects of one primitive".to_owned());
    };
    let items = syntax.items.iter().find(|(known, _)| known == primitive);
    let (_, items) = items.ok_or_else(|| format!("the bare library is not told how to make a {primitive}"))?;
    let mut tasks: Vec<TaskName> = script.steps().filter_map(|(_, step)| step.who()).flat_map(Who::members).collect();
    tasks.extend(script.steps().flat_map(|(_, step)| step.actions()).filter_map(|action| match action {
        Action::Send { to, .. } => Some(*to),
        _ => None,
    }));
    tasks.sort();
    tasks.dedup();
    let names = Numbers { script, tasks };
    let mut body = String::new();
    for line in &script.lines {
        for step in &line.steps {
            body.push_str(&format!("    {}\n", names.call(step)?));
        }
        body.push_str("    run.settle();\n");
    }
    let quoted = |words: Vec<String>| words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ");
    let locks = quoted(script.objects.iter().map(|object| object.name.to_string()).collect());
    let task_names = quoted(names.tasks.iter().map(TaskName::to_string).collect());
    let head: String =
        script.to_string().lines().map(|line| format!("//! {line}").trim_end().to_owned() + "\n").collect();
    let told: String = outcome.iter().map(|line| format!("//! {line}").trim_end().to_owned() + "\n").collect();
    let expected: String = names.expected(outcome).iter().map(|line| format!("    {line:?},\n")).collect();
    let package = syntax.package;
    let main = format!(
        "//! Shows what {package} {version} does in this script, by hand-polled futures and nothing else:\n//!\n\
         //! ```text\n{head}//! ```\n//!\n//! It was found to do this:\n//!\n//! ```text\n{told}//! ```\n\n\
         {items}\n{RUN}\nconst EXPECTED: &[&str] = &[\n{expected}];\n\n\
         fn main() {{\n    let mut run = Run::new(&[{locks}], &[{task_names}]);\n{body}    run.finish(EXPECTED);\n}}\n"
    );
    let features = quoted(syntax.features.iter().map(|feature| (*feature).to_owned()).collect());
    let manifest = format!(
        "[package]\nname = \"finding\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n[dependencies]\n\
         {package} = {{ version = \"={version}\", default-features = {}, features = [{features}] }}\n\n\
         # It is no part of any workspace above it.\n[workspace]\n",
        syntax.default_features
    );
    Ok(BareProgram { manifest, main })
}

/// Tasks and objects by their numbers.
struct Numbers<'s> {
    script: &'s Scenario,
    tasks: Vec<TaskName>,
}

impl Numbers<'_> {
    fn task(&self, who: Who) -> Result<usize, String> {
        let Who::Task(name) = who else { return Err("it has a crowd".to_owned()) };
        self.tasks.iter().position(|task| *task == name).ok_or_else(|| format!("{name} is no task"))
    }

    fn object(&self, name: &ObjectName) -> Result<usize, String> {
        let objects = &self.script.objects;
        objects.iter().position(|object| object.name == *name).ok_or_else(|| format!("{name} is no object"))
    }

    /// Returns the call that takes a step.
    fn call(&self, step: &Step) -> Result<String, String> {
        let cannot = || Err(format!("a bare program does not do `{step}`"));
        let (who, action) = match step {
            Step::Task { who, action } => (*who, action),
            Step::Conductor(Conduct::Cancel(who)) => {
                return Ok(format!("run.cancel({}, {:?});", self.task(*who)?, step.to_string()));
            }
            Step::Conductor(Conduct::Abort(who)) => {
                return Ok(format!("run.abort({}, {:?});", self.task(*who)?, step.to_string()));
            }
            _ => return cannot(),
        };
        let task = self.task(who)?;
        let to = |to: &TaskName| self.task(Who::from(*to));
        let call = match action {
            Action::Ask { operation, place: Place::Task } => {
                let object = self.object(&operation.object)?;
                match operation.request {
                    Request::Acquire => format!("acquire({task}, {object})"),
                    Request::TryAcquire => format!("try_acquire({task}, {object})"),
                    Request::IsLocked => format!("is_locked({object})"),
                    Request::Debug => return cannot(),
                }
            }
            Action::Release { object } => format!("release({task}, {})", self.object(object)?),
            Action::ReleaseElsewhere { object } => format!("release_elsewhere({task}, {})", self.object(object)?),
            Action::Forget { object } => format!("forget({task}, {})", self.object(object)?),
            Action::Send { what: Parcel::Guard(object), to: name } => {
                format!("send_guard({task}, {}, {})", self.object(object)?, to(name)?)
            }
            Action::Send { what: Parcel::Future(future), to: name } => {
                format!("send_kept({task}, \"{future}\", {})", to(name)?)
            }
            Action::Start { future, operation } => {
                format!("start({task}, \"{future}\", {})", self.object(&operation.object)?)
            }
            Action::Prepare { future, operation } => {
                format!("prepare({task}, \"{future}\", {})", self.object(&operation.object)?)
            }
            Action::Poll { future } => format!("poll_kept({task}, \"{future}\")"),
            Action::Await { future } => format!("await_kept({task}, \"{future}\")"),
            Action::AwaitRef { future } => format!("await_ref({task}, \"{future}\")"),
            Action::Drop { future } => format!("drop_kept({task}, \"{future}\")"),
            Action::Panic => format!("panic({task})"),
            Action::Return => {
                return Ok(format!(
                    "run.step({task}, {:?}, |run| {{ run.end({task}); Some(\"returned\") }});",
                    step.to_string()
                ));
            }
            Action::Repoll { new_waker } => return Ok(format!("run.repoll({task}, {new_waker});")),
            _ => return cannot(),
        };
        Ok(format!("run.step({task}, {:?}, |run| run.{call});", step.to_string()))
    }

    /// Returns what a bare program says where the outcome is `lines`: what came of each step but of a repoll, who was
    /// granted, and what the locks said when they were tried.
    fn expected(&self, lines: &[String]) -> Vec<String> {
        let mut expected = Vec::new();
        let mut steps = self.script.steps().map(|(_, step)| step).peekable();
        for line in lines.iter().filter(|line| !is_message(line)) {
            let Some((left, right)) = line.split_once("  ") else { continue };
            let mut parts: Vec<&str> = right.trim().split("; ").collect();
            if let "probe" | "rest" = left {
                let trials = parts.iter().filter(|part| part.ends_with(" free") || part.ends_with(" refused"));
                expected.extend(trials.map(|part| format!("{left}: {part}")));
                continue;
            }
            let Some(step) = steps.by_ref().find(|step| step.to_string() == left) else { continue };
            if let Step::Task { who, action: Action::Repoll { .. } } = step {
                if parts.first() == Some(&"acquired") {
                    expected.push(format!("{who} acquired"));
                }
            } else {
                let result = parts.remove(0);
                expected.push(format!("{left}: {}", result.split(':').next().unwrap_or(result)));
            }
            let granted = parts.iter().filter_map(|part| part.split_once(" acquired"));
            let granted = granted.filter(|(name, _)| name.parse::<TaskName>().is_ok());
            expected.extend(granted.map(|(name, _)| format!("{name} acquired")));
        }
        expected
    }
}
