//! Ctrl-C and the request to end, as real signals to the real program: what was found is told and kept, and what goes on
//! from there comes to the same as what was never interrupted.
#![cfg(target_os = "linux")]

#[path = "program/place.rs"]
mod place;
mod program;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use place::Place;
use program::{check, program, text};

/// The numbers of the signals.
const SIGINT: u32 = 2;

/// A program of which every search takes long.
const SCENARIO: &str =
    "mutex m\n\nA[1..5]: acquire m, release m, acquire m, release m\ncancel A1\nabort A2\nA3 repoll\n";

/// Returns the exploration of a place by one thread, so that it takes long.
fn serial(place: &Place, arguments: &[&str]) -> Command {
    place.explore(&[&["--jobs", "1"], arguments].concat())
}

/// The program, running.
struct Running(Child);

impl Running {
    fn new(mut command: Command) -> Self {
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(piped.spawn().expect("the program starts"))
    }

    fn signal(&self, names: &[&str]) {
        for name in names {
            let sent = Command::new("kill").args([&format!("-{name}"), &self.0.id().to_string()]).status();
            assert!(sent.expect("kill starts").success(), "it is gone before {name}");
        }
    }

    /// Waits until it does, and fails if it ends before.
    fn until(&mut self, mut does: impl FnMut(&Path) -> bool) {
        let process = PathBuf::from(format!("/proc/{}", self.0.id()));
        while !does(&process) {
            assert!(self.0.try_wait().expect("it can be asked").is_none(), "it ended too early");
            std::thread::yield_now();
        }
    }

    /// Waits until it notes signals.
    fn until_it_listens(&mut self) {
        self.until(|process| {
            let status = fs::read_to_string(process.join("status")).unwrap_or_default();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or_default();
            u64::from_str_radix(caught.trim(), 16).is_ok_and(|caught| caught & 1 << (SIGINT - 1) != 0)
        });
    }

    /// Waits until it has used so many ticks of a processor.
    fn until_it_has_worked(&mut self, ticks: u64) {
        self.until(|process| {
            let status = fs::read_to_string(process.join("stat")).unwrap_or_default();
            let fields = status.rsplit(')').next().unwrap_or_default();
            fields.split_whitespace().nth(11).and_then(|used| used.parse().ok()).is_some_and(|used: u64| used >= ticks)
        });
    }

    /// Waits until a file has so many lines.
    fn until_it_has_kept(&mut self, file: &Path, lines: usize) {
        self.until(|_| fs::read_to_string(file).is_ok_and(|text| text.lines().count() >= lines));
    }

    fn output(self) -> Output {
        self.0.wait_with_output().expect("it ends")
    }
}

