//! The oracle on records that no Rust lock can make, as workers in other languages send them, and on records that make no
//! sense at all.

use std::sync::Arc;

use keyalike_harness::object::Message;
use keyalike_harness::outcome::Outcome;
use keyalike_harness::primitive::Claim;
use keyalike_harness::program::Program;
use keyalike_harness::promises::Promises;
use keyalike_harness::protocol::{Ended, check_end, check_event};
use keyalike_harness::runtime::Ending;
use keyalike_harness::scenario::parse::parse;
use keyalike_harness::scenario::vocabulary::is_result;
use keyalike_harness::transcript::{At, Event, Fault, Hang, Reason, Record, Role, Transcript, Trial, What};
use keyalike_harness::verdict::Verdict;
use proptest::prelude::*;
use rstest::rstest;

fn program(text: &str) -> Arc<Program> {
    let scenario = parse("records/case".parse().expect("it is a name"), text).expect("it is a scenario");
    Arc::new(Program::new(Arc::new(scenario)).expect("it is a program"))
}

fn result(step: usize, task: usize, what: What) -> Event {
    Event { at: At::Step(step), task: Some(task), role: Role::Result, what }
}

fn judged(text: &str, events: Vec<Event>, probe: Trial, rest: Trial) -> Outcome {
    let record =
        Record { events, probe: [probe].into_iter().collect(), rest: [rest].into_iter().collect(), fault: None };
    Outcome::of(Transcript { program: program(text), record })
}

fn acquired() -> What {
    What::Acquired { object: 0, future: None, wait: true, claim: Claim::WHOLE }
}

fn not_released() -> What {
    What::NotReleased { object: 0, message: Message::text("not yours") }
}

/// A lock that denies its holder (agronholm/anyio#798), and one that merely knows its owner.
#[rstest]
#[case::of_its_holder(
    "mutex m\n\nA acquire m\nA release m\n",
    vec![result(0, 0, acquired()), result(1, 0, not_released())],
    Verdict::Violation,
    "A holds m, yet its release is refused"
)]
#[case::of_a_receiver(
    "mutex m\n\nA acquire m\nA send m B\nB release m\n",
    vec![
        result(0, 0, acquired()),
        result(1, 0, What::SentGuard { object: 0, to: 1, received: true }),
        result(2, 1, not_released()),
    ],
    Verdict::Refused,
    "A took m, so the lock refuses its release by B"
)]
fn refused_release_is_judged_by_who_took_the_lock(
    #[case] text: &str,
    #[case] events: Vec<Event>,
    #[case] verdict: Verdict,
    #[case] because: &str,
) {
    let outcome = judged(text, events, Trial::Refused, Trial::Refused);
    assert_eq!(outcome.verdict, verdict, "{}", outcome.text());
    assert!(outcome.text().contains(because), "{}", outcome.text());
    assert!(outcome.text().contains("not yours"), "the lock's own words are kept:\n{}", outcome.text());
}

/// At rest it is the harness that broke off a wait, so a refusal there is told and decides nothing.
#[test]
fn refused_release_at_rest_is_told_and_not_judged() {
    let at_rest = Event { at: At::Rest, task: Some(0), role: Role::Effect, what: not_released() };
    let events = vec![result(0, 0, acquired()), at_rest.clone(), at_rest];
    for rest in [Trial::Free, Trial::Refused] {
        let outcome = judged("mutex m\n\nA acquire m\n", events.clone(), Trial::Refused, rest);
        assert_eq!(outcome.verdict, Verdict::Completed, "{}", outcome.text());
        assert_eq!(outcome.text().matches("A could not release m").count(), 1, "{}", outcome.text());
    }
}

