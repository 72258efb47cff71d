//! Properties of the harness, over random scripts: it accepts the model that it judges by, it says the same thing twice,
//! and it comes to an end.

use std::sync::Arc;

use keyalike_harness::backend::Backend;
use keyalike_harness::driver::{Runs, Seat};
use keyalike_harness::outcome::Outcome;
use keyalike_harness::primitive::{Place, Primitive, mutex};
use keyalike_harness::program::Program;
use keyalike_harness::scenario::name::{FutureName, TaskName};
use keyalike_harness::scenario::{Action, Conduct, Line, Object, Operation, Parcel, Scenario, Step};
use keyalike_harness::transcript::Transcript;
use keyalike_harness::verdict::Verdict;
use libtest_mimic::{Failed, Trial};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, FileFailurePersistence, TestRunner};

use crate::locks::{self, BROKEN, HONEST, HONEST_BARGING, HONEST_WITH_BUDGET, OUTLIVES_ITSELF};
use crate::run::is_conviction;

/// How many scripts each property is tried on.
const SCRIPTS: u32 = 4_000;

/// Returns one trial per property and honest lock.
pub(crate) fn trials() -> Vec<Trial> {
    let properties: [(&str, Property); 3] = [
        ("is_accepted_whatever_the_script", accepts_its_model),
        ("gives_one_transcript_to_one_script", says_it_again),
        ("brings_every_script_to_its_end", comes_to_an_end),
    ];
    let pairs = properties
        .into_iter()
        .flat_map(|property| [HONEST, HONEST_BARGING, HONEST_WITH_BUDGET].map(|lock| (lock, property)));
    let honest = pairs.map(|(lock, (name, property))| {
        Trial::test(format!("{}_{name}", lock.replace('-', "_")), move || check(lock, property))
    });
    // What a lock does in one run is nothing to the next.
    let outlives =
        Trial::test("outlives_itself_gives_one_transcript_to_one_script", || check(OUTLIVES_ITSELF, says_it_again));
    let broken = BROKEN.iter().map(|&(lock, _)| lock).filter(|lock| !OUT_OF_REACH.contains(lock));
    let broken = broken.map(|lock| {
        Trial::test(format!("{}_is_found_out_by_chance", lock.replace('-', "_")), move || check_found_out(lock))
    });
    honest.chain([outlives]).chain(broken).collect()
}

/// Locks that random scripts do not convict: they hang or kill the process, need a thread, an acting waker or a rare
/// sequence of steps, or are not broken.
const OUT_OF_REACH: [&str; 9] = [
    "aborts-process",
    "keeps-first-waker",
    "leaves-threads-asleep",
    "lifo",
    "refuses-reentry",
    "spinning",
    "starves-one",
    "wakes-from-own-thread",
    "wakes-under-internal-lock",
];

/// Checks that some random script convicts a broken lock: the oracle needs no script that was made for the fault.
fn check_found_out(lock: &'static str) -> Result<(), Failed> {
    let backend = locks::backend(lock).ok_or("there is no such lock")?;
    let mut runner = TestRunner::deterministic();
    for _ in 0..SCRIPTS {
        let scenario = script().new_tree(&mut runner).map_err(|reason| reason.to_string())?.current();
        let program = Arc::new(Program::new(Arc::new(scenario)).expect("every object of a script is declared"));
        if is_conviction(Outcome::of(transcript(&*backend, &program, Seat::BlockOn)?).verdict) {
            return Ok(());
        }
    }
    Err(format!("{SCRIPTS} scripts say nothing against {lock}").into())
}

type Property = fn(&dyn Backend, &Arc<Program>) -> Result<(), String>;

fn check(lock: &'static str, property: Property) -> Result<(), Failed> {
    let backend = locks::backend(lock).ok_or("there is no such lock")?;
    let seeds = FileFailurePersistence::SourceParallel("regressions");
    let config = Config {
        cases: SCRIPTS,
        failure_persistence: Some(Box::new(seeds)),
        source_file: Some(file!()),
        ..Config::default()
    };
    let tried = TestRunner::new(config).run(&script(), |scenario| {
        let text = scenario.to_string();
        let program = Arc::new(Program::new(Arc::new(scenario)).expect("every object of a script is declared"));
        property(&*backend, &program).map_err(|reason| TestCaseError::fail(format!("{reason}\n\n{text}")))
    });
    tried.map_err(|error| error.to_string().into())
}

fn accepts_its_model(backend: &dyn Backend, program: &Arc<Program>) -> Result<(), String> {
    let outcome = Outcome::of(transcript(backend, program, Seat::BlockOn)?);
    match outcome.verdict {
        Verdict::Completed | Verdict::Deadlock | Verdict::Abandoned | Verdict::Futurelock => Ok(()),
        Verdict::Starved if backend.id() == HONEST_BARGING => Ok(()),
        _ => Err(outcome.text()),
    }
}

