//! `keyalike explore`: every order of explored scenarios on lock libraries, with no runtime.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use backends::Locks;
use harness::explore::plan::Plan;
use harness::explore::shard::{Piece, Shard};
use harness::explore::{Bounds, Budget, End, Options, Report, Search, Strategy};
use harness::isolation::Workshop;
use harness::outcome::grade;
use harness::scenario::Scenario;
use harness::scenario::diagnostic::nearest;
use harness::scenario::name::ScenarioName;
use harness::suite::{EXTENSION, Suite, read_plan};
use harness::twists::Twist;
use harness::verdict::Grade;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::budget::parse_budget;
use crate::checkpoint::Checkpoint;
use crate::explorations_file::{Explorations, Head, Place};
use crate::failure::{Ending, Failure};
use crate::glob::matcher;
use crate::kept_file::{Kept, KeptFile};
use crate::scenario_choice::SuiteChoice;
use crate::{bootstrap, interrupt, output, twists};

/// How often a checkpoint is written, at most.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(5);

/// The arguments of `explore`.
#[derive(Debug, clap::Args)]
pub(crate) struct Explore {
    /// Explore the lock libraries of these backends: the id of a backend or of a lock library, or a glob. Without it, all
    /// that are built in
    #[arg(long = "backend", value_name = "GLOB")]
    backends: Vec<String>,
    /// Explore these scenarios: a name, a theme, a glob on names, or the path of a file. Without it, all of the suites
    #[arg(long = "scenario", value_name = "GLOB|PATH")]
    scenarios: Vec<String>,
    /// How to go through the schedules: exhaustive, random, uniform, pct or portfolio
    #[arg(long, default_value_t = Strategy::Exhaustive)]
    strategy: Strategy,
    /// When to stop, for each scenario and library: a number of schedules of all shards together, or a time such as 30s
    #[arg(long, value_name = "N|TIME", default_value = "1000000", value_parser = parse_budget)]
    budget: Budget,
    /// What random choices begin with
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// How many threads explore; any number gives the same result
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// The most cancels in one schedule
    #[arg(long, value_name = "N", default_value_t = Bounds::default().cancels)]
    cancels: u8,
    /// The most things in one schedule that need not happen: cancels, aborts and polls of tasks that were not woken
    #[arg(long, value_name = "N", default_value_t = Bounds::default().total)]
    deviations: u8,
    /// Run also schedules that differ only in the order of steps on different objects, or in which of several tasks that
    /// do the same did what
    #[arg(long)]
    no_reduction: bool,
    /// Explore part I of N alone: parts of the tree of schedules, or blocks of samples. Not with the portfolio
    #[arg(long, value_name = "I/N", default_value_t = Shard::WHOLE)]
    shard: Shard,
    /// Save the search to FILE as it goes, and go on from there if FILE is there. Removed when all is done
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Keep what came of each scenario in this file, and go on from there if it is there. `keyalike merge` joins such files
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Run the first schedule of every outcome again, for each task that waits, with a waker that polls its task at once,
    /// asks or tries the same lock, or panics: in a watched process, for a lock that wakes under its own lock hangs there
    #[arg(long, conflicts_with_all = ["shard", "out"])]
    acting_wakers: bool,
    /// Run the first schedule of every outcome again, for each of its acquires, with the cooperative budget spent before
    #[arg(long, conflicts_with_all = ["shard", "out"])]
    spent_budget: bool,
    #[command(flatten)]
    suite: SuiteChoice,
}

impl Explore {
    /// Explores and reports.
    pub(crate) fn execute(&self) -> Result<Ending, Failure> {
        bootstrap::require_backends()?;
        if self.strategy == Strategy::Portfolio && self.shard != Shard::WHOLE {
            return Err(Failure::NoShards);
        }
        let suite = self.suite.read()?;
        let plans = self.choose_plans(&suite)?;
        let locks = choose_locks(&self.backends)?;
        interrupt::note()?;
        let options = self.options();
        let mut checkpoint = Checkpoint::open(self.checkpoint.as_deref())?;
        let head = self.head(&plans, &locks, &options);
        let (mut file, known) = match &self.out {
            None => (None, BTreeMap::new()),
            Some(path) => {
                let (file, contents) = KeptFile::open::<Explorations>(path, &head)?;
                (Some(file).filter(|_| !contents.is_whole), contents.results)
            }
        };
        let workers = Arc::new(Workshop::new(None));
        let mut twists: Vec<Twist> = Vec::new();
        twists.extend(Twist::WAKERS.iter().filter(|_| self.acting_wakers));
        twists.extend(self.spent_budget.then_some(Twist::BudgetSpent));
        let mut ending = Ending::Expected;
        let mut done = 0;
        for (plan, text) in plans.values().zip(&head.scenarios) {
            for locks in &locks {
                let place = Place { scenario: text.clone(), library: locks.id.to_owned() };
                let (piece, is_over) = match known.get(&place) {
                    Some(piece) => (piece.clone(), true),
                    None => self.search(plan, locks, &options, &mut checkpoint)?,
                };
                let library = Library { id: locks.id, name: locks.subject.0, version: locks.subject.1 };
                output::print(&told(&piece.report, &plan.scenario, &library, self.shard))?;
                if violates(&piece.report, &plan.scenario) {
                    ending = ending.or(Ending::Unexpected);
                }
                if !twists.is_empty() {
                    let (text, twisted) = twists::run(&piece.report, locks, &twists, &workers);
                    output::print(&text)?;
                    ending = ending.or(twisted);
                }
                if is_over && !known.contains_key(&place) {
                    file.iter_mut().for_each(|file| file.add::<Explorations>(&place, &piece));
                }
                done += usize::from(is_over);
                if let Some(code) = interrupt::came() {
                    checkpoint.leave()?;
                    return file.and_then(KeptFile::close).map_or(Ok(Ending::Interrupted(code)), Err);
                }
            }
        }
        file.iter_mut().for_each(|file| file.end::<Explorations>(done));
        if let Some(failure) = file.and_then(KeptFile::close) {
            return Err(failure);
        }
        checkpoint.close()?;
        Ok(ending)
    }

