//! The lock of `docs/example`, broken by one line in each of several ways: the right scenario turns red for each, and all
//! are green before.
//!
//! Runs the tests of the example as a stranger does, on a copy of it, so it needs a build of its own and runs with the
//! feature `with-example` only.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

/// The backend whose tests are run: one is enough.
const BACKEND: &str = "smol+fair-mutex";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    sabotage: Vec<Sabotage>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sabotage {
    name: String,
    /// A line of `src/lib.rs`, which stands there once.
    line: String,
    becomes: String,
    /// The scenarios that turn red, among others.
    red: Vec<String>,
}

#[test]
fn every_sabotage_of_the_example_turns_its_scenario_red() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let example = root.join("docs/example");
    // As far from the root as the example is, so that its path to the kit holds.
    let copy = root.join("target/sabotaged-example");
    copy_folder(&example, &copy);
    let manifest = read(&copy.join("Cargo.toml"));
    // Another version: cargo would take the copy and the example for one package, and the build of one for the other's.
    let other = manifest.replacen("version = \"0.3.0\"", "version = \"0.3.0-sabotaged\"", 1);
    assert_ne!(manifest, other, "the version of the example is known");
    fs::write(copy.join("Cargo.toml"), other).expect("the copy can be written");

    let lock = read(&example.join("src/lib.rs"));
    let file: File = toml::from_str(&read(&example.join("sabotages.toml"))).expect("the sabotages can be read");
    assert!(file.sabotage.len() >= 5, "there are five sabotages");
    let red = run(&copy, &example, &lock);
    assert!(red.is_empty(), "the lock is right before it is sabotaged, yet these are red: {red:?}");
    for sabotage in &file.sabotage {
        let broken: Vec<&str> =
            lock.lines().map(|line| if line == sabotage.line { sabotage.becomes.as_str() } else { line }).collect();
        let changed = broken.iter().zip(lock.lines()).filter(|(line, before)| *line != before).count();
        assert_eq!(changed, 1, "{}: one line is changed", sabotage.name);
        let red = run(&copy, &example, &(broken.join("\n") + "\n"));
        for scenario in &sabotage.red {
            assert!(red.contains(scenario), "{}: {scenario} stays green; red are {red:?}", sabotage.name);
        }
        println!("{}: {} of {} tests red", sabotage.name, sabotage.red.join(", "), red.len());
    }
}

/// Runs the tests of the copy with this lock, and returns those that are red.
fn run(copy: &Path, example: &Path, lock: &str) -> BTreeSet<String> {
    fs::write(copy.join("src/lib.rs"), lock).expect("the copy can be written");
    let output = Command::new(env!("CARGO"))
        .args(["test", "--quiet", "--test", "keyalike", "--", &format!("{BACKEND}::")])
        .current_dir(copy)
        .env("CARGO_TARGET_DIR", example.join("target"))
        .env("INSTA_UPDATE", "no")
        .output()
        .expect("cargo starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("test result: "), "the tests do not run:\n{said}{errors}");
    // The list at the end: the lines before it come while other tests print their differences in between.
    let Some((_, list)) = said.rsplit_once("\nfailures:\n") else { return BTreeSet::new() };
    let names = list.lines().filter_map(|line| line.trim().strip_prefix(BACKEND)?.strip_prefix("::"));
    names.map(str::to_owned).collect()
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Copies a folder without what was built in it, in place of what is there.
fn copy_folder(from: &Path, to: &Path) {
    if to.is_dir() {
        fs::remove_dir_all(to).expect("the old copy can be removed");
    }
    let mut folders: Vec<PathBuf> = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        fs::create_dir_all(to.join(&folder)).expect("the copy can be written");
        for entry in fs::read_dir(from.join(&folder)).expect("the example can be read") {
            let entry = entry.expect("the example can be read");
            let place = folder.join(entry.file_name());
            match entry.path().is_dir() {
                true if place == Path::new("target") => {}
                true => folders.push(place),
                false => drop(fs::copy(entry.path(), to.join(&place)).expect("the copy can be written")),
            }
        }
    }
}
