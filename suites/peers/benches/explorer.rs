//! How fast the explorer is: against the same polls replayed on bare futures, against shuttle, and against loom.
//!
//! Each ratio is the median of pairs that were measured one right after the other, so that a busy machine touches both.

use std::collections::VecDeque;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use backends::lock_libraries;
use harness::explore::plan::Plan;
use harness::explore::schedule::Schedule;
use harness::explore::{Bounds, Budget, End, Explorable, Options, Strategy, explore, replay, schedules};
use harness::scenario::parse::parse;

/// How many pairs a ratio is the median of.
const PAIRS: usize = 21;
/// How long one sample takes at least.
const SAMPLE: Duration = Duration::from_millis(60);

/// The tables, by the names that choose them: `cargo bench -p keyalike-peers -- limit shuttle`.
const TABLES: [(&str, fn()); 5] = [
    ("limit", limit_table),
    ("shuttle", shuttle_table),
    ("loom", loom_table),
    ("growth", growth_table),
    ("threads", threads_table),
];

fn main() {
    // Under `cargo test` a benchmark is only built.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let chosen: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    if let Some(unknown) = chosen.iter().find(|name| TABLES.iter().all(|(known, _)| known != name)) {
        let known: Vec<&str> = TABLES.iter().map(|(name, _)| *name).collect();
        eprintln!("error: there is no table `{unknown}`; there are {}", known.join(", "));
        std::process::exit(2);
    }
    let is_chosen = |name: &str| chosen.is_empty() || chosen.iter().any(|it| it == name);
    TABLES.iter().filter(|(name, _)| is_chosen(name)).for_each(|(_, table)| table());
}

fn plan(tasks: usize, rounds: usize) -> Arc<Plan> {
    let program = vec!["acquire m, yield, release m"; rounds].join("; ");
    plan_of(&format!("mutex m\n\nA[1..{tasks}]: {program}\n"))
}

fn plan_of(text: &str) -> Arc<Plan> {
    let scenario = parse("bench/program".parse().expect("a name"), text).expect("a scenario");
    Arc::new(Plan::new(Arc::new(scenario)).expect("it can be explored"))
}

