//! `keyalike explore`: every order of explored scenarios on lock libraries, with no runtime.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use backends::Locks;
use harness::explore::plan::Plan;
use harness::explore::{Bounds, Budget, End, Options, Report, Search, Strategy};
use harness::outcome::grade;
use harness::scenario::diagnostic::nearest;
use harness::scenario::name::ScenarioName;
use harness::suite::{EXTENSION, Suite, read_plan};
use harness::verdict::Grade;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::{Deserialize, Serialize};

use crate::backend_choice::matcher;
use crate::budget::parse_budget;
use crate::failure::{Ending, Failure};
use crate::scenario_choice::SuiteChoice;
use crate::{bootstrap, output};

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
    /// When to stop, for each scenario and library: a number of schedules, or a time such as 30s
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
    /// Run also schedules that differ only in the order of steps on different objects
    #[arg(long)]
    no_reduction: bool,
    /// Save the search to FILE as it goes, and go on from there if FILE is there. Removed when all is done
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    #[command(flatten)]
    suite: SuiteChoice,
}

impl Explore {
    /// Explores and reports.
    pub(crate) fn execute(&self) -> Result<Ending, Failure> {
        bootstrap::require_backends()?;
        let suite = self.suite.read()?;
        let plans = self.choose_plans(&suite)?;
        let locks = choose_locks(&self.backends)?;
        let options = self.options();
        let mut checkpoint = Checkpoint::open(self.checkpoint.as_deref())?;
        let mut ending = Ending::Expected;
        for plan in plans.values() {
            for locks in &locks {
                let report = self.search(plan, locks, &options, &mut checkpoint)?;
                output::print(&told(&report, plan, locks))?;
                if report
                    .outcomes
                    .iter()
                    .any(|found| grade(&plan.scenario, found.verdict, Vec::new).0 == Grade::Violates)
                {
                    ending = Ending::Unexpected;
                }
            }
        }
        checkpoint.close()?;
        Ok(ending)
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
            stop_at_fault: false,
        }
    }

    fn search(
        &self,
        plan: &Arc<Plan>,
        locks: &Locks,
        options: &Options,
        checkpoint: &mut Checkpoint,
    ) -> Result<Report, Failure> {
        let key = format!("{} {}", locks.id, plan.scenario.name);
        let mut search = match checkpoint.take(&key) {
            Some(saved) => {
                saved.fits(plan, options)?;
                saved
            }
            None => Search::new(plan, options),
        };
        let bar = progress(&key);
        let mut saved = Instant::now();
        loop {
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
                break;
            }
            if saved.elapsed() >= CHECKPOINT_EVERY {
                search = checkpoint.save(&key, search);
                saved = Instant::now();
            }
        }
        bar.finish_and_clear();
        let report = search.report(plan);
        checkpoint.save(&key, search);
        Ok(report)
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
            let hint = format!(
                "the lock libraries built in are {}",
                all.iter().map(|it| it.id).collect::<Vec<_>>().join(", ")
            );
            return Err(Failure::Unknown { what: "backend to explore", name: pattern.clone(), hint });
        }
    }
    Ok(all.into_iter().filter(|locks| chosen.contains(locks.id)).collect())
}

/// Tells a report.
fn told(report: &Report, plan: &Plan, locks: &Locks) -> String {
    let (name, version) = locks.subject;
    let mut text = format!("{}  {} ({name} {version})\n", report.scenario, locks.id);
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
    if report.diverged > 0 {
        facts.push(format!("{} took another course and were run again", report.diverged));
    }
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
        let graded = grade(&plan.scenario, found.verdict, Vec::new).0;
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

/// The searches that were saved, and are to be.
#[derive(Default, Serialize, Deserialize)]
struct Saved {
    schema: u32,
    searches: BTreeMap<String, Search>,
}

/// The schema of a checkpoint.
const SCHEMA: u32 = 1;

/// A file in which searches are saved as they go.
struct Checkpoint {
    path: Option<PathBuf>,
    saved: Saved,
    /// What kept it from being written; the report is told all the same.
    trouble: Option<std::io::Error>,
}

impl Checkpoint {
    fn open(path: Option<&Path>) -> Result<Self, Failure> {
        let mut saved = Saved { schema: SCHEMA, ..Saved::default() };
        if let Some(path) = path {
            match std::fs::read(path) {
                Ok(bytes) => {
                    let bad = |reason: String| Failure::Checkpoint { path: path.to_owned(), reason };
                    saved = serde_json::from_slice(&bytes).map_err(|error| bad(error.to_string()))?;
                    if saved.schema != SCHEMA {
                        return Err(bad(format!("it has the schema {}, and this program {SCHEMA}", saved.schema)));
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => output::check_target(path)?,
                Err(source) => return Err(Failure::Read { path: path.to_owned(), source }),
            }
        }
        Ok(Self { path: path.map(Path::to_owned), saved, trouble: None })
    }

    fn take(&mut self, key: &str) -> Option<Search> {
        self.saved.searches.remove(key)
    }

    /// Saves a search and gives it back. The file is replaced as a whole, so that there always is one.
    fn save(&mut self, key: &str, search: Search) -> Search {
        let Some(path) = &self.path else { return search };
        self.saved.searches.insert(key.to_owned(), search);
        let written = serde_json::to_vec(&self.saved).map_err(std::io::Error::other).and_then(|bytes| {
            let beside = path.with_extension("partial");
            std::fs::write(&beside, bytes)?;
            std::fs::rename(&beside, path)
        });
        if let Err(error) = written {
            self.trouble = Some(error);
        }
        // The copy in the map is what the file says; the caller goes on with the search itself.
        let copy = self.saved.searches.get(key).map(Search::to_saved);
        match (self.saved.searches.remove(key), copy) {
            (Some(search), Some(copy)) => {
                self.saved.searches.insert(key.to_owned(), copy);
                search
            }
            _ => unreachable!("it was put in"),
        }
    }

    /// Removes the file: all is done.
    fn close(self) -> Result<(), Failure> {
        let Some(path) = self.path else { return Ok(()) };
        if let Some(source) = self.trouble {
            return Err(Failure::CheckpointWrite { path, source });
        }
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(Failure::CheckpointWrite { path, source })
            }
            _ => Ok(()),
        }
    }
}

fn progress(key: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {bar:30} {human_pos}/{human_len} schedules {per_sec} {elapsed}");
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.set_message(key.to_owned());
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
