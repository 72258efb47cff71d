//! Real threads find out the locks that are wrong between two instructions, which the explorer takes for honest; and they
//! accuse no honest lock.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use harness::adapter::mutex::{AsyncMutex, MutexCapabilities, borrowed};
use harness::explore::plan::{Occasions, Plan};
use harness::explore::{Bounds, Budget, Explorable, Options as Exploration, Strategy, explore};
use harness::object::{Message, Object};
use harness::primitive::{Declaration, Primitive};
use harness::scenario::parse::parse;
use harness::stress::{Affinity, Options, Report, StressError, programs, stress};
use harness::transcript::Hang;
use harness::verdict::Verdict;
use keyalike_planted::{honest, racing_broken, racing_honest};

fn plan(text: &str) -> Arc<Plan> {
    let scenario = parse("stress/test".parse().expect("a name"), text).expect("a scenario");
    Arc::new(Plan::new(Arc::new(scenario)).expect("it can be explored"))
}

fn run(locks: &Explorable, plan: &Arc<Plan>, options: &Options) -> Report {
    stress(locks, plan, options, &|| false).unwrap_or_else(|error| panic!("{error}"))
}

fn rounds(count: u64) -> Options {
    Options { budget: Budget::Schedules(count), ..Options::default() }
}

/// Returns the worst that comes of a lock in any of the programs, which are gone through again and again.
fn worst(locks: &Explorable, laps: u64) -> (Verdict, u64) {
    let mut done = 0;
    for lap in 0..laps {
        for (affinity, plan) in [Affinity::None, Affinity::Spread].iter().cycle().zip(programs::mutex()) {
            let options = Options { affinity: *affinity, seed: lap, ..rounds(2_000 << lap.min(4)) };
            let report = run(locks, &plan, &options);
            done += report.rounds;
            if let Some(fault) = report.faults().next() {
                return (fault.verdict, done);
            }
        }
    }
    (Verdict::Completed, done)
}

/// Each fault has one verdict, and the laps end as soon as it is met.
#[test]
fn threads_find_out_what_is_wrong_inside_a_poll() {
    let expected = [Verdict::Violation, Verdict::LostWakeup, Verdict::LostWakeup];
    for (lock, expected) in racing_broken().iter().zip(expected) {
        let (verdict, rounds) = worst(&lock.explorable, 12);
        eprintln!("{}: {verdict} in {rounds} rounds", lock.id);
        assert_eq!(verdict, expected, "{} in {rounds} rounds", lock.id);
    }
}

#[test]
fn threads_accuse_no_honest_lock() {
    for lock in honest().iter().chain([&racing_honest()]) {
        for plan in programs::mutex() {
            for affinity in Affinity::ALL {
                let report = run(&lock.explorable, &plan, &Options { affinity, ..rounds(400) });
                assert_eq!((report.rounds, report.hang), (400, None));
                let counts: u64 = report.outcomes.iter().map(|met| met.count).sum();
                assert_eq!(counts, 400);
                if let Some(fault) = report.faults().next() {
                    panic!("{} with affinity {affinity} is accused in\n{}\n{fault:#?}", lock.id, plan.scenario);
                }
            }
        }
    }
}

/// What they are wrong in, one thread cannot see.
#[test]
fn the_explorer_takes_them_for_honest() {
    for lock in racing_broken().iter().chain([&racing_honest()]) {
        for plan in programs::mutex() {
            let mut plan = Plan::new(Arc::clone(&plan.scenario)).expect("it can be explored");
            plan.occasions = Occasions::everywhere(plan.tasks.len());
            let options = Exploration {
                strategy: Strategy::Portfolio,
                budget: Budget::Schedules(3_000),
                bounds: Bounds::default(),
                ..Exploration::default()
            };
            let report = explore(&lock.explorable, &Arc::new(plan), &options).unwrap_or_else(|error| panic!("{error}"));
            if let Some(fault) = report.faults().next() {
                panic!("{}: {}\n{}", lock.id, fault.script, fault.transcript.join("\n"));
            }
        }
    }
}

/// What a program does by itself is no fault of the lock, and is told.
#[test]
fn deadlocks_of_the_program_are_told_apart() {
    let locks = &racing_honest().explorable;
    let crossed = plan(
        "mutex m\nmutex n\n\nA: acquire m, acquire n, release n, release m\nB: acquire n, acquire m, release m, release n\n",
    );
    let report = run(locks, &crossed, &Options { affinity: Affinity::Spread, ..rounds(20_000) });
    let verdicts: Vec<Verdict> = report.outcomes.iter().map(|met| met.verdict).collect();
    assert!(verdicts.contains(&Verdict::Deadlock) && verdicts.contains(&Verdict::Completed), "{:#?}", report.outcomes);
    assert_eq!(report.faults().count(), 0);
    // A guard that is kept, a wait for it, and a task that waits for itself.
    let kept = run(locks, &plan("mutex m\n\nA: acquire m\nB: acquire m\n"), &rounds(500));
    assert!(kept.outcomes.iter().all(|met| met.verdict == Verdict::Completed), "{:#?}", kept.outcomes);
    assert!(kept.outcomes.iter().any(|met| met.lines.join("\n").contains("acquire m waits")), "{:#?}", kept.outcomes);
    let own = run(locks, &plan("mutex m\n\nA: acquire m, acquire m\nB: is-locked m\n"), &rounds(500));
    assert!(own.outcomes.iter().all(|met| met.verdict == Verdict::Deadlock), "{:#?}", own.outcomes);
    // The lock is offered to a future that nobody polls.
    let offered = plan("mutex m\n\nA: acquire m, release m\nB: start x acquire m, acquire m\n");
    let offered = run(&honest()[0].explorable, &offered, &Options { affinity: Affinity::Spread, ..rounds(20_000) });
    let verdicts: Vec<Verdict> = offered.outcomes.iter().map(|met| met.verdict).collect();
    assert!(verdicts.contains(&Verdict::Futurelock), "{:#?}", offered.outcomes);
    assert_eq!(offered.faults().count(), 0, "{:#?}", offered.outcomes);
}

