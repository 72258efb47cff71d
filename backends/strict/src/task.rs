//! Who asks: the identity of tasks.
//!
//! No runtime is needed for it: a future that runs in [`task`] says on the thread who it is while it is polled and while
//! it is dropped. Where a runtime tells its tasks apart by itself, a feature asks it.

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};

use crate::cycle::Watched;

/// A task, or a thread that asks for itself.
///
/// Numbers of [`task`]s and threads count from 1 and are not used again before 2^45 of them (about 35 million million)
/// have been; those of a runtime are its own.
///
/// ```
/// # #[cfg(feature = "tokio")] pollster(async {
/// use keyalike_strict::{StrictMutex, TokioSync, task};
///
/// let mutex = StrictMutex::<_, TokioSync>::new(0);
/// task(async {
///     let _guard = mutex.acquire().await?;
///     let holder = mutex.statistics().holder.expect("this task holds");
///     assert_eq!(holder.task.expect("its task is known"), keyalike_strict::current_task().expect("this one"));
///     Ok::<_, keyalike_strict::AcquireError>(())
/// })
/// .await
/// # .expect("nobody else holds")
/// # });
/// # #[cfg(feature = "tokio")] fn pollster<T>(future: impl Future<Output = T>) -> T {
/// #     let mut future = std::pin::pin!(future);
/// #     let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
/// #     loop { if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut cx) { return value } }
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TaskId(Key);

/// Who asks or holds, in 48 bits: a kind and a number. Never 0, so that 0 can be nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key(u64);

/// How many bits of a [`Key`] are its number.
const NUMBER_BITS: u32 = 45;
/// How many bits a [`Key`] has.
pub(crate) const KEY_BITS: u32 = NUMBER_BITS + 3;

const SCOPE_KIND: u64 = 1;
#[cfg(feature = "tokio-tasks")]
const TOKIO_KIND: u64 = 2;
#[cfg(feature = "async-std-tasks")]
const ASYNC_STD_KIND: u64 = 3;
const SOURCE_KIND: u64 = 4;
const THREAD_KIND: u64 = 5;
const NOBODY_KIND: u64 = 6;

impl Key {
    /// Who took a mutex by a try where no task is known, or whose guard is being passed on.
    pub(crate) const NOBODY: Key = Key(NOBODY_KIND << NUMBER_BITS);

    const fn new(kind: u64, number: u64) -> Self {
        Self(kind << NUMBER_BITS | number & ((1 << NUMBER_BITS) - 1))
    }

    pub(crate) fn from_bits(bits: u64) -> Option<Self> {
        (bits != 0).then_some(Self(bits))
    }

    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    fn kind(self) -> u64 {
        self.0 >> NUMBER_BITS
    }

    fn number(self) -> u64 {
        self.0 & ((1 << NUMBER_BITS) - 1)
    }

    pub(crate) fn is_thread(self) -> bool {
        self.kind() == THREAD_KIND
    }

    /// Returns the task, unless it is nobody.
    pub(crate) fn task(self) -> Option<TaskId> {
        (self != Self::NOBODY).then_some(TaskId(self))
    }

    /// Returns what messages call it.
    pub(crate) fn describe(self) -> String {
        match self.task() {
            None => "an unknown task".to_owned(),
            Some(id) => id.name().map_or_else(|| id.to_string(), |name| format!("task {name}")),
        }
    }
}

