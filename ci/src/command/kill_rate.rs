//! `keyalike kill-rate`: how many planted broken locks each strategy finds out, and how fast.

use std::sync::Arc;
use std::time::{Duration, Instant};

use harness::explore::plan::{Occasions, Plan};
use harness::explore::{Bounds, Budget, Found, Options, Search, Strategy, replay};
use harness::report::paint::TITLE;
use harness::scenario::parse::parse;
use indicatif::{ProgressBar, ProgressDrawTarget};
use planted::Planted;

use crate::budget::parse_budget;
use crate::failure::{Ending, Failure};
use crate::histories::Scripts;
use crate::{interrupt, output};

/// How many seeds a strategy is tried with; one that takes no chances needs one.
const SEEDS: u64 = 5;

/// The programs that every planted lock is explored with: general ones, made for no lock in particular.
const PROGRAMS: [&str; 7] = [
    "mutex m\n\nA: acquire m, release m\nB: acquire m, release m\nC: acquire m, release m\n",
    "mutex m\n\nA: acquire m, release m\nB: acquire m, release m\nC: try-acquire m, release m\nD: is-locked m\n",
    "mutex m\n\nA: acquire m, release m\nB: start x acquire m, acquire m, release m, drop x\nC: prepare x acquire m, drop x, acquire m, release m\n",
    "mutex m\n\nA: acquire m, release m\nB: start x acquire m, start y acquire m, drop x, await y, release m\n",
    "mutex m\n\nA: acquire m, panic\nB: acquire m, release m elsewhere\nC: acquire m, release m\n",
    "mutex m\n\nA: acquire m, is-locked m, release m, is-locked m\nB: acquire m, release m elsewhere\nC: acquire m, return\n",
    "mutex m\n\nA[1..6]: acquire m, release m, acquire m, release m\n",
];

/// The arguments of `kill-rate`.
#[derive(Debug, clap::Args)]
pub(crate) struct KillRate {
    /// How long one strategy looks at one lock with one seed: a number of schedules, or a time
    #[arg(long, value_name = "N|TIME", default_value = "10s", value_parser = parse_budget)]
    budget: Budget,
    /// Try only these strategies
    #[arg(long = "strategy", value_name = "STRATEGY")]
    strategies: Vec<Strategy>,
    /// Run the scripts of all kills, and the schedules of honest locks, on this release as well, such as smol+tokio@0.2.3:
    /// counted apart
    #[arg(long = "release", value_name = "ID")]
    releases: Vec<String>,
    /// Print the script of every kill of the portfolio, and what it replays to
    #[arg(long)]
    scripts: bool,
}

/// A kill and its program, if there was one; after how many schedules; and how long it took.
type Hunt = (Option<(Found, usize)>, u64, Duration);

/// One lock as one strategy saw it.
struct Verdict {
    lock: &'static str,
    /// After how many schedules it was found out, with each seed that did.
    kills: Vec<u64>,
    seeds: u64,
    slowest: Duration,
    first: Option<(Found, usize)>,
}

impl KillRate {
    /// Measures and tells.
    pub(crate) fn execute(&self) -> Result<Ending, Failure> {
        // Locks and tasks panic here by design, and each panic is part of an outcome.
        std::panic::set_hook(Box::new(|_| {}));
        interrupt::note()?;
        let plans = plans()?;
        for lock in planted::honest() {
            for strategy in Strategy::ALL {
                if let (Some((found, program)), ..) = self.hunt(&lock, &plans, strategy, 0, HONEST)? {
                    let text =
                        format!("the honest lock {} is accused in program {program}:\n{}", lock.id, found.script);
                    return Err(Failure::Unconfirmed(text));
                }
            }
        }
        let locks = planted::broken();
        let strategies = if self.strategies.is_empty() { Strategy::ALL.to_vec() } else { self.strategies.clone() };
        let bar =
            ProgressBar::with_draw_target(Some((locks.len() * strategies.len()) as u64), ProgressDrawTarget::stderr());
        let mut rows = vec![
            "| strategy | killed | median schedules to the kill | slowest kill | survivors |".to_owned(),
            "|---|---|---|---|---|".to_owned(),
        ];
        let mut scripts = String::new();
        let mut found = Scripts::default();
        let mut ending = Ending::Expected;
        for strategy in strategies {
            let mut verdicts = Vec::new();
            for lock in &locks {
                let verdict = self.judge(lock, &plans, strategy)?;
                if interrupt::came().is_some() {
                    break;
                }
                verdicts.push(verdict);
                bar.inc(1);
            }
            if verdicts.is_empty() {
                break;
            }
            verdicts.iter().filter_map(|verdict| verdict.first.as_ref()).for_each(|(kill, _)| found.add(&kill.script));
            rows.push(row(strategy, &verdicts));
            if strategy == Strategy::Portfolio {
                scripts = verdicts.iter().map(told).collect();
                if verdicts.iter().any(|verdict| (verdict.kills.len() as u64) < verdict.seeds) {
                    ending = Ending::Unexpected;
                }
            }
            if interrupt::came().is_some() {
                break;
            }
        }
        bar.finish_and_clear();
        output::print(&format!("{}\n", rows.join("\n")))?;
        if self.scripts {
            output::print(&format!("\n{scripts}"))?;
        }
        if !self.releases.is_empty() && interrupt::came().is_none() {
            found.add_honest(&plans)?;
            ending = ending.or(found.run(&self.releases)?);
        }
        if let Some(code) = interrupt::came() {
            output::note("interrupted: the last row has the locks that were judged before");
            return Ok(Ending::Interrupted(code));
        }
        Ok(ending)
    }

