//! What is printed is read back as the same value, and printing twice changes nothing.

use keyalike_harness::scenario::Scenario;
use keyalike_harness::scenario::name::ScenarioName;
use keyalike_harness::scenario::parse::{parse, parse_step};
use keyalike_harness::scenario::print::format;
use keyalike_harness::scenario::vocabulary::{Role, VOCABULARY};
use proptest::prelude::*;

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
