//! A hub that begins anew is as new, whatever was done with it.

use std::task::Waker;

use keyalike_harness::quiescence::{Departure, Hub, TaskIndex};
use proptest::prelude::*;

const TASKS: usize = 3;
const POLLS_MAX: u32 = 2;

/// Something that is done with a hub.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Command(TaskIndex),
    Wake(TaskIndex),
    Requeue(TaskIndex),
    Poll(TaskIndex, Departure),
    AnnounceEnd(TaskIndex),
    End(TaskIndex),
    Outside,
    Hold(bool),
    Act(bool),
    AskForQuiescence,
}

fn deed() -> impl Strategy<Value = Deed> {
    let departure = prop_oneof![Just(Departure::Parked), Just(Departure::Promised), Just(Departure::Done)];
    prop_oneof![
        (0..TASKS).prop_map(Deed::Command),
        (0..TASKS).prop_map(Deed::Wake),
        (0..TASKS).prop_map(Deed::Requeue),
        (0..TASKS, departure).prop_map(|(task, departure)| Deed::Poll(task, departure)),
        (0..TASKS).prop_map(Deed::AnnounceEnd),
        (0..TASKS).prop_map(Deed::End),
        Just(Deed::Outside),
        any::<bool>().prop_map(Deed::Hold),
        any::<bool>().prop_map(Deed::Act),
        Just(Deed::AskForQuiescence),
    ]
}

fn act(hub: &Hub<()>, deed: Deed) {
    match deed {
        Deed::Command(task) => {
            hub.command(task, ());
        }
        Deed::Wake(task) => {
            hub.wake(task, || {});
        }
        Deed::Requeue(task) => hub.requeue(task),
        Deed::Poll(task, departure) => {
            if hub.enter(task, Waker::noop()).is_some() {
                hub.leave(task, departure);
            }
        }
        Deed::AnnounceEnd(task) => {
            hub.announce_end(task);
        }
        Deed::End(task) => hub.end(task),
        Deed::Outside => hub.outside_began(),
        Deed::Hold(held) => hub.hold(held),
        Deed::Act(acting) => hub.act(acting),
        Deed::AskForQuiescence => {
            hub.quiet(Waker::noop());
        }
    }
}

proptest! {
    #[test]
    fn a_hub_that_begins_anew_is_as_new(deeds in proptest::collection::vec(deed(), 0..30)) {
        let mut hub = Hub::new(TASKS, POLLS_MAX);
        deeds.iter().for_each(|&deed| act(&hub, deed));
        hub.begin_anew();
        prop_assert_eq!(format!("{hub:?}"), format!("{:?}", Hub::<()>::new(TASKS, POLLS_MAX)));
    }
}
