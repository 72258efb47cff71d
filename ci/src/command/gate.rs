//! `keyalike gate`: everything that must hold before a merge, in the order of what fails soonest.
//!
//! Each step is a command that can be repeated alone, and is printed before it runs. The gate knows no scenario and
//! decides nothing itself.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::failure::{Ending, Failure};
use crate::{output, release_runs};

/// The arguments of `gate`.
#[derive(Debug, clap::Args)]
pub(crate) struct Gate {
    /// Go on after a step that failed, and name all that did
    #[arg(long)]
    keep_going: bool,
}

/// A step of the gate.
struct Step {
    what: &'static str,
    tool: Tool,
    variable: Option<(&'static str, &'static str)>,
    arguments: &'static str,
}

/// What a step runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tool {
    /// cargo, in the root of the workspace.
    Cargo,
    /// A module of Python, in the folder of the worker package and in an environment of its own.
    Python,
}

const fn step(what: &'static str, arguments: &'static str) -> Step {
    Step { what, tool: Tool::Cargo, variable: None, arguments }
}

/// Tests never write a snapshot here: one that is missing or has changed is red.
///
/// Every package takes part in every step, and the tests are chosen by name: then the features of what the harness
/// depends on are the same in all steps, and it is compiled once.
const fn test(what: &'static str, arguments: &'static str) -> Step {
    Step { what, tool: Tool::Cargo, variable: Some(("INSTA_UPDATE", "no")), arguments }
}

const fn python(what: &'static str, arguments: &'static str) -> Step {
    Step { what, tool: Tool::Python, variable: None, arguments }
}

/// Everything that can be built, so that it is built once for several steps.
macro_rules! everything {
    ($tests:literal) => {
        concat!(
            "test --features backend-all,with-example,with-registry,\
             keyalike/async-std,keyalike/smol,keyalike/tokio,keyalike-strict/tracing ",
            $tests
        )
    };
}

const STEPS: &[Step] = &[
    step("format", "fmt --all --check"),
    step("lints with no backend", "clippy --all-targets -- -D warnings"),
    step(
        "lints with every backend",
        "clippy --workspace --all-targets --features backend-all,backend-python -- -D warnings",
    ),
    Step {
        what: "documentation",
        tool: Tool::Cargo,
        variable: Some(("RUSTDOCFLAGS", "-D warnings")),
        arguments: "doc --workspace --no-deps --features backend-all",
    },
    step("lock file of the fuzz targets", "tree --locked --depth 0 --manifest-path ci/fuzz/Cargo.toml"),
    step("lock file of the example", "tree --locked --depth 0 --manifest-path docs/example/Cargo.toml"),
    step("format of the scenarios", "run --quiet --features backend-all -- fmt --check"),
    step("lints of the scenarios", "run --quiet --features backend-all -- lint"),
    step("matrix, ledger and snapshots", "run --quiet --features backend-all -- run --backend all --only-divergent"),
    python("format of the Python worker", "ruff format --check ."),
    python("lints of the Python worker", "ruff check ."),
    python("types of the Python worker", "mypy"),
    python("tests of the Python worker", "pytest --quiet --numprocesses auto"),
    step(
        "matrix of AnyIO, beside Rust",
        "run --quiet --features backend-all -- run --verdict violation --verdict lost-wakeup \
         --backend tokio --backend tokio-current-thread --backend smol --backend async-std --backend asyncio \
         --backend trio@0.35.0 --backend trio+strict-fifo@0.35.0 --backend asyncio+anyio-task-cancel@4.16.0 \
         --backend asyncio+anyio@4.4.0 --backend asyncio+anyio@4.5.0 --backend asyncio+anyio@4.6.1 \
         --backend asyncio+anyio@4.16.0 --backend trio+anyio@4.4.0 --backend trio+anyio@4.5.0 \
         --backend trio+anyio@4.6.1 --backend trio+anyio@4.16.0",
    ),
    test("tests with no backend", "test"),
    test("tests of backend-async-lock alone", "test --features backend-async-lock --test features"),
    test("tests of backend-futures alone", "test --features backend-futures --test features"),
    test("tests of backend-tokio alone", "test --features backend-tokio --test features --test tokio"),
    test("tests of backend-smol alone", "test --features backend-smol --test features --test smol"),
    test("tests of backend-python alone", "test --features backend-python --test features --test python"),
    test("tests of backend-async-std alone", "test --features backend-async-std --test features --test async-std"),
    test(
        "tests of every backend, of the strict mutex and of the kit",
        everything!(
            "--test features --test tokio --test async-std --test smol --test explore --test programs \
             --test with_backends --test searches --test interrupts --test walk_through --test worker_faults \
             --test by_hand --test endless_waits --test allocations --test events --test bad_input"
        ),
    ),
    // Locks that never come back are waited for, so more of them at once than there are processors.
    test("bad adapters", everything!("--test certify -- --test-threads 8")),
    test("examples in the documentation", everything!("--doc")),
    step("format of the example", "fmt --check --manifest-path docs/example/Cargo.toml"),
    test("tests of the example, as a stranger runs them", "test --manifest-path docs/example/Cargo.toml"),
    test("sabotages of the example", everything!("--test sabotages")),
    step(
        "packages that can be published",
        "package --quiet --no-verify --allow-dirty -p keyalike -p keyalike-harness -p keyalike-backends \
         -p keyalike-releases -p keyalike-strict -p keyalike-suites",
    ),
    // Each release is a build of its own: the others are for the weekly workflow.
    test(
        "tests of some releases, with the registries",
        everything!("--test releases_with_the_registry -- version_that release_is tokio_0_2 scripts_that"),
    ),
];

