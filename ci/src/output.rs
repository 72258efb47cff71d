//! The edge: writes text to stdout, to a file and to stderr, and knows whether there is a terminal.
//!
//! A reader that goes away (`keyalike run | head`) is no failure: the rest is not written, and the exit code stays.

use std::io::{ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use harness::report::paint::{Layout, TITLE};
use harness::scenario::Scenario;
use harness::suite::SuiteError;

use crate::failure::Failure;

/// Returns how text for stdout is laid out: bounded and coloured on a terminal only, and never coloured with `NO_COLOR`.
pub(crate) fn layout() -> Layout {
    let stdout = std::io::stdout();
    let width = if stdout.is_terminal() { terminal_size::terminal_size() } else { None };
    let colour = anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never;
    Layout { width: width.map(|(width, _)| usize::from(width.0)), colour }
}

/// Writes `text` to stdout.
///
/// # Errors
///
/// [`Failure::Write`], unless it is only that nobody reads on.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = anstream::AutoStream::auto(std::io::stdout().lock());
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(source) if source.kind() == ErrorKind::BrokenPipe => {
            READER_GONE.store(true, Ordering::Relaxed);
            Ok(())
        }
        Err(source) => Err(Failure::Write { target: "stdout".into(), source }),
        Ok(()) => Ok(()),
    }
}

/// Whether a reader of stdout went away before it had read all.
static READER_GONE: AtomicBool = AtomicBool::new(false);

/// Returns whether all that was printed so far could be read by somebody.
pub(crate) fn is_read() -> bool {
    !READER_GONE.load(Ordering::Relaxed)
}

/// Makes sure that the file `path` can be written, before the work that fills it.
///
/// # Errors
///
/// [`Failure::Target`], for a folder, a file in a folder that is not there, or one that may not be written.
pub(crate) fn check_target(path: &Path) -> Result<(), Failure> {
    let opened = std::fs::OpenOptions::new().write(true).create(true).truncate(false).open(path);
    opened.map(drop).map_err(|source| Failure::Target { path: path.to_owned(), source })
}

/// Writes `text` to the file `path`, which is made or replaced.
///
/// # Errors
///
/// [`Failure::Write`].
pub(crate) fn save(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|source| Failure::Write { target: path.display().to_string(), source })
}

/// Adds `text` to the file `path`.
///
/// # Errors
///
/// [`Failure::Write`].
pub(crate) fn append(path: &Path, text: &str) -> Result<(), Failure> {
    let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|source| Failure::Write { target: path.display().to_string(), source })
}

/// Says on stderr what went wrong. If stderr is gone, there is nobody to tell.
pub(crate) fn complain(failure: &Failure) {
    // What is wrong with a scenario is told by diagnostics, which say of themselves that they are errors.
    let prefix = if matches!(failure, Failure::Suite(SuiteError::Scenario { .. })) { "" } else { "error: " };
    let _ = writeln!(anstream::stderr().lock(), "{prefix}{failure}");
}

/// Says something on stderr beside the result.
pub(crate) fn note(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// Returns a scenario with its name as a heading, indented.
pub(crate) fn scenario(scenario: &Scenario) -> String {
    let lines: String =
        scenario.to_string().lines().map(|line| format!("  {line}").trim_end().to_owned() + "\n").collect();
    format!("{}\n\n{lines}\n", layout().paint(TITLE, scenario.name.as_str()))
}
