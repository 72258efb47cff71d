//! The report for a terminal: a matrix of verdicts, a legend, a summary, and what is not as expected.
//!
//! Every mark is a character; colour only repeats what the characters say.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anstyle::Style;

use crate::comparison::Difference;
use crate::report::finding::{Finding, FindingKind};
use crate::report::paint::{BAD, DIVERGENT, GOOD, Layout, QUIET, TITLE, count, width};
use crate::report::unified_diff::unified;
use crate::report::{Answer, CellReport, Group, Report, Row, Status};
use crate::verdict::Verdict;

/// How many columns the matrix may have before it is drawn with letters, where its width is not bounded.
const WORD_COLUMNS_MAX: usize = 8;
/// How wide the names of scenarios must be able to be, so that the matrix is drawn with words.
const NAME_WIDTH_MIN: usize = 28;
/// The width of the marks before a name, and of the gap between columns.
const MARGIN: usize = 4;
const GAP: usize = 2;

/// Puts a report into text for a terminal.
pub fn render(report: &Report, layout: Layout) -> String {
    let groups = report.groups();
    let matrix = Matrix::new(report, &groups, layout);
    let mut page = Page { text: String::new(), layout };
    page.backends(report, matrix.words.is_none());
    if !groups.is_empty() {
        page.matrix(report, &groups, &matrix);
        page.legend(&groups, matrix.words.is_none());
    }
    page.variants(report);
    page.findings(&report.findings);
    page.summary(report);
    page.text
}

/// The widths of the matrix.
struct Matrix {
    name: usize,
    /// The width of each column, where cells are words. Where they are letters, nothing.
    words: Option<Vec<usize>>,
}

impl Matrix {
    fn new(report: &Report, groups: &[Group<'_>], layout: Layout) -> Self {
        let rows = || groups.iter().flat_map(|group| group.rows.iter().filter(|row| is_shown(group, row)));
        let name = rows().map(|row| stem(row).chars().count()).max().unwrap_or(0);
        let width_of = |column: usize| {
            let cells = rows().map(|row| width(&word_cell(row, column)));
            let head = split_head(&report.backends[column].id).iter().map(String::len).max();
            cells.chain(head).max().unwrap_or(0)
        };
        let words: Vec<usize> = (0..report.backends.len()).map(width_of).collect();
        let cells: usize = words.iter().map(|width| width + GAP).sum();
        let is_wide = match layout.width {
            None => words.len() > WORD_COLUMNS_MAX,
            Some(width) => MARGIN + NAME_WIDTH_MIN.min(name) + cells > width,
        };
        let (cells, words) = if is_wide { (letters_width(report), None) } else { (cells, Some(words)) };
        // A few names are longer than the rest: where room is short, they stand on a line of their own.
        let room = layout.width.map_or(name, |width| width.saturating_sub(MARGIN + cells).max(NAME_WIDTH_MIN));
        Self { name: name.min(room), words }
    }
}

/// Returns the width of the cells where they are letters, with the verdicts behind them.
fn letters_width(report: &Report) -> usize {
    const VERDICTS: usize = 24;
    GAP + report.backends.len() * 2 + VERDICTS
}

/// Returns whether a row is drawn, and not folded into the line of its theme.
fn is_shown(group: &Group<'_>, row: &Row<'_>) -> bool {
    !group.generated || !(row.is_quiet() || is_wording(row))
}

/// Returns whether all that there is to a row is a reviewed difference in wording.
fn is_wording(row: &Row<'_>) -> bool {
    let is_clean = |cell: &CellReport| cell.outcome().is_some() && !cell.violates();
    row.difference == Difference::Wording
        && row.findings.is_empty()
        && row.cells.iter().flatten().all(|it| is_clean(it))
}

/// Returns the name of a scenario without its theme.
fn stem<'a>(row: &Row<'a>) -> &'a str {
    row.name.as_str().rsplit('/').next().unwrap_or_default()
}

