//! Cells, ledgers and reports made by hand.

use keyalike_harness::ledger::{IsMeant, Ledger, VersionOrder};
use keyalike_harness::report::{
    Answer, CellReport, Environment, OutcomeReport, Report, SCHEMA, SuiteFacts, VariantReport, give_letters,
};
use keyalike_harness::review::{Scope, SnapshotCheck, review};
use keyalike_harness::subject::{Description, Subject};
use keyalike_harness::verdict::{Grade, Verdict};

/// The lines of an outcome: a task's step with its result and message, then the verdict.
pub(crate) fn lines(result: &str, message: &str, verdict: Verdict) -> Vec<String> {
    let mut lines = vec![format!("{:21}  {result}", "A try-acquire m")];
    if !message.is_empty() {
        lines.push(format!("{:23}{message}", ""));
    }
    lines.push(format!("{:21}  {verdict}", "verdict"));
    lines
}

/// A cell with an outcome.
pub(crate) fn cell(
    scenario: &str,
    backend: &str,
    grade: Grade,
    verdict: Verdict,
    result: &str,
    message: &str,
) -> CellReport {
    let answer = Answer::Outcome(OutcomeReport {
        verdict,
        grade,
        sentence: (grade == Grade::Permitted).then(|| "documented".to_owned()),
        letter: String::new(),
        transcript: lines(result, message, verdict),
    });
    with_answer(scenario, backend, answer)
}

/// A cell that completed as the rule wants.
pub(crate) fn quiet(scenario: &str, backend: &str) -> CellReport {
    cell(scenario, backend, Grade::Conforms, Verdict::Completed, "acquired", "")
}

/// A cell that was not run.
pub(crate) fn failed(scenario: &str, backend: &str) -> CellReport {
    with_answer(scenario, backend, Answer::Failed { error: "the worker does not start".to_owned() })
}

/// A cell of which two runs differ.
pub(crate) fn varying(scenario: &str, backend: &str) -> CellReport {
    let variant = |count, seat: &str, result| VariantReport {
        count,
        seat: seat.to_owned(),
        transcript: lines(result, "", Verdict::Completed),
    };
    let variants = vec![variant(3, "spawned", "acquired"), variant(1, "block_on", "refused")];
    with_answer(scenario, backend, Answer::Varies { variants })
}

fn with_answer(scenario: &str, backend: &str, answer: Answer) -> CellReport {
    let scenario = scenario.parse().expect("a name of these tests is a name");
    let rule = Some("TRY-1".parse().expect("it is a rule"));
    CellReport { scenario, backend: backend.to_owned(), rule, answer }
}

/// A backend with this id.
pub(crate) fn backend(id: &str) -> Description {
    let subject = |name: &str| Subject { name: name.to_owned(), version: "1.2.3".to_owned() };
    let (runtime, locks) = id.split_once('+').unwrap_or((id, id));
    Description {
        id: id.to_owned(),
        runtime: subject(runtime),
        locks: subject(locks),
        capabilities: Vec::new(),
        native: !id.contains('+'),
    }
}

/// Versions of these tests are decimal fractions. Only `red` has any.
pub(crate) const FRACTIONS: VersionOrder = VersionOrder { contains: is_in, check: check_range };

fn is_in(id: &str, range: &str) -> bool {
    let number = |text: &str| text.parse::<f32>().expect("versions of these tests are numbers");
    let Some((_, version)) = id.split_once('@') else { return false };
    let version = number(version);
    range.split(',').all(|part| match (part.strip_prefix(">="), part.strip_prefix('<')) {
        (Some(start), _) => version >= number(start),
        (None, Some(end)) => version < number(end),
        (None, None) => panic!("{part} is no range of these tests"),
    })
}

