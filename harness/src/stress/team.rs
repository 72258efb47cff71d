//! The threads of one program: where they meet, how it is known that nothing can go on, and what that comes to.
//!
//! A thread is counted while it can do anything by itself: from the beginning of a phase until it parks or is done. A
//! wake counts its thread again before it becomes visible, and every wake comes from a thread that is counted. So the
//! one that brings the count to zero knows that all stand still for good, and it alone judges and begins the next
//! phase.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::task::{Wake, Waker};
use std::thread::{self, JoinHandle, Thread};
use std::time::Instant;

use super::player::Player;
use super::{Affinity, OUTCOMES_MAX};
use crate::driver::MakeObject;
use crate::explore::plan::Plan;
use crate::explore::{Budget, Fate};
use crate::object::Object;
use crate::program::ObjectIndex;
use crate::quiescence::TaskIndex;
use crate::verdict::Verdict;

/// How often a thread that waits for another looks before it gives way, and before it sleeps.
const SPINS: u32 = 200;
const YIELDS: u32 = 50;

/// What a thread can do by itself.
mod state {
    pub(super) const RUNNING: u8 = 0;
    pub(super) const PARKED: u8 = 1;
    /// Woken, and not polled since.
    pub(super) const NOTIFIED: u8 = 2;
    pub(super) const DONE: u8 = 3;
}

/// What all threads do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    /// They run their programs.
    Play,
    /// They let go of everything.
    LetGo,
    /// They end.
    Stop,
}

/// When to stop, for all teams together.
pub(super) struct Control {
    budget: Budget,
    begun: Instant,
    rounds: AtomicU64,
    pub(super) stop: AtomicBool,
}

impl Control {
    pub(super) fn new(budget: Budget) -> Self {
        Self { budget, begun: Instant::now(), rounds: AtomicU64::new(0), stop: AtomicBool::new(false) }
    }

    /// Counts a round, and returns whether there is to be another.
    fn goes_on(&self) -> bool {
        let rounds = self.rounds.fetch_add(1, Ordering::Relaxed) + 1;
        let is_spent = match self.budget {
            Budget::Schedules(count) => rounds >= count,
            Budget::Time(time) => rounds.is_multiple_of(16) && self.begun.elapsed() >= time,
        };
        if is_spent {
            self.stop.store(true, Ordering::Relaxed);
        }
        !self.stop.load(Ordering::Relaxed)
    }
}

/// By what outcomes are told apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) verdict: Verdict,
    fates: Vec<Fate>,
}

impl Key {
    /// Tells the outcome: what came of each action.
    pub(super) fn lines(&self, plan: &Plan) -> Vec<String> {
        let mut lines = Vec::new();
        for (task, program) in plan.tasks.iter().zip(&plan.programs) {
            let taken = program.iter().filter(|op| self.fates[op.number] != Fate::NotTaken);
            let parts: Vec<String> =
                taken.map(|op| format!("{} {}", op.action, self.fates[op.number].as_str())).collect();
            if !parts.is_empty() {
                lines.push(format!("{:<8}  {}", task.to_string(), parts.join("; ")));
            }
        }
        lines.push(format!("{:<8}  {}", "verdict", self.verdict));
        lines
    }
}

/// What a thread tells of its round.
#[derive(Default)]
pub(super) struct Told {
    /// By the numbers of its actions among those of all tasks.
    pub(super) fates: Vec<(usize, Fate)>,
    /// The objects of the futures that it keeps and has polled, and how often it had been woken then.
    pub(super) kept: Vec<(ObjectIndex, u64)>,
    /// Whether it has nothing left.
    pub(super) is_clean: bool,
}

/// What is known of one thread.
#[derive(Default)]
pub(super) struct Seat {
    state: AtomicU8,
    thread: OnceLock<(Thread, i32)>,
    /// Which of its wakers is its own: the others come to nothing.
    pub(super) renewal: AtomicU32,
    /// How often it was woken.
    pub(super) rings: AtomicU64,
    /// Whether it is inside a call of the lock.
    pub(super) in_call: AtomicBool,
    /// The object that it waits for, and 1 more.
    pub(super) waits_for: AtomicUsize,
    pub(super) told: Mutex<Told>,
}