fn locks(id: &str) -> Explorable {
    lock_libraries().into_iter().find(|locks| locks.id == id).expect("it is built").explorable
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Returns how often `work` is done in a second, where one call does it `count` times.
fn rate(count: u64, mut work: impl FnMut()) -> f64 {
    let begun = Instant::now();
    let mut calls = 0;
    while begun.elapsed() < SAMPLE {
        work();
        calls += 1;
    }
    (calls * count) as f64 / begun.elapsed().as_secs_f64()
}

/// Explores a space again and again by the strategy, and returns how many schedules there were in a second.
fn explorer_rate(locks: &Explorable, plan: &Arc<Plan>, strategy: Strategy) -> f64 {
    // Long enough that making the machine does not count.
    let options = Options { strategy, budget: Budget::Schedules(100_000), ..Options::default() };
    let begun = Instant::now();
    let mut count = 0;
    while begun.elapsed() < SAMPLE {
        count += explore(locks, plan, &options).expect("an honest lock has a result").schedules;
    }
    count as f64 / begun.elapsed().as_secs_f64()
}

/// Exhausts a space again and again, and returns how many schedules that takes, how many seconds, and how many of them
/// the replays take: the first schedule of every outcome, printed, run by the live driver and judged by the oracle.
fn exhaust(locks: &Explorable, plan: &Arc<Plan>) -> (u64, f64, f64) {
    let options = Options::default();
    let run = || explore(locks, plan, &options).expect("an honest lock has a result");
    let report = run();
    assert_eq!(report.end, End::Exhausted);
    let whole = 1.0 / rate(1, || drop(black_box(run())));
    let replays = 1.0
        / rate(1, || {
            for found in &report.outcomes {
                black_box(replay(locks, plan, &options.bounds, &found.schedule).expect("it came before"));
            }
        });
    (report.schedules, whole, replays)
}

// The limit: the recorded polls, in a straight loop on bare futures, nothing chosen and nothing checked.

/// Gives way once.
struct Yield(bool);

impl Future for Yield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// Returns the orders of polls of every schedule.
fn orders(schedules: &[Schedule]) -> Vec<Vec<usize>> {
    schedules.iter().map(|schedule| schedule.0.iter().map(|choice| choice.task()).collect()).collect()
}

fn replay_bare<M, F: Future<Output = ()>>(orders: &[Vec<usize>], tasks: usize, make: fn() -> M, body: fn(Arc<M>) -> F) {
    let mut slots: Vec<Pin<Box<Option<F>>>> = (0..tasks).map(|_| Box::pin(None)).collect();
    let mut cx = Context::from_waker(Waker::noop());
    for order in orders {
        let mutex = Arc::new(make());
        for slot in &mut slots {
            slot.set(Some(body(Arc::clone(&mutex))));
        }
        for &task in order {
            if let Some(future) = slots[task].as_mut().as_pin_mut()
                && black_box(future.poll(&mut cx)).is_ready()
            {
                slots[task].set(None);
            }
        }
    }
}

async fn tokio_body<const ROUNDS: usize>(mutex: Arc<tokio::sync::Mutex<()>>) {
    for _ in 0..ROUNDS {
        let guard = mutex.lock().await;
        Yield(false).await;
        drop(guard);
    }
}

async fn async_lock_body<const ROUNDS: usize>(mutex: Arc<async_lock::Mutex<()>>) {
    for _ in 0..ROUNDS {
        let guard = mutex.lock().await;
        Yield(false).await;
        drop(guard);
    }
}

async fn futures_body<const ROUNDS: usize>(mutex: Arc<futures_util::lock::Mutex<()>>) {
    for _ in 0..ROUNDS {
        let guard = mutex.lock().await;
        Yield(false).await;
        drop(guard);
    }
}

fn limit_table() {
    println!("| lock, tasks | schedules | explorer a second | bare polls a second | explorer / bare |");
    println!("|---|---|---|---|---|");
    for id in ["tokio", "async-lock", "futures"] {
        for tasks in [3, 4] {
            let (locks, plan) = (locks(id), plan(tasks, 1));
            let schedules = schedules(&locks, &plan, &Bounds::default()).expect("an honest lock has a result");
            let orders = orders(&schedules);
            let count = orders.len() as u64;
            let bare = || {
                rate(count, || match id {
                    "tokio" => replay_bare(&orders, tasks, || tokio::sync::Mutex::new(()), tokio_body::<1>),
                    "async-lock" => replay_bare(&orders, tasks, || async_lock::Mutex::new(()), async_lock_body::<1>),
                    _ => replay_bare(&orders, tasks, || futures_util::lock::Mutex::new(()), futures_body::<1>),
                })
            };
            // The limit goes through the very same schedules; the explorer draws them, so that its set-up does not count.
            let pairs: Vec<(f64, f64)> =
                (0..PAIRS).map(|_| (explorer_rate(&locks, &plan, Strategy::Random), bare())).collect();
            let explorer = median(pairs.iter().map(|pair| pair.0).collect());
            let limit = median(pairs.iter().map(|pair| pair.1).collect());
            let share = median(pairs.iter().map(|pair| pair.0 / pair.1).collect());
            println!("| {id} {tasks} | {count} | {explorer:.0} | {limit:.0} | {:.0} % |", 100.0 * share);
        }
    }
    println!();
}

// Shuttle, on the same real lock, with every task joined.

/// Returns how many executions there were, how many tasks came to their end, and how long it took.
fn shuttle_run(scheduler: impl shuttle::scheduler::Scheduler + 'static, tasks: usize) -> (usize, usize, Duration) {
    let executions = Arc::new(AtomicUsize::new(0));
    let completed = Arc::new(AtomicUsize::new(0));
    let (counted, ended) = (Arc::clone(&executions), Arc::clone(&completed));
    let begun = Instant::now();
    let runner = shuttle::Runner::new(scheduler, shuttle::Config::default());
    runner.run(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        let ended = Arc::clone(&ended);
        shuttle::future::block_on(async move {
            let mutex = Arc::new(tokio::sync::Mutex::new(()));
            let spawn = |_| {
                let (mutex, ended) = (Arc::clone(&mutex), Arc::clone(&ended));
                shuttle::future::spawn(async move {
                    let guard = mutex.lock().await;
                    shuttle::future::yield_now().await;
                    drop(guard);
                    ended.fetch_add(1, Ordering::Relaxed);
                })
            };
            let handles: Vec<_> = (0..tasks).map(spawn).collect();
            for handle in handles {
                handle.await.expect("no task panics");
            }
        });
    });
    (executions.load(Ordering::Relaxed), completed.load(Ordering::Relaxed), begun.elapsed())
}

