//! What Keyalike's fuzz targets do with their bytes: plain functions, which panic if the harness is at fault and return if
//! the bytes are. `fuzz` feeds them by coverage; the tests feed them with every seed and every scenario of the suites.

use std::sync::{Arc, LazyLock};

use harness::explore::plan::{Occasions, Plan, PlanError};
use harness::explore::{Bounds, Budget, ExploreError, Options, Strategy, explore};
use harness::isolation::transcript_of;
use harness::outcome::Outcome;
use harness::program::Program;
use harness::protocol::{Answer, Order, Script};
use harness::scenario::lint::{LintContext, lint};
use harness::scenario::name::ScenarioName;
use harness::scenario::parse::{parse, parse_bytes, parse_located};
use harness::scenario::print::format;

fn name() -> ScenarioName {
    "fuzz/scenario".parse().expect("it is a name")
}

/// Reads bytes as the text of a scenario: what is in error is told at its place, and what is not is printed, read back,
/// linted and compiled.
pub fn scenario(bytes: &[u8]) {
    let scenario = match parse_bytes(name(), bytes) {
        Ok(scenario) => scenario,
        Err(diagnostics) => {
            let text = String::from_utf8_lossy(bytes);
            assert!(!diagnostics.is_empty(), "it is refused, and nobody says why");
            for diagnostic in diagnostics {
                assert!(!diagnostic.render("fuzz/scenario.scenario", &text, false).is_empty());
            }
            return;
        }
    };
    let text = scenario.to_string();
    assert_eq!(parse(name(), &text).as_ref(), Ok(&scenario), "it is not read back:\n{text}");
    let formatted = format(name(), &text).expect("what can be read can be formatted");
    assert_eq!(format(name(), &formatted).as_ref(), Ok(&formatted), "formatting twice changes it");
    let located = parse_located(name(), &text).expect("it was read before");
    for warning in lint(&located, &LintContext::default()) {
        assert!(!warning.render("fuzz/scenario.scenario", &text, false).is_empty());
    }
    let scenario = Arc::new(scenario);
    match scenario.is_explored() {
        true => drop(Plan::new(scenario)),
        false => {
            if let Ok(program) = Program::new(scenario) {
                let script = Script::of(&program);
                let json = serde_json::to_string(&script).expect("a script can be written");
                assert_eq!(serde_json::from_str::<Script>(&json).expect("and read back"), script);
            }
        }
    }
}

/// What the worker of the bytes below is asked to run: everything that events can speak of.
static ASKED: LazyLock<Arc<Program>> = LazyLock::new(|| {
    let text = "mutex m\nmutex n\n\nA acquire m\nB start x acquire m\nB acquire n\nA enter f\nA release m; cancel B\n\
                B await x\nB hold 1ms\nA leave f\n";
    let scenario = parse(name(), text).expect("it is a scenario");
    Arc::new(Program::new(Arc::new(scenario)).expect("it compiles"))
});

/// Reads bytes as what a worker says, or is told, line by line. Whatever a worker says, it is a breach of the protocol or a
/// transcript that can be judged and told.
pub fn protocol(bytes: &[u8]) {
    let lines = || bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    for line in lines() {
        if let Ok(answer) = serde_json::from_slice::<Answer>(line) {
            let json = serde_json::to_vec(&answer).expect("an answer can be written");
            assert_eq!(serde_json::from_slice::<Answer>(&json).expect("and read back"), answer);
        }
        if let Ok(order) = serde_json::from_slice::<Order>(line) {
            let json = serde_json::to_vec(&order).expect("an order can be written");
            assert_eq!(serde_json::from_slice::<Order>(&json).expect("and read back"), order);
        }
    }
    if let Ok(transcript) = transcript_of(&ASKED, lines()) {
        let outcome = Outcome::of(transcript);
        assert!(outcome.lines.iter().any(|line| line.starts_with("verdict")), "{}", outcome.text());
    }
}

/// The most tasks and actions of a program that is made of bytes: what is larger takes too long to be run often.
const TASKS_MAX: usize = 5;
const ACTIONS_MAX: usize = 12;

/// What a byte stands for in a program.
const ACTIONS: [&str; 24] = [
    "acquire m",
    "release m",
    "acquire n",
    "release n",
    "try-acquire m",
    "try-acquire n",
    "is-locked m",
    "is-locked n",
    "release m elsewhere",
    "forget m",
    "start x acquire m",
    "start y acquire n",
    "prepare x acquire n",
    "prepare y acquire m",
    "poll x",
    "poll y",
    "await x",
    "await-ref y",
    "drop x",
    "drop y",
    "panic",
    "return",
    "yield",
    "send m A",
];

/// Returns the program that bytes stand for, as the text of an explored scenario, and the seed of its schedules: a byte an
/// action, and 255 where the next task begins; the highest bit joins an action to the one before.
pub fn program_of(bytes: &[u8]) -> Option<(String, u64)> {
    let (seed, bytes) = bytes.split_first()?;
    let mut text = "mutex m\nmutex n\n\n".to_owned();
    let mut left = ACTIONS_MAX;
    for (name, task) in ('A'..).zip(bytes.split(|byte| *byte == u8::MAX)).take(TASKS_MAX) {
        let mut actions = String::new();
        for byte in task.iter().take(left) {
            let joint = if byte & 0x80 == 0 { ", " } else { "; " };
            let action = ACTIONS[usize::from(byte & 0x7f) % ACTIONS.len()];
            actions.push_str(if actions.is_empty() { "" } else { joint });
            actions.push_str(action);
        }
        left -= task.len().min(left);
        if !actions.is_empty() {
            text.push_str(&format!("{name}: {actions}\n"));
        }
    }
    Some((text, u64::from(*seed)))
}

/// Makes a program of bytes and explores it on the honest locks: nobody is accused, and the books, the live driver and the
/// oracle agree in every outcome.
pub fn program(bytes: &[u8]) {
    let Some((text, seed)) = program_of(bytes) else { return };
    let Ok(scenario) = parse(name(), &text) else { return };
    let mut plan = match Plan::new(Arc::new(scenario)) {
        Ok(plan) => plan,
        // There is no task, or a task sends something to itself.
        Err(PlanError::NotExplored { .. } | PlanError::NotExplorable { .. }) => return,
        Err(error) => panic!("{error}\n{text}"),
    };
    plan.occasions = Occasions::everywhere(plan.tasks.len());
    let plan = Arc::new(plan);
    let options = Options {
        strategy: Strategy::Random,
        budget: Budget::Schedules(40),
        seed,
        bounds: Bounds { resumes: 2, total: 3, ..Bounds::default() },
        ..Options::default()
    };
    for lock in planted::honest() {
        match explore(&lock.explorable, &plan, &options) {
            Ok(report) => {
                if let Some(found) = report.faults().next() {
                    panic!("{} is accused:\n{}\n{}", lock.id, found.script, found.transcript.join("\n"));
                }
            }
            Err(error @ ExploreError::Disagreement { .. }) => panic!("{}: {error}\n\n{text}", lock.id),
            Err(error) => panic!("{}: {error}\n{text}", lock.id),
        }
    }
}