#[derive(Default)]
struct Table {
    counts: HashMap<Key, u64>,
    rounds: u64,
    others: u64,
    /// What the round comes to that is letting go.
    judged: Option<Key>,
}

/// The threads of one program.
pub(super) struct Team {
    pub(super) plan: Arc<Plan>,
    make: MakeObject,
    control: Arc<Control>,
    seats: Vec<Seat>,
    /// How many threads can do anything by themselves.
    active: AtomicUsize,
    /// Which phase this is, counted from 1.
    epoch: AtomicU64,
    phase: AtomicU8,
    /// How many have come to the beginning of a round, in all rounds.
    arrived: AtomicU64,
    plays: AtomicU64,
    ended: AtomicUsize,
    /// Counts what is done, so that a standstill is seen.
    pub(super) steps: AtomicU64,
    objects: Mutex<Vec<Arc<dyn Object>>>,
    /// How many are inside each critical section, and who came last, and 1 more.
    inside: Vec<AtomicUsize>,
    holder: Vec<AtomicUsize>,
    accused: Mutex<Verdict>,
    table: Mutex<Table>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the thread of a task, which waits for the beginning. Returns when it is where it is to be.
pub(super) fn start(
    team: &Arc<Team>,
    task: TaskIndex,
    affinity: Affinity,
    number: usize,
    seed: u64,
) -> std::io::Result<JoinHandle<()>> {
    let team = Arc::clone(team);
    let (tell, hear) = mpsc::channel();
    let name = format!("stress-{}", team.plan.tasks[task]);
    let handle = thread::Builder::new().name(name).spawn(move || {
        let place = processor::place(affinity, number);
        let is_placed = place.is_ok();
        team.seats[task].thread.get_or_init(|| (thread::current(), processor::thread_number()));
        // Whoever started it waits for this.
        let _ = tell.send(place);
        if is_placed {
            team.work(task, seed);
        }
    })?;
    match hear.recv() {
        Ok(Err(error)) => Err(error),
        _ => Ok(handle),
    }
}

impl Team {
    pub(super) fn new(plan: Arc<Plan>, make: MakeObject, control: Arc<Control>) -> Arc<Self> {
        let objects = plan.objects().len();
        let team = Self {
            seats: plan.tasks.iter().map(|_| Seat::default()).collect(),
            active: AtomicUsize::new(0),
            epoch: AtomicU64::new(0),
            phase: AtomicU8::new(Phase::Play as u8),
            arrived: AtomicU64::new(0),
            plays: AtomicU64::new(0),
            ended: AtomicUsize::new(0),
            steps: AtomicU64::new(0),
            objects: Mutex::default(),
            inside: (0..objects).map(|_| AtomicUsize::new(0)).collect(),
            holder: (0..objects).map(|_| AtomicUsize::new(0)).collect(),
            accused: Mutex::new(Verdict::Completed),
            table: Mutex::default(),
            plan,
            make,
            control,
        };
        Arc::new(team)
    }

    /// Begins, once every thread was started.
    pub(super) fn begin(self: &Arc<Self>) {
        match self.control.stop.load(Ordering::Relaxed) {
            true => self.start_phase(Phase::Stop),
            false => self.start_round(),
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire) == self.seats.len()
    }

    /// Returns how much was done so far.
    pub(super) fn progress(&self) -> u64 {
        self.steps.load(Ordering::Relaxed) + self.epoch.load(Ordering::Relaxed)
    }

    /// Returns whether a thread is inside a call of the lock: elsewhere it comes back by itself.
    pub(super) fn is_in_a_call(&self) -> bool {
        self.seats.iter().any(|seat| seat.in_call.load(Ordering::Relaxed))
    }

    /// Returns the numbers of the threads, as the system has them.
    pub(super) fn threads(&self) -> impl Iterator<Item = i32> {
        self.seats.iter().filter_map(|seat| seat.thread.get()).map(|(_, number)| *number)
    }

