//! Reads one line of the head.

use super::step::no_name;
use super::token::SourceLine;
use super::words::{Words, number, span};
use crate::primitive::{Argument, Primitive};
use crate::scenario::diagnostic::{Diagnostic, Location, did_you_mean, ticked};
use crate::scenario::name::{ObjectName, RuleId};
use crate::scenario::vocabulary::{self, Entry};
use crate::scenario::{Object, Within};

/// What a line of the head says.
pub(super) enum HeadLine {
    Rule(RuleId, Location),
    Source(String),
    Object(Object, Location),
    ShowWakes(Location),
    Within(Within),
}

/// Reads `line`, which begins with the word of `entry`.
pub(super) fn head(entry: &'static Entry, line: &SourceLine<'_>) -> Result<HeadLine, Diagnostic> {
    let mut words = Words::new(&line.tokens);
    let keyword = words.word("a word of the head")?;
    words.belonging_to(entry.word, entry.example);
    let read = match entry.word {
        // The text of a source is free: it is taken as it stands, up to the comment.
        "source" => {
            words.peek().map_or_else(|| words.word("a text").map(|_| ()), |_| Ok(()))?;
            let text = line.code[keyword.end_byte..].trim_matches([' ', '\t']);
            return Ok(HeadLine::Source(text.to_owned()));
        }
        "rule" => {
            let token = words.word("the number of a rule")?;
            let rule = token.text().parse().map_err(|_| {
                let capitals: Result<RuleId, _> = token.text().to_ascii_uppercase().parse();
                Diagnostic::error(token.location, format!("{} is not the number of a rule", ticked(token.text())))
                    .expecting("a theme in capitals, a hyphen and a number, such as `CANCEL-3`")
                    .maybe_hinting(capitals.ok().map(|rule| format!("did you mean `{rule}`?")))
            })?;
            HeadLine::Rule(rule, token.location)
        }
        "show" => {
            let token = words.word("`wakes`")?;
            if token.text() != "wakes" {
                return Err(Diagnostic::error(token.location, format!("{} cannot be shown", ticked(token.text())))
                    .expecting("`wakes`")
                    .maybe_hinting(did_you_mean(token.text(), ["wakes"])));
            }
            HeadLine::ShowWakes(keyword.location.to(token.location))
        }
        "within" => {
            let limit = span(words.word("a span of time")?)?;
            let (reason, _) = words.quoted("a reason")?;
            HeadLine::Within(Within { limit, reason })
        }
        _ => {
            let token = words.word("a name")?;
            let name: ObjectName = token.text().parse().map_err(|_| no_name(token, "an object"))?;
            let Some(primitive) = vocabulary::primitive(entry.word) else {
                return Err(Diagnostic::error(keyword.location, format!("`{}` declares nothing", entry.word)));
            };
            let argument = argument(&mut words, primitive)?;
            HeadLine::Object(Object { primitive, name, argument }, token.location)
        }
    };
    words.finish()?;
    Ok(read)
}

/// Reads the number of a declaration, where the primitive has one.
fn argument(words: &mut Words<'_, '_>, primitive: Primitive) -> Result<Option<u64>, Diagnostic> {
    match primitive.table().argument {
        Argument::None => Ok(None),
        Argument::Number(what) => number(words.word(what)?).map(Some),
        Argument::Optional(word) => match words.take_if(word) {
            true => number(words.word("a number")?).map(Some),
            false => Ok(None),
        },
    }
}
