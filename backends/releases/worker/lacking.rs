//! Answers for the operations that the release lacks, in place of its object.
//!
//! A try cannot be lacking, because every run ends with one. Where the release has none it is emulated, and declared so: who
//! holds the lock is counted here, and an acquire is polled once only when nobody does.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use harness::object::{Message, Object, Operation, Reply, hold};
use harness::primitive::{Place, Request};

/// Whether the release has a try of its own.
pub(crate) const HAS_TRY: bool = cfg!(any(feature = "try_acquire", feature = "try_plain"));

/// An object of which some operations are lacking.
pub(crate) struct Lacking {
    object: Arc<dyn Object>,
    held: Arc<AtomicUsize>,
}

impl Lacking {
    /// Returns `object` with answers for what it lacks.
    pub(crate) fn new(object: Arc<dyn Object>) -> Self {
        Self { object, held: Arc::default() }
    }
}

impl Object for Lacking {
    fn operation(self: Arc<Self>, request: Request, place: Place) -> Operation {
        let object = Arc::clone(&self.object);
        match request {
            Request::Debug if !cfg!(feature = "debug") => Operation::new(async { Reply::Unsupported }),
            Request::Debug => object.operation(request, place),
            _ if HAS_TRY => object.operation(request, place),
            Request::Acquire => counted(object.operation(request, place), Arc::clone(&self.held)),
            Request::TryAcquire => try_once(object, Arc::clone(&self.held)),
            Request::IsLocked => {
                let held = Arc::clone(&self.held);
                let answer = move || if held.load(Ordering::SeqCst) > 0 { "yes" } else { "no" };
                Operation::new(async move { Reply::Answer(answer().to_owned()) })
            }
            _ => Operation::new(async { Reply::Unsupported }),
        }
    }
}

/// Counts a guard for as long as it lives.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(held: Arc<AtomicUsize>) -> Self {
        held.fetch_add(1, Ordering::SeqCst);
        Self(held)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Returns the same operation, whose guard is counted.
fn counted(mut operation: Operation, held: Arc<AtomicUsize>) -> Operation {
    Operation::new(async move {
        match poll_fn(|cx| operation.poll(cx)).await {
            Reply::Granted => {
                let _counted = Counted::new(held);
                hold().await
            }
            other => other,
        }
    })
}

/// Returns a try made of an acquire that is polled once, and not at all while somebody holds the lock.
fn try_once(object: Arc<dyn Object>, held: Arc<AtomicUsize>) -> Operation {
    Operation::new(async move {
        if held.load(Ordering::SeqCst) > 0 {
            return Reply::Refused(Message::none());
        }
        let mut operation = object.operation(Request::Acquire, Place::Task);
        let polled = poll_fn(|cx| std::task::Poll::Ready(operation.poll(cx))).await;
        match polled {
            std::task::Poll::Ready(Reply::Granted) => {
                let _counted = Counted::new(held);
                hold().await
            }
            std::task::Poll::Ready(other) => other,
            std::task::Poll::Pending => Reply::Refused(Message::none()),
        }
    })
}
