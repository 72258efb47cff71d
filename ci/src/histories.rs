//! Real histories: releases of lock libraries that were found faulty in their time, run with scripts that nobody wrote. Those
//! are the schedules by which the explorer found out planted locks, and the first schedules of what honest ones do.

use std::collections::BTreeSet;
use std::sync::Arc;

use harness::backend::Backend;
use harness::explore::plan::Plan;
use harness::explore::{Budget, Options as Exploration, explore, is_fault};
use harness::program::Program;
use harness::report::paint::count;
use harness::runner::{Options, run_cell};
use harness::scenario::Scenario;

use crate::backend_choice::BackendChoice;
use crate::failure::{Ending, Failure};
use crate::{interrupt, output};

/// How many schedules of each program are run on an honest lock, to have the first of each outcome.
const SCHEDULES: u64 = 4_000;

/// The most scripts of one program.
const SCRIPTS_MAX: usize = 40;

/// Scripts that nobody wrote, each once.
#[derive(Default)]
pub(crate) struct Scripts {
    texts: BTreeSet<String>,
    scripts: Vec<Scenario>,
}

impl Scripts {
    /// Adds a script.
    pub(crate) fn add(&mut self, script: &Scenario) {
        if self.texts.insert(script.to_string()) {
            self.scripts.push(script.clone());
        }
    }

    /// Adds the first schedules of what honest locks do in programs.
    ///
    /// # Errors
    ///
    /// [`Failure`], if a program cannot be explored.
    pub(crate) fn add_honest(&mut self, plans: &[Arc<Plan>]) -> Result<(), Failure> {
        let options = Exploration { budget: Budget::Schedules(SCHEDULES), ..Exploration::default() };
        for lock in planted::honest() {
            for plan in plans {
                let report = explore(&lock.explorable, plan, &options)?;
                report.outcomes.iter().take(SCRIPTS_MAX).for_each(|found| self.add(&found.script));
            }
        }
        Ok(())
    }

    /// Runs every script on releases, and tells how many speak against each.
    ///
    /// # Errors
    ///
    /// [`Failure`], if a release cannot be had.
    pub(crate) fn run(&self, releases: &[String]) -> Result<Ending, Failure> {
        let choice = BackendChoice { patterns: releases.to_vec(), ..BackendChoice::default() };
        let workers = Arc::new(choice.workshop());
        let columns = choice.start_available(&workers)?;
        let options = Options::once(workers);
        let mut rows = format!(
            "\n{} that nobody wrote, on releases:\n\n| release | scripts against it | first of them | verdict |\n|---|---|---|---|\n",
            count(self.scripts.len(), "script")
        );
        let mut details = String::new();
        let mut ending = columns.say_unavailable();
        for backend in &columns.backends {
            let mut against = Vec::new();
            for script in self.scripts.iter().take_while(|_| interrupt::came().is_none()) {
                match judge(&**backend, script, &options) {
                    Ok(Some(it)) => against.push(it),
                    Ok(None) => {}
                    Err(why) => {
                        output::note(&format!("{}: {why}", backend.id()));
                        ending = Ending::Failed;
                    }
                }
            }
            // The shortest says it best.
            against.sort_by_key(|(script, _, _)| script.steps().count());
            let (line, verdict) =
                against.first().map_or(("none".to_owned(), "-".to_owned()), |(script, verdict, _)| {
                    let lines: Vec<String> = script.lines.iter().map(ToString::to_string).collect();
                    (format!("`{}`", lines.join(" / ")), verdict.clone())
                });
            rows.push_str(&format!("| `{}` | {} | {line} | {verdict} |\n", backend.id(), against.len()));
            if let Some((_, _, transcript)) = against.first() {
                details.push_str(&format!("\n{}\n", backend.id()));
                details.extend(transcript.iter().map(|line| format!("  {line}\n")));
            }
        }
        output::print(&(rows + &details))?;
        Ok(ending)
    }
}

/// A script that speaks against a release, its verdict, and the transcript.
type Against = (Scenario, String, Vec<String>);

fn judge(backend: &dyn Backend, script: &Scenario, options: &Options) -> Result<Option<Against>, String> {
    let program = Program::new(Arc::new(script.clone())).map_err(|error| error.to_string())?;
    let outcome = run_cell(backend, &Arc::new(program), options).map_err(|error| error.to_string())?;
    let speaks = is_fault(outcome.verdict) && !outcome.record.is_unsupported();
    Ok(speaks.then(|| (script.clone(), outcome.verdict.to_string(), outcome.lines)))
}
