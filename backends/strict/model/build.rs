//! Writes the copies of the strict mutex that the model runs: a faithful one and one per mutation.
//!
//! In the faithful copy loom's atomics and mutexes stand in the place of std's, in the files that are modelled, and each file
//! finds the others beside it. Every replacement must match exactly once, or the build fails: neither the model nor a
//! mutation can go stale unnoticed.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

#[path = "src/mutation.rs"]
#[expect(unreachable_pub, reason = "the library's file, where it is reachable")]
mod mutation;

use mutation::{Edit, MUTATIONS};

const SOURCE: &str = "../src";
const FILES: &[&str] =
    &["acquire", "cycle", "error", "event", "guard", "library", "mutex", "place", "state", "statistics", "task"];

/// The files that are modelled. Mutations are made in the first.
const MODELLED: &[(&str, &[Edit])] = &[("state", STATE), ("cycle", CYCLE)];

const STATE: &[Edit] = &[
    (
        "use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};",
        "use loom::sync::atomic::{AtomicU64, AtomicUsize, Ordering};",
    ),
    (
        "use std::sync::{Arc, Mutex, MutexGuard, PoisonError};",
        "use loom::sync::{Mutex, MutexGuard};\nuse std::sync::{Arc, PoisonError};",
    ),
];

const CYCLE: &[Edit] = &[
    (
        "use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};",
        "use loom::sync::{Mutex, MutexGuard};\nuse std::sync::{Arc, PoisonError};",
    ),
    (
        "static REGISTRY: LazyLock<Mutex<Registry>> = LazyLock::new(Mutex::default);",
        "loom::lazy_static! { static ref REGISTRY: Mutex<Registry> = Mutex::default(); }",
    ),
];

fn main() {
    println!("cargo::rerun-if-changed={SOURCE}");
    println!("cargo::rerun-if-changed=src/mutation.rs");
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR for build scripts"));
    let mut index = String::new();
    write_copy(&out, &mut index, "faithful", &[]);
    for mutation in MUTATIONS {
        assert!(!mutation.caught_by.is_empty(), "{}: no model catches it; write one", mutation.name);
        write_copy(&out, &mut index, mutation.name, mutation.edits);
    }
    index.push_str("const MUTANTS: &[Make] = &[\n");
    for mutation in MUTATIONS {
        writeln!(index, "    make::<{}::state::Core>,", mutation.name).expect("a string takes all");
    }
    index.push_str("];\n");
    fs::write(out.join("copies.rs"), index).expect("OUT_DIR can be written");
    fs::write(out.join("mutations.md"), table()).expect("OUT_DIR can be written");
}

/// Returns the table of the crate's docs.
fn table() -> String {
    let mut table = String::from("| mutation | models that must fail on it |\n|---|---|\n");
    for mutation in MUTATIONS {
        let name = mutation.name.replace('_', " ");
        writeln!(table, "| {name} | `{}` |", mutation.caught_by.join("`, `")).expect("a string takes all");
    }
    table
}

/// Writes one copy of the crate into a folder of its own, and its module into the index.
fn write_copy(out: &Path, index: &mut String, name: &str, edits: &[Edit]) {
    let folder = out.join(name);
    fs::create_dir_all(&folder).expect("OUT_DIR can be written");
    writeln!(
        index,
        "#[allow(dead_code, missing_docs, unexpected_cfgs, unreachable_pub, unused_imports, unused_mut, unused_variables, \
         clippy::all, reason = \"a copy\")]\nmod {name} {{"
    )
    .expect("a string takes all");
    for file in FILES {
        let path = Path::new(SOURCE).join(file).with_extension("rs");
        let mut text = fs::read_to_string(&path).expect("the files of the strict mutex are in backends/strict/src");
        for (modelled, loom) in MODELLED {
            let edits = if *modelled == MODELLED[0].0 { edits } else { &[] };
            if file == modelled {
                text = loom.iter().chain(edits).fold(text, |text, edit| replace(name, file, &text, edit));
            }
        }
        let copy = folder.join(file).with_extension("rs");
        fs::write(&copy, text.replace("crate::", "super::")).expect("OUT_DIR can be written");
        writeln!(index, "    #[path = {copy:?}]\n    pub(super) mod {file};").expect("a string takes all");
    }
    writeln!(index, "}}\nimplement!({name});\n").expect("a string takes all");
}

fn replace(name: &str, file: &str, source: &str, (original, replacement): &Edit) -> String {
    let matches = source.matches(original).count();
    assert!(
        matches == 1,
        "{name}: its original matches {matches} times in backends/strict/src/{file}.rs and must match once; bring it up \
         to date in backends/strict/model/src/mutation.rs:\n{original}"
    );
    source.replacen(original, replacement, 1)
}
