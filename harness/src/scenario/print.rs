//! Prints a scenario and its parts in canonical form, which parses back to the same value.
//!
//! A value built by hand may hold what no text can say, such as a comment with a line break; [`Scenario::check`] finds it.

use std::fmt::{self, Display, Write};

use super::diagnostic::Diagnostic;
use super::name::ScenarioName;
use super::parse::parse;
use super::{
    Accept, Action, Condition, Conduct, Line, Operation, Parcel, Place, Reaction, Scenario, Span, Step, WakerEvent,
};

/// The column, from 0, at which a comment behind a line begins, if the line is short enough.
const COMMENT_COLUMN: usize = 31;

/// Returns `text` in canonical form: the words, comments and order of the scenario stay, spaces and blank lines change.
///
/// # Errors
///
/// As [`parse`].
pub fn format(name: ScenarioName, text: &str) -> Result<String, Vec<Diagnostic>> {
    parse(name, text).map(|scenario| scenario.to_string())
}

/// A scenario whose text does not say what it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// The text is no scenario.
    #[error(
        "{name} cannot be written as a text: {} on line {} of what it prints; change the value so that it can",
        diagnostic.message,
        diagnostic.line
    )]
    Unreadable {
        /// The scenario.
        name: ScenarioName,
        /// The first error in the text that it prints.
        diagnostic: Box<Diagnostic>,
    },
    /// The text is another scenario.
    #[error(
        "{name} is read back as another scenario; remove line breaks and outer spaces from its texts, the gap above its \
         first line, and closing comments that close nothing"
    )]
    Changed {
        /// The scenario.
        name: ScenarioName,
    },
}

impl Scenario {
    /// Makes sure that the scenario, printed and parsed, is itself again.
    ///
    /// For values that were built by hand or come from outside: names, spans and crowds of a parsed one are in range.
    ///
    /// # Errors
    ///
    /// [`CheckError::Unreadable`] if what it prints is in error, [`CheckError::Changed`] if it is another scenario.
    pub fn check(&self) -> Result<(), CheckError> {
        match parse(self.name.clone(), &self.to_string()) {
            Ok(read) if read == *self => Ok(()),
            Ok(_) => Err(CheckError::Changed { name: self.name.clone() }),
            Err(mut diagnostics) => Err(CheckError::Unreadable {
                name: self.name.clone(),
                diagnostic: Box::new(diagnostics.swap_remove(0)),
            }),
        }
    }

    fn has_head(&self) -> bool {
        !self.rules.is_empty()
            || !self.sources.is_empty()
            || !self.objects.is_empty()
            || self.show_wakes
            || self.within.is_some()
    }
}

impl Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        comments(f, &self.description)?;
        for rule in &self.rules {
            writeln!(f, "rule    {rule}")?;
        }
        for source in &self.sources {
            writeln!(f, "source  {source}")?;
        }
        for object in &self.objects {
            writeln!(f, "{:<7} {}", object.primitive, object.name)?;
        }
        if self.show_wakes {
            writeln!(f, "show    wakes")?;
        }
        if let Some(within) = &self.within {
            writeln!(f, "within  {} {}", within.limit, Quoted(&within.reason))?;
        }
        let mut is_begun = !self.description.is_empty() || self.has_head();
        for (index, line) in self.lines.iter().enumerate() {
            if line.gap || (index == 0 && is_begun) {
                writeln!(f)?;
            }
            comments(f, &line.above)?;
            writeln!(f, "{line}")?;
            is_begun = true;
        }
        for (index, accept) in self.accepts.iter().enumerate() {
            if index == 0 && is_begun {
                writeln!(f)?;
            }
            comments(f, &accept.above)?;
            writeln!(f, "{accept}")?;
            is_begun = true;
        }
        if is_begun && !self.closing.is_empty() {
            writeln!(f)?;
        }
        comments(f, &self.closing)
    }
}

fn comments(f: &mut fmt::Formatter<'_>, lines: &[String]) -> fmt::Result {
    lines.iter().try_for_each(|line| writeln!(f, "{}", Comment(line)))
}

/// A comment, with its `#`.
struct Comment<'c>(&'c str);

impl Display for Comment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            "" => f.write_str("#"),
            text => write!(f, "# {text}"),
        }
    }
}

/// A text between quotes.
struct Quoted<'t>(&'t str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for character in self.0.chars() {
            if matches!(character, '"' | '\\') {
                f.write_char('\\')?;
            }
            f.write_char(character)?;
        }
        f.write_char('"')
    }
}

