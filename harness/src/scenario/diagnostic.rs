//! What is wrong with a scenario's text, where it stands, and how to put it right.
//!
//! A diagnostic is plain data: it can be sorted, serialised for an editor, or rendered with an excerpt of the text.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde::{Deserialize, Serialize};

/// A stretch of one line of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Location {
    /// The line, from 1.
    pub line: usize,
    /// The first character, from 1, counted in characters.
    pub column: usize,
    /// How many characters it is long; 0 is a place between two characters.
    pub length: usize,
}

impl Location {
    /// Returns the stretch from the start of `self` to the end of `last`, which stands on the same line.
    pub fn to(self, last: Location) -> Location {
        let length = (last.column + last.length).saturating_sub(self.column);
        Location { length, ..self }
    }
}

/// How bad a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The text is no scenario.
    Error,
    /// The text is a scenario, and this is surely not meant.
    Warning,
}

/// One thing that is wrong with a scenario's text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The line, from 1.
    pub line: usize,
    /// The first character, from 1, counted in characters; a byte order mark is not counted.
    pub column: usize,
    /// How many characters are meant; 0 is the place before the character.
    pub length: usize,
    /// What is wrong, in lower case and without a full stop.
    pub message: String,
    /// What could stand there instead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expected: Vec<String>,
    /// How to put it right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Diagnostic {
    /// Returns an error at `location`.
    pub fn error(location: Location, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, location, message.into())
    }

    /// Returns a warning at `location`.
    pub fn warning(location: Location, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, location, message.into())
    }

    fn new(severity: Severity, Location { line, column, length }: Location, message: String) -> Self {
        Self { severity, line, column, length, message, expected: Vec::new(), hint: None }
    }

    /// Adds something that could stand there instead.
    #[must_use]
    pub fn expecting(mut self, expected: impl Into<String>) -> Self {
        self.expected.push(expected.into());
        self
    }

    /// Says how to put it right.
    #[must_use]
    pub fn hinting(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says how to put it right, if that is known.
    #[must_use]
    pub fn maybe_hinting(mut self, hint: Option<String>) -> Self {
        self.hint = hint.or(self.hint);
        self
    }

    /// Returns where it stands.
    pub fn location(&self) -> Location {
        Location { line: self.line, column: self.column, length: self.length }
    }

    /// Renders it with the line of `source` that it speaks of, under the name `path`, with no line break at the end.
    ///
    /// A `source` that is not the diagnosed text gives a wrong excerpt, never a panic.
    pub fn render(&self, path: &str, source: &str, colour: bool) -> String {
        let excerpt = Excerpt::of(source, self.location());
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let label = (!self.expected.is_empty()).then(|| format!("expected {}", one_of(&self.expected)));
        let snippet = Snippet::source(excerpt.text.as_str())
            .line_start(self.line)
            .path(path)
            .annotation(AnnotationKind::Primary.span(excerpt.bytes).label(label));
        let mut group = level.primary_title(self.message.as_str()).element(snippet);
        if let Some(hint) = &self.hint {
            group = group.element(Level::HELP.message(hint.as_str()));
        }
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        renderer.decor_style(DecorStyle::Ascii).render(&[group])
    }
}

/// The diagnosed line, cut to a width that a terminal bears, and the bytes of it that are meant.
struct Excerpt {
    text: String,
    bytes: std::ops::Range<usize>,
}

impl Excerpt {
    /// How many characters of a line are shown on either side of what is meant, and how many of that itself.
    const CHARACTERS_MAX: usize = 240;

    fn of(source: &str, location: Location) -> Self {
        let source = source.strip_prefix('\u{feff}').unwrap_or(source);
        let line = source.split('\n').nth(location.line.saturating_sub(1)).unwrap_or("");
        let line = line.strip_suffix('\r').unwrap_or(line);
        // A cut would shift the columns, so only the tail of a long line is cut, unless the place is far to the right.
        let before = location.column.saturating_sub(1);
        let kept =
            before.saturating_add(location.length.min(Self::CHARACTERS_MAX)).saturating_add(Self::CHARACTERS_MAX);
        let text: String = line.chars().take(kept).collect();
        let byte_of = |characters: usize| text.char_indices().nth(characters).map_or(text.len(), |(byte, _)| byte);
        let start = byte_of(before);
        let end = byte_of(before.saturating_add(location.length.min(Self::CHARACTERS_MAX)));
        Self { bytes: start..end, text }
    }
}

fn one_of(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [word] => word.clone(),
        [rest @ .., last] => format!("{} or {last}", rest.join(", ")),
    }
}

/// How many characters a word may have to be compared with the known words, and how many of one are quoted.
const WORD_CHARACTERS_MAX: usize = 40;

/// Returns the known word that `word` was probably meant to be, if one is near.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let length = word.chars().count();
    if length > WORD_CHARACTERS_MAX {
        return None;
    }
    let lower = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&lower, &candidate.to_lowercase()), candidate))
        // A third of a word may be wrong, and one letter of a short one; a word of one letter is like any other.
        .filter(|(distance, candidate)| {
            let longer = length.max(candidate.chars().count());
            *distance <= (longer / 3).max(1) && *distance < longer
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Returns `did you mean ...` for the nearest known word, if one is near.
pub fn did_you_mean<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<String> {
    nearest(word, known).map(|known| format!("did you mean `{known}`?"))
}

/// Returns `word` between backticks, cut if it is long.
pub(crate) fn ticked(word: &str) -> String {
    match word.char_indices().nth(WORD_CHARACTERS_MAX) {
        Some((end, _)) => format!("`{}...`", &word[..end]),
        None => format!("`{word}`"),
    }
}
