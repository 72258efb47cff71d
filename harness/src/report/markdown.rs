//! The report as Markdown, for the description of a pull request: what asks for a look first, and no row that does not.

use crate::comparison::Difference;
use crate::report::paint::count;
use crate::report::table::say_status;
use crate::report::{Answer, CellReport, Report, Row};
use crate::verdict::Verdict;

/// Returns the report as Markdown.
pub fn render(report: &Report) -> String {
    let summary = &report.summary;
    let verdict = match say_status(report) {
        (status, None) => status.to_owned(),
        (status, Some(counts)) => format!("**{status}**: {counts}"),
    };
    let mut lines = vec![
        format!(
            "### Keyalike: {} on {}",
            count(report.suite.scenarios, "scenario"),
            count(report.backends.len(), "backend")
        ),
        String::new(),
        verdict,
        String::new(),
        "| | | |".to_owned(),
        "|---|---|---|".to_owned(),
        format!(
            "| cells | {} of {} executed | {} unsupported |",
            summary.executed, summary.expected, summary.unsupported
        ),
        format!("| divergences | {} | {} reviewed |", summary.divergent, summary.divergent_reviewed),
        format!("| violations | {} | {} reviewed |", summary.violations, summary.violations_reviewed),
        format!("| snapshots | {} compared | {} changed |", summary.snapshots, summary.snapshots_changed),
    ];
    lines.extend(findings(report));
    lines.extend(rows(report));
    lines.join("\n") + "\n"
}

fn findings(report: &Report) -> Vec<String> {
    if report.findings.is_empty() {
        return Vec::new();
    }
    let mut lines =
        vec![String::new(), "| not as expected | scenario | what | see |".to_owned(), "|---|---|---|---|".to_owned()];
    lines.extend(report.findings.iter().map(|finding| {
        let scenario = finding.scenario.as_ref().map_or(String::new(), |name| format!("`{}`", escape(name.as_str())));
        let (title, message, hint) = (finding.kind.title(), escape(&finding.message), escape(&finding.hint));
        format!("| {title} | {scenario} | {message} | `{hint}` |")
    }));
    lines
}

/// The rows that ask for a look, below a fold: they are many, and reviewed for the most part.
fn rows(report: &Report) -> Vec<String> {
    let groups = report.groups();
    let rows: Vec<&Row<'_>> = groups.iter().flat_map(|group| &group.rows).filter(|row| !row.is_quiet()).collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let title = format!("<details><summary>{} that differ or violate</summary>", count(rows.len(), "scenario"));
    let heads: Vec<String> = report.backends.iter().map(|backend| format!(" {} |", backend.id)).collect();
    let mut lines = vec![
        String::new(),
        title,
        String::new(),
        format!("| | scenario |{}", heads.concat()),
        format!("|---|---|{}", "---|".repeat(report.backends.len())),
    ];
    lines.extend(rows.iter().map(|row| {
        let mark = match row.difference {
            Difference::None => "",
            Difference::Wording => "~",
            Difference::Kind => "≠",
        };
        let cells: Vec<String> = row.cells.iter().map(|it| format!(" {} |", cell(row, *it))).collect();
        format!("| {mark} | `{}` |{}", escape(row.name.as_str()), cells.concat())
    }));
    lines.extend([
        String::new(),
        "≠ differ in behaviour, ~ in wording only, ! violates its rule; equal letters are equal transcripts".to_owned(),
        String::new(),
        "</details>".to_owned(),
    ]);
    lines
}

fn cell(row: &Row<'_>, cell: Option<&CellReport>) -> String {
    let Some(cell) = cell else { return String::new() };
    match &cell.answer {
        Answer::Outcome(outcome) => {
            let letter = match row.difference {
                Difference::None => "",
                _ if outcome.verdict == Verdict::Unsupported => "",
                _ => &outcome.letter,
            };
            let mark = if cell.violates() { "!" } else { "" };
            let parts = [outcome.verdict.as_str(), letter, mark];
            parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
        }
        Answer::Varies { .. } => "**varies**".to_owned(),
        Answer::Failed { .. } => "**not run**".to_owned(),
    }
}

/// Makes a text safe inside a cell of a table.
fn escape(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ").replace('`', "'")
}