/// Splits the id of a backend into the lines of its column's head.
fn split_head(id: &str) -> Vec<String> {
    const LONG: usize = 14;
    match id.rfind(['+', '-']).filter(|_| id.len() > LONG) {
        Some(place) if id.as_bytes()[place] == b'+' => vec![id[..place].to_owned(), id[place..].to_owned()],
        Some(place) => vec![id[..=place].to_owned(), id[place + 1..].to_owned()],
        None => vec![id.to_owned()],
    }
}

/// Returns the marks of a row: how its backends differ, and whether something in it is not reviewed.
fn row_marks(row: &Row<'_>) -> String {
    let difference = match row.difference {
        Difference::None => " ",
        Difference::Wording => "~",
        Difference::Kind => "≠",
    };
    let is_open = |finding: &&Finding| matches!(finding.kind, FindingKind::Divergence | FindingKind::Violation);
    format!("{difference}{}", if row.findings.iter().any(is_open) { "?" } else { " " })
}

/// Returns the marks of a cell: whether it violates its rule, whether it differs from its snapshot.
fn cell_marks(row: &Row<'_>, cell: &CellReport) -> String {
    let mut marks = String::new();
    if cell.violates() {
        marks.push('!');
    }
    if row.has_finding(FindingKind::Changed, &cell.backend) {
        marks.push('*');
    }
    marks
}

/// Returns a cell in words: the verdict, the letter where backends differ, the marks.
fn word_cell(row: &Row<'_>, column: usize) -> String {
    let Some(cell) = row.cells[column] else { return "-".to_owned() };
    let word = match &cell.answer {
        Answer::Outcome(outcome) => outcome.verdict.as_str(),
        Answer::Varies { .. } => "VARIES",
        Answer::Failed { .. } => "NOT RUN",
    };
    let letter = letter_of(row, cell);
    let marks = cell_marks(row, cell);
    let tail = format!("{letter}{marks}");
    if tail.is_empty() { word.to_owned() } else { format!("{word} {tail}") }
}

fn letter_of<'a>(row: &Row<'a>, cell: &'a CellReport) -> &'a str {
    if row.difference == Difference::None {
        return "";
    }
    cell.outcome().map_or("", |outcome| &outcome.letter)
}

/// Returns a cell as one letter, for a matrix of many columns.
fn letter_cell<'a>(row: &Row<'a>, column: usize) -> &'a str {
    let Some(cell) = row.cells[column] else { return " " };
    match &cell.answer {
        Answer::Outcome(outcome) if outcome.verdict == Verdict::Unsupported => "-",
        Answer::Outcome(_) if row.difference == Difference::None => ".",
        Answer::Outcome(outcome) => &outcome.letter,
        Answer::Varies { .. } => "V",
        Answer::Failed { .. } => "X",
    }
}

/// Returns what the letters of a row stand for: `a completed, b, c panicked !`.
fn say_letters(row: &Row<'_>) -> String {
    let mut verdicts: Vec<(String, Vec<&str>)> = Vec::new();
    for (letter, cells) in row.outcomes() {
        let Some(outcome) = cells[0].outcome().filter(|outcome| outcome.verdict != Verdict::Unsupported) else {
            continue;
        };
        let marks = cell_marks(row, cells[0]);
        let space = if marks.is_empty() { "" } else { " " };
        let text = format!("{}{space}{marks}", outcome.verdict);
        match verdicts.iter_mut().find(|(known, _)| *known == text) {
            Some((_, letters)) => letters.push(letter),
            None => verdicts.push((text, vec![letter])),
        }
    }
    let is_divergent = row.difference != Difference::None;
    let say = |(text, letters): (String, Vec<&str>)| {
        if is_divergent { format!("{} {text}", letters.join(",")) } else { text }
    };
    let texts: Vec<String> = verdicts.into_iter().map(say).collect();
    let has_other = row.cells.iter().flatten().any(|cell| cell.outcome().is_none());
    match texts.is_empty() && !has_other {
        true => Verdict::Unsupported.to_string(),
        false => texts.join("; "),
    }
}

