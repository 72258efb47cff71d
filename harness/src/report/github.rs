//! The report as workflow commands, which become annotations at the scenarios' files.

use crate::report::Report;
use crate::report::finding::{Finding, FindingKind};
use crate::report::table::say_status;
use crate::scenario::name::ScenarioName;

/// Returns a line of annotation for everything that is not as expected. `file_of` says where a scenario lies, as the
/// repository sees it.
pub fn render(report: &Report, file_of: &dyn Fn(&ScenarioName) -> Option<String>) -> String {
    let mut text: String = report.findings.iter().map(|finding| annotation(finding, file_of)).collect();
    let said = match say_status(report) {
        (status, None) => status.to_owned(),
        (_, Some(counts)) => counts,
    };
    let summary = &report.summary;
    text.push_str(&format!(
        "::notice title=keyalike::{}\n",
        escape(&format!("{} of {} cells executed: {said}", summary.executed, summary.expected))
    ));
    text
}

fn annotation(finding: &Finding, file_of: &dyn Fn(&ScenarioName) -> Option<String>) -> String {
    let title = match &finding.scenario {
        Some(scenario) => format!("{}: {scenario}", finding.kind.title()),
        None => finding.kind.title().to_owned(),
    };
    let file = match (&finding.scenario, finding.kind) {
        (Some(scenario), _) => file_of(scenario),
        (None, FindingKind::Stale) => Some("suites/ledger.toml".to_owned()),
        (None, _) => None,
    };
    let file = file.map_or_else(String::new, |file| format!("file={},", escape_property(&file)));
    let message = escape(&format!("{}\n{}", finding.message, finding.hint));
    format!("::error {file}title={}::{message}\n", escape_property(&title))
}

/// Escapes a message, as workflow commands want it.
fn escape(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes a property, as workflow commands want it.
fn escape_property(text: &str) -> String {
    escape(text).replace(':', "%3A").replace(',', "%2C")
}
