//! Each rule of the oracle, and the broken lock that it convicts.

use keyalike_harness::driver::DriveError;
use keyalike_harness::runner::CellError;
use keyalike_harness::verdict::Verdict;
use libtest_mimic::{Failed, Trial};

use crate::locks::{BROKEN, HONEST, HONEST_BARGING, HONEST_WITH_BUDGET};
use crate::run::{is_conviction, program, run};

/// A script, a lock, and what the oracle must say of the two.
#[derive(Clone, Copy)]
struct Case {
    /// The claim, as a sentence.
    name: &'static str,
    lock: &'static str,
    /// The mutexes, set apart by spaces.
    objects: &'static str,
    script: &'static str,
    verdict: Verdict,
    /// Lines of the outcome, each with its spaces folded.
    says: &'static [&'static str],
}

const CASES: &[Case] = &[
    // Lost wake-ups.
    Case {
        name: "lost_wake_on_cancel_is_convicted_as_lost_wakeup",
        lock: "lost-wake-on-cancel",
        objects: "m",
        script: "A acquire m
                 B acquire m
                 C acquire m
                 A release m; cancel B",
        verdict: Verdict::LostWakeup,
        says: &["because C waits for m, which is free", "A release m released; woke B"],
    },
    Case {
        name: "lost_wake_on_abort_is_convicted_as_lost_wakeup",
        lock: "lost-wake-on-cancel",
        objects: "m",
        script: "A acquire m
                 B acquire m
                 C acquire m
                 A release m; abort B",
        verdict: Verdict::LostWakeup,
        says: &["because C waits for m, which is free"],
    },
    Case {
        name: "lost_wake_is_convicted_though_a_later_step_repairs_it",
        lock: "lost-wake-on-cancel",
        objects: "m",
        script: "A acquire m
                 B acquire m
                 C acquire m
                 A release m; cancel B
                 D acquire m
                 D release m",
        verdict: Verdict::LostWakeup,
        says: &["because C waits for m, which is free", "D release m released; C acquired"],
    },
    Case {
        name: "lost_wake_on_drop_of_a_kept_future_is_convicted_as_lost_wakeup",
        lock: "lost-wake-on-cancel",
        objects: "m",
        script: "A acquire m
                 B start x acquire m
                 C acquire m
                 A release m
                 B drop x",
        verdict: Verdict::LostWakeup,
        says: &["because C waits for m, which is free"],
    },
    Case {
        name: "wake_that_a_second_mutex_gave_excuses_no_lost_wakeup",
        lock: "wakes-nobody",
        objects: "m n",
        script: "B acquire m
                 C acquire n
                 A start x acquire m
                 A acquire n
                 D acquire m
                 B release m",
        verdict: Verdict::LostWakeup,
        says: &["because D waits for m, which is free"],
    },
    Case {
        name: "wakes_nobody_is_convicted_as_lost_wakeup",
        lock: "wakes-nobody",
        objects: "m",
        script: "A acquire m
                 B acquire m
                 A release m",
        verdict: Verdict::LostWakeup,
        says: &["because B waits for m, which is free", "probe m free"],
    },
    Case {
        name: "wakes_nobody_is_convicted_by_a_kept_future_alone",
        lock: "wakes-nobody",
        objects: "m",
        script: "A acquire m
                 B start x acquire m
                 A release m
                 B await x",
        verdict: Verdict::LostWakeup,
        says: &["because the future x that B keeps was not woken for m, which is free"],
    },
    Case {
        name: "wakes_nobody_is_convicted_by_a_thread",
        lock: "wakes-nobody",
        objects: "m",
        script: "A acquire m
                 B acquire m blocking
                 A release m",
        verdict: Verdict::LostWakeup,
        says: &["because B waits for m, which is free"],
    },
    Case {
        name: "leaves_threads_asleep_is_convicted_as_lost_wakeup",
        lock: "leaves-threads-asleep",
        objects: "m",
        script: "A acquire m
                 B acquire m blocking
                 A release m",
        verdict: Verdict::LostWakeup,
        says: &["because B waits for m, which is free", "probe m refused"],
    },
    Case {
        name: "hands_over_in_silence_is_convicted_as_lost_wakeup",
        lock: "hands-over-in-silence",
        objects: "m",
        script: "A acquire m
                 B acquire m
                 A release m",
        verdict: Verdict::LostWakeup,
        says: &["because B waits for m, which is free", "probe m refused"],
    },
    Case {
        name: "wakes_the_second_is_convicted_as_lost_wakeup",
        lock: "wakes-the-second",
        objects: "m",
        script: "A acquire m
                 B acquire m
                 C acquire m
                 A release m",
        verdict: Verdict::LostWakeup,
        says: &["because B waits for m, which is free", "A release m released; woke C"],
    },
    Case {
        name: "cancel_loses_queue_is_convicted_as_lost_wakeup",
        lock: "cancel-loses-queue",
        objects: "m",
        script: "A acquire m
                 B acquire m
                 C acquire m
                 cancel B
                 A release m",
        verdict: Verdict::LostWakeup,
        says: &["because C waits for m, which is free"],
    },
    Case {
        name: "grant_to_the_dead_is_convicted_as_lost_wakeup",
        lock: "grant-to-the-dead",
        objects: "m",
        script: "A acquire m
                 B acquire m
                 C acquire m
                 cancel B
                 A release m",
        verdict: Verdict::LostWakeup,
        says: &["because C waits for m, which is free", "A release m released; woke B"],
    },
    Case {
        name: "grant_to_the_dead_is_convicted_when_the_dead_is_a_task",
        lock: "grant-to-the-dead",
        objects: "m",
        script: "A acquire m
                 B acquire m
                 C acquire m
                 abort B
                 A release m",
        verdict: Verdict::LostWakeup,
        says: &["because C waits for m, which is free", "A release m released; woke B"],
    },
    Case {
        name: "forgets_polled_waiter_is_convicted_as_lost_wakeup",
        lock: "forgets-polled-waiter",
        objects: "m",
        script: "A acquire m
                 B start x acquire m
                 B await x
                 A release m",
        verdict: Verdict::LostWakeup,
        says: &["because B waits for m, which is free"],
    },
    Case {
        name: "keeps_first_waker_is_convicted_as_lost_wakeup",
        lock: "keeps-first-waker",
        objects: "m",
        script: "A acquire m
                 B start x acquire m
                 B send x C
                 C await x
                 A release m",
        verdict: Verdict::LostWakeup,
        says: &["because C waits for m, which is free", "A release m released; woke B"],
    },
    // Leaks.
    Case {
        name: "grant_to_the_dead_is_convicted_as_leaked",
        lock: "grant-to-the-dead",
        objects: "m",
        script: "A acquire m
                 B acquire m
                 cancel B
                 A release m
                 C try-acquire m",
        verdict: Verdict::Leaked,
        says: &["because m is free, yet a try is refused", "because m is held by nobody, yet refused"],
    },
    Case {
        name: "leaks_on_cancel_is_convicted_by_the_probe",
        lock: "leaks-on-cancel",
        objects: "m",
        script: "A acquire m
                 B acquire m
                 A release m; cancel B",
        verdict: Verdict::Leaked,
        says: &["because m is held by nobody, yet refused", "probe m refused"],
    },
    Case {
        name: "leaks_on_cancel_is_convicted_at_rest",
        lock: "leaks-on-cancel",
        objects: "m",
        script: "A acquire m
                 B start x acquire m
                 A release m",
        verdict: Verdict::Leaked,
        says: &["because m is held by nobody, yet refused", "rest m refused"],
    },
    Case {
        name: "keeps_on_panic_is_convicted_as_leaked",
        lock: "keeps-on-panic",
        objects: "m",
        script: "A acquire m
                 A panic",
        verdict: Verdict::Leaked,
        says: &["because m is held by nobody, yet refused"],
    },
    Case {
        name: "keeps_on_panic_is_convicted_as_lost_wakeup",
        lock: "keeps-on-panic",
        objects: "m",
        script: "A acquire m
                 B acquire m
                 A panic",
        verdict: Verdict::LostWakeup,
        says: &["because B waits for m, which is free"],
    },
    Case {
        name: "lies_about_free_is_convicted_as_leaked",
        lock: "lies-about-free",
        objects: "m",
        script: "A acquire m
                 A release m
                 B is-locked m",
        verdict: Verdict::Leaked,
        says: &["because m is free, yet is-locked says yes"],
    },
    Case {
        name: "refuses_free_try_is_convicted_as_leaked",
        lock: "refuses-free-try",
        objects: "m",
        script: "A acquire m
                 A release m
                 B try-acquire m",
        verdict: Verdict::Leaked,
        says: &["because m is free, yet a try is refused"],
    },
    // Violations.
    Case {
        name: "two_holders_is_convicted_as_violation",
        lock: "two-holders",
        objects: "m",
        script: "A acquire m
                 B try-acquire m",
        verdict: Verdict::Violation,
        says: &["because m is held by A and B"],
    },
    Case {
        name: "two_holders_is_convicted_by_the_probe",
        lock: "two-holders",
        objects: "m",
        script: "A acquire m",
        verdict: Verdict::Violation,
        says: &["because m is held by A, yet a try takes it"],
    },
    Case {
        name: "woken_means_granted_is_convicted_as_violation",
        lock: "woken-means-granted",
        objects: "m",
        script: "A acquire m
                 B acquire m
                 A release m; C acquire m",
        verdict: Verdict::Violation,
        says: &["because m is held by C and B"],
    },
    Case {
        name: "cancel_frees_is_convicted_as_violation",
        lock: "cancel-frees",
        objects: "m",
        script: "A acquire m
                 B acquire m
                 C acquire m
                 cancel B",
        verdict: Verdict::Violation,
        says: &["because m is held by A and C"],
    },
    Case {
        name: "cancel_frees_is_convicted_at_rest",
        lock: "cancel-frees",
        objects: "m",
        script: "A acquire m
                 B acquire m
                 C acquire m",
        verdict: Verdict::Violation,
        says: &["because m is held by A and C", "end A holds m; B waits for m; C waits for m"],
    },
    Case {
        name: "reentrant_grant_is_convicted_as_violation",
        lock: "reentrant-grant",
        objects: "m",
        script: "A acquire m
                 A acquire m",
        verdict: Verdict::Violation,
        says: &["because m is held by A and A"],
    },
    Case {
        name: "lies_about_locked_is_convicted_as_violation",
        lock: "lies-about-locked",
        objects: "m",
        script: "A acquire m
                 B is-locked m",
        verdict: Verdict::Violation,
        says: &["because m is held by A, yet is-locked says no"],
    },
    Case {
        name: "refuses_free_acquire_is_convicted_as_violation",
        lock: "refuses-free-acquire",
        objects: "m",
        script: "A acquire m
                 A release m
                 B acquire m",
        verdict: Verdict::Violation,
        says: &["because m is free, yet an acquire is refused"],
    },
    // Panics.
    Case {
        name: "panics_on_cancel_is_convicted_as_panicked",
        lock: "panics-on-cancel",
        objects: "m",
        script: "A acquire m
                 B acquire m
                 cancel B",
        verdict: Verdict::Panicked,
        says: &["cancel B cancelled; B panicked"],
    },
    Case {
        name: "panics_on_cancel_is_convicted_at_rest",
        lock: "panics-on-cancel",
        objects: "m",
        script: "A acquire m
                 B acquire m",
        verdict: Verdict::Panicked,
        says: &["because B panicked while the tasks let go"],
    },
    Case {
        name: "panics_on_cancel_is_convicted_at_the_abort_of_a_task",
        lock: "panics-on-cancel",
        objects: "m",
        script: "A acquire m
                 B acquire m
                 abort B",
        verdict: Verdict::Panicked,
        says: &["abort B aborted; B panicked"],
    },
    Case {
        name: "panics_on_cancel_is_convicted_while_its_task_panics",
        lock: "panics-on-cancel",
        objects: "m",
        script: "A acquire m
                 B start x acquire m
                 B panic",
        verdict: Verdict::Panicked,
        says: &["B panic panicked; B dropped x; B panicked"],
    },
    Case {
        name: "panics_on_grant_is_convicted_as_panicked",
        lock: "panics-on-grant",
        objects: "m",
        script: "A acquire m
                 B acquire m
                 A release m",
        verdict: Verdict::Panicked,
        says: &["A release m released; B panicked", "the mutex is taken", "rest m free"],
    },
    Case {
        name: "panics_on_grant_is_convicted_inside_a_waker",
        lock: "panics-on-grant",
        objects: "m",
        script: "A acquire m
                 B on wake poll
                 B acquire m
                 A release m",
        verdict: Verdict::Panicked,
        says: &["A release m released; B's waker cancelled; A panicked; woke B", "the mutex is taken", "rest m free"],
    },
    Case {
        name: "panics_on_release_is_convicted_as_panicked",
        lock: "panics-on-release",
        objects: "m",
        script: "A acquire m
                 A release m",
        verdict: Verdict::Panicked,
        says: &["A release m released; A panicked"],
    },
    Case {
        name: "panics_on_release_is_convicted_at_the_return_of_a_task",
        lock: "panics-on-release",
        objects: "m",
        script: "A acquire m
                 A return",
        verdict: Verdict::Panicked,
        says: &["A return returned; A released m; A panicked"],
    },
    Case {
        name: "panics_on_release_is_convicted_by_the_probe",
        lock: "panics-on-release",
        objects: "m",
        script: "A is-locked m",
        verdict: Verdict::Panicked,
        says: &["because a try of m panics"],
    },
    Case {
        name: "panics_on_drop_is_convicted_as_panicked",
        lock: "panics-on-drop",
        objects: "m",
        script: "A acquire m
                 A release m
                 drop m",
        verdict: Verdict::Panicked,
        says: &["drop m panicked"],
    },
    Case {
        name: "panics_on_drop_is_convicted_at_rest",
        lock: "panics-on-drop",
        objects: "m",
        script: "A acquire m",
        verdict: Verdict::Panicked,
        says: &["because m panicked when it was dropped"],
    },
    // Tasks that never come to rest.
    Case {
        name: "self_waking_is_convicted_as_livelock",
        lock: "self-waking",
        objects: "m",
        script: "A acquire m
                 B acquire m",
        verdict: Verdict::Livelock,
        says: &["because after `B acquire m`, B is polled again and again"],
    },
    Case {
        name: "livelock_ends_the_wait_that_spins_and_not_the_script",
        lock: "self-waking",
        objects: "m",
        script: "A acquire m
                 B acquire m
                 C acquire m; D try-acquire m
                 B is-locked m
                 B repoll
                 D try-acquire m
                 cancel B
                 abort C
                 B is-locked m
                 A release m
                 D acquire m",
        verdict: Verdict::Livelock,
        says: &[
            "because after `B acquire m`, B is polled again and again",
            "B is-locked m not run: it waits",
            "B repoll not run: it waits",
            "D try-acquire m refused",
            "cancel B cancelled",
            "abort C aborted",
            "B is-locked m yes",
            "A release m released",
            "D acquire m acquired",
            "end D holds m",
            "probe m refused",
            "rest m free",
        ],
    },
    Case {
        name: "who_spins_lets_go_at_rest_before_the_others",
        lock: "self-waking",
        objects: "m",
        script: "A acquire m
                 B acquire m",
        verdict: Verdict::Livelock,
        says: &["end A holds m; B waits for m", "probe m refused", "rest m free"],
    },
    Case {
        name: "self_waking_at_rest_is_convicted_as_livelock",
        lock: "self-waking-on-cancel",
        objects: "m",
        script: "A acquire m
                 B acquire m
                 C acquire m",
        verdict: Verdict::Livelock,
        says: &["because after letting go of everything, C is polled again and again", "rest m free"],
    },
    Case {
        name: "spinning_is_convicted_as_hung",
        lock: "spinning",
        objects: "m",
        script: "A acquire m
                 B acquire m",
        verdict: Verdict::Hung,
        says: &["because `B acquire m` never comes back and keeps its thread busy", "B acquire m does not come back"],
    },
    Case {
        name: "wakes_under_internal_lock_is_convicted_as_hung",
        lock: "wakes-under-internal-lock",
        objects: "m",
        script: "A acquire m
                 B on wake is-locked m
                 B acquire m
                 A release m",
        verdict: Verdict::Hung,
        says: &["because `A release m` blocks a thread of the runtime for good"],
    },
    Case {
        name: "wakes_under_internal_lock_is_convicted_by_a_waker_that_polls",
        lock: "wakes-under-internal-lock",
        objects: "m",
        script: "A acquire m
                 B on wake poll
                 B acquire m
                 A release m",
        verdict: Verdict::Hung,
        says: &["because `A release m` blocks a thread of the runtime for good"],
    },
    Case {
        name: "aborts_process_is_convicted_as_crashed",
        lock: "aborts-process",
        objects: "m",
        script: "A acquire m
                 B acquire m
                 A release m",
        verdict: Verdict::Crashed,
        says: &["because `A release m` ended the process: signal 6", "A release m released; does not come back"],
    },
    // Order.
    Case {
        name: "starves_one_is_convicted_as_starved",
        lock: "starves-one",
        objects: "m",
        script: "A acquire m
                 B acquire m
                 C acquire m
                 D acquire m
                 E acquire m
                 F acquire m
                 A release m
                 C release m
                 D release m",
        verdict: Verdict::Starved,
        says: &["because B waits for m and was overtaken 3 times"],
    },
    Case {
        name: "lifo_is_a_fact_and_no_fault",
        lock: "lifo",
        objects: "m",
        script: "A acquire m
                 B acquire m
                 C acquire m
                 A release m",
        verdict: Verdict::Completed,
        says: &["order m: C before B", "A release m released; C acquired"],
    },
    Case {
        name: "barging_is_a_fact_and_no_fault",
        lock: HONEST_BARGING,
        objects: "m",
        script: "A acquire m
                 B acquire m
                 A release m; C acquire m",
        verdict: Verdict::Completed,
        says: &["order m: C before B"],
    },
    Case {
        name: "refuses_reentry_is_refused",
        lock: "refuses-reentry",
        objects: "m",
        script: "A acquire m
                 A acquire m",
        verdict: Verdict::Refused,
        says: &["A acquire m refused", "the task holds the mutex already"],
    },
    // What belongs to whom, on an honest lock.
    Case {
        name: "scope_releases_what_poll_acquired_in_it",
        lock: HONEST,
        objects: "m",
        script: "B acquire m
                 A start x acquire m
                 B release m
                 A enter f
                 A poll x
                 A leave f",
        verdict: Verdict::Completed,
        says: &["A leave f left; A released m", "end all free"],
    },
    Case {
        name: "scope_releases_what_a_wait_by_reference_acquired_in_it",
        lock: HONEST,
        objects: "m",
        script: "B acquire m
                 A start x acquire m
                 A enter f
                 A await-ref x
                 B release m
                 A leave f",
        verdict: Verdict::Completed,
        says: &["A leave f left; A released m", "end all free"],
    },
    Case {
        name: "scope_drops_the_futures_that_were_made_in_it",
        lock: HONEST,
        objects: "m",
        script: "B acquire m
                 A enter f
                 A start x acquire m
                 A leave f",
        verdict: Verdict::Completed,
        says: &["A leave f left; A dropped x", "end B holds m"],
    },
    Case {
        name: "guard_that_its_task_sends_to_itself_is_held_at_once",
        lock: HONEST,
        objects: "m",
        script: "A acquire m
                 A send m A; A release m",
        verdict: Verdict::Completed,
        says: &["A release m released", "end all free"],
    },
    Case {
        name: "future_that_its_task_sends_to_itself_is_kept_at_once",
        lock: HONEST,
        objects: "m",
        script: "A prepare x acquire m
                 A send x A; A await x",
        verdict: Verdict::Completed,
        says: &["A await x acquired", "end A holds m"],
    },
    Case {
        name: "guard_of_an_armed_reaction_is_held_by_the_waker",
        lock: HONEST,
        objects: "m n",
        script: "A acquire m
                 A on wake release m
                 A release m
                 A forget m
                 A send m B
                 A on wake release m
                 A release n",
        verdict: Verdict::Completed,
        says: &[
            "A release m not run: its waker holds the guard",
            "A forget m not run: its waker holds the guard",
            "A send m B not run: its waker holds the guard",
            "A on wake release m not run: its waker holds the guard",
            "A release n not run: it holds no guard of n",
            "end A holds m",
        ],
    },
    // What is wrong with a script, on an honest lock.
    Case {
        name: "task_that_waits_for_itself_is_in_a_deadlock",
        lock: HONEST,
        objects: "m",
        script: "A acquire m
                 A acquire m",
        verdict: Verdict::Deadlock,
        says: &["because A waits for m held by A"],
    },
    Case {
        name: "two_tasks_are_in_a_deadlock",
        lock: HONEST,
        objects: "m n",
        script: "B acquire n
                 A acquire m
                 B acquire m
                 A acquire n",
        verdict: Verdict::Deadlock,
        says: &["because A waits for n held by B; B waits for m held by A"],
    },
    Case {
        name: "three_tasks_are_in_a_deadlock",
        lock: HONEST,
        objects: "m n o",
        script: "A acquire m
                 B acquire n
                 C acquire o
                 A acquire n
                 B acquire o
                 C acquire m",
        verdict: Verdict::Deadlock,
        says: &["because A waits for n held by B; B waits for o held by C; C waits for m held by A"],
    },
    Case {
        name: "task_behind_a_cycle_is_in_a_deadlock",
        lock: HONEST,
        objects: "m n",
        script: "A acquire m
                 A acquire n
                 A acquire m
                 B acquire n",
        verdict: Verdict::Deadlock,
        says: &["because A waits for m held by A", "because B waits for n held by A, behind a cycle"],
    },
    Case {
        name: "guard_in_an_armed_waker_takes_part_in_a_deadlock",
        lock: HONEST,
        objects: "m n",
        script: "A acquire m
                 B acquire n
                 A on wake release m
                 B acquire m
                 A acquire n",
        verdict: Verdict::Deadlock,
        says: &["because A waits for n held by B; B waits for m held by A"],
    },
    Case {
        name: "guard_that_was_sent_takes_part_in_a_deadlock",
        lock: HONEST,
        objects: "m n",
        script: "A acquire m
                 B acquire n
                 A send m B
                 A acquire n
                 B acquire m",
        verdict: Verdict::Deadlock,
        says: &["because B waits for m held by B", "because A waits for n held by B, behind a cycle"],
    },
    Case {
        name: "waiter_of_a_forgotten_guard_is_abandoned",
        lock: HONEST,
        objects: "m",
        script: "A acquire m
                 B acquire m
                 A forget m
                 A return",
        verdict: Verdict::Abandoned,
        says: &["because B waits for m, whose guard A forgot"],
    },
    Case {
        name: "chain_behind_a_forgotten_guard_is_abandoned",
        lock: HONEST,
        objects: "m n",
        script: "A acquire m
                 A forget m
                 B acquire n
                 B acquire m
                 C acquire n",
        verdict: Verdict::Abandoned,
        says: &[
            "because B waits for m, whose guard A forgot",
            "because C waits for n held by B, behind a forgotten guard",
        ],
    },
    Case {
        name: "offer_to_a_kept_future_is_a_futurelock",
        lock: HONEST,
        objects: "m",
        script: "B acquire m
                 A start x acquire m
                 C acquire m
                 B release m",
        verdict: Verdict::Futurelock,
        says: &["because C waits for m, which is offered to the future x that A keeps and does not poll"],
    },
    Case {
        name: "offer_to_a_future_that_moved_is_a_futurelock",
        lock: HONEST,
        objects: "m",
        script: "A acquire m
                 B start x acquire m
                 B send x C
                 D acquire m
                 A release m",
        verdict: Verdict::Futurelock,
        says: &["because D waits for m, which is offered to the future x that C keeps and does not poll"],
    },
    Case {
        name: "offer_to_a_future_whose_first_task_ended_is_a_futurelock",
        lock: HONEST,
        objects: "m",
        script: "A acquire m
                 B start x acquire m
                 B send x C
                 B return
                 D acquire m
                 A release m",
        verdict: Verdict::Futurelock,
        says: &[
            "because D waits for m, which is offered to the future x that C keeps and does not poll",
            "A release m released; woke B",
        ],
    },
    Case {
        name: "offer_to_a_future_whose_await_is_cancelled_is_a_futurelock",
        lock: HONEST,
        objects: "m",
        script: "A acquire m
                 B start x acquire m
                 B await-ref x
                 C acquire m
                 A release m; cancel B",
        verdict: Verdict::Futurelock,
        says: &["because C waits for m, which is offered to the future x that B keeps and does not poll"],
    },
    Case {
        name: "future_that_was_granted_without_budget_is_a_futurelock",
        lock: HONEST_WITH_BUDGET,
        objects: "m",
        script: "A spend-budget; A start x acquire m
                 B acquire m",
        verdict: Verdict::Futurelock,
        says: &[
            "because B waits for m, which is offered to the future x that A keeps and does not poll",
            "A start x acquire m pending; woke A",
        ],
    },
    Case {
        name: "wait_that_was_granted_without_budget_gets_its_guard",
        lock: HONEST_WITH_BUDGET,
        objects: "m",
        script: "A spend-budget; A acquire m
                 B acquire m
                 A release m",
        verdict: Verdict::Completed,
        says: &["A acquire m waits; A acquired", "A release m released; B acquired"],
    },
    Case {
        name: "effect_of_a_line_stands_under_its_last_step",
        lock: HONEST,
        objects: "m",
        script: "A acquire m
                 B acquire m
                 C acquire m
                 A release m; cancel B",
        verdict: Verdict::Completed,
        says: &["A release m released; woke B", "cancel B cancelled; C acquired"],
    },
    Case {
        name: "effect_of_a_line_stands_under_a_step_that_was_not_run",
        lock: HONEST,
        objects: "m",
        script: "A acquire m
                 C acquire m
                 A return; A release m; A acquire m",
        verdict: Verdict::Completed,
        says: &[
            "A return returned; A released m",
            "A release m not run: it is gone",
            "A acquire m not run: it is gone; C acquired",
        ],
    },
    Case {
        name: "task_that_keeps_an_offered_future_and_waits_is_in_a_futurelock",
        lock: HONEST,
        objects: "m",
        script: "B acquire m
                 A start x acquire m
                 A start y acquire m
                 A await y
                 B release m",
        verdict: Verdict::Futurelock,
        says: &["because A waits for m, which is offered to the future x that A keeps and does not poll"],
    },
];