    fn head(&self, plans: &BTreeMap<ScenarioName, Arc<Plan>>, locks: &[Locks], options: &Options) -> Head {
        let libraries = locks.iter().map(|it| (it.id.to_owned(), it.subject.0.to_owned(), it.subject.1.to_owned()));
        Head {
            explore: Explorations::SCHEMA,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            libraries: libraries.collect(),
            scenarios: plans.values().map(|plan| Search::new(plan, options).piece(plan).scenario).collect(),
            strategy: options.strategy,
            budget: options.budget,
            seed: options.seed,
            bounds: options.bounds,
            reduce: options.reduce,
            shard: options.shard,
        }
    }

    fn options(&self) -> Options {
        let threads = || std::thread::available_parallelism().map_or(1, usize::from);
        Options {
            strategy: self.strategy,
            budget: self.budget,
            seed: self.seed,
            jobs: self.jobs.map_or_else(threads, NonZeroUsize::get),
            bounds: Bounds { cancels: self.cancels, total: self.deviations, ..Bounds::default() },
            reduce: !self.no_reduction,
            shard: self.shard,
            stop_at_fault: false,
        }
    }

    fn search(
        &self,
        plan: &Arc<Plan>,
        locks: &Locks,
        options: &Options,
        checkpoint: &mut Checkpoint,
    ) -> Result<(Piece, bool), Failure> {
        let key = format!("{} {}", locks.id, plan.scenario.name);
        // Whether it came to its end, and was not interrupted.
        let mut is_over = false;
        let mut search = match checkpoint.take(&key) {
            Some(saved) => {
                saved.fits(plan, options)?;
                saved
            }
            None => Search::new(plan, options),
        };
        let bar = progress(&key);
        let mut saved = Instant::now();
        while interrupt::came().is_none() {
            let goes_on = search.advance(&locks.explorable, plan, options)?;
            let (schedules, estimate) = search.progress();
            bar.set_position(schedules);
            match (estimate, options.budget) {
                (Some(estimate), Budget::Schedules(count)) => bar.set_length((estimate as u64).min(count)),
                (None, Budget::Schedules(count)) => bar.set_length(count),
                (Some(estimate), Budget::Time(_)) => bar.set_length(estimate as u64),
                (None, Budget::Time(_)) => {}
            }
            if !goes_on {
                is_over = true;
                break;
            }
            if saved.elapsed() >= CHECKPOINT_EVERY {
                search = checkpoint.save(&key, search);
                saved = Instant::now();
            }
        }
        bar.finish_and_clear();
        let piece = search.piece(plan);
        checkpoint.save(&key, search);
        Ok((piece, is_over))
    }

    fn choose_plans(&self, suite: &Suite) -> Result<BTreeMap<ScenarioName, Arc<Plan>>, Failure> {
        if self.scenarios.is_empty() {
            return Ok(suite.explored.clone());
        }
        let mut chosen = BTreeMap::new();
        for pattern in &self.scenarios {
            let path = Path::new(pattern);
            if path.extension().is_some_and(|extension| extension == EXTENSION) && path.is_file() {
                let plan = read_plan(path, &path.with_extension(""))?;
                chosen.insert(plan.scenario.name.clone(), plan);
                continue;
            }
            let matcher = matcher(pattern)?;
            let is_match = |name: &ScenarioName| matcher.is_match(name.as_str()) || name.theme() == pattern;
            let mut found = suite.explored.iter().filter(|(name, _)| is_match(name)).peekable();
            if found.peek().is_none() {
                let names = suite.explored.keys().map(ScenarioName::as_str);
                let hint = match (suite.programs.keys().any(is_match), nearest(pattern, names)) {
                    (true, _) => "it has a script; run it with `keyalike run`".to_owned(),
                    (false, Some(near)) => format!("did you mean `{near}`?"),
                    (false, None) => "`keyalike list` lists them".to_owned(),
                };
                return Err(Failure::Unknown { what: "explored scenario", name: pattern.clone(), hint });
            }
            chosen.extend(found.map(|(name, plan)| (name.clone(), Arc::clone(plan))));
        }
        Ok(chosen)
    }
}

