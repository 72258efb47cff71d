//! The ledger of divergences and violations that are known: who reviewed them said why, and where it is written.
//!
//! An entry that no longer matches anything is stale, and as red as something that no entry explains.

use std::path::{Path, PathBuf};

use globset::{Glob, GlobMatcher};
use serde::{Deserialize, Serialize};

/// The reviewed entries.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// In the order of the file.
    pub entries: Vec<Entry>,
}

/// One known divergence or violation.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What it explains.
    pub kind: Kind,
    /// Which scenarios, as in the file.
    pub scenario: String,
    /// Which backends, as in the file.
    pub backends: Vec<String>,
    /// Why it is so.
    pub reason: String,
    /// Where that is written.
    pub source: String,
    scenarios: GlobMatcher,
    backend_globs: Vec<GlobMatcher>,
}

/// What an entry explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The named backends differ from those that are not named.
    Divergence,
    /// The named backends differ from those that are not named, and only in the verbatim texts of messages.
    Wording,
    /// The named backends violate the scenario's rule.
    Violation,
}

/// A ledger that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file cannot be read.
    #[error("{}: {source}; the ledger may be empty but must exist", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file has an error.
    #[error("{}: {source}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong, with its place.
        source: Box<toml::de::Error>,
    },
    /// A pattern is not a glob.
    #[error("{}: `{pattern}` is not a glob: {source}; write names with * and ?", path.display())]
    Pattern {
        /// The file.
        path: PathBuf,
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        source: globset::Error,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    divergence: Vec<Row>,
    #[serde(default)]
    wording: Vec<Row>,
    #[serde(default)]
    violation: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    scenario: String,
    backends: Vec<String>,
    reason: String,
    source: String,
}

impl Ledger {
    /// Reads the ledger from `path`.
    ///
    /// # Errors
    ///
    /// [`LedgerError`], with the place of what is wrong.
    pub fn read(path: &Path) -> Result<Self, LedgerError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| LedgerError::Read { path: path.to_owned(), source })?;
        Self::parse(path, &text)
    }

    /// Reads the ledger from its text. `path` stands in errors.
    ///
    /// # Errors
    ///
    /// [`LedgerError`], with the place of what is wrong.
    pub fn parse(path: &Path, text: &str) -> Result<Self, LedgerError> {
        let file: File = toml::from_str(text)
            .map_err(|source| LedgerError::Syntax { path: path.to_owned(), source: Box::new(source) })?;
        let rows = file.divergence.into_iter().map(|row| (Kind::Divergence, row));
        let rows = rows.chain(file.wording.into_iter().map(|row| (Kind::Wording, row)));
        let rows = rows.chain(file.violation.into_iter().map(|row| (Kind::Violation, row)));
        let entries = rows.map(|(kind, row)| Entry::new(path, kind, row)).collect::<Result<_, _>>()?;
        Ok(Self { entries })
    }
}

impl Entry {
    fn new(path: &Path, kind: Kind, row: Row) -> Result<Self, LedgerError> {
        let glob = |pattern: &String| {
            Glob::new(pattern).map(|glob| glob.compile_matcher()).map_err(|source| LedgerError::Pattern {
                path: path.to_owned(),
                pattern: pattern.clone(),
                source,
            })
        };
        Ok(Self {
            kind,
            scenarios: glob(&row.scenario)?,
            backend_globs: row.backends.iter().map(glob).collect::<Result<_, _>>()?,
            scenario: row.scenario,
            backends: row.backends,
            reason: row.reason,
            source: row.source,
        })
    }

    /// Returns whether it speaks of a scenario.
    pub fn names_scenario(&self, scenario: &str) -> bool {
        self.scenarios.is_match(scenario)
    }

    /// Returns whether it speaks of a backend.
    pub fn names_backend(&self, backend: &str) -> bool {
        self.backend_globs.iter().any(|glob| glob.is_match(backend))
    }

    /// Returns whether it speaks of releases of a backend, whichever: what stands behind an `@` is left out on both
    /// sides.
    pub fn names_release_of(&self, backend: &str) -> bool {
        let plain = |text: &str| text.split('@').next().unwrap_or_default().to_owned();
        let is_it =
            |pattern: &String| Glob::new(&plain(pattern)).is_ok_and(|it| it.compile_matcher().is_match(plain(backend)));
        self.backends.iter().any(is_it)
    }

    /// Returns whether it explains that a backend violates the rule of a scenario.
    pub fn explains_violation(&self, scenario: &str, backend: &str) -> bool {
        self.kind == Kind::Violation && self.names_scenario(scenario) && self.names_backend(backend)
    }

    /// Returns whether it explains that two backends differ in a scenario: it names exactly one of them. A difference
    /// of wording only is explained by either kind of entry, any other by a divergence alone.
    pub fn explains_divergence(&self, scenario: &str, one: &str, other: &str, only_wording: bool) -> bool {
        let speaks_of_it = match self.kind {
            Kind::Divergence => true,
            Kind::Wording => only_wording,
            Kind::Violation => false,
        };
        speaks_of_it && self.names_scenario(scenario) && self.names_backend(one) != self.names_backend(other)
    }
}
