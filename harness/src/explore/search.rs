//! Takes a strategy through the schedules of one plan: in rounds of units that any number of threads share, merged in
//! the order of the units, so that the result is the same whoever ran which. Between two rounds it can be saved.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::books::mix;
use super::confirm::confirm;
use super::coverage::Coverage;
use super::plan::Plan;
use super::random::Random;
use super::report::{self, End, Found, Report};
use super::schedule::{Choice, Choices, Schedule};
use super::shard::{First, Piece, STRAYS_MAX, Shard, Tree};
use super::strategy::{Exhaustive, Reduction, Sampled, Sampler, Stop};
use super::{Bounds, Budget, Chooser, Explorable, ExploreError, Machine, Options, Strategy, is_fault, run_in_time};
use crate::driver::ATTEMPTS_MAX;
use crate::quiescence::TaskIndex;
use crate::scenario::name::TaskName;

/// How many schedules a unit of a round has, at most; fewer where a fault ends the search.
pub(super) const UNIT: u64 = 4_096;
const UNIT_TO_FAULT: u64 = 256;

/// How many units a round has.
const UNITS: usize = 32;

/// Into how many parts a tree is split, at least, if it has so many.
const PARTS_MIN: usize = 64;

/// The most outcomes that are told apart; further ones are counted together.
pub const OUTCOMES_MAX: usize = 1_024;

/// How many schedules are drawn to estimate how many there are.
const PROBES: u32 = 400;

/// A search, before, during or after.
#[derive(Serialize, Deserialize)]
pub struct Search {
    /// The scenario as a text, and how it is explored: what a saved search must fit to.
    identity: Identity,
    /// The parts of the tree that are not exhausted; `None` before it was split.
    parts: Option<Vec<Part>>,
    /// Every part has a turn in each lap. The number of the part that is next, and the lap.
    turn: (u64, u64),
    /// What a shard must say of the tree, and of what it does not tell apart.
    tree: Tree,
    strays: BTreeMap<u64, u64>,
    is_exhausted: bool,
    next_block: u64,
    rounds: u64,
    elapsed: Duration,
    end: Option<End>,
    schedules: u64,
    pruned: u64,
    others: u64,
    estimate: Option<f64>,
    outcomes: Vec<Found>,
    coverage: Coverage,
    counts: (u64, u64, u64),
    /// Where each key stands among the outcomes; made anew after a search was loaded.
    #[serde(skip)]
    places: HashMap<u64, usize, BuildHasherDefault<Identical>>,
    /// One machine per thread; made anew as well.
    #[serde(skip)]
    machines: Vec<Box<dyn Machine>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Identity {
    scenario: String,
    strategy: Strategy,
    seed: u64,
    bounds: Bounds,
    reduce: bool,
    #[serde(default)]
    shard: Shard,
}

/// A part of the tree, which keeps its number.
#[derive(Clone, Serialize, Deserialize)]
struct Part {
    number: u64,
    tree: Exhaustive,
}

impl Identity {
    fn of(plan: &Plan, options: &Options) -> Self {
        Self {
            scenario: format!("{}\n{}", plan.scenario.name, plan.scenario),
            strategy: options.strategy,
            seed: options.seed,
            bounds: options.bounds,
            reduce: options.reduce,
            shard: options.shard,
        }
    }

    fn told(&self) -> String {
        let name = self.scenario.lines().next().unwrap_or_default();
        let shard = if self.shard == Shard::WHOLE { String::new() } else { format!(", shard {}", self.shard) };
        format!("{name} by {} from seed {}{shard}", self.strategy, self.seed)
    }
}

impl std::fmt::Debug for Search {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Search")
            .field("identity", &self.identity)
            .field("schedules", &self.schedules)
            .finish_non_exhaustive()
    }
}

/// What one thread does in one go.
enum Unit<'a> {
    Part(&'a mut Exhaustive, u64),
    Block(u64, u64),
}

