//! Holds what was observed to the snapshots that were reviewed: for everybody who writes an entry point of his own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// How a person accepts what is new.
pub const REVIEW: &str = "review it with `cargo insta review`, or write all with `INSTA_UPDATE=always cargo test` and read \
                          the diff; accept it only with a sentence that explains it";

/// Compares a text with the snapshot of a name, by [`insta::assert_snapshot`] in the crate whose snapshots they are.
pub type Compare = fn(&str, &str);

/// Holds `text` to the snapshot `<folder>/<name>.snap`. One that is new or has changed is left pending.
///
/// # Errors
///
/// What is new or has changed, and how to accept it.
pub fn assert_reviewed(folder: &Path, name: &str, text: &str, compare: Compare) -> Result<(), String> {
    let (theme, scenario) = name.rsplit_once('/').unwrap_or(("", name));
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder.join(theme));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_description(name);
    let place = place(folder, name);
    let state = if place.is_file() { "has changed" } else { "has no snapshot yet" };
    catch_unwind(AssertUnwindSafe(|| settings.bind(|| compare(scenario, text)))).map_err(|_| {
        let backend = folder.file_name().unwrap_or_default().display();
        format!("{backend}/{name} {state}; {REVIEW}")
    })
}

/// Returns the text of a reviewed snapshot, without its header.
///
/// # Errors
///
/// Its place, if it cannot be read.
pub fn read_snapshot(folder: &Path, name: &str) -> Result<String, String> {
    let path = place(folder, name);
    let file = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}; {REVIEW}", path.display()))?;
    let text = file.splitn(3, "---\n").nth(2).unwrap_or_default();
    Ok(text.trim_end_matches('\n').to_owned())
}

fn place(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.snap"))
}

/// Checks that a folder of snapshots is there, and holds nothing pending and nothing that has lost its scenario.
///
/// # Errors
///
/// Everything that is wrong, a line each.
pub fn check_folder(folder: &Path, has_scenario: impl Fn(&str) -> bool) -> Result<(), String> {
    if !folder.is_dir() {
        return Err(format!("there are no snapshots in {} yet; run the tests, then {REVIEW}", folder.display()));
    }
    let backend = folder.file_name().unwrap_or_default().display();
    let mut wrong = Vec::new();
    for entry in walkdir::WalkDir::new(folder).sort_by_file_name() {
        let entry = entry.map_err(|error| error.to_string())?;
        if !entry.file_type().is_file() {
            continue;
        }
        let place = entry.path().strip_prefix(folder).unwrap_or_else(|_| Path::new(""));
        let name = place.with_extension("").display().to_string().replace('\\', "/");
        match place.extension().and_then(|extension| extension.to_str()) {
            Some("snap") if has_scenario(&name) => {}
            Some("snap") => wrong.push(format!("{backend}/{name} has no scenario; delete {}", entry.path().display())),
            Some("new") => wrong.push(format!("{backend}/{name} is pending; {REVIEW}")),
            _ => wrong.push(format!("{} is no snapshot; delete it", entry.path().display())),
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}
