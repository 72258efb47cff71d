//! The checks, each a short talk with a new worker.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Check;
use crate::driver::Seat;
use crate::isolation::WorkerCommand;
use crate::isolation::worker_process::{Parting, WorkerProcess};
use crate::program::{Deed, Program};
use crate::protocol::{Answer, Job, Order, Script};
use crate::scenario::parse::parse;
use crate::transcript::{At, Reason, Record, Role, What};
use crate::watchdog::{Patience, SILENCE_LIMIT};

const SIMPLE: &str = "mutex m\n\nA acquire m\nA release m\n";
const DEADLOCK: &str = "mutex m\n\nA acquire m\nA acquire m\n";
const WAITER: &str = "mutex m\n\nA acquire m\nB acquire m\nB yield\nA release m\n";
const ONE_LINE: &str = "mutex m\n\nA acquire m\nB acquire m\nA release m; cancel B\n";
const ENDS: &str = "mutex m\n\nA acquire m\nB acquire m\nA panic\nabort B\nC acquire m\nC return\n";
const CROWD: &str = "mutex m\n\nA acquire m\nB[1..257] acquire m\nA release m\n";
const UNKNOWN: &str = concat!(
    r#"{"job": {"job": 7, "name": "certify/unknown", "text": "mutex m\n\nA levitate m\n", "#,
    r#""script": {"tasks": ["A"], "objects": [{"name": "m", "primitive": "mutex"}], "futures": [], "scopes": [], "#,
    r#""within_micros": null, "lines": [[{"step": 0, "text": "A levitate m", "task": 0, "#,
    r#""deed": {"task": {"verb": "levitate", "object": 0}}}]]}, "seat": "SEAT", "runs": 1}}"#,
);

/// Makes every check.
pub(super) fn all(command: &WorkerCommand, guard: Option<&PathBuf>, limit: Option<Duration>) -> Vec<Check> {
    let bench = Bench { command, guard, patience: Patience::Clock(limit.unwrap_or(SILENCE_LIMIT)) };
    type Test = fn(&Bench<'_>) -> Result<(), String>;
    let tests: &[(&'static str, Test)] = &[
        ("its first line is a hello of this version, with a backend and a seat", says_hello),
        ("a job runs from started to outcome, with a trial of every object", runs_a_job),
        ("every step has one result, under its own place and task", answers_every_step),
        ("the steps of one line have a result each", answers_a_line),
        ("a step that its task cannot take is not-run", says_not_run),
        ("the runs of a job are numbered, and equal", numbers_its_runs),
        ("every seat of its hello gives an outcome", sits_everywhere),
        ("a panic and an abort end a task and not the worker", survives_ends),
        ("a deadlock leaves nothing behind for the next job", forgets_a_deadlock),
        ("a crowd of 257 tasks runs", runs_a_crowd),
        ("what it does not know is not-implemented or an error, and it goes on", declines_the_unknown),
        ("at goodbye it says goodbye and exits with 0", parts_at_goodbye),
        ("at the end of stdin it says goodbye and exits with 0", parts_at_the_end),
        ("a line that is no order ends it with another code, or is an error", refuses_nonsense),
    ];
    let first = tests[0].1(&bench);
    let is_hopeless = first.is_err();
    let mut checks = vec![Check { rule: tests[0].0, fault: first.err() }];
    let rest = tests[1..].iter().filter(|_| !is_hopeless);
    checks.extend(rest.map(|(rule, test)| Check { rule, fault: test(&bench).err() }));
    checks
}

struct Bench<'a> {
    command: &'a WorkerCommand,
    guard: Option<&'a PathBuf>,
    patience: Patience,
}

/// What came of a job.
enum Run {
    Record(Box<Record>),
    Lacking,
}

impl Bench<'_> {
    fn worker(&self) -> Result<WorkerProcess, String> {
        WorkerProcess::start(self.command, self.guard, self.patience).map_err(|error| error.to_string())
    }

    /// Runs `text` on a new worker.
    fn run_alone(&self, text: &str) -> Result<(Arc<Program>, Run), String> {
        let mut worker = self.worker()?;
        let seat = worker.hello.seats[0];
        let program = program(text);
        let mut runs = run(&mut worker, &program, 1, seat, 1)?;
        Ok((program, runs.remove(0)))
    }
}

