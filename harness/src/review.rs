//! Holds what came out against the ledger and the snapshots, and names everything that nobody has reviewed.
//!
//! It decides what is expected; it neither runs nor prints anything.

use std::collections::{BTreeMap, BTreeSet};

use crate::comparison::{Difference, difference};
use crate::ledger::{Entry, Kind, Ledger};
use crate::report::finding::{Finding, FindingKind};
use crate::report::{Answer, CellReport, Summary};
use crate::scenario::name::ScenarioName;
use crate::verdict::Verdict;

/// What a run covered, so that what it did not cover is not called missing.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// The backends that ran, in the order of the columns.
    pub backends: Vec<String>,
    /// Every backend that there is, built or not.
    pub known_backends: Vec<String>,
    /// Every backend of which there are releases, without a version.
    pub known_releases: Vec<String>,
    /// Of the backends that ran, those that are the newest release of their locks.
    pub newest: Vec<String>,
    /// How many scenarios ran.
    pub scenarios: usize,
    /// Whether the whole suite ran.
    pub whole_suite: bool,
}

/// What the snapshots say of the cells.
#[derive(Clone, Debug, Default)]
pub struct SnapshotCheck {
    /// How many cells were compared.
    pub compared: usize,
    /// How many cells of a backend with snapshots have none.
    pub missing: usize,
    /// The scenario and the backend of each cell that differs from its snapshot.
    pub changed: Vec<(ScenarioName, String)>,
}

/// Holds `cells`, which are sorted by scenario, against the ledger and the snapshots.
pub fn review(
    cells: &[CellReport],
    ledger: &Ledger,
    snapshots: &SnapshotCheck,
    scope: &Scope,
) -> (Summary, Vec<Finding>) {
    let mut review = Review { ledger, scope, summary: Summary::default(), findings: Vec::new(), used: BTreeMap::new() };
    review.summary.expected = scope.scenarios * scope.backends.len();
    cells.iter().for_each(|cell| review.cell(cell));
    for row in cells.chunk_by(|one, next| one.scenario == next.scenario) {
        review.violations(row);
        review.divergence(row);
    }
    review.snapshots(snapshots);
    review.stale();
    review.empty(cells);
    review.findings.sort_by_key(|finding| finding.kind);
    (review.summary, review.findings)
}

struct Review<'a> {
    ledger: &'a Ledger,
    scope: &'a Scope,
    summary: Summary,
    findings: Vec<Finding>,
    /// The entries that explained something, each with the backends it names of which it did.
    used: BTreeMap<usize, BTreeSet<String>>,
}

