//! Ten programs as users write them, on every runtime: on the bare lock each hangs, which quiescence shows and no timeout;
//! on the strict mutex each is refused, with the place of the acquire that it forgot. Ten lawful twins are never refused.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use backends::runtimes;
use futures_util::future::{Either, join, select};
use harness::runtime::Runtime;
use harness::stage::Stage;
use libtest_mimic::{Arguments, Failed, Trial};
use strict::{AsyncLock, Library, OwnedStrictGuard, StrictMutex, TokioSync};

type Work = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;
type Taken<L> = Result<<L as Lock>::Guard, String>;

/// A lock as a program uses it.
trait Lock: Clone + Send + Sync + 'static {
    type Guard: std::ops::DerefMut<Target = Vec<u32>> + Send;

    fn new() -> Self;

    #[track_caller]
    fn take(&self) -> impl Future<Output = Taken<Self>> + Send;

    fn pass(guard: &mut Self::Guard) {
        let _ = guard;
    }
}

#[derive(Clone)]
struct BareTokio(Arc<tokio::sync::Mutex<Vec<u32>>>);

impl Lock for BareTokio {
    type Guard = tokio::sync::OwnedMutexGuard<Vec<u32>>;

    fn new() -> Self {
        Self(Arc::default())
    }

    async fn take(&self) -> Taken<Self> {
        Ok(Arc::clone(&self.0).lock_owned().await)
    }
}

#[derive(Clone)]
struct BareAsyncLock(Arc<async_lock::Mutex<Vec<u32>>>);

impl Lock for BareAsyncLock {
    type Guard = async_lock::MutexGuardArc<Vec<u32>>;

    fn new() -> Self {
        Self(Arc::default())
    }

    async fn take(&self) -> Taken<Self> {
        Ok(self.0.lock_arc().await)
    }
}

struct Strict<L: Library>(Arc<StrictMutex<Vec<u32>, L>>);

impl<L: Library> Clone for Strict<L> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

macro_rules! strict_lock {
    ($library:ty) => {
        impl Lock for Strict<$library> {
            type Guard = OwnedStrictGuard<Vec<u32>, $library>;

            fn new() -> Self {
                Self(Arc::default())
            }

            #[track_caller]
            fn take(&self) -> impl Future<Output = Taken<Self>> + Send {
                let acquire = self.0.acquire_owned();
                async move { acquire.await.map_err(|refused| refused.to_string()) }
            }

            fn pass(guard: &mut Self::Guard) {
                OwnedStrictGuard::pass(guard);
            }
        }
    };
}

strict_lock!(TokioSync);
strict_lock!(AsyncLock);

/// What a program runs on, and what it tells.
struct Scene<L> {
    lock: L,
    told: Arc<Told>,
    spawn: Arc<dyn Fn(Work) -> usize + Send + Sync>,
    settle: Arc<dyn Fn() + Send + Sync>,
    abort: Arc<dyn Fn(usize) + Send + Sync>,
}

impl<L: Clone> Clone for Scene<L> {
    fn clone(&self) -> Self {
        let Self { lock, told, spawn, settle, abort } = self;
        let (told, spawn, settle) = (Arc::clone(told), Arc::clone(spawn), Arc::clone(settle));
        Self { lock: lock.clone(), told, spawn, settle, abort: Arc::clone(abort) }
    }
}

#[derive(Default)]
struct Told {
    refusals: Mutex<Vec<String>>,
    /// The line of the acquire that a refusal must name.
    held: AtomicU32,
}

impl Told {
    /// Says that the next line acquires what is forgotten.
    #[track_caller]
    fn next_line_holds(&self) {
        self.held.store(std::panic::Location::caller().line() + 1, Ordering::SeqCst);
    }
}

impl<L: Lock> Scene<L> {
    /// Spawns a task that ends with its first refusal, as a function with `?` does.
    fn spawn(&self, program: impl Future<Output = Result<(), String>> + Send + 'static) -> usize {
        let told = Arc::clone(&self.told);
        (self.spawn)(Box::pin(async move {
            if let Err(refused) = program.await {
                told.refusals.lock().expect("nobody panics with it").push(refused);
            }
        }))
    }
}

/// A value that is put down in one task and awaited in another.
struct Slot<T>(Mutex<(Option<T>, Option<Waker>)>);