impl TaskId {
    /// Returns the name that the task was given by [`Task::named`] or by a [`Source`], as long as it lives.
    #[must_use]
    pub fn name(self) -> Option<String> {
        match self.0.kind() {
            SCOPE_KIND => names().get(&self.0).map(|name| name.to_string()),
            SOURCE_KIND => SOURCE.get().and_then(|source| (source.name)(self.0.number())),
            _ => None,
        }
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.0.kind() == THREAD_KIND { "thread" } else { "task" };
        write!(f, "{kind} {}", self.0.number())
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

static NAMES: LazyLock<Mutex<HashMap<Key, Arc<str>>>> = LazyLock::new(Mutex::default);

fn names() -> std::sync::MutexGuard<'static, HashMap<Key, Arc<str>>> {
    NAMES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What says who runs on a thread, set while a [`Task`] is polled or dropped there.
#[derive(Clone, Copy)]
struct Scope {
    /// The task, 0 if there is none.
    key: u64,
    /// Whom the runtime had on the thread when the scope was entered, 0 if nobody. Somebody else is a task inside it.
    runtime: u64,
}

thread_local! {
    static SCOPE: Cell<Scope> = const { Cell::new(Scope { key: 0, runtime: 0 }) };
}

/// Says that `key` runs on this thread, until it is dropped.
struct Entered {
    before: Scope,
}

impl Entered {
    fn new(key: Key) -> Self {
        let runtime = runtime_task().map_or(0, Key::bits);
        Self { before: SCOPE.replace(Scope { key: key.bits(), runtime }) }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        SCOPE.set(self.before);
    }
}

/// Returns who runs on this thread.
#[inline]
pub(crate) fn current() -> Option<Key> {
    let scope = SCOPE.get();
    let Some(key) = Key::from_bits(scope.key) else { return from_source().or_else(runtime_task) };
    Some(runtime_task().filter(|inside| inside.bits() != scope.runtime).unwrap_or(key))
}

fn from_source() -> Option<Key> {
    let number = (SOURCE.get()?.current)()?;
    Some(Key::new(SOURCE_KIND, number))
}

/// Returns whom the runtime has on this thread, where a feature asks it.
#[inline]
fn runtime_task() -> Option<Key> {
    #[cfg(feature = "tokio-tasks")]
    if let Some(id) = tokio::task::try_id() {
        return Some(Key::new(TOKIO_KIND, number_of(&id)));
    }
    #[cfg(feature = "async-std-tasks")]
    if let Some(task) = async_std::task::try_current() {
        return Some(Key::new(ASYNC_STD_KIND, number_of(&task.id())));
    }
    None
}

/// Returns the number inside an id of a runtime, which shows it to nobody but a hasher.
#[cfg(any(feature = "tokio-tasks", feature = "async-std-tasks"))]
fn number_of(id: &impl std::hash::Hash) -> u64 {
    struct Reader(u64);
    impl std::hash::Hasher for Reader {
        fn write(&mut self, bytes: &[u8]) {
            for &byte in bytes {
                self.0 = self.0 << 8 | u64::from(byte);
            }
        }

        fn write_u64(&mut self, number: u64) {
            self.0 = number;
        }

        fn write_usize(&mut self, number: usize) {
            self.0 = number as u64;
        }

        fn finish(&self) -> u64 {
            self.0
        }
    }
    let mut reader = Reader(0);
    id.hash(&mut reader);
    std::hash::Hasher::finish(&reader)
}

/// Returns the task that runs on this thread, if it is known.
///
/// ```
/// assert_eq!(keyalike_strict::current_task(), None);
/// ```
#[must_use]
pub fn current_task() -> Option<TaskId> {
    current().and_then(Key::task)
}

/// Returns who asks in a blocking way: the task that runs on this thread, or else the thread itself.
pub(crate) fn current_or_thread() -> Key {
    thread_local! {
        static THREAD: Cell<u64> = const { Cell::new(0) };
    }
    static NEXT: AtomicU64 = AtomicU64::new(1);
    current().unwrap_or_else(|| {
        if THREAD.get() == 0 {
            THREAD.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        Key::new(THREAD_KIND, THREAD.get())
    })
}

/// Says who runs on the calling thread, for a runtime that has identities of its own.
///
/// ```standalone_crate
/// use keyalike_strict::{Source, current_task, set_source};
///
/// let source = Source::new(|| Some(7)).with_names(|number| Some(format!("worker-{number}")));
/// set_source(source).expect("nobody has set one yet");
/// assert_eq!(current_task().and_then(|task| task.name()).as_deref(), Some("worker-7"));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Source {
    current: fn() -> Option<u64>,
    name: fn(u64) -> Option<String>,
}

impl Source {
    /// Returns a source of tasks without names. `current` returns the number of the task that runs on the calling thread,
    /// below 2^45. It must be the same in every poll of the task, in its drop, and of no other task that lives at the same
    /// time.
    ///
    /// ```
    /// let source = keyalike_strict::Source::new(|| None);
    /// # let _ = source;
    /// ```
    #[must_use]
    pub const fn new(current: fn() -> Option<u64>) -> Self {
        Self { current, name: |_| None }
    }

    /// Returns the same source with what tells the name of a task, for messages and statistics.
    ///
    /// ```
    /// let source = keyalike_strict::Source::new(|| None).with_names(|number| Some(format!("worker-{number}")));
    /// # let _ = source;
    /// ```
    #[must_use]
    pub const fn with_names(self, name: fn(u64) -> Option<String>) -> Self {
        Self { name, ..self }
    }
}

static SOURCE: OnceLock<Source> = OnceLock::new();

/// A second [`set_source`]: two cannot both be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceAlreadySet;

impl fmt::Display for SourceAlreadySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the source of task identities is set already; set it once, where the program starts")
    }
}