/// After a livelock, two holders still speak against a lock; what follows from who is not polled any more does not. A worker
/// may also end the run there.
#[rstest]
#[case::two_holders(vec![result(2, 2, acquired())], Trial::Refused, Trial::Free, Verdict::Violation)]
#[case::refused_though_nobody_holds(vec![result(2, 0, What::Released { object: 0 })], Trial::Free, Trial::Refused, Verdict::Livelock)]
fn violations_alone_are_judged_after_a_livelock(
    #[case] later: Vec<Event>,
    #[case] probe: Trial,
    #[case] rest: Trial,
    #[case] verdict: Verdict,
) {
    let waits = || What::Waits { object: 0, future: None, thread: false, claim: Claim::WHOLE, turns: false };
    let tried =
        |at, trial| Event { at, task: None, role: Role::Result, what: What::Tried { object: 0, mode: 0, trial } };
    let cancelled = Event {
        at: At::Rest,
        task: Some(1),
        role: Role::Effect,
        what: What::Cancelled { object: Some(0), kept: None },
    };
    let mut events = vec![result(0, 0, acquired()), result(1, 1, waits())];
    let stopped = events.clone();
    events.extend(later);
    events.extend([tried(At::Probe, probe), cancelled, tried(At::Rest, rest)]);
    let program = program("mutex m\n\nA acquire m\nB acquire m\nA release m; C acquire m\n");
    let outcome = |events, trials: [&[Trial]; 2]| {
        let fault = Some(Fault::Livelock { at: At::Step(1), tasks: vec![1] });
        let [probe, rest] = trials.map(|trials| trials.iter().copied().collect());
        Outcome::of(Transcript { program: Arc::clone(&program), record: Record { events, probe, rest, fault } })
    };
    let went_on = outcome(events, [&[probe], &[rest]]);
    assert_eq!(went_on.verdict, verdict, "{}", went_on.text());
    assert!(went_on.lines.iter().any(|line| line.starts_with("rest ")), "{}", went_on.text());
    assert!(!went_on.text().contains("leaked") && !went_on.text().contains("yet refused"), "{}", went_on.text());
    let stopped = outcome(stopped, [&[], &[]]);
    assert_eq!(stopped.verdict, Verdict::Livelock, "{}", stopped.text());
    assert!(!stopped.lines.iter().any(|line| line.starts_with("rest ")), "{}", stopped.text());
}

/// A cancel that comes too late takes nothing from whoever was granted the lock.
#[test]
fn cancel_that_came_too_late_is_told() {
    let text = "mutex m\n\nA acquire m\nB acquire m\nA release m; cancel B\n";
    let events = vec![
        result(0, 0, acquired()),
        result(1, 1, What::Waits { object: 0, future: None, thread: false, claim: Claim::WHOLE, turns: false }),
        result(2, 0, What::Released { object: 0 }),
        result(3, 1, What::NotCancelled),
        Event { at: At::Step(3), task: Some(1), role: Role::Effect, what: acquired() },
    ];
    let outcome = judged(text, events, Trial::Refused, Trial::Free);
    assert_eq!(outcome.verdict, Verdict::Completed, "{}", outcome.text());
    assert!(outcome.text().contains("cancel B               not cancelled; B acquired"), "{}", outcome.text());
}

/// What a step came to may be told during a later line; the line that runs is not over by that.
#[test]
fn late_result_does_not_end_the_line_that_runs() {
    let text = "mutex m\n\nA acquire m\nB acquire m\ncancel B\nA release m\n";
    let events = vec![
        result(0, 0, acquired()),
        result(1, 1, What::Waits { object: 0, future: None, thread: false, claim: Claim::WHOLE, turns: false }),
        result(3, 0, What::Released { object: 0 }),
        result(2, 1, What::NotCancelled),
        Event { at: At::Step(3), task: Some(1), role: Role::Effect, what: acquired() },
    ];
    let outcome = judged(text, events, Trial::Refused, Trial::Free);
    assert_eq!(outcome.verdict, Verdict::Completed, "{}", outcome.text());
}

/// A future that was begun by one task and granted in another: the lock may take the first for its owner.
#[test]
fn refused_release_of_a_moved_future_is_no_lie() {
    let text = "mutex m\n\nB start x acquire m\nB send x D\nD await x\nD release m\n";
    let events = vec![
        result(0, 0, What::Pending { object: 0, future: 0, claim: Claim::WHOLE }),
        Event { at: At::Step(0), task: Some(0), role: Role::Effect, what: What::Promised },
        result(1, 0, What::SentFuture { future: 0, to: 1, received: true }),
        result(2, 1, What::Acquired { object: 0, future: Some(0), wait: true, claim: Claim::WHOLE }),
        result(3, 1, not_released()),
    ];
    let outcome = judged(text, events, Trial::Refused, Trial::Refused);
    assert_eq!(outcome.verdict, Verdict::Refused, "{}", outcome.text());
}

