//! `keyalike versions`: releases of a lock library, neighbour by neighbour.

use harness::report::CellReport;
use harness::report::paint::{BAD, GOOD, Layout, TITLE, count};
use harness::report::unified_diff::unified;
use harness::subject::{Description, Subject};
use harness::suite::Suite;
use releases::change::{Change, List, Promise, changes};
use releases::id::ReleaseId;
use releases::version::Version;
use serde::Serialize;

use crate::command::show::ending_of;
use crate::failure::{Ending, Failure};
use crate::output;
use crate::release_runs::{Ran, ReleaseRuns, is_generated, programs};
use crate::scenario_choice::SuiteChoice;

/// The arguments of `versions`.
#[derive(Debug, clap::Args)]
pub(crate) struct Versions {
    /// The package: tokio, async-lock, async-mutex, async-std, smol, futures-util, event-listener, anyio, trio or uvloop;
    /// also `tokio@RANGE`
    #[arg(value_name = "PACKAGE")]
    package: String,
    /// The releases: `1.40.0`, a range such as `>=1.50, <1.53`, or `newest`; together at least two
    #[arg(value_name = "VERSION")]
    versions: Vec<String>,
    /// Run these scenarios: a name, a theme, a glob on names, or the path of a file or folder
    #[arg(long = "scenario", value_name = "GLOB|PATH")]
    scenarios: Vec<String>,
    /// Run on this pair of a runtime and the package's locks, such as `smol+tokio-owned`, and not on the usual ones
    #[arg(long = "backend", value_name = "RUNTIME[+LOCKS]")]
    backends: Vec<String>,
    /// Print the diff of the transcripts below each line
    #[arg(long)]
    transcripts: bool,
    /// Show each generated scenario on a line of its own
    #[arg(long)]
    unfold: bool,
    /// How to print what changed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    suite: SuiteChoice,
}

/// A form of the result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Four lists for each step from one release to the next
    #[default]
    Table,
    /// One JSON value
    Json,
    /// Markdown, for a pull request
    Markdown,
}

/// What came out.
#[derive(Debug, Serialize)]
struct Comparison {
    schema: u32,
    package: String,
    scenarios: usize,
    steps: Vec<Step>,
    skipped: Vec<Skipped>,
}

/// From one release to the next.
#[derive(Debug, Serialize)]
struct Step {
    before: String,
    after: String,
    /// The locks of the two, where they are those of another package, which the release passes on or lies beneath.
    #[serde(skip_serializing_if = "Option::is_none")]
    locks: Option<[Subject; 2]>,
    /// The runtimes of the two, where they are not the same and not what is compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    runtimes: Option<[Subject; 2]>,
    promise: Promise,
    changes: Vec<Change>,
}

/// A release that could not be run.
#[derive(Debug, Serialize)]
struct Skipped {
    backend: String,
    why: String,
}

