//! What a program that runs scenarios and a worker say to each other: one JSON value a line, on the worker's stdin and
//! stdout. `docs/PROTOCOL.md` tells it to authors of workers; the schema is made of these types.

use std::collections::HashSet;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::driver::Seat;
use crate::primitive::Primitive;
use crate::program::{Deed, ObjectIndex, Program, StepIndex};
use crate::quiescence::TaskIndex;
use crate::scenario::diagnostic::nearest;
use crate::subject::Subject;
use crate::transcript::{At, Event, Fault, Trials};

/// The version of the protocol. A worker of another version is refused.
pub const VERSION: u32 = 1;

/// The minor version of the protocol. It goes up when the protocol gets a word that an older reader can do without.
pub const MINOR: u32 = 1;

/// Capabilities that belong to the runtime. The note behind each says how the runtime does it.
const RUNTIME_CAPABILITIES: [&str; 6] = ["abort", "cancel", "clock", "kept futures", "order", "threads"];

/// The longest line that a worker may write, in bytes.
pub const LINE_MAX: usize = 1 << 20;

/// The most that a worker may write of one run, in bytes.
pub const RUN_BYTES_MAX: usize = 64 << 20;

/// The most lines that a worker may write of one run. A scenario of the largest size needs fewer.
pub const TOLD_MAX: usize = 1_000_000;

/// What a worker is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Run a scenario.
    Job(Job),
    /// Say goodbye and exit with code 0. The end of stdin means the same.
    Goodbye {},
}

/// One scenario to be run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Job {
    /// The number of the job, which answers repeat.
    pub job: u64,
    /// The name of the scenario.
    pub name: String,
    /// The scenario as a text, for workers that read the language.
    pub text: String,
    /// The scenario made ready to run, for workers that do not.
    pub script: Script,
    /// Where the conductor sits.
    pub seat: Seat,
    /// How often, at least 1.
    pub runs: usize,
}

/// A scenario made ready to run: crowds given out to their members, names turned into indexes from 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Script {
    /// The names of the tasks.
    pub tasks: Vec<String>,
    /// The objects.
    pub objects: Vec<Declared>,
    /// The names of the futures that tasks keep.
    pub futures: Vec<String>,
    /// The names of the scopes that tasks enter.
    pub scopes: Vec<String>,
    /// The lines: between the steps of one line nothing is scheduled.
    pub lines: Vec<Vec<ScriptStep>>,
    /// A run is valid only if its script took less than this, in microseconds; it is begun again otherwise.
    pub within_micros: Option<u32>,
}

/// A declared object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Declared {
    /// How the script calls it.
    pub name: String,
    /// Which primitive it is.
    pub primitive: Primitive,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScriptStep {
    /// Its index among all steps of the script, counted through the lines.
    pub step: StepIndex,
    /// As the scenario prints it.
    pub text: String,
    /// The task that takes the step, or that the conductor does it to.
    pub task: Option<TaskIndex>,
    /// Who does what.
    pub deed: Deed,
}

impl Script {
    /// Returns the script of a program.
    pub fn of(program: &Program) -> Self {
        let step = |index: StepIndex| {
            let step = &program.steps[index];
            ScriptStep { step: index, text: step.text.clone(), task: step.task, deed: step.what }
        };
        let declared = program.objects().iter();
        Self {
            tasks: program.tasks.iter().map(ToString::to_string).collect(),
            objects: declared
                .map(|object| Declared { name: object.name.to_string(), primitive: object.primitive })
                .collect(),
            futures: program.futures.iter().map(ToString::to_string).collect(),
            scopes: program.scopes.iter().map(ToString::to_string).collect(),
            lines: program.lines.iter().map(|line| line.clone().map(step).collect()).collect(),
            within_micros: program.scenario.within.as_ref().map(|within| within.limit.micros()),
        }
    }
}

/// What a worker says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Who it is. Its first line.
    Hello(Hello),
    /// A run of a job begins.
    Started(Turn),
    /// A step or a probe begins. It may be left out; with it, a crash has a place.
    Begun(At),
    /// Something happened.
    Event(Event),
    /// A run is over.
    Outcome(Ended),
    /// The backend lacks what a step asks for. The job is over.
    NotImplemented(Lacking),
    /// The job has no outcome, by the environment's fault or the worker's own. The job is over.
    Error(Trouble),
    /// The worker ends.
    Goodbye {},
}

/// Who a worker is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hello {
    /// The version of the protocol that it speaks.
    pub protocol: u32,
    /// The minor version, 0 where it is left out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub minor: u32,
    /// The program: its name and version.
    pub worker: Subject,
    /// The backend, `RUNTIME+LOCKS[@VERSION]`, or the runtime alone for its native pair.
    pub backend: String,
    /// The runtime and its version.
    pub runtime: Subject,
    /// The lock library and its version.
    pub locks: Subject,
    /// What the locks offer, and how, in the words of reports; among them every emulation. A word may go on with `: `
    /// and a note.
    pub capabilities: Vec<String>,
    /// Where the conductor can sit, at least one.
    pub seats: Vec<Seat>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A capability that a worker declares and this version does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownCapability {
    /// The capability, without its note.
    pub word: String,
    /// The nearest known one, if one is near.
    pub nearest: Option<String>,
}

impl fmt::Display for UnknownCapability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.word)?;
        self.nearest.as_ref().map_or(Ok(()), |nearest| write!(f, " (did you mean `{nearest}`?)"))
    }
}

