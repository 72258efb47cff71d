//! What is warned of, where, and above all what is not.

use keyalike_harness::scenario::lint::{LintContext, lint};
use keyalike_harness::scenario::parse::parse_located;
use proptest::prelude::*;
use rstest::rstest;

use crate::round_trip::name;
use crate::strategy;

/// Lints a script on the mutexes `m` and `n`, and compares the warnings, each as `line:column message`.
fn check_script(script: &str, expected: &[&str]) {
    let text = format!("# What is tested.\nmutex m\n{}\n", script.replace(" / ", "\n"));
    check(&text, &LintContext::default(), expected);
}

fn check(text: &str, context: &LintContext, expected: &[&str]) {
    let parsed = parse_located(name(), text).expect("the text is not in error");
    let warnings = lint(&parsed, context);
    let warnings: Vec<String> =
        warnings.iter().map(|warning| format!("{}:{} {}", warning.line, warning.column, warning.message)).collect();
    assert_eq!(warnings, expected, "{text}");
}

// The script begins on line 3.
#[rstest]
#[case::result_misspelt(
    "A acquire m / accept completed if \"A acquire m\" gives \"Acquired\" conforms",
    "4:41 no step ever gives `Acquired`"
)]
#[case::result_of_a_task_misspelt(
    "A acquire m / accept completed if \"A acquire m\" gives \"B aquired\" conforms",
    "4:41 no step ever gives `B aquired`"
)]
#[case::thread_among_other_steps(
    "A acquire m blocking; B yield",
    "3:1 this step starts a thread in a line of several steps, and cannot be run"
)]
#[case::line_while_a_thread_waits(
    "B acquire m / A acquire m blocking / B is-locked m; B release m",
    "5:1 a thread may wait in a blocking acquire during this line of several steps, so that it cannot be run"
)]
#[case::line_while_a_thread_waits_on_some_locks(
    "B acquire m / C acquire m / A acquire m blocking / B release m / C release m; B yield",
    "7:1 a thread may wait in a blocking acquire during this line of several steps, so that it cannot be run"
)]
#[case::returned(
    "A acquire m / A return / A release m",
    "5:1 this step is never taken: task A has returned on an earlier step"
)]
#[case::panicked(
    "A acquire m / A panic / B acquire m / A acquire m",
    "6:1 this step is never taken: task A has panicked on an earlier step"
)]
#[case::aborted(
    "A acquire m / B acquire m / abort B / B acquire m",
    "6:1 this step is never taken: task B is aborted on an earlier step"
)]
#[case::ended_or_waiting(
    "A acquire m / B acquire m / B return / B yield",
    "6:1 this step is never taken: task B has ended, or still waits on an earlier step"
)]
#[case::guard_never_acquired(
    "A acquire m / B release m",
    "4:1 this step is never taken: task B can have no guard of `m` here"
)]
#[case::guard_released_twice(
    "A acquire m / A release m; A release m",
    "4:14 this step is never taken: task A can have no guard of `m` here"
)]
#[case::guard_sent_away(
    "A acquire m / A send m B / A release m",
    "5:1 this step is never taken: task A can have no guard of `m` here"
)]
#[case::guard_never_forgotten(
    "A yield / A forget m",
    "4:1 this step is never taken: task A can have no guard of `m` here"
)]
#[case::future_of_another(
    "A start x acquire m / B poll x",
    "4:1 this step is never taken: task B keeps no future `x` here"
)]
#[case::future_before_its_start(
    "A poll x / A start x acquire m",
    "3:1 this step is never taken: task A keeps no future `x` here"
)]
#[case::future_dropped(
    "A start x acquire m / A drop x / A await x",
    "5:1 this step is never taken: task A keeps no future `x` here"
)]
#[case::future_undefined("A start x acquire m / A poll y", "4:1 no step creates a future `y`")]
#[case::scope_not_entered(
    "A acquire m / A leave f",
    "4:1 this step is never taken: `f` is not the innermost scope of task A here"
)]
#[case::scope_not_innermost(
    "A enter f / A enter g / A leave f / A acquire m",
    "5:1 this step is never taken: `f` is not the innermost scope of task A here"
)]
#[case::nothing_to_cancel("A acquire m / cancel A", "4:1 this step is never taken: task A waits for nothing here")]
#[case::handle_detached(
    "A acquire m / detach A / join A",
    "5:1 this step is never taken: the handle of task A is consumed by an earlier step"
)]
#[case::handle_joined(
    "A acquire m / A return / join A / join A",
    "6:1 this step is never taken: the handle of task A is consumed by an earlier step"
)]
#[case::share_dropped(
    "A acquire m / drop m / drop m",
    "5:1 this step is never taken: the conductor has no share of `m` any more"
)]
#[case::stranger("A acquire m / abort B", "4:1 task B takes no step in this scenario")]
#[case::crowd_once(
    "A acquire m / B[1..3] release m",
    "4:1 this step is never taken: task B1 can have no guard of `m` here"
)]
#[case::unused_object("A yield", "2:7 no step uses the mutex `m`")]
#[case::hidden_accept(
    "A acquire m / accept completed conforms / accept completed permitted \"why\"",
    "5:1 this line is never reached: an earlier one accepts `completed` as well"
)]
#[case::repeated_accept(
    "A acquire m / accept hung if \"A acquire m\" gives \"waits\" conforms / accept hung if \"A acquire m\" gives \"waits\" conforms",
    "5:1 this line is never reached: an earlier one accepts `hung` as well"
)]
fn surely_not_meant_is_warned_of(#[case] script: &str, #[case] expected: &str) {
    check_script(script, &[expected]);
}

