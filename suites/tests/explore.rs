//! The explorer on the real lock libraries: known spaces are exhausted exactly, every schedule replays as a script, and the
//! explored scenarios have the sets of outcomes that were reviewed.

use std::collections::BTreeSet;
use std::sync::Arc;

use backends::lock_libraries;
use harness::explore::plan::{Occasions, Plan};
use harness::explore::shard::{JoinError, Piece, Shard, join};
use harness::explore::{Bounds, Budget, End, Explorable, Options, Report, Search, Strategy, explore};
use harness::scenario::parse::parse;
use harness::verdict::Verdict;
use rstest::rstest;

fn plan(text: &str) -> Plan {
    let scenario = parse("explored/test".parse().expect("a valid name"), text).unwrap_or_else(|errors| {
        panic!("{}", errors.iter().map(|error| error.render("test", text, false)).collect::<String>())
    });
    Plan::new(Arc::new(scenario)).unwrap_or_else(|error| panic!("{error}"))
}

/// Returns the plan in which so many tasks acquire and release a mutex so often.
fn rounds(tasks: u32, rounds: usize) -> Plan {
    let round = vec!["acquire m, yield, release m"; rounds].join("; ");
    plan(&format!("mutex m\n\nA[1..{tasks}]: {round}\n"))
}

fn locks(id: &str) -> Explorable {
    lock_libraries().into_iter().find(|locks| locks.id == id).expect("it was built").explorable
}

fn run(id: &str, plan: Plan, options: &Options) -> Report {
    explore(&locks(id), &Arc::new(plan), options).unwrap_or_else(|error| panic!("{id}: {error}"))
}

#[rstest]
#[case::tokio_3x1("tokio", 3, 1, 36)]
#[case::tokio_4x1("tokio", 4, 1, 552)]
#[case::tokio_3x2("tokio", 3, 2, 96)]
#[case::tokio_4x2("tokio", 4, 2, 2_712)]
#[case::async_lock_3x1("async-lock", 3, 1, 42)]
#[case::async_lock_4x1("async-lock", 4, 1, 792)]
#[case::futures_3x1("futures", 3, 1, 42)]
#[case::futures_4x1("futures", 4, 1, 792)]
#[case::futures_4x2("futures", 4, 2, 14_592)]
fn a_space_has_as_many_schedules_as_it_has(
    #[case] id: &str,
    #[case] tasks: u32,
    #[case] count: usize,
    #[case] expected: u64,
) {
    let report = run(id, rounds(tasks, count), &Options { reduce: false, ..Options::default() });
    assert_eq!((report.end, report.schedules), (End::Exhausted, expected), "{}", report.text());
    assert!(report.outcomes.iter().all(|found| found.verdict == Verdict::Completed), "{}", report.text());
}

/// Programs that use every verb and every occasion.
const PROGRAMS: [&str; 6] = [
    "mutex m\n\nA: acquire m, release m\nB: acquire m, release m\nC: try-acquire m, is-locked m, release m elsewhere\n",
    "mutex m\nmutex n\n\nA: acquire m, acquire n, release n, release m\nB: acquire n, acquire m, release m, release n\n",
    "mutex m\n\nA: start x acquire m, acquire m, release m, drop x\nB: acquire m, release m; acquire m, release m\n",
    "mutex m\n\nA: acquire m, send m C, acquire m, panic\nB: prepare x acquire m, poll x, await-ref x, return\nC: release m\n",
    "mutex m\n\nA: acquire m, forget m\nB: start x acquire m, send x C\nC: await x, release m\nD: acquire m, release m\n",
    "mutex m\nmutex n\n\nA: acquire m, release m, acquire n, release n\nB: acquire m, release m\nC: acquire n, panic\n",
];

/// The strongest check of the explorer: whatever it comes upon, its books, the live driver and the oracle agree. Each
/// outcome is confirmed by the replay of its first schedule, and a disagreement is an error.
#[rstest]
fn every_outcome_replays_on_the_live_driver(
    #[values("tokio", "tokio-owned", "async-lock", "async-lock-arc", "futures", "futures-owned")] id: &str,
    #[values(Strategy::Exhaustive, Strategy::Random, Strategy::Uniform, Strategy::Pct)] strategy: Strategy,
) {
    for text in PROGRAMS {
        let mut plan = plan(text);
        plan.occasions = Occasions::everywhere(plan.tasks.len());
        let bounds = Bounds { cancels: 2, aborts: 1, resumes: 1, resumes_anew: 1, total: 2 };
        let options = Options { strategy, budget: Budget::Schedules(20_000), seed: 7, bounds, ..Options::default() };
        let report = run(id, plan, &options);
        let faults: Vec<_> = report.faults().collect();
        assert!(faults.is_empty(), "{id} {strategy}: {}\n{:#?}", faults[0].script, faults[0].transcript);
    }
}

