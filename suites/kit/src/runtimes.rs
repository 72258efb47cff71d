//! The runtimes that a lock can be tested on: those of the features, and any that implements [`Runtime`].

use std::fmt;
use std::sync::Arc;

use harness::backend::{Backend, Pair};
use harness::certify::adapter::{self, Certificate};
use harness::driver::MakeObject;
use harness::runtime::Runtime;
use harness::subject::{Description, Subject};

use crate::lock::Lock;

/// A runtime with a name, not started yet.
pub struct RuntimeEntry {
    pub(crate) id: String,
    subject: Subject,
    start: Arc<dyn Fn() -> Box<dyn Started> + Send + Sync>,
}

impl RuntimeEntry {
    /// Returns a runtime of your own. `id` names it in tests and snapshots; `name` and `version` say what it is made of.
    /// `start` starts it, or returns it if it is started already.
    ///
    /// ```
    /// # use keyalike::{Ending, Runtime, RuntimeEntry};
    /// # struct MyRuntime;
    /// # impl Runtime for MyRuntime {
    /// #     type Handle = ();
    /// #     const DROP_ABORTS: bool = false;
    /// #     fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {}
    /// #     fn block_on<T>(&self, future: impl Future<Output = T>) -> T { unimplemented!() }
    /// #     async fn join(&self, handle: ()) -> Ending { Ending::Returned }
    /// #     async fn abort(&self, handle: ()) -> Ending { Ending::Returned }
    /// #     fn detach(&self, handle: ()) {}
    /// # }
    /// let mine = RuntimeEntry::new("mine", "my-runtime", "0.3.1", || std::sync::Arc::new(MyRuntime));
    /// assert_eq!(mine.id(), "mine");
    /// ```
    pub fn new<R: Runtime>(
        id: &str,
        name: &str,
        version: &str,
        start: impl Fn() -> Arc<R> + Send + Sync + 'static,
    ) -> Self {
        Self {
            id: id.to_owned(),
            subject: Subject { name: name.to_owned(), version: version.to_owned() },
            start: Arc::new(move || Box::new(On(start()))),
        }
    }

    /// Returns the name by which tests and snapshots call it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the backend that pairs it with `lock`, which `locks` names.
    pub(crate) fn backend(&self, id: String, lock: &Lock, locks: Subject) -> Arc<dyn Backend> {
        let capabilities = lock.capabilities.words().into_iter().map(str::to_owned).collect();
        let description = Description { id, runtime: self.subject.clone(), locks, capabilities, native: false };
        (self.start)().pair(lock.make, description)
    }

    /// Returns what certifies the adapter of `lock` on it.
    pub(crate) fn certification(&self, lock: &Lock) -> impl Fn() -> Certificate + Send + 'static {
        let (start, lock) = (Arc::clone(&self.start), *lock);
        move || start().certify(&lock)
    }
}

impl fmt::Debug for RuntimeEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuntimeEntry").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A started runtime, its type erased.
trait Started {
    fn pair(&self, make: MakeObject, description: Description) -> Arc<dyn Backend>;
    fn certify(&self, lock: &Lock) -> Certificate;
}

struct On<R>(Arc<R>);

impl<R: Runtime> Started for On<R> {
    fn pair(&self, make: MakeObject, description: Description) -> Arc<dyn Backend> {
        Arc::new(Pair::new(Arc::clone(&self.0), make, description))
    }

    fn certify(&self, lock: &Lock) -> Certificate {
        adapter::certify(&self.0, &lock.subject())
    }
}

/// Returns tokio, multi-thread, with two workers.
#[cfg(feature = "tokio")]
#[must_use]
pub fn tokio() -> RuntimeEntry {
    use backends::runtimes::tokio::{VERSION, multi_thread};
    RuntimeEntry::new("tokio", "tokio", VERSION, multi_thread)
}

/// Returns tokio's current-thread runtime.
#[cfg(feature = "tokio")]
#[must_use]
pub fn tokio_current_thread() -> RuntimeEntry {
    use backends::runtimes::tokio::{VERSION, current_thread};
    RuntimeEntry::new("tokio-current-thread", "tokio", VERSION, current_thread)
}

/// Returns async-std's global executor.
#[cfg(feature = "async-std")]
#[must_use]
pub fn async_std() -> RuntimeEntry {
    use backends::runtimes::async_std::{VERSION, global};
    RuntimeEntry::new("async-std", "async-std", VERSION, global)
}

/// Returns smol's global executor.
#[cfg(feature = "smol")]
#[must_use]
pub fn smol() -> RuntimeEntry {
    use backends::runtimes::smol::{VERSION, global};
    RuntimeEntry::new("smol", "smol", VERSION, global)
}
