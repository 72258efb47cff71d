//! Keyalike's planted locks: five honest mutexes written by hand, and forty-one that are wrong in one line; and a weighted
//! queue with mistakes of its own, as semaphore and as rwlock.
//!
//! They are there to be found out: a strategy of the explorer is worth how many it convicts, and how fast. Three further
//! locks are wrong only between two instructions, where the explorer cannot look and real threads must.

pub mod mutex;
pub mod racing;
pub mod weighted;

use std::sync::Arc;

use harness::adapter::mutex::{MutexCapabilities, borrowed, explorable_borrowed};
use harness::adapter::{rwlock, semaphore};
use harness::backend::LockLibrary;
use harness::explore::Explorable;
use harness::object::Object;
use harness::primitive::{Declaration, Primitive};
use mutex::{Flaw, Mutex};
use racing::{Race, RacingMutex};

/// A lock that was planted.
#[derive(Clone, Copy, Debug)]
pub struct Planted {
    /// Its name.
    pub id: &'static str,
    /// How it is explored.
    pub explorable: Explorable,
}

/// Forty-one locks with types of their own would be as many explorers to compile, so these are erased.
fn planted<F: Flaw>(id: &'static str) -> Planted {
    Planted { id, explorable: Locks::<F>::explorable() }
}

struct Locks<F>(std::marker::PhantomData<F>);

impl<F: Flaw> LockLibrary for Locks<F> {
    fn make(declared: Declaration) -> Option<Arc<dyn Object>> {
        (declared.primitive == Primitive::Mutex).then(borrowed::<Mutex<F>>)
    }

    fn capabilities() -> Vec<&'static str> {
        MutexCapabilities::plain().with_is_locked().words()
    }
}

macro_rules! planted {
    ($($id:literal $name:ident: $($flag:ident),*;)*) => {
        $(
            struct $name;
            impl Flaw for $name {
                $(const $flag: bool = true;)*
            }
        )*
        vec![$(planted::<$name>($id)),*]
    };
}

/// Returns the honest locks, one per policy: hand-over and barging, each oldest and youngest first, and one whose
/// acquire yields once. The oldest-first ones are explored with their own types.
pub fn honest() -> Vec<Planted> {
    struct HandsOver;
    impl Flaw for HandsOver {}
    struct Barges;
    impl Flaw for Barges {
        const BARGES: bool = true;
    }
    struct GivesWay;
    impl Flaw for GivesWay {
        const GIVES_WAY: bool = true;
    }
    struct YoungestFirst;
    impl Flaw for YoungestFirst {
        const YOUNGEST_FIRST: bool = true;
    }
    struct YoungestFirstBarges;
    impl Flaw for YoungestFirstBarges {
        const BARGES: bool = true;
        const YOUNGEST_FIRST: bool = true;
    }
    vec![
        Planted {
            id: "hands-over",
            explorable: explorable_borrowed::<Mutex<HandsOver>>(Locks::<HandsOver>::explorable()),
        },
        Planted { id: "barges", explorable: explorable_borrowed::<Mutex<Barges>>(Locks::<Barges>::explorable()) },
        Planted {
            id: "gives-way",
            explorable: explorable_borrowed::<Mutex<GivesWay>>(Locks::<GivesWay>::explorable()),
        },
        planted::<YoungestFirst>("youngest-first"),
        planted::<YoungestFirstBarges>("youngest-first-barges"),
    ]
}

/// Returns honest semaphores and rwlocks, each library with a policy of its own.
pub fn honest_shared() -> Vec<Planted> {
    fn make<F: weighted::Flaw>(declared: Declaration) -> Option<Arc<dyn Object>> {
        match declared.primitive {
            Primitive::Semaphore => semaphore::object::<weighted::Semaphore<F>>(declared.argument),
            Primitive::Rwlock => rwlock::object::<weighted::RwLock<F>>(declared.argument),
            _ => None,
        }
    }
    struct Fair;
    impl weighted::Flaw for Fair {}
    struct Barging;
    impl weighted::Flaw for Barging {
        const BARGES: bool = true;
    }
    struct YoungestFirst;
    impl weighted::Flaw for YoungestFirst {
        const YOUNGEST_FIRST: bool = true;
    }
    struct Greedy;
    impl weighted::Flaw for Greedy {
        const GREEDY: bool = true;
    }
    vec![
        Planted { id: "fair", explorable: Explorable::erased(make::<Fair>) },
        Planted { id: "barging", explorable: Explorable::erased(make::<Barging>) },
        Planted { id: "youngest-first", explorable: Explorable::erased(make::<YoungestFirst>) },
        Planted { id: "greedy", explorable: Explorable::erased(make::<Greedy>) },
    ]
}

