//! The commands, one file each.

mod run;
mod serve;

use clap::Subcommand;

use crate::failure::{Ending, Failure};

/// A command with its arguments.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run scenarios on backends and show the matrix of verdicts
    Run(run::Run),
    /// Serve as a worker on stdin and stdout: one JSON value a line
    Serve(serve::Serve),
}

impl Command {
    /// Does what it says.
    ///
    /// # Errors
    ///
    /// [`Failure`], if it cannot.
    pub(crate) fn execute(&self) -> Result<Ending, Failure> {
        match self {
            Command::Run(run) => run.execute(),
            Command::Serve(serve) => serve.execute(),
        }
    }
}
