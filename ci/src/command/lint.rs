//! `keyalike lint`: warns of what is surely not meant in scenario files.

use std::path::PathBuf;

use harness::report::paint::count;
use harness::scenario::lint::{LintContext, lint};
use harness::scenario::parse::{parse_bytes, parse_located};
use harness::suite::read_rules;

use crate::failure::{Ending, Failure};
use crate::scenario_choice::SuiteChoice;
use crate::scenario_files::ScenarioFile;
use crate::{output, scenario_files};

/// The arguments of `lint`.
#[derive(Debug, clap::Args)]
pub(crate) struct Lint {
    /// The files and folders [default: the suites]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    suite: SuiteChoice,
}

impl Lint {
    /// Warns of every file that can be read as a scenario, and tells of those that cannot.
    pub(crate) fn execute(&self) -> Result<Ending, Failure> {
        let root = self.suite.root();
        let files = scenario_files::read(&self.paths, &root)?;
        let rules = read_rules(&root.join("rules.toml"))?;
        let mut context = LintContext { rules: Some(rules.into_keys().collect()), in_suites: false };
        let (mut warnings, mut broken, mut text) = (0, 0, String::new());
        for file in &files {
            context.in_suites = file.in_suites;
            match check(file, &context) {
                Ok(found) => {
                    warnings += found.len();
                    text.push_str(&file.render(&found));
                }
                Err(diagnostics) => {
                    broken += 1;
                    text.push_str(&file.render(&diagnostics));
                }
            }
        }
        output::print(&text)?;
        output::note(&format!("{}: {}, {broken} with errors", count(files.len(), "file"), count(warnings, "warning")));
        Ok(match (broken, warnings) {
            (0, 0) => Ending::Expected,
            (0, _) => Ending::Unexpected,
            _ => Ending::BadInput,
        })
    }
}

type Diagnostics = Vec<harness::scenario::diagnostic::Diagnostic>;

/// Returns the warnings of a file, or why it is no scenario.
fn check(file: &ScenarioFile, context: &LintContext) -> Result<Diagnostics, Diagnostics> {
    match std::str::from_utf8(&file.bytes) {
        Ok(text) => parse_located(file.name.clone(), text).map(|parsed| lint(&parsed, context)),
        Err(_) => parse_bytes(file.name.clone(), &file.bytes).map(|_| Vec::new()),
    }
}
