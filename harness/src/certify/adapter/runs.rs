//! What only runs show: tasks of the runtime, many times, with the conductor in each seat.

use std::sync::Arc;

use super::bench::{Bench, Stop};
use super::{Adapter, Conviction, Fault, convict};
use crate::driver::{DriveError, MakeObject, Runs, Seat, drive};
use crate::outcome::Outcome;
use crate::program::Program;
use crate::runtime::Runtime;
use crate::scenario::parse::parse;

/// How often each script runs in each seat.
const RUNS: usize = 64;

/// Scripts whose outcome hangs on no clock and on no race, whatever the policy of the lock.
const SCRIPTS: &[&str] = &[
    "mutex m\n\nA acquire m\nB acquire m\nC acquire m\nD try-acquire m\nD is-locked m\nD debug m\nA release m\n\
     B release m\nC release m\nD acquire m\n",
    "mutex m\n\nA acquire m\nB acquire m\nC acquire m\ncancel B\nA release m\nC release m\nA acquire m\n",
    "mutex m\nmutex n\n\nA acquire m\nB acquire n\nC acquire m\nA release m\nC debug n\nC release m\nB release n\n",
    "mutex m\n\nA acquire m\nB acquire m\nA return\nB release m\nC try-acquire m\nC release m\nC debug m\n",
];

/// The first task holds, and another asks.
const OTHER_TASK: &str = "mutex m\n\nA acquire m\nB acquire m\nA release m\n";

/// A task acquires a free lock in either way.
const FREE_LOCK: &str = "mutex m\n\nA acquire m\nA release m\nA try-acquire m\n";

/// Returns whether a task of the runtime is granted a free lock.
pub(super) fn grants_in_a_task<R: Runtime>(bench: &Bench<R>, make: MakeObject) -> bool {
    let ran = bench.patiently(move |runtime, doing| {
        doing.begin(Fault::BlocksItsThread, "an acquire of a free lock");
        let mut is_granted = false;
        let driven = drive(runtime, make, &program(FREE_LOCK), Runs::new(Seat::Spawned, 1), None, &mut |transcript| {
            let outcome = Outcome::of(transcript);
            let granted = outcome.lines.iter().filter(|line| line.ends_with("  acquired"));
            is_granted = granted.count() == 2;
        });
        driven.map_err(|error| told(&error))?;
        match is_granted {
            true => Ok(()),
            false => Err(convict(Fault::RefusesAFreeLock, "a task acquires a free lock, and is refused")),
        }
    });
    ran.is_ok()
}

/// Runs every script.
pub(super) fn check<R: Runtime>(bench: &Bench<R>, adapter: &Adapter) -> Option<Conviction> {
    let make = adapter.make;
    let checked = bench.patiently(move |runtime, doing| {
        doing.begin(Fault::BlocksItsThread, "a run of a script that nobody can block in");
        for text in SCRIPTS.iter().chain([&OTHER_TASK]) {
            let program = program(text);
            let mut seen: Option<Outcome> = None;
            for seat in [Seat::Spawned, Seat::BlockOn] {
                let mut differs = None;
                let driven = drive(runtime, make, &program, Runs::new(seat, RUNS), None, &mut |transcript| {
                    let outcome = Outcome::of(transcript);
                    match &seen {
                        None => seen = Some(outcome),
                        Some(known) if known.lines == outcome.lines => {}
                        Some(known) => differs = differs.take().or(Some((known.text(), outcome.text()))),
                    }
                });
                driven.map_err(|error| told(&error))?;
                if let Some((one, other)) = differs {
                    return Err(convict(
                        Fault::Nondeterminism,
                        format!("two runs of one script differ:\n{one}\n\n{other}"),
                    ));
                }
            }
            let outcome = seen.expect("each script has run");
            if *text == OTHER_TASK && outcome.lines.get(1).is_some_and(|line| line.ends_with("  refused")) {
                return Err(convict(
                    Fault::RefusesToWait,
                    format!(
                        "a task holds the lock, and the acquire of another one gives an error:\n{}",
                        outcome.text()
                    ),
                ));
            }
        }
        Ok(())
    });
    match checked {
        Ok(()) => None,
        Err(Stop::Convicted(conviction) | Stop::Stuck(conviction)) => Some(conviction),
    }
}

fn told(error: &DriveError) -> Conviction {
    let fault = match error {
        DriveError::ForeignWake { .. } => Fault::ExternalWake,
        _ => Fault::Panics,
    };
    convict(fault, error.to_string())
}

fn program(text: &str) -> Arc<Program> {
    let scenario = parse("certify/run".parse().expect("it is a name"), text).expect("the scripts here are scenarios");
    Arc::new(Program::new(Arc::new(scenario)).expect("the scripts here are programs"))
}