/// The explored scenarios of the suites, each on every lock library. The guards that borrow and those that own are two
/// faces of one lock, and are held to one snapshot.
#[rstest]
#[case::tokio(&["tokio", "tokio-owned"])]
#[case::async_lock(&["async-lock", "async-lock-arc"])]
#[case::futures(&["futures", "futures-owned"])]
#[case::strict(&["strict-tokio", "strict-async-lock", "strict-futures"])]
fn explored_scenarios_have_their_sets_of_outcomes(#[case] faces: &[&str]) {
    let suite = keyalike_suites::read(&keyalike_suites::root()).unwrap_or_else(|error| panic!("{error}"));
    assert!(suite.explored.len() >= 8);
    for (name, plan) in &suite.explored {
        for face in faces {
            let report =
                explore(&locks(face), plan, &Options::default()).unwrap_or_else(|error| panic!("{face}: {error}"));
            assert_eq!(report.end, End::Exhausted, "{face} {name}");
            let folder = keyalike_suites::snapshots().join("explored").join(faces[0]).join(name.theme());
            let mut settings = insta::Settings::clone_current();
            settings.set_snapshot_path(folder);
            settings.set_prepend_module_to_snapshot(false);
            settings.set_omit_expression(true);
            settings.set_description(name.as_str());
            let scenario = name.as_str().rsplit('/').next().unwrap_or_default();
            settings.bind(|| insta::assert_snapshot!(scenario, report.text()));
        }
    }
}

/// The number of threads is nobody's affair, nor is it whether a search was saved and read back on the way.
#[rstest]
fn threads_and_checkpoints_change_nothing(
    #[values(Strategy::Exhaustive, Strategy::Random, Strategy::Pct, Strategy::Portfolio)] strategy: Strategy,
) {
    let text = "mutex m\n\nA[1..4]: acquire m, release m, acquire m, release m\ncancel A1\nabort A2\nA3 repoll\n";
    let plan = Arc::new(plan(text));
    let options =
        Options { strategy, budget: Budget::Schedules(300_000), seed: 3, stop_at_fault: false, ..Options::default() };
    let serial = explore(&locks("tokio"), &plan, &options).unwrap_or_else(|error| panic!("{error}"));
    let threads = Options { jobs: 3, ..options };
    let mut search = Search::new(&plan, &threads);
    while search.advance(&locks("tokio"), &plan, &threads).unwrap_or_else(|error| panic!("{error}")) {
        let saved = serde_json::to_string(&search).expect("a search can be saved");
        search = serde_json::from_str(&saved).expect("what was saved can be read back");
        search.fits(&plan, &threads).unwrap_or_else(|error| panic!("{error}"));
    }
    let report = search.report(&plan);
    assert_eq!((report.schedules, report.end), (serial.schedules, serial.end));
    assert!(report == serial, "{}\n\n{}", report.text(), serial.text());
}

/// Programs whose trees differ in size: run as one, split, and split into parts that need several turns each; with and
/// without a reduction.
const SHARDED: [&str; 5] = [
    "mutex m\n\nA[1..3]: acquire m, yield, release m\n",
    "mutex m\nmutex n\n\nA: acquire m, release m\nB: acquire n, release n\nC: acquire m, release m\n",
    "mutex m\n\nA[1..3]: acquire m, release m, acquire m, release m\ncancel A1\nabort A2\nA3 repoll\n",
    "mutex m\nmutex n\n\nA: acquire m, release m, acquire n, release n\n\
     B: acquire n, release n, acquire m, release m\nC: acquire m, release m\ncancel A\nabort B\n",
    "mutex m\n\nA: acquire m, release m\n",
];

/// Runs one shard of a search, with threads of its own and a checkpoint on the way.
fn piece(id: &str, text: &str, options: &Options) -> Piece {
    let plan = Arc::new(plan(text));
    let mut search = Search::new(&plan, options);
    while search.advance(&locks(id), &plan, options).unwrap_or_else(|error| panic!("{error}")) {
        let saved = serde_json::to_string(&search).expect("a search can be saved");
        search = serde_json::from_str(&saved).expect("what was saved can be read back");
        search.fits(&plan, options).unwrap_or_else(|error| panic!("{error}"));
    }
    search.piece(&plan)
}

