//! What changed from one release to the next: four lists, and whether the step between their numbers allows it.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use harness::comparison::{Difference, difference};
use harness::report::{Answer, CellReport};
use harness::scenario::name::{RuleId, ScenarioName};
use harness::suite::{Level, Rule};
use harness::verdict::{Grade, Verdict};
use serde::Serialize;

use crate::version::{Bump, Version};

/// On which list a change stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum List {
    /// It violates the rule now and did not; or its verdict is worse and not simply right, as it was; or it is reproached
    /// with one thing more.
    Broke,
    /// The reverse.
    Fixed,
    /// The grade is the same and the transcript is not.
    Changed,
    /// One of the two lacks an operation, or has no outcome.
    NewOrGone,
}

impl List {
    /// Every list, in the order of reports.
    pub const ALL: [List; 4] = [List::Broke, List::Fixed, List::Changed, List::NewOrGone];

    /// Returns its heading.
    pub fn title(self) -> &'static str {
        match self {
            List::Broke => "broke",
            List::Fixed => "fixed",
            List::Changed => "changed",
            List::NewOrGone => "new or gone",
        }
    }
}

/// One scenario that came out otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The list on which it stands.
    pub list: List,
    /// The scenario.
    pub scenario: ScenarioName,
    /// The rule that the grade speaks of.
    pub rule: Option<RuleId>,
    /// How binding that rule is.
    #[serde(serialize_with = "level")]
    pub level: Option<Level>,
    /// What the earlier release came to, in a word.
    pub before: String,
    /// What the later came to.
    pub after: String,
    /// Whether only verbatim messages differ.
    pub only_wording: bool,
    /// The transcript of the earlier.
    pub transcript_before: Vec<String>,
    /// The transcript of the later.
    pub transcript_after: Vec<String>,
}

fn level<S: serde::Serializer>(level: &Option<Level>, serializer: S) -> Result<S::Ok, S::Error> {
    level.map(Level::as_str).serialize(serializer)
}

/// Compares the cells of two releases. Scenarios that only one of them ran are left out.
pub fn changes(before: &[CellReport], after: &[CellReport], rules: &BTreeMap<RuleId, Rule>) -> Vec<Change> {
    let after: BTreeMap<&ScenarioName, &CellReport> = after.iter().map(|cell| (&cell.scenario, cell)).collect();
    let pairs = before.iter().filter_map(|cell| Some((cell, *after.get(&cell.scenario)?)));
    let mut changes: Vec<Change> = pairs.filter_map(|(one, other)| change(one, other, rules)).collect();
    changes.sort_by(|one, other| (one.list, &one.scenario).cmp(&(other.list, &other.scenario)));
    changes
}

fn change(one: &CellReport, other: &CellReport, rules: &BTreeMap<RuleId, Rule>) -> Option<Change> {
    let (before, after) = (transcript(one), transcript(other));
    let apart = difference(&before, &after);
    if apart == Difference::None && word(one) == word(other) {
        return None;
    }
    let list = match (rank(one), rank(other)) {
        (Some(one), Some(other)) => list(one, other, &before, &after),
        // Neither has an outcome that could be compared: two runs of one cell that varies differ by themselves.
        (None, None) if word(one) == word(other) => return None,
        _ => List::NewOrGone,
    };
    Some(Change {
        list,
        scenario: one.scenario.clone(),
        rule: one.rule.clone(),
        level: one.rule.as_ref().and_then(|rule| rules.get(rule)).map(|rule| rule.level),
        before: word(one),
        after: word(other),
        only_wording: apart == Difference::Wording,
        transcript_before: before,
        transcript_after: after,
    })
}