/// Runs a command to its end and returns its standard output.
#[track_caller]
fn told(mut command: Command, code: i32) -> String {
    let output = command.output().expect("the program starts");
    assert_eq!(output.status.code(), Some(code), "{}", text(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
fn assert_interrupted(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}", text(output));
    assert!(String::from_utf8_lossy(&output.stderr).contains("interrupted"), "{}", text(output));
}

#[test]
fn an_exploration_that_was_interrupted_goes_on() {
    let place = Place::new(SCENARIO);
    let arguments = ["--budget", "400000", "--checkpoint", &place.text("checkpoint")];
    let whole = told(serial(&place, &["--budget", "400000"]), 0);
    for (signal, code, ticks) in [("INT", 130, 0), ("TERM", 143, 30), ("INT", 130, 20)] {
        let mut running = Running::new(serial(&place, &arguments));
        running.until_it_listens();
        running.until_it_has_worked(ticks);
        running.signal(&[signal]);
        let output = running.output();
        assert_interrupted(&output, code);
        assert!(text(&output).contains("cut at"), "what was found is not told:\n{}", text(&output));
        assert!(text(&output).contains("checkpoint; the same command goes on"), "{}", text(&output));
        assert!(place.path("checkpoint").is_file(), "nothing is kept");
    }
    assert_eq!(told(serial(&place, &arguments), 0), whole);
    assert!(!place.path("checkpoint").exists());
}

/// Nothing that was asked to be kept is needed: what was found is told.
#[test]
fn an_exploration_without_a_checkpoint_tells_what_it_found() {
    let place = Place::new(SCENARIO);
    let mut running = Running::new(serial(&place, &["--budget", "1h"]));
    running.until_it_listens();
    running.until_it_has_worked(20);
    running.signal(&["INT"]);
    let output = running.output();
    assert_interrupted(&output, 130);
    assert!(text(&output).contains("first schedule"), "{}", text(&output));
    assert!(text(&output).contains("--checkpoint FILE"), "{}", text(&output));
}

/// Both signals are there before it looks at either. One alone would be told.
#[test]
fn a_second_signal_ends_at_once() {
    let place = Place::new(SCENARIO);
    let mut running = Running::new(serial(&place, &["--budget", "1h", "--checkpoint", &place.text("checkpoint")]));
    running.until_it_listens();
    running.signal(&["STOP", "INT", "TERM", "CONT"]);
    let output = running.output();
    assert!(matches!(output.status.code(), Some(130 | 143)), "{}", text(&output));
    assert!(!text(&output).contains("interrupted"), "it took its time:\n{}", text(&output));
}

#[test]
fn a_fuzzing_run_that_was_interrupted_goes_on() {
    let place = Place::new(SCENARIO);
    let search = |file: &str| {
        let mut command = program(&["fuzz", "--backend", "tokio", "--backend", "async-lock", "--seed", "7"]);
        command.args(["--budget", "12", "--jobs", "1", "--out", &place.text(file)]);
        command
    };
    let whole = told(search("whole"), 0);
    let mut running = Running::new(search("cut"));
    running.until_it_listens();
    running.until_it_has_kept(&place.path("cut"), 3);
    running.signal(&["INT"]);
    let output = running.output();
    assert_interrupted(&output, 130);
    assert!(text(&output).contains("1. "), "what was found is not told:\n{}", text(&output));
    let kept = fs::read_to_string(place.path("cut")).expect("it is there");
    assert!(!kept.contains("\"end\""), "{kept}");
    assert_eq!(told(search("cut"), 0), whole);
    let read = |file: &str| fs::read_to_string(place.path(file)).expect("it is there");
    assert_eq!(read("cut"), read("whole"));
}

#[test]
fn a_kill_rate_that_was_interrupted_tells_what_it_has() {
    let mut running = Running::new(program(&["kill-rate", "--strategy", "random", "--budget", "1h"]));
    running.until_it_listens();
    running.until_it_has_worked(5);
    running.signal(&["INT"]);
    let output = running.output();
    assert_interrupted(&output, 130);
    assert!(text(&output).contains("| strategy |"), "{}", text(&output));
}

#[test]
fn a_stress_that_was_interrupted_tells_what_it_met() {
    let mut running = Running::new(program(&["stress", "--backend", "tokio", "--budget", "1h"]));
    running.until_it_listens();
    running.until_it_has_worked(10);
    running.signal(&["INT"]);
    let output = running.output();
    assert_interrupted(&output, 130);
    assert!(text(&output).contains("rounds: completed"), "{}", text(&output));
}

#[test]
fn a_run_that_was_interrupted_goes_on() {
    let place = Place::new(SCENARIO);
    let run = |resume: &str| {
        let mut command = program(&["run", "--backend", "tokio", "--backend", "smol", "--scenario", "fairness"]);
        command.args(["--scenario", "blocking", "--repeat", "30", "--resume", &place.text(resume)]);
        command
    };
    let whole = told(run("whole"), 0);
    let mut running = Running::new(run("cut"));
    running.until_it_listens();
    running.until_it_has_kept(&place.path("cut"), 3);
    running.signal(&["INT"]);
    let output = running.output();
    assert_interrupted(&output, 130);
    let kept = fs::read_to_string(place.path("cut")).expect("the journal is kept").lines().count();
    assert!(kept >= 3, "{kept}");
    assert!(text(&output).contains("cells; the cells are kept in"), "{}", text(&output));
    assert_eq!(told(run("cut"), 0), whole);
    assert!(!place.path("cut").exists(), "all is done");
}

/// A run that would take years, of a scenario in this process and of one in workers, ends between two repeats.
#[test]
fn repeats_that_were_interrupted_are_broken_off() {
    let mut command = program(&["run", "--backend", "tokio", "--repeat", &usize::MAX.to_string()]);
    command.args(["--scenario", "reentry/same-task", "--scenario", "reentry/by-blocking-inside"]);
    let mut running = Running::new(command);
    running.until_it_listens();
    running.until_it_has_worked(5);
    running.signal(&["INT"]);
    let output = running.output();
    assert_interrupted(&output, 130);
    assert!(text(&output).contains("as expected, as far as it came"), "{}", text(&output));
    assert!(text(&output).contains("the report has 0 of 2 cells"), "{}", text(&output));
}

#[test]
fn the_exit_codes_are_documented() {
    check(&["--help"], 0, &["130, 143", "interrupted by Ctrl-C or SIGTERM"]);
}
