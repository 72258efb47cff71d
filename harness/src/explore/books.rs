//! The books of one run: who holds, who was passed, what came of each action, and what it is accused of.
//!
//! They find in passing what the oracle finds in a transcript, and make the key by which outcomes are told apart. The
//! oracle has the last word: it hears the first schedule of every outcome.

use std::sync::Arc;

use super::coverage::Coverage;
use super::plan::Plan;
use crate::program::ObjectIndex;
use crate::quiescence::TaskIndex;
use crate::verdict::Verdict;

/// What came of one action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum Fate {
    #[default]
    NotTaken,
    NotRun,
    Acquired,
    Refused,
    Waits,
    Pending,
    Cancelled,
    Aborted,
    Yes,
    No,
    Released,
    Forgotten,
    Sent,
    Returned,
    Prepared,
    Dropped,
    Panicked,
}

impl Fate {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Fate::NotTaken => "not reached",
            Fate::NotRun => "not run",
            Fate::Acquired => "acquired",
            Fate::Refused => "refused",
            Fate::Waits => "waits",
            Fate::Pending => "pending",
            Fate::Cancelled => "cancelled",
            Fate::Aborted => "aborted",
            Fate::Yes => "yes",
            Fate::No => "no",
            Fate::Released => "released",
            Fate::Forgotten => "forgotten",
            Fate::Sent => "sent",
            Fate::Returned => "returned",
            Fate::Prepared => "prepared",
            Fate::Dropped => "dropped",
            Fate::Panicked => "panicked",
        }
    }
}

/// The books of one run.
#[derive(Debug)]
pub(crate) struct Books {
    plan: Arc<Plan>,
    held: Vec<u32>,
    /// How many operations ask for each object: waits, and kept futures that were polled.
    asks: Vec<i32>,
    /// Who held each object first since it was free, for states.
    holder: Vec<u32>,
    fates: Vec<Fate>,
    /// For each object and task, who was passed by its grants.
    passed: Vec<u32>,
    aborted: u32,
    /// Objects that a panic went through.
    broken: u32,
    verdict: Verdict,
    /// Whether one call of the lock woke several times.
    herd: bool,
    /// Whether the script is over, so that nothing goes into the outcome any more but accusations.
    over: bool,
    closed: bool,
    livelock: bool,
    orders: Vec<u64>,
    last_act: usize,
    wakes: u64,
    grants: u64,
    polls: u64,
    /// Wakes, grants and polls before this run.
    before: (u64, u64, u64),
    /// Every run's marks.
    pub(crate) coverage: Coverage,
}

impl Books {
    pub(crate) fn new(plan: &Arc<Plan>) -> Self {
        let (objects, tasks) = (plan.objects().len(), plan.tasks.len());
        Self {
            held: vec![0; objects],
            asks: vec![0; objects],
            holder: vec![0; objects],
            fates: vec![Fate::NotTaken; plan.action_count()],
            passed: vec![0; objects * tasks],
            aborted: 0,
            broken: 0,
            verdict: Verdict::Completed,
            herd: false,
            over: false,
            closed: false,
            livelock: false,
            orders: vec![0; objects],
            last_act: 0,
            wakes: 0,
            grants: 0,
            polls: 0,
            before: (0, 0, 0),
            coverage: Coverage::default(),
            plan: Arc::clone(plan),
        }
    }

    pub(crate) fn begin(&mut self) {
        self.held.fill(0);
        self.asks.fill(0);
        self.holder.fill(0);
        self.fates.fill(Fate::NotTaken);
        self.passed.fill(0);
        self.orders.fill(0);
        (self.aborted, self.verdict, self.herd, self.over, self.closed) = (0, Verdict::Completed, false, false, false);
        (self.last_act, self.broken, self.livelock) = (0, 0, false);
        self.before = (self.wakes, self.grants, self.polls);
        self.coverage.begin();
    }

    pub(crate) fn held(&self, object: ObjectIndex) -> u32 {
        self.held[object]
    }

