//! Reads a suite from its folder: the scenarios by their place, the rules and the ledger.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::explore::plan::{Plan, PlanError};
use crate::ledger::{Ledger, LedgerError};
use crate::program::{Program, ProgramError};
use crate::scenario::Scenario;
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::lint::lines_with_threads;
use crate::scenario::name::{RuleId, ScenarioName};
use crate::scenario::parse::{parse_bytes, parse_located};

/// The ending of a scenario's file.
pub const EXTENSION: &str = "scenario";

/// What a folder of scenarios holds.
#[derive(Clone, Debug, Default)]
pub struct Suite {
    /// The scenarios with a script, by name.
    pub programs: BTreeMap<ScenarioName, Arc<Program>>,
    /// The scenarios that leave the order to the explorer, by name.
    pub explored: BTreeMap<ScenarioName, Arc<Plan>>,
    /// The rules, by id.
    pub rules: BTreeMap<RuleId, Rule>,
    /// The divergences and violations that are known and reviewed.
    pub ledger: Ledger,
}

/// A numbered rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its number, such as `CANCEL-3`.
    pub id: RuleId,
    /// How binding it is.
    pub level: Level,
    /// The rule in one line.
    pub title: String,
    /// The rule in a paragraph.
    pub text: String,
    /// Where it comes from.
    pub sources: Vec<String>,
}

/// How binding a rule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// Every lock owes it.
    Must,
    /// A lock that does otherwise says so and why.
    Should,
    /// A lock may do it; users must not rely on it.
    May,
}

impl Level {
    /// Returns the word that rules use.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Must => "MUST",
            Level::Should => "SHOULD",
            Level::May => "MAY",
        }
    }
}

/// A suite that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    /// A file or folder cannot be read.
    #[error("{}: {source}; name an existing file, or with --suites a folder that has scenarios, rules.toml and \
             ledger.toml", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file's place gives no name.
    #[error("{}: its place gives no name; put it at <theme>/<name>.scenario, without spaces", path.display())]
    Name {
        /// The file.
        path: PathBuf,
    },
    /// A scenario has errors.
    #[error("{}", rendered.trim_end())]
    Scenario {
        /// The file.
        path: PathBuf,
        /// The errors.
        diagnostics: Vec<Diagnostic>,
        /// The errors with their places in the source.
        rendered: String,
    },
    /// A scenario cannot be made ready.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// A scenario cannot be explored.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// `rules.toml` has an error.
    #[error("{}: {source}", path.display())]
    Rules {
        /// The file.
        path: PathBuf,
        /// What is wrong, with its place.
        source: Box<toml::de::Error>,
    },
    /// `rules.toml` has a rule twice.
    #[error("{}: rule {id} stands there twice; give one of them another number", path.display())]
    RuleTwice {
        /// The file.
        path: PathBuf,
        /// The rule.
        id: RuleId,
    },
    /// `ledger.toml` has an error.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesFile {
    #[serde(default)]
    rule: Vec<Rule>,
}

impl Suite {
    /// Reads the suite in the folder `root`.
    ///
    /// # Errors
    ///
    /// [`SuiteError`], for the first file that cannot be read, with its place.
    pub fn read(root: &Path) -> Result<Self, SuiteError> {
        let mut suite = Self {
            rules: read_rules(&root.join("rules.toml"))?,
            ledger: Ledger::read(&root.join("ledger.toml"))?,
            ..Self::default()
        };
        for file in find_scenarios(root)? {
            let place = file.strip_prefix(root).unwrap_or(&file).with_extension("");
            suite.add(read_scenario(&file, &place)?)?;
        }
        Ok(suite)
    }

    fn add(&mut self, scenario: Scenario) -> Result<(), SuiteError> {
        let (name, scenario) = (scenario.name.clone(), Arc::new(scenario));
        if scenario.is_explored() {
            self.explored.insert(name, Arc::new(Plan::new(scenario)?));
        } else {
            self.programs.insert(name, Arc::new(Program::new(scenario)?));
        }
        Ok(())
    }

