//! What several backends did with one scenario, side by side: a column for each distinct outcome.
//!
//! Backends that agree share a column, and rows that differ are marked, so that the eye goes to them.

use similar::{Algorithm, DiffOp, capture_diff_slices};

use crate::outcome::is_message;
use crate::report::paint::{BAD, DIVERGENT, Layout, QUIET, TITLE, count, grid, width};
use crate::report::{Answer, CellReport, OutcomeReport};
use crate::transcript::render::RESULT_COLUMN;
use crate::verdict::{Grade, Verdict};

/// How narrow a column may become before the outcomes are told one below the other.
const COLUMN_MIN: usize = 22;

/// One distinct outcome and the backends that came to it.
#[derive(Clone, Debug)]
pub struct Side<'a> {
    /// Its letter; empty if there is only one.
    pub letter: &'a str,
    /// The outcome.
    pub outcome: &'a OutcomeReport,
    /// Who came to it.
    pub backends: Vec<&'a str>,
}

/// Groups the cells of one scenario by their outcomes, in the order of the letters. What is unsupported comes last.
pub fn sides(cells: &[CellReport]) -> Vec<Side<'_>> {
    let mut sides: Vec<Side<'_>> = Vec::new();
    for cell in cells {
        let Some(outcome) = cell.outcome() else { continue };
        match sides.iter_mut().find(|side| side.outcome.transcript == outcome.transcript) {
            Some(side) => side.backends.push(&cell.backend),
            None => sides.push(Side { letter: &outcome.letter, outcome, backends: vec![&cell.backend] }),
        }
    }
    sides.sort_by_key(|side| (side.outcome.verdict == Verdict::Unsupported, side.letter.len(), side.letter));
    sides
}

