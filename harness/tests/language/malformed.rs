//! Every text in `tests/malformed` is in error, and what is said of it is a snapshot.

use std::path::Path;

use keyalike_harness::scenario::diagnostic::Diagnostic;
use keyalike_harness::scenario::parse::{ERRORS_MAX, parse, parse_bytes, parse_step};
use keyalike_harness::scenario::vocabulary;
use rstest::rstest;

use crate::round_trip::name;

#[test]
fn every_malformed_text_is_told_where_and_why() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut settings = insta::Settings::new();
    settings.set_snapshot_path(folder.join("snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for entry in walkdir::WalkDir::new(folder.join("malformed")).min_depth(1).sort_by_file_name() {
        let path = entry.expect("the folder can be read").into_path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).expect("a name in ASCII").to_owned();
        let bytes = std::fs::read(&path).expect("the file can be read");
        let rendered = rendered(&stem, &bytes);
        settings.bind(|| insta::assert_snapshot!(stem, rendered));
    }
}

fn rendered(stem: &str, bytes: &[u8]) -> String {
    let diagnostics = parse_bytes(name(), bytes).expect_err("a text in this folder is in error");
    let text = String::from_utf8_lossy(bytes);
    let render = |diagnostic: &Diagnostic| diagnostic.render(&format!("{stem}.scenario"), &text, false);
    diagnostics.iter().map(render).collect::<Vec<_>>().join("\n\n")
}

#[rstest]
#[case::lines("", "what\n")]
#[case::quotes("", "\"\n")]
#[case::steps_of_a_line("", "what;")]
#[case::missing_steps("", ";")]
#[case::declarations("mutex m\n", "mutex m\n")]
#[case::conditions("mutex m\nA yield\n", "accept hung if \"B yield\" gives \"x\" conforms\n")]
fn at_most_so_many_errors_are_told(#[case] before: &str, #[case] part: &str) {
    let diagnostics = parse(name(), &format!("{before}{}", part.repeat(100))).expect_err("every part is in error");
    assert_eq!(diagnostics.len(), ERRORS_MAX);
    assert!(diagnostics.is_sorted_by_key(Diagnostic::location));
}

#[test]
fn error_of_a_single_step_counts_from_its_start() {
    let diagnostics = parse_step("A acquire m", &[]).expect_err("`m` is not declared");
    assert_eq!((diagnostics[0].line, diagnostics[0].column, diagnostics[0].length), (1, 11, 1));
}

#[test]
fn colour_adds_no_words() {
    let text = "A aquire m\n";
    let diagnostics = parse(name(), text).expect_err("no such verb");
    let coloured = diagnostics[0].render("a.scenario", text, true);
    assert!(coloured.contains("\u{1b}["));
    assert!(!diagnostics[0].render("a.scenario", text, false).contains('\u{1b}'));
}

#[test]
fn the_language_page_names_every_word() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/LANGUAGE.md");
    let page = std::fs::read_to_string(page).expect("the page can be read");
    let cells: Vec<&str> = page.split('`').collect();
    for entry in vocabulary::VOCABULARY.iter() {
        let begins = |cell: &&str| {
            let words: Vec<&str> = cell.split_whitespace().collect();
            let verb = if entry.role == vocabulary::Role::Task { words.get(1) } else { words.first() };
            verb == Some(&entry.word)
        };
        let accept = page.contains("accept VERDICT");
        assert!(
            cells.iter().any(begins) || (entry.word == "accept" && accept),
            "docs/LANGUAGE.md lacks {}",
            entry.word
        );
    }
}
