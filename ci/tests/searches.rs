//! `keyalike fuzz` and `keyalike merge` with every backend built in: the same findings however the search is split, cut
//! off or kept, and exports that stand alone.

mod program;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use program::{check, program, text};
use rstest::rstest;

/// A search that finds several differences and is quick.
const SEARCH: [&str; 7] = ["fuzz", "--backend", "tokio", "--backend", "async-lock", "--seed", "7"];

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder can be made")
}

/// Runs the search with further arguments, and returns its standard output.
#[track_caller]
fn search(arguments: &[&str], code: i32) -> String {
    let output = program(&SEARCH).args(arguments).output().expect("the program starts");
    assert_eq!(output.status.code(), Some(code), "{}", text(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

/// Runs the shards of a search and returns their files.
fn shards(folder: &Path, count: usize) -> Vec<String> {
    let run = |index: usize| {
        let file = path(&folder.join(format!("shard-{index}")));
        search(&["--budget", "9", "--shard", &format!("{index}/{count}"), "--out", &file], 0);
        file
    };
    (1..=count).map(run).collect()
}

#[test]
fn the_union_of_the_shards_is_the_whole() {
    let folder = folder();
    let whole = path(&folder.path().join("whole"));
    let told = search(&["--budget", "9", "--out", &whole], 0);
    assert!(told.contains("1. "), "nothing was found, so nothing was compared:\n{told}");
    let files = shards(folder.path(), 3);
    let joined = path(&folder.path().join("joined"));
    let output = program(&["merge", "--out", &joined]).args(&files).output().expect("the program starts");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout), told);
    assert_eq!(read(Path::new(&joined)), read(Path::new(&whole)));
}

#[test]
fn shards_that_make_no_whole_are_named() {
    let folder = folder();
    let files = shards(folder.path(), 3);
    let [one, two, three] = &files[..] else { panic!("there are three shards") };
    check(&["merge", one, three], 2, &["shard 2/3", "is missing"]);
    check(&["merge", one, two, three, two], 2, &["shard 2/3 is there twice"]);
    let foreign = path(&folder.path().join("foreign"));
    search(&["--budget", "8", "--shard", "3/3", "--out", &foreign], 0);
    check(&["merge", one, two, &foreign], 2, &["foreign", "another search"]);
    // A shard whose program belongs to another one.
    let bent = folder.path().join("bent");
    fs::write(&bent, read(Path::new(one)).replacen("\"number\":3", "\"number\":4", 1)).expect("a file can be written");
    check(&["merge", &path(&bent), two, three], 2, &["program 4 belongs to another"]);
    let cut = folder.path().join("cut");
    let lines: Vec<String> = read(Path::new(one)).lines().map(|line| line.to_owned() + "\n").collect();
    fs::write(&cut, lines[..lines.len() - 1].concat()).expect("a file can be written");
    check(&["merge", &path(&cut), two, three], 2, &["shard 1/3 did not come to its end"]);
}

#[rstest]
#[case::in_the_first_line(10)]
#[case::in_a_finding(900)]
#[case::before_the_end(100_000)]
fn a_search_that_was_cut_off_goes_on(#[case] bytes: usize) {
    let folder = folder();
    let whole = folder.path().join("whole");
    let told = search(&["--budget", "6", "--out", &path(&whole)], 0);
    let text = read(&whole);
    let cut = folder.path().join("cut");
    let end = bytes.min(text.len() - 4);
    fs::write(&cut, &text[..end]).expect("a file can be written");
    assert_eq!(search(&["--budget", "6", "--out", &path(&cut)], 0), told);
    assert_eq!(read(&cut), text);
}

#[test]
fn any_number_of_threads_finds_the_same() {
    assert_eq!(search(&["--budget", "8", "--jobs", "1"], 0), search(&["--budget", "8", "--jobs", "3"], 0));
}

/// The disk is full, the reader is gone, the process is killed: what was found is told, or in the file.
#[test]
fn nothing_found_is_lost() {
    let output = program(&SEARCH).args(["--budget", "6", "--out", "/dev/full"]).output().expect("the program starts");
    let said = text(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("No space left") && said.contains("1. "), "{said}");

    let mut reader_gone = program(&SEARCH);
    reader_gone.args(["--budget", "6"]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = reader_gone.spawn().expect("the program starts");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(0));

    let folder = folder();
    let file = folder.path().join("findings");
    let mut killed = program(&SEARCH);
    killed.args(["--budget", "1h", "--jobs", "1", "--out", &path(&file)]).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = killed.spawn().expect("the program starts");
    // It tells on stderr of what is in the file already.
    let mut heard = [0; 1];
    child.stderr.as_mut().expect("it is piped").read_exact(&mut heard).expect("it finds something");
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    assert!(read(&file).contains("\"finding"), "{}", read(&file));
}

#[rstest]
#[case::nearest(&["fuzz", "--backend", "tokoi"], "did you mean `tokio`?")]
#[case::same(&["fuzz", "--backend", "tokio", "--backend", "tokio"], "name each once")]
#[case::three(&["fuzz", "--backend", "tokio", "--backend", "futures", "--backend", "async-lock"], "twice to look for differences")]
#[case::several(&["fuzz", "--backend", "tokio*"], "name one")]
#[case::shard(&["fuzz", "--backend", "tokio", "--shard", "3/2"], "is no shard")]
#[case::budget(&["fuzz", "--backend", "tokio", "--budget", "0"], "a number of programs above 0")]
#[case::folder(&["fuzz", "--backend", "tokio", "--export", "rust"], "--out DIR")]
#[case::no_file(&["merge", "/nonexistent"], "/nonexistent")]
#[case::no_findings(&["merge", "Cargo.toml"], "no file of findings")]
fn wrong_usage_is_told(#[case] arguments: &[&str], #[case] said: &str) {
    check(arguments, 2, &[said]);
}

#[test]
fn scenarios_that_are_exported_are_valid_and_run() {
    let folder = folder();
    let suites = folder.path().join("suites");
    let out = suites.join("regressions");
    fs::create_dir_all(&out).expect("a folder can be made");
    search(&["--budget", "6", "--export", "scenario", "--out", &path(&out)], 0);
    let files: Vec<PathBuf> =
        fs::read_dir(&out).expect("it is there").filter_map(|entry| Some(entry.ok()?.path())).collect();
    let scenarios: Vec<String> = files
        .iter()
        .filter(|file| file.extension().is_some_and(|it| it == "scenario"))
        .map(|file| path(file))
        .collect();
    assert!(!scenarios.is_empty());
    check(&["lint", &path(&out)], 0, &["0 warnings", "0 with errors"]);
    check(&["fmt", "--check", &path(&out)], 0, &[]);
    for scenario in &scenarios {
        let lines = read(Path::new(scenario)).lines().filter(|line| !line.trim().is_empty()).count();
        assert!(lines <= 16, "{lines} lines:\n{}", read(Path::new(scenario)));
        check(&["show", scenario, "--backend", "tokio", "--backend", "tokio+async-lock"], 0, &["verdict"]);
    }
}

/// The program that shows a finding needs nothing of ours, and does what was found.
#[rstest]
#[case::tokio_and_async_lock("tokio", "async-lock")]
#[case::futures("futures", "tokio")]
#[case::owned("tokio-owned", "async-lock-arc")]
#[case::futures_owned("futures-owned", "async-lock")]
fn a_bare_program_shows_the_finding(#[case] one: &str, #[case] other: &str) {
    let folder = folder();
    let out = folder.path();
    let arguments =
        ["fuzz", "--backend", one, "--backend", other, "--budget", "3", "--export", "rust", "--out", &path(out)];
    check(&arguments, 0, &["wrote"]);
    let mut folders: Vec<PathBuf> = fs::read_dir(out)
        .expect("it is there")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|it| it.is_dir())
        .collect();
    folders.sort();
    for id in [one, other] {
        let of_library = |folder: &&PathBuf| {
            folder.file_name().is_some_and(|name| name.to_string_lossy().ends_with(&format!("-{id}")))
        };
        let project = folders.iter().find(|folder| {
            of_library(folder) && {
                // The ids of some libraries end like others.
                read(&folder.join("Cargo.toml")).contains("default-features")
            }
        });
        let project = project.unwrap_or_else(|| panic!("no program for {id} in {folders:?}"));
        assert!(!read(&project.join("src/main.rs")).contains("keyalike"));
        // The same releases, and nothing from the network.
        fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock"), project.join("Cargo.lock"))
            .expect("the lock file");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(project).args(["run", "--offline", "--quiet"]);
        cargo.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("bare"));
        let output = cargo.output().expect("cargo starts");
        assert!(output.status.success(), "{id}:\n{}\n{}", text(&output), read(&project.join("src/main.rs")));
        assert!(text(&output).contains("as found"), "{}", text(&output));
    }
}
