//! Transcripts beside each other, in columns and as diffs.

use std::collections::BTreeMap;

use keyalike_harness::diff::{Outcomes, diff, render};
use keyalike_harness::report::paint::Layout;
use keyalike_harness::report::{Answer, CellReport, columns, give_letters, side_by_side};
use keyalike_harness::verdict::{Grade, Verdict};
use rstest::rstest;

use crate::cells::{assert_snapshot, cell, failed, varying};

fn transcript(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

const HANDS_OVER: &str = "\
A acquire m            acquired
B[1..3] acquire m      waits
A try-acquire m        refused
                       operation would block
A release m            released; B1 acquired
cancel B2              cancelled; woke B3
end                    B1 holds m; B3 waits for m
probe                  m refused
rest                   m free
verdict                completed";

const BARGES: &str = "\
A acquire m            acquired
B[1..3] acquire m      waits
A try-acquire m        refused
A release m            released
cancel B2              cancelled
end                    B[1..3] waits for m
probe                  m free
rest                   m free
order                  m: A before B1
verdict                completed";

fn cells() -> Vec<CellReport> {
    let with = |backend, text| {
        let mut cell = cell("a/b", backend, Grade::Permitted, Verdict::Completed, "", "");
        if let Answer::Outcome(outcome) = &mut cell.answer {
            outcome.transcript = transcript(text);
        }
        cell
    };
    let mut cells = vec![with("blue", HANDS_OVER), with("green", BARGES), with("red", HANDS_OVER)];
    give_letters(&mut cells);
    cells.extend([failed("a/b", "white"), varying("a/b", "yellow")]);
    cells
}

#[rstest]
#[case::wide("side-by-side", None)]
#[case::narrow("side-by-side-narrow", Some(80))]
#[case::too_narrow("one-below-the-other", Some(60))]
fn equal_outcomes_share_a_column_and_rows_that_differ_are_marked(#[case] name: &str, #[case] width: Option<usize>) {
    assert_snapshot(name, &side_by_side::render(&cells(), Layout { width, colour: false }));
}

#[rstest]
#[case::wide("columns", None)]
#[case::narrow("columns-narrow", Some(60))]
fn every_task_has_a_column_in_which_time_runs_down(#[case] name: &str, #[case] width: Option<usize>) {
    assert_snapshot(name, &columns::render(&cells(), Layout { width, colour: false }));
}

#[test]
fn diff_tells_behaviour_from_wording_and_from_what_is_missing() {
    let name = |text: &str| text.parse().expect("it is a name");
    let refused = |message| transcript(&format!("A try-acquire m        refused\n                       {message}"));
    let left: Outcomes = BTreeMap::from([
        (name("a/behaviour"), transcript(HANDS_OVER)),
        (name("a/equal"), transcript(BARGES)),
        (name("a/left"), transcript(BARGES)),
        (name("a/wording"), refused("operation would block")),
    ]);
    let right: Outcomes = BTreeMap::from([
        (name("a/behaviour"), transcript(BARGES)),
        (name("a/equal"), transcript(BARGES)),
        (name("a/right"), transcript(BARGES)),
        (name("a/wording"), refused("locked")),
    ]);
    assert_snapshot("diff", &render(&diff(&left, &right), "blue", "green", Layout::default()));
}
