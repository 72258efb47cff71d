//! Ids of backends that run a release in a worker: `tokio@1.40.0`, `smol+async-lock@3.4.0`, `trio+anyio@4.5.0`, `asyncio`.

use crate::error::ReleaseError;
use crate::package::{PACKAGES, Package};
use crate::requirement::NEWEST;
use crate::version::Ecosystem;

/// An id, taken apart. Its version is not looked up yet, and may be a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseId {
    /// The runtime.
    pub runtime: String,
    /// The word by which its locks are called, if they are not the runtime's own.
    pub locks: Option<String>,
    /// The package whose release is asked for. None for asyncio, which comes with Python.
    pub package: Option<&'static Package>,
    /// The version, as it was written; `newest` if none was.
    pub version: String,
}

/// The runtimes that come with Python itself, and so do their locks.
pub(crate) const OF_PYTHON: [&str; 2] = ["asyncio", "asyncio-eager"];

impl ReleaseId {
    /// Takes an id apart. None if it is not the id of a release: then it may be one of a backend that is built in.
    ///
    /// # Errors
    ///
    /// [`ReleaseError`], if it is meant to be one and is not.
    pub fn parse(id: &str) -> Result<Option<Self>, ReleaseError> {
        let (pair, version) = match id.split_once('@') {
            Some((pair, version)) => (pair, Some(version.to_owned())),
            None => (id, None),
        };
        let (runtime, locks) = match pair.split_once('+') {
            Some((runtime, locks)) => (runtime, Some(locks)),
            None => (pair, None),
        };
        if OF_PYTHON.contains(&pair) {
            return match version {
                None => Ok(Some(Self::plain(pair))),
                Some(_) => {
                    let hint = format!("`{pair}`, and set KEYALIKE_PYTHON to another Python");
                    Err(no_pair(id, "asyncio comes with Python and has no releases of its own", &hint))
                }
            };
        }
        let package = match locks {
            Some(word) => Package::of_word(word),
            None => PACKAGES.iter().find(|package| package.own_runtimes.contains(&runtime)),
        };
        let is_python = package.is_some_and(|package| package.ecosystem == Ecosystem::Python);
        let package = match (package, version.is_some()) {
            (Some(package), _) if is_python => package,
            // Without a version these are ids of the backends that are built in.
            (_, false) => return Ok(None),
            (Some(package), true) => package,
            (None, true) => {
                let name = locks.unwrap_or(runtime);
                return match Package::of_word(name) {
                    Some(package) => {
                        let hint = written(package).next().unwrap_or_default();
                        Err(no_pair(id, &format!("the runtime {runtime} is not built of old releases"), &hint))
                    }
                    None => Package::named(name).map(|_| None),
                };
            }
        };
        // The name of a package means its plain locks, unless it is the name of a runtime.
        let plain = package.plain_locks().filter(|_| package.own_runtimes.is_empty());
        let has_them = |word: &str| {
            let locks = package.locks.iter().find(|locks| locks.word == word).or(plain);
            locks.is_some_and(|locks| locks.runtimes.contains(&runtime))
        };
        if let Some(word) = locks.filter(|word| !has_them(word)) {
            let why = format!("{word} of {} does not run on {runtime} here", package.name);
            return Err(no_pair(id, &why, &written(package).collect::<Vec<_>>().join(" or ")));
        }
        Ok(Some(Self {
            runtime: runtime.to_owned(),
            locks: locks.map(str::to_owned),
            package: Some(package),
            version: version.unwrap_or_else(|| NEWEST.to_owned()),
        }))
    }

    fn plain(runtime: &str) -> Self {
        Self { runtime: runtime.to_owned(), locks: None, package: None, version: NEWEST.to_owned() }
    }