fn cell_style(row: &Row<'_>, cell: Option<&CellReport>) -> Style {
    match cell {
        Some(cell) if cell.outcome().is_none() || !row.findings.is_empty() && !cell_marks(row, cell).is_empty() => BAD,
        Some(cell) if cell.violates() => BAD,
        Some(_) if row.difference != Difference::None => DIVERGENT,
        _ => QUIET,
    }
}

struct Page {
    text: String,
    layout: Layout,
}

impl Page {
    fn line(&mut self, text: &str) {
        self.text.push_str(text.trim_end());
        self.text.push('\n');
    }

    fn paint(&self, style: Style, text: &str) -> String {
        self.layout.paint(style, text)
    }

    fn heading(&mut self, text: &str) {
        let text = self.paint(TITLE, text);
        self.line("");
        self.line(&text);
    }

    fn backends(&mut self, report: &Report, numbered: bool) {
        let facts = &report.suite;
        let repeat =
            if facts.repeat > 1 { format!(", each {} times in each seat", facts.repeat) } else { String::new() };
        let head =
            format!("{} on {}{repeat}", count(facts.scenarios, "scenario"), count(report.backends.len(), "backend"));
        let head = self.paint(TITLE, &head);
        self.line(&head);
        let id_width = report.backends.iter().map(|backend| backend.id.len()).max().unwrap_or(0);
        for (index, backend) in report.backends.iter().enumerate() {
            let number = if numbered { format!("{:>2}  ", index + 1) } else { String::new() };
            let (runtime, locks) = (&backend.runtime, &backend.locks);
            let locks = if locks == runtime {
                "its own locks".to_owned()
            } else {
                format!("locks of {} {}", locks.name, locks.version)
            };
            self.line(&format!("  {number}{:id_width$}  {} {}, {locks}", backend.id, runtime.name, runtime.version));
        }
    }

