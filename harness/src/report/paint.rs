//! How much room a text has and which colours it may show.
//!
//! Colour only repeats what characters say already, so that every text reads the same without it.

use anstyle::{AnsiColor, Style};

/// How much room there is, and of what kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct Layout {
    /// The width in columns; nothing if it is not bounded.
    pub width: Option<usize>,
    /// Whether colours are shown.
    pub colour: bool,
}

/// Headings.
pub const TITLE: Style = Style::new().bold();
pub(crate) const QUIET: Style = Style::new().dimmed();
pub(crate) const DIVERGENT: Style = AnsiColor::Yellow.on_default();
/// What went wrong, and what a diff takes away.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// What went right, and what a diff adds.
pub const GOOD: Style = AnsiColor::Green.on_default();

impl Layout {
    /// Returns `text` in `style` where colours are shown, and as it is elsewhere.
    pub fn paint(self, style: Style, text: &str) -> String {
        if self.colour && !text.trim().is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

/// Returns a number with its noun: `1 scenario`, `2 scenarios`.
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Returns how many columns a text takes.
pub(super) fn width(text: &str) -> usize {
    text.chars().count()
}

/// Splits a text into lines of at most `width` columns, at spaces where there are some. Lines that follow are indented
/// by two columns, so that they are seen to belong to the first.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let mut word = word;
        while self::width(&line) + 1 + self::width(word) > width && !line.is_empty() && line != "  " {
            lines.push(std::mem::replace(&mut line, "  ".to_owned()));
        }
        // A word that is longer than a line is cut.
        while self::width(&line) + self::width(word) > width.max(8) {
            let room = width.max(8) - self::width(&line);
            let (head, tail) = word.split_at(word.char_indices().nth(room).map_or(word.len(), |(byte, _)| byte));
            line.push_str(head);
            lines.push(std::mem::replace(&mut line, "  ".to_owned()));
            word = tail;
        }
        if !line.is_empty() && line != "  " {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

/// Lays out rows of cells in columns, each cell wrapped to the width of its column. The first string of a row is a mark
/// that stands before it.
pub(super) fn grid(rows: &[(String, Vec<String>)], widths: &[usize]) -> Vec<String> {
    let mut lines = Vec::new();
    for (mark, cells) in rows {
        let cells: Vec<Vec<String>> = cells
            .iter()
            .zip(widths)
            .map(|(cell, width)| cell.split('\n').flat_map(|line| wrap(line, *width)).collect())
            .collect();
        for level in 0..cells.iter().map(Vec::len).max().unwrap_or(0) {
            let mut line = format!("{:2}", if level == 0 { mark } else { "" });
            for (cell, width) in cells.iter().zip(widths) {
                let text = cell.get(level).map_or("", String::as_str);
                line.push_str(&format!("{text:width$}  "));
            }
            lines.push(line.trim_end().to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::short("released", 20, &["released"])]
    #[case::at_spaces("released; B acquired", 12, &["released; B", "  acquired"])]
    #[case::long_word("abcdefghijklmnop", 10, &["abcdefghij", "  klmnop"])]
    #[case::empty("", 10, &[""])]
    fn a_text_is_wrapped_within_its_width(#[case] text: &str, #[case] width: usize, #[case] expected: &[&str]) {
        assert_eq!(wrap(text, width), expected);
    }
}