impl Versions {
    /// Runs, compares and shows.
    pub(crate) fn execute(&self) -> Result<Ending, Failure> {
        let (name, range) = match self.package.split_once('@') {
            Some((name, range)) => (name, Some(range.to_owned())),
            None => (self.package.as_str(), None),
        };
        let runs = ReleaseRuns::new(name)?;
        let suite = self.suite.read()?;
        let programs = programs(&suite, &self.suite.root(), &self.scenarios)?;
        let arguments: Vec<String> = range.into_iter().chain(self.versions.iter().cloned()).collect();
        let versions = runs.versions(&arguments)?;
        if versions.len() < 2 {
            let hint = format!("name two releases or a range, as in `keyalike versions {name} OLD newest`");
            let what = match versions.first() {
                None => "no version stands there".to_owned(),
                Some(version) => format!("{name} {version} has no neighbour to be compared with"),
            };
            return Err(Failure::Versions { what, hint });
        }
        let mut comparison = Comparison {
            schema: 1,
            package: name.to_owned(),
            scenarios: programs.len(),
            steps: Vec::new(),
            skipped: Vec::new(),
        };
        let mut ending = Ending::Expected;
        for pair in runs.pairs(&self.backends, &versions)? {
            let mut last: Option<Release<'_>> = None;
            for version in &versions {
                let (cells, backend) = match runs.run(&pair, version, &programs)? {
                    Ran::Cells(cells, backend) => (cells, backend),
                    Ran::Skipped(why) => {
                        output::note(&format!("{} is left out: {why}", pair.at(version)));
                        comparison.skipped.push(Skipped { backend: pair.at(version), why });
                        continue;
                    }
                };
                if ending_of(&cells) == Ending::Failed {
                    ending = Ending::Failed;
                }
                let release = Release { version, cells, backend };
                if let Some(before) = &last {
                    comparison.steps.push(step(&pair, before, &release, &suite));
                }
                last = Some(release);
            }
        }
        let layout = output::layout();
        output::print(&match self.format {
            Format::Table => self.table(&comparison, layout),
            Format::Json => {
                serde_json::to_string_pretty(&comparison).expect("it has only keys that JSON can write") + "\n"
            }
            Format::Markdown => markdown(&comparison),
        })?;
        let is_kept = comparison.steps.iter().all(|step| step.promise.is_kept());
        Ok(match ending {
            Ending::Expected if comparison.steps.is_empty() => Ending::Failed,
            Ending::Expected if !is_kept => Ending::Unexpected,
            ending => ending,
        })
    }

    fn table(&self, comparison: &Comparison, layout: Layout) -> String {
        let mut lines = Vec::new();
        for step in &comparison.steps {
            lines.push(layout.paint(TITLE, &format!("{} -> {}", step.before, step.after)));
            lines.extend(say_made_of(step).map(|made_of| format!("  {made_of}")));
            for list in List::ALL {
                let changes: Vec<&Change> = step.changes.iter().filter(|change| change.list == list).collect();
                lines.push(format!("  {} ({})", list.title(), changes.len()));
                self.list(step, &changes, layout, &mut lines);
            }
            lines.push(format!("  {}", say_promise(step)));
            lines.push(String::new());
        }
        for skipped in &comparison.skipped {
            lines.push(format!("{} was left out: {}", skipped.backend, skipped.why));
        }
        let steps = count(comparison.steps.len(), "step");
        lines.push(format!(
            "{} of {} compared over {steps}",
            count(comparison.scenarios, "scenario"),
            comparison.package
        ));
        lines.join("\n") + "\n"
    }

    fn list(&self, step: &Step, changes: &[&Change], layout: Layout, lines: &mut Vec<String>) {
        let is_folded = |change: &Change| !self.unfold && !self.transcripts && is_generated(&change.scenario);
        let width =
            changes.iter().filter(|change| !is_folded(change)).map(|change| change.scenario.as_str().len()).max();
        for change in changes.iter().filter(|change| !is_folded(change)) {
            lines.push(format!(
                "    {:width$}  {}",
                change.scenario.as_str(),
                say_change(change),
                width = width.unwrap_or(0)
            ));
            if self.transcripts {
                lines.extend(unified(&change.transcript_before, &change.transcript_after).into_iter().map(|line| {
                    let line = format!("      {line}");
                    match line.trim_start().as_bytes().first() {
                        Some(b'-') => layout.paint(BAD, &line),
                        Some(b'+') => layout.paint(GOOD, &line),
                        _ => line,
                    }
                }));
            }
        }
        let folded = changes.iter().filter(|change| is_folded(change)).count();
        if folded > 0 {
            lines.push(format!("    and {}; --unfold lists them", count(folded, "generated scenario")));
        }
        if let (false, Some(change)) = (self.transcripts, changes.iter().find(|change| !is_folded(change))) {
            let command = format!("keyalike diff {} {} --scenario {}", step.before, step.after, change.scenario);
            lines.push(format!("    --transcripts shows how, and so does `{command}`"));
        }
    }
}

/// A release that was run.
struct Release<'a> {
    version: &'a Version,
    cells: Vec<CellReport>,
    backend: Box<Description>,
}

