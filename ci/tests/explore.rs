//! `keyalike explore`, `merge` and `stress` with every backend built in: shards, what is kept of a search that was cut off,
//! twists, and threads.

#[path = "program/place.rs"]
mod place;
mod program;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use place::Place;
use program::{check, check_output, program, text};
use rstest::rstest;

/// A search that has several outcomes, takes several rounds, and comes to its end.
const SCENARIO: &str =
    "mutex m\n\nA[1..3]: acquire m, release m, acquire m, release m\ncancel A1\nabort A2\nA3 repoll\n";

impl Place {
    /// Runs the exploration, and returns its standard output.
    #[track_caller]
    fn told(&self, arguments: &[&str]) -> String {
        let output = self.explore(arguments).output().expect("the program starts");
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs the shards of an exploration and returns their files.
    fn shards(&self, count: usize, arguments: &[&str]) -> Vec<String> {
        let run = |index: usize| {
            let file = self.text(&format!("shard-{index}"));
            let shard = format!("{index}/{count}");
            self.told(&[arguments, &["--shard", &shard, "--out", &file]].concat());
            file
        };
        (1..=count).map(run).collect()
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[rstest]
#[case::exhaustive(&["--budget", "2000000"])]
#[case::random(&["--strategy", "random", "--budget", "30000"])]
#[case::pct(&["--strategy", "pct", "--budget", "30000", "--seed", "3"])]
fn the_union_of_the_shards_is_the_whole(#[case] arguments: &[&str]) {
    let place = Place::new(SCENARIO);
    let whole = place.text("whole");
    let told = place.told(&[arguments, &["--out", &whole]].concat());
    let files = place.shards(3, arguments);
    let joined = place.text("joined");
    let output = program(&["merge", "--out", &joined]).args(&files).output().expect("the program starts");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout), told);
    assert_eq!(read(Path::new(&joined)), read(Path::new(&whole)));
}

#[test]
fn shards_that_make_no_whole_are_named() {
    let place = Place::new(SCENARIO);
    let arguments = ["--strategy", "random", "--budget", "9000"];
    let files = place.shards(3, &arguments);
    let [one, two, three] = &files[..] else { panic!("there are three shards") };
    check(&["merge", one, three], 2, &["shard 2/3", "is missing"]);
    check(&["merge", one, two, three, two], 2, &["shard 2/3 is there twice"]);
    let foreign = place.text("foreign");
    place.told(&[&arguments[..], &["--seed", "9", "--shard", "3/3", "--out", &foreign]].concat());
    check(&["merge", one, two, &foreign], 2, &["foreign", "another search"]);
    let of_four = place.text("of-four");
    place.told(&[&arguments[..], &["--shard", "3/4", "--out", &of_four]].concat());
    check(&["merge", one, two, &of_four], 2, &["of-four", "shard 3/4"]);
    // A shard that was cut off, and one that lacks a search.
    let lines: Vec<String> = read(Path::new(one)).lines().map(|line| line.to_owned() + "\n").collect();
    let cut = place.path("cut");
    fs::write(&cut, lines[..2].concat()).expect("a file can be written");
    check(&["merge", &place.text("cut"), two, three], 2, &["cut", "shard 1/3 did not come to its end"]);
    let end = lines[3].replace('2', "1");
    fs::write(&cut, [lines[0].as_str(), &lines[1], &end].concat()).expect("a file can be written");
    check(&["merge", &place.text("cut"), two, three], 2, &["cut", "lacks the search of"]);
    // A shard of a fuzzing run.
    let fuzz = place.text("fuzz");
    check(&["fuzz", "--backend", "tokio", "--budget", "1", "--shard", "1/3", "--out", &fuzz], 0, &[]);
    check(&["merge", &fuzz, two, three], 2, &["fuzz", "is of `fuzz`", "of `explore`"]);
}

#[rstest]
#[case::portfolio(&["--strategy", "portfolio", "--shard", "1/2"], "the portfolio has no shards")]
#[case::shard(&["--shard", "0/2"], "is no shard")]
#[case::budget(&["--budget", "none"], "is no budget")]
#[case::backend(&["--backend", "tokoi"], "tokoi")]
#[case::folder(&["--out", "/nonexistent/file"], "/nonexistent/file")]
#[case::checkpoint_folder(&["--checkpoint", "/nonexistent/file"], "--checkpoint")]
#[case::checkpoint_device(&["--checkpoint", "/dev/full"], "it is no file")]
fn wrong_usage_is_told(#[case] arguments: &[&str], #[case] said: &str) {
    check_output(Place::new(SCENARIO).explore(arguments), 2, &[said]);
}

/// A file of results goes on where it was, wherever it was cut off.
#[rstest]
#[case::in_the_first_line(10)]
#[case::in_a_result(9_000)]
#[case::before_the_end(10_000_000)]
fn results_that_were_cut_off_go_on(#[case] bytes: usize) {
    let place = Place::new(SCENARIO);
    let arguments = ["--strategy", "uniform", "--budget", "9000"];
    let told = place.told(&[&arguments[..], &["--out", &place.text("whole")]].concat());
    let whole = read(&place.path("whole"));
    let end = bytes.min(whole.len() - 4);
    fs::write(place.path("cut"), &whole[..end]).expect("a file can be written");
    assert_eq!(place.told(&[&arguments[..], &["--out", &place.text("cut")]].concat()), told);
    assert_eq!(read(&place.path("cut")), whole);
}

/// A checkpoint is made by a search that nobody could read.
fn checkpoint(place: &Place) -> PathBuf {
    let file = place.path("checkpoint");
    let mut command = place.explore(&["--budget", "20000", "--checkpoint", &place.text("checkpoint")]);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("it can be written");
    let output = command.stdout(full).stderr(Stdio::piped()).output().expect("the program starts");
    let said = text(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("No space left"), "{said}");
    assert!(file.is_file(), "what nobody could read is lost");
    file
}

/// stdout is full, or its reader gone: the same command tells what was found.
#[test]
fn a_report_that_nobody_read_is_kept_in_the_checkpoint() {
    let place = Place::new(SCENARIO);
    let arguments = ["--budget", "20000", "--checkpoint", &place.text("checkpoint")];
    let told = place.told(&["--budget", "20000"]);
    checkpoint(&place);
    assert_eq!(place.told(&arguments), told);
    assert!(!place.path("checkpoint").exists(), "all is told");

    let mut child = place.explore(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("nobody read the report"), "{}", text(&output));
    assert_eq!(place.told(&arguments), told);
}

/// A checkpoint that is not what was written is refused, and left as it is.
#[rstest]
#[case::half(|bytes: &mut Vec<u8>| bytes.truncate(bytes.len() / 2))]
#[case::without_its_end(|bytes: &mut Vec<u8>| bytes.truncate(bytes.len() - 1))]
#[case::only_the_first_line(|bytes: &mut Vec<u8>| bytes.truncate(60))]
#[case::another_digit(|bytes: &mut Vec<u8>| {
    let place = bytes.len() / 2 + bytes[bytes.len() / 2..].iter().position(u8::is_ascii_digit).expect("a digit");
    bytes[place] = if bytes[place] == b'1' { b'2' } else { b'1' };
})]
#[case::something_else(|bytes: &mut Vec<u8>| *bytes = b"mutex m\n\nA: acquire m\n".to_vec())]
fn a_corrupt_checkpoint_is_refused(#[case] corrupt: fn(&mut Vec<u8>)) {
    let place = Place::new(SCENARIO);
    let file = checkpoint(&place);
    let mut bytes = fs::read(&file).expect("it is there");
    corrupt(&mut bytes);
    fs::write(&file, &bytes).expect("it can be written");
    let name = place.text("checkpoint");
    check_output(place.explore(&["--checkpoint", &name]), 2, &[&name, "remove it to begin anew", "--checkpoint"]);
    assert_eq!(fs::read(&file).expect("it is there"), bytes);
}

