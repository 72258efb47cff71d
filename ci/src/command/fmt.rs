//! `keyalike fmt`: brings scenario files into canonical form.

use std::path::PathBuf;

use harness::report::paint::count;
use harness::scenario::parse::parse_bytes;

use crate::failure::{Ending, Failure};
use crate::scenario_choice::SuiteChoice;
use crate::{output, scenario_files};

/// The arguments of `fmt`.
#[derive(Debug, clap::Args)]
pub(crate) struct Fmt {
    /// Change nothing, and name the files that are not in canonical form
    #[arg(long)]
    check: bool,
    /// The files and folders [default: the suites]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    suite: SuiteChoice,
}

impl Fmt {
    /// Formats every file that can be read as a scenario, and tells of those that cannot.
    pub(crate) fn execute(&self) -> Result<Ending, Failure> {
        let files = scenario_files::read(&self.paths, &self.suite.root())?;
        let (mut changed, mut broken, mut text) = (0, 0, String::new());
        for file in &files {
            match parse_bytes(file.name.clone(), &file.bytes) {
                Ok(scenario) => {
                    let canonical = scenario.to_string();
                    if canonical.as_bytes() == file.bytes {
                        continue;
                    }
                    changed += 1;
                    text.push_str(&format!("{}\n", file.path.display()));
                    if !self.check {
                        output::save(&file.path, &canonical)?;
                    }
                }
                Err(diagnostics) => {
                    broken += 1;
                    text.push_str(&file.render(&diagnostics));
                }
            }
        }
        output::print(&text)?;
        let what = if self.check { "not in canonical form" } else { "formatted" };
        output::note(&format!("{changed} of {} {what}, {broken} with errors", count(files.len(), "file")));
        Ok(match (broken, changed) {
            (0, 0) => Ending::Expected,
            (0, _) if self.check => Ending::Unexpected,
            (0, _) => Ending::Expected,
            _ => Ending::BadInput,
        })
    }
}
