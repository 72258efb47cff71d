//! Reads one `accept` line.

use super::Fault;
use super::names::Names;
use super::step::step;
use super::token::{Kind, SourceLine, Token, split};
use super::words::Words;
use crate::scenario::diagnostic::{Diagnostic, Location, did_you_mean, ticked};
use crate::scenario::{Accept, Condition, Step};
use crate::verdict::{Grade, Verdict};

/// Reads `line`, which begins with `accept`. Also says where the step of each condition stands, and where its result.
pub(super) fn accept(
    line: &SourceLine<'_>,
    names: &Names<'_>,
) -> Result<(Accept, Vec<Location>, Vec<Location>), Fault> {
    let mut words = Words::new(&line.tokens);
    words.take_if("accept");
    words.belonging_to("accept", "accept completed conforms");
    let verdict = verdict(words.word("a verdict")?)?;
    let mut conditions = Vec::new();
    let (mut steps, mut results) = (Vec::new(), Vec::new());
    while words.take_if("if") {
        words.belonging_to("if", "if \"A release m\" gives \"B acquired\"");
        let (text, location) = words.quoted("a step")?;
        let step = quoted_step(&text, location, names)?;
        let gives = words.word("`gives`")?;
        if gives.text() != "gives" {
            return Err(Diagnostic::error(gives.location, format!("{} is not `gives`", ticked(gives.text())))
                .expecting("`gives`")
                .into());
        }
        let (gives, result) = words.quoted("a result")?;
        conditions.push(Condition { step, gives });
        steps.push(location);
        results.push(result);
    }
    words.belonging_to("accept", "accept completed conforms");
    let grade = grade(words.word("a grade")?)?;
    words.belonging_to(grade.as_str(), "accept deadlock permitted \"the task waits for itself, as documented\"");
    let sentence = match grade {
        Grade::Permitted => Some(words.quoted("a sentence that says why")?.0),
        _ => None,
    };
    match words.peek() {
        Some(Token { kind: Kind::Quoted(_), location, .. }) if sentence.is_none() => {
            return Err(Diagnostic::error(*location, "only `permitted` has a sentence")
                .expecting("the end of the line")
                .hinting("write it as a comment, behind a `#`")
                .into());
        }
        _ => words.finish()?,
    }
    Ok((Accept { above: Vec::new(), verdict, conditions, grade, sentence, comment: None }, steps, results))
}

fn verdict(token: &Token<'_>) -> Result<Verdict, Diagnostic> {
    let word = token.text();
    word.parse().map_err(|_| {
        let verdicts = || Verdict::ALL.into_iter().map(Verdict::as_str);
        let fault = Diagnostic::error(token.location, format!("{} is not a verdict", ticked(word)));
        match word {
            "conforms" | "permitted" => {
                fault.expecting("a verdict before the grade").hinting(format!("such as `accept completed {word}`"))
            }
            _ => fault
                .expecting("a verdict")
                .hinting(format!("the verdicts are {}", verdicts().collect::<Vec<_>>().join(", ")))
                .maybe_hinting(did_you_mean(word, verdicts())),
        }
    })
}

fn grade(token: &Token<'_>) -> Result<Grade, Diagnostic> {
    let fault =
        |message: String| Diagnostic::error(token.location, message).expecting("`conforms`").expecting("`permitted`");
    match token.text() {
        "conforms" => Ok(Grade::Conforms),
        "permitted" => Ok(Grade::Permitted),
        "violates" => Err(fault("`violates` is not written".to_owned())
            .hinting("leave the line out: what no line accepts violates the rule")),
        word => Err(fault(format!("{} is not a grade", ticked(word)))
            .maybe_hinting(did_you_mean(word, ["conforms", "permitted", "if"]))),
    }
}

/// Reads the one step that `text`, which stands between the quotes at `quote`, is.
pub(super) fn quoted_step(text: &str, quote: Location, names: &Names<'_>) -> Result<Step, Fault> {
    one_step(quote.line, text, names).map_err(|fault| match fault {
        Fault::Told => Fault::Told,
        // With escapes before it the place is not exact, and no step has one: the whole quote is meant then.
        Fault::Tell(fault) if text.chars().count() + 2 != quote.length => {
            Diagnostic { column: quote.column, length: quote.length, ..*fault }.into()
        }
        Fault::Tell(fault) => Diagnostic { column: fault.column + quote.column, ..*fault }.into(),
    })
}

/// Reads the one step that `text` is; places count from its own start, on the line with the number `line`.
pub(super) fn one_step(line: usize, text: &str, names: &Names<'_>) -> Result<Step, Fault> {
    let source = split(line, text)?;
    let whole = Location { line, column: 1, length: text.chars().count() };
    if source.comment.is_some() {
        return Err(Diagnostic::error(whole, "a comment has no place in the text of a step").into());
    }
    if let Some(semicolon) = source.tokens.iter().find(|token| token.kind == Kind::Semicolon) {
        return Err(Diagnostic::error(semicolon.location, "one step is meant, without `;`")
            .expecting("the end of the step")
            .into());
    }
    if source.tokens.is_empty() {
        return Err(Diagnostic::error(whole, "the step is empty").expecting("a step").into());
    }
    step(&source.tokens, names)
}
