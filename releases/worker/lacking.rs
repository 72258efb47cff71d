//! Answers for the operations that the release lacks, in place of its object.

use std::sync::Arc;

use harness::object::{Object, Operation, Reply};
use harness::primitive::Request;
use harness::scenario::Place;

/// An object of which some operations are lacking.
pub(crate) struct Lacking(pub(crate) Arc<dyn Object>);

impl Object for Lacking {
    fn operation(self: Arc<Self>, request: Request, place: Place) -> Operation {
        let is_there = match request {
            Request::TryAcquire | Request::IsLocked => cfg!(feature = "try_acquire"),
            Request::Debug => cfg!(feature = "debug"),
            _ => true,
        };
        if is_there {
            Arc::clone(&self.0).operation(request, place)
        } else {
            Operation::new(async { Reply::Unsupported })
        }
    }
}
