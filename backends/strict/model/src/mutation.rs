//! The known mutations of the queue: textual replacements in `backends/strict/src/state.rs`.

/// A text that the file contains exactly once, and what stands in its place.
pub type Edit = (&'static str, &'static str);

/// A way in which the queue could be wrong.
#[derive(Clone, Copy, Debug)]
pub struct Mutation {
    /// Its name, an identifier: what the mutated queue does.
    pub name: &'static str,
    /// What is replaced.
    pub edits: &'static [Edit],
    /// The models that must fail on it, by name. Where many would, these are the ones made for it.
    pub caught_by: &'static [&'static str],
}

/// Every known mutation.
pub const MUTATIONS: &[Mutation] = &[
    Mutation {
        name: "only_reads_whether_somebody_waits",
        edits: &[(
            "self.waiting.compare_exchange(0, 0, Ordering::AcqRel, Ordering::Acquire).is_err()",
            "self.waiting.load(Ordering::Acquire) != 0",
        )],
        caught_by: &["release_beside_an_acquire"],
    },
    Mutation {
        name: "counts_itself_after_the_try",
        edits: &[
            ("                self.waiting.fetch_add(1, Ordering::AcqRel);\n", ""),
            (
                "                    afterwards.drop = self.forget(asking, &mut queue, registry.as_deref_mut());
                    self.waiting.fetch_sub(1, Ordering::Release);",
                "                    let stood = asking.ticket.is_some();
                    afterwards.drop = self.forget(asking, &mut queue, registry.as_deref_mut());
                    if stood {
                        self.waiting.fetch_sub(1, Ordering::Release);
                    }",
            ),
            (
                "                    let ticket = queue.next;\n",
                "                    self.waiting.fetch_add(1, Ordering::AcqRel);\n                    let ticket = queue.next;\n",
            ),
        ],
        caught_by: &["release_beside_an_acquire"],
    },
    Mutation {
        name: "forgets_the_holder_after_the_release",
        edits: &[(
            "            self.holding.store(0, Ordering::Relaxed);
            release();
            // Not a load",
            "            release();
            self.holding.store(0, Ordering::Relaxed);
            // Not a load",
        )],
        caught_by: &["release_beside_an_acquire"],
    },
    Mutation {
        name: "keeps_a_promise_that_somebody_was_faster_than",
        edits: &[(
            "                queue.promised = None;\n            }",
            "                queue.promised = queue.promised.filter(|promised| Some(*promised) != asking.ticket);\n            }",
        )],
        caught_by: &["own_future_beside_a_newcomer"],
    },
    Mutation {
        name: "keeps_its_own_promise_too",
        edits: &[("                queue.promised = None;\n            }", "            }")],
        caught_by: &["waiter_beside_a_newcomer"],
    },
    Mutation {
        name: "wakes_the_first_future_only",
        edits: &[(
            "        waker.or_else(|| others.find_map(|waiter| waiter.waker.take()))",
            "        let _ = &mut others;\n        waker",
        )],
        caught_by: &["own_future_beside_a_newcomer"],
    },
    Mutation {
        name: "leaves_with_the_promise",
        edits: &[("        if was_promised {", "        if false && was_promised {")],
        caught_by: &["interrupted_wait"],
    },
    Mutation {
        name: "ends_a_refused_wait_a_step_later",
        edits: &[(
            "                self.leave_locked(asking, &mut queue, registry.as_deref_mut(), &mut afterwards);
                drop((queue, registry));",
            "                drop((queue, registry));
                self.leave(asking);",
        )],
        caught_by: &["threads_that_cross"],
    },
];
