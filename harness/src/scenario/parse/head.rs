//! Reads one line of the head.

use super::step::no_name;
use super::token::SourceLine;
use super::words::{Words, span};
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
            HeadLine::Object(Object { primitive, name }, token.location)
        }
    };
    words.finish()?;
    Ok(read)
}