/// An empty file is a checkpoint in which nothing is yet; one of another search is refused.
#[test]
fn a_checkpoint_belongs_to_its_search() {
    let place = Place::new(SCENARIO);
    fs::write(place.path("checkpoint"), "").expect("a file can be written");
    place.told(&["--budget", "20000", "--checkpoint", &place.text("checkpoint")]);
    checkpoint(&place);
    let other = ["--seed", "8", "--budget", "20000", "--checkpoint", &place.text("checkpoint")];
    check_output(place.explore(&other), 2, &["the saved search is of", "from seed 0, not of", "from seed 8"]);
    let shard = ["--shard", "1/2", "--budget", "20000", "--checkpoint", &place.text("checkpoint")];
    check_output(place.explore(&shard), 2, &["not of", "shard 1/2"]);
}

/// The disk is full: the search goes on and is told, and the checkpoint that was there before is as it was.
#[cfg(unix)]
#[test]
fn a_checkpoint_that_cannot_be_written_leaves_the_one_before() {
    let place = Place::new(SCENARIO);
    let file = checkpoint(&place);
    let before = fs::read(&file).expect("it is there");
    let told = place.told(&["--budget", "20000"]);
    // A limit on the size of files, in blocks of 512 or 1,024 bytes, which the first checkpoint may still be above.
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -f 8; exec \"$0\" \"$@\""]);
    let command = place.explore(&["--budget", "20000", "--checkpoint", &place.text("checkpoint")]);
    limited.arg(command.get_program()).args(command.get_args()).env("KEYALIKE_BOOTSTRAPPED", "1");
    let output = limited.output().expect("a shell starts");
    let said = text(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), told, "what was found is told");
    let stderr = String::from_utf8_lossy(&output.stderr);
    for part in [&place.text("checkpoint"), "File too large", "the search goes on", "free some space"] {
        assert!(stderr.contains(part), "{part}:\n{stderr}");
    }
    assert!(fs::read(&file).expect("it is there") == before, "the checkpoint before is lost");
    assert!(!place.path("checkpoint.partial").exists(), "what is left lies on the full disk");
    assert_eq!(place.told(&["--budget", "20000", "--checkpoint", &place.text("checkpoint")]), told);
}