/// Scripts in which nobody is to blame, though the harness could think so.
const INNOCENT: &[(&str, &str, &str)] = &[
    (
        "guard_of_an_armed_waker_that_never_fires",
        "m",
        "A acquire m
         A on wake-drop release m",
    ),
    (
        "armed_guard_of_a_waiter",
        "m n",
        "A acquire m
         B acquire n
         A on wake release m
         A acquire n
         C acquire m
         B release n",
    ),
    (
        "aborted_task_whose_thread_waits",
        "m",
        "A acquire m
         B acquire m blocking
         C acquire m
         abort B
         A release m
         C release m
         D try-acquire m",
    ),
    (
        "threads_in_a_row",
        "m",
        "A acquire m
         B acquire m blocking
         C acquire m blocking
         A release m
         B release m
         C release m",
    ),
    (
        "thread_that_is_granted_at_once",
        "m",
        "A acquire m blocking
         B try-acquire m
         B is-locked m
         A release m
         B try-acquire m",
    ),
    (
        "task_aborted_after_its_thread_is_granted",
        "m",
        "A acquire m
         B acquire m blocking
         C acquire m
         A release m
         abort B
         D try-acquire m",
    ),
    (
        "order_for_a_waker_that_the_lock_has_already",
        "m n",
        "A acquire m
         B acquire n
         B start x acquire m
         B on wake-drop release n
         C acquire n
         B drop x
         C release n",
    ),
    (
        "aborted_task_whose_wait_lies_with_its_waker",
        "m",
        "A acquire m
         C on wake panic
         C acquire m
         D acquire m
         abort C
         A release m
         D release m
         B try-acquire m",
    ),
    (
        "long_pause_of_the_conductor_in_a_worker",
        "m",
        "A on wake is-locked m
         A acquire m
         hold 50ms
         A release m",
    ),
    (
        "long_work_of_a_task_in_a_worker",
        "m",
        "A on wake is-locked m
         A acquire m
         A hold 50ms
         A release m",
    ),
    (
        "waker_that_panics_inside_the_probe",
        "m",
        "A acquire m
         B start x acquire m
         B on wake panic
         B poll x
         B send x C
         C poll x
         A release m",
    ),
    (
        "waker_that_barges_in_before_its_own_task",
        "m",
        "A acquire m
         B on wake try-acquire m
         B acquire m
         A release m",
    ),
    (
        "waker_that_releases_a_second_mutex",
        "m n",
        "A acquire m
         B acquire n
         B on wake release n
         B acquire m
         C acquire n
         A release m",
    ),
    (
        "steps_after_the_end_of_their_task",
        "m",
        "A acquire m
         B acquire m
         A return; A acquire m; A release m
         A release m; A acquire m",
    ),
    (
        "futures_of_one_name",
        "m",
        "A acquire m
         B start x acquire m
         C start x acquire m
         B send x C
         C drop x
         A release m
         C await x
         C await x",
    ),
    (
        "dropped_mutex_with_waiters",
        "m",
        "A acquire m
         B acquire m
         drop m
         C acquire m
         A release m",
    ),
    (
        "guard_sent_to_a_task_that_is_gone",
        "m",
        "A acquire m
         B return
         C acquire m
         A send m B",
    ),
    (
        "future_sent_to_a_task_that_is_gone",
        "m",
        "A acquire m
         D start x acquire m
         B return
         C acquire m
         A release m; D send x B",
    ),
];