/// One after the other on the same stage, and once on another.
fn says_it_again(backend: &dyn Backend, program: &Arc<Program>) -> Result<(), String> {
    let mut others = transcripts(backend, program, Seat::Spawned, 3)?;
    others.extend(transcripts(backend, program, Seat::BlockOn, 1)?);
    let first = others.remove(0);
    match others.into_iter().find(|other| other.record != first.record) {
        None => Ok(()),
        Some(other) => Err(format!("{}\n\nand then\n\n{}", Outcome::of(first).text(), Outcome::of(other).text())),
    }
}

fn comes_to_an_end(backend: &dyn Backend, program: &Arc<Program>) -> Result<(), String> {
    let transcript = transcript(backend, program, Seat::BlockOn)?;
    let told = transcript.steps().len();
    match told == program.steps.len() && transcript.record.fault.is_none() {
        true => Ok(()),
        false => Err(format!("{told} of {} steps: {}", program.steps.len(), Outcome::of(transcript).text())),
    }
}

fn transcript(backend: &dyn Backend, program: &Arc<Program>, seat: Seat) -> Result<Transcript, String> {
    transcripts(backend, program, seat, 1)?.pop().ok_or_else(|| "there is no transcript".to_owned())
}

fn transcripts(
    backend: &dyn Backend,
    program: &Arc<Program>,
    seat: Seat,
    runs: usize,
) -> Result<Vec<Transcript>, String> {
    let mut transcripts = Vec::new();
    let receive = &mut |transcript| transcripts.push(transcript);
    let driven = backend.drive(program, Runs::new(seat, runs), None, receive);
    driven.map(|()| transcripts).map_err(|error| error.to_string())
}

/// Scripts of up to five tasks and two mutexes.
fn script() -> impl Strategy<Value = Scenario> {
    vec(vec(step(), 1..4), 1..16).prop_map(|lines| Scenario {
        objects: ["m", "n"]
            .map(|name| Object { primitive: Primitive::Mutex, name: valid(name), argument: None })
            .to_vec(),
        lines: lines.into_iter().map(Line::new).collect(),
        ..Scenario::new(valid("oracle/script"))
    })
}

fn step() -> impl Strategy<Value = Step> {
    let of_task = (task(), action()).prop_map(|(task, action)| Step::Task { who: task.into(), action });
    let of_conductor = prop_oneof![
        4 => task().prop_map(|task| Conduct::Cancel(task.into())),
        2 => task().prop_map(|task| Conduct::Abort(task.into())),
        1 => task().prop_map(|task| Conduct::Join(task.into())),
        1 => task().prop_map(|task| Conduct::DropHandle(task.into())),
        1 => select(vec!["m", "n"]).prop_map(|name| Conduct::DropObject(valid(name))),
    ];
    prop_oneof![5 => of_task, 1 => of_conductor.prop_map(Step::Conductor)]
}

fn action() -> impl Strategy<Value = Action> {
    let acquire = || object().prop_map(|object| Operation { request: mutex::ACQUIRE, object });
    let ask = (select(vec![mutex::TRY_ACQUIRE, mutex::IS_LOCKED, mutex::DEBUG]), object())
        .prop_map(|(request, object)| Operation { request, object });
    let at_once = |operation| Action::Ask { operation, place: Place::Task };
    prop_oneof![
        8 => acquire().prop_map(at_once),
        2 => ask.prop_map(at_once),
        8 => object().prop_map(|object| Action::Release { object }),
        1 => object().prop_map(|object| Action::Forget { object }),
        2 => (object(), task()).prop_map(|(object, to)| Action::Send { what: Parcel::Guard(object), to }),
        2 => (future(), task()).prop_map(|(future, to)| Action::Send { what: Parcel::Future(future), to }),
        4 => (future(), acquire()).prop_map(|(future, operation)| Action::Start { future, operation }),
        1 => (future(), acquire()).prop_map(|(future, operation)| Action::Prepare { future, operation }),
        3 => future().prop_map(|future| Action::Poll { future }),
        2 => future().prop_map(|future| Action::Await { future }),
        2 => future().prop_map(|future| Action::AwaitRef { future }),
        2 => future().prop_map(|future| Action::Drop { future }),
        1 => Just(Action::Yield),
        1 => Just(Action::SpendBudget),
        1 => Just(Action::Return),
        1 => Just(Action::Panic),
        1 => Just(Action::Enter { scope: valid("f") }),
        1 => Just(Action::Leave { scope: valid("f") }),
    ]
}

fn task() -> impl Strategy<Value = TaskName> {
    select(vec!["A", "B", "C", "D", "E"]).prop_map(valid)
}

fn object() -> impl Strategy<Value = keyalike_harness::scenario::name::ObjectName> {
    prop_oneof![3 => Just("m"), 1 => Just("n")].prop_map(valid)
}

fn future() -> impl Strategy<Value = FutureName> {
    select(vec!["x", "y"]).prop_map(valid)
}

fn valid<T: std::str::FromStr>(name: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    name.parse().expect("a valid name")
}
