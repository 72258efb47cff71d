//! A worker of one release of a lock library: `worker ID RUNTIME borrowed|owned` speaks keyalike's protocol on stdin and
//! stdout.

mod adapter;
mod lacking;
mod packages;
mod smol;
mod subject {
    //! The adapter of the release: the files of it that compile.
    #[cfg(feature = "blocking")]
    pub(crate) mod blocking;
    #[cfg(feature = "coop")]
    pub(crate) mod coop;
    #[cfg(feature = "debug")]
    pub(crate) mod debug;
    pub(crate) mod mutex;
    #[cfg(feature = "owned")]
    pub(crate) mod owned;
    #[cfg(feature = "runtime")]
    pub(crate) mod runtime;
    #[cfg(feature = "semaphore")]
    pub(crate) mod semaphore;
    #[cfg(feature = "try_acquire")]
    pub(crate) mod try_acquire;
    #[cfg(feature = "try_plain")]
    pub(crate) mod try_plain;
}

use std::process::ExitCode;
use std::sync::Arc;

use harness::backend::{Backend, LockLibrary, Pair};
use harness::runtime::Runtime;
use harness::subject::{Description, Subject};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [id, runtime, face] = arguments.as_slice() else {
        eprintln!("usage: worker ID RUNTIME borrowed|owned; keyalike starts it with these");
        return ExitCode::from(2);
    };
    let Some(backend) = backend(id, runtime, face) else {
        eprintln!("this release has no runtime `{runtime}` with locks that are {face}");
        return ExitCode::from(2);
    };
    match harness::worker::serve(&*backend) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(3)
        }
    }
}

fn backend(id: &str, runtime: &str, face: &str) -> Option<Box<dyn Backend>> {
    match runtime {
        "smol" => with_locks(id, "async-executor", smol::global(), face),
        #[cfg(feature = "runtime")]
        "tokio" => with_locks(id, "tokio", subject::runtime::multi_thread(), face),
        #[cfg(feature = "runtime")]
        "tokio-current-thread" => with_locks(id, "tokio", subject::runtime::current_thread(), face),
        _ => None,
    }
}

fn with_locks<R: Runtime>(id: &str, crate_name: &str, runtime: Arc<R>, face: &str) -> Option<Box<dyn Backend>> {
    match face {
        "borrowed" => Some(pair::<R, adapter::Borrowed>(id, crate_name, runtime)),
        #[cfg(feature = "owned")]
        "owned" => Some(pair::<R, adapter::Owned>(id, crate_name, runtime)),
        _ => None,
    }
}

fn pair<R: Runtime, L: LockLibrary>(id: &str, crate_name: &str, runtime: Arc<R>) -> Box<dyn Backend> {
    // A library may pass on the mutex of another: its type says whose it is.
    let mutex = std::any::type_name::<subject::mutex::Mutex<()>>();
    let locks = mutex.split("::").next().unwrap_or_default().replace('_', "-");
    let description = Description {
        id: id.to_owned(),
        runtime: package(crate_name),
        locks: package(&locks),
        capabilities: Vec::new(),
        native: false,
    };
    Box::new(Pair::of::<L>(runtime, description))
}

fn package(name: &str) -> Subject {
    let version =
        packages::PACKAGES.iter().find(|(known, _)| *known == name).map_or("unknown", |(_, version)| *version);
    Subject { name: name.to_owned(), version: version.to_owned() }
}
