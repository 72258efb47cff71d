//! Every way in which a worker is known to misbehave, with what becomes of it: an outcome of that cell, or a clear error.

#![cfg(unix)]

#[allow(dead_code, reason = "each test uses a part of it")]
mod program;

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use program::{program, text};
use rstest::rstest;
use tempfile::TempDir;

/// A worker that does `misbehave` when it is given the first of the two scenarios, and does well with every other.
const WORKER: &str = r#"
hello() {
    echo '{"hello": {"protocol": 1, "worker": {"name": "w", "version": "1"}, "backend": "sh", "runtime": {"name": "sh", "version": "1"}, "locks": {"name": "sh", "version": "1"}, "capabilities": [], "seats": ["spawned"]}}'
}
started() { echo "{\"started\": {\"job\": $job, \"run\": 0}}"; }
granted() { echo '{"event": {"at": {"step": 0}, "task": 0, "role": "result", "what": {"acquired": {"object": 0, "future": null, "wait": true}}}}'; }
outcome() { echo "{\"outcome\": {\"job\": $job, \"run\": 0, \"probe\": [\"refused\"], \"rest\": [\"free\"], \"fault\": null}}"; }
number() { job=$(printf '%s' "$order" | sed 's/.*"job":{"job":\([0-9]*\).*/\1/'); }
serve() {
    while read -r order; do
        case "$order" in *goodbye*) echo '{"goodbye": {}}'; exit 0;; esac
        number
        case "$order" in *t/one*) misbehave;; *) started; granted; outcome;; esac
    done
}
"#;

/// A worker, and two scenarios: the first meets its fault, the second must have its outcome all the same.
struct Bench(TempDir);

impl Bench {
    /// A worker that is `script`, behind the functions of [`WORKER`].
    fn of(script: &str) -> Self {
        let bench = Self(tempfile::tempdir().expect("a folder can be made"));
        bench.put("worker.sh", &format!("{WORKER}{script}"));
        fs::create_dir(bench.0.path().join("t")).expect("a folder can be made");
        bench.put("t/one.scenario", "# The first.\nmutex   m\n\nA acquire m\n");
        bench.put("t/two.scenario", "# The second.\nmutex   m\n\nA acquire m\n");
        bench
    }

    /// A worker that does what `misbehaviour` says when it is given the first scenario.
    fn with(misbehaviour: &str) -> Self {
        Self::of(&format!("misbehave() {{ {misbehaviour}; }}\nhello\nserve\n"))
    }

    fn put(&self, name: &str, contents: &str) {
        fs::write(self.0.path().join(name), contents).expect("it can be written");
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn worker(&self) -> String {
        format!("sh {}", self.path("worker.sh"))
    }

    /// Returns a run of both scenarios, not started.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program(&["run", "--scenario", &self.path("t"), "--worker", &self.worker()]);
        command.args(arguments);
        command
    }

    /// Runs both scenarios under a watchdog of a second, and returns the exit code and all that was said.
    fn run(&self) -> (Option<i32>, String) {
        let output = self.command(&["--watchdog", "1", "--format", "json"]).output().expect("the program starts");
        (output.status.code(), text(&output))
    }
}

/// How often an outcome of a cell says `completed`.
fn completed(text: &str) -> usize {
    text.matches("\"verdict\": \"completed\"").count()
}

/// What the worker does before its hello, or instead of it.
#[rstest]
#[case::ends_before_its_hello("exit 7", "ended with exit code 7")]
#[case::ends_with_words_on_stderr("echo 'no such library' >&2; exit 1", "no such library")]
#[case::hello_is_no_json("echo 'Hello!'; serve", "its first line is `Hello!`")]
#[case::hello_is_another_answer("echo '{\"goodbye\": {}}'; serve", "its first line is `{\"goodbye\": {}}`")]
#[case::hello_of_another_version("hello | sed 's/\"protocol\": 1/\"protocol\": 9/'; serve", "speaks version 9")]
#[case::hello_without_a_seat("hello | sed 's/\"spawned\"//'; serve", "names no seat")]
#[case::hello_with_a_misspelt_capability(
    "hello | sed 's/: \\[\\]/: [\"mutex:is-lokced\"]/'; serve",
    "unknown capability: `mutex:is-lokced` (did you mean `mutex:is-locked`?)"
)]
#[case::hello_never_comes("read -r order; serve", "said nothing for the watchdog's time")]
#[case::hello_is_endless("head -c 3000000 /dev/zero | tr '\\0' x; sleep 100", "with no end of a line")]
#[case::closes_stdout_at_once("exec 1>&-; sleep 100", "closed its stdout")]
fn a_worker_that_gives_no_hello_is_an_error(#[case] script: &str, #[case] said: &str) {
    let (code, text) = Bench::of(script).run();
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains(said), "it does not say `{said}`:\n{text}");
}

