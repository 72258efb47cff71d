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
    let lacks = |what, why: &str| lacks(package, version, what, why.to_owned());
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
    let fingerprint = fingerprint(package, version, places)?;
    if let Some(built) = kept(&folder, &fingerprint) {
        return Ok((folder, built));
    }
    let exclusive = Exclusive::wait(&folder, &format!("the worker of {what}"), &*places.say)?;
    if let Some(built) = kept(&folder, &fingerprint) {
        return Ok((folder, built));
    }
    (places.say)(&format!("building the worker of {what} (once)"));
    let mut first_failure = None;
    for subject in package.subjects {
        let above = match subject.under {
            Some(under) => users(published(under, places)?, package, version).into_iter().map(Some).collect(),
            None => vec![None],
        };
        if above.is_empty() {
            let why = format!("no release of {} can use it", subject.under.unwrap_or_default());
            first_failure = first_failure.or(Some(lacks(package, version, "lock library above it", why)));
        }
        for above in above {
            let has_others = above.is_some();
            let worker = Worker { package, subject, above, version, places, folder: &folder, workers: &workers };
            match worker.make(&exclusive) {
                Ok(features) => {
                    let built = Built { fingerprint, features };
                    let text = serde_json::to_string_pretty(&built).expect("it has only keys that JSON can write");
                    std::fs::write(folder.join(BUILT), text).map_err(at(folder.join(BUILT)))?;
                    return Ok((folder, built));
                }
                // A library above may need more of the release than it says.
                Err(error @ ReleaseError::Build { .. }) if has_others => first_failure = first_failure.or(Some(error)),
                Err(error @ ReleaseError::Lacks { .. }) => {
                    first_failure = first_failure.or(Some(error));
                    break;
                }
                Err(error) => return Err(error),
            }
        }
    }
    Err(first_failure.expect("every Cargo package has a subject"))
}

/// Returns the releases of a library that say that they can use `version` of a package, from the newest on: of each line only
/// the last, since repairs need nothing else.
fn users(mut above: Vec<Published>, package: &Package, version: &semver::Version) -> Vec<Published> {
    above.retain(|release| {
        let requirement = release.dependencies.get(package.name);
        release.version.pre.is_empty() && requirement.is_some_and(|range| range.matches(version))
    });
    above.reverse();
    above.dedup_by_key(|release| (release.version.major, release.version.minor));
    above
}

fn lacks(package: &Package, version: &semver::Version, what: &'static str, why: String) -> ReleaseError {
    ReleaseError::Lacks { package: package.name.to_owned(), version: version.to_string(), what, why }
}

/// Hashes all that a worker is built from. Any change to it, of the harness too, builds the worker anew.
fn fingerprint(package: &'static Package, version: &semver::Version, places: &Places) -> Result<String, ReleaseError> {
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
    /// The release of the library above, if that is what is driven.
    above: Option<Published>,
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
        let manifest = template::manifest(&name, &self.dependencies()?, &self.places.workspace, template.capabilities);
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
        let (Some(under), Some(above)) = (self.subject.under, &self.above) else {
            return Ok(dependency(self.package.name, &pinned, self.subject, release));
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
            (None, Some(error)) => Err(lacks(self.package, self.version, "mutex that can be driven", say(error))),
            (None, None) => Err(self.broken(essentials(&String::from_utf8_lossy(&output.stderr)))),
        }
    }

    /// Builds the program with what compiles, and puts it where it is kept.
    fn build(&self, features: &BTreeSet<String>, exclusive: &Exclusive) -> Result<(), ReleaseError> {
        let folder = self.folder;
        let packages = folder.join("src/packages.rs");
        let lock = std::fs::read_to_string(folder.join("Cargo.lock")).map_err(at(folder.join("Cargo.lock")))?;
        std::fs::write(&packages, template::packages(&locked(&lock, &name(self.package, self.version))))
            .map_err(at(&packages))?;
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

/// Returns the packages of a lock file with their versions; of one that is there twice, that which is fewest steps away from
/// the package `root`, for that is the one that is driven.
fn locked(lock: &str, root: &str) -> BTreeMap<String, String> {
    let blocks: Vec<Locked<'_>> = lock.split("[[package]]").filter_map(Locked::read).collect();
    let mut found = BTreeMap::new();
    let mut next: Vec<&Locked<'_>> = blocks.iter().filter(|block| block.name == root).collect();
    let mut seen = BTreeSet::new();
    while !next.is_empty() {
        next.retain(|block| seen.insert((block.name, block.version)));
        for block in &next {
            found.entry(block.name.to_owned()).or_insert_with(|| block.version.to_owned());
        }
        let needs = |block: &&Locked<'_>| next.iter().any(|user| user.dependencies.iter().any(|it| block.is(it)));
        next = blocks.iter().filter(needs).collect();
    }
    found
}

/// A package of a lock file.
struct Locked<'a> {
    name: &'a str,
    version: &'a str,
    /// Each a name, with a version behind it where the name alone is not enough.
    dependencies: Vec<&'a str>,
}

impl<'a> Locked<'a> {
    fn read(block: &'a str) -> Option<Self> {
        let value =
            |key: &str| block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"'));
        let dependencies = block.lines().filter_map(|line| line.strip_prefix(" \"")?.strip_suffix("\","));
        Some(Self { name: value("name")?, version: value("version")?, dependencies: dependencies.collect() })
    }

    /// Returns whether a line among the dependencies of another package means this one.
    fn is(&self, dependency: &str) -> bool {
        let mut words = dependency.split(' ');
        words.next() == Some(self.name) && words.next().is_none_or(|version| version == self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_in_a_lock_file_is_that_of_the_package_nearest_to_the_worker() {
        let block = |name: &str, version: &str, dependencies: &str| {
            format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\ndependencies = [\n{dependencies}]\n\n")
        };
        // The library passes on locks of 2.8.0; something else that it needs has newer ones for itself.
        let lock = ["version = 4\n\n".to_owned()]
            .into_iter()
            .chain([
                block("blocking", "1.6.1", " \"locks 3.5.0\",\n"),
                block("library", "1.3.0", " \"blocking\",\n \"locks 2.8.0\",\n"),
                block("locks", "2.8.0", ""),
                block("locks", "3.5.0", ""),
                block("worker", "0.0.0", " \"library\",\n"),
                block("stranger", "1.0.0", ""),
            ])
            .collect::<String>();
        let pair = |(name, version): (&str, &str)| (name.to_owned(), version.to_owned());
        let expected = [("blocking", "1.6.1"), ("library", "1.3.0"), ("locks", "2.8.0"), ("worker", "0.0.0")];
        assert_eq!(locked(&lock, "worker"), expected.map(pair).into());
    }

    #[test]
    fn of_each_line_above_the_last_release_that_can_use_it_is_tried_from_the_newest_on() {
        let release = |version: &str, requirement: &str| Published {
            version: version.parse().expect("a version"),
            features: Vec::new(),
            dependencies: BTreeMap::from([("event-listener".to_owned(), requirement.parse().expect("a range"))]),
        };
        let above = vec![
            release("1.0.0", "1"),
            release("1.1.0", "2"),
            release("1.1.1", "2"),
            release("1.2.0", "2"),
            release("1.3.0", "2.4"),
            release("2.0.0-beta", "2"),
        ];
        let package = Package::named("event-listener").expect("it is there");
        let users = users(above, package, &semver::Version::new(2, 2, 1));
        let versions: Vec<String> = users.iter().map(|release| release.version.to_string()).collect();
        assert_eq!(versions, ["1.2.0", "1.1.1"]);
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