/// Returns the list for two outcomes that differ, each with its grade and verdict. A grade decides; then a verdict, unless
/// the rule calls both right; then whether something that is told of one of them is not told of the other.
fn list(one: (Grade, Verdict), other: (Grade, Verdict), before: &[String], after: &[String]) -> List {
    if (one.0 == Grade::Violates) != (other.0 == Grade::Violates) {
        return if other.0 == Grade::Violates { List::Broke } else { List::Fixed };
    }
    let are_right = (one.0, other.0) == (Grade::Conforms, Grade::Conforms);
    // Verdicts are sorted from worst to best.
    match other.1.cmp(&one.1) {
        _ if are_right => List::Changed,
        Ordering::Less => List::Broke,
        Ordering::Greater => List::Fixed,
        Ordering::Equal => match (reasons(before), reasons(after)) {
            (before, after) if before == after => List::Changed,
            (before, after) if after.is_subset(&before) => List::Fixed,
            (before, after) if before.is_subset(&after) => List::Broke,
            _ => List::Changed,
        },
    }
}

/// Returns what an outcome is reproached with.
fn reasons(lines: &[String]) -> BTreeSet<&str> {
    let is_reason = |line: &&str| line.starts_with("because ") || line.starts_with("also ");
    lines.iter().map(String::as_str).filter(is_reason).collect()
}

/// Returns how an outcome is graded, and its verdict. None without an outcome.
fn rank(cell: &CellReport) -> Option<(Grade, Verdict)> {
    let outcome = cell.outcome()?;
    (outcome.grade != Grade::Ungraded).then_some((outcome.grade, outcome.verdict))
}

fn word(cell: &CellReport) -> String {
    match &cell.answer {
        Answer::Outcome(outcome) => outcome.verdict.as_str().to_owned(),
        Answer::Varies { .. } => "varies".to_owned(),
        Answer::Failed { .. } => "not run".to_owned(),
    }
}

fn transcript(cell: &CellReport) -> Vec<String> {
    match &cell.answer {
        Answer::Outcome(outcome) => outcome.transcript.clone(),
        Answer::Varies { variants } => variants.iter().flat_map(|variant| variant.transcript.clone()).collect(),
        Answer::Failed { error } => vec![error.clone()],
    }
}

/// Whether a step from one release to the next keeps what its number promises.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Promise {
    /// How big the step is.
    #[serde(serialize_with = "bump")]
    pub bump: Bump,
    /// The scenarios of MUST rules that a patch changed for the worse or otherwise.
    pub broken_by: BTreeSet<ScenarioName>,
}

fn bump<S: serde::Serializer>(bump: &Bump, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match bump {
        Bump::Patch => "patch",
        Bump::Minor => "minor",
        Bump::Major => "major",
    })
}

impl Promise {
    /// Holds the changes between two releases against the step between their numbers: a patch may repair, and may change
    /// nothing else that a MUST rule speaks of. What differs in wording alone is no behaviour.
    pub fn of(before: &Version, after: &Version, changes: &[Change]) -> Self {
        let bump = before.bump(after);
        let is_against = |change: &&Change| {
            change.level == Some(Level::Must)
                && !change.only_wording
                && matches!(change.list, List::Broke | List::Changed)
        };
        let against = changes.iter().filter(|_| bump == Bump::Patch).filter(is_against);
        Self { bump, broken_by: against.map(|change| change.scenario.clone()).collect() }
    }