/// A column that does not start costs its own cells, and no other's.
#[rstest]
#[case::backend_that_cannot_be("echo 'Python 3.11.7 has no eager tasks' >&2; exit 3", &["has no eager tasks"])]
#[case::ends_before_its_hello("exit 7", &["ended with exit code 7"])]
#[case::hello_of_another_version("hello | sed 's/\"protocol\": 1/\"protocol\": 9/'; serve", &["speaks version 9"])]
#[case::misspelt_capability(
    "hello | sed 's/: \\[\\]/: [\"mutex:is-lokced\"]/'; serve",
    &["the worker w 1", "unknown capability: `mutex:is-lokced` (did you mean `mutex:is-locked`?)"]
)]
#[case::misspelt_capability_with_a_note(
    "hello | sed 's/: \\[\\]/: [\"cancle: by hand\"]/'; serve",
    &["unknown capability: `cancle` (did you mean `cancel`?)"]
)]
#[case::capability_like_no_other("hello | sed 's/: \\[\\]/: [\"zebra\"]/'; serve", &["unknown capability: `zebra`;"])]
fn a_column_that_does_not_start_costs_no_other(#[case] script: &str, #[case] said: &[&str]) {
    let (bench, fit) = (Bench::of(script), Bench::with("started; granted; outcome"));
    for format in ["json", "table"] {
        let mut run = fit.command(&["--format", format]);
        let output = run.args(["--worker", &bench.worker()]).output().expect("the program starts");
        let text = text(&output);
        assert_eq!(output.status.code(), Some(3), "{text}");
        assert!(format != "json" || completed(&text) == 2, "the other column has its outcomes:\n{text}");
        assert!(text.contains("unavailable"), "{text}");
        // Quotes of the message are escaped in JSON.
        said.iter().for_each(|said| assert!(text.contains(said), "it does not say `{said}`:\n{text}"));
    }
    let show = program(&["show", &fit.path("t"), "--worker", &fit.worker(), "--worker", &bench.worker()]);
    program::check_output(show, 3, &[&["A acquire m"][..], said].concat());
}

/// The tool that makes the worker of a release is missing: that is the column's own affair too.
#[test]
fn a_release_that_cannot_be_made_costs_no_other_column() {
    let fit = Bench::with("started; granted; outcome");
    let mut run = fit.command(&["--backend", "asyncio-eager", "--format", "json"]);
    let output = run.env("KEYALIKE_PYTHON", "/no/such/python").output().expect("the program starts");
    let text = text(&output);
    assert_eq!((output.status.code(), completed(&text)), (Some(3), 2), "{text}");
    assert!(text.contains("asyncio-eager: `/no/such/python` does not start"), "{text}");
}

/// A worker of a newer protocol may use words that this one cannot know.
#[test]
fn a_capability_of_a_newer_protocol_is_a_warning() {
    let newer = "hello | sed 's/\"protocol\": 1/\"protocol\": 1, \"minor\": 7/; s/: \\[\\]/: [\"zebra: striped\"]/'";
    let bench = Bench::of(&format!("misbehave() {{ started; granted; outcome; }}\n{newer}\nserve\n"));
    let (code, text) = bench.run();
    assert_eq!((code, completed(&text)), (Some(0), 2), "{text}");
    assert!(text.contains("warning: sh speaks a newer protocol; its capabilities `zebra` are not read"), "{text}");
}

