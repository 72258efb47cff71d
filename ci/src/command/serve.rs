//! `keyalike serve`: a worker, started by a parent that wants a hang or a crash to stay in a process of its own.

use harness::isolation::Workshop;

use crate::backend_choice::BackendChoice;
use crate::failure::{Ending, Failure};
use crate::output;

/// The arguments of `serve`.
#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    /// The id of the backend to run jobs on.
    #[arg(long, value_name = "ID", required_unless_present = "schema")]
    backend: Option<String>,
    /// Print the JSON schema of the protocol, and serve nothing.
    #[arg(long, conflicts_with = "backend")]
    schema: bool,
}

impl Serve {
    /// Serves until stdin ends.
    pub(crate) fn execute(&self) -> Result<Ending, Failure> {
        if self.schema {
            let schema = serde_json::to_string_pretty(&harness::protocol::schema()).map_err(Failure::Schema)?;
            output::print(&format!("{schema}\n"))?;
        }
        if let Some(id) = &self.backend {
            for backend in BackendChoice::one(id).start(&Workshop::new(None))? {
                harness::worker::serve(&*backend)?;
            }
        }
        Ok(Ending::Expected)
    }
}
