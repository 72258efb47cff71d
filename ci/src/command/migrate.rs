//! `keyalike migrate`: what differs between two backends, as Markdown for a pull request.

use std::sync::Arc;

use harness::backend::Backend;
use harness::comparison::Difference;
use harness::diff::{Diff, ScenarioDiff, diff};
use harness::isolation::Workshop;
use harness::report::CellReport;
use harness::report::paint::count;
use harness::runner::Options;
use releases::id::ReleaseId;
use releases::resolve::expand;

use crate::backend_choice::BackendChoice;
use crate::command::show::ending_of;
use crate::failure::{Ending, Failure};
use crate::release_runs::{is_generated, places, programs};
use crate::scenario_choice::SuiteChoice;
use crate::{cells, output};

/// The arguments of `migrate`.
#[derive(Debug, clap::Args)]
pub(crate) struct Migrate {
    /// The backend that is used now: `async-std`, `tokio@1.40.0`
    #[arg(value_name = "FROM")]
    from: String,
    /// The backend that will be used
    #[arg(value_name = "TO")]
    to: String,
    /// Compare these scenarios: a name, a theme, a glob on names, or the path of a file or folder
    #[arg(long = "scenario", value_name = "GLOB|PATH")]
    scenarios: Vec<String>,
    #[command(flatten)]
    suite: SuiteChoice,
}

impl Migrate {
    /// Runs both and prints the list. That they differ is what the list is for, and no failure.
    pub(crate) fn execute(&self) -> Result<Ending, Failure> {
        let suite = self.suite.read()?;
        let programs = programs(&suite, &self.suite.root(), &self.scenarios)?;
        let workers = Arc::new(BackendChoice::default().workshop());
        let sides = [backend(&self.from, &workers)?, backend(&self.to, &workers)?];
        let options = Options::once(workers);
        let mut cells = Vec::new();
        for side in &sides {
            cells.push(cells::run(&programs, std::slice::from_ref(side), &options, None)?);
        }
        let found = diff(&cells::outcomes(&cells[0]), &cells::outcomes(&cells[1]));
        output::print(&markdown(&found, &sides))?;
        let failed: Vec<CellReport> = cells.into_iter().flatten().filter(|cell| cell.outcome().is_none()).collect();
        for cell in &failed {
            output::note(&format!(
                "{} on {} has no outcome; `keyalike show {0}` says why",
                cell.scenario, cell.backend
            ));
        }
        Ok(ending_of(&failed))
    }
}

/// Starts the one backend that an id means: a release, or one that is built in.
fn backend(id: &str, workshop: &Workshop) -> Result<Arc<dyn Backend>, Failure> {
    let several = |count: usize| Failure::Versions {
        what: format!("`{id}` means {count} backends"),
        hint: "name one on each side".to_owned(),
    };
    // Counted before any is made: a release may take minutes.
    if let Ok(Some(_)) = ReleaseId::parse(id) {
        let releases = expand(id, &places()?)?.unwrap_or_default();
        if releases.len() != 1 {
            return Err(several(releases.len()));
        }
    }
    let mut backends = BackendChoice::one(id).start(workshop)?;
    match (backends.pop(), backends.len()) {
        (Some(backend), 0) => Ok(backend),
        (_, rest) => Err(several(rest + 1)),
    }
}

fn markdown(found: &Diff, sides: &[Arc<dyn Backend>; 2]) -> String {
    let [from, to] = sides.each_ref().map(|side| side.description());
    let say = |subject: &harness::subject::Subject| format!("{} {}", subject.name, subject.version);
    let mut lines = vec![
        format!("### From `{}` to `{}`", from.id, to.id),
        String::new(),
        format!(
            "Runtime {} to {}, locks {} to {}.",
            say(&from.runtime),
            say(&to.runtime),
            say(&from.locks),
            say(&to.locks)
        ),
        String::new(),
    ];
    let compared = count(found.scenarios.len() + found.equal, "scenario");
    let is_wording =
        |scenario: &&ScenarioDiff| scenario.missing.is_none() && scenario.difference == Difference::Wording;
    let (wording, behaviour): (Vec<&ScenarioDiff>, Vec<&ScenarioDiff>) = found.scenarios.iter().partition(is_wording);
    lines.push(match behaviour.len() {
        0 => format!("No lock behaves otherwise: {compared} compared, and none differs in behaviour."),
        differ => format!("{compared} compared, {differ} differ in behaviour."),
    });
    lines.push(String::new());
    let (generated, written): (Vec<&ScenarioDiff>, Vec<&ScenarioDiff>) =
        behaviour.into_iter().partition(|scenario| is_generated(&scenario.name));
    written.iter().for_each(|scenario| section(scenario, &mut lines));
    folded("generated scenarios that differ in behaviour", &generated, &mut lines);
    match wording.len() {
        0 => lines.push("No message is worded otherwise.".to_owned()),
        _ => folded("scenarios that differ in wording only", &wording, &mut lines),
    }
    lines.join("\n").trim_end().to_owned() + "\n"
}

fn section(scenario: &ScenarioDiff, lines: &mut Vec<String>) {
    let lacking = if scenario.missing.is_some() { ": only one of them has an outcome" } else { "" };
    lines.extend([format!("- [ ] `{}`{lacking}", scenario.name), String::new(), "  ```diff".to_owned()]);
    lines.extend(scenario.lines.iter().map(|line| format!("  {line}")));
    lines.extend(["  ```".to_owned(), String::new()]);
}

fn folded(what: &str, scenarios: &[&ScenarioDiff], lines: &mut Vec<String>) {
    if scenarios.is_empty() {
        return;
    }
    lines.extend([format!("<details><summary>{} {what}</summary>", scenarios.len()), String::new()]);
    scenarios.iter().for_each(|scenario| section(scenario, lines));
    lines.extend(["</details>".to_owned(), String::new()]);
}
