//! The command line with every backend built in: exit codes, nearest names, formats, and the reviewed suite itself.

mod program;

use std::fs;

use program::{check, program, text};
use rstest::rstest;

/// A scenario on which the native backends differ in wording only, and that is quick.
const BY_TRY: &str = "reentry/by-try";
/// The folder of the scenarios that only the explorer can run.
const EXPLORED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../suites/explored");

#[rstest]
#[case::one_scenario(&["run", "--scenario", BY_TRY], 0, &["by-try", "4 of 4 executed", "as expected"])]
#[case::named_alone(&["run", BY_TRY, "fairness"], 0, &["by-try", "fairness", "as expected"])]
#[case::theme(&["run", "--scenario", "deadlock", "--backend", "tokio"], 0, &["deadlock", "as expected"])]
#[case::glob_of_backends(&["run", "--scenario", BY_TRY, "--backend", "smol*"], 0, &["smol+futures"])]
#[case::all_backends(&["run", "--scenario", BY_TRY, "--backend", "all"], 0, &["on 38 backends"])]
#[case::rule(&["run", "--rule", "REENTRY-4"], 0, &["reentry"])]
#[case::verdict(&["run", "--scenario", "reentry", "--verdict", "deadlock"], 0, &["same-task"])]
#[case::in_workers(&["run", "--scenario", BY_TRY, "--isolate"], 0, &["4 of 4 executed"])]
#[case::repeat(&["run", "--scenario", BY_TRY, "--repeat", "20"], 0, &["each 20 times", "0 varying"])]
#[case::unknown_backend(&["run", "--backend", "tokoi"], 2, &["did you mean `tokio`?"])]
#[case::unknown_pair(&["run", "--backend", "smol+tokoi"], 2, &["did you mean `smol+tokio`?"])]
#[case::unknown_backend_of_python(&["run", "--backend", "asyncioo"], 2, &["did you mean `asyncio`?"])]
#[case::unknown_locks_of_a_release(&["run", "--backend", "trio+anyoi@4.5.0"], 2, &["did you mean `anyio`?"])]
#[case::no_such_runtime_of_a_release(&["run", "--backend", "anyio@4.5.0"], 2, &["asyncio+anyio@VERSION"])]
#[case::certify_without_a_worker(&["run", "--certify"], 2, &["--worker"])]
#[case::unquoted_worker(&["run", "--worker", "sh -c 'x"], 2, &["is no command of a worker", "quote it"])]
#[case::watchdog_of_nothing(&["run", "--watchdog", "0"], 2, &["above 0"])]
#[case::schema(&["serve", "--schema"], 0, &["\"protocol\": 1", "not-implemented"])]
#[case::releases_are_listed(&["list", "--backends"], 0, &["trio+anyio@VERSION", "a release"])]
#[case::explored_scenario(&["run", "explored"], 2, &["`keyalike explore --scenario 'explored'`"])]
#[case::folder_of_explored_scenarios(&["run", EXPLORED], 2, &["an explored scenario has no script", "keyalike explore"])]
#[case::unknown_scenario(&["run", "--scenario", "reentry/by-tri"], 2, &["did you mean `reentry/by-try`?"])]
#[case::scenario_without_its_theme(&["show", "by-tri"], 2, &["did you mean `reentry/by-try`?"])]
#[case::misspelt_beside_a_built_one(&["run", BY_TRY, "--backend", "tokio", "--backend", "asyncoi"], 2, &["asyncoi"])]
#[case::unknown_rule(&["run", "--rule", "RENTRY-1"], 2, &["did you mean `REENTRY-1`?"])]
#[case::unknown_rule_to_explain(&["explain", "RENTRY-1"], 2, &["did you mean `REENTRY-1`?"])]
#[case::no_glob(&["run", "--scenario", "a[b"], 2, &["is not a glob"])]
#[case::nothing_left(&["run", "--scenario", BY_TRY, "--rule", "CANCEL-1"], 1, &["no cell was executed"])]
#[case::show(&["show", BY_TRY], 0, &["A try-acquire m", "a: async-std, smol"])]
#[case::columns(&["show", BY_TRY, "--columns"], 0, &["try-acquire m: refused"])]
#[case::explain_rule(&["explain", "reentry-4"], 0, &["REENTRY-4", "conforms"])]
#[case::explain_scenario(&["explain", BY_TRY], 0, &["REENTRY-1", "EXCLUSION-3", "verdict"])]
#[case::equal_backends(&["diff", "tokio", "tokio-current-thread", "--scenario", "reentry"], 0, &["0 differ in behaviour"])]
#[case::unequal_backends(&["diff", "tokio", "smol", "--scenario", BY_TRY], 1, &["~ in wording only"])]
#[case::unknown_side(&["diff", "tokio", "smoll"], 2, &["did you mean `smol`?"])]
#[case::backends(&["list", "--backends"], 0, &["smol+futures-owned", "native"])]
fn says_and_returns_what_is_documented(#[case] arguments: &[&str], #[case] code: i32, #[case] said: &[&str]) {
    check(arguments, code, said);
}