impl Review<'_> {
    fn cell(&mut self, cell: &CellReport) {
        match &cell.answer {
            Answer::Outcome(outcome) if outcome.verdict == Verdict::Unsupported => self.summary.unsupported += 1,
            Answer::Outcome(_) => self.summary.executed += 1,
            Answer::Varies { variants } => {
                self.summary.varying += 1;
                let message = format!("{} different outcomes on {}", variants.len(), cell.backend);
                let hint =
                    format!("keyalike run --scenario {} --backend {} --repeat 1000", cell.scenario, cell.backend);
                self.find(FindingKind::Varies, cell, message, hint);
            }
            Answer::Failed { error } => {
                self.summary.failed += 1;
                let message = format!("{}: {error}", cell.backend);
                self.find(FindingKind::Failed, cell, message, show(cell));
            }
        }
    }

    /// Looks for cells of one scenario that violate its rule, and for the entries that say why.
    fn violations(&mut self, row: &[CellReport]) {
        let mut unexplained: Vec<&CellReport> = Vec::new();
        for cell in row.iter().filter(|cell| cell.violates()) {
            self.summary.violations += 1;
            if self.is_explained(&[cell], |entry| entry.explains_violation(cell.scenario.as_str(), &cell.backend)) {
                self.summary.violations_reviewed += 1;
            } else {
                unexplained.push(cell);
            }
        }
        let Some(first) = unexplained.first() else { return };
        let rule = first.rule.as_ref().map_or_else(|| "not accepted".to_owned(), ToString::to_string);
        self.findings.push(Finding {
            kind: FindingKind::Violation,
            scenario: Some(first.scenario.clone()),
            backends: unexplained.iter().map(|cell| cell.backend.clone()).collect(),
            message: format!("{rule}: {}", say_verdicts(&unexplained)),
            hint: show(first),
        });
    }

    /// Looks for pairs of backends that differ, and for the entries that say why.
    fn divergence(&mut self, row: &[CellReport]) {
        let cells: Vec<(&CellReport, &[String])> =
            row.iter().filter_map(|cell| Some((cell, cell.comparable()?))).collect();
        let (mut worst, mut unexplained): (_, Vec<&CellReport>) = (Difference::None, Vec::new());
        for (place, (one, lines)) in cells.iter().enumerate() {
            for (other, others) in &cells[place + 1..] {
                let apart = difference(lines, others);
                if apart == Difference::None {
                    continue;
                }
                worst = worst.max(apart);
                let name = one.scenario.as_str();
                let only_wording = apart == Difference::Wording;
                let explains =
                    |entry: &Entry| entry.explains_divergence(name, &one.backend, &other.backend, only_wording);
                if !self.is_explained(&[*one, *other], explains) {
                    unexplained.extend([*one, *other]);
                }
            }
        }
        if worst == Difference::None {
            return;
        }
        self.summary.divergent += 1;
        self.summary.divergent_in_wording += usize::from(worst == Difference::Wording);
        if unexplained.is_empty() {
            self.summary.divergent_reviewed += 1;
            return;
        }
        let concerned: Vec<&CellReport> =
            row.iter().filter(|cell| unexplained.iter().any(|other| other.backend == cell.backend)).collect();
        let backends = concerned.iter().map(|cell| cell.backend.clone()).collect();
        self.findings.push(Finding {
            kind: FindingKind::Divergence,
            scenario: Some(row[0].scenario.clone()),
            backends,
            message: say_sides(&concerned, worst),
            hint: show(&row[0]),
        });
    }

    /// Marks every entry that explains something as used. Returns whether there is one.
    fn is_explained(&mut self, cells: &[&CellReport], explains: impl Fn(&Entry) -> bool) -> bool {
        let mut is_explained = false;
        for (index, entry) in self.ledger.entries.iter().enumerate().filter(|(_, entry)| explains(entry)) {
            let named = cells.iter().map(|cell| &cell.backend).filter(|backend| entry.names_backend(backend));
            self.used.entry(index).or_default().extend(named.cloned());
            is_explained = true;
        }
        is_explained
    }

    fn snapshots(&mut self, check: &SnapshotCheck) {
        self.summary.snapshots = check.compared;
        self.summary.snapshots_missing = check.missing;
        self.summary.snapshots_changed = check.changed.len();
        for (scenario, backend) in &check.changed {
            self.findings.push(Finding {
                kind: FindingKind::Changed,
                scenario: Some(scenario.clone()),
                backends: vec![backend.clone()],
                message: format!("{backend} no longer does what its snapshot says"),
                hint: "run the tests of that backend, then `cargo insta review`".to_owned(),
            });
        }
    }

    /// Looks for entries that explain nothing any more, where everything that they could explain has run.
    fn stale(&mut self) {
        if !self.scope.whole_suite {
            return;
        }
        let (scope, ledger) = (self.scope, self.ledger);
        let has_run = |backend: &String| scope.backends.contains(backend);
        for (index, entry) in ledger.entries.iter().enumerate() {
            let mut named = scope.known_backends.iter().filter(|backend| entry.names_backend(backend)).peekable();
            // Releases are backends that nobody has in full, so an entry of theirs is looked at where one of them ran.
            let is_of_releases =
                named.peek().is_none() && scope.known_releases.iter().any(|backend| entry.names_release_of(backend));
            let ran = scope.backends.iter().filter(|backend| entry.names_backend(backend)).count();
            // A divergence is one from backends that the entry does not name.
            let has_partner = entry.kind == Kind::Violation || ran < scope.backends.len();
            let is_out_of_sight = !has_partner || is_of_releases && ran == 0;
            if has_partner && let Some((until, newest)) = self.is_over(index, entry) {
                let message = format!(
                    "{entry} (line {}) waits for {until}, and the newest release, {newest}, does not need it any more",
                    entry.line
                );
                let hint = "end its range before the release that repaired it and remove `until`, or remove the entry";
                self.find_stale(entry, message, hint);
            } else if !self.used.contains_key(&index) && !is_out_of_sight && named.all(has_run) {
                let hint = "remove it from the ledger, or correct its names";
                self.find_stale(entry, format!("{entry} matches nothing"), hint);
            }
        }
    }

    /// Returns what an entry waits for and the newest release that it names and did not explain, if there is one.
    fn is_over(&self, index: usize, entry: &Entry) -> Option<(String, String)> {
        let until = entry.until.clone()?;
        let needs_it = |backend: &&String| self.used.get(&index).is_some_and(|used| used.contains(*backend));
        let mut newest = self.scope.newest.iter().filter(|backend| entry.names_backend(backend));
        Some((until, newest.find(|backend| !needs_it(backend))?.clone()))
    }

    fn find_stale(&mut self, entry: &Entry, message: String, hint: &str) {
        self.summary.stale += 1;
        let (kind, backends) = (FindingKind::Stale, entry.backends.clone());
        self.findings.push(Finding { kind, scenario: None, backends, message, hint: hint.to_owned() });
    }

    fn empty(&mut self, cells: &[CellReport]) {
        if self.summary.executed + self.summary.varying + self.summary.failed == 0 {
            self.findings.push(Finding {
                kind: FindingKind::NothingRun,
                scenario: None,
                backends: self.scope.backends.clone(),
                message: "no cell was executed".to_owned(),
                hint: "widen --scenario, --rule and --backend; `keyalike list` names the scenarios".to_owned(),
            });
            return;
        }
        let ran = |backend: &str| cells.iter().any(|cell| cell.backend == backend && cell.comparable().is_some());
        let empty = self.scope.backends.iter().filter(|backend| self.scope.whole_suite && !ran(backend));
        self.findings.extend(empty.map(|backend| Finding {
            kind: FindingKind::EmptyColumn,
            scenario: None,
            backends: vec![backend.clone()],
            message: format!("{backend} executed no scenario of the whole suite"),
            hint: format!("keyalike run --backend {backend}"),
        }));
    }

    fn find(&mut self, kind: FindingKind, cell: &CellReport, message: String, hint: String) {
        let (scenario, backends) = (Some(cell.scenario.clone()), vec![cell.backend.clone()]);
        self.findings.push(Finding { kind, scenario, backends, message, hint });
    }
}