/// What varies between two runs of a library in another language does not stand in the text.
#[test]
fn addresses_are_taken_out_of_the_texts_of_libraries() {
    let printed = What::Printed { object: 0, text: "<Lock object at 0x7f3a9c0de5b0>".into() };
    let outcome = judged("mutex m\n\nA debug m\n", vec![result(0, 0, printed)], Trial::Free, Trial::Free);
    assert!(outcome.text().contains("<Lock object at 0xN>"), "{}", outcome.text());
}

const TEXT: &str =
    "mutex m\nmutex n\n\nA acquire m\nB start x acquire m\nA release m; cancel B\nB await x\nA enter f\nabort A\n";

/// A holder has panicked, and the lock refuses whoever comes then.
fn refused_after_a_panic(promises: Promises) -> Outcome {
    let refused =
        |wait| What::Refused { object: 0, future: None, wait, message: Message::text("poisoned"), claim: Claim::WHOLE };
    let events = vec![
        result(0, 0, What::Acquired { object: 0, future: None, wait: true, claim: Claim::WHOLE }),
        result(1, 0, What::Panicked { scripted: true, message: Message::text("boom") }),
        Event { at: At::Step(1), task: Some(0), role: Role::Effect, what: What::Released { object: 0 } },
        result(2, 1, refused(true)),
        result(3, 1, refused(false)),
        Event {
            at: At::Probe,
            task: None,
            role: Role::Result,
            what: What::Tried { object: 0, mode: 0, trial: Trial::Refused },
        },
    ];
    let (probe, rest) = ([Trial::Refused].into_iter().collect(), [Trial::Refused].into_iter().collect());
    let record = Record { events, probe, rest, fault: None };
    let program = program("mutex m\n\nA acquire m\nA panic\nB acquire m\nB try-acquire m\n");
    Outcome::under(promises, Transcript { program, record })
}

#[rstest]
#[case::declared(Promises { poison: true }, Verdict::Refused)]
#[case::not_declared(Promises::default(), Verdict::Leaked)]
fn mutex_may_be_poisoned_by_a_panic_if_it_says_so(#[case] promises: Promises, #[case] expected: Verdict) {
    let outcome = refused_after_a_panic(promises);
    assert_eq!(outcome.verdict, expected, "{}", outcome.text());
}

fn message() -> impl Strategy<Value = Message> {
    prop_oneof![Just(Message::none()), "[ -~\n]{0,20}".prop_map(Message::text)]
}

/// Claims that the tables know and claims that they do not.
fn claim() -> impl Strategy<Value = Claim> {
    (0..4_u8, prop_oneof![Just(1), any::<u64>()]).prop_map(|(mode, amount)| Claim { mode, amount })
}

