//! The semaphores and rwlocks that are wrong in one line are convicted by name, and the honest ones of every policy are not.

use std::sync::Arc;

use harness::adapter::{rwlock, semaphore};
use harness::explore::{Explorable, drive_script};
use harness::object::Object;
use harness::primitive::{Declaration, Primitive};
use harness::scenario::parse::parse;
use harness::verdict::Verdict;
use keyalike_planted::weighted::{Flaw, RwLock, Semaphore};
use rstest::rstest;

fn make<F: Flaw>(declared: Declaration) -> Option<Arc<dyn Object>> {
    match declared.primitive {
        Primitive::Semaphore => semaphore::object::<Semaphore<F>>(declared.argument),
        Primitive::Rwlock => rwlock::object::<RwLock<F>>(declared.argument),
        _ => None,
    }
}

macro_rules! locks {
    ($($name:ident: $($flag:ident),*;)*) => {
        $(
            struct $name;
            impl Flaw for $name {
                $(const $flag: bool = true;)*
            }
        )*
    };
}

locks! {
    Fair:;
    Barging: BARGES;
    Youngest: YOUNGEST_FIRST;
    Greedy: GREEDY;
    GrantsOneTooMany: GRANTS_ONE_TOO_MANY;
    TryOverdraws: TRY_OVERDRAWS;
    ReleaseKeeps: RELEASE_KEEPS;
    ReleaseWakesNone: RELEASE_WAKES_NONE;
    ReleaseServesOne: RELEASE_SERVES_ONE;
    CancelKeepsGrant: CANCEL_KEEPS_GRANT;
    CancelLetsNobodyGo: CANCEL_LETS_NOBODY_GO;
    CancelStaysQueued: CANCEL_STAYS_QUEUED;
    AddWakesNone: ADD_WAKES_NONE;
    CloseWakesNone: CLOSE_WAKES_NONE;
    CloseGrantsOn: CLOSE_GRANTS_ON;
    CountIsHigh: COUNT_IS_HIGH;
    CountIsLow: COUNT_IS_LOW;
    ForgetReturns: FORGET_RETURNS;
    DowngradeKeeps: DOWNGRADE_KEEPS;
    ReadsBesideAWriter: READS_BESIDE_A_WRITER;
}

fn run<F: Flaw>(script: &str) -> (Verdict, String) {
    let scenario = parse("planted/case".parse().expect("it is a name"), script).expect("it is a scenario");
    let outcome = drive_script(&Explorable::erased(make::<F>), &scenario).expect("it has an outcome");
    (outcome.verdict, outcome.text())
}

/// A script, what an honest lock of any policy comes to, and what the flawed one does.
fn check<F: Flaw>(script: &str, lawful: Verdict, guilty: Verdict, because: &str) {
    for (policy, (verdict, text)) in [
        ("fair", run::<Fair>(script)),
        ("barging", run::<Barging>(script)),
        ("youngest first", run::<Youngest>(script)),
        ("greedy", run::<Greedy>(script)),
    ] {
        assert_eq!(verdict, lawful, "an honest lock, {policy}, of this script:\n{text}");
    }
    let (verdict, text) = run::<F>(script);
    assert_eq!(verdict, guilty, "the planted lock of this script:\n{text}");
    assert!(text.contains(because), "the reason is not `{because}`:\n{text}");
}

const BIG_BEHIND_SMALL: &str = "semaphore s 2\n\nA acquire s\nB acquire s 2\nA release s\n";
const TWO_WAIT: &str = "semaphore s 1\n\nA acquire s\nB acquire s\nC acquire s\nA release s\n";
const CLOSED: &str = "semaphore s 1\n\nA acquire s\nB acquire s\nC close s\n";
const GRANTED_AND_CANCELLED: &str = "semaphore s 1\n\nA acquire s\nB acquire s\nA release s; cancel B\n";

