//! `keyalike run`: scenarios on backends, the matrix of what came out, and what of it nobody has reviewed.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use harness::backend::Backend;
use harness::certify::certify;
use harness::comparison::Difference;
use harness::ledger::Ledger;
use harness::report::finding::{Finding, FindingKind as Kind};
use harness::report::paint::Layout;
use harness::report::{self, CellReport, Environment, Report, Row, SuiteFacts};
use harness::review::{Scope, review};
use harness::runner::Options;
use harness::scenario::name::ScenarioName;
use harness::suite::{EXTENSION, Suite};
use harness::verdict::Verdict;

use crate::backend_choice::{BackendChoice, Columns, worker_command};
use crate::failure::{Ending, Failure};
use crate::scenario_choice::{Programs, SuiteChoice, choose, choose_rules, generated_themes};
use crate::{cells, interrupt, output, release_runs};

/// The arguments of `run`.
#[derive(Debug, clap::Args)]
pub(crate) struct Run {
    #[command(flatten)]
    backends: BackendChoice,
    /// Run these scenarios: a name, a theme, a glob on names, or the path of a file or folder
    #[arg(value_name = "GLOB|PATH")]
    named: Vec<String>,
    /// Run these scenarios too, as if they stood without `--scenario`
    #[arg(long = "scenario", value_name = "GLOB|PATH")]
    scenarios: Vec<String>,
    /// Run the scenarios of these rules
    #[arg(long = "rule", value_name = "GLOB")]
    rules: Vec<String>,
    /// Show only rows in which some backend has this verdict
    #[arg(long = "verdict", value_name = "VERDICT", value_parser = verdict_parser())]
    verdicts: Vec<Verdict>,
    /// Show only rows in which backends differ
    #[arg(long)]
    only_divergent: bool,
    /// Show every row of the generated scenarios, which are folded otherwise
    #[arg(long)]
    unfold: bool,
    /// Run every cell N times in each seat of the conductor, and fail if two runs differ
    #[arg(long, value_name = "N", default_value = "1")]
    repeat: NonZeroUsize,
    /// Run every cell in a worker process
    #[arg(long)]
    isolate: bool,
    /// Keep every cell in FILE as soon as it is done, and run none that FILE has already. Removed when all are done
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    /// Run every script again with a cancel, and with an abort, at each place where an operation is pending and in each
    /// window between a grant and its poll, and tell what speaks against the lock
    #[arg(long, conflicts_with_all = ["resume", "format", "verdicts", "only_divergent"])]
    cancel_points: bool,
    /// Hold each worker to the protocol, and run no scenario of the suites
    #[arg(long, requires = "workers", conflicts_with_all = ["patterns", "resume", "named", "scenarios", "rules"])]
    certify: bool,
    /// The form of the report
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Write the report to FILE and not to stdout
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    suite: SuiteChoice,
    /// Compare with the snapshots in this folder [default: `snapshots` beside the suites]
    #[arg(long, value_name = "DIR")]
    snapshots: Option<PathBuf>,
}

/// The form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A matrix for a terminal
    Table,
    /// Everything, for programs
    Json,
    /// JUnit XML, for test reports
    Junit,
    /// Markdown, for a pull request
    Markdown,
    /// Workflow commands, and Markdown in the summary of the step
    Github,
}

fn verdict_parser() -> impl TypedValueParser<Value = Verdict> {
    PossibleValuesParser::new(Verdict::ALL.map(Verdict::as_str)).try_map(|word| word.parse::<Verdict>())
}

