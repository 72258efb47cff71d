//! Tests your async lock: hundreds of scenarios of lock semantics run live on real runtimes, exactly and with no timeout,
//! as one named test each, with snapshots in your own repository.
//!
//! Add the crate as a dev-dependency with the features of your runtimes, give the test a `main` of its own,
//!
//! ```toml
//! [dev-dependencies]
//! keyalike = { version = "0.1", features = ["smol", "tokio"] }
//!
//! [[test]]
//! name = "keyalike"
//! harness = false
//! ```
//!
//! say in `tests/keyalike.rs` how your lock is called, and name it, the runtimes and the suites in one line:
//!
#![cfg_attr(feature = "smol", doc = "```no_run")]
#![cfg_attr(not(feature = "smol"), doc = "```ignore")]
//! use keyalike::{AsyncMutex, Message, MutexCapabilities};
//! # mod my_crate {
//! #     #[derive(Debug, Default)]
//! #     pub struct MyMutex;
//! #     pub struct MyGuard<'a>(&'a MyMutex);
//! #     impl MyMutex {
//! #         pub async fn lock(&self) -> MyGuard<'_> { MyGuard(self) }
//! #         pub fn try_lock(&self) -> Option<MyGuard<'_>> { Some(MyGuard(self)) }
//! #     }
//! # }
//!
//! struct Adapter(my_crate::MyMutex);
//!
//! impl AsyncMutex for Adapter {
//!     type Guard<'a> = my_crate::MyGuard<'a>;
//!     const CAPABILITIES: MutexCapabilities = MutexCapabilities::plain();
//!
//!     fn new() -> Self {
//!         Self(my_crate::MyMutex::default())
//!     }
//!     fn acquire(&self) -> impl Future<Output = Result<my_crate::MyGuard<'_>, Message>> + Send {
//!         let acquired = self.0.lock();
//!         async move { Ok(acquired.await) }
//!     }
//!     fn try_acquire(&self) -> Result<my_crate::MyGuard<'_>, Message> {
//!         self.0.try_lock().ok_or_else(Message::none)
//!     }
//!     fn debug(&self) -> String {
//!         format!("{:?}", self.0)
//!     }
//! }
//!
//! keyalike::test_lock!(lock: Adapter, runtimes: [smol()], suites: ["*"]);
//! ```
//!
//! `cargo test` then runs `smol+my-crate::cancellation/granted-waiter` and all the others. Beside them stand in the folder
//! `keyalike/` of your crate, all of them yours to review and commit:
//!
//! | place | holds |
//! |---|---|
//! | `snapshots/<backend>/<theme>/<scenario>.snap` | what was observed and reviewed; new and changed ones are red until `cargo insta review` |
//! | `ledger.toml` | violations and divergences that you know of, each with a reason and a source; a stale one is red |
//! | `scenarios/<theme>/<name>.scenario` | scenarios of your own, run beside the shipped ones |
//! | `rules.toml` | rules of your own that they cite |
//!
//! Capabilities are declared in the adapter; one that does not exist does not compile:
//!
//! ```compile_fail
//! const MINE: keyalike::MutexCapabilities = keyalike::MutexCapabilities::plain().with_telepathy();
//! ```
//!
//! A lock that knows its holder needs to know who asks. Most runtimes cannot tell, so the tests do: [`Identity::current`] is
//! the task of the scenario that is polled or dropped on a thread.
//!
//! A scenario whose outcome breaks its rule is red, whatever its snapshot says, until the ledger explains it. What can
//! block a thread or kill a process runs in a child process of the same test. An adapter is code too:
//! [`certify`](fn@certify) looks for its own faults, and is one of the tests.

pub mod cells;
mod conformance;
mod kit;
mod lock;
pub mod reviewed;
pub mod runtimes;
mod selection;

pub use harness::adapter::mutex::{AsyncMutex, MutexCapabilities, OwnedMutex, Query};
pub use harness::certify::adapter::{Certificate, Conviction, Fault};
pub use harness::identity::Identity;
pub use harness::object::Message;
pub use harness::runtime::{Ending, Runtime, join_unwinding, panic_message};
pub use kit::{Kit, Package, SetupError, Test};
pub use lock::{Lock, certify, certify_owned};
pub use runtimes::RuntimeEntry;

/// What [`test_lock!`] needs in the crate that calls it.
#[doc(hidden)]
pub mod macro_support {
    pub use insta::assert_snapshot;
}

/// Makes the `main` of a test with `harness = false`: every scenario of `suites`, on every one of `runtimes`, for one lock.
///
/// - `lock` is a type that implements [`AsyncMutex`], `owned_lock` one that implements [`OwnedMutex`].
/// - `runtimes` are calls such as `smol()`, of [`runtimes`], or expressions that give a [`RuntimeEntry`].
/// - `suites` are themes (`"cancellation"`), scenarios, or globs over scenarios; `"*"` is all.
///
/// Then may follow, in any order, `name: "..."` for the lock in test names and snapshots (else the name of your package),
/// `folder: "..."` for another place than `keyalike`, and `ledger: "..."` for another ledger than the one in there: each
/// is a method of [`Kit`].
///
#[cfg_attr(feature = "smol", doc = "```no_run")]
#[cfg_attr(not(feature = "smol"), doc = "```ignore")]
/// # struct FairMutex;
/// # impl keyalike::AsyncMutex for FairMutex {
/// #     type Guard<'a> = ();
/// #     const CAPABILITIES: keyalike::MutexCapabilities = keyalike::MutexCapabilities::plain();
/// #     fn new() -> Self { Self }
/// #     async fn acquire(&self) -> Result<(), keyalike::Message> { Ok(()) }
/// #     fn try_acquire(&self) -> Result<(), keyalike::Message> { Ok(()) }
/// #     fn debug(&self) -> String { String::new() }
/// # }
/// keyalike::test_lock!(
///     lock: FairMutex,
///     runtimes: [smol()],
///     suites: ["reentry", "cancellation/*granted*"],
///     name: "fair",
///     folder: "tests/fair",
/// );
/// ```
#[macro_export]
macro_rules! test_lock {
    (lock: $lock:ty, $($rest:tt)+) => {
        $crate::test_lock!(@main $crate::Lock::borrowed::<$lock>(), $($rest)+);
    };
    (owned_lock: $lock:ty, $($rest:tt)+) => {
        $crate::test_lock!(@main $crate::Lock::owned::<$lock>(), $($rest)+);
    };
    (@main $lock:expr, runtimes: [$($runtime:expr),+ $(,)?], suites: [$($suite:expr),+ $(,)?]
        $(, $key:ident: $value:expr)* $(,)?) => {
        fn main() -> ::std::process::ExitCode {
            #[allow(unused_imports)]
            use $crate::runtimes::*;
            let package = $crate::Package::new(
                ::std::env!("CARGO_PKG_NAME"),
                ::std::env!("CARGO_PKG_VERSION"),
                ::std::env!("CARGO_MANIFEST_DIR"),
            );
            // Here, so that snapshots name this file and not one of another crate.
            let compare = |name: &str, text: &str| $crate::macro_support::assert_snapshot!(name, text);
            $crate::Kit::new($lock, package, compare)
                $(.runtime($runtime))+
                $(.suite($suite))+
                $(.$key($value))*
                .main()
        }
    };
}
