//! What nobody has reviewed is found, what somebody has is not, and an entry that explains nothing is stale.

use std::path::Path;

use keyalike_harness::ledger::Ledger;
use keyalike_harness::report::finding::{Finding, FindingKind};
use keyalike_harness::report::paint::Layout;
use keyalike_harness::report::{Answer, CellReport, Report, Status, github, junit, markdown, table};
use keyalike_harness::review::SnapshotCheck;
use keyalike_harness::verdict::{Grade, Verdict};
use rstest::rstest;

use crate::cells::{FRACTIONS, cell, failed, quiet, report, reviewed, varying};

const BACKENDS: [&str; 2] = ["blue", "green"];

fn entry(kind: &str, scenario: &str, backend: &str) -> String {
    format!("[[{kind}]]\nscenario = \"{scenario}\"\nbackends = [\"{backend}\"]\nreason = \"r\"\nsource = \"s\"\n")
}

fn refused(message: &str) -> CellReport {
    cell("a/b", "green", Grade::Conforms, Verdict::Completed, "refused", message)
}

fn divergent() -> Vec<CellReport> {
    vec![quiet("a/b", "blue"), refused("")]
}

fn in_wording() -> Vec<CellReport> {
    vec![cell("a/b", "blue", Grade::Conforms, Verdict::Completed, "refused", "no"), refused("never")]
}

fn violating() -> Vec<CellReport> {
    let violates = |backend| cell("a/b", backend, Grade::Violates, Verdict::Leaked, "acquired", "");
    vec![violates("blue"), violates("green")]
}

fn alike() -> Vec<CellReport> {
    vec![quiet("a/b", "blue"), quiet("a/b", "green")]
}

fn unsupported() -> CellReport {
    cell("a/b", "green", Grade::Ungraded, Verdict::Unsupported, "unsupported", "")
}

fn kinds(report: &Report) -> Vec<FindingKind> {
    report.findings.iter().map(|finding| finding.kind).collect()
}

/// Where a failed condition is all that speaks against a cell, every report names it: each prints the finding's message.
#[test]
fn a_violation_names_the_condition_that_failed() {
    let mut cells = violating();
    let reason = "`A release m` gives `released`, not `B acquired`";
    if let Answer::Outcome(outcome) = &mut cells[0].answer {
        (outcome.verdict, outcome.sentence) = (Verdict::Completed, Some(reason.to_owned()));
    }
    let report = reviewed(&BACKENDS, cells, "", &SnapshotCheck::default(), false);
    let expected = format!("completed on blue: {reason}; leaked on green");
    assert!(report.findings[0].message.ends_with(&expected), "{}", report.findings[0].message);
    let quoted = reason.replace('`', "'");
    let formats = [
        (table::render(&report, Layout::default()), reason),
        (markdown::render(&report), quoted.as_str()),
        (github::render(&report, &|_| None), reason),
        (junit::render(&report).expect("XML"), reason),
    ];
    for (text, said) in formats {
        assert!(text.contains(said), "{text}");
    }
}

