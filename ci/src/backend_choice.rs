//! Which backends a command runs: the `--backend` patterns, held against those that are built and those that could be.

use std::sync::Arc;

use backends::Entry;
use globset::{Glob, GlobMatcher};
use harness::backend::Backend;
use harness::scenario::diagnostic::nearest;

use crate::failure::Failure;

/// Which backends.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct BackendChoice {
    /// Run these backends: an id, a glob, or `all`. Without it, the native pair of every runtime.
    #[arg(long = "backend", value_name = "GLOB|all")]
    pub(crate) patterns: Vec<String>,
}

impl BackendChoice {
    /// Starts the backends that are asked for, in the order of their ids.
    ///
    /// # Errors
    ///
    /// [`Failure::Unknown`] or [`Failure::NotBuilt`], if a pattern matches no backend that is built.
    pub(crate) fn start(&self) -> Result<Vec<Arc<dyn Backend>>, Failure> {
        let entries = backends::all();
        let mut chosen = vec![self.patterns.is_empty(); entries.len()];
        if self.patterns.is_empty() {
            entries.iter().zip(&mut chosen).for_each(|(entry, is_chosen)| *is_chosen = entry.native);
        }
        for pattern in &self.patterns {
            let matches = matcher(if pattern == "all" { "*" } else { pattern })?;
            let mut found = false;
            for (_, is_chosen) in entries.iter().zip(&mut chosen).filter(|(entry, _)| matches.is_match(&entry.id)) {
                (*is_chosen, found) = (true, true);
            }
            if !found {
                return Err(nothing_like(pattern, &matches, &entries));
            }
        }
        Ok(entries.iter().zip(chosen).filter(|(_, is_chosen)| *is_chosen).map(|(entry, _)| entry.start()).collect())
    }
}

/// Returns a matcher for a glob.
///
/// # Errors
///
/// [`Failure::Glob`].
pub(crate) fn matcher(pattern: &str) -> Result<GlobMatcher, Failure> {
    let glob = Glob::new(pattern).map_err(|source| Failure::Glob { pattern: pattern.to_owned(), source })?;
    Ok(glob.compile_matcher())
}

fn nothing_like(pattern: &str, matches: &GlobMatcher, entries: &[Entry]) -> Failure {
    let known = backends::known();
    if let Some(known) = known.iter().find(|known| matches.is_match(&known.id)) {
        return Failure::NotBuilt { id: known.id.clone(), features: known.features.join(",") };
    }
    let ids = known.iter().map(|known| known.id.as_str());
    let hint = match nearest(pattern, ids) {
        Some(near) => format!("did you mean `{near}`? `keyalike list --backends` names them all"),
        None if entries.is_empty() => "`keyalike list --features` names what can be built".to_owned(),
        None => "`keyalike list --backends` names them all".to_owned(),
    };
    Failure::Unknown { what: "backend", name: pattern.to_owned(), hint }
}
