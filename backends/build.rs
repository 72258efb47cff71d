//! Reads the versions of the runtimes and lock libraries from the lock file, so that no version is typed in.

use std::path::PathBuf;
use std::{env, process};

use cargo_lock::{Lockfile, Package};

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
    println!("cargo::rerun-if-changed=build.rs");
    let own = env::var("CARGO_PKG_NAME").map_err(|error| error.to_string())?;
    let Some((path, package)) = find_in_lock_file(&own)? else {
        // Elsewhere than above its own target folder nobody can tell whose lock file it is.
        println!("cargo::warning=no Cargo.lock with {own} lies above the target folder; its versions are not known");
        SUBJECTS.iter().for_each(|(_, variable)| println!("cargo::rustc-env={variable}=unknown"));
        return Ok(());
    };
    println!("cargo::rerun-if-changed={}", path.display());
    for (subject, variable) in SUBJECTS {
        let version = package
            .dependencies
            .iter()
            .find(|dependency| dependency.name.as_str() == subject)
            .map(|dependency| dependency.version.to_string())
            .unwrap_or_else(|| "unknown".to_owned());
        println!("cargo::rustc-env={variable}={version}");
    }
    Ok(())
}

/// Looks for the lock file of whoever builds, and for this crate in it: above the output folder, which lies in the
/// builder's own target folder, and else above this crate. Its own folder has only that of whoever published it.
fn find_in_lock_file(own: &str) -> Result<Option<(PathBuf, Package)>, String> {
    let above = |variable: &str, skipped: usize| {
        let place = env::var(variable).map(PathBuf::from).unwrap_or_default();
        place.ancestors().skip(skipped).map(|folder| folder.join("Cargo.lock")).collect::<Vec<_>>()
    };
    for path in above("OUT_DIR", 0).into_iter().chain(above("CARGO_MANIFEST_DIR", 1)).filter(|path| path.is_file()) {
        let lock = Lockfile::load(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        if let Some(package) = lock.packages.into_iter().find(|package| package.name.as_str() == own) {
            return Ok(Some((path, package)));
        }
    }
    Ok(None)
}
