//! Workers of Cargo packages: a crate outside the workspace that pins one release, built on first use and kept.
//!
//! What a release offers is asked of the compiler and not of a table: each file of an adapter is compiled by itself as an
//! example of the generated crate, and what does not compile is an operation that the release lacks.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use harness::isolation::WorkerCommand;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{ReleaseError, at};
use crate::exclusive::Exclusive;
use crate::id::ReleaseId;
use crate::package::{Package, Subject};
use crate::places::{Places, cargo, essentials, no_cargo};
use crate::registry::{Published, published};

mod template;

use template::Template;

/// What was built, as it is kept beside the program.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Built {
    /// A hash of all that it was built from.
    fingerprint: String,
    /// The files of the adapter that compile with this release.
    features: BTreeSet<String>,
}

/// Makes the worker of a release, if it is not there already, and returns the command that starts it.
pub(crate) fn prepare(
    id: &str,
    parts: &ReleaseId,
    package: &'static Package,
    version: &semver::Version,
    places: &Places,
) -> Result<WorkerCommand, ReleaseError> {
    let (folder, built) = make(package, version, places)?;
    let is_owned = parts.locks.as_deref().is_some_and(|word| word.ends_with("-owned") || word.ends_with("-arc"));
    let lacks = |what: &'static str, why: &str| ReleaseError::Lacks {
        package: package.name.to_owned(),
        version: version.to_string(),
        what,
        why: why.to_owned(),
    };
    if is_owned && !built.features.contains("owned") {
        return Err(lacks("guard that owns its mutex", "the adapter for it does not compile with this release"));
    }
    let is_native = package.own_runtimes.contains(&parts.runtime.as_str()) && parts.locks.is_none();
    if is_native && !built.features.contains("runtime") {
        let elsewhere = package.pairs().find(|pair| pair.contains('+')).unwrap_or_default();
        let hint =
            format!("the adapter for it does not compile with this release; its locks run as `{elsewhere}@{version}`");
        return Err(lacks("runtime that can be driven", &hint));
    }
    let arguments = [id, parts.runtime.as_str(), if is_owned { "owned" } else { "borrowed" }].map(str::to_owned);
    Ok(WorkerCommand { is_own: true, ..WorkerCommand::foreign(folder.join(PROGRAM), arguments) })
}

/// Returns whether a release brings a runtime of its own that can be driven. Builds it, if need be.
pub(crate) fn has_runtime(
    package: &'static Package,
    version: &semver::Version,
    places: &Places,
) -> Result<bool, ReleaseError> {
    let (_, built) = make(package, version, places)?;
    Ok(built.features.contains("runtime"))
}

/// What the program is called once it is built.
const PROGRAM: &str = "worker";

/// Makes the worker of a release, if it is not there already, of the first subject that fits the release. If none does, that
/// is told of the first.
fn make(
    package: &'static Package,
    version: &semver::Version,
    places: &Places,
) -> Result<(PathBuf, Built), ReleaseError> {
    let workers = places.target()?.join("workers");
    let what = format!("{} {version}", package.name);
    let folder = workers.join(what.replace(' ', "-"));
    let worker = |subject| Worker { package, subject, version, places, folder: &folder, workers: &workers };
    let fingerprint = fingerprint(package, version, places)?;
    if let Some(built) = kept(&folder, &fingerprint) {
        return Ok((folder, built));
    }
    let exclusive = Exclusive::wait(&folder, &format!("the worker of {what}"), &*places.say)?;
    if let Some(built) = kept(&folder, &fingerprint) {
        return Ok((folder, built));
    }
    (places.say)(&format!("building the worker of {what} (once)"));
    let mut lacks = None;
    for subject in package.subjects {
        match worker(subject).make(&exclusive) {
            Ok(features) => {
                let built = Built { fingerprint, features };
                let text = serde_json::to_string_pretty(&built).expect("it has only keys that JSON can write");
                std::fs::write(folder.join(BUILT), text).map_err(at(folder.join(BUILT)))?;
                return Ok((folder, built));
            }
            Err(error @ ReleaseError::Lacks { .. }) => lacks = lacks.or(Some(error)),
            Err(error) => return Err(error),
        }
    }
    Err(lacks.expect("every Cargo package has a subject"))
}