    pub(crate) fn asked(&self, object: ObjectIndex) -> bool {
        self.asks[object] > 0
    }

    pub(crate) fn ask(&mut self, object: ObjectIndex, change: i32) {
        self.asks[object] += change;
    }

    pub(crate) fn wait(&mut self, _task: TaskIndex, object: ObjectIndex, is_new: bool, op: usize) {
        self.polls += 1;
        if is_new {
            self.asks[object] += 1;
            self.result(op, Fate::Waits);
        }
    }

    pub(crate) fn end_wait(&mut self, object: ObjectIndex) {
        self.asks[object] -= 1;
    }

    /// Records a grant, which passes those who asked before. Returns whether somebody else holds the object.
    pub(crate) fn grant(&mut self, task: TaskIndex, object: ObjectIndex, passed: u32, op: usize) -> bool {
        self.result(op, Fate::Acquired);
        self.polls += 1;
        self.grants += 1;
        if !self.over {
            self.passed[object * self.plan.tasks.len() + task] |= passed & !(1 << task);
            self.orders[object] = mix(self.orders[object], task as u64 + 1);
        }
        self.held[object] += 1;
        if self.held[object] > 1 {
            self.accuse(Verdict::Violation);
            return true;
        }
        self.holder[object] = task as u32 + 1;
        false
    }

    pub(crate) fn release(&mut self, object: ObjectIndex) {
        self.held[object] -= 1;
        self.holder[object] = 0;
    }

    /// A leaked guard holds on for ever.
    pub(crate) fn forget(&mut self, object: ObjectIndex) {
        self.holder[object] = u32::MAX;
    }

    pub(crate) fn refused(&mut self, object: ObjectIndex, waits: bool, op: usize) {
        self.result(op, Fate::Refused);
        match (waits, self.is_out_of_use(object)) {
            // What a panic left behind is broken, and no lie about who holds it.
            (true, true) if self.broken & 1 << object != 0 => self.accuse(Verdict::Leaked),
            (true, true) => self.accuse(Verdict::Violation),
            (true, false) => self.accuse(Verdict::Refused),
            (false, true) => self.accuse(Verdict::Leaked),
            (false, false) => {}
        }
    }

    pub(crate) fn answered(&mut self, object: ObjectIndex, locked: bool, op: usize) {
        self.result(op, if locked { Fate::Yes } else { Fate::No });
        if !locked && self.held[object] > 0 {
            self.accuse(Verdict::Violation);
        }
        if locked && self.is_out_of_use(object) {
            self.accuse(Verdict::Leaked);
        }
    }

    pub(crate) fn tried(&mut self, object: ObjectIndex, free: bool) {
        if free && self.held[object] > 0 {
            self.accuse(Verdict::Violation);
        }
        if !free && self.is_out_of_use(object) {
            self.accuse(Verdict::Leaked);
        }
    }

    fn is_out_of_use(&self, object: ObjectIndex) -> bool {
        self.held[object] == 0 && self.asks[object] <= 0
    }

    pub(crate) fn result(&mut self, op: usize, fate: Fate) {
        if !self.over {
            self.fates[op] = fate;
        }
    }

    pub(crate) fn aborted(&mut self, task: TaskIndex) {
        self.aborted |= 1 << task;
    }

    /// Records that a panic dropped a guard of these objects, or came out of one.
    pub(crate) fn broke(&mut self, objects: u32) {
        self.broken |= objects;
    }

    pub(crate) fn accuse(&mut self, verdict: Verdict) {
        self.livelock |= verdict == Verdict::Livelock;
        if !self.closed || verdict == Verdict::Panicked {
            self.verdict = self.verdict.min(verdict);
        }
    }

    /// Hears that one call of `object` woke `rings` times.
    pub(crate) fn rang(&mut self, _object: ObjectIndex, rings: u32) {
        self.wakes += u64::from(rings);
        self.herd |= rings > 1;
    }

    pub(crate) fn end_script(&mut self) {
        self.over = true;
        for order in &self.orders {
            self.coverage.order(*order);
        }
    }