/// Returns one trial per case.
pub(crate) fn trials() -> Vec<Trial> {
    let cases = CASES.iter().map(|case| Trial::test(case.name, move || check(case)));
    let innocent = INNOCENT.iter().flat_map(|&(name, objects, script)| {
        [HONEST, HONEST_BARGING, HONEST_WITH_BUDGET].map(|lock| {
            let name = format!("{}_is_not_convicted_for_{name}", lock.replace('-', "_"));
            Trial::test(name, move || check_innocent(lock, objects, script))
        })
    });
    let own = [
        Trial::test("lock_that_wakes_from_its_own_thread_is_not_judged", check_foreign_wake),
        Trial::test("line_in_which_a_thread_would_run_is_not_judged", check_thread_in_line),
        Trial::test("every_broken_lock_stands_beside_a_rule", check_all_are_used),
    ];
    cases.chain(innocent).chain(own).collect()
}

fn check(case: &Case) -> Result<(), Failed> {
    let program = program(case.objects, case.script);
    let isolate = matches!(case.verdict, Verdict::Hung | Verdict::Crashed);
    let outcome = run(case.lock, &program, isolate).map_err(|error| error.to_string())?;
    let lines: Vec<String> =
        outcome.lines.iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    if outcome.verdict != case.verdict {
        return Err(format!("{}, not {}:\n{}", outcome.verdict, case.verdict, outcome.text()).into());
    }
    if let Some(missing) = case.says.iter().find(|says| !lines.iter().any(|line| line == *says)) {
        return Err(format!("it does not say `{missing}`:\n{}", outcome.text()).into());
    }
    // The script alone convicts nobody.
    for honest in [HONEST, HONEST_BARGING, HONEST_WITH_BUDGET].into_iter().filter(|honest| *honest != case.lock) {
        let outcome = run(honest, &program, isolate).map_err(|error| error.to_string())?;
        let is_accused = is_conviction(outcome.verdict);
        let is_disordered = honest != HONEST_BARGING && outcome.lines.iter().any(|line| line.starts_with("order"));
        if is_accused || is_disordered {
            return Err(format!("{honest} is accused:\n{}", outcome.text()).into());
        }
    }
    Ok(())
}