/// How many tests passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    passed: u64,
    failed: u64,
}

impl Gate {
    /// Runs every step, up to the first that fails.
    pub(crate) fn execute(&self) -> Result<Ending, Failure> {
        let root = suites::root().join("..");
        let mut count = Count::default();
        let mut failed = Vec::new();
        for (index, step) in STEPS.iter().enumerate() {
            output::print(&format!("[{}/{}] {}: {}\n", index + 1, STEPS.len(), step.what, step.command()))?;
            if !step.run(&root, &mut count)? {
                failed.push(step);
                if !self.keep_going {
                    break;
                }
            }
        }
        for step in &failed {
            output::print(&format!("failed: {}; repeat it with `{}`\n", step.what, step.command()))?;
        }
        output::print(&format!("{} passed, {} failed\n", count.passed, count.failed))?;
        Ok(if failed.is_empty() { Ending::Expected } else { Ending::Unexpected })
    }
}

impl Step {
    fn command(&self) -> String {
        let variable = self.variable.map_or_else(String::new, |(name, value)| format!("{name}='{value}' "));
        let program = match self.tool {
            Tool::Cargo => "cargo",
            Tool::Python => "python -m",
        };
        format!("{variable}{program} {}", self.arguments)
    }

    /// Returns the program of the step, in its folder.
    fn program(&self, root: &Path) -> Result<Command, Failure> {
        match self.tool {
            Tool::Cargo => {
                let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
                cargo.current_dir(root);
                Ok(cargo)
            }
            Tool::Python => {
                let mut python = Command::new(releases::venv::tools(&release_runs::places()?)?);
                python.arg("-m").current_dir(root.join("backends/python"));
                Ok(python)
            }
        }
    }

    /// Runs the step, adds the tests that it ran to `count`, and returns whether it succeeded. Lines of tests that passed
    /// are left out: there are thousands.
    fn run(&self, root: &Path, count: &mut Count) -> Result<bool, Failure> {
        let failure = |source| Failure::Step { command: self.command(), source };
        let mut command = self.program(root)?;
        command.args(self.arguments.split(' ')).envs(self.variable).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(failure)?;
        for line in BufReader::new(child.stdout.take().expect("stdout is a pipe")).lines() {
            let line = line.map_err(failure)?;
            let result = parse_result(&line);
            if let Some(result) = result {
                count.passed += result.passed;
                count.failed += result.failed;
            }
            let is_noise = line.starts_with("test ") && line.ends_with(" ok");
            if !is_noise {
                output::print(&format!("{line}\n"))?;
            }
        }
        Ok(child.wait().map_err(failure)?.success())
    }
}

/// Returns the counts of a line such as `test result: ok. 12 passed; 0 failed; ...` of cargo, or `1 failed, 12 passed in
/// 3.20s` of pytest.
fn parse_result(line: &str) -> Option<Count> {
    let number = |rest: &str, word: &str| {
        let (before, _) = rest.split_once(word)?;
        before.trim_end().rsplit(' ').next()?.parse().ok()
    };
    if let Some(rest) = line.strip_prefix("test result: ") {
        return Some(Count { passed: number(rest, "passed")?, failed: number(rest, "failed")? });
    }
    let is_pytest =
        line.ends_with('s') && line.contains(" in ") && line.starts_with(|first: char| first.is_ascii_digit());
    let counts = is_pytest.then(|| (number(line, " passed"), number(line, " failed")))?;
    match counts {
        (None, None) => None,
        (passed, failed) => Some(Count { passed: passed.unwrap_or(0), failed: failed.unwrap_or(0) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_results_of_a_test_binary_are_counted() {
        let line = "test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured; 1 filtered out; finished in 0.1s";
        assert_eq!(parse_result(line), Some(Count { passed: 12, failed: 3 }));
        assert_eq!(parse_result("test a ... ok"), None);
        assert_eq!(parse_result("222 passed, 42 skipped in 31.20s"), Some(Count { passed: 222, failed: 0 }));
        assert_eq!(parse_result("1 failed, 2 passed in 3.20s"), Some(Count { passed: 2, failed: 1 }));
    }
}