    /// Reads a pair of a runtime and locks of `package`, such as `smol+tokio`, without a version.
    ///
    /// # Errors
    ///
    /// [`ReleaseError::NoSuchPair`], for one that the package has not.
    pub fn pair(pair: &str, package: &'static Package) -> Result<Self, ReleaseError> {
        let hint = || package.pairs().map(|pair| format!("`{pair}`")).collect::<Vec<_>>().join(" or ");
        let parsed = if pair.contains('@') { None } else { Self::parse(&format!("{pair}@{NEWEST}"))? };
        parsed.filter(|parsed| parsed.package == Some(package)).ok_or_else(|| {
            no_pair(pair, &format!("this is no pair of a runtime and the locks of {}", package.name), &hint())
        })
    }

    /// Returns the id with a version in place of what was written.
    pub fn at(&self, version: &dyn std::fmt::Display) -> String {
        match &self.locks {
            Some(locks) => format!("{}+{locks}@{version}", self.runtime),
            None => format!("{}@{version}", self.runtime),
        }
    }
}

/// Returns how the pairs of a package are written that end in its locks.
fn written(package: &Package) -> impl Iterator<Item = String> {
    package
        .pairs()
        .filter(|pair| pair.contains('+') || package.locks.is_empty())
        .map(|pair| format!("`{pair}@VERSION`"))
}

fn no_pair(id: &str, why: &str, hint: &str) -> ReleaseError {
    ReleaseError::NoSuchPair { id: id.to_owned(), why: why.to_owned(), hint: hint.to_owned() }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::native("tokio@1.40.0", "tokio", "tokio", "1.40.0")]
    #[case::current_thread("tokio-current-thread@>=1.50", "tokio-current-thread", "tokio", ">=1.50")]
    #[case::locks_elsewhere("smol+tokio-owned@1.53.1", "smol", "tokio", "1.53.1")]
    #[case::word_of_a_package("smol+futures@0.3.30", "smol", "futures-util", "0.3.30")]
    #[case::name_of_a_package("smol+futures-util@0.3.30", "smol", "futures-util", "0.3.30")]
    #[case::python("trio+anyio@4.5.0", "trio", "anyio", "4.5.0")]
    #[case::python_newest("asyncio+anyio", "asyncio", "anyio", "newest")]
    #[case::python_native("trio", "trio", "trio", "newest")]
    #[case::python_other_locks("trio+strict-fifo", "trio", "trio", "newest")]
    fn id_is_taken_apart(#[case] id: &str, #[case] runtime: &str, #[case] package: &str, #[case] version: &str) {
        let parsed = ReleaseId::parse(id).expect("it is an id").expect("of a release");
        let name = parsed.package.map(|package| package.name);
        assert_eq!((parsed.runtime.as_str(), name, parsed.version.as_str()), (runtime, Some(package), version));
    }

    #[rstest]
    #[case::built_in("tokio")]
    #[case::built_in_pair("smol+tokio")]
    #[case::glob("*")]
    #[case::unknown("tokoi")]
    fn id_without_a_version_is_left_to_the_backends_that_are_built_in(#[case] id: &str) {
        assert_eq!(ReleaseId::parse(id).expect("nothing is wrong with it"), None);
    }

    #[rstest]
    #[case::unknown("tokoi@1.40.0", "did you mean `tokio`?")]
    #[case::runtime_of_a_release("async-std@1.6.2", "write `smol+async-std@VERSION`")]
    #[case::runtime_elsewhere("tokio+anyio@4.5.0", "write `asyncio+anyio@VERSION` or `trio+anyio@VERSION`")]
    #[case::asyncio_has_no_releases("asyncio@3.11", "comes with Python")]
    #[case::cancel_that_a_runtime_has_not(
        "trio+anyio-task-cancel",
        "anyio-task-cancel of anyio does not run on trio here"
    )]
    #[case::runtime_as_locks("trio+trio", "write `trio+strict-fifo@VERSION`")]
    #[case::runtime_without_locks("uvloop+uvloop", "write `uvloop@VERSION`")]
    fn wrong_id_is_told_with_what_can_be_written(#[case] id: &str, #[case] said: &str) {
        let error = ReleaseId::parse(id).expect_err("it is wrong").to_string();
        assert!(error.contains(said), "{error}");
    }
}
