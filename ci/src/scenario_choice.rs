//! Which scenarios a command works on: patterns and paths, held against the suite.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use harness::program::{Program, ProgramError};
use harness::scenario::diagnostic::nearest;
use harness::scenario::name::{RuleId, ScenarioName};
use harness::suite::{Suite, SuiteError, find_scenarios, read_program};

use crate::failure::Failure;
use crate::glob::matcher;

/// Where the suites lie.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct SuiteChoice {
    /// Read scenarios, rules and ledger from this folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) suites: Option<PathBuf>,
}

impl SuiteChoice {
    /// Returns the folder of the suites.
    pub(crate) fn root(&self) -> PathBuf {
        self.suites.clone().unwrap_or_else(suites::root)
    }

    /// Returns the folder of the snapshots: `snapshots` beside the suites.
    pub(crate) fn snapshots(&self) -> PathBuf {
        let beside = |root: &PathBuf| root.parent().map_or_else(PathBuf::new, Path::to_owned).join("snapshots");
        self.suites.as_ref().map_or_else(suites::snapshots, beside)
    }

    /// Reads the suite. The generated scenarios belong to the project's own suites, and to no other folder.
    ///
    /// # Errors
    ///
    /// [`Failure::Suite`].
    pub(crate) fn read(&self) -> Result<Suite, Failure> {
        let (root, own) = (self.root(), suites::root());
        let is_own =
            root == own || root.canonicalize().is_ok_and(|root| own.canonicalize().is_ok_and(|own| root == own));
        let mut suite = if is_own { suites::read(&root)? } else { Suite::read(&root)? };
        suite.ledger.order_by(releases::range::ORDER).map_err(SuiteError::from)?;
        Ok(suite)
    }
}

/// Returns the themes whose scenarios are generated: reports fold them where all backends agree.
pub(crate) fn generated_themes() -> BTreeSet<String> {
    BTreeSet::from([suites::pairs::THEME.to_owned()])
}

/// The scenarios by name.
pub(crate) type Programs = BTreeMap<ScenarioName, Arc<Program>>;

/// Returns the scenarios that `patterns` name: each a name, a theme, a glob on names, or the path of a file or folder.
///
/// # Errors
///
/// [`Failure::Unknown`] if one names nothing, [`Failure::Suite`] if a file outside the suites is in error.
pub(crate) fn choose(suite: &Suite, root: &Path, patterns: &[String]) -> Result<Programs, Failure> {
    let mut chosen = Programs::new();
    for pattern in patterns {
        let found = in_suite(suite, pattern)?;
        let found = if found.is_empty() { by_path(suite, root, pattern)? } else { found };
        if found.is_empty() {
            return Err(unknown_scenario(suite, pattern));
        }
        chosen.extend(found);
    }
    Ok(chosen)
}

/// Returns what tells whether `pattern`, a name, a theme or a glob, names a scenario.
fn meaning(pattern: &str) -> Result<impl Fn(&ScenarioName) -> bool, Failure> {
    let (name, theme) = (matcher(pattern)?, matcher(&format!("{}/*", pattern.trim_end_matches('/')))?);
    Ok(move |scenario: &ScenarioName| name.is_match(scenario.as_str()) || theme.is_match(scenario.as_str()))
}

fn in_suite(suite: &Suite, pattern: &str) -> Result<Programs, Failure> {
    let is_meant = meaning(pattern)?;
    let programs = suite.programs.iter().filter(|(scenario, _)| is_meant(scenario));
    Ok(programs.map(|(scenario, program)| (scenario.clone(), Arc::clone(program))).collect())
}

