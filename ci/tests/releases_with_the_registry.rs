//! Releases of lock libraries, as the registries have them: versions that mean nothing, and histories that are known.
//!
//! Needs the registries that cargo and pip are configured for, and builds workers, so it runs with the feature
//! `with-registry` only.

mod program;

use program::check;
use rstest::rstest;

#[rstest]
#[case::unknown_version(&["versions", "tokio", "1.53.99", "newest"], 2, &["no published release 1.53.99", "1.53."])]
#[case::no_version(&["versions", "tokio", "1.53.1", "latest"], 2, &["`latest` is no version of tokio", "`newest`"])]
#[case::empty_range(&["versions", "tokio@>=99"], 2, &["is in `>=99`", "the newest is"])]
#[case::one_release(&["versions", "tokio", "1.53.1"], 2, &["tokio 1.53.1 has no neighbour"])]
#[case::pair_of_another(&["versions", "tokio", "1.53.1", "1.54.1", "--backend", "trio"], 2, &["`smol+tokio`"])]
#[case::equal_ends(&["bisect", "tokio", "reentry/by-try", "--good", "1.53.1", "--bad", "1.53.1"], 2, &["are both 1.53.1"])]
#[case::several_at_an_end(&["bisect", "tokio", "reentry/by-try", "--good", ">=1.53", "--bad", "1.53.1"], 2, &["name one release"])]
#[case::several_scenarios(&["bisect", "tokio", "reentry", "--good", "1.53.1", "--bad", "1.54.1"], 2, &["one at a time"])]
fn version_that_means_nothing_is_told_with_what_is_near(
    #[case] arguments: &[&str],
    #[case] code: i32,
    #[case] said: &[&str],
) {
    check(arguments, code, said);
}

/// A dropped wait kept its place for ever in 0.2.3 (tokio-rs/tokio#1898).
#[test]
fn tokio_0_2_4_repaired_the_wait_that_is_given_up() {
    let only_waiter = "cancellation/only-waiter";
    let fixed = &["fixed (1)", "cancellation/only-waiter  lost-wakeup -> completed  CANCEL-2 MUST"];
    check(&["versions", "tokio", "0.2.3", "0.2.4", "--scenario", only_waiter], 0, fixed);
    let found = &["smol+tokio@0.2.4 is the first release that does right: lost-wakeup -> completed"];
    check(&["bisect", "tokio", only_waiter, "--good", "0.2.6", "--bad", "0.2.0"], 0, found);
}

/// A waiter without budget was overtaken (tokio-rs/tokio#8365).
#[test]
fn tokio_1_54_keeps_the_place_of_a_waiter_without_budget() {
    let said = &["changed (1)", "+ B release m            released; A acquired"];
    let arguments = ["versions", "tokio", "1.53.1", "1.54.1", "--transcripts"];
    check(&[&arguments[..], &["--scenario", "fairness/budget-spent-keeps-the-place"]].concat(), 0, said);
}

/// async-std's own mutex let a waiter starve; the next release took async-mutex in its place (async-rs/async-std#822).
#[test]
fn async_std_1_6_3_ends_the_starving_of_a_waiter() {
    let starved = "fairness/starved-beyond-half-a-millisecond";
    let said = &["fixed (1)", "starved -> completed", "smol+async-std@1.6.2 -> smol+async-std@1.6.3"];
    check(&["versions", "async-std", "1.6.2", "1.6.3", "--scenario", starved], 0, said);
}

#[test]
fn dependency_of_a_lock_library_is_run_under_it() {
    let arguments = ["versions", "event-listener", "5.3.0", "5.4.0", "--scenario", "reentry/by-try"];
    check(&arguments, 0, &["smol+event-listener@5.3.0 -> smol+event-listener@5.4.0", "changed (0)"]);
}

/// A release may be left out because it says that it cannot be. A worker that fails otherwise is a failure of the harness.
#[rstest]
#[case::it_cannot_be(3, &["left out", "they do not go together"])]
#[case::it_fails(1, &["error: the worker", "gave no hello"])]
fn release_is_left_out_only_if_it_cannot_be(#[case] code: i32, #[case] said: &[&str]) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let sabotage = format!(
        "import os, sys\nif 'keyalike_worker' in sys.orig_argv:\n    os.write(2, b'they do not go together')\n    os._exit({code})\n"
    );
    std::fs::write(folder.path().join("sitecustomize.py"), sabotage).expect("it can be written");
    let mut command = program::program(&["versions", "anyio", "4.5.0", "4.6.1", "--scenario", "reentry/same-task"]);
    command.env("PYTHONPATH", folder.path());
    program::check_output(command, 3, said);
}

/// Scripts that nobody wrote, found with planted locks, convict a release that was found faulty in its time.
#[test]
fn scripts_that_nobody_wrote_convict_tokio_0_2_3() {
    let arguments = ["kill-rate", "--strategy", "uniform", "--budget", "3000", "--release"];
    let both = [&arguments[..], &["smol+tokio@0.2.3", "--release", "tokio"]].concat();
    check(&both, 0, &["| `tokio` | 0 | none | - |", "leaked", "m is held by nobody, yet refused"]);
}