/// Writes `code` and the comment behind it.
fn commented(f: &mut fmt::Formatter<'_>, code: &str, comment: Option<&String>) -> fmt::Result {
    match comment {
        None => f.write_str(code),
        Some(comment) => write!(f, "{code:<width$}  {}", Comment(comment), width = COMMENT_COLUMN - 2),
    }
}

/// One line, with the comment behind it and without those above it.
impl Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps: Vec<String> = self.steps.iter().map(Step::to_string).collect();
        commented(f, &steps.join("; "), self.comment.as_ref())
    }
}

/// One line, with the comment behind it and without those above it.
impl Display for Accept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut code = format!("accept  {:<11}  ", self.verdict);
        for condition in &self.conditions {
            write!(code, "{condition}  ")?;
        }
        match &self.sentence {
            None => write!(code, "{}", self.grade)?,
            Some(sentence) => write!(code, "{:<11}  {}", self.grade, Quoted(sentence))?,
        }
        commented(f, &code, self.comment.as_ref())
    }
}

impl Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "if {} gives {}", Quoted(&self.step.to_string()), Quoted(&self.gives))
    }
}

impl Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Task { who, action } => write!(f, "{who} {action}"),
            Step::Conductor(conduct) => conduct.fmt(f),
            Step::Program { who, turns } => {
                let turn = |turn: &Vec<Action>| turn.iter().map(Action::to_string).collect::<Vec<_>>().join("; ");
                write!(f, "{who}: {}", turns.iter().map(turn).collect::<Vec<_>>().join(", "))
            }
        }
    }
}

impl Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Ask { operation, place: Place::Task } => operation.fmt(f),
            Action::Ask { operation, place: Place::Thread } => write!(f, "{operation} blocking"),
            Action::Ask { operation, place: Place::Inside } => write!(f, "{operation} blocking inside"),
            Action::Release { object } => write!(f, "release {object}"),
            Action::ReleaseElsewhere { object } => write!(f, "release {object} elsewhere"),
            Action::Repoll { new_waker: false } => f.write_str("repoll"),
            Action::Repoll { new_waker: true } => f.write_str("repoll new-waker"),
            Action::Forget { object } => write!(f, "forget {object}"),
            Action::Send { what: Parcel::Guard(object), to } => write!(f, "send {object} {to}"),
            Action::Send { what: Parcel::Future(future), to } => write!(f, "send {future} {to}"),
            Action::Panic => f.write_str("panic"),
            Action::Return => f.write_str("return"),
            Action::Yield => f.write_str("yield"),
            Action::Start { future, operation } => write!(f, "start {future} {operation}"),
            Action::Prepare { future, operation } => write!(f, "prepare {future} {operation}"),
            Action::Poll { future } => write!(f, "poll {future}"),
            Action::Await { future } => write!(f, "await {future}"),
            Action::AwaitRef { future } => write!(f, "await-ref {future}"),
            Action::Drop { future } => write!(f, "drop {future}"),
            Action::Enter { scope } => write!(f, "enter {scope}"),
            Action::Leave { scope } => write!(f, "leave {scope}"),
            Action::On { event, reaction } => write!(f, "on {event} {reaction}"),
            Action::Hold { span } => write!(f, "hold {span}"),
            Action::SpendBudget => f.write_str("spend-budget"),
        }
    }
}

impl Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.request, self.object)
    }
}

impl Display for WakerEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WakerEvent::Wake => "wake",
            WakerEvent::Clone => "wake-clone",
            WakerEvent::Drop => "wake-drop",
        })
    }
}

impl Display for Reaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reaction::Release(object) => write!(f, "release {object}"),
            Reaction::TryAcquire(object) => write!(f, "try-acquire {object}"),
            Reaction::IsLocked(object) => write!(f, "is-locked {object}"),
            Reaction::Poll => f.write_str("poll"),
            Reaction::Panic => f.write_str("panic"),
        }
    }
}

impl Display for Conduct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Conduct::Cancel(who) => write!(f, "cancel {who}"),
            Conduct::Abort(who) => write!(f, "abort {who}"),
            Conduct::Detach(who) => write!(f, "detach {who}"),
            Conduct::DropHandle(who) => write!(f, "drop-handle {who}"),
            Conduct::Join(who) => write!(f, "join {who}"),
            Conduct::DropObject(object) => write!(f, "drop {object}"),
            Conduct::Hold(span) => write!(f, "hold {span}"),
        }
    }
}

/// The span in the largest unit in which it is whole.
impl Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.micros() {
            micros if micros.is_multiple_of(1_000_000) => write!(f, "{}s", micros / 1_000_000),
            micros if micros.is_multiple_of(1_000) => write!(f, "{}ms", micros / 1_000),
            micros => write!(f, "{micros}us"),
        }
    }
}