fn by_path(suite: &Suite, root: &Path, pattern: &str) -> Result<Programs, Failure> {
    let path = Path::new(pattern);
    if !path.exists() {
        return Ok(Programs::new());
    }
    let mut programs = Programs::new();
    let mut first_explored = None;
    for file in find_scenarios_or_file(path)? {
        let program = match name_in_suite(root, &file).and_then(|name| suite.programs.get(&name)) {
            Some(program) => Arc::clone(program),
            None => match read_program(&file, &place_of(&file)) {
                // A folder has scenarios of both kinds, and this command is not for the explored ones.
                Err(error @ SuiteError::Program(ProgramError::Explored { .. })) => {
                    first_explored = first_explored.or(Some(error));
                    continue;
                }
                read => read?,
            },
        };
        programs.insert(program.scenario.name.clone(), program);
    }
    match first_explored {
        Some(error) if programs.is_empty() => Err(error.into()),
        _ => Ok(programs),
    }
}

/// Returns the files of scenarios below `path`, or `path` itself if it is a file, whatever its ending.
///
/// # Errors
///
/// As [`find_scenarios`].
pub(crate) fn find_scenarios_or_file(path: &Path) -> Result<Vec<PathBuf>, SuiteError> {
    if path.is_file() { Ok(vec![path.to_owned()]) } else { find_scenarios(path) }
}

/// Returns the name of a file that lies in the suites.
pub(crate) fn name_in_suite(root: &Path, file: &Path) -> Option<ScenarioName> {
    let (root, file) = (root.canonicalize().ok()?, file.canonicalize().ok()?);
    name_of(&file.strip_prefix(root).ok()?.with_extension(""))
}

/// Returns the name of a file outside the suites: its path, with its ending, as far as a name can say it. So the name that
/// a report prints can be given to `show`.
pub(crate) fn place_of(file: &Path) -> PathBuf {
    file.components().map(|part| part.as_os_str().to_string_lossy().replace(char::is_whitespace, "_")).collect()
}

fn name_of(place: &Path) -> Option<ScenarioName> {
    place.to_str()?.replace(std::path::MAIN_SEPARATOR, "/").parse().ok()
}

/// Returns the failure for a name that no scenario with a script has.
pub(crate) fn unknown_scenario(suite: &Suite, name: &str) -> Failure {
    let names = || suite.programs.keys().map(ScenarioName::as_str);
    // A name without its theme is the likeliest mistake, and then only the last part is to be compared.
    let stems = || names().map(|known| known.rsplit('/').next().unwrap_or(known));
    let near = nearest(name, names()).or_else(|| {
        let stem = nearest(name.rsplit('/').next().unwrap_or(name), stems())?;
        names().find(|known| known.rsplit('/').next() == Some(stem))
    });
    let is_explored = meaning(name).is_ok_and(|is_meant| suite.explored.keys().any(is_meant));
    let hint = match near {
        _ if is_explored => format!("its order is the explorer's choice: `keyalike explore --scenario '{name}'`"),
        Some(near) => format!("did you mean `{near}`?"),
        None => "`keyalike list` names them all, and a path must be that of a file or folder".to_owned(),
    };
    Failure::Unknown { what: "scenario", name: name.to_owned(), hint }
}

/// Returns the rules that `patterns` name.
///
/// # Errors
///
/// [`Failure::Unknown`], if one names none.
pub(crate) fn choose_rules(suite: &Suite, patterns: &[String]) -> Result<BTreeSet<RuleId>, Failure> {
    let mut chosen = BTreeSet::new();
    for pattern in patterns {
        let matches = matcher(pattern)?;
        let before = chosen.len();
        chosen.extend(suite.rules.keys().filter(|rule| matches.is_match(rule.as_str())).cloned());
        if chosen.len() == before {
            return Err(unknown_rule(suite, pattern));
        }
    }
    Ok(chosen)
}

/// Returns the failure for a name that no rule has.
pub(crate) fn unknown_rule(suite: &Suite, name: &str) -> Failure {
    let hint = match nearest(name, suite.rules.keys().map(RuleId::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`keyalike list --rules` names them all".to_owned(),
    };
    Failure::Unknown { what: "rule", name: name.to_owned(), hint }
}
