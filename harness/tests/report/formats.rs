//! Each format says everything that a report has to say.

use std::collections::BTreeSet;

use keyalike_harness::report::paint::Layout;
use keyalike_harness::report::{Report, github, json, junit, markdown, table};
use keyalike_harness::verdict::{Grade, Verdict};
use rstest::rstest;

use crate::cells::{assert_snapshot, cell, everything, quiet, report};

const PLAIN: Layout = Layout { width: None, colour: false };

#[test]
fn table_shows_every_mark_and_every_finding() {
    assert_snapshot("table", &table::render(&everything(), PLAIN));
}

#[test]
fn table_of_a_narrow_terminal_has_letters_for_words() {
    let layout = Layout { width: Some(40), colour: false };
    assert_snapshot("table-narrow", &table::render(&everything(), layout));
}

#[test]
fn table_repeats_in_colour_only_what_it_says_in_characters() {
    let coloured = table::render(&everything(), Layout { width: None, colour: true });
    assert_ne!(coloured, table::render(&everything(), PLAIN));
    assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), table::render(&everything(), PLAIN));
}

#[test]
fn json_reads_back_as_the_report_it_was() {
    let report = everything();
    assert_eq!(json::read(&json::render(&report)).expect("a report reads back"), report);
}

#[test]
fn json_keeps_its_form() {
    assert_snapshot("json", &json::render(&everything()));
}

#[rstest]
#[case::no_json("hello", "write one with `keyalike run --format json")]
#[case::another_schema(r#"{"schema": 7}"#, "schema 7")]
#[case::no_schema("{}", "missing field `schema`")]
fn what_is_no_report_is_refused_with_a_reason(#[case] text: &str, #[case] expected: &str) {
    let error = json::read(text).expect_err("it is no report").to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn junit_has_a_case_for_every_cell() {
    assert_snapshot("junit", &junit::render(&everything()).expect("the report is text"));
}

#[test]
fn markdown_shows_what_asks_for_a_look() {
    assert_snapshot("markdown", &markdown::render(&everything()));
}

#[test]
fn annotations_stand_at_the_file_of_their_scenario() {
    let file_of = |name: &_| Some(format!("suites/{name}.scenario"));
    assert_snapshot("github", &github::render(&everything(), &file_of));
}

fn generated(cells: Vec<keyalike_harness::report::CellReport>, ledger: &str) -> Report {
    let mut report = report(&["blue", "green"], cells, ledger);
    report.suite.generated = BTreeSet::from(["pairs".to_owned()]);
    report
}

#[test]
fn generated_theme_on_which_all_agree_is_one_line() {
    let abandoned = |backend| cell("pairs/c", backend, Grade::Permitted, Verdict::Abandoned, "waits", "");
    let mut cells: Vec<_> =
        ["pairs/a", "pairs/b"].iter().flat_map(|it| [quiet(it, "blue"), quiet(it, "green")]).collect();
    cells.extend([abandoned("blue"), abandoned("green")]);
    let text = table::render(&generated(cells, ""), PLAIN);
    assert!(text.contains("\npairs: 3 scenarios, all alike: completed 2, abandoned 1\n"), "{text}");
}

#[test]
fn generated_theme_shows_the_rows_that_differ() {
    let mut cells = vec![quiet("pairs/a", "blue"), quiet("pairs/a", "green"), quiet("pairs/b", "blue")];
    cells.push(cell("pairs/b", "green", Grade::Conforms, Verdict::Completed, "refused", ""));
    for (backend, message) in [("blue", "x"), ("green", "y")] {
        cells.push(cell("pairs/c", backend, Grade::Conforms, Verdict::Completed, "refused", message));
    }
    let ledger = "[[divergence]]\nscenario = \"*\"\nbackends = [\"blue\"]\nreason = \"r\"\nsource = \"s\"";
    assert_snapshot("table-generated", &table::render(&generated(cells, ledger), PLAIN));
}
