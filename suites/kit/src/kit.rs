//! What a stranger's test says: his lock, his runtimes, the suites, and where his own files are.

use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use harness::backend::Backend;
use harness::ledger::LedgerError;
use harness::scenario::name::{RuleId, ScenarioName};
use harness::subject::Subject;
use harness::suite::SuiteError;
use libtest_mimic::{Arguments, Failed, Trial};

use crate::conformance::Conformance;
use crate::lock::Lock;
use crate::reviewed::Compare;
use crate::runtimes::RuntimeEntry;
use crate::selection::{Places, Selection};

/// The package that the lock belongs to.
#[derive(Clone, Debug)]
pub struct Package {
    name: &'static str,
    version: &'static str,
    folder: PathBuf,
}

impl Package {
    /// Returns the package of a test, as cargo tells it in `CARGO_PKG_NAME`, `CARGO_PKG_VERSION` and
    /// `CARGO_MANIFEST_DIR`.
    #[must_use]
    pub fn new(name: &'static str, version: &'static str, folder: impl Into<PathBuf>) -> Self {
        Self { name, version, folder: folder.into() }
    }
}

/// Everything that the tests of a lock need to know. [`test_lock!`](crate::test_lock) writes it for you.
pub struct Kit {
    lock: Lock,
    package: Package,
    compare: Compare,
    name: String,
    runtimes: Vec<RuntimeEntry>,
    suites: Vec<String>,
    folder: PathBuf,
    ledger: Option<PathBuf>,
}

/// One test: a scenario on a runtime, or something that holds all of them together.
pub struct Test {
    name: String,
    check: Box<dyn FnOnce() -> Result<(), String> + Send>,
}

impl fmt::Debug for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Test").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for Kit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, runtimes, suites, folder, .. } = self;
        let mut print = f.debug_struct("Kit");
        print.field("name", name).field("runtimes", runtimes).field("suites", suites).field("folder", folder);
        print.finish_non_exhaustive()
    }
}

impl Test {
    pub(crate) fn new(name: String, check: impl FnOnce() -> Result<(), String> + Send + 'static) -> Self {
        Self { name, check: Box::new(check) }
    }

    /// Returns its name, such as `smol+my-lock::reentry/same-task`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs it.
    ///
    /// # Errors
    ///
    /// What is not as it must be, and how to put it right.
    pub fn run(self) -> Result<(), String> {
        (self.check)()
    }
}

/// What keeps the tests from being set up: each says where, what, and how to put it right.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// A pattern among the suites is no glob.
    #[error("suites: `{pattern}` is not a glob: {source}; write a theme, a scenario, or names with * and ?")]
    #[non_exhaustive]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        source: globset::Error,
    },
    /// A pattern among the suites chooses nothing.
    #[error("suites: `{pattern}` matches no shipped scenario; {hint}")]
    #[non_exhaustive]
    NoScenario {
        /// The pattern.
        pattern: String,
        /// What may have been meant.
        hint: String,
    },
    /// A file of a suite cannot be read or has errors.
    #[error(transparent)]
    Suite(#[from] SuiteError),
    /// The ledger cannot be read or has errors.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A scenario has the name of a shipped one.
    #[error(
        "{}: `{name}` is the name of a shipped scenario, or in the theme of generated ones; give the file another \
             name or folder", path.display()
    )]
    #[non_exhaustive]
    NameClash {
        /// The file.
        path: PathBuf,
        /// The name.
        name: ScenarioName,
    },
    /// A rule has the number of a shipped one.
    #[error("{}: {id} is the number of a shipped rule; give yours another", path.display())]
    #[non_exhaustive]
    RuleClash {
        /// The file.
        path: PathBuf,
        /// The number.
        id: RuleId,
    },
    /// A scenario cites a rule that does not exist.
    #[error("{}: there is no rule {rule}; {hint}", path.display())]
    #[non_exhaustive]
    UnknownRule {
        /// The file.
        path: PathBuf,
        /// The rule.
        rule: RuleId,
        /// What may have been meant.
        hint: String,
    },
    /// A runtime is named twice.
    #[error("runtimes: `{id}` stands there twice; name it once, or give yours an id of its own")]
    #[non_exhaustive]
    RuntimeTwice {
        /// Its id.
        id: String,
    },
    /// A lock or a runtime has a name that cannot be the name of a folder and part of a backend's id.
    #[error("{what}: `{name}` cannot be part of a backend's id; use letters, digits, `-`, `_` and `.`")]
    #[non_exhaustive]
    Name {
        /// What it names.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// There is nothing to run.
    #[error("{what} is empty; name at least one")]
    #[non_exhaustive]
    Nothing {
        /// What is empty.
        what: &'static str,
    },
}