impl std::error::Error for SourceAlreadySet {}

/// Sets, once for the whole program, who is asked where no [`task`] runs on a thread. It comes before the features that
/// ask a runtime.
///
/// # Errors
///
/// [`SourceAlreadySet`], the second time.
///
/// ```standalone_crate
/// use keyalike_strict::{Source, SourceAlreadySet, set_source};
///
/// let nobody = Source::new(|| None);
/// assert_eq!(set_source(nobody), Ok(()));
/// assert_eq!(set_source(nobody), Err(SourceAlreadySet));
/// ```
pub fn set_source(source: Source) -> Result<(), SourceAlreadySet> {
    SOURCE.set(source).map_err(|_| SourceAlreadySet)
}

/// Runs `future` as a task that strict mutexes know.
///
/// Wrap what you spawn or block on: `smol::spawn(task(future))`, `smol::block_on(task(future))`. It costs two writes to a
/// thread-local variable a poll and no allocation. Everything that `future` runs in itself, such as the branches of a
/// `select!` or the arms of a `join!`, is this task; a `task` within it is a task of its own.
///
/// ```
/// # #[cfg(feature = "async-lock")]
/// # futures_executor_block_on(async {
/// use keyalike_strict::{AsyncLock, StrictMutex, task};
///
/// let mutex = StrictMutex::<_, AsyncLock>::new(());
/// task(async {
///     let _guard = mutex.acquire().await.expect("it is free");
///     assert!(mutex.acquire().await.is_err(), "this task holds it already");
/// })
/// .await;
/// # });
/// # #[cfg(feature = "async-lock")] fn futures_executor_block_on<T>(future: impl Future<Output = T>) -> T {
/// #     let mut future = std::pin::pin!(future);
/// #     let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
/// #     loop { if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut cx) { return value } }
/// # }
/// ```
pub fn task<F: Future>(future: F) -> Task<F> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let key = Key::new(SCOPE_KIND, NEXT.fetch_add(1, Ordering::Relaxed));
    Task { future: Some(future), key, named: None, watched: None }
}

pin_project_lite::pin_project! {
    /// A future that strict mutexes know as one task, made by [`task`].
    ///
    /// ```
    /// let task: keyalike_strict::Task<_> = keyalike_strict::task(async { 7 });
    /// # drop(task);
    /// ```
    #[must_use = "a task does nothing unless it is polled"]
    pub struct Task<F> {
        // Taken out by the drop, which says on the thread whose it is.
        #[pin]
        future: Option<F>,
        key: Key,
        // Dropped after the future, also if that one's drop panics.
        named: Option<Named>,
        watched: Option<Watched>,
    }

    impl<F> PinnedDrop for Task<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _entered = Entered::new(*this.key);
            this.future.set(None);
        }
    }
}

