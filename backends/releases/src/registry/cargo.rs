//! The releases of a Cargo package, from what cargo keeps of its registry's index.
//!
//! Cargo itself brings that up to date, so that its proxies, mirrors and credentials hold. No request is made here.

use std::collections::BTreeMap;
use std::process::Output;
use std::sync::{Mutex, PoisonError};

use tame_index::index::{ComboIndexCache, FileLock, IndexLocation};
use tame_index::{IndexUrl, KrateName};

use crate::error::{ReleaseError, at};
use crate::places::{Places, cargo, essentials, no_cargo};

/// A release of a Cargo package.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    pub(crate) version: semver::Version,
    /// The features that it has.
    pub(crate) features: Vec<String>,
    /// What it depends on to be used, by name.
    pub(crate) dependencies: BTreeMap<String, semver::VersionReq>,
}

const FIX: &str = "connect to the registry that cargo is configured for, or run `cargo update` once while it answers";

/// What was asked already: a registry does not change within one command.
static ASKED: Mutex<BTreeMap<String, Vec<Published>>> = Mutex::new(BTreeMap::new());

/// Returns the releases of a package that are not withdrawn, in their order.
pub(crate) fn published(name: &str, places: &Places) -> Result<Vec<Published>, ReleaseError> {
    if let Some(known) = ASKED.lock().unwrap_or_else(PoisonError::into_inner).get(name) {
        return Ok(known.clone());
    }
    let told = refresh(name, places)?;
    let stale = (!told.status.success()).then(|| essentials(&String::from_utf8_lossy(&told.stderr)));
    let failed = |why: String| ReleaseError::Registry {
        package: name.to_owned(),
        why: stale.as_ref().map_or(why.clone(), |stale| format!("{why}; cargo says: {stale}")),
        fix: FIX.to_owned(),
    };
    let found = kept(name).map_err(|error| failed(error.to_string()))?;
    let found = found.ok_or_else(|| failed("nothing is kept of its index".to_owned()))?;
    if stale.is_some() {
        (places.say)(&format!("the registry does not answer; the releases of {name} are those that cargo keeps"));
    }
    ASKED.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), found.clone());
    Ok(found)
}

/// Lets cargo bring what it keeps of a package up to date, by locking a package that depends on it.
fn refresh(name: &str, places: &Places) -> Result<Output, ReleaseError> {
    let folder = places.target()?.join("workers").join("index").join(name);
    std::fs::create_dir_all(folder.join("src")).map_err(at(&folder))?;
    let manifest = format!(
        "# Made by keyalike, to let cargo look up what is published.\n[package]\nname = \"look-up\"\nversion = \"0.0.0\"\n\n\
         [dependencies]\n{name} = \"*\"\n\n[workspace]\n"
    );
    let path = folder.join("Cargo.toml");
    std::fs::write(&path, manifest).map_err(at(&path))?;
    let source = folder.join("src/lib.rs");
    std::fs::write(&source, "").map_err(at(&source))?;
    let mut command = cargo();
    command.arg("generate-lockfile").arg("--manifest-path").arg(&path).current_dir(&folder);
    command.output().map_err(no_cargo)
}

/// Reads what cargo keeps of a package.
fn kept(name: &str) -> Result<Option<Vec<Published>>, tame_index::Error> {
    let location = IndexLocation::new(IndexUrl::crates_io(None, None, None)?);
    let index = ComboIndexCache::new(location)?;
    let lock = FileLock::unlocked();
    let Some(entry) = index.cached_krate(KrateName::try_from(name)?, &lock)? else { return Ok(None) };
    let releases = entry.deserialize()?.versions;
    let mut published: Vec<Published> = releases
        .iter()
        .filter(|release| !release.is_yanked())
        .filter_map(|release| {
            let dependencies = release.dependencies().iter().filter(|dependency| is_for_use(dependency));
            let requirement = |text: &str| text.parse::<semver::VersionReq>().ok();
            Some(Published {
                version: release.version.parse().ok()?,
                features: release.features().map(|(name, _)| name.clone()).collect(),
                dependencies: dependencies
                    .filter_map(|dependency| Some((dependency.name.to_string(), requirement(&dependency.req)?)))
                    .collect(),
            })
        })
        .collect();
    published.sort_by(|one, other| one.version.cmp(&other.version));
    Ok(Some(published))
}

fn is_for_use(dependency: &tame_index::krate::IndexDependency) -> bool {
    dependency.kind == tame_index::krate::DependencyKind::Normal
}