    /// Returns whether it is kept.
    pub fn is_kept(&self) -> bool {
        self.broken_by.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use harness::report::OutcomeReport;
    use rstest::rstest;

    use super::*;
    use crate::version::Ecosystem;

    /// A cell such as `conforms completed A acquired`, or `none` for one that was not run.
    fn cell(text: &str) -> CellReport {
        let mut words = text.splitn(3, ' ');
        let (grade, verdict, line) =
            (words.next().unwrap_or_default(), words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let grade = match grade {
            "conforms" => Grade::Conforms,
            "permitted" => Grade::Permitted,
            "violates" => Grade::Violates,
            _ => Grade::Ungraded,
        };
        let answer = match verdict.parse() {
            Ok(verdict) => Answer::Outcome(OutcomeReport {
                verdict,
                grade,
                sentence: None,
                letter: String::new(),
                transcript: line.split('/').map(str::to_owned).collect(),
            }),
            Err(_) => Answer::Failed { error: "it is not there".to_owned() },
        };
        let name = |text: &str| text.parse().expect("the test writes names");
        CellReport {
            scenario: name("theme/one"),
            backend: "x".into(),
            rule: Some("RULE-1".parse().expect("a rule")),
            answer,
        }
    }

    fn rules(level: Level) -> BTreeMap<RuleId, Rule> {
        let id: RuleId = "RULE-1".parse().expect("a rule");
        let rule = Rule { id: id.clone(), level, title: String::new(), text: String::new(), sources: Vec::new() };
        BTreeMap::from([(id, rule)])
    }

    const MESSAGE: &str = "conforms refused A try/                       would block";
    const OTHER_MESSAGE: &str = "conforms refused A try/                       is locked";

    #[rstest]
    #[case::equal("conforms completed x", "conforms completed x", None)]
    #[case::broke("conforms completed x", "violates lost-wakeup y", Some(List::Broke))]
    #[case::broke_what_was_permitted("permitted deadlock x", "violates hung y", Some(List::Broke))]
    #[case::worse_of_two_violations("violates deadlock x", "violates violation y", Some(List::Broke))]
    #[case::fixed("violates lost-wakeup x", "conforms completed y", Some(List::Fixed))]
    #[case::better_of_two_violations("violates hung x", "violates leaked y", Some(List::Fixed))]
    #[case::changed("conforms completed x", "conforms completed y", Some(List::Changed))]
    #[case::changed_and_both_right("conforms completed x", "conforms refused y", Some(List::Changed))]
    #[case::worse_and_permitted("conforms completed x", "permitted hung y", Some(List::Broke))]
    #[case::better_and_permitted("permitted starved x", "conforms completed y", Some(List::Fixed))]
    #[case::one_reproach_less("permitted deadlock x/also m leaks", "permitted deadlock x", Some(List::Fixed))]
    #[case::one_reproach_more("permitted deadlock x", "permitted deadlock x/also m leaks", Some(List::Broke))]
    #[case::changed_violation("violates hung x", "violates hung y", Some(List::Changed))]
    #[case::new("ungraded unsupported x", "conforms completed y", Some(List::NewOrGone))]
    #[case::gone("violates leaked x", "ungraded unsupported y", Some(List::NewOrGone))]
    #[case::not_run_for_another_reason("none", "none", None)]
    #[case::never_there("ungraded unsupported x", "ungraded unsupported x", None)]
    #[case::not_run("conforms completed x", "none", Some(List::NewOrGone))]
    fn change_stands_on_its_list(#[case] before: &str, #[case] after: &str, #[case] list: Option<List>) {
        let changes = changes(&[cell(before)], &[cell(after)], &rules(Level::Must));
        assert_eq!(changes.first().map(|change| change.list), list);
    }

    #[rstest]
    #[case::patch_breaks("1.0.1", Level::Must, "conforms completed x", "violates hung y", false)]
    #[case::patch_changes("1.0.1", Level::Must, "conforms completed x", "conforms completed y", false)]
    #[case::patch_repairs("1.0.1", Level::Must, "violates hung x", "conforms completed y", true)]
    #[case::patch_words("1.0.1", Level::Must, MESSAGE, OTHER_MESSAGE, true)]
    #[case::patch_changes_a_choice("1.0.1", Level::May, "conforms completed x", "conforms completed y", true)]
    #[case::patch_adds("1.0.1", Level::Must, "ungraded unsupported x", "conforms completed y", true)]
    #[case::minor_breaks("1.1.0", Level::Must, "conforms completed x", "violates hung y", true)]
    fn patch_keeps_what_must_rules_speak_of(
        #[case] next: &str,
        #[case] level: Level,
        #[case] before: &str,
        #[case] after: &str,
        #[case] is_kept: bool,
    ) {
        let changes = changes(&[cell(before)], &[cell(after)], &rules(level));
        let version = |text| Version::parse(Ecosystem::Cargo, text).expect("the test writes versions");
        assert_eq!(Promise::of(&version("1.0.0"), &version(next), &changes).is_kept(), is_kept);
    }
}