#[rstest]
#[case::nothing_to_find(alike(), "", &[])]
#[case::divergence(divergent(), "", &[FindingKind::Divergence])]
#[case::divergence_that_is_known(divergent(), &entry("divergence", "a/*", "blue"), &[])]
#[case::divergence_known_of_the_other_side(divergent(), &entry("divergence", "a/*", "green"), &[])]
#[case::entry_that_names_both_sides(
    divergent(), &entry("divergence", "a/*", "*"), &[FindingKind::Divergence]
)]
#[case::entry_for_wording_only(
    divergent(), &entry("wording", "a/*", "blue"), &[FindingKind::Divergence, FindingKind::Stale]
)]
#[case::wording(in_wording(), "", &[FindingKind::Divergence])]
#[case::wording_that_is_known(in_wording(), &entry("wording", "a/*", "blue"), &[])]
#[case::violation(violating(), "", &[FindingKind::Violation])]
#[case::violation_known_on_one(violating(), &entry("violation", "a/b", "blue"), &[FindingKind::Violation])]
#[case::violation_that_is_known(violating(), &(entry("violation", "a/b", "blue") + &entry("violation", "a/b", "green")), &[])]
#[case::stale_entry(alike(), &entry("divergence", "a/b", "blue"), &[FindingKind::Stale])]
#[case::entry_of_a_backend_that_did_not_run(alike(), &entry("divergence", "a/b", "elsewhere"), &[])]
#[case::entry_of_no_backend_at_all(alike(), &entry("divergence", "a/b", "nobody"), &[FindingKind::Stale])]
#[case::entry_of_a_release_that_did_not_run(alike(), &entry("divergence", "a/b", "red@1.0"), &[])]
#[case::unsupported_is_no_divergence(vec![quiet("a/b", "blue"), unsupported()], "", &[FindingKind::EmptyColumn])]
#[case::nothing_ran(vec![unsupported()], "", &[FindingKind::NothingRun])]
#[case::no_cells(vec![], "", &[FindingKind::NothingRun])]
#[case::not_run(vec![failed("a/b", "blue"), quiet("a/b", "green")], "", &[FindingKind::Failed, FindingKind::EmptyColumn])]
#[case::varies(vec![varying("a/b", "blue"), quiet("a/b", "green")], "", &[FindingKind::Varies, FindingKind::EmptyColumn])]
fn what_is_not_as_expected_is_found(
    #[case] cells: Vec<CellReport>,
    #[case] ledger: &str,
    #[case] expected: &[FindingKind],
) {
    assert_eq!(kinds(&report(&BACKENDS, cells, ledger)), expected);
}

/// What an old release and the newest one did beside `blue`, held against a violation of releases of `red`.
fn of_releases(old: &str, violating: &[&str], backends: &str, until: &str) -> Report {
    let columns = ["blue", old, "red@2.0"];
    let violates = |id: &str| cell("a/b", id, Grade::Violates, Verdict::Completed, "acquired", "");
    let cells = columns.map(|id| if violating.contains(&id) { violates(id) } else { quiet("a/b", id) });
    report(&columns, cells.to_vec(), &(entry("violation", "a/b", backends) + until))
}

#[rstest]
#[case::release_in_the_range("red@1.5", "red@>=1,<2", &[])]
#[case::start("red@1.0", "red@>=1,<2", &[])]
#[case::release_before_the_range("red@0.5", "red@>=1,<2", &[FindingKind::Violation])]
#[case::one_release_by_its_number("red@1.5", "red@1.5", &[])]
#[case::other_release_by_its_number("red@1.5", "red@1.0", &[FindingKind::Violation])]
#[case::glob_and_range("red@1.5", "r*@<2", &[])]
#[case::backend_without_a_version("elsewhere", "red@<2", &[FindingKind::Violation])]
fn a_range_names_the_releases_in_it(#[case] id: &str, #[case] backends: &str, #[case] expected: &[FindingKind]) {
    assert_eq!(kinds(&of_releases(id, &[id], backends, "")), expected);
}

const UNTIL: &str = "until = \"owner/repository#1\"\n";

#[rstest]
#[case::newest_needs_it(&["red@1.0", "red@2.0"], "red@>=1", UNTIL, &[])]
#[case::newest_needs_it_no_more(&["red@1.0"], "red@>=1", UNTIL, &[FindingKind::Stale])]
#[case::range_ends_before_the_newest(&["red@1.0"], "red@<2", UNTIL, &[])]
#[case::nobody_waits_for_an_issue(&["red@1.0"], "red@>=1", "", &[])]
#[case::nothing_needs_it(&[], "red@>=1", UNTIL, &[FindingKind::Stale])]
fn an_entry_ends_with_the_release_that_does_not_need_it(
    #[case] violating: &[&str],
    #[case] backends: &str,
    #[case] until: &str,
    #[case] expected: &[FindingKind],
) {
    let report = of_releases("red@1.0", violating, backends, until);
    assert_eq!(kinds(&report), expected);
    if let [stale] = &report.findings[..] {
        let said = "violation of red@>=1 in `a/b` (line 1) waits for owner/repository#1, and the newest release, red@2.0, does";
        assert!(stale.message.starts_with(said), "{}", stale.message);
    }
}

