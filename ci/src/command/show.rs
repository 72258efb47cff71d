//! `keyalike show`: one scenario, and what every backend did with it.

use harness::report::{CellReport, columns, side_by_side};

use crate::backend_choice::BackendChoice;
use crate::failure::{Ending, Failure};
use crate::output;
use crate::scenario_choice::{SuiteChoice, choose};

/// The arguments of `show`.
#[derive(Debug, clap::Args)]
pub(crate) struct Show {
    /// The scenario: a name, a glob on names, or the path of a file or folder
    #[arg(value_name = "SCENARIO|PATH", required = true)]
    scenarios: Vec<String>,
    #[command(flatten)]
    backends: BackendChoice,
    /// Show a column for each task, with time running down
    #[arg(long)]
    columns: bool,
    #[command(flatten)]
    suite: SuiteChoice,
}

impl Show {
    /// Runs and shows. A cell that was not run is a failure; nothing else is judged here.
    pub(crate) fn execute(&self) -> Result<Ending, Failure> {
        let suite = self.suite.read()?;
        let programs = choose(&suite, &self.suite.root(), &self.scenarios)?;
        let (cells, ending) = self.backends.run_once(&programs)?;
        let layout = output::layout();
        let mut text = String::new();
        for row in cells.chunk_by(|one, next| one.scenario == next.scenario) {
            if !text.is_empty() {
                text.push('\n');
            }
            if let Some(program) = programs.get(&row[0].scenario) {
                text.push_str(&output::scenario(&program.scenario));
            }
            text.push_str(&if self.columns { columns::render(row, layout) } else { side_by_side::render(row, layout) });
        }
        output::print(&text)?;
        Ok(ending.or(ending_of(&cells)))
    }
}

/// Returns how showing these cells ended: a cell that was not run or varies is told, and is a failure.
pub(crate) fn ending_of(cells: &[CellReport]) -> Ending {
    use harness::report::Answer;
    let is_failed = |cell: &CellReport| matches!(cell.answer, Answer::Failed { .. });
    let varies = |cell: &CellReport| matches!(cell.answer, Answer::Varies { .. });
    match (cells.iter().any(is_failed), cells.iter().any(varies)) {
        (true, _) => Ending::Failed,
        (false, true) => Ending::Unexpected,
        (false, false) => Ending::Expected,
    }
}
