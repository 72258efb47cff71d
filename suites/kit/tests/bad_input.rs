//! What a stranger writes wrong, and what he is told: where, what, and how to put it right.

use std::fs;
use std::path::Path;

use keyalike::runtimes::smol;
use keyalike::{AsyncMutex, Kit, Lock, Message, MutexCapabilities, Package, RuntimeEntry};
use rstest::rstest;
use tempfile::TempDir;

/// An honest adapter.
struct Adapter(async_lock::Mutex<()>);

impl AsyncMutex for Adapter {
    type Guard<'a> = async_lock::MutexGuard<'a, ()>;
    const CAPABILITIES: MutexCapabilities = MutexCapabilities::plain();

    fn new() -> Self {
        Self(async_lock::Mutex::new(()))
    }

    fn acquire(&self) -> impl Future<Output = Result<async_lock::MutexGuard<'_, ()>, Message>> + Send {
        let acquired = self.0.lock();
        async move { Ok(acquired.await) }
    }

    fn try_acquire(&self) -> Result<async_lock::MutexGuard<'_, ()>, Message> {
        self.0.try_lock().ok_or_else(Message::none)
    }

    fn debug(&self) -> String {
        format!("{:?}", self.0)
    }
}

/// A stranger's package, with these files.
fn package(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    for (place, text) in files {
        let file = folder.path().join(place);
        fs::create_dir_all(file.parent().expect("it is in the folder")).expect("the folder can be written");
        fs::write(file, text).expect("the folder can be written");
    }
    folder
}

fn kit(folder: &Path) -> Kit {
    // As insta does with a snapshot that is new, and writing nothing.
    let compare = |_: &str, _: &str| std::panic::resume_unwind(Box::new("new"));
    Kit::new(Lock::borrowed::<Adapter>(), Package::new("mine", "1.0.0", folder), compare)
}

#[track_caller]
fn check_told(kit: Kit, said: &[&str]) {
    let error = kit.tests().expect_err("it is not set up").to_string();
    for part in said {
        assert!(error.contains(part), "`{part}` is not in:\n{error}");
    }
}

/// The scenario of a file in `keyalike/scenarios`.
const SCENARIO: &str = "# It is acquired.\nrule    EXCLUSION-2\nsource  us\nmutex   m\n\nA acquire m\n";

#[rstest]
#[case::theme("cancelation", &["suites: `cancelation` matches no shipped scenario; did you mean `cancellation`?"])]
#[case::scenario("reentry/same-tsk", &["did you mean `reentry/same-task`?"])]
#[case::nothing_near("x?z", &["the themes are blocking, cancellation,", "`*` is all of them"])]
#[case::no_glob("cancellation/[", &["suites: `cancellation/[` is not a glob", "write a theme, a scenario"])]
fn suite_that_matches_nothing_is_told_with_what_is_near(#[case] pattern: &str, #[case] said: &[&str]) {
    let folder = package(&[]);
    check_told(kit(folder.path()).runtime(smol()).suite("reentry").suite(pattern), said);
}

#[rstest]
#[case::malformed(
    &[("keyalike/scenarios/own/broken.scenario", "rule EXCLUSION-2\nmutex m\n\nA aquire m\n")],
    &["keyalike/scenarios/own/broken.scenario:4:3", "did you mean `acquire`?"]
)]
#[case::no_theme(&[("keyalike/scenarios/broken it.scenario", SCENARIO)], &["its place gives no name"])]
#[case::clash(
    &[("keyalike/scenarios/reentry/same-task.scenario", SCENARIO)],
    &["keyalike/scenarios/reentry/same-task.scenario: `reentry/same-task` is the name of a shipped scenario"]
)]
#[case::generated_theme(&[("keyalike/scenarios/pairs/mine.scenario", SCENARIO)], &["in the theme of generated ones"])]
#[case::unknown_rule(
    &[("keyalike/scenarios/own/one.scenario", "rule EXCLUSION-99\nmutex m\n\nA acquire m\n")],
    &["own/one.scenario: there is no rule EXCLUSION-99;"]
)]
#[case::rule_clash(
    &[(
        "keyalike/rules.toml",
        "[[rule]]\nid = \"EXCLUSION-1\"\nlevel = \"MUST\"\ntitle = \"t\"\ntext = \"t\"\nsources = []\n",
    )],
    &["keyalike/rules.toml: EXCLUSION-1 is the number of a shipped rule"]
)]
#[case::rules(&[("keyalike/rules.toml", "[[rule]]\nid = 1\n")], &["keyalike/rules.toml: ", "line 2"])]
#[case::ledger(&[("keyalike/ledger.toml", "[[violations]]\n")], &["keyalike/ledger.toml: ", "line 1", "`violation`"])]
#[case::ledger_without_reason(
    &[("keyalike/ledger.toml", "[[violation]]\nscenario = \"*\"\nbackends = [\"*\"]\n")],
    &["keyalike/ledger.toml: ", "missing field `reason`"]
)]
fn file_with_an_error_is_told_with_its_place(#[case] files: &[(&str, &str)], #[case] said: &[&str]) {
    let folder = package(files);
    check_told(kit(folder.path()).runtime(smol()).suite("reentry"), said);
}