    pub(crate) fn close(&mut self) {
        self.closed = true;
    }

    /// Returns what the run is accused of.
    pub(crate) fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Returns whether the run did not come to rest.
    pub(crate) fn is_livelock(&self) -> bool {
        self.livelock
    }

    /// Returns whether one call of the lock woke several times.
    pub(crate) fn herd(&self) -> bool {
        self.herd
    }

    /// Returns and forgets how many wakes, grants and polls of operations there were.
    pub(crate) fn take_counts(&mut self) -> (u64, u64, u64) {
        let counts = (self.wakes, self.grants, self.polls);
        (self.wakes, self.grants, self.polls) = (0, 0, 0);
        counts
    }

    /// Sets what [`take_counts`](Self::take_counts) returns.
    pub(crate) fn set_counts(&mut self, counts: (u64, u64, u64)) {
        (self.wakes, self.grants, self.polls) = counts;
    }

    /// Takes this run off the counts: it was broken off, and no schedule.
    pub(crate) fn uncount(&mut self) {
        self.set_counts(self.before);
    }

    /// Takes this run off the counts and off what was seen: it was too slow, or took another course than before.
    pub(crate) fn discard(&mut self) {
        self.uncount();
        self.coverage.take_back();
    }

    /// Forgets what was counted and seen.
    pub(crate) fn forget_counts(&mut self) {
        self.set_counts((0, 0, 0));
        self.coverage = Coverage::default();
    }

    pub(crate) fn cover_act(&mut self, op: usize) {
        self.last_act = op;
    }

    pub(crate) fn cover_cancel(&mut self, op: usize, woken: bool) {
        self.coverage.cancel(op, self.last_act, woken);
    }

    pub(crate) fn cover_state(&mut self, waits: u32, woken: u32) {
        let held = self.holder.iter().fold(0, |hash, holder| mix(hash, u64::from(*holder)));
        self.coverage.state(mix(held, u64::from(waits) << 32 | u64::from(woken & waits)));
    }

    /// Returns the key by which outcomes are told apart.
    pub(crate) fn key(&self) -> u64 {
        let mut key = mix(self.verdict as u64, u64::from(self.herd) << 32 | u64::from(self.aborted));
        for fates in self.fates.chunks(8) {
            let word = fates.iter().fold(0_u64, |word, fate| word << 8 | *fate as u64);
            key = mix(key, word);
        }
        for passed in &self.passed {
            key = mix(key, u64::from(*passed));
        }
        key
    }

    /// Tells the outcome: what came of each action, who came before whom, and what it comes to.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (task, program) in self.plan.programs.iter().enumerate() {
            let fates = program.iter().filter(|op| self.fates[op.number] != Fate::NotTaken);
            let mut parts: Vec<String> =
                fates.map(|op| format!("{} {}", op.action, self.fates[op.number].as_str())).collect();
            if self.aborted & 1 << task != 0 {
                parts.push("aborted".to_owned());
            }
            if !parts.is_empty() {
                lines.push(format!("{:<21}  {}", self.plan.tasks[task].to_string(), parts.join("; ")));
            }
        }
        let tasks = self.plan.tasks.len();
        for (object, declared) in self.plan.objects().iter().enumerate() {
            for task in 0..tasks {
                let passed = self.passed[object * tasks + task];
                if passed != 0 {
                    let names: Vec<String> = (0..tasks)
                        .filter(|other| passed & 1 << other != 0)
                        .map(|other| self.plan.tasks[other].to_string())
                        .collect();
                    let (name, before) = (self.plan.tasks[task], names.join(", "));
                    lines.push(format!("{:<21}  {}: {name} before {before}", "order", declared.name));
                }
            }
        }
        if self.herd {
            lines.push(format!("{:<21}  one call woke several times", "herd"));
        }
        lines.push(format!("{:<21}  {}", "verdict", self.verdict));
        lines
    }
}

/// Mixes a word into a hash.
pub(crate) fn mix(hash: u64, word: u64) -> u64 {
    let mixed = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ mixed >> 29
}
