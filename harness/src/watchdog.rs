//! Tells whether a child process can still do anything: the only place that looks at a process from outside.
//!
//! Of a worker of this harness it asks the kernel and not the clock. A process all of whose threads sleep, again and
//! again without one of them having run in between, is blocked for good; one that has used more processor time than the
//! limit since it last said something spins. A busy machine changes neither. A foreign worker may sleep for reasons of
//! its own, so there, and there alone, a clock decides.

use std::time::{Duration, Instant};

use crate::transcript::Hang;

/// How long to wait between two looks, in milliseconds. It decides how soon a hang is seen, and nothing else.
pub const LOOK_MS: u16 = 1;

/// How many looks in a row must find every thread asleep, and none having run since the look before.
pub const STILL_LOOKS: u32 = 3;

/// The same for threads that wake each other.
const STILL_LOOKS_OF_THREADS: u32 = 500;

/// How much processor time a worker of this harness may use without saying anything, unless it is set otherwise.
pub const SPIN_LIMIT: Duration = Duration::from_secs(2);

/// How long a foreign worker may say nothing, unless it is set otherwise.
pub const SILENCE_LIMIT: Duration = Duration::from_secs(10);

/// How much of the time between two looks counts as silence, at most.
const LISTENED_MAX: Duration = Duration::from_millis(20);

/// How much longer than its time a scripted pause may take before it counts as silence.
const PAUSE_GRACE: Duration = Duration::from_secs(5);

/// When a child counts as hung.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Patience {
    /// It sleeps only when it is blocked for good, and otherwise works for this much processor time at most.
    Kernel(Duration),
    /// It says something within this time.
    Clock(Duration),
    /// It says something within this time, or can still do something: a worker of this harness that starts may wait for
    /// a disk, and on a busy machine for its turn.
    Start(Duration),
}

/// Watches one child process.
#[derive(Debug)]
pub struct Watchdog {
    pid: u32,
    /// Which threads of the process count, if not all.
    threads: Option<Vec<i32>>,
    /// How many looks in a row must find them still.
    stillness: u32,
    patience: Patience,
    last: Option<Activity>,
    still_looks: u32,
    /// The processor time of the child when it last said something.
    base_ms: Option<u64>,
    /// How long it has been silent, and when that was last counted.
    silence: Duration,
    last_look: Option<Instant>,
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
    pub fn new(pid: u32, patience: Patience) -> Self {
        Self {
            pid,
            threads: None,
            stillness: STILL_LOOKS,
            patience,
            last: None,
            still_looks: 0,
            base_ms: None,
            silence: Duration::ZERO,
            last_look: None,
        }
    }

    /// Returns a watchdog for some threads of this process, by their numbers, which nothing but each other wakes. They
    /// wake each other all the time, and one that was woken seems to sleep until its processor knows: so it looks
    /// longer.
    pub(crate) fn of_threads(threads: Vec<i32>, spin_limit: Duration) -> Self {
        let own = Self::new(std::process::id(), Patience::Kernel(spin_limit));
        Self { threads: Some(threads), stillness: STILL_LOOKS_OF_THREADS, ..own }
    }

    /// Says that the child has said something, or was told something.
    pub fn heard(&mut self) {
        self.still_looks = 0;
        self.base_ms = None;
        (self.silence, self.last_look) = (Duration::ZERO, None);
    }

    /// Looks at the child, and returns what it does if it will never say anything again. Only when nothing that it has
    /// said is still unread: a child that waits for its parent sleeps too.
    pub fn look(&mut self) -> Option<Hang> {
        match self.patience {
            Patience::Kernel(spin_limit) => self.ask_kernel(spin_limit),
            Patience::Clock(limit) => (self.listen() >= limit).then_some(Hang::Silent),
            Patience::Start(limit) => {
                let is_silent = self.listen() >= limit;
                self.ask_kernel(limit).filter(|_| is_silent)
            }
        }
    }

    /// Looks at a child that may be in a scripted pause: that is over within its time, and only then does silence
    /// count.
    pub fn look_after(&mut self, pause: Option<Duration>) -> Option<Hang> {
        match pause {
            Some(pause) if self.listen() < pause + PAUSE_GRACE => None,
            _ => self.look(),
        }
    }

    /// Returns how long the child has been silent while somebody listened: time in which this process was stopped, or
    /// the machine was, does not count.
    fn listen(&mut self) -> Duration {
        let now = Instant::now();
        let since = self.last_look.replace(now).map_or(Duration::ZERO, |last| now - last);
        self.silence += since.min(LISTENED_MAX);
        self.silence
    }

    fn ask_kernel(&mut self, spin_limit: Duration) -> Option<Hang> {
        let now = activity(self.pid, self.threads.as_deref())?;
        let base_ms = *self.base_ms.get_or_insert(now.processor_ms);
        if u128::from(now.processor_ms.saturating_sub(base_ms)) > spin_limit.as_millis() {
            return Some(Hang::Spinning);
        }
        let is_still = now.all_asleep && self.last.as_ref().is_some_and(|last| last.switches == now.switches);
        self.still_looks = if is_still { self.still_looks + 1 } else { 0 };
        self.last = Some(now);
        (self.still_looks >= self.stillness).then_some(Hang::Blocked)
    }
}

/// Returns what a process has done so far, or `None` if it is gone.
#[cfg(target_os = "linux")]
fn activity(pid: u32, threads: Option<&[i32]>) -> Option<Activity> {
    let process = procfs::process::Process::new(i32::try_from(pid).ok()?).ok()?;
    let mut ticks = match threads {
        None => process.stat().map(|stat| stat.utime + stat.stime).ok()?,
        Some(_) => 0,
    };
    let mut activity = Activity { all_asleep: true, switches: Vec::new(), processor_ms: 0 };
    // One file a thread: the kernel clears away what was looked up below a process when it ends, and that costs more
    // than reading it.
    for task in process.tasks().ok()?.flatten() {
        if let Some(threads) = threads {
            if !threads.contains(&task.tid) {
                continue;
            }
            ticks += task.stat().map_or(0, |stat| stat.utime + stat.stime);
        }
        let Ok(status) = task.status() else { continue };
        activity.all_asleep &= status.state.starts_with('S');
        let switches = status.voluntary_ctxt_switches.unwrap_or(0) + status.nonvoluntary_ctxt_switches.unwrap_or(0);
        activity.switches.push((task.tid, switches));
    }
    activity.processor_ms = ticks * 1000 / procfs::ticks_per_second();
    Some(activity)
}

/// Without /proc a hang cannot be told from a pause, so nothing is ever called hung.
#[cfg(not(target_os = "linux"))]
fn activity(_pid: u32, _threads: Option<&[i32]>) -> Option<Activity> {
    None
}