/// The three-task scenario of the suites, whose outcomes are few.
const FEW: [&str; 4] = ["explore", "--scenario", "explored/three-tasks", "--backend"];

#[test]
fn twists_run_on_a_runtime_and_are_judged() {
    let twists = ["--acting-wakers", "--spent-budget"];
    let of = |locks: &'static str| [&FEW[..], &[locks], &twists].concat();
    let fine = ["15 scripts on tokio", "a waker that panics: 3 completed", "whose budget is spent: 3 completed"];
    check(&of("tokio"), 0, &fine);
    // It wakes under its own lock, and a waker that panics takes a wake-up with it: suites/ledger.toml has both.
    check(
        &of("async-lock"),
        1,
        &["hung, by a waker that polls its task at once", "lost-wakeup !, by a waker that panics"],
    );
    check(&[&of("tokio")[..], &["--shard", "1/2"]].concat(), 2, &["cannot be used with"]);
}

#[test]
fn threads_are_stressed() {
    let place = Place::new(SCENARIO);
    fs::write(place.path("own.scenario"), "mutex m\n\nA[1..3]: acquire m, release m\n").expect("a file can be written");
    let own = place.text("own.scenario");
    let tokio = ["stress", "--backend", "tokio", "--budget", "520"];
    check(&tokio, 0, &["A: acquire m, release m", "20 rounds by 2 threads with affinity none"]);
    let spread = [&tokio[..], &["--program", &own, "--affinity", "spread", "--threads", "7"]].concat();
    check(&spread, 0, &["rounds by 6 threads with affinity spread", "rounds: completed"]);
    check(&[&tokio[..], &["--program", "explored/two-locks"]].concat(), 0, &["explored/two-locks  tokio"]);
}

#[rstest]
#[case::few_threads(&["--threads", "1"], "has 2 tasks", "1 threads are too few")]
#[case::program(&["--program", "explored/thre-tasks"], "did you mean `explored/three-tasks`?", "program")]
#[case::affinity(&["--affinity", "far"], "there is no affinity `far`", "none, spread, same")]
#[case::budget(&["--budget", "much"], "is no budget", "rounds above 0")]
#[case::backend(&["--backend", "tokoi"], "tokoi", "backend to explore")]
#[case::deed(&["--program", "FORGETS"], "A does `forget m`, which is not stressed", "waits for ever")]
fn wrong_usage_of_stress_is_told(#[case] arguments: &[&str], #[case] said: &str, #[case] more: &str) {
    let place = Place::new(SCENARIO);
    fs::write(place.path("own.scenario"), "mutex m\n\nA: acquire m, forget m\n").expect("a file can be written");
    let own = place.text("own.scenario");
    let mut command = program(&["stress"]);
    command.args(arguments.iter().map(|argument| if *argument == "FORGETS" { own.as_str() } else { argument }));
    if !arguments.contains(&"--backend") {
        command.args(["--backend", "tokio"]);
    }
    check_output(command, 2, &[said, more]);
}

/// Whatever a command runs when nothing is named is as expected; only budgets are made smaller here.
#[rstest]
#[case::run(&["run"], "as expected")]
#[case::explore(&["explore"], "explored/kept-future  strict-tokio")]
#[case::stress(&["stress", "--budget", "200"], "tokio")]
#[case::kill_rate(&["kill-rate", "--strategy", "portfolio", "--budget", "20000"], "none")]
#[case::list(&["list"], "explored/kept-future")]
#[case::lint(&["lint"], "0 warnings")]
#[case::fmt(&["fmt", "--check"], "0 of")]
fn a_command_without_names_is_as_expected(#[case] arguments: &[&str], #[case] said: &str) {
    check(arguments, 0, &[said]);
}

/// How often a run was too slow to count depends on the machine, so nothing of it stands in a report.
#[test]
fn two_searches_under_a_time_limit_print_and_keep_the_same() {
    let place = Place::new(SCENARIO);
    let explore = |file: &str| {
        let arguments = ["explore", "--scenario", "explored/query-and-panic", "--out", file];
        let output = program(&arguments).output().expect("the program starts");
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        (String::from_utf8_lossy(&output.stdout).into_owned(), read(Path::new(file)))
    };
    let first = explore(&place.text("first"));
    for number in 0..4 {
        assert_eq!(explore(&place.text(&format!("again-{number}"))), first);
    }
}

/// A script that no driver runs is bad input, with its place and what to do.
#[test]
fn a_line_while_a_thread_waits_is_bad_input() {
    let place = Place::new("mutex m\n\nB acquire m\nA acquire m blocking\nB is-locked m; B release m\n");
    let file = place.text("program.scenario");
    let said = ["scenario:5:1", "a thread may wait in a blocking acquire", "give each step a line of its own"];
    check(&["run", &file, "--backend", "tokio"], 2, &said);
    check(&["lint", &file], 1, &said);
}