fn program(text: &str) -> Arc<Program> {
    let name = "certify/job".parse().expect("it is a name");
    let scenario = parse(name, text).expect("the scripts of this file are scenarios");
    Arc::new(Program::new(Arc::new(scenario)).expect("the scripts of this file are programs"))
}

/// Runs a job and returns what came of each run.
fn run(worker: &mut WorkerProcess, program: &Program, job: u64, seat: Seat, runs: usize) -> Result<Vec<Run>, String> {
    worker.tell(&Order::Job(Job {
        job,
        name: program.scenario.name.to_string(),
        text: program.scenario.to_string(),
        script: Script::of(program),
        seat,
        runs,
    }));
    let mut results = Vec::new();
    for turn in 0..runs {
        let (record, _) = worker.next_record(program, job, turn).map_err(|error| error.to_string())?;
        if let Some(fault) = &record.fault {
            return Err(format!("the run came to {fault:?}"));
        }
        if record.is_unsupported() {
            results.push(Run::Lacking);
            break;
        }
        results.push(Run::Record(Box::new(record)));
    }
    Ok(results)
}

/// Checks that each step has one result of its own.
fn check_results(program: &Program, record: &Record) -> Result<(), String> {
    for (index, step) in program.steps.iter().enumerate() {
        let results: Vec<_> =
            record.events.iter().filter(|event| event.at == At::Step(index) && event.role == Role::Result).collect();
        let [result] = &results[..] else {
            return Err(format!("`{}` has {} results, and each step has one", step.text, results.len()));
        };
        let is_of_task = matches!(step.what, Deed::Task(_)) && result.task != step.task;
        if is_of_task {
            return Err(format!(
                "the result of `{}` is of the task {:?}, which is not its own",
                step.text, result.task
            ));
        }
    }
    Ok(())
}

fn says_hello(bench: &Bench<'_>) -> Result<(), String> {
    let hello = bench.worker()?.hello.clone();
    let empty = [
        ("backend", hello.backend.is_empty()),
        ("worker.name", hello.worker.name.is_empty()),
        ("runtime.name", hello.runtime.name.is_empty()),
        ("locks.name", hello.locks.name.is_empty()),
        ("locks.version", hello.locks.version.is_empty()),
    ];
    match empty.iter().find(|(_, is_empty)| *is_empty) {
        Some((field, _)) => Err(format!("`{field}` of its hello is empty; reports name it")),
        None => Ok(()),
    }
}

fn runs_a_job(bench: &Bench<'_>) -> Result<(), String> {
    match bench.run_alone(SIMPLE)?.1 {
        Run::Record(record) if record.probe.len() == 1 && record.rest.len() == 1 => Ok(()),
        Run::Record(_) => Err("its outcome has not one trial in `probe` and one in `rest`".to_owned()),
        Run::Lacking => Err("it lacks `acquire` or `release`, without which there is nothing to test".to_owned()),
    }
}

fn answers_every_step(bench: &Bench<'_>) -> Result<(), String> {
    for text in [SIMPLE, DEADLOCK, WAITER, ENDS] {
        if let (program, Run::Record(record)) = bench.run_alone(text)? {
            check_results(&program, &record)?;
        }
    }
    Ok(())
}

fn answers_a_line(bench: &Bench<'_>) -> Result<(), String> {
    match bench.run_alone(ONE_LINE)? {
        (program, Run::Record(record)) => check_results(&program, &record),
        (_, Run::Lacking) => Ok(()),
    }
}

fn says_not_run(bench: &Bench<'_>) -> Result<(), String> {
    let (_, Run::Record(record)) = bench.run_alone(WAITER)? else { return Ok(()) };
    let of_step =
        |step: usize| record.events.iter().find(move |event| event.at == At::Step(step) && event.role == Role::Result);
    let waits = of_step(1).is_some_and(|event| matches!(event.what, What::Waits { .. }));
    let expected = What::NotRun { reason: Reason::Waits };
    match of_step(2) {
        Some(event) if waits && event.what != expected => {
            Err(format!("B waits, and `B yield` gives {:?}; expected not-run, waits", event.what))
        }
        _ => Ok(()),
    }
}

