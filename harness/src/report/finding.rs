//! What a report lists beside its cells: everything that is not as expected.
//!
//! The review decides what that is; here it is only a value.

use serde::{Deserialize, Serialize};

use crate::scenario::name::ScenarioName;

/// Something that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What it is.
    pub kind: FindingKind,
    /// The scenario, if it concerns one.
    #[serde(default)]
    pub scenario: Option<ScenarioName>,
    /// The backends that it concerns.
    #[serde(default)]
    pub backends: Vec<String>,
    /// What is so, in lower case and without a full stop.
    pub message: String,
    /// What shows it or puts it right: a command or an advice.
    pub hint: String,
}

/// What can be not as expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// A backend did not start, so that its column was not run.
    Unavailable,
    /// A cell was not run, by the environment's fault or the harness's own.
    Failed,
    /// Two runs of one cell differ.
    Varies,
    /// A rule is violated and no entry of the ledger says why.
    Violation,
    /// Two backends differ and no entry of the ledger says why.
    Divergence,
    /// A cell differs from its snapshot.
    Changed,
    /// An entry of the ledger matches nothing any more.
    Stale,
    /// A backend ran nothing.
    EmptyColumn,
    /// Nothing ran at all.
    NothingRun,
}

impl Finding {
    /// Returns the finding that the backend that `id` asks for did not start, with the reason.
    pub fn unavailable(id: &str, why: &str) -> Self {
        Self {
            kind: FindingKind::Unavailable,
            scenario: None,
            backends: vec![id.to_owned()],
            message: format!("{id}: {why}"),
            hint: "the other backends were run without it".to_owned(),
        }
    }
}

impl FindingKind {
    /// Returns its heading in reports.
    pub fn title(self) -> &'static str {
        match self {
            FindingKind::Unavailable => "unavailable backend",
            FindingKind::Failed => "not run",
            FindingKind::Varies => "two runs differ",
            FindingKind::Violation => "unreviewed violation",
            FindingKind::Divergence => "unreviewed divergence",
            FindingKind::Changed => "changed against its snapshot",
            FindingKind::Stale => "stale ledger entry",
            FindingKind::EmptyColumn => "empty column",
            FindingKind::NothingRun => "nothing ran",
        }
    }
}