impl Kit {
    /// Returns the tests of `lock`, with no runtime and no suite yet. `compare` calls [`insta::assert_snapshot`] in the
    /// crate of the test.
    #[must_use]
    pub fn new(lock: Lock, package: Package, compare: Compare) -> Self {
        let folder = package.folder.join("keyalike");
        let name = package.name.to_owned();
        Self { lock, package, compare, name, runtimes: Vec::new(), suites: Vec::new(), folder, ledger: None }
    }

    /// Adds a runtime.
    #[must_use]
    pub fn runtime(mut self, runtime: RuntimeEntry) -> Self {
        self.runtimes.push(runtime);
        self
    }

    /// Adds the shipped scenarios of a theme, or those that a glob matches.
    #[must_use]
    pub fn suite(mut self, pattern: &str) -> Self {
        self.suites.push(pattern.to_owned());
        self
    }

    /// Calls the lock something else than its package.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Keeps snapshots, ledger, rules and scenarios in another folder than `keyalike`, seen from the package.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = self.package.folder.join(folder.into());
        self
    }

    /// Reads another ledger than `ledger.toml` in the folder, seen from the package. It must exist.
    #[must_use]
    pub fn ledger(mut self, ledger: impl Into<PathBuf>) -> Self {
        self.ledger = Some(self.package.folder.join(ledger.into()));
        self
    }

    /// Runs the tests that the arguments of the program choose, as `cargo test` gives them, or serves as a worker for
    /// one of them. Returns 2 if the tests cannot be set up, and says why.
    #[must_use]
    pub fn main(self) -> ExitCode {
        // Locks and scripts panic here by design, and each panic is part of an outcome or of a test's failure.
        std::panic::set_hook(Box::new(|_| {}));
        let arguments: Vec<String> = std::env::args().collect();
        if let [_, serve, flag, id] = &arguments[..]
            && (serve.as_str(), flag.as_str()) == ("serve", "--backend")
        {
            return self.serve(id);
        }
        match self.tests() {
            Ok(tests) => {
                let trial = |test: Test| Trial::test(test.name, move || (test.check)().map_err(Failed::from));
                let trials = tests.into_iter().map(trial).collect();
                libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
            }
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::from(2)
            }
        }
    }

    fn serve(&self, id: &str) -> ExitCode {
        let Some(backend) = self.backends().into_iter().find(|backend| backend.id() == id) else {
            eprintln!("{id} is not a backend of this test");
            return ExitCode::from(2);
        };
        match harness::worker::serve(&*backend) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::from(3)
            }
        }
    }

    /// Returns the tests: one for each scenario on each runtime, and those that hold everything together.
    ///
    /// # Errors
    ///
    /// [`SetupError`], for the first thing that keeps them from being set up.
    pub fn tests(self) -> Result<Vec<Test>, SetupError> {
        self.check_names()?;
        let places = Places { folder: &self.folder, ledger: self.ledger.as_deref() };
        let selection = Selection::read(&self.suites, &self.lock.capabilities.words(), &places)?;
        let backends = self.backends();
        let ids: Vec<String> = backends.iter().map(|backend| backend.id().to_owned()).collect();
        let conformance = Conformance::new(selection, backends, self.name, self.folder.join("snapshots"), self.compare);
        let mut tests = Arc::new(conformance).tests();
        for (entry, id) in self.runtimes.into_iter().zip(ids) {
            let certify = entry.certification(&self.lock);
            let check = move || {
                let certificate = certify();
                if certificate.holds() { Ok(()) } else { Err(certificate.to_string()) }
            };
            tests.push(Test::new(format!("{id}::certify"), check));
        }
        Ok(tests)
    }

    fn check_names(&self) -> Result<(), SetupError> {
        let is_plain = |name: &str| {
            !name.is_empty()
                && !name.starts_with('.')
                && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter))
        };
        if !is_plain(&self.name) {
            return Err(SetupError::Name { what: "name", name: self.name.clone() });
        }
        for (place, runtime) in self.runtimes.iter().enumerate() {
            let id = runtime.id.clone();
            if !is_plain(&id) {
                return Err(SetupError::Name { what: "runtimes", name: id });
            }
            if self.runtimes[..place].iter().any(|other| other.id == id) {
                return Err(SetupError::RuntimeTwice { id });
            }
        }
        match (self.runtimes.is_empty(), self.suites.is_empty()) {
            (true, _) => Err(SetupError::Nothing { what: "runtimes" }),
            (_, true) => Err(SetupError::Nothing { what: "suites" }),
            _ => Ok(()),
        }
    }

    fn backends(&self) -> Vec<Arc<dyn Backend>> {
        let locks = Subject { name: self.package.name.to_owned(), version: self.package.version.to_owned() };
        let pair = |runtime: &RuntimeEntry| {
            runtime.backend(format!("{}+{}", runtime.id, self.name), &self.lock, locks.clone())
        };
        self.runtimes.iter().map(pair).collect()
    }
}