#[test]
fn setting_that_cannot_be_is_told() {
    let folder = package(&[]);
    let new = || kit(folder.path());
    check_told(new().runtime(smol()), &["suites is empty; name at least one"]);
    check_told(new().suite("reentry"), &["runtimes is empty; name at least one"]);
    check_told(new().runtime(smol()).runtime(smol()).suite("*"), &["runtimes: `smol` stands there twice"]);
    check_told(new().runtime(smol()).suite("*").name("a/b"), &["name: `a/b` cannot be part of a backend's id"]);
    let spaced = RuntimeEntry::new("my runtime", "mine", "1", backends::runtimes::smol::global);
    check_told(new().runtime(spaced).suite("*"), &["runtimes: `my runtime` cannot be part"]);
    check_told(
        new().runtime(smol()).suite("*").ledger("known.toml"),
        &["known.toml: No such file", "the ledger may be empty but must exist"],
    );
}

/// Runs the test of this name, and returns what it says when it fails.
#[track_caller]
fn failure(kit: Kit, name: &str) -> String {
    let tests = kit.tests().unwrap_or_else(|error| panic!("{error}"));
    let names: Vec<String> = tests.iter().map(|test| test.name().to_owned()).collect();
    let test = tests.into_iter().find(|test| test.name() == name);
    let test = test.unwrap_or_else(|| panic!("{name} is not one of {}", names.join(", ")));
    test.run().err().unwrap_or_else(|| panic!("{name} does not fail"))
}

#[track_caller]
fn check_red(kit: Kit, name: &str, said: &str) {
    let told = failure(kit, name);
    assert!(told.contains(said), "`{said}` is not in:\n{told}");
}

#[rstest]
#[case::no_scenario("reentry/no-such", "smol+mine", "no scenario that is run has such a name")]
#[case::no_backend("reentry/same-task", "tokio+mine", "no backend has such a name; they are smol+mine")]
#[case::stale("reentry/same-task", "smol+mine", "matches nothing any more; remove the entry")]
fn ledger_entry_that_explains_nothing_is_red(#[case] scenario: &str, #[case] backend: &str, #[case] said: &str) {
    let entry = format!(
        "[[violation]]\nscenario = \"{scenario}\"\nbackends = [\"{backend}\"]\nreason = \"why\"\nsource = \"where\"\n"
    );
    let folder = package(&[("keyalike/ledger.toml", &entry)]);
    let kit = kit(folder.path()).runtime(smol()).suite("reentry/same-task");
    check_red(kit, "ledger::every_entry_explains_something", said);
}

/// A rule of the stranger's that nothing keeps.
const BROKEN: &str = "rule    EXCLUSION-2\nsource  us\nmutex   m\n\nA acquire m\n\naccept  refused  conforms\n";

#[test]
fn outcome_that_breaks_its_rule_is_red_until_the_ledger_explains_it() {
    let name = "smol+mine::own/broken";
    let files = [("keyalike/scenarios/own/broken.scenario", BROKEN)];
    let folder = package(&files);
    let told = failure(kit(folder.path()).runtime(smol()).suite("reentry/same-task"), name);
    for part in [
        "EXCLUSION-2 (MUST): A free mutex is granted without a wait",
        "[[violation]]",
        "verdict                completed",
    ] {
        assert!(told.contains(part), "`{part}` is not in:\n{told}");
    }
    let ledger = "[[violation]]\nscenario = \"own/broken\"\nbackends = [\"*\"]\nreason = \"why\"\nsource = \"where\"\n";
    let folder = package(&[files[0], ("keyalike/ledger.toml", ledger)]);
    let explained = || kit(folder.path()).runtime(smol()).suite("reentry/same-task");
    // What is left is the snapshot.
    check_red(explained(), name, "has no snapshot yet; review it with `cargo insta review`");
    let stale = explained().tests().expect("it is set up").into_iter();
    let mut stale = stale.filter(|test| test.name() == "ledger::every_entry_explains_something");
    assert_eq!(stale.next().map(keyalike::Test::run), Some(Ok(())));
}

#[test]
fn snapshots_that_are_missing_pending_or_orphaned_are_red() {
    let folder_test = "smol+mine::snapshots_are_reviewed_and_have_their_scenario";
    let empty = package(&[]);
    check_red(kit(empty.path()).runtime(smol()).suite("reentry"), folder_test, "there are no snapshots in ");
    let snapshot = |name: &str| format!("keyalike/snapshots/smol+mine/{name}");
    let (orphan, pending) = (snapshot("reentry/no-more.snap"), snapshot("reentry/same-task.snap.new"));
    let folder =
        package(&[(&orphan, ""), (&pending, ""), ("keyalike/snapshots/tokio+mine/reentry/same-task.snap", "")]);
    let told = failure(kit(folder.path()).runtime(smol()).suite("reentry"), folder_test);
    assert!(told.contains("smol+mine/reentry/no-more has no scenario; delete "), "{told}");
    assert!(told.contains("reentry/same-task.snap is pending; review it with"), "{told}");
    let named = kit(folder.path()).runtime(smol()).suite("reentry");
    check_red(
        named,
        "snapshots::every_folder_has_its_runtime",
        "no runtime of this test has the snapshots of tokio+mine",
    );
}
