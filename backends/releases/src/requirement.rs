//! Which releases a version argument means: one, a range, or the newest.

use crate::error::ReleaseError;
use crate::package::Package;
use crate::version::{Ecosystem, Version};

/// What a version argument asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// One release.
    Exactly(Version),
    /// The newest that is no trial.
    Newest,
    /// Every release in a range of Cargo's.
    Cargo(semver::VersionReq),
    /// Every release in a range of PEP 440.
    Python(pep440_rs::VersionSpecifiers),
}

/// The word for the newest release.
pub const NEWEST: &str = "newest";

impl Requirement {
    /// Reads a version argument.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(ecosystem: Ecosystem, text: &str) -> Result<Self, String> {
        let text = text.trim();
        let is_range = text.contains(['<', '>', '=', '~', '^', '*', ',', '!']);
        match ecosystem {
            _ if text.is_empty() => Err("nothing stands there".to_owned()),
            _ if text == NEWEST => Ok(Self::Newest),
            Ecosystem::Cargo if is_range => text.parse().map(Self::Cargo).map_err(|error| format!("{error}")),
            Ecosystem::Python if is_range => text.parse().map(Self::Python).map_err(|error| say_in_a_line(&error)),
            _ => Version::parse(ecosystem, text).map(Self::Exactly).map_err(|error| in_a_line(&error)),
        }
    }

    /// Returns whether a release is in the range. What is published decides about the newest: nothing is, alone.
    pub(crate) fn holds(&self, version: &Version) -> bool {
        match (self, version) {
            (Self::Exactly(own), _) => own == version,
            (Self::Cargo(range), Version::Cargo(version)) => range.matches(version),
            (Self::Python(range), Version::Python(version)) => range.contains(version),
            (Self::Newest | Self::Cargo(_) | Self::Python(_), _) => false,
        }
    }

    /// Returns the releases that it means among `published`, which is sorted, in their order.
    ///
    /// # Errors
    ///
    /// [`ReleaseError::UnknownVersion`] with its neighbours, or [`ReleaseError::EmptyRange`].
    pub fn choose(&self, package: &Package, published: &[Version]) -> Result<Vec<Version>, ReleaseError> {
        let released = || published.iter().filter(|version| !version.is_prerelease());
        let chosen: Vec<Version> = match self {
            Self::Newest => released().next_back().cloned().into_iter().collect(),
            Self::Exactly(_) => published.iter().filter(|known| self.holds(known)).cloned().collect(),
            Self::Cargo(_) | Self::Python(_) => released().filter(|known| self.holds(known)).cloned().collect(),
        };
        if !chosen.is_empty() {
            return Ok(chosen);
        }
        let say = |version: Option<&Version>| version.map_or_else(|| "none".to_owned(), ToString::to_string);
        Err(match self {
            Self::Exactly(version) => ReleaseError::UnknownVersion {
                package: package.name.to_owned(),
                version: version.to_string(),
                or: match package.ecosystem {
                    Ecosystem::Cargo => "it was withdrawn",
                    Ecosystem::Python => "it was withdrawn, or is not for this Python (KEYALIKE_PYTHON names another)",
                },
                near: neighbours(version, published),
            },
            _ => ReleaseError::EmptyRange {
                package: package.name.to_owned(),
                range: self.text(),
                newest: say(released().next_back()),
                oldest: say(released().next()),
            },
        })
    }

    fn text(&self) -> String {
        match self {
            Self::Exactly(version) => version.to_string(),
            Self::Newest => NEWEST.to_owned(),
            Self::Cargo(range) => range.to_string(),
            Self::Python(range) => range.to_string(),
        }
    }
}

fn say_in_a_line(error: &impl std::fmt::Display) -> String {
    in_a_line(&error.to_string())
}

fn in_a_line(text: &str) -> String {
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned()
}

/// Returns the releases before and after a version that there is not.
fn neighbours(version: &Version, published: &[Version]) -> String {
    let place = published.partition_point(|known| known < version);
    let near = [place.checked_sub(1).and_then(|before| published.get(before)), published.get(place)];
    let near: Vec<String> = near.into_iter().flatten().map(ToString::to_string).collect();
    if near.is_empty() { "none: nothing is published".to_owned() } else { near.join(" and ") }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const PUBLISHED: [&str; 6] = ["1.49.0", "1.50.0", "1.52.0", "1.52.1", "1.53.0", "1.54.0"];

    fn published(ecosystem: Ecosystem) -> Vec<Version> {
        PUBLISHED.iter().map(|text| Version::parse(ecosystem, text).expect("they are versions")).collect()
    }

    fn chosen(package: &str, text: &str) -> Result<Vec<String>, String> {
        let package = Package::named(package).expect("it is known");
        let requirement = Requirement::parse(package.ecosystem, text)?;
        let found = requirement.choose(package, &published(package.ecosystem)).map_err(|error| error.to_string())?;
        Ok(found.iter().map(ToString::to_string).collect())
    }

    #[rstest]
    #[case::exact("tokio", "1.50.0", &["1.50.0"])]
    #[case::newest("tokio", "newest", &["1.54.0"])]
    #[case::from("tokio", ">=1.53", &["1.53.0", "1.54.0"])]
    #[case::between("tokio", ">=1.50, <1.53", &["1.50.0", "1.52.0", "1.52.1"])]
    #[case::tilde("tokio", "~1.52", &["1.52.0", "1.52.1"])]
    #[case::python_short("anyio", "1.50", &["1.50.0"])]
    #[case::python_between("anyio", ">=1.50,<1.53", &["1.50.0", "1.52.0", "1.52.1"])]
    #[case::python_compatible("anyio", "~=1.52.0", &["1.52.0", "1.52.1"])]
    #[case::python_without_one("anyio", ">=1.53,!=1.53.0", &["1.54.0"])]
    fn argument_means_releases(#[case] package: &str, #[case] text: &str, #[case] expected: &[&str]) {
        assert_eq!(chosen(package, text), Ok(expected.iter().map(|text| (*text).to_owned()).collect()));
    }

    #[rstest]
    #[case::between_two("tokio", "1.51.0", "the nearest are 1.50.0 and 1.52.0")]
    #[case::after_all("tokio", "2.0.0", "the nearest are 1.54.0")]
    #[case::withdrawn("tokio", "1.51.0", "or it was withdrawn")]
    #[case::for_another_python("anyio", "1.51.0", "or is not for this Python (KEYALIKE_PYTHON names another)")]
    #[case::nothing_in_range("tokio", ">=2", "no published release of tokio is in `>=2`; the newest is 1.54.0")]
    #[case::no_version("tokio", "latest", "unexpected character")]
    #[case::short("tokio", "1.50", "")]
    #[case::no_range("anyio", ">>1", "")]
    fn what_means_nothing_is_told_with_what_is_near(#[case] package: &str, #[case] text: &str, #[case] said: &str) {
        let error = chosen(package, text).expect_err("it means nothing");
        assert!(error.contains(said), "{error}");
    }
}
