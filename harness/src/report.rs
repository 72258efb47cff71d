//! The report of a run as one value: what ran where, what came out, and what of it is not as expected.
//!
//! A [`finding`] is a value too. The other modules below put the report into text, each into one format. None of them
//! decides anything, and none prints.

pub mod columns;
pub mod finding;
pub mod github;
pub mod json;
pub mod junit;
pub mod markdown;
pub mod paint;
pub mod side_by_side;
pub mod table;
pub mod unified_diff;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::comparison::{Difference, compare, letter};
use crate::report::finding::{Finding, FindingKind};
use crate::runner::{Cell, CellError};
use crate::scenario::name::{RuleId, ScenarioName};
use crate::subject::Description;
use crate::verdict::{Grade, Verdict};

/// The version of the report's form. Fields may be added to it; none is removed or changes its meaning.
pub const SCHEMA: u32 = 1;

/// Everything that a run has to tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The version of its form, [`SCHEMA`].
    pub schema: u32,
    /// What was asked.
    pub suite: SuiteFacts,
    /// Where it ran.
    pub environment: Environment,
    /// The columns.
    pub backends: Vec<Description>,
    /// What came out, by scenario and then by backend.
    pub cells: Vec<CellReport>,
    /// How much of everything there is.
    pub summary: Summary,
    /// What is not as expected.
    #[serde(default)]
    pub findings: Vec<Finding>,
}

/// What was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuiteFacts {
    /// How many scenarios were run.
    pub scenarios: usize,
    /// How many scenarios there are.
    pub scenarios_total: usize,
    /// The themes whose scenarios were generated: a report may fold their rows.
    #[serde(default)]
    pub generated: BTreeSet<String>,
    /// How often each cell ran in each seat.
    pub repeat: usize,
    /// Whether every cell ran in a worker process.
    pub isolated: bool,
}

/// Where it ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// The version of keyalike.
    pub keyalike: String,
    /// The operating system.
    pub os: String,
    /// The architecture of the processor.
    pub arch: String,
    /// How many threads run at once.
    pub parallelism: usize,
}

/// What one backend did with one scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellReport {
    /// The scenario.
    pub scenario: ScenarioName,
    /// The id of the backend.
    pub backend: String,
    /// The rule that the grade speaks of.
    #[serde(default)]
    pub rule: Option<RuleId>,
    /// What came out.
    #[serde(flatten)]
    pub answer: Answer,
}

/// What came out of a cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    /// One outcome.
    Outcome(OutcomeReport),
    /// Several, so that neither is the outcome.
    Varies {
        /// Each of them.
        variants: Vec<VariantReport>,
    },
    /// None: the environment's fault or the harness's own.
    Failed {
        /// Why, and how to fix it.
        error: String,
    },
}

/// An outcome, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeReport {
    /// What the run came to.
    pub verdict: Verdict,
    /// What the scenario's rule says of it.
    pub grade: Grade,
    /// Why it is permitted, or which conditions failed if the verdict is accepted only under conditions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sentence: Option<String>,
    /// Which of the distinct outcomes of its scenario it is: `a`, `b`, ...
    #[serde(default)]
    pub letter: String,
    /// The text that snapshots keep, line by line.
    pub transcript: Vec<String>,
}

/// One of the outcomes of a cell that varies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariantReport {
    /// How often it came out.
    pub count: usize,
    /// Where the conductor sat when it came out first.
    pub seat: String,
    /// Its text, line by line.
    pub transcript: Vec<String>,
}

/// How much of everything there is. `expected` is the sum of `executed`, `unsupported`, `varying` and `failed`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Cells that were to run: scenarios times backends.
    pub expected: usize,
    /// Cells that ran and have one outcome.
    pub executed: usize,
    /// Cells whose backend declares that it lacks an operation.
    pub unsupported: usize,
    /// Cells of which two runs differ.
    pub varying: usize,
    /// Cells without an outcome for another reason.
    pub failed: usize,
    /// Scenarios on which two backends differ, in wording or in kind.
    pub divergent: usize,
    /// Of these, those on which they differ in wording alone.
    pub divergent_in_wording: usize,
    /// Scenarios whose divergence the ledger explains in full.
    pub divergent_reviewed: usize,
    /// Cells that violate their rule.
    pub violations: usize,
    /// Of these, those that the ledger explains.
    pub violations_reviewed: usize,
    /// Entries of the ledger that match nothing any more.
    pub stale: usize,
    /// Cells that were compared with a snapshot.
    pub snapshots: usize,
    /// Of these, those that differ from it.
    pub snapshots_changed: usize,
    /// Cells of a backend with snapshots that have none.
    pub snapshots_missing: usize,
}

impl Summary {
    /// Returns how many of the expected cells the report has. They are fewer only if the run was interrupted.
    pub fn ran(&self) -> usize {
        self.executed + self.unsupported + self.varying + self.failed
    }
}

/// How a run ended, for the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// As expected.
    Expected,
    /// A violation or divergence that nobody reviewed, a change, a stale entry, a cell that varies, or nothing run.
    Unexpected,
    /// A cell was not run.
    Failed,
}

impl Report {
    /// Returns whether the run is as expected.
    pub fn status(&self) -> Status {
        let is_failure = |kind| matches!(kind, FindingKind::Unavailable | FindingKind::Failed);
        if self.findings.iter().any(|finding| is_failure(finding.kind)) {
            Status::Failed
        } else if self.findings.is_empty() {
            Status::Expected
        } else {
            Status::Unexpected
        }
    }