/// What came of a unit.
#[derive(Default)]
struct Tally {
    schedules: u64,
    pruned: u64,
    places: HashMap<u64, usize, BuildHasherDefault<Identical>>,
    outcomes: Vec<Counted>,
    last: usize,
    has_fault: bool,
    stuck: Option<Schedule>,
}

/// An outcome as a unit met it.
struct Counted {
    key: u64,
    count: u64,
    /// After how many schedules of the unit it came first, and that schedule.
    at: u64,
    schedule: Schedule,
    is_fault: bool,
}

/// A hasher of keys that are hashes.
#[derive(Default)]
struct Identical(u64);

impl Hasher for Identical {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

impl Search {
    /// Returns a search that has not begun.
    pub fn new(plan: &Plan, options: &Options) -> Self {
        Self {
            identity: Identity::of(plan, options),
            parts: None,
            turn: (0, 0),
            tree: Tree::default(),
            strays: BTreeMap::new(),
            is_exhausted: false,
            next_block: 0,
            rounds: 0,
            elapsed: Duration::ZERO,
            end: None,
            schedules: 0,
            pruned: 0,
            others: 0,
            estimate: None,
            outcomes: Vec::new(),
            coverage: Coverage::default(),
            counts: (0, 0, 0),
            places: HashMap::default(),
            machines: Vec::new(),
        }
    }

    /// Returns whether a saved search can go on with `plan` and `options`: only budget and threads may differ.
    ///
    /// # Errors
    ///
    /// [`ExploreError::OtherSearch`], if it cannot.
    pub fn fits(&self, plan: &Plan, options: &Options) -> Result<(), ExploreError> {
        let asked = Identity::of(plan, options);
        match asked == self.identity {
            true => Ok(()),
            false => Err(ExploreError::OtherSearch { saved: self.identity.told(), asked: asked.told() }),
        }
    }

    /// Returns a copy as a saved search is read back.
    pub fn to_saved(&self) -> Self {
        Self {
            identity: self.identity.clone(),
            parts: self.parts.clone(),
            tree: self.tree.clone(),
            strays: self.strays.clone(),
            outcomes: self.outcomes.clone(),
            coverage: self.coverage.clone(),
            places: HashMap::default(),
            machines: Vec::new(),
            ..*self
        }
    }

    /// Returns how many schedules were run, and about how many there are.
    pub fn progress(&self) -> (u64, Option<f64>) {
        (self.schedules, self.estimate)
    }

    /// Goes one round further. Returns whether there is more to do.
    ///
    /// # Errors
    ///
    /// [`ExploreError`], if there is no result.
    pub fn advance(&mut self, locks: &Explorable, plan: &Arc<Plan>, options: &Options) -> Result<bool, ExploreError> {
        let begun = Instant::now();
        if self.is_over(options) {
            return Ok(false);
        }
        while self.machines.len() < options.jobs.max(1) {
            self.machines.push(locks.machine(plan)?);
        }
        let is_exhaustive = match options.strategy {
            Strategy::Exhaustive => true,
            Strategy::Portfolio => !self.is_exhausted && self.rounds.is_multiple_of(2),
            _ => false,
        };
        self.rounds += 1;
        match is_exhaustive {
            true => self.exhaustive_round(locks, plan, options)?,
            false => self.sampled_round(locks, options)?,
        }
        self.elapsed += begun.elapsed();
        for machine in &mut self.machines {
            let books = machine.books_mut();
            let (wakes, grants, polls) = books.take_counts();
            self.counts = (self.counts.0 + wakes, self.counts.1 + grants, self.counts.2 + polls);
            self.coverage.merge(&std::mem::take(&mut books.coverage));
        }
        Ok(!self.is_over(options))
    }

    fn is_over(&mut self, options: &Options) -> bool {
        let is_spent = match options.budget {
            Budget::Schedules(count) if samples_a_shard(options) => {
                options.shard.first_from(self.next_block).saturating_mul(self.unit(options)) >= count
            }
            Budget::Schedules(count) => self.schedules >= options.shard.share(count),
            Budget::Time(time) => self.elapsed >= time,
        };
        self.end = if options.stop_at_fault && self.outcomes.iter().any(Found::is_fault) {
            Some(End::Fault)
        } else if self.is_exhausted {
            Some(End::Exhausted)
        } else if is_spent {
            Some(End::Cut)
        } else {
            None
        };
        self.end.is_some()
    }

