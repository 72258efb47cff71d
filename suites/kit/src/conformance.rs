//! The tests: one for each scenario on each runtime, and those that look at the ledger and the snapshots as a whole.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use harness::backend::Backend;
use harness::comparison::{Difference, difference};
use harness::ledger::{Entry, Kind};
use harness::outcome::Outcome;
use harness::program::Program;
use harness::scenario::name::ScenarioName;
use harness::verdict::{Grade, Verdict};
use suites::pairs;

use crate::cells::Cells;
use crate::kit::Test;
use crate::reviewed::{Compare, assert_reviewed, check_folder};
use crate::selection::Selection;

/// A lock on its runtimes, with all that its tests are held to.
pub(crate) struct Conformance {
    selection: Selection,
    /// The tables of generated pairs, each a test and a snapshot.
    tables: BTreeSet<ScenarioName>,
    backends: Vec<Arc<dyn Backend>>,
    /// How the ids of backends call the lock.
    lock: String,
    /// The folder of the snapshots.
    snapshots: PathBuf,
    compare: Compare,
    cells: Cells,
}

impl Conformance {
    pub(crate) fn new(
        selection: Selection,
        backends: Vec<Arc<dyn Backend>>,
        lock: String,
        snapshots: PathBuf,
        compare: Compare,
    ) -> Self {
        let tables = selection.tables();
        Self { selection, tables, backends, lock, snapshots, compare, cells: Cells::default() }
    }

    pub(crate) fn tests(self: Arc<Self>) -> Vec<Test> {
        let mut tests = Vec::new();
        let mut add = |name: String, check: Check| {
            let all = Arc::clone(&self);
            tests.push(Test::new(name, move || check(&all)));
        };
        for backend in &self.backends {
            let id = backend.id();
            let plain = self.selection.suite.programs.iter().filter(|(name, _)| pairs::table(name).is_none());
            for (name, program) in plain {
                let (backend, program) = (Arc::clone(backend), Arc::clone(program));
                add(format!("{id}::{name}"), Box::new(move |all| all.check_scenario(&*backend, &program)));
            }
            for table in &self.tables {
                let (backend, name) = (Arc::clone(backend), table.clone());
                add(format!("{id}::{table}"), Box::new(move |all| all.check_table(&*backend, &name)));
            }
            let folder = self.snapshots.join(id);
            let check = move |all: &Self| check_folder(&folder, |name| all.has_scenario(name));
            add(format!("{id}::snapshots_are_reviewed_and_have_their_scenario"), Box::new(check));
        }
        add("snapshots::every_folder_has_its_runtime".to_owned(), Box::new(Self::check_folders));
        add("ledger::every_entry_explains_something".to_owned(), Box::new(Self::check_ledger));
        add("ledger::runtimes_differ_only_where_it_says_so".to_owned(), Box::new(Self::check_divergences));
        tests
    }

    fn check_scenario(&self, backend: &dyn Backend, program: &Arc<Program>) -> Result<(), String> {
        let observed = self.cells.observe(backend, program);
        let outcome = observed.as_ref().as_ref().map_err(Clone::clone)?;
        self.check_rule(backend.id(), program, outcome)?;
        self.check_snapshot(backend, program.scenario.name.as_str(), &outcome.text())
    }

    /// Checks all pairs of one table, in one snapshot.
    fn check_table(&self, backend: &dyn Backend, table: &ScenarioName) -> Result<(), String> {
        let (mut texts, mut wrong) = (Vec::new(), Vec::new());
        for (name, program) in &self.selection.suite.programs {
            if pairs::table(name).as_ref() != Some(table) {
                continue;
            }
            match self.cells.observe(backend, program).as_ref() {
                Ok(outcome) => {
                    wrong.extend(self.check_rule(backend.id(), program, outcome).err());
                    texts.push(format!("{name}\n{}", outcome.text()));
                }
                Err(error) => wrong.push(error.clone()),
            }
        }
        match wrong.is_empty() {
            true => self.check_snapshot(backend, table.as_str(), &texts.join("\n\n")),
            false => Err(wrong.join("\n\n")),
        }
    }

    fn check_snapshot(&self, backend: &dyn Backend, name: &str, text: &str) -> Result<(), String> {
        assert_reviewed(&self.snapshots.join(backend.id()), name, text, self.compare)
    }

    /// Checks that an outcome keeps the rule of its scenario, or that the ledger says why it does not. A snapshot cannot
    /// excuse it.
    fn check_rule(&self, backend: &str, program: &Program, outcome: &Outcome) -> Result<(), String> {
        let name = program.scenario.name.as_str();
        let explains = |entry: &Entry| entry.explains_violation(name, backend);
        if outcome.grade != Grade::Violates || self.selection.ledger.entries.iter().any(explains) {
            return Ok(());
        }
        let rules: Vec<String> = program
            .scenario
            .rules
            .iter()
            .map(|id| match self.selection.suite.rules.get(id) {
                Some(rule) => format!("{id} ({}): {}", rule.level.as_str(), rule.title),
                None => id.to_string(),
            })
            .collect();
        Err(format!(
            "{backend} violates the rule of {name}\n{}\n\n{}\n\nthe scenario:\n\n{}\nif it is known and reviewed, say why in \
             the ledger:\n\n[[violation]]\nscenario = \"{name}\"\nbackends = [\"{backend}\"]\nreason = \"...\"\nsource = \
             \"...\"\n",
            rules.join("\n"),
            outcome.text(),
            program.scenario,
        ))
    }

    fn has_scenario(&self, name: &str) -> bool {
        let name: Result<ScenarioName, _> = name.parse();
        name.is_ok_and(|name| self.tables.contains(&name) || self.selection.suite.programs.contains_key(&name))
    }

