//! The names that a scenario uses: tasks, crowds, objects, futures, scopes, rules and the scenario itself.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The largest number that a task's name may carry; a crowd is no larger.
pub const TASK_NUMBER_MAX: u32 = 9999;

/// The name of one task of the runtime: a capital letter, with a number if need be (`B`, `B12`).
///
/// Sorts by letter, then by number, so that `B2` comes before `B10`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskName {
    letter: char,
    number: Option<u32>,
}

impl TaskName {
    /// Returns the task `letter`, or `None` unless `letter` is in `A..=Z`.
    pub fn new(letter: char) -> Option<Self> {
        letter.is_ascii_uppercase().then_some(Self { letter, number: None })
    }

    /// Returns the task `letter` with `number` (at most [`TASK_NUMBER_MAX`]), or `None` out of these ranges.
    pub fn numbered(letter: char, number: u32) -> Option<Self> {
        (letter.is_ascii_uppercase() && number <= TASK_NUMBER_MAX).then_some(Self { letter, number: Some(number) })
    }

    /// Returns the letter, in `A..=Z`.
    pub fn letter(self) -> char {
        self.letter
    }

    /// Returns the number behind the letter, if there is one.
    pub fn number(self) -> Option<u32> {
        self.number
    }
}

impl fmt::Display for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            None => write!(f, "{}", self.letter),
            Some(number) => write!(f, "{}{number}", self.letter),
        }
    }
}

impl FromStr for TaskName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let error = || NameError { text: text.to_owned(), expected: "a capital letter, with a number if need be" };
        let mut characters = text.chars();
        let letter = characters.next().ok_or_else(error)?;
        let digits = characters.as_str();
        let canonical = digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
        let name = match digits {
            "" => Self::new(letter),
            _ if canonical => digits.parse().ok().and_then(|number| Self::numbered(letter, number)),
            _ => None,
        };
        name.ok_or_else(error)
    }
}

impl Serialize for TaskName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TaskName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Who takes a step: one task, or a crowd of which each member takes it in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Who {
    /// One task.
    Task(TaskName),
    /// The tasks `letter` with the numbers `first..=last`, in that order.
    Crowd {
        /// The letter that all members share.
        letter: char,
        /// The number of the first member, at most [`TASK_NUMBER_MAX`].
        first: u32,
        /// The number of the last member, at least `first`, at most [`TASK_NUMBER_MAX`].
        last: u32,
    },
}

impl Who {
    /// Returns the members in the order in which they take the step.
    pub fn members(self) -> impl Iterator<Item = TaskName> {
        let (letter, numbers) = match self {
            Who::Task(task) => (task.letter, vec![task.number]),
            Who::Crowd { letter, first, last } => (letter, (first..=last).map(Some).collect()),
        };
        numbers.into_iter().map(move |number| TaskName { letter, number })
    }
}

impl Who {
    /// Returns how many members there are.
    pub fn count(self) -> usize {
        match self {
            Who::Task(_) => 1,
            Who::Crowd { first, last, .. } => (u64::from(last) + 1).saturating_sub(first.into()) as usize,
        }
    }
}

impl From<TaskName> for Who {
    fn from(task: TaskName) -> Self {
        Who::Task(task)
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::Task(task) => task.fmt(f),
            Who::Crowd { letter, first, last } => write!(f, "{letter}[{first}..{last}]"),
        }
    }
}

/// A text that is not the name it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a name here; write {expected}")]
pub struct NameError {
    text: String,
    expected: &'static str,
}

fn is_identifier(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|first| first.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !text.ends_with('-')
}

fn is_rule(text: &str) -> bool {
    text.split_once('-').is_some_and(|(theme, number)| {
        !theme.is_empty()
            && theme.bytes().all(|byte| byte.is_ascii_uppercase())
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn is_scenario(text: &str) -> bool {
    // The path of a file outside the suites may begin at the root.
    let text = text.strip_prefix('/').unwrap_or(text);
    !text.is_empty() && text.split('/').all(|part| !part.is_empty() && !part.contains(char::is_whitespace))
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $valid:path, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// Returns the name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                match $valid(text) {
                    true => Ok(Self(text.into())),
                    false => Err(NameError { text: text.to_owned(), expected: $expected }),
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name!(
    /// The name of a declared object, such as `m`: lower-case letters, digits and inner hyphens.
    ObjectName, is_identifier, "lower-case letters, digits and hyphens, a letter first"
);
name!(
    /// The name that a task gives to a future which it keeps, such as `x`.
    FutureName, is_identifier, "lower-case letters, digits and hyphens, a letter first"
);
name!(
    /// The name of a scope that a task enters and leaves, such as `callback`.
    ScopeName, is_identifier, "lower-case letters, digits and hyphens, a letter first"
);
name!(
    /// The number of a rule, such as `CANCEL-3`.
    RuleId, is_rule, "a theme in capitals, a hyphen and a number, such as CANCEL-3"
);
name!(
    /// The name by which a scenario is known everywhere: `<theme>/<name>`, or the path of a file outside the suites.
    ScenarioName, is_scenario, "a theme, a slash and a name, such as reentry/same-task"
);

impl ScenarioName {
    /// Returns the theme: what stands before the last slash, or nothing.
    pub fn theme(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(theme, _)| theme)
    }
}
