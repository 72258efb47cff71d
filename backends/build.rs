//! Reads the versions of the runtimes and lock libraries from the lock file, so that no version is typed in.

use std::path::{Path, PathBuf};
use std::{env, process};

use cargo_lock::Lockfile;

/// The crates whose version a backend states, and the variable that carries it into the code.
const SUBJECTS: [(&str, &str); 6] = [
    ("async-lock", "VERSION_ASYNC_LOCK"),
    ("async-std", "VERSION_ASYNC_STD"),
    ("futures-util", "VERSION_FUTURES_UTIL"),
    ("keyalike-strict", "VERSION_KEYALIKE_STRICT"),
    ("smol", "VERSION_SMOL"),
    ("tokio", "VERSION_TOKIO"),
];

fn main() {
    if let Err(problem) = emit_versions() {
        eprintln!("error: the versions of the lock libraries cannot be read: {problem}");
        process::exit(1);
    }
}

fn emit_versions() -> Result<(), String> {
    let path = find_lock_file()?;
    println!("cargo::rerun-if-changed={}", path.display());
    println!("cargo::rerun-if-changed=build.rs");
    let lock = Lockfile::load(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let own = env::var("CARGO_PKG_NAME").map_err(|error| error.to_string())?;
    let package = lock
        .packages
        .iter()
        .find(|package| package.name.as_str() == own)
        .ok_or_else(|| format!("{} has no package {own}; run `cargo generate-lockfile`", path.display()))?;
    for (subject, variable) in SUBJECTS {
        let version = package
            .dependencies
            .iter()
            .find(|dependency| dependency.name.as_str() == subject)
            .map(|dependency| dependency.version.to_string())
            .ok_or_else(|| format!("{own} does not depend on {subject} in {}", path.display()))?;
        println!("cargo::rustc-env={variable}={version}");
    }
    Ok(())
}

/// Looks for the lock file of whoever builds: above this crate in a checkout, above the output folder, which lies in the
/// builder's own target folder, when this crate comes from a registry.
fn find_lock_file() -> Result<PathBuf, String> {
    let places = ["CARGO_MANIFEST_DIR", "OUT_DIR"].map(|variable| env::var(variable).map(PathBuf::from));
    places
        .iter()
        .flatten()
        .flat_map(|place| place.ancestors())
        .map(|folder: &Path| folder.join("Cargo.lock"))
        .find(|file| file.is_file())
        .ok_or_else(|| "there is no Cargo.lock above this crate; run `cargo generate-lockfile`".to_owned())
}