fn pieces(id: &str, text: &str, options: &Options, count: u64) -> Vec<Piece> {
    let shard = |index| Options { shard: Shard { index, count }, jobs: 1 + index as usize % 2, ..*options };
    (1..=count).map(|index| piece(id, text, &shard(index))).collect()
}

/// However a search is split, the union of its shards is the whole: counts, outcomes with their first schedules, coverage.
#[rstest]
fn the_union_of_the_shards_is_the_whole(
    #[values("tokio", "futures")] id: &str,
    #[values(Strategy::Exhaustive, Strategy::Random, Strategy::Uniform, Strategy::Pct)] strategy: Strategy,
    #[values(2, 3, 70)] count: u64,
) {
    for (index, text) in SHARDED.into_iter().enumerate() {
        let budget = if strategy == Strategy::Exhaustive { 2_000_000 } else { 30_000 };
        let options = Options { strategy, budget: Budget::Schedules(budget), seed: 5, ..Options::default() };
        let whole = piece(id, text, &options);
        let pieces = pieces(id, text, &options, count);
        let parts: u64 = pieces.iter().map(|piece| piece.report.schedules).sum();
        assert_eq!(parts, whole.report.schedules, "{id} {strategy} {index}");
        let joined = join(&pieces, strategy, options.budget).unwrap_or_else(|error| panic!("{error}"));
        if joined != whole {
            let (one, other) = (joined.report, whole.report);
            let facts = |it: &Report| {
                (it.end, it.pruned, it.estimate, it.wakes, it.grants, it.polls, it.others, it.outcomes.len())
            };
            assert_eq!(facts(&one), facts(&other), "{id} {strategy} {index}");
            for (one, other) in one.outcomes.iter().zip(&other.outcomes) {
                assert_eq!((one.key, one.count, one.at), (other.key, other.count, other.at), "{id} {strategy} {index}");
            }
            panic!("{id} {strategy} {index}: the coverage differs, or the transcripts");
        }
        assert!(strategy != Strategy::Exhaustive || whole.report.end == End::Exhausted, "{index}");
    }
}

/// What is no shard of the search is not joined.
#[test]
fn pieces_that_do_not_fit_are_told() {
    let options = Options { budget: Budget::Schedules(2_000_000), ..Options::default() };
    let fits = pieces("tokio", SHARDED[2], &options, 3);
    let others = pieces("tokio", SHARDED[3], &options, 3);
    let joined = |pieces: [&Piece; 3]| join(&pieces.map(Piece::clone), Strategy::Exhaustive, options.budget);
    assert!(joined([&fits[0], &fits[1], &fits[2]]).is_ok());
    assert!(matches!(joined([&fits[0], &fits[2], &fits[1]]), Err(JoinError::Foreign { .. })));
    assert!(matches!(joined([&fits[0], &others[1], &fits[2]]), Err(JoinError::OtherSplit { .. })));
    let silent = Piece { tree: None, ..fits[1].clone() };
    assert!(matches!(joined([&fits[0], &silent, &fits[2]]), Err(JoinError::NoTree { .. })));
}

/// What the reduction leaves out has the same outcomes as what it runs.
#[rstest]
fn the_reduction_loses_no_outcome(#[values("tokio", "async-lock", "futures")] id: &str) {
    let text = "mutex m\nmutex n\n\nA: acquire m, release m, acquire n, release n\n\
                B: acquire n, release n, acquire m, release m\nC: acquire m, release m\ncancel A\nabort B\n";
    let options = Options { budget: Budget::Schedules(3_000_000), ..Options::default() };
    let reduced = run(id, plan(text), &options);
    let whole = run(id, plan(text), &Options { reduce: false, ..options });
    assert_eq!((reduced.end, whole.end), (End::Exhausted, End::Exhausted));
    let keys = |report: &Report| report.outcomes.iter().map(|found| found.key).collect::<BTreeSet<_>>();
    assert_eq!(keys(&reduced), keys(&whole));
    assert!(reduced.schedules * 2 < whole.schedules, "{} of {}", reduced.schedules, whole.schedules);
}