    fn unit(&self, options: &Options) -> u64 {
        if options.stop_at_fault { UNIT_TO_FAULT } else { UNIT }
    }

    fn left(&self, options: &Options) -> u64 {
        match options.budget {
            Budget::Schedules(count) => options.shard.share(count).saturating_sub(self.schedules),
            Budget::Time(_) => u64::MAX,
        }
    }

    fn exhaustive_round(
        &mut self,
        locks: &Explorable,
        plan: &Arc<Plan>,
        options: &Options,
    ) -> Result<(), ExploreError> {
        let mut left = self.left(options);
        let mut parts = match self.parts.take() {
            Some(parts) => parts,
            // A small tree needs no parts.
            None => {
                let reduction = if options.reduce { Reduction::of(plan) } else { Reduction::default() };
                if options.shard != Shard::WHOLE {
                    self.estimate_tree(&reduction, options);
                    self.split(&reduction, options)
                } else {
                    let mut whole = Exhaustive::new(reduction.clone());
                    let unit = self.unit(options);
                    let tally = work(&mut *self.machines[0], Unit::Part(&mut whole, unit.min(left)), options);
                    let is_whole = whole.is_done() || tally.has_fault && options.stop_at_fault || left <= unit;
                    if is_whole {
                        // Of a small tree the number is known, unless steps were exchanged.
                        if reduction.commutes() {
                            self.estimate_tree(&reduction, options);
                        }
                        self.merge(locks, options, tally, First::default())?;
                        self.is_exhausted = whole.is_done();
                        if self.is_exhausted && !reduction.commutes() {
                            self.estimate = report::known(self.schedules, &self.alike(plan));
                        }
                        self.parts = Some(vec![Part { number: 0, tree: whole }]);
                        return Ok(());
                    }
                    // What this unit ran, the parts run again.
                    self.machines[0].books_mut().forget_counts();
                    self.estimate_tree(&reduction, options);
                    self.split(&reduction, options)
                }
            }
        };
        if !parts.iter().any(|part| part.number >= self.turn.0) {
            self.turn = (0, self.turn.1 + 1);
        }
        let quota = self.unit(options);
        let (from, lap) = self.turn;
        let mut units = Vec::new();
        let mut numbers = Vec::new();
        for part in parts.iter_mut().filter(|part| part.number >= from).take(UNITS) {
            let share = quota.min(left);
            left -= share;
            if share > 0 {
                numbers.push(part.number);
                units.push(Unit::Part(&mut part.tree, share));
            }
        }
        let tallies = run_units(&mut self.machines, units, options);
        for (tally, part) in tallies.into_iter().zip(numbers) {
            self.turn.0 = part + 1;
            if options.shard != Shard::WHOLE {
                *self.tree.schedules.entry(part).or_default() += tally.schedules;
            }
            self.merge(locks, options, tally, First { lap, part, at: 0 })?;
        }
        parts.retain(|part| !part.tree.is_done());
        self.is_exhausted = parts.is_empty();
        self.parts = Some(parts);
        Ok(())
    }

    /// Returns the sets of tasks that the search takes for alike.
    fn alike(&self, plan: &Plan) -> Vec<Vec<TaskName>> {
        let exchanges = self.identity.reduce && self.identity.strategy == Strategy::Exhaustive;
        if exchanges { plan.sets_of_alike() } else { Vec::new() }
    }

    fn estimate_tree(&mut self, reduction: &Reduction, options: &Options) {
        let estimate = aside(&mut *self.machines[0], |machine| estimate(machine, options));
        (self.tree.reduces, self.tree.estimate) = (reduction.commutes(), Some(estimate));
        // A shard says how large its own part is when it has run it.
        self.estimate = Some(estimate).filter(|_| options.shard == Shard::WHOLE);
    }

