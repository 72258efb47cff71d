//! Comment and blank lines that wait for the line to which they belong.

/// The comment lines since the last line with words.
#[derive(Default)]
pub(super) struct Comments {
    lines: Vec<String>,
    /// Where the last block of comments without a blank line in it begins.
    last_block: usize,
    blank_before: bool,
    blank_behind: bool,
}

impl Comments {
    /// Adds a comment line. A blank line between two blocks becomes an empty comment.
    pub(super) fn comment(&mut self, text: &str) {
        if std::mem::take(&mut self.blank_behind) {
            self.lines.push(String::new());
            self.last_block = self.lines.len();
        }
        self.lines.push(text.to_owned());
    }

    /// Adds a blank line.
    pub(super) fn blank(&mut self) {
        match self.lines.is_empty() {
            true => self.blank_before = true,
            false => self.blank_behind = true,
        }
    }

    /// Returns whether a blank line stands before or behind the comments.
    pub(super) fn has_blank(&self) -> bool {
        self.blank_before || self.blank_behind
    }

    /// Takes all comments.
    pub(super) fn take(&mut self) -> Vec<String> {
        std::mem::take(self).lines
    }

    /// Takes all comments, apart: those that a blank line separates from what follows, and those that touch it.
    pub(super) fn take_split(&mut self) -> (Vec<String>, Vec<String>) {
        let Comments { mut lines, last_block, blank_behind, .. } = std::mem::take(self);
        if blank_behind {
            return (lines, Vec::new());
        }
        let touching = lines.split_off(last_block);
        // The empty comment that stood for the blank line between the two.
        lines.pop();
        (lines, touching)
    }
}