fn check_innocent(lock: &str, objects: &str, script: &str) -> Result<(), Failed> {
    let outcome = run(lock, &program(objects, script), false).map_err(|error| error.to_string())?;
    if is_conviction(outcome.verdict) { Err(outcome.text().into()) } else { Ok(()) }
}

fn check_foreign_wake() -> Result<(), Failed> {
    let program = program("m", "A acquire m\nB acquire m\nA release m\nhold 100ms");
    match run("wakes-from-own-thread", &program, false) {
        Err(CellError::Drive(DriveError::ForeignWake { .. })) => Ok(()),
        Err(error) => Err(error.to_string().into()),
        Ok(outcome) => Err(outcome.text().into()),
    }
}

fn check_thread_in_line() -> Result<(), Failed> {
    let program = program("m", "A acquire m\nB acquire m blocking\nC acquire m\nA release m; abort B");
    match run(HONEST, &program, false) {
        Err(error) if error.to_string().contains("that thread would run between them") => Ok(()),
        Err(error) => Err(error.to_string().into()),
        Ok(outcome) => Err(outcome.text().into()),
    }
}

fn check_all_are_used() -> Result<(), Failed> {
    let unused: Vec<&str> = BROKEN
        .iter()
        .map(|(id, _)| *id)
        .filter(|id| *id != "wakes-from-own-thread" && CASES.iter().all(|case| case.lock != *id))
        .collect();
    if unused.is_empty() { Ok(()) } else { Err(format!("no case tries {}", unused.join(", ")).into()) }
}
