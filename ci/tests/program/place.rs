//! A folder of its own with a scenario to explore.

use std::path::PathBuf;
use std::process::Command;

use crate::program::program;

pub(crate) struct Place(tempfile::TempDir);

impl Place {
    /// Returns a new folder with the scenario in it.
    pub(crate) fn new(scenario: &str) -> Self {
        let place = Self(tempfile::tempdir().expect("a folder can be made"));
        std::fs::write(place.path("program.scenario"), scenario).expect("a file can be written");
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Returns the exploration of its scenario on two libraries, with further arguments.
    pub(crate) fn explore(&self, arguments: &[&str]) -> Command {
        let mut command = program(&["explore", "--scenario", &self.text("program.scenario")]);
        command.args(["--backend", "tokio", "--backend", "futures"]).args(arguments);
        command
    }
}
