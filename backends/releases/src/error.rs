//! What can go wrong on the way from a package's name to a worker, and whose fault it is.

use std::path::PathBuf;

/// A release that cannot be found or made into a worker.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// A package that this program has no adapter for.
    #[error("there is no lock library `{name}` here; {hint}")]
    UnknownPackage {
        /// The name.
        name: String,
        /// The nearest, or all of them.
        hint: String,
    },
    /// A text that is neither a version nor a range.
    #[error(
        "`{text}` is no version of {package}: {why}; write a release such as `{example}`, a range such as `>={example}`, or `newest`"
    )]
    NoVersion {
        /// The text.
        text: String,
        /// The package.
        package: String,
        /// What is wrong with it.
        why: String,
        /// A release that there is.
        example: String,
    },
    /// A version that was never published, or cannot be had.
    #[error("{package} has no published release {version}, or {or}; the nearest are {near}")]
    UnknownVersion {
        /// The package.
        package: String,
        /// The version.
        version: String,
        /// What else may be the cause.
        or: &'static str,
        /// Its neighbours.
        near: String,
    },
    /// A range in which nothing was published.
    #[error("no published release of {package} is in `{range}`; the newest is {newest}, the oldest {oldest}")]
    EmptyRange {
        /// The package.
        package: String,
        /// The range.
        range: String,
        /// The newest release.
        newest: String,
        /// The oldest release.
        oldest: String,
    },
    /// An id that names a runtime on which the package cannot run.
    #[error("`{id}`: {why}; write {hint}")]
    NoSuchPair {
        /// The id.
        id: String,
        /// What is wrong with it.
        why: String,
        /// What can be written instead.
        hint: String,
    },
    /// The registry does not answer and nothing is kept of it.
    #[error("the releases of {package} cannot be listed: {why}; {fix}")]
    Registry {
        /// The package.
        package: String,
        /// What was said.
        why: String,
        /// How to fix it.
        fix: String,
    },
    /// A release that does not build here, or has no lock that the adapter can drive.
    #[error(
        "{package} {version} does not build: {why}; try a neighbouring release, or build it by hand with `cargo build --manifest-path {manifest}`"
    )]
    Build {
        /// The package.
        package: String,
        /// The version.
        version: String,
        /// The essentials of what cargo said.
        why: String,
        /// The generated manifest.
        manifest: String,
    },
    /// A release without the lock that is asked for.
    #[error("{package} {version} has no {what}: {why}")]
    Lacks {
        /// The package.
        package: String,
        /// The version.
        version: String,
        /// What it lacks.
        what: &'static str,
        /// How that shows.
        why: String,
    },
    /// Python, its `venv` or its `pip` failed.
    #[error("the environment of {what} cannot be made: `{command}`: {why}; {fix}")]
    Venv {
        /// The packages that it is for.
        what: String,
        /// What was run.
        command: String,
        /// The essentials of what it said.
        why: String,
        /// How to fix it.
        fix: &'static str,
    },
    /// A Python that cannot run the worker.
    #[error("`{program}` is Python {version}, and the worker needs 3.9 or later; {}", crate::python::NO_PYTHON)]
    OldPython {
        /// The program.
        program: String,
        /// What it is.
        version: String,
    },
    /// A program that cannot be started.
    #[error("`{program}` does not start: {source}; {fix}")]
    Program {
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
        /// How to fix it.
        fix: &'static str,
    },
    /// A file that cannot be read or written.
    #[error("{}: {source}; make the folder writable, or choose another with CARGO_TARGET_DIR", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The workspace that this program was built from is gone.
    #[error("{} is gone, and workers are built from it; run keyalike from a checkout of its sources", path.display())]
    NoSources {
        /// The folder.
        path: PathBuf,
    },
}

impl ReleaseError {
    /// Returns whether what was asked for is wrong, rather than that it cannot be had here.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::UnknownPackage { .. }
                | Self::NoVersion { .. }
                | Self::UnknownVersion { .. }
                | Self::EmptyRange { .. }
                | Self::NoSuchPair { .. }
        )
    }

    /// Returns whether this release alone cannot be had, so that a search can go on with its neighbours.
    pub fn is_of_release(&self) -> bool {
        matches!(self, Self::Build { .. } | Self::Lacks { .. } | Self::Venv { .. })
    }
}

/// Returns a function that says of which file an error speaks.
pub(crate) fn at(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> ReleaseError {
    let path = path.into();
    move |source| ReleaseError::File { path, source }
}
