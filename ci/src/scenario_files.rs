//! The files that `fmt` and `lint` work on, and the names under which their texts are read.

use std::path::{Path, PathBuf};

use harness::scenario::diagnostic::Diagnostic;
use harness::scenario::name::ScenarioName;
use harness::suite::SuiteError;

use crate::failure::Failure;
use crate::output;
use crate::scenario_choice::{find_scenarios_or_file, name_in_suite, place_of};

/// A file with the text of a scenario.
pub(crate) struct ScenarioFile {
    /// Where it lies.
    pub(crate) path: PathBuf,
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
    /// The name under which it is read.
    pub(crate) name: ScenarioName,
    /// Whether it lies in the suites.
    pub(crate) in_suites: bool,
}

/// Reads the files that `paths` name, or those of the suites in `root`.
///
/// # Errors
///
/// [`Failure`], for the first file or folder that cannot be read.
pub(crate) fn read(paths: &[PathBuf], root: &Path) -> Result<Vec<ScenarioFile>, Failure> {
    let own = [root.to_owned()];
    let mut files = Vec::new();
    for path in if paths.is_empty() { &own } else { paths } {
        if !path.exists() {
            let source = std::io::Error::from(std::io::ErrorKind::NotFound);
            return Err(Failure::Read { path: path.clone(), source });
        }
        for path in find_scenarios_or_file(path)? {
            let bytes = std::fs::read(&path).map_err(|source| Failure::Read { path: path.clone(), source })?;
            let in_suite = name_in_suite(root, &path);
            let in_suites = in_suite.is_some();
            let name = in_suite.or_else(|| place_of(&path).to_str()?.parse().ok());
            let name = name.ok_or_else(|| SuiteError::Name { path: path.clone() })?;
            files.push(ScenarioFile { path, bytes, name, in_suites });
        }
    }
    Ok(files)
}

impl ScenarioFile {
    /// Returns diagnostics with the source that they speak of.
    pub(crate) fn render(&self, diagnostics: &[Diagnostic]) -> String {
        let source = String::from_utf8_lossy(&self.bytes);
        let path = self.path.display().to_string();
        let colour = output::layout().colour;
        diagnostics.iter().map(|diagnostic| diagnostic.render(&path, &source, colour) + "\n\n").collect()
    }
}