/// Returns the broken locks, each with one mistake.
pub fn broken() -> Vec<Planted> {
    planted! {
        "cancel-keeps-grant" A1: CANCEL_KEEPS_GRANT;
        "cancel-wakes-none" A2: CANCEL_WAKES_NONE;
        "cancel-passes-on-to-nobody" A3: CANCEL_PASSES_ON_TO_NOBODY;
        "cancel-stays-queued" A4: CANCEL_STAYS_QUEUED;
        "cancel-removes-first" A5: CANCEL_REMOVES_FIRST;
        "cancel-removes-all" A6: CANCEL_REMOVES_ALL;
        "cancel-always-passes-on" A7: CANCEL_ALWAYS_PASSES_ON;
        "cancel-of-last-frees" A8: CANCEL_OF_LAST_FREES;
        "cancel-by-waker" A9: CANCEL_BY_WAKER;
        "drop-counts-twice" A10: DROP_COUNTS_TWICE;
        "release-wakes-none" B1: RELEASE_WAKES_NONE;
        "release-misses-last" B2: RELEASE_MISSES_LAST;
        "release-wakes-last" B3: RELEASE_WAKES_LAST;
        "release-grants-last-wakes-first" B4: RELEASE_GRANTS_LAST_WAKES_FIRST;
        "release-grants-none" B5: RELEASE_GRANTS_NONE;
        "release-frees-and-grants" B6: RELEASE_FREES_AND_GRANTS;
        "release-grants-two" B7: RELEASE_GRANTS_TWO;
        "release-wakes-all" B8: RELEASE_WAKES_ALL;
        "release-wakes-twice" B9: RELEASE_WAKES_TWICE;
        "panic-keeps" C1: PANIC_KEEPS;
        "panic-wakes-none" C2: PANIC_WAKES_NONE;
        "elsewhere-keeps" C3: ELSEWHERE_KEEPS;
        "elsewhere-wakes-none" C4: ELSEWHERE_WAKES_NONE;
        "repoll-keeps-waker" D1: REPOLL_KEEPS_WAKER;
        "repoll-drops-waker" D2: REPOLL_DROPS_WAKER;
        "repoll-leaves" D3: REPOLL_LEAVES;
        "repoll-queues-again" D4: REPOLL_QUEUES_AGAIN;
        "repoll-takes-any-grant" D5: REPOLL_TAKES_ANY_GRANT;
        "wait-wakes-itself" E1: WAIT_WAKES_ITSELF;
        "wait-knows-waker" E2: WAIT_KNOWS_WAKER;
        "tickets-wrap" E3: TICKETS_WRAP;
        "try-takes-granted" F1: TRY_TAKES_GRANTED;
        "try-queues" F2: TRY_QUEUES;
        "try-clears-queue" F3: TRY_CLEARS_QUEUE;
        "newcomer-takes-granted" F4: NEWCOMER_TAKES_GRANTED;
        "query-takes-grant" G1: QUERY_TAKES_GRANT;
        "query-tells-waiters" G2: QUERY_TELLS_WAITERS;
        "query-keeps" G3: QUERY_KEEPS;
        "woken-cancel-wakes-none" H1: BARGES, WOKEN_CANCEL_WAKES_NONE;
        "woken-loses-place" H2: BARGES, WOKEN_LOSES_PLACE;
        "made-takes" I1: MADE_TAKES;
    }
}

/// Returns the lock that is made of atomics, honest.
pub fn racing_honest() -> Planted {
    struct Honest;
    impl Race for Honest {}
    racing::<Honest>("racing")
}

/// Returns the locks that are wrong between two instructions, and honest on one thread.
pub fn racing_broken() -> Vec<Planted> {
    struct Takes;
    impl Race for Takes {
        const LOOKS_THEN_TAKES: bool = true;
    }
    struct Queues;
    impl Race for Queues {
        const QUEUES_WITHOUT_A_LOOK: bool = true;
    }
    struct Waiters;
    impl Race for Waiters {
        const LOOKS_FOR_WAITERS_TOO_EARLY: bool = true;
    }
    vec![
        racing::<Takes>("looks-then-takes"),
        racing::<Queues>("queues-without-a-look"),
        racing::<Waiters>("looks-for-waiters-too-early"),
    ]
}

fn racing<R: Race>(id: &'static str) -> Planted {
    fn make<R: Race>(declared: Declaration) -> Option<Arc<dyn Object>> {
        (declared.primitive == Primitive::Mutex).then(borrowed::<RacingMutex<R>>)
    }
    Planted { id, explorable: Explorable::erased(make::<R>) }
}
