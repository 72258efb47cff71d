//! `keyalike guard`: runs the worker of somebody else, which then ends when keyalike does, however that ends.

use std::path::PathBuf;

use crate::failure::{Ending, Failure};

/// The arguments of `guard`.
#[derive(Debug, clap::Args)]
pub(crate) struct Guard {
    /// The process that the worker is to end with.
    #[arg(long, value_name = "PID")]
    parent: u32,
    /// The worker's program, and its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

impl Guard {
    /// Runs the worker.
    pub(crate) fn execute(&self) -> Result<Ending, Failure> {
        let Some((program, arguments)) = self.command.split_first() else { unreachable!("clap requires a command") };
        let program = PathBuf::from(program);
        match harness::isolation::guard(&program, arguments, self.parent) {
            Ok(never) => match never {},
            Err(source) => Err(Failure::Exec { program, source }),
        }
    }
}