    fn judge(&self, lock: &Planted, plans: &[Arc<Plan>], strategy: Strategy) -> Result<Verdict, Failure> {
        let seeds = if strategy == Strategy::Exhaustive { 1 } else { SEEDS };
        let mut verdict = Verdict { lock: lock.id, kills: Vec::new(), seeds, slowest: Duration::ZERO, first: None };
        for seed in 0..seeds {
            let (killed, schedules, took) = self.hunt(lock, plans, strategy, seed, self.budget)?;
            if let Some((found, program)) = killed {
                // Nothing is believed that does not replay: its script on the live driver, judged by the oracle.
                let again = replay(&lock.explorable, &plans[program], &Bounds::default(), &found.schedule)?;
                if (again.key, again.verdict, &again.transcript) != (found.key, found.verdict, &found.transcript) {
                    return Err(Failure::Unconfirmed(format!(
                        "the kill of {} does not replay:\n{}",
                        lock.id, found.script
                    )));
                }
                verdict.kills.push(schedules);
                verdict.slowest = verdict.slowest.max(took);
                verdict.first.get_or_insert((found, program));
            }
        }
        Ok(verdict)
    }

    /// Explores one lock with one program after the other, a round each in turn, until a schedule speaks against it.
    fn hunt(
        &self,
        lock: &Planted,
        plans: &[Arc<Plan>],
        strategy: Strategy,
        seed: u64,
        budget: Budget,
    ) -> Result<Hunt, Failure> {
        let options = |schedules: u64| Options {
            strategy,
            budget: Budget::Schedules(schedules),
            seed,
            jobs: 1,
            stop_at_fault: true,
            ..Options::default()
        };
        let begun = Instant::now();
        let mut searches: Vec<Search> = plans.iter().map(|plan| Search::new(plan, &options(0))).collect();
        let mut spent = 0;
        let mut share = 256;
        loop {
            let mut goes_on = false;
            for (index, (search, plan)) in searches.iter_mut().zip(plans).enumerate() {
                let before = search.progress().0;
                if interrupt::came().is_some() {
                    return Ok((None, spent, begun.elapsed()));
                }
                let left = match budget {
                    Budget::Schedules(count) => count.saturating_sub(spent).min(share),
                    Budget::Time(time) if begun.elapsed() >= time => 0,
                    Budget::Time(_) => share,
                };
                if left == 0 {
                    return Ok((None, spent, begun.elapsed()));
                }
                let options = options(before + left);
                while search.advance(&lock.explorable, plan, &options)? {}
                let report = search.report(plan);
                spent += report.schedules - before;
                if let Some(found) = report.faults().min_by_key(|found| found.at) {
                    let until = spent - (report.schedules - found.at) + 1;
                    return Ok((Some((found.clone(), index)), until, begun.elapsed()));
                }
                goes_on |= report.schedules > before;
            }
            if !goes_on {
                return Ok((None, spent, begun.elapsed()));
            }
            share = (share * 2).min(65_536);
        }
    }
}

/// How long an honest lock is looked at by each strategy.
const HONEST: Budget = Budget::Schedules(20_000);

fn plans() -> Result<Vec<Arc<Plan>>, Failure> {
    let plan = |(index, text): (usize, &&str)| {
        let name = format!("kill-rate/program-{index}");
        let bad = |why: String| Failure::Unconfirmed(format!("{name}: {why}"));
        let name = name.parse().map_err(|_| bad("it is no name".to_owned()))?;
        let scenario = parse(name, text).map_err(|errors| bad(errors[0].message.clone()))?;
        let mut plan = Plan::new(Arc::new(scenario)).map_err(|error| bad(error.to_string()))?;
        plan.occasions = Occasions::everywhere(plan.tasks.len());
        Ok(Arc::new(plan))
    };
    PROGRAMS.iter().enumerate().map(plan).collect()
}

fn row(strategy: Strategy, verdicts: &[Verdict]) -> String {
    let killed = verdicts.iter().filter(|verdict| verdict.kills.len() as u64 == verdict.seeds).count();
    let mut kills: Vec<u64> = verdicts.iter().flat_map(|verdict| verdict.kills.iter().copied()).collect();
    kills.sort_unstable();
    let median = kills.get(kills.len() / 2).map_or_else(|| "-".to_owned(), u64::to_string);
    let slowest = verdicts.iter().map(|verdict| verdict.slowest).max().unwrap_or_default();
    let survivors: Vec<&str> =
        verdicts.iter().filter(|verdict| (verdict.kills.len() as u64) < verdict.seeds).map(|it| it.lock).collect();
    let share = 100.0 * killed as f64 / verdicts.len() as f64;
    let survivors = if survivors.is_empty() { "none".to_owned() } else { survivors.join(", ") };
    format!(
        "| {strategy} | {killed} of {} ({share:.0} %) | {median} | {} ms | {survivors} |",
        verdicts.len(),
        slowest.as_millis()
    )
}

fn told(verdict: &Verdict) -> String {
    let heading = output::layout().paint(TITLE, verdict.lock);
    match &verdict.first {
        None => format!("{heading}\n  survives\n\n"),
        Some((found, _)) => {
            let script: String = found.script.lines.iter().map(|line| format!("  {line}\n")).collect();
            let transcript: String = found.transcript.iter().map(|line| format!("    {line}\n")).collect();
            format!("{heading}\n{script}\n{transcript}\n")
        }
    }
}