    /// Splits the tree, and returns the parts that belong to the shard.
    fn split(&mut self, reduction: &Reduction, options: &Options) -> Vec<Part> {
        let mut pruned = 0;
        // What it runs the parts run again, but for the runs that are broken off above them: what those see is seen.
        let counts = self.machines[0].books_mut().take_counts();
        let parts = split(&mut *self.machines[0], reduction, options, &mut pruned);
        self.machines[0].books_mut().set_counts(counts);
        let choices = parts.iter().flat_map(Exhaustive::beginning);
        let hash = choices.fold(parts.len() as u64, mix);
        self.tree.split = (parts.len() as u64, hash);
        self.tree.pruned_by_split = pruned;
        self.pruned += pruned;
        let numbered = (0..).zip(parts).map(|(number, tree)| Part { number, tree });
        numbered.filter(|part| options.shard.has(part.number)).collect()
    }

    fn sampled_round(&mut self, locks: &Explorable, options: &Options) -> Result<(), ExploreError> {
        let mut left = self.left(options);
        let mut units = Vec::new();
        for _ in 0..UNITS {
            let block = options.shard.first_from(self.next_block);
            if let (true, Budget::Schedules(count)) = (samples_a_shard(options), options.budget) {
                left = count.saturating_sub(block.saturating_mul(self.unit(options)));
            }
            let share = self.unit(options).min(left);
            left -= share;
            if share > 0 {
                units.push(Unit::Block(block, share));
                self.next_block = block + 1;
            }
        }
        let tallies = run_units(&mut self.machines, units, options);
        for tally in tallies {
            self.merge(locks, options, tally, First::default())?;
        }
        Ok(())
    }

    /// Takes in what came of a unit. The first schedule of every new outcome is confirmed.
    fn merge(&mut self, locks: &Explorable, options: &Options, tally: Tally, turn: First) -> Result<(), ExploreError> {
        // A search that stops at a fault has not run what comes after it, on however many threads.
        if options.stop_at_fault && self.outcomes.iter().any(Found::is_fault) {
            return Ok(());
        }
        if let Some(schedule) = tally.stuck {
            let scenario = self.identity.scenario.lines().next().unwrap_or_default().to_owned();
            return Err(ExploreError::Diverges { scenario, attempts: ATTEMPTS_MAX, schedule });
        }
        if self.places.len() != self.outcomes.len() {
            self.places = self.outcomes.iter().enumerate().map(|(place, found)| (found.key, place)).collect();
        }
        for Counted { key, count, at, schedule, is_fault } in tally.outcomes {
            if let Some(place) = self.places.get(&key) {
                self.outcomes[*place].count += count;
            } else if self.outcomes.len() >= OUTCOMES_MAX || options.stop_at_fault && !is_fault {
                self.others += count;
                let is_counted = self.strays.len() < STRAYS_MAX || self.strays.contains_key(&key);
                if options.shard != Shard::WHOLE && is_counted {
                    *self.strays.entry(key).or_default() += count;
                }
            } else {
                let found =
                    aside(&mut *self.machines[0], |machine| confirm(locks, machine, &options.bounds, &schedule))?;
                if options.shard != Shard::WHOLE {
                    self.tree.firsts.insert(key, First { at, ..turn });
                }
                self.places.insert(key, self.outcomes.len());
                self.outcomes.push(Found { key, count, at: self.schedules + at, ..found });
            }
        }
        self.schedules += tally.schedules;
        self.pruned += tally.pruned;
        Ok(())
    }

    /// Returns what was found so far.
    pub fn report(&self, plan: &Plan) -> Report {
        self.tell(plan, self.outcomes.clone(), self.coverage.clone())
    }

    /// The same, of a search that is over.
    pub(super) fn into_report(mut self, plan: &Plan) -> Report {
        let (outcomes, coverage) = (std::mem::take(&mut self.outcomes), std::mem::take(&mut self.coverage));
        self.tell(plan, outcomes, coverage)
    }

