//! From an id such as `tokio@1.40.0` or `trio+anyio@4.5.0` to the command of a worker that is ready to run.

use harness::isolation::WorkerCommand;

use crate::error::ReleaseError;
use crate::id::{OF_PYTHON, ReleaseId};
use crate::package::{PACKAGES, Package};
use crate::places::Places;
use crate::registry;
use crate::requirement::{NEWEST, Requirement};
use crate::version::{Ecosystem, Version};
use crate::{cargo_worker, venv};

/// A form that ids of releases have, for help and hints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// The id, with `VERSION` where one stands.
    pub id: &'static str,
    /// What it runs.
    pub runs: &'static str,
}

/// Returns every form that ids of releases have. `VERSION` is a release, a range such as `>=1.50`, or `newest`.
pub fn known() -> &'static [Form] {
    KNOWN
}

/// Returns every id that a release has, without its version.
pub fn pairs() -> impl Iterator<Item = String> {
    let packages = PACKAGES.iter().flat_map(Package::pairs);
    OF_PYTHON.iter().map(|id| (*id).to_owned()).chain(packages)
}

const fn form(id: &'static str, runs: &'static str) -> Form {
    Form { id, runs }
}

const KNOWN: &[Form] = &[
    form("tokio@VERSION", "the locks and the multi-thread runtime of a release of tokio from 1.0"),
    form("tokio-current-thread@VERSION", "the same on its current-thread runtime"),
    form("smol+tokio@VERSION", "the locks of any release of tokio on smol's executor of today; also +tokio-owned"),
    form("smol+async-lock@VERSION", "the locks of a release of async-lock; also +async-lock-arc"),
    form("smol+async-mutex@VERSION", "the locks of a release of async-mutex; also +async-mutex-arc"),
    form("smol+async-std@VERSION", "the locks of a release of async-std; also +async-std-arc"),
    form("smol+smol@VERSION", "the locks of a release of smol; also +smol-arc"),
    form("smol+futures@VERSION", "the locks of a release of futures-util; also +futures-owned"),
    form("smol+event-listener@VERSION", "async-lock or async-mutex with a release of event-listener under it"),
    form("asyncio", "the locks of Python's own asyncio, as installed; also asyncio-eager"),
    form("asyncio+anyio@VERSION", "the locks of a release of anyio on asyncio; also +anyio-fast"),
    form("asyncio+anyio-task-cancel@VERSION", "the same, a wait cancelled by `Task.cancel()`"),
    form("asyncio-eager+anyio@VERSION", "the same where tasks begin to run at once"),
    form("trio+anyio@VERSION", "the locks of a release of anyio on trio; also +anyio-fast"),
    form("trio@VERSION", "the locks of a release of trio"),
    form("trio+strict-fifo@VERSION", "`StrictFIFOLock` of a release of trio"),
    form("uvloop@VERSION", "the locks of asyncio on a release of uvloop"),
    form("uvloop+anyio@VERSION", "the locks of a release of anyio on uvloop"),
];

/// An id that names one release.
#[derive(Clone, Debug)]
pub struct Release {
    /// The id, with the version that it means: `tokio@1.54.1` where `tokio@newest` was asked for.
    pub id: String,
    /// The same, taken apart.
    pub parts: ReleaseId,
    /// The version. None for what comes with Python itself.
    pub version: Option<Version>,
}

/// Returns the releases that an id means, one for each version in its range. None if it is not the id of a release, so that
/// it may be one of a backend that is built in.
///
/// # Errors
///
/// [`ReleaseError`], for an id that is wrong, a version that there is not, or a registry that does not answer.
pub fn expand(id: &str, places: &Places) -> Result<Option<Vec<Release>>, ReleaseError> {
    let Some(parts) = ReleaseId::parse(id)? else { return Ok(None) };
    let Some(package) = parts.package else {
        return Ok(Some(vec![Release { id: id.to_owned(), parts, version: None }]));
    };
    let published = registry::releases(package, places)?;
    let has_version = id.contains('@');
    let releases = meant(package, &parts.version, &published)?.into_iter().map(|version| Release {
        // An id without a version is the newest, and stays as it was written.
        id: if has_version { parts.at(&version) } else { id.to_owned() },
        parts: parts.clone(),
        version: Some(version),
    });
    Ok(Some(releases.collect()))
}

/// Returns the versions among `published` that an argument means.
fn meant(package: &Package, argument: &str, published: &[Version]) -> Result<Vec<Version>, ReleaseError> {
    let requirement = Requirement::parse(package.ecosystem, argument).map_err(|why| {
        let released = published.iter().rfind(|version| !version.is_prerelease());
        ReleaseError::NoVersion {
            text: argument.to_owned(),
            package: package.name.to_owned(),
            why,
            example: released.map_or_else(|| "1.0.0".to_owned(), ToString::to_string),
        }
    })?;
    requirement.choose(package, published)
}