/// Hashes all that a worker is built from. Any change to it, of the harness too, builds the worker anew.
fn fingerprint(
    package: &'static Package,
    version: &semver::Version,
    places: &Places,
) -> Result<String, ReleaseError> {
    let mut hasher = DefaultHasher::new();
    (package.name, version.to_string(), format!("{:?}", package.subjects)).hash(&mut hasher);
    for subject in package.subjects {
        Template::of(subject.adapter).files().for_each(|file| file.hash(&mut hasher));
    }
    template::manifest(&name(package, version), "", &places.workspace, &[]).hash(&mut hasher);
    let mut sources = vec![places.workspace.join("Cargo.toml"), places.workspace.join("Cargo.lock")];
    sources.push(places.workspace.join("harness/Cargo.toml"));
    collect(&places.workspace.join("harness/src"), &mut sources)?;
    for path in sources {
        std::fs::read(&path).map_err(at(&path))?.hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

/// Returns the name of the generated crate.
fn name(package: &Package, version: &semver::Version) -> String {
    let version = version.to_string().replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
    format!("keyalike-worker-{}-{version}", package.name)
}

/// A release and what its worker might be built of.
struct Worker<'a> {
    package: &'static Package,
    subject: &'static Subject,
    version: &'a semver::Version,
    places: &'a Places,
    folder: &'a Path,
    workers: &'a Path,
}

impl Worker<'_> {
    /// Builds the worker, and returns what of the adapter compiles.
    fn make(&self, exclusive: &Exclusive) -> Result<BTreeSet<String>, ReleaseError> {
        let template = Template::of(self.subject.adapter);
        self.write(template)?;
        let features = self.probe(template, exclusive)?;
        self.build(&features, exclusive)?;
        Ok(features)
    }

    /// Writes the crate.
    fn write(&self, template: &Template) -> Result<(), ReleaseError> {
        let (folder, name) = (self.folder, name(self.package, self.version));
        let manifest =
            template::manifest(&name, &self.dependencies()?, &self.places.workspace, template.capabilities);
        let save = |place: &str, text: &str| {
            let path = folder.join(place);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent).map_err(at(parent))?;
            }
            std::fs::write(&path, text).map_err(at(&path))
        };
        save("Cargo.toml", &manifest)?;
        // The harness is built of what the workspace is built of; cargo adds the pinned release to it.
        let lock = self.places.workspace.join("Cargo.lock");
        std::fs::copy(&lock, folder.join("Cargo.lock")).map_err(at(&lock))?;
        for (place, text) in template.files() {
            save(&format!("src/{place}"), text)?;
        }
        for (capability, needs) in template.capabilities {
            save(&format!("examples/{capability}.rs"), &template::probe(capability, needs))?;
        }
        save("src/packages.rs", template::NO_PACKAGES)
    }

    /// Returns the lines of the manifest that pin the release.
    fn dependencies(&self) -> Result<String, ReleaseError> {
        let releases = published(self.package.name, self.places)?;
        let release = releases.iter().find(|release| release.version == *self.version);
        let pinned = format!("={}", self.version);
        let Some(under) = self.subject.under else {
            return Ok(dependency(self.package.name, &pinned, self.subject, release));
        };
        let above = published(under, self.places)?;
        let uses = |release: &&Published| {
            let requirement = release.dependencies.get(self.package.name);
            release.version.pre.is_empty() && requirement.is_some_and(|range| range.matches(self.version))
        };
        let Some(above) = above.iter().rev().find(uses) else {
            return Err(ReleaseError::Lacks {
                package: self.package.name.to_owned(),
                version: self.version.to_string(),
                what: "lock library above it",
                why: format!("no release of {under} can use it"),
            });
        };
        let lines = dependency(under, &format!("={}", above.version), self.subject, Some(above));
        Ok(format!("{lines}{} = \"{pinned}\"\n", self.package.name))
    }

    /// Returns the capabilities whose files compile with the release.
    fn probe(&self, template: &Template, exclusive: &Exclusive) -> Result<BTreeSet<String>, ReleaseError> {
        let arguments = ["build", "--examples", "--keep-going", "--message-format=json"];
        let output = self.cargo(&arguments, exclusive)?;
        let messages: Vec<Value> =
            output.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
        let compiled: BTreeSet<String> = messages
            .iter()
            .filter(|message| message["reason"] == "compiler-artifact" && message["target"]["kind"][0] == "example")
            .filter_map(|message| message["target"]["name"].as_str().map(str::to_owned))
            .collect();
        if compiled.contains(template::BASE) {
            return Ok(template
                .capabilities
                .iter()
                .map(|(name, _)| (*name).to_owned())
                .filter(|name| compiled.contains(name))
                .collect());
        }
        let own = name(self.package, self.version);
        let errors = messages.iter().filter(|message| message["message"]["level"] == "error");
        let (ours, theirs): (Vec<&Value>, Vec<&Value>) =
            errors.partition(|message| message["package_id"].as_str().is_some_and(|id| id.contains(&own)));
        let say = |message: &Value| {
            let crate_name = message["target"]["name"].as_str().unwrap_or_default();
            format!("{crate_name}: {}", message["message"]["message"].as_str().unwrap_or_default())
        };
        match (theirs.first(), ours.iter().find(|message| message["target"]["name"] == template::BASE)) {
            (Some(error), _) => Err(self.broken(say(error))),
            (None, Some(error)) => Err(ReleaseError::Lacks {
                package: self.package.name.to_owned(),
                version: self.version.to_string(),
                what: "mutex that can be driven",
                why: say(error),
            }),
            (None, None) => Err(self.broken(essentials(&String::from_utf8_lossy(&output.stderr)))),
        }
    }

    /// Builds the program with what compiles, and puts it where it is kept.
    fn build(&self, features: &BTreeSet<String>, exclusive: &Exclusive) -> Result<(), ReleaseError> {
        let folder = self.folder;
        let packages = folder.join("src/packages.rs");
        let lock = std::fs::read_to_string(folder.join("Cargo.lock")).map_err(at(folder.join("Cargo.lock")))?;
        std::fs::write(&packages, template::packages(&locked(&lock))).map_err(at(&packages))?;
        let features = features.iter().cloned().collect::<Vec<_>>().join(",");
        let arguments = ["build", "--bins", "--features", &features, "--message-format=json-render-diagnostics"];
        let output = self.cargo(&arguments, exclusive)?;
        let program = output
            .stdout
            .split(|byte| *byte == b'\n')
            .filter_map(|line| serde_json::from_slice::<Value>(line).ok())
            .find_map(|message| message["executable"].as_str().map(PathBuf::from));
        let Some(program) = program else {
            return Err(self.broken(essentials(&String::from_utf8_lossy(&output.stderr))));
        };
        // Copied and renamed: a worker of another process may be running at the place.
        let (fresh, place) = (folder.join("worker.new"), folder.join(PROGRAM));
        std::fs::copy(&program, &fresh).map_err(at(&program))?;
        std::fs::rename(&fresh, &place).map_err(at(&place))
    }

    fn cargo(&self, arguments: &[&str], exclusive: &Exclusive) -> Result<Output, ReleaseError> {
        let mut command: Command = cargo();
        command.args(arguments).arg("--target-dir").arg(self.workers.join("target")).current_dir(self.folder);
        // Warnings of old releases and of files that are compiled to see whether they do are nobody's business.
        command.env("CARGO_TERM_COLOR", "never").env("CARGO_BUILD_WARNINGS", "allow");
        self.places.run(&command, exclusive).map_err(no_cargo)
    }

    fn broken(&self, why: String) -> ReleaseError {
        ReleaseError::Build {
            package: self.package.name.to_owned(),
            version: self.version.to_string(),
            why,
            manifest: self.folder.join("Cargo.toml").display().to_string(),
        }
    }
}