#[rstest]
#[case::one_too_many(
    check::<GrantsOneTooMany>,
    "semaphore s 2\n\nA acquire s 2\nB acquire s 2\nC acquire s\nA release s\nB release s\n",
    Verdict::Violation,
    "B holds 2 of s and C holds 1 of s"
)]
#[case::try_overdraws(
    check::<TryOverdraws>,
    "semaphore s 1\n\nA acquire s\nB try-acquire s\n",
    Verdict::Violation,
    "A holds 1 of s and B holds 1 of s"
)]
#[case::release_keeps(check::<ReleaseKeeps>, "semaphore s 2\n\nA acquire s\nA release s\n", Verdict::Leaked, "nobody holds the other 2")]
#[case::release_wakes_none(check::<ReleaseWakesNone>, TWO_WAIT, Verdict::LostWakeup, "B waits for 1 of s, which is free")]
#[case::release_serves_one(
    check::<ReleaseServesOne>,
    "semaphore s 2\n\nA acquire s 2\nB acquire s\nC acquire s\nA release s\n",
    Verdict::LostWakeup,
    "C waits for 1 of s, which is free"
)]
#[case::cancel_keeps_grant(check::<CancelKeepsGrant>, GRANTED_AND_CANCELLED, Verdict::Leaked, "held by nobody, yet refused")]
#[case::cancel_lets_nobody_go(
    check::<CancelLetsNobodyGo>,
    "semaphore s 2\n\nA acquire s\nB acquire s 2\nC acquire s\ncancel B\n",
    Verdict::LostWakeup,
    "C waits for 1 of s, which is free"
)]
#[case::cancel_stays_queued(
    check::<CancelStaysQueued>,
    "semaphore s 1\n\nA acquire s\nB acquire s\ncancel B\nA release s\n",
    Verdict::Leaked,
    "held by nobody, yet refused"
)]
#[case::add_wakes_none(
    check::<AddWakesNone>,
    "semaphore s 0\n\nA acquire s\nB add s 1\n",
    Verdict::LostWakeup,
    "A waits for 1 of s, which is free"
)]
#[case::close_wakes_none(check::<CloseWakesNone>, CLOSED, Verdict::LostWakeup, "B waits for 1 of s, which is closed")]
#[case::close_grants_on(
    check::<CloseGrantsOn>,
    "semaphore s 1\n\nA close s\nB try-acquire s\n",
    Verdict::Violation,
    "s is closed, yet B acquires it"
)]
#[case::count_is_high(check::<CountIsHigh>, "semaphore s 2\n\nA available s\n", Verdict::Violation, "says 3, and it is 2")]
#[case::count_is_low(check::<CountIsLow>, "semaphore s 2\n\nA available s\n", Verdict::Leaked, "nobody holds the other 1")]
#[case::forget_returns(
    check::<ForgetReturns>,
    "semaphore s 1\n\nA acquire s\nA forget s\nB try-acquire s\n",
    Verdict::Violation,
    "A holds 1 of s and B holds 1 of s"
)]
#[case::reads_beside_a_writer(
    check::<ReadsBesideAWriter>,
    "rwlock l\n\nA write l\nB read l\n",
    Verdict::Violation,
    "A writes l and B reads l"
)]
#[case::downgrade_keeps(
    check::<DowngradeKeeps>,
    "rwlock l\n\nA write l\nB read l\nA downgrade l\n",
    Verdict::LostWakeup,
    "B waits to read l, which is free"
)]
#[case::cancelled_writer(
    check::<CancelLetsNobodyGo>,
    "rwlock l\n\nA read l\nB write l\nC read l\ncancel B\n",
    Verdict::LostWakeup,
    "C waits to read l, which is free"
)]
#[case::last_reader_wakes_no_writer(
    check::<ReleaseWakesNone>,
    "rwlock l\n\nA read l\nB write l\nA release l\n",
    Verdict::LostWakeup,
    "B waits to write l, which is free"
)]
#[case::one_reader_of_two(
    check::<ReleaseServesOne>,
    "rwlock l\n\nA write l\nB read l\nC read l\nA release l\n",
    Verdict::LostWakeup,
    "C waits to read l, which is free"
)]
#[case::reader_above_the_limit(
    check::<TryOverdraws>,
    "rwlock l readers 1\n\nA read l\nB try-read l\n",
    Verdict::Violation,
    "A reads l and B reads l"
)]
fn flaw_is_convicted_by_name_and_no_policy_is(
    #[case] check: fn(&str, Verdict, Verdict, &str),
    #[case] script: &str,
    #[case] guilty: Verdict,
    #[case] because: &str,
) {
    check(script, Verdict::Completed, guilty, because);
}

/// Waits that are lawful, or stuck, whatever the policy.
#[rstest]
#[case::one_permit_behind_five(
    "semaphore s 5\n\nA acquire s 3\nB acquire s 5\nC acquire s 3\n",
    Verdict::Completed,
    ""
)]
#[case::big_behind_small(BIG_BEHIND_SMALL, Verdict::Completed, "")]
#[case::nobody_has_signalled("semaphore s 0\n\nA acquire s\n", Verdict::Completed, "")]
#[case::closed_by_the_script(CLOSED, Verdict::Completed, "")]
#[case::acquire_after_a_close("semaphore s 1\n\nA close s\nB acquire s\n", Verdict::Refused, "")]
#[case::granted_and_cancelled(GRANTED_AND_CANCELLED, Verdict::Completed, "")]
#[case::own_permits(
    "semaphore s 2\n\nA acquire s 2\nA acquire s\n",
    Verdict::Deadlock,
    "A waits for 1 of s, which A holds 2 of"
)]
#[case::above_the_total(
    "semaphore s 2\n\nA acquire s 3\n",
    Verdict::Deadlock,
    "A waits for 3 of s, and there are 2 in all"
)]
#[case::forgotten(
    "semaphore s 1\n\nA acquire s\nA forget s\nB acquire s\n",
    Verdict::Abandoned,
    "whose guard A forgot"
)]
#[case::read_then_write("rwlock l\n\nA read l\nA write l\n", Verdict::Deadlock, "A waits to write l, which A reads")]
#[case::two_readers_write(
    "rwlock l\n\nA read l\nB read l\nA write l\nB write l\n",
    Verdict::Deadlock,
    "A waits to write l, which"
)]
fn waits_are_judged_alike_under_every_policy(#[case] script: &str, #[case] expected: Verdict, #[case] because: &str) {
    check::<Fair>(script, expected, expected, because);
}

/// A reader that reads again behind a queued writer waits for itself, unless the lock prefers readers.
#[test]
fn reader_behind_a_queued_writer_is_a_deadlock_of_fair_locks_only() {
    const SCRIPT: &str = "rwlock l\n\nA read l\nB write l\nA read l\n";
    let (verdict, text) = run::<Fair>(SCRIPT);
    assert_eq!(verdict, Verdict::Deadlock, "{text}");
    assert!(
        text.contains("A waits to read l, behind B, which waits to write l; B waits to write l, which A reads"),
        "{text}"
    );
    assert_eq!(run::<Barging>(SCRIPT).0, Verdict::Completed);
}