fn shuttle_table() {
    println!("| program on tokio::sync | shuttle | explorer | ratio | without the replays | ratio |");
    println!("|---|---|---|---|---|---|");
    let locks = locks("tokio");
    for tasks in [3, 4] {
        let plan = plan(tasks, 1);
        let mut pairs = Vec::new();
        for _ in 0..5 {
            let (executions, completed, took) = shuttle_run(shuttle::scheduler::RandomScheduler::new(10_000), tasks);
            assert_eq!(completed, executions * tasks, "a peer whose tasks are dropped runs nothing");
            pairs.push((executions as f64 / took.as_secs_f64(), explorer_rate(&locks, &plan, Strategy::Random)));
        }
        let theirs = median(pairs.iter().map(|pair| pair.0).collect());
        let ours = median(pairs.iter().map(|pair| pair.1).collect());
        let ratio = median(pairs.iter().map(|pair| pair.1 / pair.0).collect());
        println!("| {tasks} tasks, random | {theirs:.0} a second | {ours:.0} a second | {ratio:.1} | | |");
        let cap = if tasks == 3 { None } else { Some(50_000) };
        let mut pairs = Vec::new();
        let (mut executions, mut schedules) = (0, 0);
        for _ in 0..5 {
            let (count, completed, took) = shuttle_run(shuttle::scheduler::DfsScheduler::new(cap, false), tasks);
            assert_eq!(completed, count * tasks, "a peer whose tasks are dropped runs nothing");
            let (run, whole, replays) = exhaust(&locks, &plan);
            (executions, schedules) = (count, run);
            pairs.push((took.as_secs_f64(), whole, whole - replays));
        }
        let of = |figure: fn(&(f64, f64, f64)) -> f64| median(pairs.iter().map(figure).collect());
        let (theirs, whole, search) = (of(|it| it.0), of(|it| it.1), of(|it| it.2));
        let more = if cap.is_some() { "more than " } else { "" };
        println!(
            "| {tasks} tasks, DFS | {more}{executions} in {:.2} ms | {schedules} in {:.4} ms | {more}{:.0} | {:.4} ms | {more}{:.0} |",
            theirs * 1e3,
            whole * 1e3,
            theirs / whole,
            search * 1e3,
            theirs / search,
        );
    }
    println!();
}

// Loom, on a mutex that hands over, made of its own types: it cannot run a lock that was not built for it.

#[derive(Default)]
struct LoomState {
    locked: bool,
    queue: VecDeque<(Arc<AtomicBool>, Waker)>,
}

struct LoomMutex(loom::sync::Mutex<LoomState>);

struct LoomAcquire<'a> {
    mutex: &'a LoomMutex,
    granted: Option<Arc<AtomicBool>>,
}

impl Future for LoomAcquire<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.mutex.0.lock().expect("nobody panics");
        match &self.granted {
            Some(granted) if granted.load(Ordering::Relaxed) => Poll::Ready(()),
            Some(granted) => {
                if let Some(waiter) = state.queue.iter_mut().find(|waiter| Arc::ptr_eq(&waiter.0, granted)) {
                    waiter.1 = cx.waker().clone();
                }
                Poll::Pending
            }
            None if !state.locked => {
                state.locked = true;
                Poll::Ready(())
            }
            None => {
                let granted = Arc::new(AtomicBool::new(false));
                state.queue.push_back((Arc::clone(&granted), cx.waker().clone()));
                drop(state);
                self.granted = Some(granted);
                Poll::Pending
            }
        }
    }
}

