//! Every pair of mutex verbs by two tasks, plain and followed by a cancel or an abort of the second: generated, so that
//! no combination is left out because nobody thought of it.

use harness::primitive::{Place, Primitive, Request, mutex};
use harness::scenario::name::{NameError, ScenarioName, TaskName};
use harness::scenario::{Accept, Action, Conduct, Line, Object, Operation, Parcel, Scenario, Step};
use harness::verdict::{Grade, Verdict};

/// The theme of the generated scenarios.
pub const THEME: &str = "pairs";

/// What a task does, and what it did before so that it can.
struct Deed {
    name: &'static str,
    before: fn() -> Result<Vec<Action>, NameError>,
    action: fn() -> Result<Action, NameError>,
}

/// What happens to the second task in the end.
#[derive(Clone, Copy)]
enum Suffix {
    Nothing,
    Cancel,
    Abort,
}

/// Every verb of a mutex that runs in a task. Those that block a thread need a process each; the theme `blocking` has
/// them.
const DEEDS: &[Deed] = &[
    Deed { name: "acquire", before: nothing, action: || ask(mutex::ACQUIRE) },
    Deed { name: "try-acquire", before: nothing, action: || ask(mutex::TRY_ACQUIRE) },
    Deed { name: "is-locked", before: nothing, action: || ask(mutex::IS_LOCKED) },
    Deed { name: "debug", before: nothing, action: || ask(mutex::DEBUG) },
    Deed { name: "release", before: acquire, action: || Ok(Action::Release { object: "m".parse()? }) },
    Deed { name: "forget", before: acquire, action: || Ok(Action::Forget { object: "m".parse()? }) },
    Deed {
        name: "send",
        before: acquire,
        action: || Ok(Action::Send { what: Parcel::Guard("m".parse()?), to: "C".parse()? }),
    },
    Deed { name: "panic", before: acquire, action: || Ok(Action::Panic) },
    Deed { name: "return", before: acquire, action: || Ok(Action::Return) },
    Deed { name: "yield", before: nothing, action: || Ok(Action::Yield) },
    Deed { name: "start", before: nothing, action: start },
    Deed { name: "prepare", before: nothing, action: prepare },
    Deed { name: "poll", before: || Ok(vec![prepare()?]), action: || Ok(Action::Poll { future: "x".parse()? }) },
    Deed { name: "await", before: || Ok(vec![prepare()?]), action: || Ok(Action::Await { future: "x".parse()? }) },
    Deed { name: "await-ref", before: || Ok(vec![start()?]), action: || Ok(Action::AwaitRef { future: "x".parse()? }) },
    Deed { name: "drop", before: || Ok(vec![start()?]), action: || Ok(Action::Drop { future: "x".parse()? }) },
    Deed {
        name: "leave",
        before: || Ok(vec![Action::Enter { scope: "f".parse()? }, ask(mutex::ACQUIRE)?]),
        action: || Ok(Action::Leave { scope: "f".parse()? }),
    },
];

fn nothing() -> Result<Vec<Action>, NameError> {
    Ok(Vec::new())
}

fn acquire() -> Result<Vec<Action>, NameError> {
    Ok(vec![ask(mutex::ACQUIRE)?])
}

fn operation(request: Request) -> Result<Operation, NameError> {
    Ok(Operation { request, object: "m".parse()? })
}

fn ask(request: Request) -> Result<Action, NameError> {
    Ok(Action::Ask { operation: operation(request)?, place: Place::Task })
}

fn start() -> Result<Action, NameError> {
    Ok(Action::Start { future: "x".parse()?, operation: operation(mutex::ACQUIRE)? })
}

fn prepare() -> Result<Action, NameError> {
    Ok(Action::Prepare { future: "x".parse()?, operation: operation(mutex::ACQUIRE)? })
}

/// Returns every pair, in the order of the table.
///
/// # Errors
///
/// [`NameError`], if a name of the table is not one.
pub fn scenarios() -> Result<Vec<Scenario>, NameError> {
    let mut scenarios = Vec::with_capacity(DEEDS.len() * DEEDS.len() * 3);
    for first in DEEDS {
        for second in DEEDS {
            for suffix in [Suffix::Nothing, Suffix::Cancel, Suffix::Abort] {
                scenarios.push(scenario(first, second, suffix)?);
            }
        }
    }
    Ok(scenarios)
}

/// Returns the table in which a pair is snapshotted: that of all pairs which begin with the same verb.
pub fn table(scenario: &ScenarioName) -> Option<ScenarioName> {
    let (first, _) = scenario.as_str().strip_prefix(THEME)?.strip_prefix('/')?.split_once("-then-")?;
    format!("{THEME}/{first}").parse().ok()
}

fn scenario(first: &Deed, second: &Deed, suffix: Suffix) -> Result<Scenario, NameError> {
    let (one, two): (TaskName, TaskName) = ("A".parse()?, "B".parse()?);
    let ending = match suffix {
        Suffix::Nothing => "",
        Suffix::Cancel => "-cancel",
        Suffix::Abort => "-abort",
    };
    let mut scenario = Scenario::new(format!("{THEME}/{}-then-{}{ending}", first.name, second.name).parse()?);
    scenario.description = vec![format!("Generated: A does `{}`, then B does `{}`.", first.name, second.name)];
    scenario.rules = vec!["EXCLUSION-1".parse()?, "WAKER-1".parse()?];
    scenario.objects = vec![Object { primitive: Primitive::Mutex, name: "m".parse()?, argument: None }];
    let before = |task: TaskName, deed: &Deed| {
        Ok::<_, NameError>((deed.before)()?.into_iter().map(move |action| Step::Task { who: task.into(), action }))
    };
    let mut steps: Vec<Step> = before(one, first)?.chain(before(two, second)?).collect();
    steps.push(Step::Task { who: one.into(), action: (first.action)()? });
    steps.push(Step::Task { who: two.into(), action: (second.action)()? });
    match suffix {
        Suffix::Nothing => {}
        Suffix::Cancel => steps.push(Step::Conductor(Conduct::Cancel(two.into()))),
        Suffix::Abort => steps.push(Step::Conductor(Conduct::Abort(two.into()))),
    }
    scenario.lines = steps.into_iter().map(|step| Line::new(vec![step])).collect();
    scenario.accepts = vec![
        accept(Verdict::Completed, None),
        accept(Verdict::Refused, Some("the lock knows its holder, or says that it is poisoned")),
        accept(Verdict::Abandoned, Some("the guard was forgotten, so nobody can release it")),
        accept(Verdict::Futurelock, Some("the lock is offered to a future that its task keeps and does not poll")),
    ];
    Ok(scenario)
}

fn accept(verdict: Verdict, sentence: Option<&str>) -> Accept {
    Accept {
        above: Vec::new(),
        verdict,
        conditions: Vec::new(),
        grade: if sentence.is_some() { Grade::Permitted } else { Grade::Conforms },
        sentence: sentence.map(str::to_owned),
        comment: None,
    }
}
