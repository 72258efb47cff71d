//! What a backend is made of: the names and versions of its runtime and its lock library.
//!
//! It is what a backend, a worker and a report say of a column. It runs nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The name and version of a package that a backend is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Subject {
    /// The package.
    pub name: String,
    /// Its version: the one that was built or is installed, not the one that was asked for.
    pub version: String,
}

/// What a backend is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// `RUNTIME+LOCKS`, or the runtime alone for its native pair.
    pub id: String,
    /// The crate that the runtime comes from.
    pub runtime: Subject,
    /// The crate that the locks come from.
    pub locks: Subject,
    /// What the locks offer, and how.
    pub capabilities: Vec<String>,
    /// Whether it is the runtime's own pair, and so a column by default.
    pub native: bool,
}
