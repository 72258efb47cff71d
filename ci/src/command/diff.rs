//! `keyalike diff`: two backends or two saved reports, scenario by scenario.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use harness::diff::{diff, render};
use harness::report::{CellReport, json};
use harness::runner::Options;

use crate::backend_choice::BackendChoice;
use crate::command::show::ending_of;
use crate::failure::{Ending, Failure};
use crate::glob::matcher;
use crate::scenario_choice::{SuiteChoice, choose};
use crate::{cells, output};

/// The arguments of `diff`.
#[derive(Debug, clap::Args)]
pub(crate) struct Diff {
    /// A backend, or a report that `run --format json` saved
    #[arg(value_name = "LEFT")]
    left: String,
    /// What it is compared with: a backend, or a saved report
    #[arg(value_name = "RIGHT")]
    right: String,
    /// Compare these scenarios: a name, a theme, a glob on names, or (of backends alone) the path of a file or folder
    #[arg(long = "scenario", value_name = "GLOB|PATH")]
    scenarios: Vec<String>,
    #[command(flatten)]
    suite: SuiteChoice,
}

/// One side: the cells of its backends.
type Side = BTreeMap<String, Vec<CellReport>>;

impl Diff {
    /// Compares and shows what differs.
    pub(crate) fn execute(&self) -> Result<Ending, Failure> {
        let (left, right) = (self.side(&self.left)?, self.side(&self.right)?);
        let layout = output::layout();
        let mut ending = Ending::Expected;
        let mut texts = Vec::new();
        for (one, other) in self.pairs(&left, &right)? {
            let name = |given: &str, backend: &str| {
                if given == backend { backend.to_owned() } else { format!("{given}: {backend}") }
            };
            let found = diff(&cells::outcomes(&left[&one]), &cells::outcomes(&right[&other]));
            texts.push(render(&found, &name(&self.left, &one), &name(&self.right, &other), layout));
            if !found.scenarios.is_empty() {
                ending = Ending::Unexpected;
            }
        }
        output::print(&texts.join("\n"))?;
        let ran = left.values().chain(right.values()).flatten();
        let failed: Vec<&CellReport> = ran.filter(|cell| cell.outcome().is_none()).collect();
        for cell in &failed {
            output::note(&format!(
                "{} on {} has no outcome; `keyalike show {0}` says why",
                cell.scenario, cell.backend
            ));
        }
        let failed: Vec<CellReport> = failed.into_iter().cloned().collect();
        Ok(if ending_of(&failed) == Ending::Failed { Ending::Failed } else { ending })
    }

    /// Returns the cells of one side: those of a saved report, or those of a backend that is run now.
    fn side(&self, given: &str) -> Result<Side, Failure> {
        let path = Path::new(given);
        let cells = if path.is_file() { self.saved(path)? } else { self.live(given)? };
        let mut side = Side::new();
        for cell in cells {
            side.entry(cell.backend.clone()).or_default().push(cell);
        }
        Ok(side)
    }

    fn saved(&self, path: &Path) -> Result<Vec<CellReport>, Failure> {
        let text = std::fs::read_to_string(path).map_err(|source| Failure::Read { path: path.to_owned(), source })?;
        let report = json::read(&text).map_err(|source| Failure::Report { path: path.to_owned(), source })?;
        let mut cells = report.cells;
        if !self.scenarios.is_empty() {
            let globs = self.scenarios.iter().flat_map(|glob| [glob.clone(), format!("{glob}/*")]);
            let globs = globs.map(|glob| matcher(&glob)).collect::<Result<Vec<_>, _>>()?;
            cells.retain(|cell| globs.iter().any(|glob| glob.is_match(cell.scenario.as_str())));
        }
        Ok(cells)
    }

    fn live(&self, backend: &str) -> Result<Vec<CellReport>, Failure> {
        let suite = self.suite.read()?;
        let programs = match self.scenarios.as_slice() {
            [] => suite.programs.clone(),
            patterns => choose(&suite, &self.suite.root(), patterns)?,
        };
        let choice = BackendChoice::one(backend);
        let workers = Arc::new(choice.workshop());
        // A side that is there in part would be compared as if it were whole.
        cells::run(&programs, &choice.start(&workers)?, &Options::once(workers), None)
    }

    /// Returns which backend of the left is compared with which of the right: the only ones, or those of one id.
    fn pairs(&self, left: &Side, right: &Side) -> Result<Vec<(String, String)>, Failure> {
        if let ([one], [other]) = (&keys(left)[..], &keys(right)[..]) {
            return Ok(vec![(one.clone(), other.clone())]);
        }
        let (ours, theirs) = (BTreeSet::from_iter(keys(left)), BTreeSet::from_iter(keys(right)));
        let common: Vec<(String, String)> = ours.intersection(&theirs).map(|id| (id.clone(), id.clone())).collect();
        if common.is_empty() {
            let say = |side: &Side| if side.is_empty() { "no cells".to_owned() } else { keys(side).join(", ") };
            return Err(Failure::NothingCommon {
                left: self.left.clone(),
                left_backends: say(left),
                right: self.right.clone(),
                right_backends: say(right),
            });
        }
        Ok(common)
    }
}

fn keys(side: &Side) -> Vec<String> {
    side.keys().cloned().collect()
}