fn step(pair: &ReleaseId, before: &Release<'_>, after: &Release<'_>, suite: &Suite) -> Step {
    let changes = changes(&before.cells, &after.cells, &suite.rules);
    let is_compared = |subject: &Subject| pair.package.is_some_and(|package| package.name == subject.name);
    let both = |part: fn(&Description) -> &Subject| [part(&before.backend).clone(), part(&after.backend).clone()];
    let (locks, runtimes) = (both(|backend| &backend.locks), both(|backend| &backend.runtime));
    Step {
        before: pair.at(before.version),
        after: pair.at(after.version),
        locks: (!locks.iter().all(is_compared)).then_some(locks),
        runtimes: (runtimes[0] != runtimes[1] && !runtimes.iter().all(is_compared)).then_some(runtimes),
        promise: Promise::of(before.version, after.version, &changes),
        changes,
    }
}

/// Returns what else a step went over than the release that is compared.
fn say_made_of(step: &Step) -> Option<String> {
    let say = |subject: &Subject| format!("{} {}", subject.name, subject.version);
    let both = |word: &str, subjects: &Option<[Subject; 2]>| {
        subjects.as_ref().map(|[before, after]| match before == after {
            true => format!("{word} {}", say(before)),
            false => format!("{word} {} -> {}", say(before), say(after)),
        })
    };
    let parts: Vec<String> =
        [both("locks of", &step.locks), both("on", &step.runtimes)].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn say_change(change: &Change) -> String {
    let rule = match (&change.rule, change.level) {
        (Some(rule), Some(level)) => format!("  {rule} {}", level.as_str()),
        (Some(rule), None) => format!("  {rule}"),
        _ => String::new(),
    };
    let wording = if change.only_wording { " in wording only" } else { "" };
    format!("{} -> {}{wording}{rule}", change.before, change.after)
}

fn say_promise(step: &Step) -> String {
    use releases::version::Bump;
    let kind = match step.promise.bump {
        Bump::Patch => "a patch",
        Bump::Minor => "a minor release",
        Bump::Major => "a major release",
    };
    match step.promise.broken_by.len() {
        0 if step.promise.bump == Bump::Patch => {
            format!("semver: {kind}, and nothing that a MUST rule speaks of changed but by a repair")
        }
        0 => format!("semver: {kind} may change behaviour"),
        scenarios => {
            let first = step.promise.broken_by.first().map(ToString::to_string).unwrap_or_default();
            format!(
                "semver: {kind}, and it changed {} of MUST rules, such as {first}: its number promises that it does not",
                count(scenarios, "scenario")
            )
        }
    }
}

fn markdown(comparison: &Comparison) -> String {
    let mut lines = vec![format!("### Releases of {}", comparison.package), String::new()];
    for step in &comparison.steps {
        lines.extend([
            format!("#### `{}` to `{}`", step.before, step.after),
            String::new(),
            say_made_of(step).map_or_else(String::new, |made_of| format!("{made_of}; ")) + &say_promise(step),
            String::new(),
        ]);
        for list in List::ALL {
            let changes: Vec<&Change> = step.changes.iter().filter(|change| change.list == list).collect();
            if changes.is_empty() {
                lines.extend([format!("**{}**: nothing", list.title()), String::new()]);
                continue;
            }
            lines.extend([
                format!("<details><summary><b>{}</b>: {}</summary>", list.title(), count(changes.len(), "scenario")),
                String::new(),
            ]);
            for change in changes {
                lines.push(format!("- `{}` {}", change.scenario, say_change(change)));
                if !is_generated(&change.scenario) {
                    lines.extend([String::new(), "  ```diff".to_owned()]);
                    let diff = unified(&change.transcript_before, &change.transcript_after);
                    lines.extend(diff.into_iter().map(|line| format!("  {line}")));
                    lines.extend(["  ```".to_owned(), String::new()]);
                }
            }
            lines.extend(["</details>".to_owned(), String::new()]);
        }
    }
    lines.extend(
        comparison.skipped.iter().map(|skipped| format!("`{}` was left out: {}\n", skipped.backend, skipped.why)),
    );
    lines.join("\n").trim_end().to_owned() + "\n"
}