/// Puts the cells of one scenario side by side.
pub fn render(cells: &[CellReport], layout: Layout) -> String {
    let sides = sides(cells);
    let mut lines: Vec<String> = Vec::new();
    if !sides.is_empty() {
        let rows = align(&sides);
        match widths(&rows, &sides, layout.width) {
            Some(widths) => lines.extend(table(&rows, &sides, &widths, layout)),
            None => {
                let told: Vec<Vec<String>> = sides.iter().map(|side| alone(side, sides.len() > 1, layout)).collect();
                lines.extend(told.join(&String::new()));
            }
        }
    }
    lines.extend(without_outcome(cells, layout));
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Returns the heading of an outcome: its letter, if there are several, and who came to it.
pub(super) fn heading(side: &Side<'_>, is_lettered: bool) -> String {
    let letter = if is_lettered && !side.letter.is_empty() { format!("{}: ", side.letter) } else { String::new() };
    format!("{letter}{}", side.backends.join(", "))
}

/// Returns the lines for cells that have no outcome.
pub(super) fn without_outcome(cells: &[CellReport], layout: Layout) -> Vec<String> {
    let mut lines = Vec::new();
    for cell in cells.iter().filter(|cell| cell.outcome().is_none()) {
        lines.push(String::new());
        match &cell.answer {
            Answer::Outcome(_) => {}
            Answer::Failed { error } => lines.push(layout.paint(BAD, &format!("{}: not run: {error}", cell.backend))),
            Answer::Varies { variants } => {
                lines.push(layout.paint(BAD, &format!("{}: two runs differ", cell.backend)));
                for variant in variants {
                    let runs = count(variant.count, "run");
                    lines.push(format!("  {runs}, first seen with the conductor in seat {}:", variant.seat));
                    lines.extend(variant.transcript.iter().map(|line| format!("    {line}")));
                }
            }
        }
    }
    lines
}

/// A step with what came of it in each outcome. Messages stand on lines of their own, below.
struct Aligned {
    step: String,
    results: Vec<Option<String>>,
}

/// Splits an outcome into its steps, each with what came of it and the messages below.
pub(super) fn blocks(lines: &[String]) -> Vec<(String, String)> {
    let mut blocks: Vec<(String, String)> = Vec::new();
    for line in lines {
        match blocks.last_mut() {
            Some((_, result)) if is_message(line) => {
                result.push_str("\n  ");
                result.push_str(line[RESULT_COLUMN..].trim_end());
            }
            _ => blocks.push(split(line)),
        }
    }
    blocks
}

/// Splits a line at the two spaces or more that set a step apart from what came of it.
fn split(line: &str) -> (String, String) {
    let at = line.char_indices().map(|(byte, _)| byte).filter(|byte| *byte >= RESULT_COLUMN - 2);
    match at.into_iter().find(|byte| line[*byte..].starts_with("  ")) {
        Some(byte) => (line[..byte].trim_end().to_owned(), line[byte..].trim().to_owned()),
        None => (line.trim().to_owned(), String::new()),
    }
}

/// Brings the steps of all outcomes into one order.
fn align(sides: &[Side<'_>]) -> Vec<Aligned> {
    let mut rows: Vec<Aligned> = Vec::new();
    for (place, side) in sides.iter().enumerate() {
        let blocks = with_grade(side);
        let known: Vec<String> = rows.iter().map(|row| row.step.clone()).collect();
        let new: Vec<String> = blocks.iter().map(|(step, _)| step.clone()).collect();
        let mut merged: Vec<Aligned> = Vec::new();
        let mut old = rows.into_iter();
        let insert = |merged: &mut Vec<Aligned>, range: std::ops::Range<usize>| {
            for (step, result) in &blocks[range] {
                let mut results = vec![None; place];
                results.push(Some(result.clone()));
                merged.push(Aligned { step: step.clone(), results });
            }
        };
        let keep = |merged: &mut Vec<Aligned>, rows: &mut dyn Iterator<Item = Aligned>, count: usize| {
            merged.extend(rows.take(count).map(|mut row| {
                row.results.push(None);
                row
            }));
        };
        for operation in capture_diff_slices(Algorithm::Myers, &known, &new) {
            match operation {
                DiffOp::Equal { new_index, len, .. } => {
                    for (row, (_, result)) in old.by_ref().take(len).zip(&blocks[new_index..new_index + len]) {
                        let mut row = row;
                        row.results.push(Some(result.clone()));
                        merged.push(row);
                    }
                }
                DiffOp::Delete { old_len, .. } => keep(&mut merged, &mut old, old_len),
                DiffOp::Insert { new_index, new_len, .. } => insert(&mut merged, new_index..new_index + new_len),
                DiffOp::Replace { old_len, new_index, new_len, .. } => {
                    keep(&mut merged, &mut old, old_len);
                    insert(&mut merged, new_index..new_index + new_len);
                }
            }
        }
        rows = merged;
    }
    rows
}

/// Returns the steps of an outcome, and the grade as a last one.
fn with_grade(side: &Side<'_>) -> Vec<(String, String)> {
    let mut blocks = blocks(&side.outcome.transcript);
    blocks.push(("grade".to_owned(), say_grade(side.outcome)));
    blocks
}

/// Returns the grade with its sentence.
pub fn say_grade(outcome: &OutcomeReport) -> String {
    match (&outcome.sentence, outcome.grade) {
        (Some(sentence), Grade::Violates) => format!("violates !: {sentence}"),
        (Some(sentence), grade) => format!("{grade}: {sentence}"),
        (None, Grade::Violates) => "violates !".to_owned(),
        (None, grade) => grade.to_string(),
    }
}

/// Returns the widths of the columns, or nothing if they would become too narrow.
fn widths(rows: &[Aligned], sides: &[Side<'_>], room: Option<usize>) -> Option<Vec<usize>> {
    let longest = |text: &str| text.split('\n').map(width).max().unwrap_or(0);
    let step = rows.iter().map(|row| width(&row.step)).max().unwrap_or(0);
    let natural = |side: usize| {
        let results = rows.iter().filter_map(|row| row.results[side].as_deref().map(longest));
        results.chain([heading(&sides[side], true).len().min(COLUMN_MIN * 2)]).max().unwrap_or(0)
    };
    let mut widths: Vec<usize> = (0..sides.len()).map(natural).collect();
    if let Some(room) = room {
        let room = room.checked_sub(4 + step + 2 * sides.len())?;
        // The widest gives way until all fit.
        while widths.iter().sum::<usize>() > room {
            let widest = widths.iter_mut().max()?;
            if *widest <= COLUMN_MIN {
                return None;
            }
            *widest -= 1;
        }
    }
    widths.insert(0, step);
    Some(widths)
}

fn table(rows: &[Aligned], sides: &[Side<'_>], widths: &[usize], layout: Layout) -> Vec<String> {
    let is_lettered = sides.len() > 1;
    let mut heads = vec![String::new()];
    heads.extend(sides.iter().map(|side| heading(side, is_lettered)));
    let mut lines: Vec<String> =
        grid(&[(String::new(), heads)], widths).iter().map(|line| layout.paint(TITLE, line)).collect();
    for row in rows {
        let mark = mark(row);
        let mut cells = vec![row.step.clone()];
        cells.extend(row.results.iter().map(|result| result.clone().unwrap_or_else(|| "-".to_owned())));
        let style = if mark.trim().is_empty() { None } else { Some(DIVERGENT) };
        for line in grid(&[(mark.to_owned(), cells)], widths) {
            lines.push(style.map_or_else(|| line.clone(), |style| layout.paint(style, &line)));
        }
    }
    if is_lettered {
        let legend = "≠ differs in behaviour, ~ only in the wording of messages";
        lines.extend([String::new(), layout.paint(QUIET, legend)]);
    }
    lines
}

/// Returns how a row differs: in what happened, in its messages, or not at all.
fn mark(row: &Aligned) -> &'static str {
    let first = &row.results[0];
    let kind = |result: &Option<String>| result.as_ref().map(|text| text.split('\n').next().unwrap_or("").to_owned());
    if row.results.iter().all(|result| result == first) {
        ""
    } else if row.results.iter().all(|result| kind(result) == kind(first)) {
        "~"
    } else {
        "≠"
    }
}

/// Returns an outcome with its heading, for columns that would be too narrow.
fn alone(side: &Side<'_>, is_lettered: bool, layout: Layout) -> Vec<String> {
    let mut lines = vec![layout.paint(TITLE, &heading(side, is_lettered))];
    lines.extend(side.outcome.transcript.iter().map(|line| format!("  {line}")));
    lines.push(format!("  {:width$}  {}", "grade", say_grade(side.outcome), width = RESULT_COLUMN - 2));
    lines
}