#[rstest]
#[case::table("table", "summary")]
#[case::json("json", "\"schema\": 1")]
#[case::junit("junit", "<testsuites name=\"keyalike\"")]
#[case::markdown("markdown", "### Keyalike: 1 scenario on 4 backends")]
#[case::github("github", "::notice title=keyalike::")]
fn every_format_goes_to_a_file_as_well(#[case] format: &str, #[case] said: &str) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("report");
    check(&["run", "--scenario", BY_TRY, "--format", format, "--out", &file.display().to_string()], 0, &[]);
    let report = fs::read_to_string(&file).expect("the report is there");
    assert!(report.contains(said), "{report}");
}

#[test]
fn a_saved_report_equals_the_run_that_it_was_saved_from() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("report.json").display().to_string();
    check(&["run", "--scenario", "deadlock", "--format", "json", "--out", &file], 0, &[]);
    check(&["diff", &file, &file], 0, &["0 differ in behaviour"]);
    check(&["diff", &file, "smol", "--scenario", "deadlock"], 0, &["0 differ in behaviour"]);
    check(&["diff", &file, "smol+futures", "--scenario", "deadlock"], 2, &["none is on both sides"]);
}

#[test]
fn a_file_outside_the_suites_is_run_and_shown_by_the_name_that_the_report_gives_it() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("it.scenario");
    fs::write(&file, "# Waits for itself.\nmutex m\nA acquire m\nA acquire m\n").expect("the file can be written");
    let file = file.display().to_string();
    let said = [&file, "unreviewed violation", "not accepted: deadlock", "0 changed, 0 missing"];
    check(&["run", &file], 1, &said);
    check(&["show", &file], 0, &["deadlock", "violates !"]);
    fs::write(&file, "mutex m\nA aquire m\n").expect("the file can be written");
    check(&["run", "--scenario", &file], 2, &["did you mean `acquire`?", ":2:3"]);
}

#[test]
fn ids_that_are_known_are_those_that_can_be_built() {
    let known: Vec<String> = backends::known().into_iter().map(|known| known.id).collect();
    let built: Vec<String> = backends::all().into_iter().map(|entry| entry.id).collect();
    assert_eq!(known, built);
}

#[cfg(target_os = "linux")]
#[test]
fn report_that_does_not_fit_on_the_disk_is_a_failure_of_its_own() {
    check(&["run", "--scenario", BY_TRY, "--out", "/dev/full"], 3, &["/dev/full: No space left"]);
}

#[test]
fn exit_code_stays_when_the_reader_goes_away() {
    use std::process::Stdio;
    let mut child = program(&["run", "--backend", "tokio"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert!(matches!(output.status.code(), Some(0 | 1)), "{:?}", output.status);
    assert_eq!(text(&output), "");
}

#[test]
fn serving_ends_when_stdin_does() {
    let output =
        program(&["serve", "--backend", "tokio"]).stdin(std::process::Stdio::null()).output().expect("it starts");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}
