//! The synchronisation primitives and what can be asked of them.
//!
//! A primitive is one file below this module: its words, the trait that an adapter implements, and the way from the
//! one to the other. It judges nothing: its sequential model belongs to the oracle.

pub mod mutex;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A primitive that a scenario can declare an object of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Primitive {
    /// Mutual exclusion: at most one guard at a time.
    Mutex,
}

impl Primitive {
    /// Every primitive that this version knows.
    pub const ALL: [Primitive; 1] = [Primitive::Mutex];

    /// Returns the word that declares an object of this primitive.
    pub fn as_str(self) -> &'static str {
        match self {
            Primitive::Mutex => "mutex",
        }
    }

    /// Returns the capabilities that a backend can declare for this primitive. Each but the first is `PRIMITIVE:WORD`.
    pub fn capabilities(self) -> &'static [&'static str] {
        match self {
            Primitive::Mutex => &mutex::MutexCapabilities::WORDS,
        }
    }

    /// Returns what can be asked of an object of this primitive.
    pub fn requests(self) -> &'static [Request] {
        match self {
            Primitive::Mutex => mutex::REQUESTS,
        }
    }
}

impl fmt::Display for Primitive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a task asks of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Request {
    /// Take it, waiting as long as need be.
    Acquire,
    /// Take it if that needs no waiting.
    TryAcquire,
    /// Say whether somebody holds it.
    IsLocked,
    /// Print it with `{:?}`.
    Debug,
}

impl Request {
    /// Every request.
    pub const ALL: [Request; 4] = [Request::Acquire, Request::TryAcquire, Request::IsLocked, Request::Debug];

    /// Returns the verb of a step that makes this request.
    pub fn as_str(self) -> &'static str {
        match self {
            Request::Acquire => "acquire",
            Request::TryAcquire => "try-acquire",
            Request::IsLocked => "is-locked",
            Request::Debug => "debug",
        }
    }

    /// Returns whether a grant of this request is a guard, which can be held and released.
    pub fn grants(self) -> bool {
        matches!(self, Request::Acquire | Request::TryAcquire)
    }

    /// Returns whether this request can wait, so that it can be started, kept, cancelled and made in a blocking way.
    pub fn waits(self) -> bool {
        matches!(self, Request::Acquire)
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
