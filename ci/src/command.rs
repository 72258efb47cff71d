//! The commands, one file each.

mod bisect;
mod diff;
mod explain;
mod explore;
mod fmt;
mod fuzz;
mod gate;
mod guard;
mod kill_rate;
mod lint;
mod list;
mod merge;
mod migrate;
mod run;
mod serve;
mod show;
mod stress;
mod versions;

use clap::Subcommand;

use crate::failure::{Ending, Failure};

/// A command with its arguments.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run scenarios on backends and show the matrix of verdicts
    Run(run::Run),
    /// Show a scenario and what every backend did with it, side by side
    Show(show::Show),
    /// Compare two backends, or two saved JSON reports, scenario by scenario
    Diff(diff::Diff),
    /// List the scenarios, rules, backends or features
    List(list::List),
    /// Explain a rule or a scenario, with what every native backend did
    Explain(explain::Explain),
    /// Explore every order of explored scenarios on lock libraries, and what may happen to their tasks at any time
    Explore(explore::Explore),
    /// Look for violations of a lock library, or for what tells two apart, with programs that are made up
    Fuzz(fuzz::Fuzz),
    /// Join what the shards of a fuzzing run, or of an exploration, found
    Merge(merge::Merge),
    /// Run programs on real threads, again and again, to meet the races inside a lock's own poll
    Stress(stress::Stress),
    /// Measure how many planted broken locks each strategy of the explorer finds out, and how fast
    KillRate(kill_rate::KillRate),
    /// Bring scenario files into canonical form
    Fmt(fmt::Fmt),
    /// Warn of what is surely not meant in scenario files
    Lint(lint::Lint),
    /// Check everything that must hold before a merge
    Gate(gate::Gate),
    /// Compare releases of a lock library, neighbour by neighbour: what broke, was fixed, changed, is new or gone
    Versions(versions::Versions),
    /// Find the first release of a lock library that does otherwise in one scenario
    Bisect(bisect::Bisect),
    /// List what differs between two backends, as Markdown for a pull request
    Migrate(migrate::Migrate),
    /// Serve as a worker on stdin and stdout: one JSON value a line
    Serve(serve::Serve),
    /// Run a worker that ends with its parent
    #[command(hide = true)]
    Guard(guard::Guard),
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
            Command::Show(show) => show.execute(),
            Command::Diff(diff) => diff.execute(),
            Command::List(list) => list.execute(),
            Command::Explain(explain) => explain.execute(),
            Command::Explore(explore) => explore.execute(),
            Command::Fuzz(fuzz) => fuzz.execute(),
            Command::Merge(merge) => merge.execute(),
            Command::Stress(stress) => stress.execute(),
            Command::KillRate(kill_rate) => kill_rate.execute(),
            Command::Fmt(fmt) => fmt.execute(),
            Command::Lint(lint) => lint.execute(),
            Command::Gate(gate) => gate.execute(),
            Command::Versions(versions) => versions.execute(),
            Command::Bisect(bisect) => bisect.execute(),
            Command::Migrate(migrate) => migrate.execute(),
            Command::Serve(serve) => serve.execute(),
            Command::Guard(guard) => guard.execute(),
        }
    }
}