impl LoomMutex {
    fn release(&self) {
        let mut state = self.0.lock().expect("nobody panics");
        match state.queue.pop_front() {
            None => state.locked = false,
            Some((granted, waker)) => {
                granted.store(true, Ordering::Relaxed);
                drop(state);
                waker.wake();
            }
        }
    }
}

fn loom_table() {
    println!("| loom, a hand-off mutex of its types | executions a second | explorer on tokio::sync | ratio |");
    println!("|---|---|---|---|");
    let locks = locks("tokio");
    for (tasks, seconds) in [(2, 5), (3, 10)] {
        let executions = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&executions);
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(2);
        builder.max_duration = Some(Duration::from_secs(seconds));
        let begun = Instant::now();
        builder.check(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            let mutex = Arc::new(LoomMutex(loom::sync::Mutex::new(LoomState::default())));
            let body = |mutex: Arc<LoomMutex>| {
                loom::future::block_on(async move {
                    LoomAcquire { mutex: &mutex, granted: None }.await;
                    mutex.release();
                });
            };
            let threads: Vec<_> = (1..tasks)
                .map(|_| {
                    let mutex = Arc::clone(&mutex);
                    loom::thread::spawn(move || body(mutex))
                })
                .collect();
            body(mutex);
            for thread in threads {
                thread.join().expect("nobody panics");
            }
        });
        let theirs = executions.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64();
        let ours = explorer_rate(&locks, &plan(tasks, 1), Strategy::Random);
        println!("| {tasks} threads, preemption bound 2 | {theirs:.0} | {ours:.0} | {:.0} |", ours / theirs);
    }
    println!();
}

fn growth_table() {
    println!("| program on tokio::sync | schedules | time | without reduction | time |");
    println!("|---|---|---|---|---|");
    let locks = locks("tokio");
    let two = "acquire m, release m, acquire n, release n";
    let other = "acquire n, release n, acquire m, release m";
    let programs = [
        (
            "2 tasks x 2 actions, two locks",
            "mutex m\nmutex n\n\nA: acquire m, release m\nB: acquire n, release n\n".to_owned(),
        ),
        ("2 tasks x 4", format!("mutex m\nmutex n\n\nA: {two}\nB: {other}\n")),
        ("3 tasks x 4", format!("mutex m\nmutex n\n\nA: {two}\nB: {other}\nC: {two}\n")),
        ("4 tasks x 4", format!("mutex m\nmutex n\n\nA: {two}\nB: {other}\nC: {two}\nD: {other}\n")),
    ];
    for (name, text) in programs {
        let plan = plan_of(&text);
        let run = |reduce: bool| {
            let options = Options { reduce, budget: Budget::Schedules(2_000_000), ..Options::default() };
            let begun = Instant::now();
            let report = explore(&locks, &plan, &options).expect("a result");
            let more = if report.end == End::Exhausted { "" } else { "more than " };
            (format!("{more}{}", report.schedules), begun.elapsed().as_secs_f64())
        };
        let ((reduced, fast), (whole, slow)) = (run(true), run(false));
        println!("| {name} | {reduced} | {fast:.3} s | {whole} | {slow:.3} s |");
    }
    println!();
}

fn threads_table() {
    let (locks, plan) = (locks("tokio"), plan(4, 2));
    let timed = |jobs: usize| {
        let options =
            Options { strategy: Strategy::Random, jobs, budget: Budget::Schedules(1_000_000), ..Options::default() };
        let begun = Instant::now();
        explore(&locks, &plan, &options).expect("a result");
        begun.elapsed().as_secs_f64()
    };
    // What the machine gives two threads that share nothing: the same polls on bare futures, half of them each.
    let orders = orders(&schedules(&locks, &plan, &Bounds::default()).expect("an honest lock has a result"));
    let bare = |threads: usize| {
        let begun = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    for _ in 0..400 / threads {
                        replay_bare(&orders, 4, || tokio::sync::Mutex::new(()), tokio_body::<2>);
                    }
                });
            }
        });
        begun.elapsed().as_secs_f64()
    };
    let gains = |times: &dyn Fn(usize) -> f64| median((0..7).map(|_| times(1) / times(2)).collect());
    println!("two threads gain {:.2} times, bare polls {:.2} times (medians of 7)", gains(&timed), gains(&bare));
}
