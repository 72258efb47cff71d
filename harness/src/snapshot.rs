//! Reads the snapshots of outcomes: `<backend>/<theme>/<scenario>.snap`, a header between `---` lines and then the
//! text.
//!
//! It never writes one. The tests do, and `cargo insta review` accepts.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::report::CellReport;
use crate::review::SnapshotCheck;
use crate::scenario::name::ScenarioName;
use crate::verdict::Verdict;

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
/// cell without an outcome, or one that is unsupported and has no snapshot. `table` names the snapshot in which a
/// generated scenario stands with others, each below its name and a blank line apart from the next.
///
/// # Errors
///
/// [`SnapshotError`], if a snapshot is there and cannot be read.
pub fn check<'c>(
    root: &Path,
    cells: impl IntoIterator<Item = &'c CellReport>,
    table: &dyn Fn(&ScenarioName) -> Option<ScenarioName>,
) -> Result<SnapshotCheck, SnapshotError> {
    let mut check = SnapshotCheck::default();
    let mut files: HashMap<PathBuf, Option<String>> = HashMap::new();
    for cell in cells.into_iter().filter(|cell| root.join(&cell.backend).is_dir()) {
        let Some(outcome) = cell.outcome() else { continue };
        let table = table(&cell.scenario);
        let path = path(root, &cell.backend, table.as_ref().unwrap_or(&cell.scenario));
        if !files.contains_key(&path) {
            files.insert(path.clone(), read(&path)?);
        }
        let reviewed = files[&path].as_deref().map(contents).and_then(|text| match table {
            None => Some(text),
            Some(_) => entry(text, &cell.scenario),
        });
        match reviewed {
            Some(text) => {
                check.compared += 1;
                if !text.lines().eq(outcome.transcript.iter().map(|line| line.trim_end())) {
                    check.changed.push((cell.scenario.clone(), cell.backend.clone()));
                }
            }
            // It says no more than that the library lacks something, which it declares.
            None if outcome.verdict == Verdict::Unsupported => {}
            None => check.missing += 1,
        }
    }
    Ok(check)
}

/// Reads a snapshot, if it is there.
fn read(path: &Path) -> Result<Option<String>, SnapshotError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(SnapshotError { path: path.to_owned(), source }),
    }
}

/// Returns what a table says of one scenario.
fn entry<'a>(table: &'a str, scenario: &ScenarioName) -> Option<&'a str> {
    table.split("\n\n").find_map(|entry| entry.strip_prefix(scenario.as_str())?.strip_prefix('\n'))
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
    fn a_table_has_an_entry_for_each_of_its_scenarios() {
        let table = "pairs/a-then-b\nA acquire m  acquired\n\npairs/a-then-b-abort\nabort B  aborted";
        let find = |name: &str| entry(table, &name.parse().expect("it is a name"));
        assert_eq!(find("pairs/a-then-b"), Some("A acquire m  acquired"));
        assert_eq!(find("pairs/a-then-b-abort"), Some("abort B  aborted"));
        assert_eq!(find("pairs/a-then-c"), None);
    }

    #[test]
    fn a_snapshot_lies_where_its_scenario_says() {
        let name: ScenarioName = "reentry/same.task".parse().expect("it is a name");
        assert_eq!(path(Path::new("s"), "tokio", &name), Path::new("s/tokio/reentry/same.task.snap"));
    }
}
