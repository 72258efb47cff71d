//! Splits one line into words, quoted texts, semicolons and a comment.

use crate::scenario::diagnostic::{Diagnostic, Location};

/// One line of the text.
pub(super) struct SourceLine<'t> {
    /// The words, quoted texts and semicolons, in order.
    pub(super) tokens: Vec<Token<'t>>,
    /// What stands before the comment.
    pub(super) code: &'t str,
    /// What stands behind the `#`, without the space after it.
    pub(super) comment: Option<&'t str>,
    /// Where the line has the number and ends.
    pub(super) end: Location,
}

/// One word, quoted text or semicolon.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind<'t>,
    pub(super) location: Location,
    /// The byte in the line at which it ends.
    pub(super) end_byte: usize,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind<'t> {
    /// Anything without spaces, quotes and semicolons.
    Word(&'t str),
    /// What stands between two quotes, with its escapes.
    Quoted(&'t str),
    /// `;`
    Semicolon,
}

impl<'t> Token<'t> {
    /// Returns the word, or the text between quotes, for a message.
    pub(super) fn text(&self) -> &'t str {
        match self.kind {
            Kind::Word(text) | Kind::Quoted(text) => text,
            Kind::Semicolon => ";",
        }
    }
}

/// Splits `text`, the line with the number `line`.
///
/// # Errors
///
/// A quote that is not closed, or a character that has no place in a scenario.
pub(super) fn split(line: usize, text: &str) -> Result<SourceLine<'_>, Diagnostic> {
    let mut scan = Scan { text, line, byte: 0, column: 1 };
    let mut tokens = Vec::new();
    let mut comment = None;
    let mut code_end = text.len();
    while let Some(character) = scan.peek() {
        let (byte, location) = (scan.byte, scan.here(1));
        let kind = match character {
            ' ' | '\t' => {
                scan.bump();
                continue;
            }
            '#' => {
                scan.bump();
                let rest = scan.rest_of_comment()?;
                comment = Some(rest.strip_prefix([' ', '\t']).unwrap_or(rest).trim_end_matches([' ', '\t']));
                code_end = byte;
                break;
            }
            ';' => {
                scan.bump();
                Kind::Semicolon
            }
            '"' => Kind::Quoted(scan.quoted()?),
            _ => Kind::Word(scan.word()?),
        };
        let length = scan.column - location.column;
        tokens.push(Token { kind, location: Location { length, ..location }, end_byte: scan.byte });
    }
    // The end of the code, not of the line: what is missing is missing before the spaces and the comment.
    let end = tokens.last().map_or(Location { line, column: 1, length: 0 }, |last| Location {
        line,
        column: last.location.column + last.location.length,
        length: 0,
    });
    Ok(SourceLine { tokens, code: &text[..code_end], comment, end })
}

struct Scan<'t> {
    text: &'t str,
    line: usize,
    byte: usize,
    column: usize,
}

impl<'t> Scan<'t> {
    fn peek(&self) -> Option<char> {
        self.text[self.byte..].chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.byte += character.len_utf8();
        self.column += 1;
        Some(character)
    }

    fn here(&self, length: usize) -> Location {
        Location { line: self.line, column: self.column, length }
    }

    fn word(&mut self) -> Result<&'t str, Diagnostic> {
        let start = self.byte;
        while let Some(character) = self.peek() {
            match character {
                ' ' | '\t' | ';' | '"' => break,
                _ if character.is_control() => return Err(self.control(character)),
                _ if character.is_whitespace() || character == '\u{feff}' => {
                    return Err(Diagnostic::error(
                        self.here(1),
                        format!("U+{:04X} is no plain space", character as u32),
                    )
                    .expecting("a space")
                    .hinting("write the space anew"));
                }
                _ => self.bump(),
            };
        }
        Ok(&self.text[start..self.byte])
    }

    fn quoted(&mut self) -> Result<&'t str, Diagnostic> {
        let open = self.here(1);
        self.bump();
        let start = self.byte;
        loop {
            match self.peek() {
                Some('"') => {
                    let inner = &self.text[start..self.byte];
                    self.bump();
                    return Ok(inner);
                }
                Some('\\') => {
                    self.bump();
                    // Whether the escape is a known one is seen when the text is used; here only its quote matters.
                    if matches!(self.peek(), Some('"' | '\\')) {
                        self.bump();
                    }
                }
                Some('\t') => {
                    self.bump();
                }
                Some(character) if character.is_control() => return Err(self.control(character)),
                Some(_) => {
                    self.bump();
                }
                None => {
                    return Err(Diagnostic::error(open.to(self.here(0)), "this quote is not closed on its line")
                        .expecting("`\"` at the end of the quoted text")
                        .hinting("a quote inside quotes is written `\\\"`"));
                }
            }
        }
    }

    fn rest_of_comment(&mut self) -> Result<&'t str, Diagnostic> {
        let start = self.byte;
        while let Some(character) = self.peek() {
            if character.is_control() && character != '\t' {
                return Err(self.control(character));
            }
            self.bump();
        }
        Ok(&self.text[start..])
    }

    fn control(&self, character: char) -> Diagnostic {
        Diagnostic::error(self.here(1), format!("U+{:04X} is a control character", character as u32))
            .hinting("remove it; lines end with a line feed, with or without a carriage return before it")
    }
}

/// Returns the text between quotes with its escapes resolved.
///
/// # Errors
///
/// A backslash that is not followed by a quote or a backslash.
pub(super) fn unescape(inner: &str, token: Location) -> Result<String, Diagnostic> {
    let mut text = String::with_capacity(inner.len());
    let mut characters = inner.chars().enumerate();
    while let Some((index, character)) = characters.next() {
        if character != '\\' {
            text.push(character);
            continue;
        }
        match characters.next() {
            Some((_, escaped @ ('"' | '\\'))) => text.push(escaped),
            _ => {
                let location = Location { column: token.column + 1 + index, length: 2, ..token };
                return Err(Diagnostic::error(location, "only a quote or a backslash is written with a backslash")
                    .expecting("`\\\"`")
                    .expecting("`\\\\`")
                    .hinting("a backslash is written `\\\\`"));
            }
        }
    }
    Ok(text)
}
