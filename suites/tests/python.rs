//! Every suite, on the locks of Python: of asyncio and trio, and of the releases of anyio that its story is about.
//!
//! The environments are made on first use, under the target folder.

#[allow(dead_code, reason = "the features of runtimes use the rest")]
mod conformance;

use std::sync::Arc;

use harness::backend::{Backend, Remote};
use harness::isolation::Workshop;
use releases::places::Places;
use releases::resolve::resolve;

/// The backends, each with the one whose snapshots it must match, if it has none of its own.
const BACKENDS: &[(&str, Option<&str>)] = &[
    ("asyncio", None),
    ("asyncio+anyio@4.4.0", None),
    ("asyncio+anyio@4.5.0", None),
    ("asyncio+anyio@4.6.1", None),
    ("asyncio+anyio@4.16.0", None),
    ("asyncio+anyio-task-cancel@4.16.0", None),
    ("trio@0.35.0", None),
    ("trio+strict-fifo@0.35.0", None),
    ("trio+anyio@4.4.0", None),
    ("trio+anyio@4.5.0", None),
    ("trio+anyio@4.6.1", None),
    ("trio+anyio@4.16.0", None),
    ("uvloop@0.23.0", Some("asyncio")),
    ("uvloop+anyio@4.16.0", Some("asyncio+anyio@4.16.0")),
];

fn main() -> std::process::ExitCode {
    conformance::main_of_workers(BACKENDS, start)
}

fn start(id: &str, workshop: &Workshop) -> Result<Arc<dyn Backend>, String> {
    let places = Places::new(|text| eprintln!("{text}")).map_err(|error| error.to_string())?;
    let command = resolve(id, &places).map_err(|error| error.to_string())?;
    let command = command.ok_or_else(|| format!("`{id}` is no release"))?;
    Ok(Arc::new(Remote::greet(workshop, command).map_err(|error| error.to_string())?.called(id)))
}