/// Returns the outcomes of a report, as sets of lines; with each name in `names` written as the one in its place in `others`.
fn renamed(report: &Report, names: &[&str], others: &[&str]) -> BTreeSet<BTreeSet<String>> {
    let rename = |word: &str| {
        let bare = word.trim_end_matches(',');
        let place = names.iter().position(|name| *name == bare);
        place.map_or_else(|| word.to_owned(), |place| word.replace(bare, others[place]))
    };
    // Who is before whom is a set.
    let line = |line: &str| {
        let words: Vec<String> = line.split_whitespace().map(rename).collect();
        let (head, tail) = words.join(" ").split_once(" before ").map_or_else(
            || (words.join(" "), String::new()),
            |(head, passed)| {
                let mut passed: Vec<&str> = passed.split(", ").collect();
                passed.sort_unstable();
                (head.to_owned(), passed.join(", "))
            },
        );
        format!("{head} before {tail}")
    };
    report.outcomes.iter().map(|found| found.lines.iter().map(|text| line(text)).collect()).collect()
}

/// Of tasks that are alike the first begins first: every outcome of the others is one of these with the names exchanged,
/// and there are as many times more schedules as there are exchanges.
#[rstest]
fn tasks_that_are_alike_lose_no_outcome(
    #[values("tokio", "async-lock", "futures")] id: &str,
    #[values(
        "mutex m\n\nA: acquire m, release m\nB: acquire m, release m\nC: acquire m, release m\nD: try-acquire m\n",
        "mutex m\n\nA: acquire m, release m\nB: acquire m, release m\nC: acquire m, release m\nD: acquire m\n         cancel A\ncancel B\ncancel C\n",
        "mutex m\nmutex n\n\nA: acquire m, release m, acquire n\nB: acquire m, release m, acquire n\n         C: acquire m, release m, acquire n\nD: acquire n, panic\nabort D\n",
        "mutex m\n\nA: start x acquire m, poll x, release m\nB: start x acquire m, poll x, release m\n         C: start x acquire m, poll x, release m\nA repoll new-waker\nB repoll new-waker\nC repoll new-waker\n"
    )]
    text: &str,
) {
    let options = Options { budget: Budget::Schedules(3_000_000), ..Options::default() };
    let reduced = run(id, plan(text), &options);
    let whole = run(id, plan(text), &Options { reduce: false, ..options });
    assert_eq!((reduced.end, whole.end), (End::Exhausted, End::Exhausted));
    let names = ["A", "B", "C"];
    assert_eq!(reduced.alike.iter().map(Vec::len).collect::<Vec<_>>(), [names.len()]);
    let orders = [["A", "B", "C"], ["A", "C", "B"], ["B", "A", "C"], ["B", "C", "A"], ["C", "A", "B"], ["C", "B", "A"]];
    let exchanged: BTreeSet<_> = orders.iter().flat_map(|others| renamed(&reduced, &names, others)).collect();
    assert_eq!(exchanged, renamed(&whole, &names, &names));
    if text.matches("mutex").count() == 1 {
        assert_eq!(reduced.schedules * orders.len() as u64, whole.schedules);
        assert_eq!(reduced.estimate, Some(whole.schedules as f64));
    } else {
        assert!(reduced.schedules * (orders.len() as u64) < whole.schedules, "steps on two objects commute as well");
    }
}

/// A name in another task's program, or in an occasion, tells a task from its like.
#[rstest]
#[case::all("A: acquire m, release m\nB: acquire m, release m\n", &["A B"])]
#[case::a_crowd("A[1..3]: acquire m\nB: acquire m, release m\n", &["A1 A2 A3"])]
#[case::an_occasion("A[1..3]: acquire m\ncancel A2\n", &["A1 A3"])]
#[case::two_sets("A: acquire m\nB: acquire m, release m\nC: acquire m\nD: acquire m, release m\n", &["A C", "B D"])]
#[case::another_turn("A: acquire m, release m\nB: acquire m; release m\n", &[])]
#[case::receiver("A: acquire m, send m B\nB: release m\nC: release m\nD: release m\n", &["C D"])]
#[case::senders("A: acquire m, send m C\nB: acquire m, send m C\nC: release m\n", &["A B"])]
fn tasks_are_alike_if_nothing_tells_them_apart(#[case] programs: &str, #[case] expected: &[&str]) {
    let sets = plan(&format!("mutex m\n\n{programs}")).sets_of_alike();
    let told: Vec<String> =
        sets.iter().map(|set| set.iter().map(|name| name.to_string()).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(told, expected);
}
