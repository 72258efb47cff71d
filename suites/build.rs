//! Writes the list of this crate's own files that travel inside it: the scenarios, the rules and the ledger.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io, process};

fn main() {
    if let Err(problem) = list_files() {
        eprintln!("error: the scenarios cannot be listed: {problem}");
        process::exit(1);
    }
}

fn list_files() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or_else(|| io::Error::other("cargo starts this"))?);
    let mut files = vec![root.join("ledger.toml"), root.join("rules.toml")];
    // A theme is a folder of scenarios, one file each.
    for folder in sorted(&root)?.into_iter().filter(|path| path.is_dir()) {
        let inside = sorted(&folder)?;
        let count = files.len();
        files.extend(inside.into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "scenario")));
        if files.len() > count {
            println!("cargo::rerun-if-changed={}", folder.display());
        }
    }
    let mut list = String::from("&[\n");
    for file in &files {
        println!("cargo::rerun-if-changed={}", file.display());
        let name = file.strip_prefix(&root).map_err(io::Error::other)?.display().to_string().replace('\\', "/");
        writeln!(list, "    ({name:?}, include_bytes!({:?})),", file.display().to_string())
            .map_err(io::Error::other)?;
    }
    list.push_str("]\n");
    println!("cargo::rerun-if-changed=build.rs");
    let folder = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo starts this"))?;
    fs::write(Path::new(&folder).join("files.rs"), list)
}

fn sorted(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}
