//! What is published of a package, asked of the registries through their ordinary clients: cargo and pip, with the
//! configuration that they have.

mod cargo;
mod pypi;

use crate::error::ReleaseError;
use crate::package::Package;
use crate::places::Places;
use crate::version::{Ecosystem, Version};

pub(crate) use cargo::{Published, published};

/// Returns the releases of a package that are not withdrawn, trials included, in their order.
///
/// Where the registry does not answer, what is kept of it is used, and that is said.
///
/// # Errors
///
/// [`ReleaseError::Registry`], if nothing is kept of it either.
pub fn releases(package: &Package, places: &Places) -> Result<Vec<Version>, ReleaseError> {
    let mut versions = match package.ecosystem {
        Ecosystem::Cargo => {
            published(package.name, places)?.into_iter().map(|release| Version::Cargo(release.version)).collect()
        }
        Ecosystem::Python => pypi::releases(package.name, places)?,
    };
    versions.sort();
    versions.dedup();
    Ok(versions)
}