/// The file that says what was built.
const BUILT: &str = "built.json";

fn kept(folder: &Path, fingerprint: &str) -> Option<Built> {
    let text = std::fs::read_to_string(folder.join(BUILT)).ok()?;
    let built: Built = serde_json::from_str(&text).ok()?;
    (built.fingerprint == fingerprint && folder.join(PROGRAM).is_file()).then_some(built)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), ReleaseError> {
    let entries = std::fs::read_dir(folder).map_err(at(folder))?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// Returns a line of a manifest: a package with those of the wanted features that the release has.
fn dependency(name: &str, version: &str, subject: &Subject, release: Option<&Published>) -> String {
    let has = |feature: &str| release.is_some_and(|release| release.features.iter().any(|known| known == feature));
    let features: Vec<String> =
        subject.features.iter().filter(|name| has(name)).map(|name| format!("\"{name}\"")).collect();
    let default_features = subject.default_features;
    format!(
        "{name} = {{ version = \"{version}\", default-features = {default_features}, features = [{}] }}\n",
        features.join(", ")
    )
}

/// Returns the packages of a lock file with their versions; of one that is there twice, the newest.
fn locked(lock: &str) -> BTreeMap<String, String> {
    let mut packages: BTreeMap<String, (semver::Version, String)> = BTreeMap::new();
    let mut name = None;
    for line in lock.lines() {
        let value = |key: &str| line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"');
        if let Some(value) = value("name") {
            name = Some(value.to_owned());
        } else if let (Some(value), Some(owner)) = (value("version"), name.take())
            && let Ok(version) = value.parse::<semver::Version>()
            && packages.get(&owner).is_none_or(|(known, _)| *known < version)
        {
            packages.insert(owner, (version, value.to_owned()));
        }
    }
    packages.into_iter().map(|(name, (_, text))| (name, text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_a_lock_file() {
        let lock = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.9.0\"\ndependencies = [\n \"b\",\n]\n\n\
                    [[package]]\nname = \"a\"\nversion = \"1.10.0\"\n";
        assert_eq!(locked(lock), BTreeMap::from([("a".to_owned(), "1.10.0".to_owned())]));
    }

    #[test]
    fn only_features_that_a_release_has_are_asked_for() {
        let subject = Subject { adapter: "tokio", under: None, features: &["sync", "rt"], default_features: false };
        let release = Published {
            version: semver::Version::new(0, 2, 3),
            features: vec!["sync".into()],
            dependencies: BTreeMap::new(),
        };
        assert_eq!(
            dependency("tokio", "=0.2.3", &subject, Some(&release)),
            "tokio = { version = \"=0.2.3\", default-features = false, features = [\"sync\"] }\n"
        );
    }
}
