//! What is printed is read back as the same value, and printing twice changes nothing.

use keyalike_harness::scenario::name::ScenarioName;
use keyalike_harness::scenario::parse::{parse, parse_step};
use keyalike_harness::scenario::print::format;
use keyalike_harness::scenario::vocabulary::{Role, VOCABULARY};
use keyalike_harness::scenario::{Conduct, Line, Scenario, Step};
use proptest::prelude::*;
use rstest::rstest;

use crate::strategy;

pub(crate) fn name() -> ScenarioName {
    "theme/name".parse().expect("a valid name")
}

proptest! {
    #[test]
    fn printed_scenario_is_read_back(scenario in strategy::scenario()) {
        prop_assert_eq!(parse(name(), &scenario.to_string()), Ok(scenario.clone()), "{}", scenario);
        prop_assert_eq!(scenario.check(), Ok(()));
    }

    #[test]
    fn printed_explored_scenario_is_read_back(scenario in strategy::explored()) {
        prop_assert_eq!(parse(name(), &scenario.to_string()), Ok(scenario.clone()), "{}", scenario);
        prop_assert_eq!(scenario.check(), Ok(()));
    }

    /// No space is needed behind a colon or a comma.
    #[test]
    fn explored_scenario_without_spaces_is_read_alike(scenario in strategy::explored()) {
        let narrow: String = scenario.to_string().lines().map(|line| narrow(line) + "\n").collect();
        prop_assert_eq!(parse(name(), &narrow), Ok(scenario), "{}", narrow);
    }

    #[test]
    fn formatting_twice_changes_nothing(scenario in strategy::scenario(), seed in any::<u64>()) {
        let untidy = untidy(&scenario.to_string(), seed);
        let once = format(name(), &untidy).expect("untidy is not in error");
        prop_assert_eq!(format(name(), &once), Ok(once));
    }

    #[test]
    fn printed_step_is_read_back(scenario in strategy::scenario()) {
        for (_, step) in scenario.steps() {
            prop_assert_eq!(parse_step(&step.to_string(), &scenario.objects), Ok(step.clone()));
        }
    }

    #[test]
    fn serialised_scenario_is_read_back(scenario in strategy::scenario()) {
        let json = serde_json::to_string(&scenario).expect("a scenario can be serialised");
        let read: Scenario = serde_json::from_str(&json).expect("and read back");
        prop_assert_eq!(read, scenario);
    }
}

/// A verb that got another name is read under both, and printed under the new one.
#[rstest]
#[case::plain("A resume", "A repoll")]
#[case::new_waker("A resume anew", "A repoll new-waker")]
#[case::crowd("A[1..3] resume anew", "A[1..3] repoll new-waker")]
fn former_verb_is_rewritten(#[case] former: &str, #[case] current: &str) {
    let text = |step: &str| format!("mutex m\n\n{step}\n\naccept completed  if \"{step}\" gives \"waits\"  conforms\n");
    let formatted = format(name(), &text(former));
    assert_eq!(formatted, format(name(), &text(current)));
    assert!(formatted.expect("both are read").contains(current));
}

