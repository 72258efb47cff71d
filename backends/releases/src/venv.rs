//! Workers of Python packages: an environment for each set of releases, made on first use and kept.

mod pip;

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use harness::isolation::WorkerCommand;

use crate::error::{ReleaseError, at};
use crate::exclusive::Exclusive;
use crate::package::Package;
use crate::places::{Places, essentials};
use crate::python::{NO_PYTHON, python};
use crate::registry;
use crate::resolve::Release;
use crate::version::{Ecosystem, Version};
use pip::Pip;

const FIX: &str = "connect to the index that pip is configured for, or choose a release that this Python can install";

/// What an environment is made of.
struct Recipe<'a> {
    /// What pip is to install.
    requirements: Vec<String>,
    /// What pins everything else.
    constraints: Vec<String>,
    /// Where the worker lies in the checkout.
    source: &'a Path,
}

/// Makes the environment of a release, if it is not there already, and returns the command of its worker.
pub(crate) fn prepare(release: &Release, places: &Places) -> Result<WorkerCommand, ReleaseError> {
    let source = places.workspace.join("backends/python/src");
    if !source.is_dir() {
        return Err(ReleaseError::NoSources { path: source });
    }
    let constraints = lines(&places.workspace.join("backends/python/constraints.txt"))?;
    let recipe = Recipe { requirements: requirements(release), constraints, source: &source };
    let needs_trio = release.parts.runtime == "trio" && recipe.requirements.iter().any(|it| it.starts_with("anyio"));
    let check = |interpreter: &Path, pip: &Pip, exclusive: &Exclusive| match needs_trio {
        true => agree_with_trio(interpreter, pip, places, exclusive),
        false => Ok(()),
    };
    let interpreter = environment(&recipe, places, &check)?;
    let arguments = ["-m", "keyalike_worker", "--backend", &release.id].map(str::to_owned);
    Ok(WorkerCommand::foreign(interpreter, arguments))
}

/// Makes the environment in which the worker itself is linted and tested, if it is not there already, and returns its
/// Python.
///
/// # Errors
///
/// [`ReleaseError`], if it cannot be made.
pub fn tools(places: &Places) -> Result<PathBuf, ReleaseError> {
    let package = places.workspace.join("backends/python");
    let requirements = lines(&package.join("requirements-dev.txt"))?;
    let recipe = Recipe { requirements, constraints: Vec::new(), source: &package.join("src") };
    environment(&recipe, places, &|_, _, _| Ok(()))
}

