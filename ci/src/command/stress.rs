//! `keyalike stress`: programs on real threads, so that races inside a lock's own poll are met.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use backends::Locks;
use harness::explore::plan::Plan;
use harness::explore::{Budget, is_fault};
use harness::outcome::grade;
use harness::report::paint::count;
use harness::scenario::diagnostic::nearest;
use harness::scenario::name::ScenarioName;
use harness::stress::{Affinity, Options, Report, programs, stress};
use harness::suite::{EXTENSION, Suite, read_plan};
use harness::transcript::Hang;
use harness::verdict::Grade;
use indicatif::{ProgressBar, ProgressDrawTarget};

use super::explore::choose_locks;
use crate::budget::parse_budget;
use crate::failure::{Ending, Failure};
use crate::glob::matcher;
use crate::scenario_choice::SuiteChoice;
use crate::{bootstrap, interrupt, output};

/// The word for the programs that come with the harness.
const BUILTIN: &str = "builtin";

/// The arguments of `stress`.
#[derive(Debug, clap::Args)]
pub(crate) struct Stress {
    /// Stress the lock libraries of these backends: the id of a backend or of a lock library, or a glob. Without it, all
    /// that are built in
    #[arg(long = "backend", value_name = "GLOB")]
    backends: Vec<String>,
    /// Stress with these programs: `builtin`, which are every pair of what two tasks can do at the same moment and a few
    /// crowds, the path of a file, or an explored scenario of the suites, by name, theme or glob
    #[arg(long = "program", value_name = "FILE|GLOB|builtin", default_value = BUILTIN)]
    programs: Vec<String>,
    /// When to stop, for each library: a number of rounds of all programs together, or a time such as 30s
    #[arg(long, value_name = "N|TIME", default_value = "10s", value_parser = budget_of_rounds)]
    budget: Budget,
    /// How many threads, if not one for each task of a program: as many whole teams as that makes run side by side, on
    /// locks of their own
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// On which processors the threads run: none leaves it to the system, spread puts each on another, same all on one
    #[arg(long, default_value_t = Affinity::default())]
    affinity: Affinity,
    /// What random delays begin with. Two runs of one seed still differ: threads race
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    suite: SuiteChoice,
}

fn budget_of_rounds(text: &str) -> Result<Budget, String> {
    parse_budget(text).map_err(|error| error.replace("schedules", "rounds"))
}

impl Stress {
    /// Stresses and tells.
    pub(crate) fn execute(&self) -> Result<Ending, Failure> {
        bootstrap::require_backends()?;
        let plans = self.choose_plans()?;
        let locks = choose_locks(&self.backends)?;
        // Locks may panic here, and each panic is part of an outcome.
        std::panic::set_hook(Box::new(|_| {}));
        interrupt::note()?;
        let bar = ProgressBar::with_draw_target(Some((plans.len() * locks.len()) as u64), ProgressDrawTarget::stderr());
        let mut ending = Ending::Expected;
        for locks in &locks {
            for (index, plan) in plans.iter().enumerate() {
                let options = Options {
                    budget: share(self.budget, plans.len() as u32, index as u32),
                    threads: self.threads.map(NonZeroUsize::get),
                    affinity: self.affinity,
                    seed: self.seed,
                    ..Options::default()
                };
                let report = stress(&locks.explorable, plan, &options, &|| interrupt::came().is_some())?;
                bar.suspend(|| output::print(&told(&report, plan, locks, self.affinity)))?;
                bar.inc(1);
                if report.faults().next().is_some() || is_violation(plan, &report) {
                    ending = Ending::Unexpected;
                }
                if let Some(code) = interrupt::came() {
                    bar.finish_and_clear();
                    output::note("interrupted: what was met is told above");
                    return Ok(Ending::Interrupted(code));
                }
            }
        }
        bar.finish_and_clear();
        Ok(ending)
    }

    fn choose_plans(&self) -> Result<Vec<Arc<Plan>>, Failure> {
        let mut chosen = Vec::new();
        let mut suite = None;
        for pattern in &self.programs {
            let path = Path::new(pattern);
            if pattern == BUILTIN {
                chosen.extend(programs::mutex());
            } else if path.extension().is_some_and(|extension| extension == EXTENSION) && path.is_file() {
                chosen.push(read_plan(path, &path.with_extension(""))?);
            } else {
                let suite = match &mut suite {
                    Some(suite) => suite,
                    none => none.insert(self.suite.read()?),
                };
                chosen.extend(of_suite(suite, pattern)?);
            }
        }
        Ok(chosen)
    }
}

fn of_suite(suite: &Suite, pattern: &str) -> Result<Vec<Arc<Plan>>, Failure> {
    let matcher = matcher(pattern)?;
    let is_match = |name: &ScenarioName| matcher.is_match(name.as_str()) || name.theme() == pattern;
    let found: Vec<_> =
        suite.explored.iter().filter(|(name, _)| is_match(name)).map(|(_, plan)| Arc::clone(plan)).collect();
    if found.is_empty() {
        let names = suite.explored.keys().map(ScenarioName::as_str);
        let hint = match nearest(pattern, names.chain([BUILTIN])) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("name `{BUILTIN}`, a file, or an explored scenario, which `keyalike list` lists"),
        };
        return Err(Failure::Unknown { what: "program", name: pattern.to_owned(), hint });
    }
    Ok(found)
}

/// Returns the share of one of several programs in the budget of all.
fn share(budget: Budget, count: u32, index: u32) -> Budget {
    match budget {
        Budget::Schedules(rounds) => {
            let (whole, rest) = (rounds / u64::from(count), rounds % u64::from(count));
            Budget::Schedules((whole + u64::from(u64::from(index) < rest)).max(1))
        }
        Budget::Time(time) => Budget::Time((time / count).max(Duration::from_millis(1))),
    }
}

/// Returns whether a rule of the program forbids one of the outcomes.
fn is_violation(plan: &Plan, report: &Report) -> bool {
    report.outcomes.iter().any(|met| grade(&plan.scenario, met.verdict, Vec::new).0 == Grade::Violates)
}

/// Tells a report.
fn told(report: &Report, plan: &Plan, locks: &Locks, affinity: Affinity) -> String {
    let (name, version) = locks.subject;
    let mut text = format!("{}  {} ({name} {version})\n", report.scenario, locks.id);
    text.extend(plan.scenario.lines.iter().map(|line| format!("    {line}\n")));
    text.push_str(&format!(
        "  {} by {} with affinity {affinity}, {} outcomes\n",
        count(report.rounds as usize, "round"),
        count(report.threads, "thread"),
        report.outcomes.len()
    ));
    if let Some(hang) = report.hang {
        let how = match hang {
            Hang::Spinning => "it works and works inside a call of the lock",
            Hang::Blocked | Hang::Silent => "it sleeps inside a call of the lock",
        };
        text.push_str(&format!("  a thread does not come back: {how}; its threads are left behind\n"));
    }
    if report.others > 0 {
        text.push_str(&format!("  {} rounds with further outcomes are not told apart\n", report.others));
    }
    for met in &report.outcomes {
        let violates = grade(&plan.scenario, met.verdict, Vec::new).0 == Grade::Violates;
        let mark = if violates || is_fault(met.verdict) { " !" } else { "" };
        text.push_str(&format!("\n  {}: {}{mark}\n", count(met.count as usize, "round"), met.verdict));
        text.extend(met.lines[..met.lines.len() - 1].iter().map(|line| format!("    {line}\n")));
    }
    text.push('\n');
    text
}