/// Returns the lock libraries that `patterns` name: by their own ids, or by those of backends.
pub(crate) fn choose_locks(patterns: &[String]) -> Result<Vec<Locks>, Failure> {
    let all = backends::lock_libraries();
    if patterns.is_empty() {
        return Ok(all);
    }
    let entries = backends::all();
    let mut chosen = BTreeSet::new();
    for pattern in patterns {
        let matcher = matcher(pattern)?;
        let of_backends = entries.iter().filter(|entry| matcher.is_match(&entry.id)).map(|entry| entry.locks);
        let own = all.iter().map(|locks| locks.id).filter(|id| pattern == "all" || matcher.is_match(id));
        let before = chosen.len();
        let found: Vec<&str> = own.chain(of_backends).collect();
        chosen.extend(found.iter().copied());
        if found.is_empty() && chosen.len() == before {
            let own: Vec<&str> = all.iter().map(|locks| locks.id).collect();
            let known: Vec<String> = backends::known().into_iter().map(|known| known.id).collect();
            let near = nearest(pattern, own.iter().copied().chain(known.iter().map(String::as_str)));
            let near = near.map_or_else(String::new, |near| format!("did you mean `{near}`? "));
            let hint = format!("{near}the lock libraries built in are {}", own.join(", "));
            return Err(Failure::Unknown { what: "backend to explore", name: pattern.clone(), hint });
        }
    }
    Ok(all.into_iter().filter(|locks| chosen.contains(locks.id)).collect())
}

/// A lock library, as a report calls it.
pub(crate) struct Library<'a> {
    pub(crate) id: &'a str,
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
}

impl<'a> Library<'a> {
    /// Returns the library of an id, a crate and a version.
    pub(crate) fn of((id, name, version): &'a (String, String, String)) -> Self {
        Self { id, name, version }
    }
}

/// Returns whether a rule of the scenario forbids one of the outcomes.
pub(crate) fn violates(report: &Report, scenario: &Scenario) -> bool {
    let violates = |verdict| grade(scenario, verdict, Vec::new).0 == Grade::Violates;
    report.outcomes.iter().any(|found| violates(found.verdict))
}

/// Tells a report.
pub(crate) fn told(report: &Report, scenario: &Scenario, library: &Library<'_>, shard: Shard) -> String {
    let part = if shard == Shard::WHOLE { String::new() } else { format!(", shard {shard}") };
    let mut text = format!("{}  {} ({} {}){part}\n", report.scenario, library.id, library.name, library.version);
    let end = match report.end {
        End::Exhausted => "exhausted".to_owned(),
        End::Cut => format!("cut at {}", report.schedules),
        End::Fault => "stopped at a fault".to_owned(),
    };
    let mut facts = vec![format!("{end}: {} schedules by {}", report.schedules, report.strategy)];
    if report.pruned > 0 {
        facts.push(format!("{} broken off as equal to others", report.pruned));
    }
    match (report.saving(), report.estimate) {
        (Some(saving), _) if saving >= 1.5 => facts.push(format!("the reduction saves {saving:.1} times")),
        (None, Some(estimate)) => facts.push(format!("of about {estimate:.0}")),
        _ => {}
    }
    facts.extend(report.alike().map(|set| format!("alike are {set}")));
    text.push_str(&format!("  {}\n", facts.join("; ")));
    let coverage = &report.coverage;
    text.push_str(&format!(
        "  about {} orders of grants, {} places of a cancel, {} states of the queue; {:.2} wakes and {:.2} polls a grant\n",
        coverage.orders(),
        coverage.cancels(),
        coverage.states(),
        report.wakes as f64 / report.grants.max(1) as f64,
        report.polls as f64 / report.grants.max(1) as f64,
    ));
    if report.others > 0 {
        text.push_str(&format!("  {} schedules with further outcomes are not told apart\n", report.others));
    }
    for found in &report.outcomes {
        let graded = grade(scenario, found.verdict, Vec::new).0;
        let mark = if graded == Grade::Violates || found.is_fault() { " !" } else { "" };
        text.push_str(&format!("\n  {} schedules: {}{mark}\n", found.count, found.verdict));
        for line in &found.lines {
            text.push_str(&format!("    {line}\n"));
        }
        text.push_str("    first schedule:\n");
        for line in &found.script.lines {
            text.push_str(&format!("      {line}\n"));
        }
        if found.is_fault() {
            text.push_str("    replayed:\n");
            text.extend(found.transcript.iter().map(|line| format!("      {line}\n")));
        }
    }
    text.push('\n');
    text
}

fn progress(key: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {bar:30} {human_pos}/{human_len} schedules {per_sec} {elapsed}");
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.set_message(key.to_owned());
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
