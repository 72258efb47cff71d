//! The text of a generated worker crate. Its Rust files lie in `worker/`, as ordinary files; here they are put together.

use std::collections::BTreeMap;
use std::path::Path;

/// The capability without which there is nothing to run.
pub(super) const BASE: &str = "mutex";

/// The packages before the lock file is known.
pub(super) const NO_PACKAGES: &str = "pub(crate) const PACKAGES: &[(&str, &str)] = &[];\n";

/// The files of one adapter.
pub(super) struct Template {
    /// The folder below `worker/subjects`.
    name: &'static str,
    /// What a release may offer: a file of the adapter each, and the files that it needs besides.
    pub(super) capabilities: &'static [(&'static str, &'static [&'static str])],
    files: &'static [(&'static str, &'static str)],
}

macro_rules! file {
    ($($part:expr),+) => {
        include_str!(concat!("../../worker/", $($part),+))
    };
}

macro_rules! template {
    ($name:literal: $($capability:literal $needs:expr),+) => {
        Template {
            name: $name,
            capabilities: &[$(($capability, $needs)),+],
            files: &[$((concat!("subject/", $capability, ".rs"), file!("subjects/", $name, "/", $capability, ".rs"))),+],
        }
    };
}

/// What every worker has.
const COMMON: &[(&str, &str)] = &[
    ("main.rs", file!("main.rs")),
    ("adapter.rs", file!("adapter.rs")),
    ("lacking.rs", file!("lacking.rs")),
    ("smol.rs", file!("smol.rs")),
];

static TEMPLATES: &[Template] = &[
    template!("tokio":
        "mutex" &[], "try_acquire" &["mutex"], "try_plain" &["mutex"], "blocking" &["mutex"], "debug" &["mutex"],
        "owned" &["mutex"], "runtime" &[], "coop" &[], "semaphore" &[]),
    template!("async_lock":
        "mutex" &[], "try_acquire" &["mutex"], "blocking" &["mutex"], "debug" &["mutex"], "owned" &["mutex"]),
    template!("async_lock_counted": "mutex" &[], "try_acquire" &["mutex"], "debug" &["mutex"], "owned" &["mutex"]),
    template!("async_mutex": "mutex" &[], "try_acquire" &["mutex"], "debug" &["mutex"], "owned" &["mutex"]),
    template!("async_std":
        "mutex" &[], "try_acquire" &["mutex"], "blocking" &["mutex"], "debug" &["mutex"], "owned" &["mutex"]),
    template!("smol":
        "mutex" &[], "try_acquire" &["mutex"], "blocking" &["mutex"], "debug" &["mutex"], "owned" &["mutex"]),
    template!("smol_counted": "mutex" &[], "try_acquire" &["mutex"], "debug" &["mutex"], "owned" &["mutex"]),
    template!("futures_util":
        "mutex" &[], "try_acquire" &["mutex"], "debug" &["mutex"], "owned" &["mutex"]),
];

impl Template {
    /// Returns the adapter with a name.
    pub(super) fn of(name: &str) -> &'static Self {
        TEMPLATES.iter().find(|template| template.name == name).expect("every package names an adapter that there is")
    }

    /// Returns the files with their places below `src`.
    pub(super) fn files(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        COMMON.iter().chain(self.files).copied()
    }
}

/// Returns an example that compiles one file of the adapter with those that it needs.
pub(super) fn probe(capability: &str, needs: &[&str]) -> String {
    let modules: String = needs
        .iter()
        .chain([&capability])
        .map(|name| format!("    #[path = \"{name}.rs\"]\n    pub mod {name};\n"))
        .collect();
    format!(
        "//! Made by keyalike: compiles if the release has what `{capability}` needs.\n#![allow(warnings)]\n\
         #[path = \"../src/subject\"]\nmod subject {{\n{modules}}}\n"
    )
}

/// Returns the module that tells the worker what it is built of.
pub(super) fn packages(packages: &BTreeMap<String, String>) -> String {
    let rows: String = packages.iter().map(|(name, version)| format!("    ({name:?}, {version:?}),\n")).collect();
    format!("pub(crate) const PACKAGES: &[(&str, &str)] = &[\n{rows}];\n")
}

/// Returns the manifest. The subject is built as its users ship it, without overflow checks and debug assertions, and its
/// generic code is compiled in the worker itself.
pub(super) fn manifest(name: &str, dependencies: &str, workspace: &Path, capabilities: &[(&str, &[&str])]) -> String {
    let features: String = capabilities.iter().map(|(name, _)| format!("{name} = []\n")).collect();
    let examples: String = capabilities
        .iter()
        .map(|(name, _)| format!("\n[[example]]\nname = \"{name}\"\ncrate-type = [\"lib\"]\n"))
        .collect();
    let harness = workspace.join("harness");
    format!(
        "# Made by keyalike from the folder backends/releases/worker of its sources. Changes are overwritten.\n\
         [package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\
         autoexamples = false\n\n\
         [features]\n{features}\n\
         [dependencies]\nharness = {{ package = \"keyalike-harness\", path = {harness:?} }}\n\
         async-executor = \"1.13\"\nfutures-lite = \"2.6\"\n{dependencies}{examples}\n\
         [profile.dev]\nopt-level = 1\ndebug = false\ndebug-assertions = false\noverflow-checks = false\n\
         incremental = false\n\n\
         [profile.dev.package.keyalike-harness]\ndebug-assertions = true\noverflow-checks = true\n\n\
         [workspace]\n"
    )
}
