//! The releases of a Python package that this Python can install, as pip lists them.

use std::path::Path;
use std::process::Command;

use crate::error::{ReleaseError, at};
use crate::places::{Places, essentials};
use crate::python::{NO_PYTHON, python};
use crate::version::{Ecosystem, Version};

const FIX: &str =
    "connect to the index that pip is configured for, and check it with `python3 -m pip index versions NAME`";

/// Returns the releases of a package. Those that pip lists are kept, and are used when it cannot.
pub(super) fn releases(name: &str, places: &Places) -> Result<Vec<Version>, ReleaseError> {
    let keep = places.target()?.join("workers").join("index").join(format!("{name}.pip"));
    let mut command = Command::new(python());
    command.args(["-m", "pip", "index", "versions", "--pre", name]);
    let output =
        command.output().map_err(|source| ReleaseError::Program { program: python(), source, fix: NO_PYTHON })?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let listed = read(&told);
    if output.status.success() && !listed.is_empty() {
        if let Some(folder) = keep.parent() {
            std::fs::create_dir_all(folder).map_err(at(folder))?;
        }
        std::fs::write(&keep, &told).map_err(at(&keep))?;
        return Ok(listed);
    }
    kept(&keep)
        .inspect(|_| {
            (places.say)(&format!("pip lists no releases of {name}; those are used that it listed before"));
        })
        .ok_or_else(|| ReleaseError::Registry {
            package: name.to_owned(),
            why: essentials(&String::from_utf8_lossy(&output.stderr)),
            fix: FIX.to_owned(),
        })
}

fn kept(path: &Path) -> Option<Vec<Version>> {
    let versions = read(&std::fs::read_to_string(path).ok()?);
    (!versions.is_empty()).then_some(versions)
}

/// Reads the line `Available versions: 4.9.0, 4.8.0, ...`.
fn read(told: &str) -> Vec<Version> {
    let line = told.lines().find_map(|line| line.trim().strip_prefix("Available versions:")).unwrap_or_default();
    line.split(',').filter_map(|text| Version::parse(Ecosystem::Python, text.trim()).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_of_pip_is_read() {
        let told = "anyio (4.9.0)\nAvailable versions: 4.9.0, 4.8.0, 4.5.2.post1\n  INSTALLED: 4.8.0\n";
        let read: Vec<String> = read(told).iter().map(ToString::to_string).collect();
        assert_eq!(read, ["4.9.0", "4.8.0", "4.5.2.post1"]);
    }
}