/// The entry of a task in the table of names.
struct Named(Key);

impl Drop for Named {
    fn drop(&mut self) {
        names().remove(&self.0);
    }
}

impl<F: Future> Task<F> {
    /// Gives the task a name, for messages and statistics. It costs an entry in a table of the whole program.
    ///
    /// ```
    /// use keyalike_strict::{current_task, task};
    ///
    /// let named = task(async { current_task().and_then(|task| task.name()) }).named("accept loop");
    /// # let mut named = std::pin::pin!(named);
    /// # let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    /// # let std::task::Poll::Ready(name) = named.as_mut().poll(&mut cx) else { panic!() };
    /// // name = named.await;
    /// assert_eq!(name.as_deref(), Some("accept loop"));
    /// ```
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        // First: `into` is not ours, and may ask for a name.
        let name = name.into();
        let key = self.key;
        names().insert(key, name);
        self.named.get_or_insert_with(|| Named(key));
        self
    }

    /// Counts who can wake the task, which [`Mode::EndlessWaits`](crate::Mode::EndlessWaits) needs to know. It costs an
    /// allocation a task and, in each poll, a lock that nobody contends.
    ///
    /// ```
    /// # let future = async {};
    /// let task = keyalike_strict::task(future).watched();
    /// # drop(task);
    /// ```
    pub fn watched(mut self) -> Self {
        let key = self.key;
        self.watched.get_or_insert_with(|| Watched::new(key));
        self
    }

    #[cfg(all(test, feature = "tokio"))]
    pub(crate) fn key(&self) -> Key {
        self.key
    }

    /// Returns its id.
    ///
    /// ```
    /// let (one, other) = (keyalike_strict::task(async {}), keyalike_strict::task(async {}));
    /// assert_ne!(one.id(), other.id());
    /// ```
    pub fn id(&self) -> TaskId {
        TaskId(self.key)
    }
}

impl<F: Future> Future for Task<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let _entered = Entered::new(*this.key);
        let mut poll = |cx: &mut Context<'_>| {
            let future = this.future.as_mut().as_pin_mut().expect("a task is not polled after it has ended");
            future.poll(cx)
        };
        let polled = match this.watched {
            None => poll(cx),
            Some(watched) => watched.poll(cx, poll),
        };
        if polled.is_ready() {
            this.future.set(None);
        }
        polled
    }
}

