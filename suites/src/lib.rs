//! Keyalike's scenarios, rules and ledger: the files below this crate, and the pairs that are generated.

pub mod pairs;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use harness::program::Program;
use harness::suite::{Suite, SuiteError};

/// The scenarios, the rules and the ledger, by their paths below this crate: so they travel with it.
pub const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/files.rs"));

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
    with_pairs(Suite::read(root)?)
}

/// Reads the suite that is built into this crate, and adds the generated scenarios. It needs no folder.
///
/// # Errors
///
/// [`SuiteError`], for the first file that has errors, with its place; in a released crate none has.
pub fn shipped() -> Result<Suite, SuiteError> {
    with_pairs(Suite::of_files(FILES.iter().copied())?)
}

fn with_pairs(mut suite: Suite) -> Result<Suite, SuiteError> {
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
    fn shipped_suite_is_that_of_the_folder() {
        let (shipped, read) = (super::shipped().expect("it reads"), super::read(&super::root()).expect("it reads"));
        assert!(shipped.programs.keys().eq(read.programs.keys()));
        assert!(shipped.explored.keys().eq(read.explored.keys()));
        for (name, program) in &shipped.programs {
            assert_eq!(program.scenario, read.programs[name].scenario, "{name}");
        }
        assert_eq!(shipped.rules, read.rules);
        assert_eq!(shipped.ledger.entries.len(), read.ledger.entries.len());
    }

    #[test]
    fn generated_pairs_print_and_parse_back() {
        let scenarios = super::pairs::scenarios().expect("every name is a name");
        assert_eq!(scenarios.len(), 17 * 17 * 3);
        for scenario in scenarios {
            assert_eq!(parse(scenario.name.clone(), &scenario.to_string()), Ok(scenario));
        }
    }
}