/// Workers and stored searches know the step by its former name.
#[test]
fn a_verb_keeps_its_name_in_json() {
    let step = parse_step("A repoll new-waker", &[]).expect("a step");
    let json = serde_json::to_string(&step).expect("a step can be serialised");
    assert!(json.contains(r#""action":{"resume":{"anew":true}}"#), "{json}");
}

/// Removes the spaces behind the colon and the commas of a program, if the line is one.
fn narrow(line: &str) -> String {
    if !line.starts_with(|first: char| first.is_ascii_uppercase()) {
        return line.to_owned();
    }
    let (code, comment) = line.split_at(line.find('#').unwrap_or(line.len()));
    code.replace(": ", ":").replace(", ", ",") + comment
}

/// Adds blank lines, spaces, tabs and carriage returns where they mean nothing.
fn untidy(text: &str, seed: u64) -> String {
    let mut untidy = String::from(if seed & 1 == 0 { "\u{feff}" } else { "" });
    for (index, line) in text.lines().enumerate() {
        let choice = seed.rotate_right(index as u32);
        untidy.push_str(["", "  ", "\t", "\n", "\n\n  "][(choice % 5) as usize]);
        untidy.push_str(line);
        untidy.push_str(["\n", " \n", "\r\n", "\t\r\n"][(choice / 5 % 4) as usize]);
    }
    untidy
}

#[test]
fn canonical_text_stays_as_it_is() {
    let text = "\
# A waiter that is granted the lock and cancelled before it runs must pass the lock on.
#
# One more paragraph.
rule    CANCEL-3
source  agronholm/anyio#387
mutex   m
show    wakes
within  400us \"async-lock turns fair after 500 us\"

# Everybody asks.
A acquire m
B acquire m
C[1..40] acquire m

A release m; cancel B          # one line: no scheduling happens in between
hold 2ms

accept  completed    if \"A release m\" gives \"C1 acquired\"  conforms
# A note.
accept  deadlock     permitted    \"a \\\"sentence\\\"\"  # why

# The end.
";
    assert_eq!(format(name(), text).as_deref(), Ok(text));
}

#[rstest]
#[case::description_is_set_apart("# a\n\n\n# b\n\nA yield\n", "# a\n#\n# b\n\nA yield\n")]
#[case::comment_touches_the_first_step("# a\n\n# b\nA yield\n", "# a\n\n# b\nA yield\n")]
#[case::comment_of_the_head_is_description(
    "rule A-1 # a\n# b\nmutex m\n# c\nA yield",
    "# a\n# b\nrule    A-1\nmutex   m\n\n# c\nA yield\n"
)]
#[case::blank_below_a_comment_goes_above_it("A yield\n# a\n\nB yield\n", "A yield\n\n# a\nB yield\n")]
#[case::paragraphs_stay_apart("A yield\n# a\n\n# b\nB yield\n", "A yield\n# a\n#\n# b\nB yield\n")]
#[case::comments_at_the_end("A yield\n# a", "A yield\n\n# a\n")]
#[case::comments_alone("\n#a\n\n#  b  ", "# a\n#\n#  b\n")]
#[case::accept_lines(
    "A yield\naccept hung conforms #\n\n\naccept  refused conforms",
    "A yield\n\naccept  hung         conforms  #\naccept  refused      conforms\n"
)]
#[case::source_keeps_its_number_sign("source a/b#1 # c", "# c\nsource  a/b#1\n")]
#[case::source_keeps_its_quotes("source \"a # b\"; c", "source  \"a # b\"; c\n")]
#[case::spans_in_their_largest_unit("A hold 2000us;hold 1000ms;hold 1500us", "A hold 2ms; hold 1s; hold 1500us\n")]
#[case::nothing("", "")]
fn text_becomes_canonical(#[case] text: &str, #[case] canonical: &str) {
    assert_eq!(format(name(), text).as_deref(), Ok(canonical));
}

#[rstest]
#[case::line_break_in_a_comment(Scenario { description: vec!["a\nb".to_owned()], ..Scenario::new(name()) })]
#[case::space_at_the_end_of_a_comment(Scenario { description: vec!["a ".to_owned()], ..Scenario::new(name()) })]
#[case::closing_nothing(Scenario { closing: vec!["a".to_owned()], ..Scenario::new(name()) })]
#[case::empty_source(Scenario { sources: vec![String::new()], ..Scenario::new(name()) })]
#[case::comment_in_a_source(Scenario { sources: vec!["a #b".to_owned()], ..Scenario::new(name()) })]
#[case::line_without_steps(Scenario { lines: vec![Line::new(Vec::new())], ..Scenario::new(name()) })]
#[case::undeclared_object(Scenario {
    lines: vec![Line::new(vec![Step::Conductor(Conduct::DropObject("m".parse().expect("a valid name")))])],
    ..Scenario::new(name())
})]
fn value_without_a_text_is_told(#[case] scenario: Scenario) {
    assert!(scenario.check().is_err(), "{scenario}");
}

#[test]
fn every_example_of_the_vocabulary_is_canonical() {
    for entry in VOCABULARY {
        let text = match entry.role {
            Role::Head if entry.word == "mutex" => "mutex   m\n".to_owned(),
            Role::Head => {
                let (word, rest) = entry.example.split_once(' ').expect("arguments");
                format!("{word:<7} {rest}\nmutex   m\n")
            }
            Role::Task | Role::Conductor => format!("mutex   m\n\n{}\n", entry.example),
            Role::Accept => "mutex   m\n\naccept  completed    conforms\n".to_owned(),
        };
        let printed = format(name(), &text).expect("an example is not in error");
        assert!(
            printed
                .lines()
                .any(|line| text.lines().any(|other| other == line && !line.starts_with("mutex"))
                    || entry.word == "mutex"),
            "{printed}"
        );
        assert!(entry.example.split(' ').any(|word| word == entry.word));
    }
}