fn show(cell: &CellReport) -> String {
    format!("keyalike show {}", cell.scenario)
}

/// Says which backends came to which verdict, and which condition failed if that alone is why it violates:
/// `lost-wakeup on tokio, smol; completed on async-std: ...`.
fn say_verdicts(cells: &[&CellReport]) -> String {
    type Reason<'a> = (Verdict, Option<&'a str>);
    let mut verdicts: Vec<(Reason<'_>, Vec<&str>)> = Vec::new();
    for cell in cells {
        let Some(verdict) = cell.outcome().map(|outcome| (outcome.verdict, outcome.sentence.as_deref())) else {
            continue;
        };
        match verdicts.iter_mut().find(|(known, _)| *known == verdict) {
            Some((_, backends)) => backends.push(&cell.backend),
            None => verdicts.push((verdict, vec![&cell.backend])),
        }
    }
    let say = |((verdict, why), backends): &(Reason<'_>, Vec<&str>)| {
        let why = why.map_or_else(String::new, |why| format!(": {why}"));
        format!("{verdict} on {}{why}", say_backends(backends))
    };
    verdicts.iter().map(say).collect::<Vec<_>>().join("; ")
}

/// Names backends, the first few of many.
fn say_backends(backends: &[&str]) -> String {
    const NAMED_MAX: usize = 4;
    match backends {
        [first, second, rest @ ..] if backends.len() > NAMED_MAX => {
            format!("{first}, {second} and {} more", rest.len())
        }
        _ => backends.join(", "),
    }
}

/// Says who stands on which side: `a: tokio | b: async-std, smol`.
fn say_sides(cells: &[&CellReport], difference: Difference) -> String {
    let mut sides: Vec<(&str, Vec<&str>)> = Vec::new();
    for cell in cells {
        let letter = cell.outcome().map_or("", |outcome| outcome.letter.as_str());
        match sides.iter_mut().find(|(known, _)| *known == letter) {
            Some((_, backends)) => backends.push(&cell.backend),
            None => sides.push((letter, vec![&cell.backend])),
        }
    }
    let sides: Vec<String> =
        sides.into_iter().map(|(letter, backends)| format!("{letter}: {}", say_backends(&backends))).collect();
    let what = if difference == Difference::Wording { " (wording only)" } else { "" };
    format!("{}{what}", sides.join(" | "))
}
