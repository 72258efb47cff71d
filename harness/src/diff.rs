//! What differs between two sets of outcomes, scenario by scenario, as text.

use std::collections::{BTreeMap, BTreeSet};

use crate::comparison::{Difference, difference};
use crate::report::paint::{Layout, count};
use crate::report::unified_diff::unified;
use crate::scenario::name::ScenarioName;

/// The outcomes of one side, by scenario, each given by its lines.
pub type Outcomes = BTreeMap<ScenarioName, Vec<String>>;

/// Two sides that are compared.
#[derive(Clone, Debug)]
pub struct Diff {
    /// What differs, by scenario.
    pub scenarios: Vec<ScenarioDiff>,
    /// How many scenarios have the same outcome on both sides.
    pub equal: usize,
}

/// One scenario that differs.
#[derive(Clone, Debug)]
pub struct ScenarioDiff {
    /// The scenario.
    pub name: ScenarioName,
    /// How far apart the two sides are.
    pub difference: Difference,
    /// Which side has no outcome, if one has none.
    pub missing: Option<Missing>,
    /// The lines of a diff; all lines of the outcomes are in it.
    pub lines: Vec<String>,
}

/// Which side has no outcome of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The left.
    Left,
    /// The right.
    Right,
}

/// Compares two sides.
pub fn diff(left: &Outcomes, right: &Outcomes) -> Diff {
    let names: BTreeSet<&ScenarioName> = left.keys().chain(right.keys()).collect();
    let mut diff = Diff { scenarios: Vec::new(), equal: 0 };
    for name in names {
        let (one, other) = (left.get(name), right.get(name));
        let missing = match (one, other) {
            (None, _) => Some(Missing::Left),
            (_, None) => Some(Missing::Right),
            _ => None,
        };
        let (one, other) = (one.map_or(&[][..], Vec::as_slice), other.map_or(&[][..], Vec::as_slice));
        match difference(one, other) {
            Difference::None if missing.is_none() => diff.equal += 1,
            difference => {
                let lines = if missing.is_some() { Vec::new() } else { unified(one, other) };
                diff.scenarios.push(ScenarioDiff { name: name.clone(), difference, missing, lines });
            }
        }
    }
    diff
}

/// Puts a comparison of `left` with `right` into text.
pub fn render(diff: &Diff, left: &str, right: &str, layout: Layout) -> String {
    use crate::report::paint::{BAD, GOOD, TITLE};
    let mut text = String::new();
    let mut line = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    line(layout.paint(BAD, &format!("--- {left}")));
    line(layout.paint(GOOD, &format!("+++ {right}")));
    for scenario in &diff.scenarios {
        let what = match (scenario.missing, scenario.difference) {
            (Some(Missing::Left), _) => format!("has an outcome only in {right}"),
            (Some(Missing::Right), _) => format!("has an outcome only in {left}"),
            (None, Difference::Wording) => "~ in wording only".to_owned(),
            (None, _) => "≠ in behaviour".to_owned(),
        };
        line(String::new());
        line(layout.paint(TITLE, &format!("{}  {what}", scenario.name)));
        for told in &scenario.lines {
            line(match told.as_bytes().first() {
                Some(b'-') => layout.paint(BAD, told),
                Some(b'+') => layout.paint(GOOD, told),
                _ => told.clone(),
            });
        }
    }
    let with = |wanted| diff.scenarios.iter().filter(|it| it.missing.is_none() && it.difference == wanted).count();
    let missing = diff.scenarios.iter().filter(|it| it.missing.is_some()).count();
    line(String::new());
    line(format!(
        "{} compared: {} equal, {} differ in behaviour, {} in wording only, {missing} on one side only",
        count(diff.equal + diff.scenarios.len(), "scenario"),
        diff.equal,
        with(Difference::Kind),
        with(Difference::Wording),
    ));
    text
}