    /// Reads a suite that was built into a program: each file by its path below the suite, and what it holds.
    ///
    /// # Errors
    ///
    /// [`SuiteError`], for the first file that has errors, with its place.
    pub fn of_files<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Result<Self, SuiteError> {
        let mut suite = Self::default();
        for (path, bytes) in files {
            let file = Path::new(path);
            match path {
                "rules.toml" => suite.rules = parse_rules(file, &String::from_utf8_lossy(bytes))?,
                "ledger.toml" => suite.ledger = Ledger::parse(file, &String::from_utf8_lossy(bytes))?,
                _ => suite.add(parse_file(file, &file.with_extension(""), bytes)?)?,
            }
        }
        Ok(suite)
    }
}

/// Returns the files of scenarios below `root`, in order.
///
/// # Errors
///
/// [`SuiteError::Read`], if a folder cannot be read.
pub fn find_scenarios(root: &Path) -> Result<Vec<PathBuf>, SuiteError> {
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(root).sort_by_file_name() {
        let entry = entry.map_err(|error| SuiteError::Read {
            path: error.path().unwrap_or(root).to_owned(),
            source: error.into_io_error().unwrap_or_else(|| std::io::Error::other("the folders form a loop")),
        })?;
        if entry.file_type().is_file() && entry.path().extension().is_some_and(|extension| extension == EXTENSION) {
            files.push(entry.into_path());
        }
    }
    Ok(files)
}

/// Reads one scenario from `file` and makes it ready to run. `place` gives it its name: the path below the suite
/// without its ending, or the path itself for a file outside the suites.
///
/// # Errors
///
/// [`SuiteError`], if the file cannot be read or has errors.
pub fn read_program(file: &Path, place: &Path) -> Result<Arc<Program>, SuiteError> {
    Ok(Arc::new(Program::new(Arc::new(read_scenario(file, place)?))?))
}

/// Reads one scenario from `file` and makes it ready to be explored. `place` gives it its name, as for
/// [`read_program`].
///
/// # Errors
///
/// [`SuiteError`], if the file cannot be read, has errors, or has a script instead of programs.
pub fn read_plan(file: &Path, place: &Path) -> Result<Arc<Plan>, SuiteError> {
    Ok(Arc::new(Plan::new(Arc::new(read_scenario(file, place)?))?))
}

fn read_scenario(file: &Path, place: &Path) -> Result<Scenario, SuiteError> {
    let bytes = std::fs::read(file).map_err(|source| SuiteError::Read { path: file.to_owned(), source })?;
    parse_file(file, place, &bytes)
}

fn parse_file(file: &Path, place: &Path, bytes: &[u8]) -> Result<Scenario, SuiteError> {
    let name = place.to_str().map(|place| place.replace(std::path::MAIN_SEPARATOR, "/"));
    let name: ScenarioName =
        name.and_then(|name| name.parse().ok()).ok_or_else(|| SuiteError::Name { path: file.to_owned() })?;
    let parsed = match std::str::from_utf8(bytes) {
        Ok(text) => parse_located(name, text).and_then(|parsed| match lines_with_threads(&parsed) {
            // No driver runs such a script, so it is as bad as one that cannot be read.
            lines if lines.is_empty() => Ok(parsed.scenario),
            lines => Err(lines),
        }),
        Err(_) => parse_bytes(name, bytes),
    };
    parsed.map_err(|diagnostics| {
        let text = String::from_utf8_lossy(bytes);
        let path = file.display().to_string();
        let rendered: Vec<String> =
            diagnostics.iter().map(|diagnostic| diagnostic.render(&path, &text, false)).collect();
        SuiteError::Scenario { path: file.to_owned(), diagnostics, rendered: rendered.join("\n") }
    })
}

/// Reads the rules from `path`.
///
/// # Errors
///
/// [`SuiteError`], if the file cannot be read, has an error, or has a rule twice.
pub fn read_rules(path: &Path) -> Result<BTreeMap<RuleId, Rule>, SuiteError> {
    let text = std::fs::read_to_string(path).map_err(|source| SuiteError::Read { path: path.to_owned(), source })?;
    parse_rules(path, &text)
}

fn parse_rules(path: &Path, text: &str) -> Result<BTreeMap<RuleId, Rule>, SuiteError> {
    let file: RulesFile =
        toml::from_str(text).map_err(|source| SuiteError::Rules { path: path.to_owned(), source: Box::new(source) })?;
    let mut rules = BTreeMap::new();
    for rule in file.rule {
        let id = rule.id.clone();
        if rules.insert(id.clone(), rule).is_some() {
            return Err(SuiteError::RuleTwice { path: path.to_owned(), id });
        }
    }
    Ok(rules)
}