impl<F> fmt::Debug for Task<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Task").field(&TaskId(self.key)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("boom"));
        }
    }

    #[test]
    fn the_scope_is_restored_when_a_poll_or_a_drop_panics() {
        let polled = std::panic::catch_unwind(|| {
            let mut bomb = Box::pin(task(async { std::panic::resume_unwind(Box::new("boom")) }));
            let _: Poll<()> = bomb.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop()));
        });
        assert!(polled.is_err());
        assert_eq!(current(), None);
        let bomb = Bomb;
        let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            drop(task(async move {
                let _bomb = bomb;
            }));
        }));
        assert!(dropped.is_err());
        assert_eq!(current(), None);
    }

    /// Whether it ends, or is dropped before.
    #[test]
    fn what_a_task_owns_is_dropped_by_it() {
        struct Tells<'a>(&'a Cell<Option<Key>>);
        impl Drop for Tells<'_> {
            fn drop(&mut self) {
                self.0.set(current());
            }
        }
        let by = Cell::new(None);
        for polls in 0..=2 {
            let mut is_first = true;
            let tells = Tells(&by);
            let mut owner = Box::pin(task(std::future::poll_fn(move |_| {
                let _ = &tells;
                if std::mem::take(&mut is_first) { Poll::Pending } else { Poll::Ready(()) }
            })));
            let id = owner.id();
            for _ in 0..polls {
                let _: Poll<()> = owner.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop()));
            }
            drop(owner);
            assert_eq!(by.take(), Some(id.0), "after {polls} polls");
        }
    }

    #[test]
    fn a_name_is_forgotten_with_its_task() {
        let named = task(async {}).named("A");
        let id = named.id();
        assert_eq!(id.0.describe(), "task A");
        drop(named);
        assert_eq!(id.name(), None);
        assert_eq!(id.0.describe(), id.to_string());
    }

    #[test]
    fn a_name_is_forgotten_with_a_task_whose_drop_panics() {
        let bomb = Bomb;
        let named = task(async move {
            let _bomb = bomb;
        })
        .named("A");
        let id = named.id();
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(named))).is_err());
        assert_eq!(id.name(), None);
    }

    #[test]
    fn the_last_name_counts() {
        let named = task(async {}).named("A").named("B");
        assert_eq!(named.id().name().as_deref(), Some("B"));
    }

    /// What makes the name is called under no lock of ours, or this would hang.
    #[test]
    fn what_makes_a_name_may_ask_for_one() {
        struct Another(TaskId);
        impl From<Another> for Arc<str> {
            fn from(Another(id): Another) -> Self {
                format!("not {}", id.name().expect("it has one")).into()
            }
        }
        let one = task(async {}).named("A");
        let other = task(async {}).named(Another(one.id()));
        assert_eq!(other.id().name().as_deref(), Some("not A"));
    }

    #[test]
    fn a_future_is_dropped_when_it_ends() {
        let dropped = Arc::new(());
        let kept = Arc::clone(&dropped);
        let mut ready = Box::pin(task(std::future::poll_fn(move |_| {
            let _ = &kept;
            Poll::Ready(())
        })));
        assert!(ready.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop())).is_ready());
        assert_eq!(Arc::strong_count(&dropped), 1);
    }

    /// Who runs inside: what the runtime had when the scope was entered is the scope; anything else is a task in it.
    #[cfg(feature = "tokio-tasks")]
    #[test]
    fn a_scope_is_its_task_and_a_runtime_inside_it_has_others() {
        let runtime = || tokio::runtime::Builder::new_current_thread().build().expect("it needs no driver");
        let scope = task(async { current() });
        let id = scope.id();
        let inside = runtime().block_on(async { tokio::spawn(scope).await }).expect("it does not panic");
        assert_eq!(inside, Some(id.0), "the scope is what runs, and not the task of tokio around it");
        let mut outer = Box::pin(task(async {
            let ran = runtime().block_on(async { tokio::spawn(async { current() }).await });
            (current(), ran.expect("it does not panic"))
        }));
        let Poll::Ready((own, inner)) = outer.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop())) else {
            panic!("it waits for nothing");
        };
        assert_eq!(own, Some(outer.id().0));
        assert_eq!(inner.map(Key::kind), Some(TOKIO_KIND));
    }

    #[cfg(feature = "tokio-tasks")]
    #[test]
    fn the_number_of_a_tokio_task_is_the_one_that_tokio_prints() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("it needs no driver");
        let check = async {
            let printed = tokio::task::try_id().map(|id| id.to_string());
            assert_eq!(current().map(|key| key.number().to_string()), printed);
        };
        runtime.block_on(async { tokio::spawn(check).await }).expect("it does not panic");
    }

    #[cfg(feature = "async-std-tasks")]
    #[test]
    fn the_number_of_an_async_std_task_is_the_one_that_async_std_prints() {
        async_std::task::block_on(async {
            let printed = async_std::task::current().id().to_string();
            assert_eq!(current().map(|key| key.number().to_string()), Some(printed));
        });
    }
}
