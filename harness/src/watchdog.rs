//! Tells whether a child process can still do anything: the only place that looks at a process from outside.
//!
//! It asks the kernel and not the clock. A process all of whose threads sleep, again and again without one of them having
//! run in between, is blocked for good; one that has used more processor time than the limit since it last said
//! something spins. A busy machine changes neither.

use crate::transcript::Hang;

/// How long to wait between two looks, in milliseconds. It decides how soon a hang is seen, and nothing else.
pub const LOOK_MS: u16 = 1;

/// How many looks in a row must find every thread asleep, and none having run since the look before.
pub const STILL_LOOKS: u32 = 3;

/// How much processor time a child may use without saying anything, in milliseconds.
pub const SPIN_LIMIT_MS: u64 = 2_000;

/// Watches one child process.
#[derive(Debug)]
pub struct Watchdog {
    pid: u32,
    last: Option<Activity>,
    still_looks: u32,
    /// The processor time of the child when it last said something.
    base_ms: Option<u64>,
}

/// What a process has done so far.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Activity {
    all_asleep: bool,
    /// Of each thread: its number, and how often it was put on and taken off a processor.
    switches: Vec<(i32, u64)>,
    processor_ms: u64,
}

impl Watchdog {
    /// Returns a watchdog for the child process `pid`.
    pub fn new(pid: u32) -> Self {
        Self { pid, last: None, still_looks: 0, base_ms: None }
    }

    /// Says that the child has said something.
    pub fn heard(&mut self) {
        self.still_looks = 0;
        self.base_ms = None;
    }

    /// Looks at the child, and returns what it does if it will never say anything again. Only when nothing that it has said
    /// is still unread: a child that waits for its parent sleeps too.
    pub fn look(&mut self) -> Option<Hang> {
        let now = activity(self.pid)?;
        let base_ms = *self.base_ms.get_or_insert(now.processor_ms);
        if now.processor_ms.saturating_sub(base_ms) > SPIN_LIMIT_MS {
            return Some(Hang::Spinning);
        }
        let is_still = now.all_asleep && self.last.as_ref().is_some_and(|last| last.switches == now.switches);
        self.still_looks = if is_still { self.still_looks + 1 } else { 0 };
        self.last = Some(now);
        (self.still_looks >= STILL_LOOKS).then_some(Hang::Blocked)
    }
}

/// Returns what a process has done so far, or `None` if it is gone.
#[cfg(target_os = "linux")]
fn activity(pid: u32) -> Option<Activity> {
    let process = procfs::process::Process::new(i32::try_from(pid).ok()?).ok()?;
    let mut activity = Activity { all_asleep: true, switches: Vec::new(), processor_ms: 0 };
    for task in process.tasks().ok()?.flatten() {
        let (Ok(stat), Ok(status)) = (task.stat(), task.status()) else {
            continue;
        };
        activity.all_asleep &= stat.state == 'S';
        let switches = status.voluntary_ctxt_switches.unwrap_or(0) + status.nonvoluntary_ctxt_switches.unwrap_or(0);
        activity.switches.push((task.tid, switches));
        activity.processor_ms += (stat.utime + stat.stime) * 1000 / procfs::ticks_per_second();
    }
    Some(activity)
}

/// Without /proc a hang cannot be told from a pause, so nothing is ever called hung.
#[cfg(not(target_os = "linux"))]
fn activity(_pid: u32) -> Option<Activity> {
    None
}