#[rstest]
#[case::grant_after_return_is_not_run("A acquire m / B acquire m / B return / A release m / B release m")]
#[case::grant_after_panic_is_not_run("A acquire m / B acquire m / B panic / A return / B acquire m")]
#[case::reentry_may_be_granted("A acquire m / A acquire m / A release m / A release m")]
#[case::release_after_refused_wait("A acquire m / B acquire m / B release m / A release m / B release m")]
#[case::try_acquire("A try-acquire m / A release m")]
#[case::guard_received("A acquire m / A send m B / B release m")]
#[case::guard_sent_to_oneself("A acquire m / A send m A / A release m")]
#[case::future_received("A start x acquire m / A send x B / B await x / B release m")]
#[case::future_awaited_when_finished("A start x acquire m / A await x / A drop x / A release m")]
#[case::guard_taken_by_waker(
    "A acquire m / B on wake try-acquire m / B acquire m / A release m / B release m / B release m"
)]
#[case::cancelled_waiter_lives_on("A acquire m / B acquire m / cancel B / B acquire m / A release m; cancel B")]
#[case::cancel_on_one_line("A acquire m; cancel A")]
#[case::meant_not_to_run("A acquire m / cancel A  # not run: it does not wait")]
#[case::budget_delays_a_free_lock("A spend-budget; A acquire m; A return / A release m")]
#[case::abort_takes_effect_at_the_end_of_the_line("A acquire m / abort A; A release m")]
#[case::detached_task_cannot_be_aborted("A acquire m / detach A / abort A / A release m")]
#[case::blocked_thread_outlives_abort("A acquire m / B acquire m blocking / abort B / A release m / B release m")]
#[case::join_of_the_living_is_not_run("A acquire m / join A / A return / join A")]
#[case::scope_after_a_wait("A enter f / A acquire m / B acquire m / B enter g / A leave f / B leave g")]
#[case::conditional_accept_first(
    "A acquire m / accept completed if \"A acquire m\" gives \"acquired\" conforms / accept completed permitted \"why\""
)]
#[case::results_of_transcripts(
    "A acquire m / B acquire m / A release m; cancel B / accept completed if \"A release m\" gives \"B's waker acquired m\" \
     if \"A release m\" gives \"woke B 2 times\" if \"cancel B\" gives \"not run: it is gone\" conforms"
)]
#[case::line_when_the_thread_is_served("B acquire m / A acquire m blocking / B release m / A release m; B acquire m")]
#[case::line_behind_a_thread_that_was_served(
    "B acquire m / A acquire m blocking / B release m / C acquire m / A release m; B yield"
)]
#[case::thread_on_a_line_of_its_own("A acquire m blocking / A release m; B acquire m blocking inside")]
#[case::results_of_primitives(
    "rwlock l / semaphore s 2 / A upgradable-read l / A upgrade l / A downgrade l; A acquire m / B add s 2 / accept completed \
     if \"A upgrade l\" gives \"upgraded\" if \"A downgrade l\" gives \"A downgraded\" if \"B add s 2\" gives \"added 2\" conforms"
)]
fn what_depends_on_the_lock_is_not_warned_of(#[case] script: &str) {
    check_script(script, &[]);
}

#[test]
fn place_in_the_suites_asks_for_rule_and_source() {
    let rules = ["CANCEL-1", "FAIRNESS-1"].map(|rule| rule.parse().expect("a valid rule"));
    let context = LintContext { rules: Some(rules.into_iter().collect()), in_suites: true };
    check(
        "mutex m\nA acquire m\n",
        &context,
        &["1:1 the scenario has no description", "1:1 the scenario names no rule", "1:1 the scenario names no source"],
    );
    check("# Why.\nrule CANCEL-1\nsource a\nmutex m\nA acquire m\n", &context, &[]);
    check("# Why.\nrule CANCEL-2\nsource a\nmutex m\nA acquire m\n", &context, &["2:6 there is no rule `CANCEL-2`"]);
}

#[test]
fn nearest_known_word_is_a_hint() {
    let hint = |text: &str| {
        let parsed = parse_located(name(), text).expect("the text is not in error");
        let context = LintContext { rules: Some(["CANCEL-1".parse().expect("valid")].into()), in_suites: false };
        lint(&parsed, &context).remove(0).hint
    };
    assert_eq!(hint("# a\nrule CANCL-1\nmutex m\nA acquire m\n").as_deref(), Some("did you mean `CANCEL-1`?"));
    let misspelt = "# a\nmutex m\nA acquire m\naccept completed if \"A acquire m\" gives \"B aquired\" conforms\n";
    assert_eq!(hint(misspelt).as_deref(), Some("did you mean `B acquired`?"));
    assert_eq!(
        hint("# a\nmutex lock\nA start future acquire lock\nA poll futur\n").as_deref(),
        Some("did you mean `future`?")
    );
}

proptest! {
    #[test]
    fn warnings_stand_in_the_text(scenario in strategy::scenario()) {
        let text = scenario.to_string();
        let parsed = parse_located(name(), &text).expect("a valid scenario");
        for warning in lint(&parsed, &LintContext { rules: Some([].into()), in_suites: true }) {
            let line = text.split('\n').nth(warning.line - 1).expect("a line of the text");
            prop_assert!(warning.column - 1 + warning.length <= line.chars().count());
        }
    }
}