impl Hello {
    /// Returns the declared capabilities that this version does not know, in their order.
    pub fn unknown_capabilities(&self) -> Vec<UnknownCapability> {
        let of_locks: Vec<String> = Primitive::ALL.iter().flat_map(|primitive| primitive.capabilities()).collect();
        let short = of_locks.iter().filter_map(|word| Some(word.split_once(':')?.1));
        let mut known: Vec<&str> =
            of_locks.iter().map(String::as_str).chain(RUNTIME_CAPABILITIES).chain(short).collect();
        let mut seen = HashSet::new();
        known.retain(|word| seen.insert(*word));
        let words = self.capabilities.iter().map(|text| text.split_once(": ").map_or(text.as_str(), |(word, _)| word));
        let unknown = words.filter(|word| !known.contains(word));
        let nearest = |word| nearest(word, known.iter().copied()).map(str::to_owned);
        unknown.map(|word| UnknownCapability { word: word.to_owned(), nearest: nearest(word) }).collect()
    }

    /// Returns whether the worker speaks a newer minor version, whose words this version cannot all know.
    pub fn is_newer(&self) -> bool {
        self.minor > MINOR
    }
}

/// Which run of which job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Turn {
    /// The number of the job.
    pub job: u64,
    /// The run, from 0.
    pub run: usize,
}

/// The end of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ended {
    /// The number of the job.
    pub job: u64,
    /// The run, from 0.
    pub run: usize,
    /// One per probe of the script, tried while everybody still held and waited. Empty if the run did not come so far.
    pub probe: Trials,
    /// One per probe of the script, tried after all let go. Empty if the run did not come so far.
    pub rest: Trials,
    /// Why the script did not come to its end, if it did not.
    pub fault: Option<Fault>,
}

/// A step that a backend lacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lacking {
    /// The number of the job.
    pub job: u64,
    /// The step.
    pub step: StepIndex,
    /// What is lacking, for the reader of a report.
    pub why: String,
}

/// A job without an outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Trouble {
    /// The number of the job.
    pub job: u64,
    /// What went wrong and how to fix it.
    pub message: String,
}

/// Something that is said against the protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Breach {
    /// An index that the script does not have.
    #[error("it names {what} {index}, and the script has {count}")]
    NoSuch {
        /// Of what.
        what: &'static str,
        /// Which.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// A request that is one of another primitive.
    #[error("it says `{request}` of an object that is a {primitive}")]
    NotOf {
        /// What it says.
        request: String,
        /// What the object is.
        primitive: String,
    },
    /// As many trials as probes of the script, or none.
    #[error("it gives {given} trials where the script has {count} probes")]
    Trials {
        /// How many.
        given: usize,
        /// How many there are to be.
        count: usize,
    },
}

/// Checks that an event speaks of nothing that the program does not have.
///
/// # Errors
///
/// [`Breach::NoSuch`].
pub fn check_event(program: &Program, event: &Event) -> Result<(), Breach> {
    check_at(program, event.at)?;
    let indexes = event.indexes();
    let tasks = event.task.into_iter().chain(indexes.task);
    check_each("task", tasks, program.tasks.len())?;
    check_each("object", indexes.object.into_iter(), program.objects().len())?;
    check_modes(program, event)?;
    check_each("future", indexes.future.into_iter(), program.futures.len())?;
    check_each("scope", indexes.scope.into_iter(), program.scopes.len())
}

/// Checks that modes and requests are those of the object that an event speaks of.
fn check_modes(program: &Program, event: &Event) -> Result<(), Breach> {
    let Some(object) = event.indexes().object else { return Ok(()) };
    let primitive = program.objects()[object].primitive;
    check_each("mode", event.mode().into_iter().map(usize::from), primitive.table().modes.len())?;
    match event.request() {
        Some(request) if request.primitive() != primitive => {
            Err(Breach::NotOf { request: request.wire(), primitive: primitive.to_string() })
        }
        _ => Ok(()),
    }
}

/// Checks that a place is one that the program has.
///
/// # Errors
///
/// [`Breach::NoSuch`].
pub fn check_at(program: &Program, at: At) -> Result<(), Breach> {
    match at {
        At::Step(step) => check_each("step", std::iter::once::<ObjectIndex>(step), program.steps.len()),
        At::Probe | At::Rest => Ok(()),
    }
}

/// Checks that the end of a run fits its program.
///
/// # Errors
///
/// [`Breach`].
pub fn check_end(program: &Program, end: &Ended) -> Result<(), Breach> {
    let count = program.probes.len();
    for trials in [&end.probe, &end.rest] {
        let is_left_out = trials.is_empty() && end.fault.is_some();
        if trials.len() != count && !is_left_out {
            return Err(Breach::Trials { given: trials.len(), count });
        }
    }
    if let Some(fault) = &end.fault {
        fault.at().map_or(Ok(()), |at| check_at(program, at))?;
        if let Fault::Livelock { tasks, .. } = fault {
            check_each("task", tasks.iter().copied(), program.tasks.len())?;
        }
    }
    Ok(())
}

fn check_each(what: &'static str, mut indexes: impl Iterator<Item = usize>, count: usize) -> Result<(), Breach> {
    match indexes.find(|index| *index >= count) {
        Some(index) => Err(Breach::NoSuch { what, index, count }),
        None => Ok(()),
    }
}

/// Returns the JSON schema of every line: those that a worker reads under `order`, those that it writes under `answer`.
pub fn schema() -> serde_json::Value {
    serde_json::json!({
        "protocol": VERSION,
        "order": schemars::schema_for!(Order),
        "answer": schemars::schema_for!(Answer),
    })
}
