//! The events of the feature `tracing`.

mod polling;

use std::sync::{Arc, Mutex};

use keyalike_strict::{StrictMutex, TokioSync, task};
use polling::ByHand;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

#[derive(Clone, Default)]
struct Collects(Arc<Mutex<Vec<String>>>);

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
        self.0.lock().expect("nobody panics with it").push(text);
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

#[test]
fn refusals_and_waits_are_told() {
    let collects = Collects::default();
    tracing::subscriber::with_default(collects.clone(), || {
        let mutex = StrictMutex::<_, TokioSync>::new(());
        let mut waiter = ByHand::new(task(async { mutex.acquire().await.map(drop) }).named("B"));
        ByHand::new(
            task(async {
                let _guard = mutex.acquire().await.expect("it is free");
                assert!(mutex.acquire().await.is_err());
                waiter.waits();
            })
            .named("A"),
        )
        .ends();
    });
    let told = collects.0.lock().expect("nobody panics with it").clone();
    let [refused, waits] = &told[..] else { panic!("{told:?}") };
    assert!(refused.starts_with("WARN"), "{refused}");
    assert!(refused.contains("acquire refused: task A already holds this mutex, acquired at "), "{refused}");
    assert!(waits.starts_with("TRACE") && waits.contains("acquire waits"), "{waits}");
    assert!(waits.contains("task=\"task B\"") && waits.contains(file!()), "{waits}");
}
