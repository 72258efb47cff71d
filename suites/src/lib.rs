//! Keyalike's scenarios, rules and ledger, and where they lie.

use std::path::PathBuf;

/// Returns the folder of the scenarios, as it was when this crate was built.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
