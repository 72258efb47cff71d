//! A search keeps nothing of a schedule that it has run: memory is flat, however long it goes on.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering};

use harness::explore::plan::Plan;
use harness::explore::{Budget, Options, Strategy, explore};
use harness::scenario::parse::parse;
use keyalike_planted::honest;

/// Counts the bytes that live, of all threads.
struct Counting;

static LIVE: AtomicIsize = AtomicIsize::new(0);

// SAFETY: every call is passed on as it is.
#[expect(unsafe_code, reason = "an allocator is unsafe by its nature; this one counts and passes on")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size().cast_signed(), Ordering::Relaxed);
        // SAFETY: see above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size().cast_signed(), Ordering::Relaxed);
        // SAFETY: see above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Guards that are forgotten, tasks that wait for ever, and guards that outlive their tasks.
const PROGRAM: &str = "mutex m

A: acquire m, forget m
B: acquire m, release m, panic
C: acquire m
";

#[test]
fn what_was_run_is_gone() {
    let scenario = parse("memory/program".parse().expect("a name"), PROGRAM).expect("a scenario");
    let plan = Arc::new(Plan::new(Arc::new(scenario)).expect("it can be explored"));
    std::panic::set_hook(Box::new(|_| {}));
    for lock in honest() {
        let kept_of = |count: u64| {
            let options =
                Options { strategy: Strategy::Random, budget: Budget::Schedules(count), ..Options::default() };
            let before = LIVE.load(Ordering::Relaxed);
            explore(&lock.explorable, &plan, &options).expect("an honest lock has a result");
            LIVE.load(Ordering::Relaxed) - before
        };
        // The first search also fills what is kept once for all, and each replays every outcome on the live driver, where
        // what is forgotten is forgotten.
        kept_of(1_000);
        let (few, many) = (kept_of(1_000), kept_of(20_000));
        assert!(many - few < 20_000, "{}: {few} bytes are kept of 1,000 schedules, {many} of 20,000", lock.id);
    }
}
