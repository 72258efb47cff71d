//! Writes the copies of the hub that the model runs: a faithful one and one per mutation.
//!
//! The only change to the faithful copy is loom's mutex in the place of std's. Every replacement must match exactly
//! once, or the build fails: neither the model nor a mutation can go stale unnoticed.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

#[path = "src/mutation.rs"]
#[expect(unreachable_pub, reason = "the library's file, where it is reachable")]
mod mutation;

use mutation::MUTATIONS;

const SOURCE: &str = "../src/quiescence.rs";

fn main() {
    println!("cargo::rerun-if-changed={SOURCE}");
    println!("cargo::rerun-if-changed=src/mutation.rs");
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR for build scripts"));
    let source = fs::read_to_string(SOURCE).expect("the hub is harness/src/quiescence.rs");
    let faithful = replace("loom's mutex", &source, "use std::sync::Mutex;", "use loom::sync::Mutex;");

    let mut index = String::new();
    write_copy(&out, &mut index, "hub", &faithful);
    for mutation in MUTATIONS {
        assert!(
            !mutation.caught_by.is_empty(),
            "{}: no model catches it; write one, or say in harness/model/src/lib.rs why it cannot matter",
            mutation.name
        );
        let mutated = replace(mutation.name, &faithful, mutation.original, mutation.replacement);
        write_copy(&out, &mut index, mutation.name, &mutated);
    }
    index.push_str("const MUTANTS: &[Make] = &[\n");
    for mutation in MUTATIONS {
        writeln!(index, "    make::<{}::Hub<Command>>,", mutation.name).expect("a string takes all");
    }
    index.push_str("];\n");
    fs::write(out.join("hubs.rs"), index).expect("OUT_DIR can be written");
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

fn replace(name: &str, source: &str, original: &str, replacement: &str) -> String {
    let matches = source.matches(original).count();
    assert!(
        matches == 1,
        "{name}: its original matches {matches} times in harness/src/quiescence.rs and must match once; bring it up to \
         date in harness/model/src/mutation.rs:\n{original}"
    );
    source.replacen(original, replacement, 1)
}

/// Writes one copy of the hub as `<name>.rs` and its module into the index.
fn write_copy(out: &Path, index: &mut String, name: &str, source: &str) {
    let path = out.join(name).with_extension("rs");
    fs::write(&path, source).expect("OUT_DIR can be written");
    writeln!(
        index,
        "#[path = {path:?}]\n#[allow(dead_code, unused_variables, unused_mut, unused_must_use, unreachable_pub, \
         clippy::all, reason = \"a copy\")]\nmod {name};\nimplement!({name});\n"
    )
    .expect("a string takes all");
}
