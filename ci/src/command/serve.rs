//! `keyalike serve`: a worker, started by a parent that wants a hang or a crash to stay in a process of its own.

use crate::backend_choice::BackendChoice;
use crate::failure::{Ending, Failure};

/// The arguments of `serve`.
#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    /// The id of the backend to run jobs on.
    #[arg(long, value_name = "ID")]
    backend: String,
}

impl Serve {
    /// Serves until stdin ends.
    pub(crate) fn execute(&self) -> Result<Ending, Failure> {
        end_with_parent();
        for backend in (BackendChoice { patterns: vec![self.backend.clone()] }).start()? {
            harness::worker::serve(&*backend)?;
        }
        Ok(Ending::Expected)
    }
}

/// Ends this process when its parent is gone. A worker that hangs in a lock does not read on, so it would never see its
/// stdin close, and live on for ever.
#[cfg(unix)]
fn end_with_parent() {
    /// How often it looks, in milliseconds. It decides how long an orphan lives, and nothing else.
    const LOOK_MS: u64 = 250;
    let parent = std::os::unix::process::parent_id();
    std::thread::spawn(move || {
        while std::os::unix::process::parent_id() == parent {
            std::thread::sleep(std::time::Duration::from_millis(LOOK_MS));
        }
        std::process::exit(3);
    });
}

#[cfg(not(unix))]
fn end_with_parent() {}