    fn tell(&self, plan: &Plan, outcomes: Vec<Found>, coverage: Coverage) -> Report {
        let mut report = Report {
            scenario: plan.scenario.name.clone(),
            alike: self.alike(plan),
            strategy: self.identity.strategy,
            end: self.end.unwrap_or(End::Cut),
            schedules: self.schedules,
            pruned: self.pruned,
            estimate: self.estimate,
            outcomes,
            others: self.others,
            coverage,
            wakes: self.counts.0,
            grants: self.counts.1,
            polls: self.counts.2,
        };
        report.sort();
        report
    }

    /// Returns what was found, as it is saved and joined with the other shards of the search.
    pub fn piece(&self, plan: &Plan) -> Piece {
        let is_part_of_a_tree = self.identity.shard != Shard::WHOLE && self.identity.strategy == Strategy::Exhaustive;
        Piece {
            scenario: self.identity.scenario.clone(),
            report: self.report(plan),
            tree: is_part_of_a_tree.then(|| self.tree.clone()),
            strays: self.strays.clone(),
        }
    }
}

/// Returns whether the schedules of a shard can be numbered beforehand: those of blocks can.
fn samples_a_shard(options: &Options) -> bool {
    options.shard != Shard::WHOLE && options.strategy != Strategy::Exhaustive
}

/// Does something with a machine that is no part of the search, so that it is not counted.
fn aside<T>(machine: &mut dyn Machine, act: impl FnOnce(&mut dyn Machine) -> T) -> T {
    let books = machine.books_mut();
    let (counts, coverage) = (books.take_counts(), std::mem::take(&mut books.coverage));
    let result = act(machine);
    let books = machine.books_mut();
    books.set_counts(counts);
    books.coverage = coverage;
    result
}

/// Runs units on as many threads as there are machines, and returns what came of each, in their order.
fn run_units(machines: &mut [Box<dyn Machine>], units: Vec<Unit<'_>>, options: &Options) -> Vec<Tally> {
    if machines.len() == 1 || units.len() == 1 {
        let mut tallies = Vec::with_capacity(units.len());
        for unit in units {
            let tally = work(&mut *machines[0], unit, options);
            let is_enough = options.stop_at_fault && tally.has_fault;
            tallies.push(tally);
            if is_enough {
                break;
            }
        }
        return tallies;
    }
    let units: Vec<Mutex<Option<Unit<'_>>>> = units.into_iter().map(|unit| Mutex::new(Some(unit))).collect();
    let tallies: Vec<Mutex<Option<Tally>>> = units.iter().map(|_| Mutex::new(None)).collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for machine in machines.iter_mut() {
            let (units, tallies, next) = (&units, &tallies, &next);
            scope.spawn(move || {
                while let Some(unit) = units.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let place = units.iter().position(|known| std::ptr::eq(known, unit)).unwrap_or_default();
                    if let Some(unit) = unit.lock().unwrap_or_else(PoisonError::into_inner).take() {
                        let tally = work(&mut **machine, unit, options);
                        *tallies[place].lock().unwrap_or_else(PoisonError::into_inner) = Some(tally);
                    }
                }
            });
        }
    });
    tallies.into_iter().filter_map(|tally| tally.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
}

