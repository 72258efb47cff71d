//! One outcome with a column for each task: time runs down, and what follows from a step stands in its task's column.

use crate::report::CellReport;
use crate::report::paint::{Layout, TITLE, grid, width};
use crate::report::side_by_side::{Side, blocks, heading, say_grade, sides, without_outcome};
use crate::scenario::name::TaskName;

/// How narrow a column may become.
const COLUMN_MIN: usize = 12;

/// The names of the lines below the script.
const CLOSING: [&str; 7] = ["end", "probe", "rest", "order", "verdict", "because", "also"];

/// Puts each distinct outcome of one scenario into columns.
pub fn render(cells: &[CellReport], layout: Layout) -> String {
    let sides = sides(cells);
    let mut lines: Vec<String> = Vec::new();
    for (place, side) in sides.iter().enumerate() {
        if place > 0 {
            lines.push(String::new());
        }
        lines.push(layout.paint(TITLE, &heading(side, sides.len() > 1)));
        lines.extend(columns(side, layout));
    }
    lines.extend(without_outcome(cells, layout));
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// A column: that of the conductor, or of the tasks of one letter.
type Column = Option<char>;

fn columns(side: &Side<'_>, layout: Layout) -> Vec<String> {
    let blocks = blocks(&side.outcome.transcript);
    let closing_at = blocks.iter().rposition(|(step, _)| !CLOSING.contains(&step.as_str())).map_or(0, |last| last + 1);
    let (script, closing) = blocks.split_at(closing_at);
    let rows: Vec<Vec<(Column, String)>> = script.iter().map(|(step, result)| row(step, result)).collect();
    let mut columns: Vec<Column> = rows.iter().flatten().map(|(column, _)| *column).collect();
    columns.sort_unstable();
    columns.dedup();
    let mut grid_rows: Vec<(String, Vec<String>)> = vec![(String::new(), columns.iter().map(head).collect())];
    for row in &rows {
        let texts = |column: &Column| {
            let own: Vec<&str> = row.iter().filter(|(of, _)| of == column).map(|(_, text)| text.as_str()).collect();
            own.join("\n")
        };
        grid_rows.push((String::new(), columns.iter().map(texts).collect()));
    }
    let mut lines = grid(&grid_rows, &widths(&grid_rows, columns.len(), layout.width));
    if let Some(head) = lines.first_mut() {
        *head = layout.paint(TITLE, head);
    }
    lines.push(String::new());
    let mut facts: Vec<(String, Vec<String>)> =
        closing.iter().map(|(name, text)| (String::new(), vec![name.clone(), text.clone()])).collect();
    facts.push((String::new(), vec!["grade".to_owned(), say_grade(side.outcome)]));
    let room = layout.width.map_or(usize::MAX / 2, |width| width.saturating_sub(13).max(COLUMN_MIN));
    let widest = facts.iter().map(|(_, cells)| width(&cells[1])).max().unwrap_or(0);
    lines.extend(grid(&facts, &[7, widest.min(room)]));
    lines
}

fn head(column: &Column) -> String {
    column.map_or_else(|| "conductor".to_owned(), |letter| letter.to_string())
}

/// Gives a step and what came of it out to columns.
fn row(step: &str, result: &str) -> Vec<(Column, String)> {
    let (actor, deed) = match step.split_once(' ').map(|(who, deed)| (task(who), who, deed)) {
        Some((Some(letter), who, deed)) if who.len() == 1 => (Some(letter), deed.to_owned()),
        Some((Some(letter), _, _)) => (Some(letter), step.to_owned()),
        _ => (None, step.to_owned()),
    };
    let mut lines = result.split('\n');
    let mut parts = lines.next().unwrap_or_default().split("; ");
    let own = parts.next().unwrap_or_default();
    let mut cells = vec![(actor, if own.is_empty() { deed } else { format!("{deed}: {own}") })];
    cells.extend(lines.map(|message| (actor, message.to_owned())));
    for part in parts {
        let (who, what) = part.split_once(' ').unwrap_or((part, ""));
        match task(who.trim_end_matches("'s")) {
            Some(letter) if who.len() == 1 => cells.push((Some(letter), what.to_owned())),
            Some(letter) => cells.push((Some(letter), part.to_owned())),
            None => cells.push((actor, part.to_owned())),
        }
    }
    cells
}

/// Returns the letter of a task or a crowd.
fn task(who: &str) -> Option<char> {
    let name = who.split_once('[').map_or(who, |(letter, _)| letter);
    name.parse::<TaskName>().ok().map(TaskName::letter)
}

fn widths(rows: &[(String, Vec<String>)], columns: usize, room: Option<usize>) -> Vec<usize> {
    let natural =
        |column: usize| rows.iter().flat_map(|(_, cells)| cells[column].split('\n').map(width)).max().unwrap_or(0);
    let mut widths: Vec<usize> = (0..columns).map(natural).collect();
    let Some(room) = room.map(|room| room.saturating_sub(4 + 2 * columns)) else { return widths };
    while widths.iter().sum::<usize>() > room {
        match widths.iter_mut().max() {
            Some(widest) if *widest > COLUMN_MIN => *widest -= 1,
            _ => break,
        }
    }
    widths
}
