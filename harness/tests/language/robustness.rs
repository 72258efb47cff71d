//! No bytes make the parser panic, run away or say nothing.

use keyalike_harness::scenario::parse::{
    ERRORS_MAX, STEPS_MAX, TASKS_MAX, TEXT_BYTES_MAX, parse, parse_bytes, parse_step,
};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::round_trip::name;
use crate::strategy;

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        check(&bytes);
    }

    #[test]
    fn no_words_make_it_panic(text in "([ABb\\[\\]0-9.#\"\\\\;\\t\\r\\n ]|acquire|on|if|gives|accept|mutex|m|x){0,60}") {
        check(text.as_bytes());
        let _ = parse_step(&text, &[]);
    }

    #[test]
    fn no_change_of_a_scenario_makes_it_panic(
        scenario in strategy::scenario(),
        changes in proptest::collection::vec((any::<Index>(), any::<Index>(), "[ -~\\n\\té]{0,3}"), 1..6),
    ) {
        let mut characters: Vec<char> = scenario.to_string().chars().collect();
        for (start, length, new) in changes {
            let start = start.index(characters.len() + 1);
            let end = (start + length.index(6)).min(characters.len());
            characters.splice(start..end, new.chars());
        }
        check(characters.into_iter().collect::<String>().as_bytes());
    }
}

/// Parses `bytes` and makes sure that every error is at a place of the text and can be rendered.
fn check(bytes: &[u8]) {
    let Err(diagnostics) = parse_bytes(name(), bytes) else { return };
    assert!((1..=ERRORS_MAX).contains(&diagnostics.len()));
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.strip_prefix('\u{feff}').unwrap_or(&text).split('\n').collect();
    for diagnostic in diagnostics {
        let line = lines[diagnostic.line - 1];
        let end = diagnostic.column - 1 + diagnostic.length;
        assert!(diagnostic.column >= 1 && end <= line.chars().count(), "{diagnostic:?} in {line:?}");
        let rendered = diagnostic.render("theme/name.scenario", &text, false);
        assert!(rendered.contains(&format!("theme/name.scenario:{}:", diagnostic.line)), "{rendered}");
    }
}

/// A text of about the greatest length, in which one part is repeated, is read in linear time.
fn check_long(before: &str, part: &str, after: &str) {
    let count = (TEXT_BYTES_MAX - before.len() - after.len()) / part.len();
    let text = format!("{before}{}{after}", part.repeat(count));
    // The time is the test: what is quadratic takes hours here.
    let _ = parse(name(), &text);
}

#[test]
fn long_texts_are_read_in_linear_time() {
    check_long("mutex m\n", "A yield;", "A yield");
    check_long("mutex m\n", "A yield\n", "");
    check_long("mutex m\n", "a", " m\n");
    check_long("mutex m\nA ", "a", "\n");
    check_long("accept completed ", "if \"A yield\" gives \"a\" ", "conforms\n");
    check_long("mutex m\nA yield\n", "accept completed if \"A yield\" gives \"a\" conforms\n", "");
    check_long("mutex m\n", "B[0..9999] yield\n", "accept completed if \"B3 yield\" gives \"a\" conforms\n");
    let crowds: String = (1..30_000).map(|micros| format!("B[0..9999] hold {micros}us\n")).collect();
    check_long(&crowds, "\n", "accept completed if \"B3 yield\" gives \"a\" conforms\n");
    check_long("", ";", "");
    check_long("", "\"", "");
    check_long("source \"", "\\", "");
    check_long("", "# a\n\n", "");
    check_long("", "mutex mutex\n", "");
    check_long("A acquire x", "\u{a0}", "");
}

#[test]
fn too_long_a_text_is_an_error() {
    let diagnostics = parse(name(), &"#".repeat(TEXT_BYTES_MAX + 1)).expect_err("too long");
    assert_eq!((diagnostics.len(), diagnostics[0].line), (1, 1));
}

#[test]
fn too_many_tasks_are_an_error() {
    let line = "B[0..9998] yield\n";
    assert_eq!(TASKS_MAX, 10_000);
    assert!(parse(name(), &format!("mutex m\n{line}A acquire m\n{line}")).is_ok());
    for one_more in ["C yield", "A send m C", "abort C"] {
        let text = format!("mutex m\n{line}A acquire m\n  {one_more}\nD yield\n");
        let diagnostics = parse(name(), &text).expect_err("too many");
        let place = (diagnostics.len(), diagnostics[0].line, diagnostics[0].column);
        assert_eq!(place, (1, 4, 3), "{one_more}");
    }
}

#[test]
fn too_many_steps_are_an_error() {
    let line = "B[0..9999] yield\n";
    assert!(parse(name(), &line.repeat(STEPS_MAX / 10_000)).is_ok());
    let diagnostics = parse(name(), &line.repeat(STEPS_MAX / 10_000 + 2)).expect_err("too many");
    assert_eq!((diagnostics.len(), diagnostics[0].line), (1, STEPS_MAX / 10_000 + 1));
}