/// Returns the releases of a package that version arguments mean, in their order, each once.
///
/// # Errors
///
/// [`ReleaseError`], for an argument that means nothing or a registry that does not answer.
pub fn choose_versions(package: &Package, arguments: &[String], places: &Places) -> Result<Vec<Version>, ReleaseError> {
    let published = registry::releases(package, places)?;
    let mut versions = Vec::new();
    for argument in arguments {
        versions.extend(meant(package, argument, &published)?);
    }
    versions.sort();
    versions.dedup();
    Ok(versions)
}

/// Returns the published releases from one to another, both included, without trials, in their order.
///
/// # Errors
///
/// [`ReleaseError::Registry`], if the registry does not answer.
pub fn versions_between(
    package: &Package,
    from: &Version,
    to: &Version,
    places: &Places,
) -> Result<Vec<Version>, ReleaseError> {
    let mut published = registry::releases(package, places)?;
    published.retain(|version| {
        let is_end = version == from || version == to;
        is_end || (version > from && version < to && !version.is_prerelease())
    });
    Ok(published)
}

/// Returns the pairs on which releases are compared if none is named: the first runtime that a package brings itself, if
/// each of `versions` has it, and otherwise the runtimes on which its locks run.
///
/// # Errors
///
/// [`ReleaseError`], if the registry or the compiler cannot be asked.
pub fn default_pairs(
    package: &'static Package,
    versions: &[Version],
    places: &Places,
) -> Result<Vec<ReleaseId>, ReleaseError> {
    let pair = |runtime: &str, locks: Option<&str>| ReleaseId {
        runtime: runtime.to_owned(),
        locks: locks.map(str::to_owned),
        package: Some(package),
        version: NEWEST.to_owned(),
    };
    if let Some(own) = package.own_runtimes.first() {
        let mut all_have_it = true;
        for version in versions {
            all_have_it &= match version {
                Version::Python(_) => true,
                Version::Cargo(version) => match cargo_worker::has_runtime(package, version, places) {
                    Ok(has_it) => has_it,
                    // A release that cannot be built is left out later, with its reason.
                    Err(error) if error.is_of_release() => true,
                    Err(error) => return Err(error),
                },
            };
        }
        if all_have_it {
            return Ok(vec![pair(own, None)]);
        }
    }
    // The others are asyncio in other clothes: they are run where they are named.
    let Some(locks) = package.plain_locks() else { return Ok(Vec::new()) };
    let usual = locks.runtimes.iter().filter(|runtime| ["smol", "asyncio", "trio"].contains(runtime));
    Ok(usual.map(|runtime| pair(runtime, Some(locks.word))).collect())
}

impl Release {
    /// Returns the release of a version on a pair.
    pub fn of(pair: &ReleaseId, version: &Version) -> Self {
        Self { id: pair.at(version), parts: pair.clone(), version: Some(version.clone()) }
    }

    /// Makes the worker, if it is not there already, and returns the command that starts it.
    ///
    /// # Errors
    ///
    /// [`ReleaseError`], if it cannot be made.
    pub fn prepare(&self, places: &Places) -> Result<WorkerCommand, ReleaseError> {
        match (self.parts.package, &self.version) {
            (Some(package), Some(Version::Cargo(version))) if package.ecosystem == Ecosystem::Cargo => {
                cargo_worker::prepare(&self.id, &self.parts, package, version, places)
            }
            _ => venv::prepare(self, places),
        }
    }
}

/// Returns the command of the worker of an id that names one release, made if need be. None if it is not the id of a
/// release.
///
/// # Errors
///
/// As [`expand`] and [`Release::prepare`]. A range means its newest release here.
pub fn resolve(id: &str, places: &Places) -> Result<Option<WorkerCommand>, ReleaseError> {
    let Some(releases) = expand(id, places)? else { return Ok(None) };
    releases.last().map(|release| release.prepare(places)).transpose()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_form_is_a_pair_and_every_pair_an_id() {
        let pairs: BTreeSet<String> = pairs().collect();
        for form in KNOWN {
            let pair = form.id.split('@').next().unwrap_or_default();
            assert!(pairs.contains(pair), "{pair} is no pair");
        }
        for pair in &pairs {
            let id = if OF_PYTHON.contains(&pair.as_str()) { pair.clone() } else { format!("{pair}@{NEWEST}") };
            assert!(matches!(ReleaseId::parse(&id), Ok(Some(_))), "{id} is no id");
        }
    }
}
