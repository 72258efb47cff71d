//! Ranges of releases behind an `@`, for those who know no ecosystem: `asyncio+anyio@>=4.3,<4.7`.

use std::collections::BTreeSet;

use harness::ledger::{IsMeant, VersionOrder};

use crate::error::ReleaseError;
use crate::id::ReleaseId;
use crate::package::Package;
use crate::places::Places;
use crate::registry;
use crate::requirement::{NEWEST, Requirement};
use crate::resolve::pairs;
use crate::version::Version;

/// Versions in the order of their ecosystems.
pub const ORDER: VersionOrder = VersionOrder { contains, check };

/// Returns whether an id names a release of `range`.
fn contains(id: &str, range: &str) -> bool {
    let Some((package, version)) = release(id) else { return false };
    Requirement::parse(package.ecosystem, range).is_ok_and(|range| range.holds(&version))
}

/// Returns whether a backend is the newest release of its locks. An id without a version always is: that is what it means.
///
/// # Errors
///
/// [`ReleaseError::Registry`], if it cannot be known what is published.
pub fn is_newest(id: &str, places: &Places) -> Result<bool, ReleaseError> {
    let Some((package, version)) = release(id) else { return Ok(true) };
    let published = registry::releases(package, places)?;
    Ok(published.iter().rfind(|version| !version.is_prerelease()).is_none_or(|newest| *newest <= version))
}

/// Returns the package of which an id names a release, and that release.
fn release(id: &str) -> Option<(&'static Package, Version)> {
    let (_, version) = id.split_once('@')?;
    let package = ReleaseId::parse(id).ok()??.package?;
    Some((package, Version::parse(package.ecosystem, version).ok()?))
}

/// Checks that a range means something for the backends that are meant: releases of one package.
fn check(is_meant: IsMeant<'_>, range: &str) -> Result<(), String> {
    let package_of = |pair: &String| ReleaseId::parse(&format!("{pair}@{NEWEST}")).ok()??.package;
    let meant: Vec<&Package> = pairs().filter(|pair| is_meant(pair)).filter_map(|pair| package_of(&pair)).collect();
    let names: BTreeSet<&str> = meant.iter().map(|package| package.name).collect();
    let Some(package) = meant.first() else {
        return Err(format!(
            "the range `{range}` is of no backend that has releases; name one of {}",
            pairs().filter(|pair| package_of(pair).is_some()).collect::<Vec<_>>().join(", ")
        ));
    };
    if names.len() > 1 {
        let names = names.into_iter().collect::<Vec<_>>().join(" and ");
        return Err(format!(
            "the range `{range}` is of {names}, whose versions have no order; name the locks of one of them"
        ));
    }
    Requirement::parse(package.ecosystem, range)
        .map(drop)
        .map_err(|why| format!("`{range}` is no range of {}: {why}; write one such as `>=1.2,<1.4`", package.name))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::first("asyncio+anyio@4.3.0", ">=4.3,<4.7", true)]
    #[case::within("asyncio+anyio@4.6.0", ">=4.3,<4.7", true)]
    #[case::behind("asyncio+anyio@4.7.0", ">=4.3,<4.7", false)]
    #[case::by_number_not_by_letter("trio+anyio@4.16.0", ">=4.6", true)]
    #[case::trial_of_the_end("trio+anyio@4.7.0rc1", "<4.7", false)]
    #[case::cargo("tokio@1.52.1", ">=1.50, <1.53", true)]
    #[case::cargo_behind("tokio@1.53.0", ">=1.50, <1.53", false)]
    #[case::without_a_version("asyncio+anyio", ">=4.3", false)]
    #[case::no_release("smol", ">=1", false)]
    fn range_has_the_releases_in_it(#[case] id: &str, #[case] range: &str, #[case] expected: bool) {
        assert_eq!(contains(id, range), expected);
    }

    #[rstest]
    #[case::python("asyncio+anyio", ">=4.3,<4.7", "")]
    #[case::cargo("tokio", ">=1.50, <1.53", "")]
    #[case::no_backend("asyncio+anyoi", ">=4.3", "is of no backend that has releases; name one of ")]
    #[case::comes_with_python("asyncio", ">=3.11", "is of no backend that has releases")]
    #[case::two_packages("trio", ">=0.27", "is of anyio and trio, whose versions have no order")]
    #[case::no_range("asyncio+anyio", ">=four", "`>=four` is no range of anyio: ")]
    fn range_that_means_nothing_is_told(#[case] start: &str, #[case] range: &str, #[case] said: &str) {
        // The backend alone, and for trio whatever begins with it.
        let is_meant = |pair: &str| pair == start || start == "trio" && pair.starts_with("trio");
        match check(&is_meant, range) {
            Ok(()) => assert_eq!(said, ""),
            Err(why) => assert!(!said.is_empty() && why.contains(said), "{why}"),
        }
    }
}
