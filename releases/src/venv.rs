//! Workers of Python packages: an environment for each set of releases, made on first use and kept.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::isolation::WorkerCommand;

use crate::error::{ReleaseError, at};
use crate::exclusive::Exclusive;
use crate::places::{Places, essentials};
use crate::resolve::Release;

pub(crate) const NO_PYTHON: &str =
    "install Python 3 with its venv and pip, or name one with the variable KEYALIKE_PYTHON";

/// Returns the Python that environments are made with.
pub(crate) fn python() -> String {
    std::env::var("KEYALIKE_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

/// Makes the environment of a release, if it is not there already, and returns the command of its worker.
pub(crate) fn prepare(release: &Release, places: &Places) -> Result<WorkerCommand, ReleaseError> {
    let source = places.workspace.join("backends/python/src");
    if !source.is_dir() {
        return Err(ReleaseError::NoSources { path: source });
    }
    let requirements = requirements(release);
    let folder = folder(&requirements, &source, places)?;
    let interpreter = folder.join("bin/python");
    let ready = folder.join("keyalike-ready");
    if !ready.is_file() {
        let what = if requirements.is_empty() { "Python alone".to_owned() } else { requirements.join(" ") };
        let _exclusive = Exclusive::wait(&folder, &format!("the environment of {what}"), &*places.say)?;
        if !ready.is_file() {
            (places.say)(&format!("making the environment of {what} (once)"));
            make(&folder, &interpreter, &requirements, &what)?;
            install_worker(&folder, &interpreter, &source, &what)?;
            std::fs::write(&ready, "").map_err(at(&ready))?;
        }
    }
    let arguments = ["-m", "keyalike_worker", "--backend", &release.id].map(str::to_owned);
    Ok(WorkerCommand::foreign(interpreter, arguments))
}

/// Returns what pip is to install. Where anyio runs on trio, trio is the newest that the release of anyio can work with:
/// anyio's own extra says which.
fn requirements(release: &Release) -> Vec<String> {
    let (Some(package), Some(version)) = (release.parts.package, &release.version) else { return Vec::new() };
    let mut requirements = match (package.name, release.parts.runtime.as_str()) {
        ("anyio", "trio") => vec![format!("anyio[trio]=={version}")],
        (name, _) => vec![format!("{name}=={version}")],
    };
    if release.parts.runtime == "uvloop" && package.name != "uvloop" {
        requirements.push("uvloop".to_owned());
    }
    requirements
}

/// Returns the folder of an environment: one for each set of requirements, Python and checkout.
fn folder(requirements: &[String], source: &Path, places: &Places) -> Result<PathBuf, ReleaseError> {
    let mut command = Command::new(python());
    command.args(["-c", "import sys; print(sys.executable, sys.version)"]);
    let told = run(&mut command, "Python", NO_PYTHON)?;
    let mut hasher = DefaultHasher::new();
    (requirements, source, told).hash(&mut hasher);
    let name: String = requirements.first().map_or("python", String::as_str).replace("==", "-");
    let name: String = name.chars().map(|letter| if "[]=<>".contains(letter) { '-' } else { letter }).collect();
    Ok(places.target()?.join("venvs").join(format!("{name}-{:016x}", hasher.finish())))
}

fn make(folder: &Path, interpreter: &Path, requirements: &[String], what: &str) -> Result<(), ReleaseError> {
    // What an interrupted run left behind is worth nothing.
    if folder.exists() {
        std::fs::remove_dir_all(folder).map_err(at(folder))?;
    }
    let mut command = Command::new(python());
    command.args(["-m", "venv"]);
    if requirements.is_empty() {
        command.arg("--without-pip");
    }
    run(command.arg(folder), what, NO_PYTHON)?;
    if requirements.is_empty() {
        return Ok(());
    }
    let mut command = Command::new(interpreter);
    command.args(["-m", "pip", "install", "--quiet", "--no-input", "--prefer-binary"]).args(requirements);
    let fix = "connect to the index that pip is configured for, or choose a release that this Python can install";
    run(&mut command, what, fix).map(drop)
}

/// Lets the environment find the worker where it lies in the checkout.
fn install_worker(folder: &Path, interpreter: &Path, source: &Path, what: &str) -> Result<(), ReleaseError> {
    let mut command = Command::new(interpreter);
    command.args(["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]);
    let told = run(&mut command, what, NO_PYTHON)?;
    let place = match told.trim() {
        "" => folder.join("lib"),
        place => PathBuf::from(place),
    };
    let file = place.join("keyalike_worker.pth");
    std::fs::write(&file, format!("{}\n", source.display())).map_err(at(&file))
}

/// Runs a command and returns what it wrote to stdout.
fn run(command: &mut Command, what: &str, fix: &'static str) -> Result<String, ReleaseError> {
    let text = command.get_program().to_string_lossy().into_owned();
    let output =
        command.output().map_err(|source| ReleaseError::Program { program: text.clone(), source, fix: NO_PYTHON })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = command.get_args().map(|word| word.to_string_lossy().into_owned());
    Err(ReleaseError::Venv {
        what: what.to_owned(),
        command: std::iter::once(text).chain(words).collect::<Vec<_>>().join(" "),
        why: essentials(&(String::from_utf8_lossy(&output.stderr) + &*String::from_utf8_lossy(&output.stdout))),
        fix,
    })
}
