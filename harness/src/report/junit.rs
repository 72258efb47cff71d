//! The report as JUnit XML: a suite for each backend, a case for each scenario.
//!
//! A reviewed divergence or violation passes. A case has no duration: what a run takes is no part of an outcome.

pub use quick_junit::SerializeError;
use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};

use crate::report::finding::Finding;
use crate::report::{Answer, CellReport, Report};
use crate::verdict::Verdict;

/// Returns the report as JUnit XML.
///
/// # Errors
///
/// [`SerializeError`], if the XML cannot be written.
pub fn render(report: &Report) -> Result<String, SerializeError> {
    let mut document = Document::new("keyalike");
    for backend in &report.backends {
        let mut suite = TestSuite::new(backend.id.as_str());
        suite.add_property(("runtime", format!("{} {}", backend.runtime.name, backend.runtime.version).as_str()));
        suite.add_property(("locks", format!("{} {}", backend.locks.name, backend.locks.version).as_str()));
        let cells = report.cells.iter().filter(|cell| cell.backend == backend.id);
        suite.add_test_cases(cells.map(|cell| case(cell, &findings_of(report, cell))));
        document.add_test_suite(suite);
    }
    let general: Vec<&Finding> = report.findings.iter().filter(|finding| finding.scenario.is_none()).collect();
    if !general.is_empty() {
        let mut suite = TestSuite::new("keyalike");
        for finding in general {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(finding.message.as_str()).set_description(finding.hint.as_str());
            suite.add_test_case(TestCase::new(finding.kind.title(), status));
        }
        document.add_test_suite(suite);
    }
    document.to_string()
}

fn findings_of<'a>(report: &'a Report, cell: &CellReport) -> Vec<&'a Finding> {
    let concerns = |finding: &&Finding| {
        finding.scenario.as_ref() == Some(&cell.scenario) && finding.backends.contains(&cell.backend)
    };
    report.findings.iter().filter(concerns).collect()
}

fn case(cell: &CellReport, findings: &[&Finding]) -> TestCase {
    let (status, text) = match &cell.answer {
        Answer::Failed { error } => (failing(NonSuccessKind::Error, findings, error), error.clone()),
        Answer::Varies { variants } => {
            let texts: Vec<String> = variants.iter().map(|variant| variant.transcript.join("\n")).collect();
            let text = texts.join("\n\n");
            (failing(NonSuccessKind::Failure, findings, &text), text)
        }
        Answer::Outcome(outcome) if outcome.verdict == Verdict::Unsupported => {
            let mut status = TestCaseStatus::skipped();
            status.set_message("unsupported: the backend declares that it lacks an operation");
            (status, String::new())
        }
        Answer::Outcome(outcome) => {
            let text = outcome.transcript.join("\n");
            let status = if findings.is_empty() {
                TestCaseStatus::success()
            } else {
                failing(NonSuccessKind::Failure, findings, &text)
            };
            (status, text)
        }
    };
    let mut case = TestCase::new(cell.scenario.as_str(), status);
    case.set_classname(cell.backend.as_str());
    if !text.is_empty() {
        case.set_system_out(text);
    }
    case
}

fn failing(kind: NonSuccessKind, findings: &[&Finding], text: &str) -> TestCaseStatus {
    let messages: Vec<String> =
        findings.iter().map(|finding| format!("{}: {}", finding.kind.title(), finding.message)).collect();
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(messages.join("; "));
    if let Some(finding) = findings.first() {
        status.set_type(finding.kind.title()).set_description(format!("{text}\n\n{}", finding.hint));
    }
    status
}
