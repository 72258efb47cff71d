//! Every model on the faithful queue, and the mutations that the models must catch.
//!
//! `--nocapture` tells the number of executions.

use std::cell::Cell;
use std::panic;
use std::process::ExitCode;

use keyalike_strict_model::models::{MODELS, Model, check, named};
use keyalike_strict_model::mutation::MUTATIONS;
use keyalike_strict_model::queue::{FAITHFUL, Make, mutant};
use libtest_mimic::{Arguments, Failed, Trial};

thread_local! {
    /// Whether panics on this thread are what the test wants.
    static EXPECTS_PANIC: Cell<bool> = const { Cell::new(false) };
}

fn main() -> ExitCode {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !EXPECTS_PANIC.get() {
            report(info);
        }
    }));
    let arguments = Arguments::from_args();
    let tells = arguments.nocapture;
    let mut trials = Vec::new();
    for &model in MODELS {
        trials.push(Trial::test(format!("{}::holds", model.name), move || holds(model, tells)));
    }
    for mutation in MUTATIONS {
        for model in mutation.caught_by {
            let name = format!("{model}::catches::{}", mutation.name);
            trials.push(Trial::test(name, move || catches(named(model), mutant(mutation.name), tells)));
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn holds(model: Model, tells: bool) -> Result<(), Failed> {
    let executions = check(model, FAITHFUL)?;
    if tells {
        println!("{}: {executions} executions, preemption bound {}", model.name, model.preemptions_max);
    }
    Ok(())
}

fn catches(model: Model, make: Make, tells: bool) -> Result<(), Failed> {
    EXPECTS_PANIC.set(true);
    let checked = check(model, make);
    EXPECTS_PANIC.set(false);
    match checked {
        Ok(executions) => Err(format!("{} holds in all {executions} executions and must fail", model.name).into()),
        Err(failure) => {
            if tells {
                println!("{}: {}", model.name, failure.lines().next().unwrap_or_default());
            }
            Ok(())
        }
    }
}
