//! `keyalike guard`: becomes the worker of somebody else, which then ends when keyalike does, however that ends.

use std::path::PathBuf;

use crate::failure::{Ending, Failure};

/// The arguments of `guard`.
#[derive(Debug, clap::Args)]
pub(crate) struct Guard {
    /// The worker's program, and its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

impl Guard {
    /// Becomes the worker.
    pub(crate) fn execute(&self) -> Result<Ending, Failure> {
        let Some((program, arguments)) = self.command.split_first() else { unreachable!("clap requires a command") };
        let program = PathBuf::from(program);
        let source = harness::isolation::guard(&program, arguments);
        Err(Failure::Exec { program, source })
    }
}