    /// Returns the outcomes with their counts, the number of rounds, and of those whose outcomes are not told apart.
    pub(super) fn table(&self) -> (HashMap<Key, u64>, u64, u64) {
        let table = lock(&self.table);
        (table.counts.clone(), table.rounds, table.others)
    }

    /// Returns what a round comes to of which nothing more will come.
    pub(super) fn unfinished(&self) -> Key {
        Key { verdict: Verdict::Hung, ..self.key(Verdict::Hung) }
    }

    pub(super) fn seat(&self, task: TaskIndex) -> &Seat {
        &self.seats[task]
    }

    pub(super) fn objects(&self) -> Vec<Arc<dyn Object>> {
        lock(&self.objects).clone()
    }

    pub(super) fn accuse(&self, verdict: Verdict) {
        let mut accused = lock(&self.accused);
        *accused = (*accused).min(verdict);
    }

    /// Says that a task has a guard. The count is taken before anything else is done with it, and given back before the
    /// guard goes: so two are counted only if there are two.
    pub(super) fn enter(&self, task: TaskIndex, object: ObjectIndex) {
        if self.inside[object].fetch_add(1, Ordering::SeqCst) > 0 {
            self.accuse(Verdict::Violation);
        }
        self.holder[object].store(task + 1, Ordering::Relaxed);
    }

    /// Says that a guard is about to go.
    pub(super) fn leave(&self, object: ObjectIndex) {
        self.holder[object].store(0, Ordering::Relaxed);
        self.inside[object].fetch_sub(1, Ordering::SeqCst);
    }

    fn work(self: &Arc<Self>, task: TaskIndex, seed: u64) {
        let mut player = Player::new(Arc::clone(self), task, seed);
        let mut seen = 0;
        loop {
            seen = self.next_phase(seen);
            // A thread that was parked when the phase ended is counted out already.
            let is_counted = match self.phase() {
                Phase::Play => {
                    self.meet();
                    player.play(seen)
                }
                Phase::LetGo => {
                    player.let_go();
                    true
                }
                Phase::Stop => break,
            };
            if is_counted {
                self.seats[task].state.store(state::DONE, Ordering::Release);
                self.count_out();
            }
        }
        self.ended.fetch_add(1, Ordering::Release);
    }

    fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            phase if phase == Phase::Play as u8 => Phase::Play,
            phase if phase == Phase::LetGo as u8 => Phase::LetGo,
            _ => Phase::Stop,
        }
    }

    /// Waits for the phase after the one that was seen.
    fn next_phase(&self, seen: u64) -> u64 {
        let mut looks = 0;
        loop {
            let epoch = self.epoch.load(Ordering::Acquire);
            if epoch != seen {
                return epoch;
            }
            pause(&mut looks, true);
        }
    }

    /// Waits until every thread is here, so that all begin together.
    fn meet(&self) {
        let all = self.seats.len() as u64 * self.plays.load(Ordering::Acquire);
        self.arrived.fetch_add(1, Ordering::AcqRel);
        let mut looks = 0;
        while self.arrived.load(Ordering::Acquire) < all {
            pause(&mut looks, false);
        }
    }

    /// Parks the thread of a task until it is woken. Returns false if the phase ends first, for nobody can wake it.
    pub(super) fn park(self: &Arc<Self>, task: TaskIndex, seen: u64) -> bool {
        let own = &self.seats[task].state;
        if own.compare_exchange(state::RUNNING, state::PARKED, Ordering::AcqRel, Ordering::Acquire).is_err() {
            own.store(state::RUNNING, Ordering::Release);
            return true;
        }
        self.count_out();
        let mut looks = 0;
        loop {
            if self.epoch.load(Ordering::Acquire) != seen {
                return false;
            }
            if own.load(Ordering::Acquire) == state::NOTIFIED {
                own.store(state::RUNNING, Ordering::Release);
                return true;
            }
            pause(&mut looks, true);
        }
    }

    fn wake(self: &Arc<Self>, task: TaskIndex) {
        let seat = &self.seats[task];
        seat.rings.fetch_add(1, Ordering::AcqRel);
        let change =
            |from: u8| seat.state.compare_exchange(from, state::NOTIFIED, Ordering::AcqRel, Ordering::Acquire).is_ok();
        loop {
            match seat.state.load(Ordering::Acquire) {
                state::RUNNING if change(state::RUNNING) => return,
                state::PARKED => {
                    self.active.fetch_add(1, Ordering::AcqRel);
                    if change(state::PARKED) {
                        if let Some((thread, _)) = seat.thread.get() {
                            thread.unpark();
                        }
                        return;
                    }
                    self.count_out();
                }
                state::RUNNING => {}
                _ => return,
            }
        }
    }

    /// Takes a thread off the count. The last one judges.
    fn count_out(self: &Arc<Self>) {
        if self.active.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.judge();
        }
    }

    /// Judges, while all stand still.
    fn judge(self: &Arc<Self>) {
        if self.phase() == Phase::LetGo {
            return self.end_round();
        }
        for task in 0..self.seats.len() {
            if self.is_parked(task) {
                self.accuse(self.judge_wait(task));
            }
        }
        let is_clean = (0..self.seats.len()).all(|task| !self.is_parked(task) && lock(&self.seats[task].told).is_clean);
        lock(&self.table).judged = Some(self.key(Verdict::Completed));
        match is_clean {
            true => self.end_round(),
            false => self.start_phase(Phase::LetGo),
        }
    }

    fn is_parked(&self, task: TaskIndex) -> bool {
        self.seats[task].state.load(Ordering::Acquire) == state::PARKED
    }

    fn waited_for(&self, task: TaskIndex) -> Option<ObjectIndex> {
        self.is_parked(task)
            .then(|| self.seats[task].waits_for.load(Ordering::Acquire))
            .and_then(|it| it.checked_sub(1))
    }

    /// Judges a wait of which nothing more will come.
    fn judge_wait(&self, task: TaskIndex) -> Verdict {
        let Some(mut object) = self.waited_for(task) else { return Verdict::Completed };
        if self.inside[object].load(Ordering::SeqCst) == 0 {
            let is_offered = self.seats.iter().any(|seat| {
                let rings = seat.rings.load(Ordering::Acquire);
                lock(&seat.told).kept.iter().any(|(kept, before)| *kept == object && *before < rings)
            });
            return if is_offered { Verdict::Futurelock } else { Verdict::LostWakeup };
        }
        let mut met = vec![task];
        while let Some(holder) = self.holder[object].load(Ordering::Acquire).checked_sub(1) {
            if met.contains(&holder) {
                return Verdict::Deadlock;
            }
            met.push(holder);
            match self.waited_for(holder) {
                Some(next) => object = next,
                None => break,
            }
        }
        // Somebody holds it who could release it.
        Verdict::Completed
    }

    fn key(&self, verdict: Verdict) -> Key {
        let mut fates = vec![Fate::NotTaken; self.plan.action_count()];
        for seat in &self.seats {
            for (number, fate) in &lock(&seat.told).fates {
                fates[*number] = *fate;
            }
        }
        Key { verdict, fates }
    }

    /// Tries every object, counts the outcome, and begins the next round.
    fn end_round(self: &Arc<Self>) {
        for seat in &self.seats {
            // Whoever is woken by a probe is nobody any more.
            seat.state.store(state::DONE, Ordering::Release);
        }
        for (index, object) in lock(&self.objects).drain(..).enumerate() {
            self.probe(index, object);
        }
        let verdict = *lock(&self.accused);
        let mut table = lock(&self.table);
        table.rounds += 1;
        if let Some(key) = table.judged.take() {
            let key = Key { verdict, ..key };
            match table.counts.len() < OUTCOMES_MAX || table.counts.contains_key(&key) {
                true => *table.counts.entry(key).or_default() += 1,
                false => table.others += 1,
            }
        }
        drop(table);
        match self.control.goes_on() {
            true => self.start_round(),
            false => self.start_phase(Phase::Stop),
        }
    }

    /// Makes sure that an object that nobody has is free.
    fn probe(&self, index: ObjectIndex, object: Arc<dyn Object>) {
        let mut is_free = false;
        let Some(request) = self.plan.objects()[index].primitive.tries().next() else { return };
        match catch_unwind(AssertUnwindSafe(|| object.probe(request, &mut |free| is_free = free))) {
            Ok(()) if is_free => {}
            Ok(()) => self.accuse(Verdict::Leaked),
            Err(_) => self.accuse(Verdict::Panicked),
        }
    }

    fn start_round(self: &Arc<Self>) {
        let made = self.plan.objects().iter().filter_map(|object| (self.make)(object.declaration()));
        *lock(&self.objects) = made.collect();
        for (inside, holder) in self.inside.iter().zip(&self.holder) {
            inside.store(0, Ordering::Relaxed);
            holder.store(0, Ordering::Relaxed);
        }
        *lock(&self.accused) = Verdict::Completed;
        for seat in &self.seats {
            let mut told = lock(&seat.told);
            told.fates.clear();
            told.kept.clear();
            told.is_clean = true;
            seat.waits_for.store(0, Ordering::Relaxed);
        }
        self.plays.fetch_add(1, Ordering::AcqRel);
        self.start_phase(Phase::Play);
    }

    /// Counts all in, and lets them go.
    fn start_phase(&self, phase: Phase) {
        for seat in &self.seats {
            seat.state.store(state::RUNNING, Ordering::Release);
        }
        self.phase.store(phase as u8, Ordering::Release);
        self.active.store(self.seats.len(), Ordering::Release);
        self.epoch.fetch_add(1, Ordering::AcqRel);
        for (thread, _) in self.seats.iter().filter_map(|seat| seat.thread.get()) {
            thread.unpark();
        }
    }
}

