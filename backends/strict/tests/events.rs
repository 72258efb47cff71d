//! The events of the feature `tracing`.

mod polling;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

use keyalike_strict::{Mode, StrictMutex, TokioSync, task};
use polling::ByHand;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Keeps the events, and does something at each.
#[derive(Clone, Default)]
struct Collects {
    told: Arc<Mutex<Vec<String>>>,
    act: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl Collects {
    /// Returns what is told while `program` runs.
    fn during(&self, program: impl FnOnce()) -> Vec<String> {
        tracing::subscriber::with_default(self.clone(), program);
        self.told.lock().expect("nobody panics with it").clone()
    }
}

struct Text<'a>(&'a mut String);

impl Visit for Text<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.push_str(&format!(" {}={value:?}", field.name()));
    }
}

impl Subscriber for Collects {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "keyalike_strict"
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = event.metadata().level().to_string();
        event.record(&mut Text(&mut text));
        self.told.lock().expect("nobody panics with it").push(text);
        if let Some(act) = &self.act {
            act();
        }
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

#[test]
fn refusals_and_waits_are_told() {
    let told = Collects::default().during(|| {
        let mutex = StrictMutex::<_, TokioSync>::new(());
        let mut waiter = ByHand::new(task(async { mutex.acquire().await.map(drop) }).named("B"));
        ByHand::new(
            task(async {
                let _guard = mutex.acquire().await.expect("it is free");
                assert!(mutex.acquire().await.is_err());
                waiter.waits();
                waiter.waits();
            })
            .named("A"),
        )
        .ends();
    });
    let [refused, waits] = &told[..] else { panic!("{told:?}") };
    assert!(refused.starts_with("WARN"), "{refused}");
    assert!(refused.contains("acquire refused: task A already holds this mutex, acquired at "), "{refused}");
    assert!(waits.starts_with("TRACE") && waits.contains("acquire waits"), "{waits}");
    assert!(waits.contains("task=\"task B\"") && waits.contains(file!()), "{waits}");
}

#[test]
fn acquires_without_a_task_and_endless_waits_are_told() {
    let told = Collects::default().during(|| {
        let mutex = StrictMutex::<_, TokioSync>::with_mode((), Mode::EndlessWaits);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(std::pin::pin!(mutex.acquire()).poll(&mut cx).is_ready());
        assert!(ByHand::new(task(async { mutex.acquire().await.map(drop) })).ends().is_err());
        let _guard = mutex.acquire_blocking().expect("it is free");
        assert!(mutex.acquire_blocking().is_err());
    });
    let expected = ["no task is known at ", " is not watched", "acquire waits", "this wait could never end: thread "];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (event, expected) in told.iter().zip(expected) {
        assert!(event.contains(expected), "{event}: {expected}");
    }
}

/// Events are told under no lock of ours, or this would hang.
#[test]
fn subscriber_may_use_the_mutex_that_it_is_told_of() {
    let mutex = Arc::new(StrictMutex::<_, TokioSync>::with_mode((), Mode::EndlessWaits));
    let guard = mutex.acquire_blocking().expect("it is free");
    let act = {
        let mutex = Arc::clone(&mutex);
        move || {
            let waits = mutex.acquire_owned();
            assert!(Box::pin(task(waits)).as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
            assert!(mutex.try_acquire().is_err());
        }
    };
    // What is told meanwhile is told to nobody, so this ends.
    let collects = Collects { act: Some(Arc::new(act)), ..Collects::default() };
    let told = collects.during(|| {
        ByHand::new(task(async { mutex.acquire().await.map(drop) }).watched()).waits();
    });
    assert_eq!(told.len(), 1, "{told:?}");
    drop(guard);
}

/// A wait that is broken off by a panic leaves the queue, in either way to wait.
#[test]
fn subscriber_that_panics_leaves_nothing_behind() {
    let act: Arc<dyn Fn() + Send + Sync> = Arc::new(|| std::panic::resume_unwind(Box::new("boom")));
    let collects = Collects { act: Some(act), ..Collects::default() };
    let mutex = StrictMutex::<_, TokioSync>::new(());
    let guard = mutex.try_acquire().expect("it is free");
    let told = collects.during(|| {
        let blocking = || mutex.acquire_blocking().map(drop);
        assert!(catch_unwind(AssertUnwindSafe(blocking)).is_err());
        assert_eq!(mutex.statistics().waiters, 0);
        let mut waiter = ByHand::new(task(async { mutex.acquire().await.map(drop) }));
        assert!(catch_unwind(AssertUnwindSafe(|| waiter.poll())).is_err());
        assert_eq!(mutex.statistics().waiters, 0);
    });
    assert_eq!(told.len(), 2, "{told:?}");
    drop(guard);
    assert!(!mutex.is_locked());
}