/// Returns the lines of a list of requirements, without comments.
fn lines(path: &Path) -> Result<Vec<String>, ReleaseError> {
    let text = std::fs::read_to_string(path).map_err(at(path))?;
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    Ok(lines.filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

/// Makes an environment, if it is not there already, and returns its Python. `check` may put right what pip cannot know.
fn environment(
    recipe: &Recipe<'_>,
    places: &Places,
    check: &dyn Fn(&Path, &Pip, &Exclusive) -> Result<(), ReleaseError>,
) -> Result<PathBuf, ReleaseError> {
    let requirements = &recipe.requirements;
    let told = tell_python()?;
    let name: String = requirements.first().map_or("python", String::as_str).replace("==", "-");
    let name: String = name.chars().map(|letter| if "[]=<>".contains(letter) { '-' } else { letter }).collect();
    let folder = folder(&name, &(requirements, &recipe.constraints, recipe.source, &told), places)?;
    let interpreter = folder.join("bin/python");
    let what = if requirements.is_empty() { "Python alone".to_owned() } else { requirements.join(" ") };
    let said = format!("the environment of {what}");
    once(&folder, &said, places, &|exclusive| {
        (places.say)(&format!("making {said} (once)"));
        let run = |command: &mut Command, fix| judge(command, places.run(command, exclusive), &what, fix);
        // What installs nothing needs no pip.
        if requirements.is_empty() {
            lay_out(&folder, false, &run)?;
        } else {
            let pip = Pip::beside(&self::folder("pip", &told, places)?, places)?;
            lay_out(&folder, pip.is_own(), &run)?;
            install(&folder, &interpreter, recipe, &pip, &run)?;
            check(&interpreter, &pip, exclusive)?;
        }
        install_worker(&folder, &interpreter, recipe.source, &run)?;
        Ok(String::new())
    })?;
    Ok(interpreter)
}

/// Makes what is kept in `folder`, if it is not there already; no other process does meanwhile. Returns what `make` has
/// returned, now or long ago.
fn once(
    folder: &Path,
    what: &str,
    places: &Places,
    make: &dyn Fn(&Exclusive) -> Result<String, ReleaseError>,
) -> Result<String, ReleaseError> {
    let ready = folder.join("keyalike-ready");
    if !ready.is_file() {
        let exclusive = Exclusive::wait(folder, what, &*places.say)?;
        if !ready.is_file() {
            std::fs::write(&ready, make(&exclusive)?).map_err(at(&ready))?;
        }
    }
    std::fs::read_to_string(&ready).map_err(at(&ready))
}

/// Takes trio back, release by release, until anyio runs on it: an old anyio says which trio is too old for it, and cannot
/// know which will be too new.
fn agree_with_trio(interpreter: &Path, pip: &Pip, places: &Places, exclusive: &Exclusive) -> Result<(), ReleaseError> {
    let agrees = || {
        let mut command = Command::new(interpreter);
        command.args(["-W", "ignore", "-c", "import anyio; anyio.run(anyio.sleep, 0, backend='trio')"]);
        places.run(&command, exclusive).is_ok_and(|output| output.status.success())
    };
    let mut command = Command::new(interpreter);
    command.args(["-c", "import importlib.metadata as it; print(it.version('trio'))"]);
    let installed = run(&mut command, "trio", NO_PYTHON)?;
    let mut older = registry::releases(Package::named("trio")?, places)?;
    older.retain(|version| !version.is_prerelease() && version.to_string() != installed.trim());
    let newest = Version::parse(Ecosystem::Python, installed.trim()).ok();
    older.retain(|version| newest.as_ref().is_none_or(|newest| version < newest));
    let mut tried = vec![installed.trim().to_owned()];
    while !agrees() {
        // The newest of the next older line: a line's own repairs change nothing here.
        let line = |text: &str| text.split('.').take(2).collect::<Vec<_>>().join(".");
        let last = tried.last().map(|text| line(text)).unwrap_or_default();
        older.retain(|version| line(&version.to_string()) != last);
        let Some(next) = older.pop() else {
            return Err(ReleaseError::Venv {
                what: "anyio and trio".to_owned(),
                command: "import anyio; anyio.run(anyio.sleep, 0, backend='trio')".to_owned(),
                why: format!("it runs on none of trio {}", tried.join(", ")),
                fix: "choose a release of anyio that this Python can run on trio",
            });
        };
        (places.say)(&format!("trio {} is too new for it; trying {next}", tried.last().map_or("", String::as_str)));
        // A release that this Python cannot install is passed over like one that does not agree.
        let _ = places.run(pip.install(interpreter).arg(format!("trio=={next}")), exclusive);
        tried.push(next.to_string());
    }
    Ok(())
}

/// Returns what pip is to install.
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

/// Returns what the Python that environments are made with says of itself.
fn tell_python() -> Result<String, ReleaseError> {
    let mut command = Command::new(python());
    command.args(["-c", "import sys; print('%d.%d.%d' % sys.version_info[:3]); print(sys.executable, sys.version)"]);
    let told = run(&mut command, "Python", NO_PYTHON)?;
    if let Some(version) = told.lines().next().filter(|version| is_too_old(version)) {
        return Err(ReleaseError::OldPython { program: python(), version: version.to_owned() });
    }
    Ok(told)
}

/// Returns the folder of an environment: one for all that it is made of.
fn folder(name: &str, parts: &impl Hash, places: &Places) -> Result<PathBuf, ReleaseError> {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    Ok(places.target()?.join("venvs").join(format!("{name}-{:016x}", hasher.finish())))
}

/// Returns whether a Python is older than the worker can run on.
fn is_too_old(version: &str) -> bool {
    let numbers: Vec<u32> = version.split('.').filter_map(|number| number.parse().ok()).collect();
    matches!(numbers.as_slice(), [major, minor, ..] if (*major, *minor) < (3, 9))
}

/// Runs a command and returns what it wrote to stdout; with the fix for the case that it fails.
type RunIt<'a> = &'a dyn Fn(&mut Command, &'static str) -> Result<String, ReleaseError>;

/// Makes an environment in which nothing is installed.
fn lay_out(folder: &Path, with_pip: bool, run: RunIt<'_>) -> Result<(), ReleaseError> {
    // What an interrupted run left behind is worth nothing.
    if folder.exists() {
        std::fs::remove_dir_all(folder).map_err(at(folder))?;
    }
    let mut command = Command::new(python());
    command.args(["-m", "venv"]);
    if !with_pip {
        command.arg("--without-pip");
    }
    run(command.arg(folder), NO_PYTHON).map(drop)
}

fn install(
    folder: &Path,
    interpreter: &Path,
    recipe: &Recipe<'_>,
    pip: &Pip,
    run: RunIt<'_>,
) -> Result<(), ReleaseError> {
    let requirements = &recipe.requirements;
    // Nothing pins the release itself but its own number.
    let name = |text: &str| text.split(['=', '[', '<', '>']).next().unwrap_or_default().to_owned();
    let is_asked_for = |pin: &&String| requirements.iter().any(|it| it.contains("==") && name(it) == name(pin));
    let pins: Vec<&str> = recipe.constraints.iter().filter(|pin| !is_asked_for(pin)).map(String::as_str).collect();
    let constraints = folder.join("constraints.txt");
    std::fs::write(&constraints, pins.join("\n")).map_err(at(&constraints))?;
    let install = |constrained: bool| {
        let mut command = pip.install(interpreter);
        command.arg("--prefer-binary");
        if constrained {
            command.arg("--constraint").arg(&constraints);
        }
        run(command.args(requirements), FIX).map(drop)
    };
    // A release that needs older or newer companions than the pinned ones names them itself.
    install(true).or_else(|_| install(false))
}

/// Lets the environment find the worker where it lies in the checkout.
fn install_worker(folder: &Path, interpreter: &Path, source: &Path, run: RunIt<'_>) -> Result<(), ReleaseError> {
    let mut command = Command::new(interpreter);
    command.args(["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]);
    let told = run(&mut command, NO_PYTHON)?;
    let place = match told.trim() {
        "" => folder.join("lib"),
        place => PathBuf::from(place),
    };
    let file = place.join("keyalike_worker.pth");
    std::fs::write(&file, format!("{}\n", source.display())).map_err(at(&file))
}

/// Runs a command and returns what it wrote to stdout.
fn run(command: &mut Command, what: &str, fix: &'static str) -> Result<String, ReleaseError> {
    let output = command.output();
    judge(command, output, what, fix)
}

/// Returns what a command wrote to stdout, if it succeeded.
fn judge(
    command: &Command,
    output: std::io::Result<Output>,
    what: &str,
    fix: &'static str,
) -> Result<String, ReleaseError> {
    let text = command.get_program().to_string_lossy().into_owned();
    let output = output.map_err(|source| ReleaseError::Program { program: text.clone(), source, fix: NO_PYTHON })?;
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

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::two("2.7.18", true)]
    #[case::last_that_is_too_old("3.8.18", true)]
    #[case::oldest("3.9.0", false)]
    #[case::by_number_not_by_letter("3.13.0", false)]
    #[case::what_says_nothing_is_tried("fake", false)]
    fn python_before_3_9_is_too_old(#[case] version: &str, #[case] expected: bool) {
        assert_eq!(is_too_old(version), expected);
    }
}