/// What the worker does with the first scenario, and what becomes of that cell: an outcome (exit code 1, for nobody reviewed it)
/// or an error (exit code 3). The second cell is as ever.
#[rstest]
#[case::exits_in_the_middle("started; granted; exit 0", 1, "`A acquire m` ended the process: exit code 0")]
#[case::exits_with_a_code("started; exit 42", 1, "the first step ended the process: exit code 42")]
#[case::exits_before_it_starts("exit 3", 1, "the first step ended the process: exit code 3")]
#[case::is_killed_by_a_signal("started; granted; kill -SEGV $$", 1, "ended the process: signal 11")]
#[case::writes_half_a_line("started; printf '{\"event\": {'; exit 1", 1, "ended the process: exit code 1")]
#[case::is_silent("started; granted; sleep 100", 1, "\"verdict\": \"hung\"")]
#[case::spins("started; while :; do :; done", 1, "the first step never comes back")]
#[case::stops_reading_and_writing("read -r nothing", 1, "\"verdict\": \"hung\"")]
#[case::says_no_json("started; echo 'Traceback'", 3, "broke the protocol: `Traceback`")]
#[case::says_no_utf8("started; printf '\\377\\376\\n'", 3, "broke the protocol")]
#[case::says_an_unknown_answer("started; echo '{\"success\": {}}'", 3, "unknown variant `success`")]
#[case::names_an_unknown_task(
    "started; granted | sed 's/\"task\": 0/\"task\": 9/'",
    3,
    "it names task 9, and the script has 1"
)]
#[case::names_an_unknown_object("started; granted | sed 's/\"object\": 0/\"object\": 9/'", 3, "it names object 9")]
#[case::names_an_unknown_step("started; granted | sed 's/\"step\": 0/\"step\": 9/'", 3, "it names step 9")]
#[case::gives_no_trials(
    "started; granted; outcome | sed 's/\"refused\"//'",
    3,
    "it gives 0 trials where the script has 1 probes"
)]
#[case::answers_another_job("job=99; started; granted; outcome", 3, "this is run 0 of job")]
#[case::does_not_start("granted; outcome", 3, "it comes before `started`")]
#[case::starts_twice("started; started", 3, "the run has started already")]
#[case::says_hello_again("started; hello", 3, "it has said hello already")]
#[case::says_goodbye("started; echo '{\"goodbye\": {}}'", 3, "nobody has told it to go")]
#[case::writes_an_endless_line(
    "started; head -c 3000000 /dev/zero | tr '\\0' x; sleep 100",
    3,
    "with no end of a line"
)]
#[case::floods_its_stdout("started; exec yes '{\"begun\": \"probe\"}'", 3, "more than 1000000 things of one run")]
#[case::closes_its_stdout("started; exec 1>&-; sleep 100", 3, "it closed its stdout and lives on")]
#[case::says_an_error(
    "started; echo \"{\\\"error\\\": {\\\"job\\\": $job, \\\"message\\\": \\\"no room\\\"}}\"",
    3,
    "the worker says: no room"
)]
fn a_worker_that_misbehaves_is_the_outcome_or_the_error_of_one_cell(
    #[case] misbehaviour: &str,
    #[case] code: i32,
    #[case] said: &str,
) {
    let begun = Instant::now();
    let (ended, text) = Bench::with(misbehaviour).run();
    assert_eq!(ended, Some(code), "{text}");
    assert!(text.contains(said), "it does not say `{said}`:\n{text}");
    assert_eq!(completed(&text), 1, "the other cell has its outcome:\n{text}");
    // No stuck run: a bound far above anything that a busy machine makes of a watchdog of one second.
    assert!(begun.elapsed() < Duration::from_secs(300));
}

/// What looks like a fault and is none.
#[rstest]
#[case::does_not_read_on("started; granted; outcome; exec 0<&-; exit 0")]
#[case::floods_its_stderr("started; head -c 3000000 /dev/zero | tr '\\0' '\\n' >&2; granted; outcome")]
#[case::says_more_afterwards("started; granted; outcome; echo 'and another thing'")]
#[case::says_an_outcome_twice("started; granted; outcome; outcome")]
#[case::exits_after_its_outcome("started; granted; outcome; exit 9")]
fn a_worker_that_is_of_no_more_use_after_its_outcome_is_replaced(#[case] misbehaviour: &str) {
    let (code, text) = Bench::with(misbehaviour).run();
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(completed(&text), 2, "{text}");
}

