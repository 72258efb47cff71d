//! What is run: the shipped scenarios that were chosen, and all of the stranger's own.

use std::collections::BTreeSet;
use std::path::Path;

use globset::Glob;
use harness::ledger::Ledger;
use harness::scenario::diagnostic::did_you_mean;
use harness::scenario::name::ScenarioName;
use harness::suite::{Suite, find_scenarios, read_program, read_rules};
use suites::pairs;

use crate::kit::SetupError;

/// The scenarios to run, and what is known of them.
pub(crate) struct Selection {
    /// The chosen scenarios. The rules are all that there are; the ledger is the shipped one.
    pub(crate) suite: Suite,
    /// The stranger's own ledger.
    pub(crate) ledger: Ledger,
}

/// Where the stranger keeps what is his.
pub(crate) struct Places<'a> {
    pub(crate) folder: &'a Path,
    /// His ledger, if it is not where it is by default; then it must exist.
    pub(crate) ledger: Option<&'a Path>,
}

impl Selection {
    pub(crate) fn read(patterns: &[String], capabilities: &[&str], places: &Places<'_>) -> Result<Self, SetupError> {
        let mut suite = suites::shipped()?;
        let own = read_own(&suite, places.folder)?;
        let mut chosen = BTreeSet::new();
        for pattern in patterns {
            chosen.extend(matches(pattern, &suite)?);
        }
        // What needs a primitive that the lock is not says nothing of it.
        suite.programs.retain(|name, program| chosen.contains(name) && program.lacks(capabilities).is_none());
        suite.programs.extend(own.programs);
        suite.rules.extend(own.rules);
        let standard = places.folder.join("ledger.toml");
        let ledger = match places.ledger {
            Some(path) => Ledger::read(path)?,
            None if standard.is_file() => Ledger::read(&standard)?,
            None => Ledger::default(),
        };
        Ok(Self { suite, ledger })
    }

    /// Returns the tables of pairs that were chosen, each a test.
    pub(crate) fn tables(&self) -> BTreeSet<ScenarioName> {
        self.suite.programs.keys().filter_map(pairs::table).collect()
    }
}

/// Returns the shipped scenarios that a pattern chooses: a theme, a scenario, a table of pairs, or a glob over them.
fn matches(pattern: &str, shipped: &Suite) -> Result<Vec<ScenarioName>, SetupError> {
    let glob = |text: &str| {
        Glob::new(text)
            .map(|glob| glob.compile_matcher())
            .map_err(|source| SetupError::Pattern { pattern: pattern.to_owned(), source })
    };
    let (itself, below) = (glob(pattern)?, glob(&format!("{}/*", pattern.trim_end_matches('/')))?);
    let is_chosen = |name: &ScenarioName| {
        let table = pairs::table(name);
        let known = table.as_ref().unwrap_or(name).as_str();
        itself.is_match(known) || below.is_match(known)
    };
    let chosen: Vec<ScenarioName> = shipped.programs.keys().filter(|name| is_chosen(name)).cloned().collect();
    match chosen.is_empty() {
        false => Ok(chosen),
        true => Err(SetupError::NoScenario { pattern: pattern.to_owned(), hint: hint(pattern, shipped) }),
    }
}

/// Names what comes nearest to a pattern, or the themes.
fn hint(pattern: &str, shipped: &Suite) -> String {
    let tables: BTreeSet<ScenarioName> = shipped.programs.keys().filter_map(pairs::table).collect();
    let plain = shipped.programs.keys().filter(|name| pairs::table(name).is_none());
    let names: Vec<&str> = plain.chain(&tables).map(ScenarioName::as_str).collect();
    let themes: BTreeSet<&str> = shipped.programs.keys().map(ScenarioName::theme).collect();
    did_you_mean(pattern, themes.iter().copied().chain(names)).unwrap_or_else(|| {
        let themes: Vec<&str> = themes.into_iter().collect();
        format!("the themes are {}, and `*` is all of them", themes.join(", "))
    })
}

/// Reads the stranger's own scenarios and rules.
fn read_own(shipped: &Suite, folder: &Path) -> Result<Suite, SetupError> {
    let mut own = Suite::default();
    let rules = folder.join("rules.toml");
    if rules.is_file() {
        own.rules = read_rules(&rules)?;
    }
    if let Some(id) = own.rules.keys().find(|id| shipped.rules.contains_key(*id)) {
        return Err(SetupError::RuleClash { path: rules, id: id.clone() });
    }
    let root = folder.join("scenarios");
    if !root.is_dir() {
        return Ok(own);
    }
    for file in find_scenarios(&root)? {
        let program = read_program(&file, &file.strip_prefix(&root).unwrap_or(&file).with_extension(""))?;
        let name = &program.scenario.name;
        if shipped.programs.contains_key(name) || name.theme() == pairs::THEME {
            return Err(SetupError::NameClash { path: file, name: name.clone() });
        }
        let unknown = |rule: &&_| !own.rules.contains_key(*rule) && !shipped.rules.contains_key(*rule);
        if let Some(rule) = program.scenario.rules.iter().find(unknown) {
            let known = own.rules.keys().chain(shipped.rules.keys()).map(|id| id.as_str());
            let hint = did_you_mean(rule.as_str(), known)
                .unwrap_or_else(|| format!("write it down in {}, or cite another", rules.display()));
            return Err(SetupError::UnknownRule { path: file, rule: rule.clone(), hint });
        }
        own.programs.insert(name.clone(), program);
    }
    Ok(own)
}
