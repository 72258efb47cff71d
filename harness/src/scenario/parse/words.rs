//! Takes the words of one line or step in turn, and says what is missing or too many.

use super::token::{Kind, Token, unescape};
use crate::scenario::Span;
use crate::scenario::diagnostic::{Diagnostic, Location, did_you_mean, ticked};
use crate::scenario::name::{TaskName, Who};
use crate::scenario::vocabulary::{self, Role};

/// The tokens of one line or step, from left to right.
pub(super) struct Words<'l, 't> {
    tokens: &'l [Token<'t>],
    next: usize,
    /// The word that the arguments belong to, for messages.
    owner: &'t str,
    /// One step or line with that word, for hints.
    example: &'static str,
}

impl<'l, 't> Words<'l, 't> {
    pub(super) fn new(tokens: &'l [Token<'t>]) -> Self {
        Self { tokens, next: 0, owner: "", example: "" }
    }

    /// Says to which word the following arguments belong.
    pub(super) fn belonging_to(&mut self, owner: &'t str, example: &'static str) {
        self.owner = owner;
        self.example = example;
    }

    pub(super) fn peek(&self) -> Option<&'l Token<'t>> {
        self.tokens.get(self.next)
    }

    /// Takes the next token if it is the word `word`.
    pub(super) fn take_if(&mut self, word: &str) -> bool {
        let is = self.peek().is_some_and(|token| token.kind == Kind::Word(word));
        self.next += usize::from(is);
        is
    }

    /// Takes the next token, which must be a word: `what` it is, for messages.
    pub(super) fn word(&mut self, what: &str) -> Result<&'l Token<'t>, Diagnostic> {
        let Some(token) = self.peek() else { return Err(self.missing(what)) };
        let Kind::Word(_) = token.kind else {
            let message = match token.kind {
                Kind::Semicolon => format!("{what} is missing before this `;`"),
                _ => format!("{what} is written without quotes"),
            };
            return Err(Diagnostic::error(token.location, message).expecting(what).maybe_hinting(self.such_as()));
        };
        self.next += 1;
        Ok(token)
    }

    /// Takes the next token, which must be a quoted text with something in it: `what` it is, for messages.
    pub(super) fn quoted(&mut self, what: &str) -> Result<(String, Location), Diagnostic> {
        let Some(token) = self.peek() else { return Err(self.missing(what)) };
        let Kind::Quoted(inner) = token.kind else {
            let message = format!("{what} is written between quotes");
            let fault = Diagnostic::error(token.location, message).expecting(format!("{what} between quotes"));
            return Err(fault.maybe_hinting(self.such_as()));
        };
        let text = unescape(inner, token.location)?;
        if text.trim().is_empty() {
            return Err(Diagnostic::error(token.location, format!("{what} is empty")).expecting(what));
        }
        self.next += 1;
        Ok((text, token.location))
    }

    /// Ends the line or step.
    pub(super) fn finish(self) -> Result<(), Diagnostic> {
        let Some(token) = self.peek() else { return Ok(()) };
        let message = match token.kind {
            Kind::Semicolon => "only steps are joined by `;`".to_owned(),
            Kind::Quoted(_) => "this quoted text is one too many".to_owned(),
            Kind::Word(word) => format!("{} is one word too many", ticked(word)),
        };
        Err(Diagnostic::error(token.location, message)
            .expecting("the end of the line or step")
            .hinting("write each line of the head and each `accept` on a line of its own")
            .maybe_hinting(self.such_as())
            .maybe_hinting(self.begins_a_step().then(|| "steps on one line are joined by `;`".to_owned())))
    }

    /// Returns whether what comes next reads like a step of its own.
    fn begins_a_step(&self) -> bool {
        let word = |ahead: usize| self.tokens.get(self.next + ahead).map_or("", Token::text);
        let of_task = task_letter(word(0)) && vocabulary::find(Role::Task, word(1)).is_some();
        of_task || vocabulary::find(Role::Conductor, word(0)).is_some()
    }

    fn missing(&self, what: &str) -> Diagnostic {
        let location = self.tokens.last().map_or(Location { line: 1, column: 1, length: 0 }, |token| Location {
            column: token.location.column + token.location.length,
            length: 0,
            ..token.location
        });
        Diagnostic::error(location, format!("{} lacks {what}", ticked(self.owner)))
            .expecting(what)
            .maybe_hinting(self.such_as())
    }

    fn such_as(&self) -> Option<String> {
        (!self.example.is_empty()).then(|| format!("such as `{}`", self.example))
    }
}