fn what() -> impl Strategy<Value = What> {
    let (object, future, task) = (0usize..3, 0usize..2, 0usize..3);
    let some_future = prop::option::of(0usize..2);
    prop_oneof![
        (object.clone(), some_future.clone(), any::<bool>(), claim())
            .prop_map(|(object, future, wait, claim)| What::Acquired { object, future, wait, claim }),
        (object.clone(), some_future.clone(), any::<bool>(), claim())
            .prop_map(|(object, future, thread, claim)| What::Waits { object, future, thread, claim, turns: false }),
        (object.clone(), future.clone(), claim()).prop_map(|(object, future, claim)| What::Pending {
            object,
            future,
            claim
        }),
        (object.clone(), some_future.clone(), any::<bool>(), message(), claim())
            .prop_map(|(object, future, wait, message, claim)| What::Refused { object, future, wait, message, claim }),
        (object.clone(), any::<bool>()).prop_map(|(object, locked)| What::Answered { object, locked }),
        object.clone().prop_map(|object| What::Released { object }),
        (object.clone(), message()).prop_map(|(object, message)| What::NotReleased { object, message }),
        object.clone().prop_map(|object| What::Forgotten { object }),
        (object.clone(), task.clone(), any::<bool>()).prop_map(|(object, to, received)| What::SentGuard {
            object,
            to,
            received
        }),
        (future.clone(), task, any::<bool>()).prop_map(|(future, to, received)| What::SentFuture {
            future,
            to,
            received
        }),
        (object.clone(), future.clone(), claim()).prop_map(|(object, future, claim)| What::Prepared {
            object,
            future,
            claim
        }),
        (object.clone(), future).prop_map(|(object, future)| What::DroppedFuture { object, future }),
        (prop::option::of(object.clone()), some_future).prop_map(|(object, kept)| What::Cancelled { object, kept }),
        (any::<bool>(), message()).prop_map(|(scripted, message)| What::Panicked { scripted, message }),
        prop::option::of(object.clone()).prop_map(|object| What::Woken { object }),
        message().prop_map(|message| What::Aborted { ending: Some(Ending::Aborted(message)) }),
        message().prop_map(|message| What::Joined { ending: Ending::Panicked(message) }),
        (object.clone(), message()).prop_map(|(object, message)| What::ObjectPanicked { object, message }),
        (object.clone(), 0..3_u8, trial()).prop_map(|(object, mode, trial)| What::Tried { object, mode, trial }),
        object.prop_map(|object| What::NotRun { reason: Reason::ObjectGone { object } }),
        (0usize..2).prop_map(|scope| What::NotRun { reason: Reason::NotInScope { scope } }),
        prop::sample::select(vec![
            What::Unsupported,
            What::NotCancelled,
            What::Returned,
            What::Yielded,
            What::Entered,
            What::Left,
            What::Armed,
            What::Spent,
            What::Held,
            What::Promised,
            What::Detached,
            What::HandleDropped,
            What::ObjectDropped,
        ]),
    ]
}

fn trial() -> impl Strategy<Value = Trial> {
    prop::sample::select(vec![Trial::Free, Trial::Refused, Trial::Panicked, Trial::Gone])
}

fn at(steps: usize) -> impl Strategy<Value = At> {
    prop_oneof![8 => (0..steps).prop_map(At::Step), 1 => Just(At::Probe), 1 => Just(At::Rest)]
}

fn event() -> impl Strategy<Value = Event> {
    let role = prop::sample::select(vec![Role::Result, Role::Effect, Role::Waker]);
    (at(9), prop::option::of(0usize..3), role, what()).prop_map(|(at, task, role, what)| Event { at, task, role, what })
}

fn fault() -> impl Strategy<Value = Option<Fault>> {
    let at = || at(7);
    prop_oneof![
        6 => Just(None),
        1 => at().prop_map(|at| Some(Fault::Livelock { at, tasks: vec![0, 1] })),
        1 => prop::option::of(at()).prop_map(|at| Some(Fault::Hung { at, how: Hang::Silent })),
        1 => prop::option::of(at())
            .prop_map(|at| Some(Fault::Crashed { at, how: "signal 11".into(), stderr: "oh".into() })),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a worker says, what gets past the checks of the protocol is judged and printed.
    #[test]
    fn no_record_that_keeps_to_the_protocol_stops_the_oracle(
        events in prop::collection::vec(event(), 0..24),
        probe in prop::collection::vec(trial(), 2),
        rest in prop::collection::vec(trial(), 2),
        cut in 0usize..3,
        fault in fault(),
    ) {
        let program = program(TEXT);
        let events: Vec<Event> = events.into_iter().filter(|event| check_event(&program, event).is_ok()).collect();
        // A run that was broken off may lack its trials.
        let lacks = |from: usize| fault.is_some() && cut >= from;
        let (probe, rest) = (if lacks(2) { vec![] } else { probe }.into(), if lacks(1) { vec![] } else { rest }.into());
        let ended = Ended { job: 1, run: 0, probe, rest, fault };
        prop_assert_eq!(check_end(&program, &ended), Ok(()));
        let Ended { probe, rest, fault, .. } = ended;
        let transcript = Transcript { program, record: Record { events, probe, rest, fault } };
        for part in transcript.steps().iter().flat_map(|step| &step.parts) {
            prop_assert!(is_result(part), "lint would warn of a condition on `{part}`");
        }
        let outcome = Outcome::of(transcript);
        prop_assert!(outcome.lines.iter().any(|line| line.starts_with("verdict")));
    }
}
