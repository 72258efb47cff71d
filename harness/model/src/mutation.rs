//! The known mutations of the hub: one textual replacement each, in `harness/src/quiescence.rs`.

/// A way in which the hub could be wrong.
#[derive(Clone, Copy, Debug)]
pub struct Mutation {
    /// Its name, an identifier: what the mutated hub does.
    pub name: &'static str,
    /// A text that the hub contains exactly once.
    pub original: &'static str,
    /// What stands in its place.
    pub replacement: &'static str,
    /// The models that must fail on it, by name. Where many would, these are the ones made for it.
    pub caught_by: &'static [&'static str],
}

/// Every known mutation.
pub const MUTATIONS: &[Mutation] = &[
    Mutation {
        name: "forgets_the_wake_of_a_polled_task",
        original: "            if slot.phase == Phase::Done {
                return (false, None);
            }
            if slot.promised {",
        replacement: "            if slot.phase == Phase::Done || slot.phase == Phase::Polling {
                return (false, None);
            }
            if slot.promised {",
        caught_by: &["wake_of_a_polled_task"],
    },
    Mutation {
        name: "announces_quiescence_while_a_task_is_in",
        original: "let nothing_is_due = self.admitted.is_none() && ",
        replacement: "let nothing_is_due = ",
        caught_by: &["wake_within_a_poll", "abort_of_a_holder", "promised_wake"],
    },
    Mutation {
        name: "lets_in_whoever_polls",
        original: "            if slot.phase != Phase::Admitted {",
        replacement: "            if slot.phase == Phase::Done {",
        caught_by: &["wake_within_a_poll", "two_wakes", "held_line"],
    },
    Mutation {
        name: "lets_in_two_at_once",
        original: "        if self.admitted.is_none()
            && !stands_still",
        replacement: "        if !stands_still",
        caught_by: &["wake_within_a_poll", "two_wakes"],
    },
    Mutation {
        name: "lets_in_the_latest",
        original: "self.queue.pop_front()",
        replacement: "self.queue.pop_back()",
        caught_by: &["two_wakes_in_a_line"],
    },
    Mutation {
        name: "tells_the_runtime_nothing",
        original: "        slot.waker.clone()",
        replacement: "        None",
        caught_by: &["wake_within_a_poll", "step_after_step"],
    },
    Mutation {
        name: "keeps_the_first_waker_of_the_runtime",
        original: "            if !slot.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {",
        replacement: "            if slot.waker.is_none() {",
        caught_by: &["other_waker"],
    },
    Mutation {
        name: "keeps_the_first_waker_of_the_conductor",
        original: "            replaced = std::mem::replace(&mut state.conductor, (!quiet).then(|| waker.clone()));",
        replacement:
            "            let kept = (!quiet).then(|| state.conductor.clone().unwrap_or_else(|| waker.clone()));
            replaced = std::mem::replace(&mut state.conductor, kept);",
        caught_by: &["other_waker"],
    },
    Mutation {
        name: "does_not_wake_the_conductor",
        original: "if self.quiet() { self.conductor.take() } else { None }",
        replacement: "None",
        caught_by: &["wake_within_a_poll", "step_after_step"],
    },
    Mutation {
        name: "keeps_the_conductor_without_looking_again",
        original: "        self.with(|state| {
            let quiet = state.quiet();
",
        replacement: "        let quiet = self.with(|state| (state.quiet(), None));
        self.with(|state| {
",
        caught_by: &["step_after_step", "other_waker", "livelock"],
    },
    Mutation {
        name: "wakes_while_locked",
        original: "        drop(state);
        if let",
        replacement: "        if let",
        caught_by: &["other_waker"],
    },
    Mutation {
        name: "drops_a_runtime_waker_while_locked",
        original: "                replaced = slot.waker.replace(waker.clone());",
        replacement: "                replaced = None::<Waker>;
                slot.waker = Some(waker.clone());",
        caught_by: &["other_waker"],
    },
    Mutation {
        name: "drops_a_conductor_waker_while_locked",
        original: "            replaced = std::mem::replace(&mut state.conductor, (!quiet).then(|| waker.clone()));",
        replacement: "            replaced = None::<Waker>;
            state.conductor = (!quiet).then(|| waker.clone());",
        caught_by: &["other_waker"],
    },
    Mutation {
        name: "drops_the_waker_of_the_ended_while_locked",
        original: "            let runtime_waker = state.end(task);
",
        replacement: "            drop(state.end(task));
            let runtime_waker = None::<Waker>;
",
        caught_by: &["other_waker"],
    },
    Mutation {
        name: "forgets_an_announced_end",
        original: "                slot.ending = true;
                state.endings += 1;
",
        replacement: "",
        caught_by: &["abort_of_a_queued_task", "abort_of_a_holder"],
    },
    Mutation {
        name: "announces_the_end_of_the_ended",
        original: "            if lives && !slot.ending {",
        replacement: "            if !slot.ending {",
        caught_by: &["step_after_step"],
    },
    Mutation {
        name: "lets_in_beside_a_dropped_task",
        original: "self.held || self.acting || self.endings > 0",
        replacement: "self.held || self.acting",
        caught_by: &["abort_of_a_holder"],
    },
    Mutation {
        name: "lets_in_beside_the_conductor",
        original: "self.held || self.acting || self.endings > 0",
        replacement: "self.held || self.endings > 0",
        caught_by: &["conductor_acts"],
    },
    Mutation {
        name: "lets_in_during_a_line",
        original: "self.held || self.acting || self.endings > 0",
        replacement: "self.acting || self.endings > 0",
        caught_by: &["abort_of_a_queued_task", "held_line"],
    },
    Mutation {
        name: "lets_nobody_in_after_a_poll",
        original: "                state.promises += 1;
            }
            ((), state.advance())",
        replacement: "                state.promises += 1;
            }
            ((), None)",
        caught_by: &["wake_of_a_polled_task", "step_after_step", "livelock"],
    },
    Mutation {
        name: "lets_nobody_in_after_an_end",
        original: "            (runtime_waker, state.advance())",
        replacement: "            (runtime_waker, None)",
        caught_by: &["wake_within_a_poll", "step_after_step"],
    },
    Mutation {
        name: "lets_nobody_in_after_a_line",
        original: "            state.held = held;
            ((), state.advance())",
        replacement: "            state.held = held;
            ((), None)",
        caught_by: &["abort_of_a_queued_task", "two_wakes_in_a_line", "held_line"],
    },
    Mutation {
        name: "lets_nobody_in_after_the_conductor",
        original: "            state.polls_before = state.polls;
            ((), state.advance())",
        replacement: "            state.polls_before = state.polls;
            ((), None)",
        caught_by: &["conductor_acts"],
    },
    Mutation {
        name: "keeps_the_ended_in_the_queue",
        original: "            self.queue.retain(|&woken| woken != task);
",
        replacement: "",
        caught_by: &["abort_of_a_queued_task"],
    },
    Mutation {
        name: "keeps_the_ended_in",
        original: "            if state.admitted == Some(task) {
                state.admitted = None;
            }
",
        replacement: "",
        caught_by: &["wake_within_a_poll", "end_of_a_promised_task"],
    },
    Mutation {
        name: "queues_the_ended",
        original: "        if !slot.woken && !slot.spins && slot.phase != Phase::Done {",
        replacement: "        if !slot.woken && !slot.spins {",
        caught_by: &["step_after_step"],
    },
    Mutation {
        name: "queues_twice",
        original: "        if !slot.woken && !slot.spins && slot.phase != Phase::Done {",
        replacement: "        if !slot.spins && slot.phase != Phase::Done {",
        caught_by: &["abort_of_a_queued_task"],
    },
    Mutation {
        name: "queues_once_for_all",
        original: "            self.tasks[task].woken = false;
            return",
        replacement: "            return",
        caught_by: &["livelock"],
    },
    Mutation {
        name: "commands_the_ended",
        original: "            if state.tasks[task].phase == Phase::Done {
                return (false, None);
            }