    /// Returns the rows, in groups by theme.
    pub fn groups(&self) -> Vec<Group<'_>> {
        let mut groups: Vec<Group<'_>> = Vec::new();
        for cells in self.cells.chunk_by(|one, next| one.scenario == next.scenario) {
            let row = self.row(cells);
            let theme = row.name.theme();
            match groups.last_mut() {
                Some(group) if group.theme == theme => group.rows.push(row),
                _ => groups.push(Group { theme, generated: self.suite.generated.contains(theme), rows: vec![row] }),
            }
        }
        groups
    }

    /// Keeps the rows that are asked for. The summary and the findings stay: they speak of what ran.
    pub fn retain_rows(&mut self, keep: impl Fn(&Row<'_>) -> bool) {
        let groups = self.groups();
        let rows = groups.iter().flat_map(|group| &group.rows);
        let kept: BTreeSet<ScenarioName> = rows.filter(|row| keep(row)).map(|row| row.name.clone()).collect();
        self.cells.retain(|cell| kept.contains(&cell.scenario));
    }

    fn row<'a>(&'a self, cells: &'a [CellReport]) -> Row<'a> {
        let lines: Vec<Option<&[String]>> = cells.iter().map(CellReport::comparable).collect();
        let concerns = |finding: &&Finding| finding.scenario.as_ref() == Some(&cells[0].scenario);
        Row {
            name: &cells[0].scenario,
            cells: self.backends.iter().map(|backend| cells.iter().find(|cell| cell.backend == backend.id)).collect(),
            difference: compare(&lines).difference,
            findings: self.findings.iter().filter(concerns).collect(),
        }
    }
}

impl CellReport {
    /// Returns what a run of a cell came to, in words.
    pub fn of(cell: &Cell) -> Self {
        let answer = match &cell.outcome {
            Ok(outcome) => Answer::Outcome(OutcomeReport {
                verdict: outcome.verdict,
                grade: outcome.grade,
                sentence: outcome.sentence.clone(),
                letter: String::new(),
                transcript: outcome.lines.clone(),
            }),
            Err(CellError::Varies(variants)) => Answer::Varies {
                variants: variants
                    .iter()
                    .map(|variant| VariantReport {
                        count: variant.count,
                        seat: variant.seat.to_owned(),
                        transcript: variant.outcome.lines.clone(),
                    })
                    .collect(),
            },
            Err(error) => Answer::Failed { error: error.to_string() },
        };
        Self {
            scenario: cell.program.scenario.name.clone(),
            backend: cell.backend.clone(),
            rule: cell.program.scenario.rules.first().cloned(),
            answer,
        }
    }

    /// Returns the outcome, if there is one.
    pub fn outcome(&self) -> Option<&OutcomeReport> {
        match &self.answer {
            Answer::Outcome(outcome) => Some(outcome),
            Answer::Varies { .. } | Answer::Failed { .. } => None,
        }
    }

    /// Returns the lines that are compared with those of other backends. What a backend declares that it lacks is no
    /// outcome to compare.
    pub fn comparable(&self) -> Option<&[String]> {
        let outcome = self.outcome().filter(|outcome| outcome.verdict != Verdict::Unsupported)?;
        Some(&outcome.transcript)
    }

    /// Returns whether it violates its rule.
    pub fn violates(&self) -> bool {
        self.outcome().is_some_and(|outcome| outcome.grade == Grade::Violates)
    }
}

/// Gives each distinct outcome of a scenario its letter. `cells` are sorted by scenario.
pub fn give_letters(cells: &mut [CellReport]) {
    for row in cells.chunk_by_mut(|one, next| one.scenario == next.scenario) {
        let lines: Vec<Option<&[String]>> = row.iter().map(CellReport::comparable).collect();
        let groups = compare(&lines).groups;
        for (cell, group) in row.iter_mut().zip(groups) {
            if let (Answer::Outcome(outcome), Some(group)) = (&mut cell.answer, group) {
                outcome.letter = letter(group);
            }
        }
    }
}

/// The rows of one theme.
#[derive(Clone, Debug)]
pub struct Group<'a> {
    /// The theme.
    pub theme: &'a str,
    /// Whether the scenarios were generated: then rows on which all backends agree are folded into one line.
    pub generated: bool,
    /// The rows.
    pub rows: Vec<Row<'a>>,
}

/// One scenario on every backend.
#[derive(Clone, Debug)]
pub struct Row<'a> {
    /// The scenario.
    pub name: &'a ScenarioName,
    /// What came out, a cell for each of the report's backends.
    pub cells: Vec<Option<&'a CellReport>>,
    /// How far apart the backends are.
    pub difference: Difference,
    /// What of it is not as expected.
    pub findings: Vec<&'a Finding>,
}

impl Row<'_> {
    /// Returns whether all backends did the same, as the rule wants and as expected: nothing in it asks for a look.
    pub fn is_quiet(&self) -> bool {
        self.difference == Difference::None
            && self.findings.is_empty()
            && self.cells.iter().flatten().all(|cell| cell.outcome().is_some() && !cell.violates())
    }

    /// Returns whether something of a kind is not as expected in the cell of a backend.
    pub fn has_finding(&self, kind: FindingKind, backend: &str) -> bool {
        self.findings.iter().any(|finding| finding.kind == kind && finding.backends.iter().any(|id| id == backend))
    }

    /// Returns the backends by their distinct outcomes, in the order of the letters.
    pub fn outcomes(&self) -> BTreeMap<&str, Vec<&CellReport>> {
        let mut outcomes: BTreeMap<&str, Vec<&CellReport>> = BTreeMap::new();
        for cell in self.cells.iter().flatten() {
            if let Some(outcome) = cell.outcome() {
                outcomes.entry(&outcome.letter).or_default().push(cell);
            }
        }
        outcomes
    }
}