    fn matrix(&mut self, report: &Report, groups: &[Group<'_>], matrix: &Matrix) {
        self.line("");
        match &matrix.words {
            Some(widths) => self.word_heads(report, matrix.name, widths),
            None => self.letter_heads(report, matrix.name),
        }
        for group in groups {
            let shown: Vec<&Row<'_>> = group.rows.iter().filter(|row| is_shown(group, row)).collect();
            let title = if group.theme.is_empty() { "(no theme)" } else { group.theme };
            let title = self.paint(TITLE, title);
            let folded = fold(group, shown.len());
            self.line(&format!("{title}{folded}"));
            for row in shown {
                match &matrix.words {
                    Some(widths) => self.word_row(row, matrix.name, widths),
                    None => self.letter_row(row, matrix.name),
                }
            }
        }
    }

    fn word_heads(&mut self, report: &Report, name: usize, widths: &[usize]) {
        let heads: Vec<Vec<String>> = report.backends.iter().map(|backend| split_head(&backend.id)).collect();
        for level in 0..heads.iter().map(Vec::len).max().unwrap_or(0) {
            let mut line = " ".repeat(MARGIN + name);
            for (head, width) in heads.iter().zip(widths) {
                let _ = write!(line, "  {:width$}", head.get(level).map_or("", String::as_str));
            }
            let line = self.paint(TITLE, line.trim_end());
            self.line(&line);
        }
    }

    /// The numbers of the backends, tens above units.
    fn letter_heads(&mut self, report: &Report, name: usize) {
        let indent = " ".repeat(MARGIN + name + GAP);
        let numbers = 1..=report.backends.len();
        let tens: String = numbers
            .clone()
            .map(|number| if number < 10 { "  ".to_owned() } else { format!("{} ", number / 10 % 10) })
            .collect();
        let units: String = numbers.map(|number| format!("{} ", number % 10)).collect();
        for digits in [tens, units].iter().filter(|digits| !digits.trim().is_empty()) {
            let line = self.paint(TITLE, format!("{indent}{digits}").trim_end());
            self.line(&line);
        }
    }

    fn name(&mut self, row: &Row<'_>, name: usize) -> String {
        let marks = row_marks(row);
        let style = if marks.contains('?') { BAD } else { DIVERGENT };
        let text = stem(row);
        if width(text) <= name {
            return format!("{}  {text:name$}", self.paint(style, &marks));
        }
        let line = format!("{}  {text}", self.paint(style, &marks));
        self.line(&line);
        " ".repeat(MARGIN + name)
    }

    fn word_row(&mut self, row: &Row<'_>, name: usize, widths: &[usize]) {
        let mut line = self.name(row, name);
        for (column, width) in widths.iter().enumerate() {
            let text = word_cell(row, column);
            let padding = " ".repeat(width - self::width(&text).min(*width));
            let _ = write!(line, "  {}{padding}", self.paint(cell_style(row, row.cells[column]), &text));
        }
        self.line(&line);
    }

    fn letter_row(&mut self, row: &Row<'_>, name: usize) {
        let mut line = self.name(row, name);
        line.push_str("  ");
        for column in 0..row.cells.len() {
            let text = letter_cell(row, column);
            let _ = write!(line, "{} ", self.paint(cell_style(row, row.cells[column]), text));
        }
        let _ = write!(line, " {}", say_letters(row));
        self.line(&line);
    }

    fn legend(&mut self, groups: &[Group<'_>], letters: bool) {
        let rows = || groups.iter().flat_map(|group| &group.rows);
        let cells = || rows().flat_map(|row| row.cells.iter().flatten().map(move |cell| (row, *cell)));
        let has = |kind| rows().any(|row| row.findings.iter().any(|finding| finding.kind == kind));
        let is_difference = |wanted| rows().any(|row| row.difference == wanted);
        let marks = [
            (is_difference(Difference::Kind), "≠", "the backends behave differently"),
            (is_difference(Difference::Wording), "~", "they differ only in the wording of messages"),
            (
                rows().any(|row| row.difference != Difference::None),
                "a b",
                "in one row, the same letter is the same transcript",
            ),
            (cells().any(|(_, cell)| cell.violates()), "!", "it violates the rule of its scenario"),
            (
                has(FindingKind::Divergence) || has(FindingKind::Violation),
                "?",
                "no entry of the ledger explains all of it",
            ),
            (has(FindingKind::Changed), "*", "it differs from its snapshot"),
            (letters, ".", "the same as all others"),
            (letters, "-", "the backend declares that it lacks an operation of the scenario"),
            (letters, "V X", "two runs differ; not run"),
        ];
        let shown: Vec<String> = marks
            .iter()
            .filter(|(is_used, ..)| *is_used)
            .map(|(_, mark, meaning)| format!("  {mark:<4}{meaning}"))
            .collect();
        if !shown.is_empty() {
            self.heading("marks");
            shown.iter().for_each(|line| self.line(line));
        }
    }

    /// Prints every outcome of every cell that varies.
    fn variants(&mut self, report: &Report) {
        for cell in &report.cells {
            let Answer::Varies { variants } = &cell.answer else { continue };
            self.heading(&format!("two runs differ: {} on {}", cell.scenario, cell.backend));
            for variant in variants {
                self.line(&format!(
                    "  {} first seen with the conductor in seat {}:",
                    count(variant.count, "run"),
                    variant.seat
                ));
                variant.transcript.iter().for_each(|line| self.line(&format!("    {line}")));
            }
            for pair in variants.windows(2) {
                self.line("  as a diff:");
                let diff = unified(&pair[0].transcript, &pair[1].transcript);
                diff.iter().for_each(|line| self.line(&format!("    {line}")));
            }
        }
    }

    fn findings(&mut self, findings: &[Finding]) {
        for same in findings.chunk_by(|one, next| one.kind == next.kind) {
            let hint = if same[0].scenario.is_some() { "; `keyalike show SCENARIO` shows one" } else { "" };
            let hint =
                if same[0].kind == FindingKind::Changed { "; run the tests, then `cargo insta review`" } else { hint };
            self.heading(&format!("{} ({}){hint}", same[0].kind.title(), same.len()));
            let width = same.iter().filter_map(|finding| Some(width(finding.scenario.as_ref()?.as_str()))).max();
            for finding in same {
                let Some(scenario) = &finding.scenario else {
                    self.line(&format!("  {}; {}", finding.message, finding.hint));
                    continue;
                };
                self.line(&format!("  {scenario:width$}  {}", finding.message, width = width.unwrap_or(0)));
            }
        }
    }

    fn summary(&mut self, report: &Report) {
        let summary = &report.summary;
        self.heading("summary");
        let of_cells = format!(
            "{} of {} executed, {} unsupported, {} varying, {} not run",
            summary.executed, summary.expected, summary.unsupported, summary.varying, summary.failed
        );
        self.line(&format!("  cells        {of_cells}"));
        self.line(&format!(
            "  divergences  {} of {}, {} of them in wording only; {} reviewed",
            summary.divergent,
            count(report.suite.scenarios, "scenario"),
            summary.divergent_in_wording,
            summary.divergent_reviewed
        ));
        let violations = count(summary.violations, "cell");
        self.line(&format!("  violations   {violations}; {} reviewed", summary.violations_reviewed));
        self.line(&format!(
            "  snapshots    {} compared, {} changed, {} missing",
            summary.snapshots, summary.snapshots_changed, summary.snapshots_missing
        ));
        self.line(&format!("  ledger       {}", count_entries(summary.stale)));
        let style = if report.status() == Status::Expected { GOOD } else { BAD };
        let text = match say_status(report) {
            (status, None) => status.to_owned(),
            (status, Some(counts)) => format!("{status}: {counts}"),
        };
        let text = self.paint(style, &text);
        self.line("");
        self.line(&text);
    }
}

/// Returns what a folded theme says of the rows that are not drawn.
fn fold(group: &Group<'_>, shown: usize) -> String {
    if !group.generated {
        return String::new();
    }
    let (wording, quiet): (Vec<&Row<'_>>, Vec<&Row<'_>>) =
        group.rows.iter().filter(|row| !is_shown(group, row)).partition(|row| is_wording(row));
    let mut verdicts: BTreeMap<Verdict, usize> = BTreeMap::new();
    for row in &quiet {
        let outcomes = row.cells.iter().flatten().filter_map(|cell| cell.outcome());
        let verdict = outcomes.map(|outcome| outcome.verdict).min().unwrap_or(Verdict::Unsupported);
        *verdicts.entry(verdict).or_default() += 1;
    }
    let mut tally: Vec<(Verdict, usize)> = verdicts.into_iter().collect();
    tally.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
    let tally: Vec<String> = tally.iter().map(|(verdict, number)| format!("{verdict} {number}")).collect();
    let total = count(group.rows.len(), "scenario");
    if quiet.len() == group.rows.len() {
        return format!(": {total}, all alike: {}", tally.join(", "));
    }
    let parts = [
        (quiet.len(), format!("{} alike ({})", quiet.len(), tally.join(", "))),
        (wording.len(), format!("{} differ in wording only", wording.len())),
        (shown, format!("{shown} in full")),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|(number, _)| *number > 0).map(|(_, text)| text).collect();
    format!(": {total}: {}", parts.join(", "))
}

/// Says how the run ended, and how many findings of each kind there are, if there are any.
pub(super) fn say_status(report: &Report) -> (&'static str, Option<String>) {
    let counts = || Some(say_counts(&report.findings));
    match report.status() {
        Status::Expected if report.summary.ran() < report.summary.expected => ("as expected, as far as it came", None),
        Status::Expected => ("as expected", None),
        Status::Unexpected => ("not as expected", counts()),
        Status::Failed => ("failed", counts()),
    }
}

/// Counts findings by their kind: `3 unreviewed violations, 1 stale ledger entry`.
fn say_counts(findings: &[Finding]) -> String {
    let kinds = findings.chunk_by(|one, next| one.kind == next.kind);
    let texts: Vec<String> = kinds.map(|same| format!("{} x {}", same.len(), same[0].kind.title())).collect();
    texts.join(", ")
}

fn count_entries(stale: usize) -> String {
    match stale {
        1 => "1 stale entry".to_owned(),
        _ => format!("{stale} stale entries"),
    }
}