fn numbers_its_runs(bench: &Bench<'_>) -> Result<(), String> {
    let mut worker = bench.worker()?;
    let seat = worker.hello.seats[0];
    let program = program(WAITER);
    let runs = run(&mut worker, &program, 1, seat, 3)?;
    let records: Vec<&Record> =
        runs.iter().filter_map(|run| if let Run::Record(record) = run { Some(&**record) } else { None }).collect();
    match records.windows(2).all(|pair| pair[0] == pair[1]) {
        true => Ok(()),
        false => Err("two runs of one job differ, so neither is an outcome".to_owned()),
    }
}

fn sits_everywhere(bench: &Bench<'_>) -> Result<(), String> {
    let mut worker = bench.worker()?;
    let program = program(SIMPLE);
    for (job, seat) in worker.hello.seats.clone().into_iter().enumerate() {
        run(&mut worker, &program, job as u64 + 1, seat, 1)
            .map_err(|error| format!("in the seat {seat:?}: {error}"))?;
    }
    Ok(())
}

fn survives_ends(bench: &Bench<'_>) -> Result<(), String> {
    let mut worker = bench.worker()?;
    let seat = worker.hello.seats[0];
    run(&mut worker, &program(ENDS), 1, seat, 1)?;
    run(&mut worker, &program(SIMPLE), 2, seat, 1).map(drop)
}

fn forgets_a_deadlock(bench: &Bench<'_>) -> Result<(), String> {
    let mut worker = bench.worker()?;
    let seat = worker.hello.seats[0];
    let simple = program(SIMPLE);
    let before = run(&mut worker, &simple, 1, seat, 1)?.remove(0);
    run(&mut worker, &program(DEADLOCK), 2, seat, 1)?;
    let after = run(&mut worker, &simple, 3, seat, 1)?.remove(0);
    match (before, after) {
        (Run::Record(before), Run::Record(after)) if before != after => {
            Err("the same job gives another outcome after a deadlock; each run needs new tasks and new objects"
                .to_owned())
        }
        _ => Ok(()),
    }
}

fn runs_a_crowd(bench: &Bench<'_>) -> Result<(), String> {
    match bench.run_alone(CROWD)? {
        (program, Run::Record(record)) => check_results(&program, &record),
        (_, Run::Lacking) => Ok(()),
    }
}

fn declines_the_unknown(bench: &Bench<'_>) -> Result<(), String> {
    let mut worker = bench.worker()?;
    let seat = worker.hello.seats[0];
    let name = serde_json::to_string(&seat).unwrap_or_default();
    let order = UNKNOWN.replace("\"SEAT\"", &name);
    worker.tell_text(order.as_bytes());
    loop {
        match worker.next_answer()? {
            Answer::Started(_) | Answer::Begun(_) | Answer::Event(_) => {}
            Answer::NotImplemented(lacking) if lacking.job == 7 => break,
            Answer::Error(trouble) if trouble.job == 7 => break,
            other => return Err(format!("a verb that nobody knows gives {other:?}")),
        }
    }
    run(&mut worker, &program(SIMPLE), 8, seat, 1).map(drop)
}

fn parts_at_goodbye(bench: &Bench<'_>) -> Result<(), String> {
    let mut worker = bench.worker()?;
    worker.tell(&Order::Goodbye {});
    parts_well(worker)
}

fn parts_at_the_end(bench: &Bench<'_>) -> Result<(), String> {
    let mut worker = bench.worker()?;
    worker.close();
    parts_well(worker)
}

fn parts_well(mut worker: WorkerProcess) -> Result<(), String> {
    match worker.next_answer()? {
        Answer::Goodbye {} => {}
        other => return Err(format!("it says {other:?}")),
    }
    match worker.part() {
        Parting::Ended(status) if status == "exit code 0" => Ok(()),
        Parting::Ended(status) => Err(format!("it ended with {status}")),
        Parting::Said(line) => Err(format!("after goodbye it says `{line}`")),
        Parting::Lives => Err("it lives on for the watchdog's time".to_owned()),
    }
}

fn refuses_nonsense(bench: &Bench<'_>) -> Result<(), String> {
    let mut worker = bench.worker()?;
    worker.tell_text(b"this is no order");
    match worker.part() {
        Parting::Ended(status) if status == "exit code 0" => {
            Err("it ended with exit code 0, as if all were well".to_owned())
        }
        Parting::Ended(_) => Ok(()),
        Parting::Said(line) if line.starts_with("{\"error\"") => Ok(()),
        Parting::Said(line) => Err(format!("it says `{line}`")),
        Parting::Lives => Err("it says nothing and lives on for the watchdog's time".to_owned()),
    }
}
