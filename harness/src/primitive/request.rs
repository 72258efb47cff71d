//! What a step asks of an object: a verb of its primitive, and an amount.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Amount, Effect, Primitive, Verb};

/// What a step asks of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Request {
    primitive: Primitive,
    verb: u8,
    amount: u64,
}

/// A hold that a request takes, or waits for: the mode and how much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Claim {
    /// Index of the mode in the table of the primitive.
    #[serde(default, skip_serializing_if = "is_first")]
    pub mode: u8,
    /// How much of it, such as permits of a semaphore.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub amount: u64,
}

fn is_first(mode: &u8) -> bool {
    *mode == 0
}

fn is_one(amount: &u64) -> bool {
    *amount == 1
}

fn one() -> u64 {
    1
}

impl Claim {
    /// One of the first mode: all that there is where a primitive has one mode and no amounts.
    pub const WHOLE: Claim = Claim { mode: 0, amount: 1 };

    /// Returns whether this is [`Claim::WHOLE`], which the wire leaves out.
    pub fn is_whole(&self) -> bool {
        *self == Claim::WHOLE
    }
}

impl Default for Claim {
    fn default() -> Self {
        Claim::WHOLE
    }
}

/// What a scenario declares an object to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// Its primitive.
    pub primitive: Primitive,
    /// Number of the declaration, such as the permits of a semaphore, if it has one.
    pub argument: Option<u64>,
}

impl From<Primitive> for Declaration {
    /// Returns the declaration without a number.
    fn from(primitive: Primitive) -> Self {
        Self { primitive, argument: None }
    }
}

/// Where an operation runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// In the task, as a future.
    Task,
    /// On a thread of its own, in the blocking way (`acquire m blocking`).
    Thread,
    /// On the runtime's own thread, in the blocking way (`acquire m blocking inside`).
    Inside,
}

impl Request {
    /// Returns the request of the verb at `verb` in the table of `primitive`, with the amount 1.
    ///
    /// # Panics
    ///
    /// [`Request::verb`] panics if there is no such verb.
    pub const fn new(primitive: Primitive, verb: u8) -> Self {
        Self { primitive, verb, amount: 1 }
    }

    /// Returns the same request for another amount.
    #[must_use]
    pub const fn of(mut self, amount: u64) -> Self {
        self.amount = amount;
        self
    }

    /// Returns the primitive whose verb it is.
    pub fn primitive(self) -> Primitive {
        self.primitive
    }

    /// Returns its row in the table of the primitive.
    pub fn verb(self) -> &'static Verb {
        &self.primitive.table().verbs[self.verb as usize]
    }

    /// Returns how much it asks for.
    pub fn amount(self) -> u64 {
        self.amount
    }

    /// Returns the word of a step that makes this request.
    pub fn as_str(self) -> &'static str {
        self.verb().word
    }

    /// Returns whether it can wait, so that it can be started, kept, cancelled and made in a blocking way.
    pub fn waits(self) -> bool {
        self.verb().waits
    }

    /// Returns whether a grant is a guard, which can be held and released.
    pub fn takes(self) -> bool {
        matches!(self.verb().effect, Effect::Take(_))
    }

    /// Returns whether it turns a guard that the task has into one of another mode.
    pub fn turns(self) -> bool {
        matches!(self.verb().effect, Effect::Turn(..))
    }

    /// Returns the hold that it takes. Of a request that takes none, the claim means nothing.
    pub fn claim(self) -> Claim {
        match self.verb().effect {
            Effect::Take(mode) | Effect::Turn(_, mode) => Claim { mode, amount: self.amount },
            _ => Claim::WHOLE,
        }
    }

    /// Returns the number that a step prints behind the object.
    pub fn printed_amount(self) -> Option<u64> {
        match self.verb().amount {
            Amount::None => None,
            Amount::Optional => (self.amount != 1).then_some(self.amount),
            Amount::Needed => Some(self.amount),
        }
    }

    /// Returns the request as the wire has it: the word, the amount behind it where a step prints one, and the
    /// primitive before it unless it is the first that has the word.
    pub fn wire(self) -> String {
        let first = Primitive::ALL.iter().copied().find_map(|primitive| primitive.request(self.as_str()));
        let mut text = match first.is_some_and(|first| first.primitive == self.primitive) {
            true => self.as_str().to_owned(),
            false => format!("{} {}", self.primitive, self.as_str()),
        };
        if let Some(amount) = self.printed_amount() {
            text.push_str(&format!(" {amount}"));
        }
        text
    }

    /// Returns the request that the wire has as `text`.
    pub fn from_wire(text: &str) -> Option<Self> {
        let mut words = text.split(' ').peekable();
        let primitive = words.next_if(|word| Primitive::from_word(word).is_some()).and_then(Primitive::from_word);
        let word = words.next()?;
        let request = match primitive {
            Some(primitive) => primitive.request(word),
            None => Primitive::ALL.iter().copied().find_map(|primitive| primitive.request(word)),
        }?;
        match (words.next(), words.next()) {
            (None, _) => Some(request),
            (Some(amount), None) => Some(request.of(amount.parse().ok()?)),
            _ => None,
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Request {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.wire())
    }
}

impl<'de> Deserialize<'de> for Request {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Request::from_wire(&text).ok_or_else(|| {
            serde::de::Error::custom(format!("`{text}` is no request of a primitive that this version knows"))
        })
    }
}

impl JsonSchema for Request {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Request".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "What a step asks of an object: `[PRIMITIVE ]VERB[ AMOUNT]`. The primitive is left \
                            out where the verb is one of the first primitive that has it.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_is_read_back_from_the_wire() {
        for request in Primitive::ALL.iter().flat_map(|primitive| primitive.requests()) {
            let amounts: &[u64] = if request.verb().amount == Amount::None { &[1] } else { &[0, 1, 3, u64::MAX] };
            for amount in amounts {
                let request = request.of(*amount);
                assert_eq!(Request::from_wire(&request.wire()), Some(request), "{}", request.wire());
            }
        }
    }

    #[test]
    fn no_two_requests_look_alike_on_the_wire() {
        let all = || Primitive::ALL.iter().flat_map(|primitive| primitive.requests()).map(Request::wire);
        let mut texts: Vec<String> = all().collect();
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), all().count());
    }
}