/// A report that hid a cell of two outcomes because it has no outcome would call the run reproducible.
#[rstest]
#[case::divergent(&["--only-divergent"])]
#[case::verdict(&["--verdict", "deadlock"])]
fn what_varies_is_shown_whatever_is_asked_for(#[case] filter: &[&str]) {
    let bench = Bench::of(
        r#"
        again='s/"run": 0/"run": 1/'
        hello
        while read -r order; do
            number
            other=
            case "$order" in *goodbye*) exit 0;; *t/one*) other='s/free/refused/';; esac
            started; granted; outcome
            started | sed "$again"; granted; outcome | sed "$again;$other"
        done
        "#,
    );
    let output = bench.command(filter).args(["--repeat", "2"]).output().expect("the program starts");
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let rows = [said.contains("one.scenario  VARIES"), said.contains("two.scenario")];
    assert_eq!(rows, [true, false], "{said}");
}

/// A worker that dies between two jobs has done nothing to the next.
#[test]
fn a_worker_that_dies_between_two_jobs_spoils_neither() {
    let script = "hello\nread -r order; number; started; granted; outcome\nread -r order; exit 9\n";
    for _ in 0..5 {
        let bench = Bench::of(script);
        bench.put("t/six.scenario", "# The third.\nmutex   m\n\nA acquire m\n");
        let (code, text) = bench.run();
        assert_eq!(code, Some(0), "{text}");
    }
}

/// What it tells of one run is bounded, whatever it is.
#[test]
fn a_worker_that_tells_more_than_fits_is_an_error() {
    let much = "started; text=$(head -c 900000 /dev/zero | tr '\\0' x); while :; do echo \"{\\\"event\\\": {\\\"at\\\": {\\\"step\\\": 0}, \\\"task\\\": 0, \\\"role\\\": \\\"effect\\\", \\\"what\\\": {\\\"printed\\\": {\\\"object\\\": 0, \\\"text\\\": \\\"$text\\\"}}}}\"; done";
    let (code, text) = Bench::with(much).run();
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("bytes of one run"), "{text}");
}

#[test]
fn what_a_worker_lacks_is_unsupported_and_counted() {
    let lacks =
        "started; echo \"{\\\"not-implemented\\\": {\\\"job\\\": $job, \\\"step\\\": 0, \\\"why\\\": \\\"none\\\"}}\"";
    let (code, text) = Bench::with(lacks).run();
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("\"unsupported\": 1"), "{text}");
}

#[test]
fn a_worker_ends_with_a_keyalike_that_is_killed() {
    let bench = Bench::with("started; echo $$ > \"$0.pid\"; while :; do sleep 1000; done");
    // The worker is a child of what is started, as with `uv run` and its like.
    let worker = format!("sh -c '{}; true'", bench.worker());
    let run = program(&["run", "--worker", &worker, "--watchdog", "1000", "--scenario", &bench.path("t")]);
    kill_once_it_tells_its_pid(run, &bench.path("worker.sh.pid"));
}

/// Starts keyalike, kills it as soon as what it has started has told its own id in a file, and waits until that is gone too.
fn kill_once_it_tells_its_pid(command: Command, pid_file: &str) {
    let mut keyalike = start(command);
    let pid = wait_for(|| fs::read_to_string(pid_file).ok().filter(|text| text.ends_with('\n')));
    kill(&mut keyalike);
    let status = format!("/proc/{}/status", pid.trim());
    wait_for(|| {
        let state = fs::read_to_string(&status).unwrap_or_default();
        let is_gone = state.is_empty() || state.lines().any(|line| line.starts_with("State:") && line.contains('Z'));
        is_gone.then_some(())
    });
}

fn start(mut command: Command) -> Child {
    command.stdout(Stdio::null()).spawn().expect("the program starts")
}

fn kill(keyalike: &mut Child) {
    keyalike.kill().expect("it can be killed");
    keyalike.wait().expect("it ends");
}