",
        replacement: "",
        caught_by: &["step_after_step"],
    },
    Mutation {
        name: "records_the_wake_of_the_ended",
        original: "            if slot.phase == Phase::Done {
                return (false, None);
            }
            if slot.promised {",
        replacement: "            if slot.promised {",
        caught_by: &["end_of_a_promised_task"],
    },
    Mutation {
        name: "forgets_a_promise",
        original: "                slot.promised = true;
                state.promises += 1;
",
        replacement: "",
        caught_by: &["promised_wake", "end_of_a_promised_task"],
    },
    Mutation {
        name: "records_a_promised_wake",
        original: "                state.promises -= 1;
            } else {",
        replacement: "                state.promises -= 1;
                record();
            } else {",
        caught_by: &["promised_wake", "end_of_a_promised_task"],
    },
    Mutation {
        name: "expects_a_wake_of_the_ended",
        original: "        self.promises -= usize::from(std::mem::take(&mut slot.promised));",
        replacement: "        slot.promised = false;",
        caught_by: &["end_of_a_promised_task"],
    },
    Mutation {
        name: "never_gives_up",
        original: "            if state.polls - state.polls_before > u64::from(state.polls_max) {",
        replacement: "            if false {",
        caught_by: &["livelock"],
    },
    Mutation {
        name: "forgives_a_livelock",
        original: "        if !slot.woken && !slot.spins && slot.phase != Phase::Done {",
        replacement: "        slot.spins = false;
        if !slot.woken && slot.phase != Phase::Done {",
        caught_by: &["livelock"],
    },
    Mutation {
        name: "gives_up_in_silence",
        original: "        self.tasks[task].phase = Phase::Parked;
        self.advance()",
        replacement: "        self.tasks[task].phase = Phase::Parked;
        None",
        caught_by: &["livelock"],
    },
    Mutation {
        name: "gives_up_on_all_tasks",
        original: "filter(|slot| slot.last_poll >= recent)",
        replacement: "filter(|_| recent > 0)",
        caught_by: &["livelock"],
    },
    Mutation {
        name: "trusts_strangers",
        original: "                state.foreign_wake |= state.is_still();
",
        replacement: "",
        caught_by: &["foreign_wake"],
    },
    Mutation {
        name: "suspects_threads",
        original: " && self.outside == 0",
        replacement: "",
        caught_by: &["wake_of_a_polled_task", "two_wakes"],
    },
    Mutation {
        name: "suspects_the_conductor",
        original: "&& !self.acting && self.outside",
        replacement: "&& self.outside",
        caught_by: &["conductor_acts"],
    },
];
