//! Keyalike's scenarios, rules and ledger: the files below this crate, and the pairs that are generated.

pub mod pairs;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use harness::driver::program::Program;
use harness::suite::{Suite, SuiteError};

/// Returns the folder of the scenarios, as it was when this crate was built.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the folder of the reviewed snapshots, as it was when this crate was built.
pub fn snapshots() -> PathBuf {
    root().parent().map_or_else(|| PathBuf::from("snapshots"), |workspace| workspace.join("snapshots"))
}

/// Reads the suite in the folder `root` and adds the generated scenarios.
///
/// # Errors
///
/// [`SuiteError`], for the first file that cannot be read, with its place.
pub fn read(root: &Path) -> Result<Suite, SuiteError> {
    let mut suite = Suite::read(root)?;
    let generated = pairs::scenarios().expect("the names of the table are names: a test prints and parses them all");
    for scenario in generated {
        let name = scenario.name.clone();
        suite.programs.insert(name, Arc::new(Program::new(Arc::new(scenario))?));
    }
    Ok(suite)
}

#[cfg(test)]
mod tests {
    use harness::scenario::parse::parse;

    #[test]
    fn generated_pairs_print_and_parse_back() {
        let scenarios = super::pairs::scenarios().expect("every name is a name");
        assert_eq!(scenarios.len(), 17 * 17 * 3);
        for scenario in scenarios {
            assert_eq!(parse(scenario.name.clone(), &scenario.to_string()), Ok(scenario));
        }
    }
}
