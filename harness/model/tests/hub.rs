//! Every model on the faithful hub, and the mutations that the models must catch.
//!
//! `--nocapture` tells the number of executions.

use std::cell::Cell;
use std::panic;
use std::process::ExitCode;

use keyalike_model::hub::mutant;
use keyalike_model::models::{MODELS, named};
use keyalike_model::mutation::MUTATIONS;
use keyalike_model::stage::{EndOrder, Model, Setting, check};
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
    let late = Setting { end_order: EndOrder::ReportsFirst, ..Setting::FAITHFUL };
    let mut trials = Vec::new();
    for &model in MODELS {
        trials.push(Trial::test(format!("{}::holds", model.name), move || holds(model, tells)));
        let name = format!("{}::catches::reports_the_end_first", model.name);
        trials.push(Trial::test(name, move || catches(model, late, tells)));
    }
    for mutation in MUTATIONS {
        let setting = Setting { make: mutant(mutation.name), ..Setting::FAITHFUL };
        for model in mutation.caught_by {
            let name = format!("{model}::catches::{}", mutation.name);
            trials.push(Trial::test(name, move || catches(named(model), setting, tells)));
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn holds(model: Model, tells: bool) -> Result<(), Failed> {
    let executions = check(model, Setting::FAITHFUL)?;
    if tells {
        println!("{}: {executions} executions, preemption bound {}", model.name, model.preemptions_max);
    }
    Ok(())
}

fn catches(model: Model, setting: Setting, tells: bool) -> Result<(), Failed> {
    EXPECTS_PANIC.set(true);
    let checked = check(model, setting);
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