impl Run {
    /// Runs, reviews and reports.
    pub(crate) fn execute(&self) -> Result<Ending, Failure> {
        let suite = self.suite.read()?;
        let programs = self.choose(&suite)?;
        self.out.as_deref().map_or(Ok(()), output::check_target)?;
        if self.certify {
            return self.certify();
        }
        let workshop = Arc::new(self.backends.workshop());
        let columns = self.backends.start_available(&workshop)?;
        interrupt::note()?;
        let options = Options {
            runs: self.repeat.get(),
            workers: workshop,
            isolate: self.isolate,
            breaks_off: || interrupt::came().is_some(),
        };
        if self.cancel_points {
            let (text, ending) = crate::cancel_points::run(&programs, &columns.backends, &options);
            let ending = ending.or(columns.say_unavailable());
            match &self.out {
                Some(path) => output::save(path, &text)?,
                None => output::print(&text)?,
            }
            return Ok(match interrupt::came() {
                None => ending,
                Some(code) => {
                    output::note("interrupted: the report has the scripts that were varied before");
                    Ending::Interrupted(code)
                }
            });
        }
        let cells = cells::run(&programs, &columns.backends, &options, self.resume.as_deref())?;
        let mut report = self.report(&suite, &programs, &columns, cells)?;
        let status = report.status();
        if self.only_divergent || !self.verdicts.is_empty() {
            report.retain_rows(|row| self.wants(row));
        }
        if self.unfold {
            report.suite.generated.clear();
        }
        self.write(&report)?;
        match interrupt::came() {
            None => Ok(status.into()),
            Some(code) => {
                let summary = &report.summary;
                let (ran, all) = (summary.ran(), summary.expected);
                let goes_on = match &self.resume {
                    Some(path) => format!("the cells are kept in {}, and the same command goes on", path.display()),
                    None => "with --resume FILE a run goes on".to_owned(),
                };
                output::note(&format!("interrupted: the report has {ran} of {all} cells; {goes_on}"));
                Ok(Ending::Interrupted(code))
            }
        }
    }

    /// Holds every worker to the protocol, one after the other.
    fn certify(&self) -> Result<Ending, Failure> {
        let mut ending = Ending::Expected;
        for worker in &self.backends.workers {
            let guard = harness::isolation::own_program().ok();
            let certificate = certify(&worker_command(worker)?, guard.as_ref(), self.backends.watchdog);
            output::print(&certificate.render(output::layout()))?;
            if !certificate.holds() {
                ending = Ending::Unexpected;
            }
        }
        Ok(ending)
    }

    /// Returns whether it says which scenarios it is to run.
    fn names_some(&self) -> bool {
        !self.named.is_empty() || !self.scenarios.is_empty()
    }

    fn choose(&self, suite: &Suite) -> Result<Programs, Failure> {
        let mut programs = match self.names_some() {
            false => suite.programs.clone(),
            true => choose(suite, &self.suite.root(), &[&self.named[..], &self.scenarios[..]].concat())?,
        };
        if !self.rules.is_empty() {
            let rules = choose_rules(suite, &self.rules)?;
            programs.retain(|_, program| program.scenario.rules.iter().any(|rule| rules.contains(rule)));
        }
        Ok(programs)
    }

    fn report(
        &self,
        suite: &Suite,
        programs: &Programs,
        columns: &Columns,
        cells: Vec<CellReport>,
    ) -> Result<Report, Failure> {
        let backends = &columns.backends;
        let snapshots = self.snapshots.clone().unwrap_or_else(|| self.suite.snapshots());
        // A script outside the suites has no snapshot to be held to.
        let reviewed = cells.iter().filter(|cell| suite.programs.contains_key(&cell.scenario));
        let check = harness::snapshot::check(&snapshots, reviewed, &suites::pairs::table)?;
        let scope = Scope {
            backends: backends.iter().map(|backend| backend.id().to_owned()).collect(),
            known_backends: backends::known().into_iter().map(|known| known.id).collect(),
            known_releases: releases::resolve::pairs().collect(),
            newest: newest_of(backends, &suite.ledger),
            scenarios: programs.len(),
            whole_suite: !self.names_some() && self.rules.is_empty(),
        };
        let (mut summary, mut findings) = review(&cells, &suite.ledger, &check, &scope);
        let unavailable = columns.unavailable.iter();
        findings.splice(..0, unavailable.map(|it| Finding::unavailable(&it.id, &it.failure.to_string())));
        if interrupt::came().is_some() {
            // What did not come up may be among what was not run.
            let is_of_absence = |kind| matches!(kind, Kind::Stale | Kind::EmptyColumn | Kind::NothingRun);
            findings.retain(|finding| !is_of_absence(finding.kind));
            summary.stale = 0;
        }
        Ok(Report {
            schema: report::SCHEMA,
            suite: SuiteFacts {
                scenarios: programs.len(),
                scenarios_total: suite.programs.len(),
                generated: generated_themes(),
                repeat: self.repeat.get(),
                isolated: self.isolate,
            },
            environment: environment(),
            backends: backends.iter().map(|backend| backend.description().clone()).collect(),
            cells,
            summary,
            findings,
        })
    }