#[test]
fn more_threads_than_processors_are_teams() {
    let plan = plan("mutex m\n\nA[1..3]: acquire m, release m\n");
    let report = run(&racing_honest().explorable, &plan, &Options { threads: Some(14), ..rounds(1_000) });
    assert_eq!(report.threads, 12, "four whole teams of three");
    assert!(report.rounds >= 1_000);
    assert_eq!(report.faults().count(), 0);
    let few = stress(&racing_honest().explorable, &plan, &Options { threads: Some(2), ..rounds(1) }, &|| false);
    assert!(matches!(few, Err(StressError::TooFewThreads { tasks: 3, threads: 2, .. })), "{few:?}");
}

#[test]
fn what_no_thread_can_do_is_refused() {
    let plan = plan("mutex m\n\nA: acquire m, forget m\n");
    let refused = stress(&racing_honest().explorable, &plan, &rounds(1), &|| false);
    assert!(matches!(refused, Err(StressError::NotStressed { .. })), "{refused:?}");
}

/// Ends the threads of the locks below, which would work or sleep for ever.
static ENOUGH: AtomicBool = AtomicBool::new(false);

struct Nothing;

/// A mutex that is taken by spinning, and never given back.
struct Spins(AtomicBool);

struct Spin<'a>(&'a AtomicBool);

impl Future for Spin<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<()> {
        while self.0.swap(true, Ordering::AcqRel) && !ENOUGH.load(Ordering::Relaxed) {
            std::hint::spin_loop();
        }
        Poll::Ready(())
    }
}

impl AsyncMutex for Spins {
    type Guard<'a> = Nothing;
    const CAPABILITIES: MutexCapabilities = MutexCapabilities::plain();

    fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    async fn acquire(&self) -> Result<Nothing, Message> {
        Spin(&self.0).await;
        Ok(Nothing)
    }

    fn try_acquire(&self) -> Result<Nothing, Message> {
        if self.0.swap(true, Ordering::AcqRel) { Err(Message::none()) } else { Ok(Nothing) }
    }

    fn debug(&self) -> String {
        "Spins".to_owned()
    }
}

/// A mutex that blocks its thread where it would have to wait.
struct Blocks(AtomicBool);

impl AsyncMutex for Blocks {
    type Guard<'a> = Nothing;
    const CAPABILITIES: MutexCapabilities = MutexCapabilities::plain();

    fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    async fn acquire(&self) -> Result<Nothing, Message> {
        while self.0.swap(true, Ordering::AcqRel) && !ENOUGH.load(Ordering::Relaxed) {
            std::thread::park();
        }
        Ok(Nothing)
    }

    fn try_acquire(&self) -> Result<Nothing, Message> {
        if self.0.swap(true, Ordering::AcqRel) { Err(Message::none()) } else { Ok(Nothing) }
    }

    fn debug(&self) -> String {
        "Blocks".to_owned()
    }
}

fn hanging<M: AsyncMutex>() -> Explorable {
    fn make<M: AsyncMutex>(declared: Declaration) -> Option<Arc<dyn Object>> {
        (declared.primitive == Primitive::Mutex).then(borrowed::<M>)
    }
    Explorable::erased(make::<M>)
}

#[cfg(target_os = "linux")]
#[test]
fn a_lock_that_keeps_its_threads_is_seen_to() {
    let plan = plan("mutex m\n\nA: acquire m, release m\nB: acquire m, release m\n");
    let options = Options { spin_limit: Duration::from_millis(300), ..rounds(1_000_000) };
    let spun = run(&hanging::<Spins>(), &plan, &options);
    ENOUGH.store(true, Ordering::Relaxed);
    assert_eq!(spun.hang, Some(Hang::Spinning), "{:#?}", spun.outcomes);
    assert_eq!(spun.outcomes[0].verdict, Verdict::Hung, "{:#?}", spun.outcomes);
    ENOUGH.store(false, Ordering::Relaxed);
    let slept = run(&hanging::<Blocks>(), &plan, &options);
    ENOUGH.store(true, Ordering::Relaxed);
    assert_eq!(slept.hang, Some(Hang::Blocked), "{:#?}", slept.outcomes);
}
