//! The command line `keyalike`: runs, shows and compares scenarios on the backends that were built.
//!
//! Reads the arguments and gives them to one command; what a command finds becomes the exit code here and nowhere else.

mod backend_choice;
mod bootstrap;
mod budget;
mod cancel_points;
mod cells;
mod checkpoint;
mod command;
mod explorations_file;
mod export;
mod failure;
mod findings_file;
mod glob;
mod histories;
mod interrupt;
mod journal;
mod kept_file;
mod output;
mod release_runs;
mod scenario_choice;
mod scenario_files;
mod twists;

use std::process::ExitCode;

use clap::Parser;

use command::Command;

/// Runs one suite of lock scenarios on every async runtime and lock library, and shows where they differ.
#[derive(Debug, Parser)]
#[command(name = "keyalike", version, max_term_width = 120, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes:\n  \
    0  as expected\n  \
    1  a violation, divergence or change that nobody reviewed, a stale ledger entry, runs that differ\n  \
    2  wrong usage or bad input\n  \
    3  the harness itself failed: a cell was not run, the output could not be written\n  \
    130, 143  interrupted by Ctrl-C or SIGTERM: what was found is told and kept; a second signal ends at once";

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.command.execute() {
        Ok(status) => status.into(),
        Err(failure) => {
            output::complain(&failure);
            failure.into()
        }
    }
}
