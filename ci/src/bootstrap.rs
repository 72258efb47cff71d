//! Builds the backends when a command needs one and none is built in, and starts the command again.
//!
//! Features default to none everywhere, because `cargo test` must not build any runtime; yet `cargo run -- run` from the
//! root of the workspace has to work. So a program without backends replaces itself by `cargo run` with all of them.

use std::path::Path;
use std::process::Command;

use crate::failure::Failure;
use crate::output;

/// Set for the program that is started, so that one that still has no backend says so and does not start another.
/// Set it to any value to forbid the build.
pub(crate) const GUARD: &str = "KEYALIKE_BOOTSTRAPPED";

/// Makes sure that a backend is built in. If none is, and the workspace is where it was, this call does not return.
///
/// # Errors
///
/// [`Failure::NoBackend`], with the features that there are.
pub(crate) fn require_backends() -> Result<(), Failure> {
    if !backends::all().is_empty() {
        return Ok(());
    }
    let features = backends::FEATURES.iter().map(|(name, adds)| format!("  {name:20}  {adds}"));
    let failure =
        |reason: String| Failure::NoBackend { reason, features: features.clone().collect::<Vec<_>>().join("\n") };
    if std::env::var_os(GUARD).is_some() {
        return Err(failure(format!("{GUARD} is set")));
    }
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let Ok(manifest) = manifest.canonicalize() else {
        return Err(failure("the workspace that it was built from is gone".to_owned()));
    };
    output::note("no backend is built in; building with --features backend-all");
    Err(failure(restart(&manifest)))
}

/// Starts the command again, with all backends. Returns why that failed.
fn restart(manifest: &Path) -> String {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["run", "--quiet", "--package", "keyalike-cli", "--features", "backend-all", "--manifest-path"]);
    command.arg(manifest);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    command.arg("--").args(std::env::args_os().skip(1)).env(GUARD, "1");
    format!("cargo does not start: {}", replace(&mut command))
}

#[cfg(unix)]
fn replace(command: &mut Command) -> std::io::Error {
    std::os::unix::process::CommandExt::exec(command)
}

#[cfg(not(unix))]
fn replace(command: &mut Command) -> std::io::Error {
    match command.status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(3)),
        Err(error) => error,
    }
}