/// Waits a moment: by spinning, then by giving way, and then, if somebody will unpark it, asleep.
fn pause(looks: &mut u32, may_sleep: bool) {
    *looks += 1;
    match *looks {
        ..SPINS => std::hint::spin_loop(),
        looks if looks < SPINS + YIELDS || !may_sleep => thread::yield_now(),
        _ => thread::park(),
    }
}

/// The waker of a thread.
pub(super) struct Bell {
    team: Arc<Team>,
    task: TaskIndex,
    renewal: u32,
}

impl Bell {
    /// Returns a waker of a task that is its own while it has been renewed `renewal` times.
    pub(super) fn waker(team: &Arc<Team>, task: TaskIndex, renewal: u32) -> Waker {
        Waker::from(Arc::new(Self { team: Arc::clone(team), task, renewal }))
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.team.seats[self.task].renewal.load(Ordering::Acquire) == self.renewal {
            self.team.wake(self.task);
        }
    }
}

/// Where threads run, as the system has it.
#[cfg(target_os = "linux")]
mod processor {
    use super::Affinity;

    /// Puts this thread, one of many, where it is to run.
    pub(super) fn place(affinity: Affinity, number: usize) -> std::io::Result<()> {
        use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
        if affinity == Affinity::None {
            return Ok(());
        }
        let allowed = sched_getaffinity(None)?;
        let processors: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|processor| allowed.is_set(*processor)).collect();
        let place = if affinity == Affinity::Spread { number % processors.len().max(1) } else { 0 };
        let mut chosen = CpuSet::new();
        processors.get(place).into_iter().for_each(|processor| chosen.set(*processor));
        Ok(sched_setaffinity(None, &chosen)?)
    }

    /// Returns the number of this thread.
    pub(super) fn thread_number() -> i32 {
        rustix::thread::gettid().as_raw_nonzero().get()
    }
}

/// Where threads run, on a system that does not say.
#[cfg(not(target_os = "linux"))]
mod processor {
    use super::Affinity;

    pub(super) fn place(affinity: Affinity, _number: usize) -> std::io::Result<()> {
        match affinity {
            Affinity::None => Ok(()),
            _ => Err(std::io::Error::new(std::io::ErrorKind::Unsupported, "threads cannot be put on a processor here")),
        }
    }

    pub(super) fn thread_number() -> i32 {
        0
    }
}