#[rstest]
#[case::no_range("\"red@>=!\"", "", ":3: violation of red@>=! in `a/b`: `>=!` is no range; write `>=1`")]
#[case::range_of_nothing("\"blue@<1\"", "", ":3: violation of blue@<1 in `a/b`: nothing has releases but red; name it")]
#[case::on_a_line_of_its_own(
    "\n  \"red\",\n  \"blue@<1\"\n",
    "",
    ":5: violation of red, blue@<1 in `a/b`: nothing has"
)]
#[case::no_glob("\"red[\"", "", ":3: `red[` is not a glob")]
#[case::no_issue(
    "\"red\"",
    "until = \"soon\"\n",
    ":1: violation of red in `a/b`: `until` waits for `soon`, which is no issue;"
)]
fn an_entry_in_error_is_told_with_its_line(#[case] backends: &str, #[case] until: &str, #[case] said: &str) {
    let text =
        format!("[[violation]]\nscenario = \"a/b\"\nbackends = [{backends}]\nreason = \"r\"\nsource = \"s\"\n{until}");
    let read = Ledger::parse(Path::new("ledger.toml"), &text).and_then(|mut ledger| ledger.order_by(FRACTIONS));
    let told = read.expect_err("it is in error").to_string();
    assert!(told.starts_with(&format!("ledger.toml{said}")), "{told}");
}

#[test]
fn an_entry_is_stale_only_if_the_whole_suite_ran() {
    let ledger = entry("divergence", "a/b", "blue");
    let report = reviewed(&BACKENDS, alike(), &ledger, &SnapshotCheck::default(), false);
    assert_eq!(report.status(), Status::Expected);
}

#[test]
fn an_entry_is_stale_only_if_somebody_ran_from_whom_to_differ() {
    let alone = vec![quiet("a/b", "blue")];
    assert_eq!(kinds(&report(&BACKENDS[..1], alone, &entry("divergence", "a/b", "blue"))), []);
}

#[test]
fn a_cell_that_differs_from_its_snapshot_is_found() {
    let changed = vec![("a/b".parse().expect("it is a name"), "blue".to_owned())];
    let snapshots = SnapshotCheck { compared: 2, missing: 0, changed };
    let report = reviewed(&BACKENDS, alike(), "", &snapshots, true);
    assert_eq!(kinds(&report), [FindingKind::Changed]);
    assert!(report.findings[0].hint.contains("cargo insta review"));
}

#[rstest]
#[case::expected(alike(), Status::Expected)]
#[case::unexpected(divergent(), Status::Unexpected)]
#[case::failed(vec![failed("a/b", "blue"), refused("")], Status::Failed)]
fn the_worst_finding_is_the_status(#[case] cells: Vec<CellReport>, #[case] expected: Status) {
    assert_eq!(report(&BACKENDS, cells, "").status(), expected);
}

#[test]
fn a_backend_that_did_not_start_is_a_failure_whatever_the_others_did() {
    let mut report = report(&BACKENDS, alike(), "");
    report.findings.push(Finding::unavailable("red", "no such library"));
    assert_eq!(report.status(), Status::Failed);
}

#[test]
fn every_cell_is_counted_once() {
    let summary = crate::cells::everything().summary;
    let parts = [summary.executed, summary.unsupported, summary.varying, summary.failed];
    assert_eq!(parts, [11, 1, 1, 1]);
    assert_eq!(summary.expected, parts.iter().sum::<usize>());
}
