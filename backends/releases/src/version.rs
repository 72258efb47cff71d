//! A version of a package, in the order of its ecosystem.

use std::fmt;

/// Where a package is published, and so what its versions mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ecosystem {
    /// Cargo's registry, semantic versions.
    Cargo,
    /// Python's package index, versions by PEP 440.
    Python,
}

/// A version. Versions of two ecosystems have no meaning beside each other; Cargo's come first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// Of a Cargo package.
    Cargo(semver::Version),
    /// Of a Python package.
    Python(pep440_rs::Version),
}

/// How big the step from one release to another is, by what their numbers promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bump {
    /// Repairs only.
    Patch,
    /// Additions.
    Minor,
    /// Anything.
    Major,
}

impl Version {
    /// Reads a version.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(ecosystem: Ecosystem, text: &str) -> Result<Self, String> {
        match ecosystem {
            Ecosystem::Cargo => text.parse().map(Self::Cargo).map_err(|error: semver::Error| error.to_string()),
            Ecosystem::Python => {
                text.parse().map(Self::Python).map_err(|error: pep440_rs::VersionParseError| error.to_string())
            }
        }
    }

    /// Returns whether it is a trial before a release.
    pub fn is_prerelease(&self) -> bool {
        match self {
            Self::Cargo(version) => !version.pre.is_empty(),
            Self::Python(version) => version.any_prerelease(),
        }
    }

    /// Returns how big the step to `other` is. Below 1.0 a step of the second number may change anything, and of the third
    /// anything below 0.1.
    pub fn bump(&self, other: &Self) -> Bump {
        let (one, other) = (self.numbers(), other.numbers());
        let first = (0..3).find(|place| one[*place] != other[*place]).unwrap_or(3);
        let leading = (0..3).take_while(|place| one[*place] == 0 && other[*place] == 0).count();
        match first.saturating_sub(leading) {
            _ if first < leading => Bump::Major,
            0 => Bump::Major,
            1 if leading == 0 => Bump::Minor,
            _ => Bump::Patch,
        }
    }

    fn numbers(&self) -> [u64; 3] {
        match self {
            Self::Cargo(version) => [version.major, version.minor, version.patch],
            Self::Python(version) => {
                let number = |place: usize| version.release().get(place).copied().unwrap_or(0);
                [number(0), number(1), number(2)]
            }
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cargo(version) => version.fmt(f),
            Self::Python(version) => version.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn version(ecosystem: Ecosystem, text: &str) -> Version {
        Version::parse(ecosystem, text).expect("the test writes versions")
    }

    #[rstest]
    #[case::by_number_not_by_letter(Ecosystem::Cargo, "1.9.0", "1.10.0")]
    #[case::trial_before_its_release(Ecosystem::Cargo, "1.0.0-alpha.2", "1.0.0")]
    #[case::python_candidate(Ecosystem::Python, "4.5.0rc1", "4.5")]
    #[case::python_post_release(Ecosystem::Python, "4.5.0", "4.5.0.post1")]
    fn versions_stand_in_the_order_of_their_ecosystem(
        #[case] ecosystem: Ecosystem,
        #[case] one: &str,
        #[case] next: &str,
    ) {
        assert!(version(ecosystem, one) < version(ecosystem, next));
    }

    #[rstest]
    #[case::patch("1.54.0", "1.54.1", Bump::Patch)]
    #[case::minor("1.53.1", "1.54.1", Bump::Minor)]
    #[case::major("1.54.1", "2.0.0", Bump::Major)]
    #[case::patch_below_one("0.2.3", "0.2.4", Bump::Patch)]
    #[case::major_below_one("0.2.25", "0.3.0", Bump::Major)]
    #[case::out_of_zero("0.2.25", "1.0.0", Bump::Major)]
    #[case::all_is_new("0.0.1", "0.0.2", Bump::Major)]
    #[case::nothing("1.0.0", "1.0.0", Bump::Patch)]
    fn size_of_a_step_is_what_its_numbers_promise(#[case] one: &str, #[case] other: &str, #[case] bump: Bump) {
        let (one, other) = (version(Ecosystem::Cargo, one), version(Ecosystem::Cargo, other));
        assert_eq!((one.bump(&other), other.bump(&one)), (bump, bump));
    }
}
