//! Reads the snapshots of outcomes: `<backend>/<theme>/<scenario>.snap`, a header between `---` lines and then the text.
//!
//! It never writes one. The tests do, and `cargo insta review` accepts.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::report::CellReport;
use crate::review::SnapshotCheck;
use crate::scenario::name::ScenarioName;

/// A snapshot that is there and cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}; restore it with `git checkout`, or name another folder with --snapshots", path.display())]
pub struct SnapshotError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub source: std::io::Error,
}

/// Returns where the snapshot of a cell lies.
pub fn path(root: &Path, backend: &str, scenario: &ScenarioName) -> PathBuf {
    let mut path = root.join(backend);
    path.extend(scenario.as_str().split('/'));
    path.as_mut_os_string().push(".snap");
    path
}

/// Compares cells with the snapshots below `root`. A backend without a folder there is not compared, and neither is a
/// cell without an outcome. The scenarios of a theme among `generated` share their snapshots: tables in which each is a
/// paragraph that begins with its name.
///
/// # Errors
///
/// [`SnapshotError`], if a snapshot is there and cannot be read.
pub fn check(root: &Path, cells: &[CellReport], generated: &BTreeSet<String>) -> Result<SnapshotCheck, SnapshotError> {
    let mut check = SnapshotCheck::default();
    let mut tables: BTreeMap<(&str, &str), Table> = BTreeMap::new();
    for cell in cells.iter().filter(|cell| root.join(&cell.backend).is_dir()) {
        let (Some(outcome), theme) = (cell.outcome(), cell.scenario.theme()) else { continue };
        let reviewed = if generated.contains(theme) {
            let table = match tables.entry((&cell.backend, theme)) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => place.insert(read_tables(&root.join(&cell.backend).join(theme))?),
            };
            table.get(cell.scenario.as_str()).cloned()
        } else {
            let path = path(root, &cell.backend, &cell.scenario);
            read(&path)?.map(|text| contents(&text).to_owned())
        };
        match reviewed {
            None => check.missing += 1,
            Some(text) => {
                check.compared += 1;
                if !text.lines().eq(outcome.transcript.iter().map(|line| line.trim_end())) {
                    check.changed.push((cell.scenario.clone(), cell.backend.clone()));
                }
            }
        }
    }
    Ok(check)
}

/// The texts of generated scenarios, by name.
type Table = BTreeMap<String, String>;

/// Reads the tables of a generated theme.
fn read_tables(folder: &Path) -> Result<Table, SnapshotError> {
    let mut table = Table::new();
    for entry in walkdir::WalkDir::new(folder).into_iter().flatten() {
        if entry.path().extension().is_none_or(|extension| extension != "snap") {
            continue;
        }
        let text = read(entry.path())?.unwrap_or_default();
        let paragraphs = contents(&text).split("\n\n").filter_map(|paragraph| paragraph.split_once('\n'));
        table.extend(paragraphs.map(|(name, text)| (name.to_owned(), text.to_owned())));
    }
    Ok(table)
}

/// Reads a file, if there is one.
fn read(path: &Path) -> Result<Option<String>, SnapshotError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(SnapshotError { path: path.to_owned(), source }),
    }
}

/// Returns the text of a snapshot, without its header.
pub fn contents(snapshot: &str) -> &str {
    let body = snapshot.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n")).map(|(_, body)| body);
    body.unwrap_or(snapshot).trim_end()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::header("---\nsource: a\ndescription: b\n---\nA acquire m  acquired\n", "A acquire m  acquired")]
    #[case::no_header("A acquire m  acquired\n", "A acquire m  acquired")]
    #[case::nothing("", "")]
    fn the_header_is_no_part_of_the_text(#[case] snapshot: &str, #[case] expected: &str) {
        assert_eq!(contents(snapshot), expected);
    }

    #[test]
    fn a_snapshot_lies_where_its_scenario_says() {
        let name: ScenarioName = "reentry/same.task".parse().expect("it is a name");
        assert_eq!(path(Path::new("s"), "tokio", &name), Path::new("s/tokio/reentry/same.task.snap"));
    }
}
