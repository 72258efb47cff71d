//! The globs of the command line.

use globset::{Glob, GlobMatcher};

use crate::failure::Failure;

/// Returns a matcher for a glob.
///
/// # Errors
///
/// [`Failure::Glob`].
pub(crate) fn matcher(pattern: &str) -> Result<GlobMatcher, Failure> {
    let glob = Glob::new(pattern).map_err(|source| Failure::Glob { pattern: pattern.to_owned(), source })?;
    Ok(glob.compile_matcher())
}