impl<T> Slot<T> {
    fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new((None, None))))
    }

    fn put(&self, value: T) {
        let mut slot = self.0.lock().expect("nobody panics with it");
        slot.0 = Some(value);
        let waker = slot.1.take();
        drop(slot);
        waker.into_iter().for_each(Waker::wake);
    }

    async fn take(&self) -> T {
        std::future::poll_fn(|cx| {
            let mut slot = self.0.lock().expect("nobody panics with it");
            slot.1 = Some(cx.waker().clone());
            slot.0.take().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

/// A program, and its twin that does the same and lets go in time.
type Programs<L> = [(&'static str, fn(&Scene<L>), fn(&Scene<L>)); 10];

fn programs<L: Lock>() -> Programs<L> {
    [
        ("recursion", |scene| recursion(scene, false), |scene| recursion(scene, true)),
        ("callback", |scene| callback(scene, false), |scene| callback(scene, true)),
        ("pool", |scene| pool(scene, false), |scene| pool(scene, true)),
        ("actor_loop", |scene| actor_loop(scene, false), |scene| actor_loop(scene, true)),
        ("select", |scene| select_branch(scene, false), |scene| select_branch(scene, true)),
        ("join", |scene| join_arms(scene, false), |scene| join_arms(scene, true)),
        ("spawn_inside", |scene| spawn_inside(scene, false), |scene| spawn_inside(scene, true)),
        ("guard_sent_away", |scene| guard_sent_away(scene, false), |scene| guard_sent_away(scene, true)),
        ("abort", |scene| abort(scene, false), |scene| abort(scene, true)),
        ("panic", |scene| panic(scene, false), |scene| panic(scene, true)),
    ]
}

/// A function that visits a tree takes the lock and calls itself.
fn recursion<L: Lock>(scene: &Scene<L>, lawful: bool) {
    fn visit<L: Lock>(
        scene: Scene<L>,
        depth: u32,
        lawful: bool,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<(), String>> + Send>> {
        Box::pin(async move {
            scene.told.next_line_holds();
            let mut visited = scene.lock.take().await?;
            visited.push(depth);
            let kept = (!lawful).then_some(visited);
            if depth > 0 {
                visit(scene.clone(), depth - 1, lawful).await?;
            }
            drop(kept);
            Ok(())
        })
    }
    scene.spawn(visit(scene.clone(), 1, lawful));
}

/// A list tells its listeners while it is locked, and a listener looks at the list.
fn callback<L: Lock>(scene: &Scene<L>, lawful: bool) {
    let (lock, told) = (scene.lock.clone(), Arc::clone(&scene.told));
    scene.spawn(async move {
        let listener = || async { lock.take().await.map(|list| list.len()) };
        told.next_line_holds();
        let mut list = lock.take().await?;
        list.push(1);
        let kept = (!lawful).then_some(list);
        listener().await?;
        drop(kept);
        Ok(())
    });
}

/// A pool finds itself empty and grows, and growing takes the pool.
fn pool<L: Lock>(scene: &Scene<L>, lawful: bool) {
    async fn grow<L: Lock>(lock: &L) -> Result<(), String> {
        lock.take().await?.extend([1, 2]);
        Ok(())
    }
    for _ in 0..2 {
        let (lock, told) = (scene.lock.clone(), Arc::clone(&scene.told));
        scene.spawn(async move {
            told.next_line_holds();
            let mut free = lock.take().await?;
            if free.is_empty() {
                let kept = (!lawful).then_some(free);
                grow(&lock).await?;
                drop(kept);
                free = lock.take().await?;
            }
            free.pop().map(drop).ok_or_else(|| "the pool is empty".to_owned())
        });
    }
}

/// An actor holds its state from one message to the next, and the handler of a message takes the state.
fn actor_loop<L: Lock>(scene: &Scene<L>, lawful: bool) {
    let inbox = Slot::new();
    let (lock, told, messages) = (scene.lock.clone(), Arc::clone(&scene.told), Arc::clone(&inbox));
    scene.spawn(async move {
        let mut state = None;
        loop {
            match messages.take().await {
                0 => {
                    told.next_line_holds();
                    let guard = lock.take().await?;
                    state = (!lawful).then_some(guard);
                }
                1 => lock.take().await?.push(1),
                _ => break,
            }
        }
        drop(state);
        Ok(())
    });
    for message in 0..3 {
        (scene.settle)();
        let inbox = Arc::clone(&inbox);
        scene.spawn(async move {
            inbox.put(message);
            Ok(())
        });
    }
}

/// A branch of a select takes what the code around it holds.
fn select_branch<L: Lock>(scene: &Scene<L>, lawful: bool) {
    let (lock, told) = (scene.lock.clone(), Arc::clone(&scene.told));
    scene.spawn(async move {
        told.next_line_holds();
        let guard = lock.take().await?;
        let kept = (!lawful).then_some(guard);
        let branch = std::pin::pin!(lock.take());
        let Either::Left((taken, _)) = select(branch, std::future::pending::<()>()).await else {
            return Err("nothing is pending for ever and then ready".to_owned());
        };
        taken?.push(1);
        drop(kept);
        Ok(())
    });
}

/// One arm of a join holds the lock until the other has had it.
fn join_arms<L: Lock>(scene: &Scene<L>, lawful: bool) {
    let (lock, told) = (scene.lock.clone(), Arc::clone(&scene.told));
    scene.spawn(async move {
        let had_it = Slot::new();
        let holds = async {
            told.next_line_holds();
            let guard = lock.take().await?;
            let kept = (!lawful).then_some(guard);
            had_it.take().await;
            drop(kept);
            Ok::<(), String>(())
        };
        let takes = async {
            let taken = lock.take().await.map(drop);
            had_it.put(());
            taken
        };
        let (one, other) = join(holds, takes).await;
        one.and(other)
    });
}

/// A guard moves into a task that is spawned under the lock, and that task takes the lock.
fn spawn_inside<L: Lock>(scene: &Scene<L>, lawful: bool) {
    let parent = scene.clone();
    scene.spawn(async move {
        let (lock, done) = (parent.lock.clone(), Slot::new());
        parent.told.next_line_holds();
        let mut guard = parent.lock.take().await?;
        guard.push(1);
        let child_done = Arc::clone(&done);
        if lawful {
            parent.spawn(async move {
                let taken = lock.take().await.map(drop);
                child_done.put(());
                taken
            });
            drop(guard);
        } else {
            parent.spawn(async move {
                guard.push(2);
                let taken = lock.take().await.map(drop);
                child_done.put(());
                taken
            });
        }
        done.take().await;
        Ok(())
    });
}

/// A guard is sent to a task that takes the lock; in the twin the sender takes it, and waits for the receiver.
fn guard_sent_away<L: Lock>(scene: &Scene<L>, lawful: bool) {
    let parcel = Slot::new();
    let (lock, told, out) = (scene.lock.clone(), Arc::clone(&scene.told), Arc::clone(&parcel));
    scene.spawn(async move {
        told.next_line_holds();
        let mut guard = lock.take().await?;
        L::pass(&mut guard);
        out.put(guard);
        if lawful { lock.take().await.map(drop) } else { Ok(()) }
    });
    let lock = scene.lock.clone();
    scene.spawn(async move {
        let mut guard = parcel.take().await;
        guard.push(1);
        if lawful { Ok(()) } else { lock.take().await.map(drop) }
    });
}

/// The holder is aborted. Who waited holds next, and is no second self of the dead.
fn abort<L: Lock>(scene: &Scene<L>, lawful: bool) {
    let lock = scene.lock.clone();
    let holder = scene.spawn(async move {
        let _guard = lock.take().await?;
        std::future::pending().await
    });
    (scene.settle)();
    successor(scene, lawful);
    (scene.settle)();
    (scene.abort)(holder);
}

/// The holder panics. Who waited holds next; nothing is poisoned.
fn panic<L: Lock>(scene: &Scene<L>, lawful: bool) {
    let (lock, word) = (scene.lock.clone(), Slot::new());
    let heard = Arc::clone(&word);
    scene.spawn(async move {
        let _guard = lock.take().await?;
        heard.take().await;
        std::panic::resume_unwind(Box::new("boom"));
    });
    (scene.settle)();
    successor(scene, lawful);
    (scene.settle)();
    scene.spawn(async move {
        word.put(());
        Ok(())
    });
}

fn successor<L: Lock>(scene: &Scene<L>, lawful: bool) {
    let (lock, told) = (scene.lock.clone(), Arc::clone(&scene.told));
    scene.spawn(async move {
        told.next_line_holds();
        let mut guard = lock.take().await?;
        guard.push(1);
        let kept = (!lawful).then_some(guard);
        lock.take().await?.push(2);
        drop(kept);
        Ok(())
    });
}

/// How the tasks of a program are known.
#[derive(Clone, Copy, PartialEq)]
enum Known {
    /// By the runtime itself.
    ByRuntime,
    /// By `strict::task`.
    Wrapped,
}

/// What came of a program: what was refused, the line it must name, and how many tasks will never end.
struct Outcome {
    refusals: Vec<String>,
    held: u32,
    remaining: usize,
}

fn run<R: Runtime, L: Lock>(runtime: &Arc<R>, known: Known, program: fn(&Scene<L>)) -> Result<Outcome, Failed> {
    let stage = Arc::new(Stage::new(Arc::clone(runtime), 8));
    let told = Arc::new(Told::default());
    // Weak, because the tasks of a program have a scene, and the stage has the tasks.
    let (spawning, settling, aborting) = (Arc::downgrade(&stage), Arc::clone(&stage), Arc::clone(&stage));
    let scene = Scene {
        lock: L::new(),
        told: Arc::clone(&told),
        spawn: Arc::new(move |work| {
            let stage = spawning.upgrade().expect("the stage outlives its programs");
            match known {
                Known::ByRuntime => stage.spawn(work),
                Known::Wrapped => stage.spawn(strict::task(work)),
            }
        }),
        settle: Arc::new(move || settling.settle().expect("the program keeps to the stage")),
        abort: Arc::new(move |task| {
            aborting.abort(task).expect("it is aborted once");
        }),
    };
    program(&scene);
    stage.settle()?;
    let remaining = stage.remaining();
    let refusals = std::mem::take(&mut *told.refusals.lock().expect("nobody panics with it"));
    let outcome = Outcome { refusals, held: told.held.load(Ordering::SeqCst), remaining: remaining.len() };
    remaining.into_iter().for_each(|task| drop(stage.abort(task)));
    Ok(outcome)
}

fn expect(holds: bool, what: impl FnOnce() -> String) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(Failed::from(what())) }
}

fn hangs_bare<R: Runtime, L: Lock>(runtime: &Arc<R>, known: Known, program: fn(&Scene<L>)) -> Result<(), Failed> {
    let outcome = run(runtime, known, program)?;
    expect(outcome.remaining > 0, || "the bare lock should hang, or this program shows nothing".to_owned())
}

fn is_refused<R: Runtime, L: Lock>(runtime: &Arc<R>, known: Known, program: fn(&Scene<L>)) -> Result<(), Failed> {
    let Outcome { refusals, held, remaining } = run(runtime, known, program)?;
    expect(remaining == 0, || format!("{remaining} tasks wait for ever"))?;
    let place = format!(", acquired at {}:{held}:", file!());
    let is_right = |text: &String| text.contains(" already holds this mutex") && text.contains(&place);
    expect(!refusals.is_empty() && refusals.iter().all(is_right), || format!("{refusals:?} should name {place}"))
}

fn completes<R: Runtime, L: Lock>(runtime: &Arc<R>, known: Known, program: fn(&Scene<L>)) -> Result<(), Failed> {
    let Outcome { refusals, remaining, .. } = run(runtime, known, program)?;
    expect(remaining == 0 && refusals.is_empty(), || format!("{remaining} wait for ever; refused: {refusals:?}"))
}

fn trials<R: Runtime, Bare: Lock, S: Lock>(id: &'static str, runtime: fn() -> Arc<R>, known: Known) -> Vec<Trial> {
    let mut trials = Vec::new();
    for ((name, bare, bare_twin), (_, strict, strict_twin)) in programs::<Bare>().into_iter().zip(programs::<S>()) {
        trials.extend([
            Trial::test(format!("{id}::{name}::hangs_on_the_bare_lock"), move || hangs_bare(&runtime(), known, bare)),
            Trial::test(format!("{id}::{name}::twin_completes_on_the_bare_lock"), move || {
                completes(&runtime(), known, bare_twin)
            }),
            Trial::test(format!("{id}::{name}::is_refused_with_its_place"), move || {
                is_refused(&runtime(), known, strict)
            }),
            Trial::test(format!("{id}::{name}::twin_is_never_refused"), move || {
                completes(&runtime(), known, strict_twin)
            }),
        ]);
    }
    trials
}

fn main() -> std::process::ExitCode {
    use Known::{ByRuntime, Wrapped};
    let mut all = trials::<_, BareTokio, Strict<TokioSync>>("tokio", runtimes::tokio::multi_thread, ByRuntime);
    all.extend(trials::<_, BareTokio, Strict<TokioSync>>("tokio-wrapped", runtimes::tokio::multi_thread, Wrapped));
    all.extend(trials::<_, BareTokio, Strict<TokioSync>>(
        "tokio-current-thread",
        runtimes::tokio::current_thread,
        ByRuntime,
    ));
    all.extend(trials::<_, BareAsyncLock, Strict<AsyncLock>>("async-std", runtimes::async_std::global, ByRuntime));
    all.extend(trials::<_, BareAsyncLock, Strict<AsyncLock>>("smol", runtimes::smol::global, Wrapped));
    libtest_mimic::run(&Arguments::from_args(), all).exit_code()
}