fn work(machine: &mut dyn Machine, unit: Unit<'_>, options: &Options) -> Tally {
    let mut tally = Tally::default();
    match unit {
        Unit::Part(part, share) => {
            let mut astray = 0;
            while tally.schedules < share && !part.is_done() {
                part.begin();
                match run_in_time(machine, &options.bounds, part) {
                    None => {
                        tally.stuck = Some(part.schedule());
                        break;
                    }
                    Some(true) => tally.count(machine, || part.schedule()),
                    Some(false) if part.stop() == Stop::Diverged => {
                        machine.books_mut().discard();
                        astray = if part.correct() { 0 } else { astray + 1 };
                        if astray < ATTEMPTS_MAX {
                            continue;
                        }
                        tally.stuck = Some(part.schedule());
                        break;
                    }
                    Some(false) => {
                        machine.books_mut().uncount();
                        tally.pruned += 1;
                    }
                }
                part.next();
                if options.stop_at_fault && tally.has_fault {
                    break;
                }
            }
        }
        Unit::Block(block, share) => {
            const PORTFOLIO: [Sampler; 3] = [Sampler::Pct, Sampler::Uniform, Sampler::Random];
            let sampler = match options.strategy {
                Strategy::Random => Sampler::Random,
                Strategy::Uniform => Sampler::Uniform,
                Strategy::Pct => Sampler::Pct,
                Strategy::Exhaustive | Strategy::Portfolio => PORTFOLIO[block as usize % PORTFOLIO.len()],
            };
            let mut sampled = Sampled::new(sampler, Random::new(options.seed, block), machine.plan());
            while tally.schedules < share {
                sampled.begin();
                if run_in_time(machine, &options.bounds, &mut sampled).is_none() {
                    tally.stuck = Some(sampled.schedule().clone());
                    break;
                }
                tally.count(machine, || sampled.schedule().clone());
                if options.stop_at_fault && tally.has_fault {
                    break;
                }
            }
        }
    }
    tally
}

impl Tally {
    fn count(&mut self, machine: &dyn Machine, schedule: impl FnOnce() -> Schedule) {
        let books = machine.books();
        let key = books.key();
        self.schedules += 1;
        if let Some(last) = self.outcomes.get_mut(self.last).filter(|last| last.key == key) {
            last.count += 1;
            return;
        }
        let next = self.outcomes.len();
        let place = *self.places.entry(key).or_insert(next);
        self.last = place;
        if place == next {
            let is_fault = is_fault(books.verdict()) || books.herd();
            self.has_fault |= is_fault;
            self.outcomes.push(Counted { key, count: 1, at: self.schedules - 1, schedule: schedule(), is_fault });
        } else {
            self.outcomes[place].count += 1;
        }
    }
}

/// Splits the tree of schedules into parts, the same whatever the number of threads.
fn split(machine: &mut dyn Machine, reduction: &Reduction, options: &Options, pruned: &mut u64) -> Vec<Exhaustive> {
    let mut ceiling = 1;
    loop {
        let mut tree = Exhaustive::new(reduction.clone()).with_ceiling(ceiling);
        let mut parts = Vec::new();
        let (mut is_cut, mut asleep) = (false, 0);
        while !tree.is_done() {
            tree.begin();
            let is_complete = run_in_time(machine, &options.bounds, &mut tree) == Some(true);
            match tree.stop() {
                Stop::Asleep if !is_complete => asleep += 1,
                Stop::Diverged => {
                    tree.correct();
                    continue;
                }
                stop => {
                    is_cut |= stop == Stop::Ceiling;
                    parts.push(tree.below());
                }
            }
            tree.next();
        }
        if parts.len() >= PARTS_MIN || !is_cut {
            *pruned += asleep;
            return parts;
        }
        ceiling += 1;
    }
}

/// Draws schedules and multiplies how many choices there were: on average that is how many schedules there are (Knuth,
/// "Estimating the efficiency of backtrack programs", 1975).
fn estimate(machine: &mut dyn Machine, options: &Options) -> f64 {
    struct Probe {
        random: Random,
        product: f64,
    }
    impl Chooser for Probe {
        fn choose(&mut self, offer: &Choices, _: u32, _: &dyn Fn(TaskIndex) -> usize) -> Option<Choice> {
            let count = offer.count();
            self.product *= f64::from(count);
            offer.nth(self.random.below(count))
        }

        fn rewind(&mut self) {}
    }
    let mut probe = Probe { random: Random::new(options.seed, u64::MAX), product: 1.0 };
    let mut sum = 0.0;
    for _ in 0..PROBES {
        probe.product = 1.0;
        machine.run(&options.bounds, &mut probe);
        sum += probe.product;
    }
    // A whole number, which is the same when it was saved and read back.
    (sum / f64::from(PROBES)).round()
}