fn check_range(is_meant: IsMeant<'_>, range: &str) -> Result<(), String> {
    match (is_meant("red"), range.contains("!")) {
        (true, false) => Ok(()),
        (true, true) => Err(format!("`{range}` is no range; write `>=1`")),
        (false, _) => Err("nothing has releases but red; name it".to_owned()),
    }
}

/// A ledger with this text.
pub(crate) fn ledger(text: &str) -> Ledger {
    let file = tempfile::NamedTempFile::new().expect("a file can be made");
    std::fs::write(file.path(), text).expect("the file can be written");
    let mut ledger = Ledger::read(file.path()).expect("the ledger of a test is in order");
    ledger.order_by(FRACTIONS).expect("its ranges are ranges");
    ledger
}

/// The report of a whole suite that consists of `cells`.
pub(crate) fn report(backends: &[&str], cells: Vec<CellReport>, ledger_text: &str) -> Report {
    reviewed(backends, cells, ledger_text, &SnapshotCheck::default(), true)
}

/// The report of `cells`, held against a ledger and snapshots.
pub(crate) fn reviewed(
    backends: &[&str],
    mut cells: Vec<CellReport>,
    ledger_text: &str,
    snapshots: &SnapshotCheck,
    whole_suite: bool,
) -> Report {
    give_letters(&mut cells);
    let scenarios = cells.chunk_by(|one, next| one.scenario == next.scenario).count();
    let ids: Vec<String> = backends.iter().map(|id| (*id).to_owned()).collect();
    let known_backends = ids.iter().cloned().chain(["elsewhere".to_owned()]).collect();
    let known_releases = vec!["red".to_owned()];
    let newest = vec!["red@2.0".to_owned()];
    let scope = Scope { backends: ids, known_backends, known_releases, newest, scenarios, whole_suite };
    let (summary, findings) = review(&cells, &ledger(ledger_text), snapshots, &scope);
    Report {
        schema: SCHEMA,
        suite: SuiteFacts { scenarios, scenarios_total: scenarios, repeat: 1, ..SuiteFacts::default() },
        environment: Environment { keyalike: "0.0.0".into(), os: "os".into(), arch: "arch".into(), parallelism: 2 },
        backends: backends.iter().map(|id| backend(id)).collect(),
        cells,
        summary,
        findings,
    }
}

/// A report with one row for everything that a row can be.
pub(crate) fn everything() -> Report {
    let [one, other] = ["blue", "green"];
    let cells = vec![
        quiet("calm/alike", one),
        quiet("calm/alike", other),
        cell("calm/kind", one, Grade::Conforms, Verdict::Completed, "acquired", ""),
        cell("calm/kind", other, Grade::Permitted, Verdict::Refused, "refused", "would block"),
        cell("calm/violation", one, Grade::Violates, Verdict::LostWakeup, "waits", ""),
        quiet("calm/violation", other),
        cell("calm/wording", one, Grade::Conforms, Verdict::Completed, "refused", "would block"),
        cell("calm/wording", other, Grade::Conforms, Verdict::Completed, "refused", "locked"),
        failed("wild/not-run", one),
        quiet("wild/not-run", other),
        cell("wild/unsupported", one, Grade::Ungraded, Verdict::Unsupported, "unsupported", ""),
        quiet("wild/unsupported", other),
        varying("wild/varies", one),
        quiet("wild/varies", other),
    ];
    let ledger = r#"
        [[wording]]
        scenario = "calm/wording"
        backends = ["blue"]
        reason = "r"
        source = "s"

        [[violation]]
        scenario = "gone/*"
        backends = ["green"]
        reason = "r"
        source = "s"
    "#;
    let changed = vec![("calm/alike".parse().expect("it is a name"), other.to_owned())];
    let snapshots = SnapshotCheck { compared: 3, missing: 1, changed };
    reviewed(&[one, other], cells, ledger, &snapshots, true)
}

/// Compares a text with its snapshot.
pub(crate) fn assert_snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::new();
    settings.set_snapshot_path(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/report/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}