    /// Checks that there are no snapshots of this lock on a runtime that is not named any more.
    fn check_folders(&self) -> Result<(), String> {
        let Ok(folders) = std::fs::read_dir(&self.snapshots) else { return Ok(()) };
        let is_ours = |name: &String| name.split_once('+').is_some_and(|(_, lock)| lock == self.lock);
        let is_named = |name: &String| self.backends.iter().any(|backend| backend.id() == name);
        let names = folders.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut orphans: Vec<String> = names.filter(|name| is_ours(name) && !is_named(name)).collect();
        orphans.sort();
        match orphans.is_empty() {
            true => Ok(()),
            false => Err(format!(
                "no runtime of this test has the snapshots of {}; delete them from {}, or name the runtime",
                orphans.join(", "),
                self.snapshots.display()
            )),
        }
    }

    /// Checks that every entry of the stranger's ledger explains something that is so.
    fn check_ledger(&self) -> Result<(), String> {
        let stale: Vec<String> =
            self.selection.ledger.entries.iter().filter_map(|entry| self.fault_of(entry)).collect();
        if stale.is_empty() { Ok(()) } else { Err(stale.join("\n")) }
    }

    /// Returns what is wrong with an entry of the ledger.
    fn fault_of(&self, entry: &Entry) -> Option<String> {
        let what = match entry.kind {
            Kind::Divergence => "divergence",
            Kind::Wording => "wording",
            Kind::Violation => "violation",
        };
        let told = format!("{what} of {} in `{}`", entry.backends.join(", "), entry.scenario);
        let programs: Vec<&Arc<Program>> = self
            .selection
            .suite
            .programs
            .iter()
            .filter(|(name, _)| entry.names_scenario(name.as_str()))
            .map(|(_, program)| program)
            .collect();
        if programs.is_empty() {
            return Some(format!(
                "{told}: no scenario that is run has such a name; correct the name or remove the entry"
            ));
        }
        let ids: Vec<&str> = self.backends.iter().map(|backend| backend.id()).collect();
        if !ids.iter().any(|id| entry.names_backend(id)) {
            return Some(format!("{told}: no backend has such a name; they are {}", ids.join(", ")));
        }
        let is_so = programs.iter().any(|program| match entry.kind {
            Kind::Violation => self.is_violated(entry, program),
            Kind::Divergence | Kind::Wording => {
                self.divergences(program).iter().any(|divergence| divergence.is_explained_by(entry))
            }
        });
        (!is_so).then(|| format!("{told} matches nothing any more; remove the entry, or correct its names"))
    }

    fn is_violated(&self, entry: &Entry, program: &Arc<Program>) -> bool {
        let named = self.backends.iter().filter(|backend| entry.names_backend(backend.id()));
        let mut cells = named.map(|backend| self.cells.observe(&**backend, program));
        cells.any(|cell| cell.as_ref().as_ref().is_ok_and(|outcome| outcome.grade == Grade::Violates))
    }

    /// Checks that the runtimes differ only where a ledger says so: the stranger's, or the shipped one, which knows how
    /// the runtimes themselves differ.
    fn check_divergences(&self) -> Result<(), String> {
        let entries = || self.selection.ledger.entries.iter().chain(&self.selection.suite.ledger.entries);
        let mut unexplained = Vec::new();
        for program in self.selection.suite.programs.values() {
            let found = self.divergences(program);
            let new = found.iter().find(|divergence| !entries().any(|entry| divergence.is_explained_by(entry)));
            unexplained.extend(new.map(Divergence::tell));
        }
        match unexplained.is_empty() {
            true => Ok(()),
            false => Err(format!(
                "the lock does not do the same on all runtimes; say why in the ledger, in a [[divergence]] or [[wording]] \
                 that names one side\n\n{}",
                unexplained.join("\n\n")
            )),
        }
    }

    /// Returns every pair of runtimes that differ in a scenario.
    fn divergences(&self, program: &Arc<Program>) -> Vec<Divergence> {
        let mut found = Vec::new();
        let cells: Vec<(&str, Outcome)> = self
            .backends
            .iter()
            .filter_map(|backend| Some((backend.id(), self.cells.observe(&**backend, program).as_ref().clone().ok()?)))
            .filter(|(_, outcome)| outcome.verdict != Verdict::Unsupported)
            .collect();
        for (place, (one, outcome)) in cells.iter().enumerate() {
            for (other, another) in &cells[place + 1..] {
                let apart = difference(&outcome.lines, &another.lines);
                if apart != Difference::None {
                    found.push(Divergence {
                        scenario: program.scenario.name.clone(),
                        one: ((*one).to_owned(), outcome.text()),
                        other: ((*other).to_owned(), another.text()),
                        only_wording: apart == Difference::Wording,
                    });
                }
            }
        }
        found
    }
}

/// A check of everything together, or of one cell.
type Check = Box<dyn Fn(&Conformance) -> Result<(), String> + Send>;

/// Two runtimes on which the lock does not do the same.
struct Divergence {
    scenario: ScenarioName,
    one: (String, String),
    other: (String, String),
    only_wording: bool,
}

impl Divergence {
    fn is_explained_by(&self, entry: &Entry) -> bool {
        entry.explains_divergence(self.scenario.as_str(), &self.one.0, &self.other.0, self.only_wording)
    }

    fn tell(&self) -> String {
        let what = if self.only_wording { "in wording only" } else { "in behaviour" };
        let ((one, text), (other, another)) = (&self.one, &self.other);
        format!("{}, {what}\n{one}:\n{text}\n{other}:\n{another}", self.scenario)
    }
}
