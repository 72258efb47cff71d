//! What nobody has reviewed is found, what somebody has is not, and an entry that explains nothing is stale.

use keyalike_harness::report::paint::Layout;
use keyalike_harness::report::{Answer, CellReport, Report, Status, github, junit, markdown, table};
use keyalike_harness::review::{FindingKind, SnapshotCheck};
use keyalike_harness::verdict::{Grade, Verdict};
use rstest::rstest;

use crate::cells::{cell, failed, quiet, report, reviewed, varying};

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
fn every_cell_is_counted_once() {
    let summary = crate::cells::everything().summary;
    let parts = [summary.executed, summary.unsupported, summary.varying, summary.failed];
    assert_eq!(parts, [11, 1, 1, 1]);
    assert_eq!(summary.expected, parts.iter().sum::<usize>());
}
