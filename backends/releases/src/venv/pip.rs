//! The pip that installs into environments: one for all of them, since to give each its own takes longer than all else.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{judge, lay_out, once};
use crate::error::ReleaseError;
use crate::places::Places;

/// What installs into environments.
pub(super) enum Pip {
    /// The pip of this Python, into any other environment.
    Shared(PathBuf),
    /// Each environment's own: Python 3.9 may bring a pip before 22.3, which cannot install into another.
    Own,
}

impl Pip {
    /// Returns what installs into the environments beside `folder`, which is made if it is not there already.
    pub(super) fn beside(folder: &Path, places: &Places) -> Result<Self, ReleaseError> {
        let interpreter = folder.join("bin/python");
        let told = once(folder, "pip", places, &|exclusive| {
            lay_out(folder, true, &|command, fix| judge(command, places.run(command, exclusive), "pip", fix))?;
            let mut reach = Command::new(&interpreter);
            reach.args(["-m", "pip", "--python"]).arg(&interpreter).arg("--version");
            let reaches = places.run(&reach, exclusive).is_ok_and(|output| output.status.success());
            Ok(if reaches { "shared" } else { "own" }.to_owned())
        })?;
        Ok(if told == "shared" { Pip::Shared(interpreter) } else { Pip::Own })
    }

    /// Returns whether an environment needs a pip of its own.
    pub(super) fn is_own(&self) -> bool {
        matches!(self, Pip::Own)
    }

    /// Returns the command that installs into the environment of `interpreter`, not yet what.
    pub(super) fn install(&self, interpreter: &Path) -> Command {
        let mut command = match self {
            Pip::Shared(pip) => {
                let mut command = Command::new(pip);
                command.args(["-m", "pip", "--python"]).arg(interpreter);
                command
            }
            Pip::Own => {
                let mut command = Command::new(interpreter);
                command.args(["-m", "pip"]);
                command
            }
        };
        command.args(["install", "--quiet", "--no-input"]);
        command
    }
}
