//! The ledger of divergences and violations that are known: who reviewed them said why, and where it is written.
//!
//! An entry that no longer matches anything is stale, and as red as something that no entry explains.

use std::fmt;
use std::path::{Path, PathBuf};

use globset::{Glob, GlobMatcher};
use serde::{Deserialize, Serialize};
use toml::Spanned;

/// The reviewed entries.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// In the order of the file, by their kind.
    pub entries: Vec<Entry>,
    /// The file, for errors.
    path: PathBuf,
}

/// How versions are ordered. The harness knows no ecosystem: whoever knows what ids of releases mean passes this in.
#[derive(Clone, Copy, Debug)]
pub struct VersionOrder {
    /// Returns whether the release that an id names (`trio+anyio@4.6.0`) is in a range (`>=4.3,<4.7`).
    pub contains: fn(id: &str, range: &str) -> bool,
    /// Checks that a range means something for the backends that are meant. The error is what is wrong and how to mend
    /// it.
    pub check: fn(is_meant: IsMeant<'_>, range: &str) -> Result<(), String>,
}

/// Whether a backend is meant, by its id without a version.
pub type IsMeant<'a> = &'a dyn Fn(&str) -> bool;

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
    /// The upstream issue that will end it. Once the newest release does not need the entry, it is stale.
    pub until: Option<String>,
    /// The line of the file on which it begins, from 1.
    pub line: usize,
    scenarios: GlobMatcher,
    patterns: Vec<Pattern>,
    order: Option<VersionOrder>,
}

/// Which backends an entry speaks of: a glob, or a glob and a range of versions behind an `@`.
#[derive(Clone, Debug)]
struct Pattern {
    line: usize,
    glob: GlobMatcher,
    range: Option<String>,
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
    #[error("{}:{line}: `{pattern}` is not a glob: {source}; write names with * and ?", path.display())]
    Pattern {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        source: globset::Error,
    },
    /// A range of versions means nothing.
    #[error("{}:{line}: {entry}: {why}", path.display())]
    Range {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The entry.
        entry: String,
        /// What is wrong, and how to mend it.
        why: String,
    },
    /// What an entry waits for is no issue.
    #[error(
        "{}:{line}: {entry}: `until` waits for `{until}`, which is no issue; write `owner/repository#number`, or its \
             address",
        path.display()
    )]
    Until {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The entry.
        entry: String,
        /// What stands there.
        until: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    divergence: Vec<Spanned<Row>>,
    #[serde(default)]
    wording: Vec<Spanned<Row>>,
    #[serde(default)]
    violation: Vec<Spanned<Row>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    scenario: String,
    backends: Vec<Spanned<String>>,
    reason: String,
    source: String,
    #[serde(default)]
    until: Option<String>,
}

/// The text of a ledger, and where it stands.
#[derive(Clone, Copy)]
struct Source<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Source<'_> {
    /// Returns the line, from 1, on which a part of the text begins.
    fn line(self, offset: usize) -> usize {
        self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
    }

    fn glob(self, pattern: &str, line: usize) -> Result<GlobMatcher, LedgerError> {
        Glob::new(pattern).map(|glob| glob.compile_matcher()).map_err(|source| LedgerError::Pattern {
            path: self.path.to_owned(),
            line,
            pattern: pattern.to_owned(),
            source,
        })
    }
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
        let source = Source { path, text };
        let entries = rows.map(|(kind, row)| Entry::new(source, kind, row)).collect::<Result<_, _>>()?;
        Ok(Self { entries, path: path.to_owned() })
    }

    /// Lets the ranges of its entries be read. Until then a range matches no backend.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Range`], for the first range that means nothing.
    pub fn order_by(&mut self, order: VersionOrder) -> Result<(), LedgerError> {
        for entry in &mut self.entries {
            for pattern in &entry.patterns {
                let Some(range) = &pattern.range else { continue };
                (order.check)(&|backend| pattern.glob.is_match(backend), range).map_err(|why| LedgerError::Range {
                    path: self.path.clone(),
                    line: pattern.line,
                    entry: entry.to_string(),
                    why,
                })?;
            }
            entry.order = Some(order);
        }
        Ok(())
    }
}

/// As reports name it: `divergence of trio in `a/b``.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            Kind::Divergence => "divergence",
            Kind::Wording => "wording",
            Kind::Violation => "violation",
        };
        write!(f, "{what} of {} in `{}`", self.backends.join(", "), self.scenario)
    }
}

impl Pattern {
    fn new(source: Source<'_>, text: &Spanned<String>) -> Result<Self, LedgerError> {
        let line = source.line(text.span().start);
        let text = text.get_ref();
        // A glob of versions has none of these.
        let range = text.split_once('@').filter(|(_, version)| version.contains(['<', '>', '=', '~', '^', '!']));
        let glob = source.glob(range.map_or(text.as_str(), |(pair, _)| pair), line)?;
        Ok(Self { line, glob, range: range.map(|(_, version)| version.to_owned()) })
    }

    fn matches(&self, backend: &str, order: Option<VersionOrder>) -> bool {
        let Some(range) = &self.range else { return self.glob.is_match(backend) };
        let pair = backend.split('@').next().unwrap_or_default();
        self.glob.is_match(pair) && order.is_some_and(|order| (order.contains)(backend, range))
    }
}

impl Entry {
    fn new(source: Source<'_>, kind: Kind, row: Spanned<Row>) -> Result<Self, LedgerError> {
        let line = source.line(row.span().start);
        let row = row.into_inner();
        let patterns = row.backends.iter().map(|text| Pattern::new(source, text)).collect::<Result<_, _>>()?;
        let entry = Self {
            kind,
            scenarios: source.glob(&row.scenario, line)?,
            scenario: row.scenario,
            backends: row.backends.into_iter().map(Spanned::into_inner).collect(),
            reason: row.reason,
            source: row.source,
            until: row.until,
            line,
            patterns,
            order: None,
        };
        match entry.until.clone().filter(|until| !is_issue(until)) {
            Some(until) => {
                Err(LedgerError::Until { path: source.path.to_owned(), line, entry: entry.to_string(), until })
            }
            None => Ok(entry),
        }
    }

    /// Returns whether it speaks of a scenario.
    pub fn names_scenario(&self, scenario: &str) -> bool {
        self.scenarios.is_match(scenario)
    }

    /// Returns whether it speaks of a backend.
    pub fn names_backend(&self, backend: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(backend, self.order))
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

/// Returns whether a text names an issue: `owner/repository#1`, or an address.
fn is_issue(text: &str) -> bool {
    let is_number = |number: &str| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let is_short = |(repository, number): (&str, &str)| repository.split('/').count() == 2 && is_number(number);
    text.starts_with("https://") || text.split_once('#').is_some_and(is_short)
}