/// Returns whether `word` begins as tasks and crowds do.
pub(super) fn task_letter(word: &str) -> bool {
    word.starts_with(|letter: char| letter.is_ascii_uppercase())
}

/// Reads a task, or a crowd.
pub(super) fn who(token: &Token<'_>) -> Result<Who, Diagnostic> {
    match token.text().split_once('[') {
        None => task(token).map(Who::Task),
        Some((letter, numbers)) => crowd(token, letter, numbers),
    }
}

/// Reads one task.
pub(super) fn task(token: &Token<'_>) -> Result<TaskName, Diagnostic> {
    let text = token.text();
    text.parse().map_err(|_| {
        let capital: Option<TaskName> = text.to_ascii_uppercase().parse().ok();
        Diagnostic::error(token.location, format!("{} is not a task", ticked(text)))
            .expecting("a capital letter, with a number up to 9999 if need be")
            .maybe_hinting(text.contains('[').then(|| "a crowd has no place here; name one task".to_owned()))
            .maybe_hinting(capital.map(|task| format!("tasks are capital letters: `{task}`")))
    })
}

fn crowd(token: &Token<'_>, letter: &str, numbers: &str) -> Result<Who, Diagnostic> {
    let fault = |message: String| {
        Diagnostic::error(token.location, message)
            .expecting("a crowd such as `B[1..40]`")
            .hinting("numbers are 0 to 9999, without spaces and without leading zeros")
    };
    let parts = numbers.strip_suffix(']').and_then(|range| range.split_once(".."));
    let Some((first, last)) = parts else { return Err(fault(format!("{} is not a crowd", ticked(token.text())))) };
    // A member is a task, so the task's own name says which letters and numbers there are.
    let member = |number: &str| match number {
        "" => None,
        _ => format!("{letter}{number}").parse::<TaskName>().ok().and_then(TaskName::number),
    };
    match (member(first), member(last)) {
        (Some(first), Some(last)) if first <= last => {
            Ok(Who::Crowd { letter: letter.chars().next().unwrap_or('A'), first, last })
        }
        (Some(first), Some(last)) => Err(fault(format!("the crowd {} has no members", ticked(token.text())))
            .hinting(format!("the smaller number comes first: `{letter}[{last}..{first}]`"))),
        _ => Err(fault(format!("{} is not a crowd", ticked(token.text())))),
    }
}

/// Reads a span of time.
pub(super) fn span(token: &Token<'_>) -> Result<Span, Diagnostic> {
    let text = token.text();
    let fault = |message: String| Diagnostic::error(token.location, message).expecting("a span such as `2ms`");
    let (digits, unit) = text.split_at(text.bytes().take_while(u8::is_ascii_digit).count());
    if digits.is_empty() {
        return Err(fault(format!("{} is not a span of time", ticked(text))));
    }
    let factor = match unit {
        "us" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        "" => {
            return Err(fault(format!("the span {} has no unit", ticked(text)))
                .hinting("write `us`, `ms` or `s` right behind the number"));
        }
        _ => {
            return Err(fault(format!("{} is not a unit of time", ticked(unit)))
                .hinting("spans are whole numbers of `us`, `ms` or `s`")
                .maybe_hinting(did_you_mean(unit, ["us", "ms", "s"])));
        }
    };
    let micros = digits.parse::<u32>().ok().and_then(|count| count.checked_mul(factor));
    micros.and_then(Span::from_micros).ok_or_else(|| {
        fault(format!("the span {} is out of range", ticked(text))).hinting("spans are from `1us` to `10s`")
    })
}

/// Reads an amount.
pub(super) fn number(token: &Token<'_>) -> Result<u64, Diagnostic> {
    token.text().parse().map_err(|_| {
        Diagnostic::error(token.location, format!("{} is not a number", ticked(token.text())))
            .expecting("a whole number")
            .hinting(format!("numbers are 0 to {}", u64::MAX))
    })
}
