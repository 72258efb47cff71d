//! What the oracle says of a semaphore that serves in the order of arrival.

use keyalike_harness::verdict::Verdict;
use libtest_mimic::Trial;

use crate::locks::HONEST_COUNTED;
use crate::run::{run, scripted};

/// A script over a semaphore, and what it comes to.
struct Case {
    name: &'static str,
    text: &'static str,
    verdict: Verdict,
    /// Words of the outcome.
    because: &'static str,
}

const CASES: [Case; 5] = [
    Case {
        name: "what_an_add_gives_is_there_for_a_waker_that_it_calls",
        text: "semaphore s 0\n\nB on wake try-acquire s\nB acquire s\nA add s 2\n",
        verdict: Verdict::Completed,
        because: "",
    },
    Case {
        name: "an_add_that_a_waker_ends_by_a_panic_has_added_and_lost_a_waiter",
        text: "semaphore s 0\n\nB on wake panic\nB acquire s\nC acquire s\nA add s 2\n",
        verdict: Verdict::LostWakeup,
        because: "C waits for 1 of s, which is free",
    },
    Case {
        name: "a_kept_request_for_more_than_is_free_holds_up_those_behind",
        text: "semaphore s 2\n\nB acquire s\nA start x acquire s 2\nC acquire s\n",
        verdict: Verdict::Futurelock,
        because: "C waits for 1 of s, behind the future x that A keeps and does not poll",
    },
    Case {
        name: "a_kept_request_that_is_dropped_holds_nobody_up",
        text: "semaphore s 2\n\nB acquire s\nA start x acquire s 2\nC acquire s\nA drop x\n",
        verdict: Verdict::Completed,
        because: "",
    },
    Case {
        name: "a_request_that_gives_up_lets_in_those_behind",
        text: "semaphore s 2\n\nA acquire s\nB acquire s 2\nC acquire s\ncancel B\n",
        verdict: Verdict::Completed,
        because: "",
    },
];

/// Returns a trial for each case.
pub(crate) fn trials() -> Vec<Trial> {
    let trial = |case: Case| {
        Trial::test(format!("counted::{}", case.name), move || {
            let outcome = run(HONEST_COUNTED, &scripted(case.text), false)?;
            let is_said = outcome.lines.iter().any(|line| line.contains(case.because));
            match outcome.verdict == case.verdict && is_said {
                true => Ok(()),
                false => Err(outcome.lines.join("\n").into()),
            }
        })
    };
    CASES.into_iter().map(trial).collect()
}
