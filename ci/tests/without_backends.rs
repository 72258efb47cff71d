//! The command line where no backend is needed: exit codes, nearest names, formatter and linter.

mod program;

use std::fs;
use std::path::Path;

use program::{check, program, text};
use rstest::rstest;
use tempfile::TempDir;

#[rstest]
#[case::no_command(&[], 2, &["Usage: keyalike <COMMAND>"])]
#[case::help(&["--help"], 0, &["Exit codes:"])]
#[case::unknown_command(&["lsit"], 2, &["list"])]
#[case::unknown_format(&["run", "--format", "jsn"], 2, &["json"])]
#[case::unknown_verdict(&["run", "--verdict", "deadlok"], 2, &["deadlock"])]
#[case::unknown_feature(&["list", "--features", "backend-tokoi"], 2, &["did you mean `backend-tokio`?"])]
#[case::repeat_of_nothing(&["run", "--repeat", "0"], 2, &["--repeat"])]
#[case::unknown_package(&["versions", "tokoi", "1.0.0", "newest"], 2, &["did you mean `tokio`?"])]
#[case::unknown_package_to_bisect(&["bisect", "anyoi", "x/y", "--good", "1", "--bad", "2"], 2, &["did you mean `anyio`?"])]
#[case::scenario_of_no_release(&["versions", "tokio", "newest", "--scenario", "reentry/by-tri"], 2, &["by-try"])]
#[case::release_of_nothing(&["migrate", "tokoi@1.40.0", "tokio@1.40.0"], 2, &["did you mean `tokio`?"])]
#[case::runtime_of_a_release(&["migrate", "async-std@1.6.2", "asyncio"], 2, &["`smol+async-std@VERSION`"])]
#[case::features(&["list", "--features"], 0, &["backend-tokio", "backend-all"])]
#[case::one_feature(&["list", "--features", "backend-smol"], 0, &["backend-smol"])]
#[case::rules(&["list", "--rules"], 0, &["REENTRY-1"])]
#[case::scenarios(&["list"], 0, &["reentry/same-task"])]
#[case::suites_that_are_not_there(&["list", "--suites", "nowhere"], 2, &["nowhere", "--suites"])]
#[case::canonical_suites(&["fmt", "--check"], 0, &["0 of"])]
#[case::file_that_is_not_there(&["lint", "nowhere.scenario"], 2, &["nowhere.scenario"])]
fn says_and_returns_what_is_documented(#[case] arguments: &[&str], #[case] code: i32, #[case] said: &[&str]) {
    check(arguments, code, said);
}

#[cfg(not(any(feature = "backend-tokio", feature = "backend-async-std", feature = "backend-smol")))]
#[rstest]
#[case::run(&["run"])]
#[case::show(&["show", "reentry/same-task"])]
#[case::backends(&["list", "--backends"])]
fn what_needs_a_backend_names_the_features_where_none_is_built(#[case] arguments: &[&str]) {
    check(arguments, 2, &["no backend is built in", "--features backend-all", "backend-tokio"]);
}

const GOOD: &str = "# A waiter waits.\nmutex   m\n\nA acquire m\nB acquire m\n";
const UGLY: &str = "# A waiter waits.\nmutex m\nA   acquire m\nB acquire m\n";
const NO_DESCRIPTION: &str = "mutex   m\n\nA acquire m\n";
const BROKEN: &str = "mutex m\nA aquire m\n";

#[rstest]
#[case::canonical_form("fmt", &["--check"], GOOD, 0, "0 of 1 file")]
#[case::other_form("fmt", &["--check"], UGLY, 1, "it.scenario")]
#[case::other_form_is_changed("fmt", &[], UGLY, 0, "1 of 1 file formatted")]
#[case::no_scenario_to_format("fmt", &[], BROKEN, 2, "did you mean `acquire`?")]
#[case::nothing_to_warn_of("lint", &[], GOOD, 0, "0 warnings")]
#[case::warning("lint", &[], NO_DESCRIPTION, 1, "no description")]
#[case::no_scenario_to_lint("lint", &[], BROKEN, 2, "it.scenario:2:3")]
fn files_outside_the_suites_are_formatted_and_linted(
    #[case] command: &str,
    #[case] options: &[&str],
    #[case] contents: &str,
    #[case] code: i32,
    #[case] said: &str,
) {
    let folder = folder_with(contents);
    let file = folder.path().join("it.scenario").display().to_string();
    let arguments: Vec<&str> = [&[command], options, &[file.as_str()]].concat();
    check(&arguments, code, &[said]);
}

#[test]
fn formatter_writes_canonical_form() {
    let folder = folder_with(UGLY);
    check(&["fmt", &folder.path().display().to_string()], 0, &[]);
    assert_eq!(fs::read_to_string(folder.path().join("it.scenario")).expect("the file is there"), GOOD);
}

#[test]
fn reader_that_goes_away_is_no_failure() {
    use std::process::Stdio;
    let mut child =
        program(&["list", "--generated"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), text(&output)), (Some(0), String::new()));
}

#[cfg(target_os = "linux")]
#[test]
fn full_disk_is_said_and_is_a_failure_of_its_own() {
    let full = fs::File::create("/dev/full").expect("linux has it");
    let output = program(&["list"]).stdout(full).output().expect("it starts");
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output).contains("stdout: No space left"), "{}", text(&output));
}

fn folder_with(contents: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder can be made");
    write(folder.path(), contents);
    folder
}

fn write(folder: &Path, contents: &str) {
    fs::write(folder.join("it.scenario"), contents).expect("the file can be written");
}