    /// Returns whether a row is asked for. What varies or failed is shown whatever is asked for.
    fn wants(&self, row: &Row<'_>) -> bool {
        if row.cells.iter().flatten().any(|cell| cell.outcome().is_none()) {
            return true;
        }
        let has =
            |verdict| row.cells.iter().flatten().any(|cell| cell.outcome().is_some_and(|it| it.verdict == verdict));
        let is_divergent = !self.only_divergent || row.difference != Difference::None;
        is_divergent && (self.verdicts.is_empty() || self.verdicts.iter().any(|verdict| has(*verdict)))
    }

    fn write(&self, report: &Report) -> Result<(), Failure> {
        let layout = if self.out.is_some() { Layout::default() } else { output::layout() };
        let text = match self.format {
            Format::Table => report::table::render(report, layout),
            Format::Json => report::json::render(report),
            Format::Junit => report::junit::render(report).map_err(Failure::Xml)?,
            Format::Markdown => report::markdown::render(report),
            Format::Github => self.github(report)?,
        };
        match &self.out {
            Some(path) => output::save(path, &text),
            None => output::print(&text),
        }
    }

    /// Returns the workflow commands. The Markdown goes to the summary of the step where there is one, and follows them
    /// elsewhere.
    fn github(&self, report: &Report) -> Result<String, Failure> {
        let root = self.suite.root();
        let folder = root.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let file_of = |scenario: &ScenarioName| {
            let file = format!("{scenario}.{EXTENSION}");
            root.join(&file).is_file().then(|| format!("{folder}/{file}"))
        };
        let annotations = report::github::render(report, &file_of);
        let markdown = report::markdown::render(report);
        match std::env::var_os("GITHUB_STEP_SUMMARY") {
            Some(path) => {
                output::append(path.as_ref(), &markdown)?;
                Ok(annotations)
            }
            None => Ok(format!("{annotations}\n{markdown}")),
        }
    }
}

/// Returns which backends are the newest release of their locks, as far as an entry of the ledger waits for one.
fn newest_of(backends: &[Arc<dyn Backend>], ledger: &Ledger) -> Vec<String> {
    let waits = |id: &str| ledger.entries.iter().any(|entry| entry.until.is_some() && entry.names_backend(id));
    let is_newest = |id: &&str| {
        let asked = release_runs::places().and_then(|places| Ok(releases::range::is_newest(id, &places)?));
        asked.unwrap_or_else(|failure| {
            output::note(&format!("whether {id} is the newest release is not known: {failure}"));
            false
        })
    };
    let ids = backends.iter().map(|backend| backend.id()).filter(|id| waits(id));
    ids.filter(is_newest).map(str::to_owned).collect()
}

fn environment() -> Environment {
    Environment {
        keyalike: env!("CARGO_PKG_VERSION").to_owned(),
        os: std::env::consts::OS.to_owned(),
        arch: std::env::consts::ARCH.to_owned(),
        parallelism: std::thread::available_parallelism().map_or(1, usize::from),
    }
}
