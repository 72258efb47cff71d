//! The default mode adds no allocation to an acquire.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::task::{Context, Waker};

use keyalike_strict::{AsyncLock, FuturesUtil, Library, StrictMutex, TokioSync, task};

struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on as it is.
#[expect(unsafe_code, reason = "an allocator is unsafe by its nature; this one counts and passes on")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: see above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: see above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(act: impl FnOnce()) -> usize {
    let before = COUNT.get();
    act();
    COUNT.get() - before
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 1);
}

#[test]
fn an_uncontended_acquire_allocates_nothing() {
    fn check<L: Library>() {
        let mutex = StrictMutex::<_, L>::new(0);
        let mut counted = Vec::with_capacity(8);
        let mut program = Box::pin(task(async {
            for _ in 0..8 {
                let before = COUNT.get();
                *mutex.acquire().await.expect("it is free") += 1;
                drop(mutex.try_acquire());
                counted.push(COUNT.get() - before);
            }
        }));
        assert!(program.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
        drop(program);
        // The first of a program numbers its places.
        assert_eq!(counted[1..], [0; 7]);
    }
    check::<TokioSync>();
    check::<AsyncLock>();
    check::<FuturesUtil>();
}

#[test]
fn a_blocking_acquire_of_a_free_mutex_allocates_nothing() {
    fn check<L: Library>() {
        let mutex = StrictMutex::<_, L>::new(0);
        let acquire = || *mutex.acquire_blocking().expect("it is free") += 1;
        // The first of a program numbers its places.
        acquire();
        assert_eq!(allocations(acquire), 0);
    }
    check::<TokioSync>();
    check::<AsyncLock>();
    check::<FuturesUtil>();
}

#[test]
fn a_wait_allocates_nothing_once_the_queue_has_its_room() {
    fn check<L: Library>() {
        let mutex = StrictMutex::<_, L>::new(());
        let wait = || {
            let guard = mutex.try_acquire().expect("it is free");
            let mut waiter = std::pin::pin!(task(mutex.acquire()));
            let mut cx = Context::from_waker(Waker::noop());
            assert!(waiter.as_mut().poll(&mut cx).is_pending());
            drop(guard);
            assert!(waiter.as_mut().poll(&mut cx).is_ready());
        };
        wait();
        assert_eq!(allocations(wait), 0);
    }
    check::<TokioSync>();
    check::<AsyncLock>();
    check::<FuturesUtil>();
}