#[test]
fn a_run_that_is_killed_goes_on_where_it_was() {
    // The second scenario hangs, so that the run can be killed when the first is done.
    let bench = Bench::of(
        "misbehave() { started; granted; outcome; }\nhello\nread -r order; number\ncase \"$order\" in *t/one*) misbehave;; esac\nsleep 1000\n",
    );
    let journal = bench.0.path().join("run.journal");
    let run = || bench.command(&["--watchdog", "1000", "--resume", &bench.path("run.journal")]);
    let mut keyalike = start(run());
    let lines = || fs::read_to_string(&journal).unwrap_or_default().lines().count();
    wait_for(|| (lines() == 2).then_some(()));
    kill(&mut keyalike);
    // From here on the first scenario would crash, so that a cell which ran again could not have its outcome.
    bench.put("worker.sh", &format!("{WORKER}misbehave() {{ exit 9; }}\nhello\nserve\n"));
    program::check_output(run(), 0, &["2 of 2 executed"]);
    assert!(!journal.exists(), "nobody needs the journal of a run that is complete");
}

/// A full disk cuts where it likes, also within a character.
#[test]
fn a_journal_that_was_cut_off_keeps_what_is_whole() {
    let bench = Bench::with("exit 9");
    let journal = bench.path("run.journal");
    for cut in [&b"{\"journal\""[..], b"{\"journal\":1,\"x\":\"\xe2\x82"] {
        fs::write(&journal, cut).expect("it can be written");
        program::check_output(bench.command(&["--resume", &journal]), 1, &[]);
    }
}

#[rstest]
#[case::something_else("hello\n", "it is no journal")]
#[case::another_build(
    "{\"journal\":1,\"program\":{\"version\":\"0\",\"bytes\":1,\"changed\":1},\"backends\":[],\"repeat\":1,\"isolated\":false}\n",
    "another build of keyalike"
)]
fn a_journal_of_another_run_is_refused(#[case] contents: &str, #[case] said: &str) {
    let bench = Bench::with("started; granted; outcome");
    bench.put("run.journal", contents);
    let run = bench.command(&["--resume", &bench.path("run.journal")]);
    program::check_output(run, 2, &[said, "remove it"]);
}

#[rstest]
#[case::another_watchdog(&["--watchdog", "7"], "another --repeat, --isolate or --watchdog")]
#[case::another_command(&["--worker", "sh worker.sh --faster"], "another --worker")]
fn a_journal_of_a_run_with_other_arguments_is_refused(#[case] other: &[&str], #[case] said: &str) {
    // The second scenario has no outcome, so that the journal stays.
    let bench = Bench::with("echo nonsense");
    let run = |watchdog: &str, worker: &str| {
        let mut command = program(&["run", "--scenario", "t", "--resume", "run.journal"]);
        command.args(["--watchdog", watchdog, "--worker", worker]).current_dir(bench.0.path());
        command
    };
    program::check_output(run("5", "sh worker.sh"), 3, &["nonsense"]);
    assert!(bench.0.path().join("run.journal").exists());
    let value = |name: &str, usual: &str| match other {
        [given, value] if *given == name => (*value).to_owned(),
        _ => usual.to_owned(),
    };
    let changed = run(&value("--watchdog", "5"), &value("--worker", "sh worker.sh"));
    program::check_output(changed, 2, &[said, "remove it"]);
    program::check_output(run("5", "sh worker.sh"), 3, &["nonsense"]);
}

/// A Python that never gets done with making an environment.
const SLOW_PYTHON: &str = "#!/bin/sh\ncase \"$*\" in *venv*) sh -c 'echo $$ > \"$0.pid\"; sleep 1000; true' \"$0\"; true;; *) echo fake;; esac\n";

#[test]
#[cfg(target_os = "linux")]
fn what_makes_a_worker_ends_with_a_keyalike_that_is_killed() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().expect("a folder can be made");
    let python = folder.path().join("python");
    fs::write(&python, SLOW_PYTHON).expect("it can be written");
    fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).expect("it can be changed");
    let mut run = program(&["run", "--backend", "asyncio"]);
    run.env("KEYALIKE_PYTHON", &python).env("CARGO_TARGET_DIR", folder.path().join("target"));
    kill_once_it_tells_its_pid(run, &folder.path().join("python.pid").display().to_string());
    // Nothing is left that could hold what the next run needs.
    let locks = fs::read_dir(folder.path().join("target/venvs")).expect("it was made").flatten();
    for lock in locks.filter(|entry| entry.path().extension().is_some_and(|it| it == "lock")) {
        wait_for(|| fs::File::open(lock.path()).ok()?.try_lock().ok());
    }
}

/// Waits for something that happens in another process.
fn wait_for<T>(mut happened: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = happened() {
            return value;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "it does not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}
