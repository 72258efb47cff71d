//! `keyalike list`: what there is.

use harness::scenario::Scenario;
use harness::scenario::diagnostic::nearest;
use harness::scenario::name::RuleId;
use harness::suite::Suite;

use crate::failure::{Ending, Failure};
use crate::scenario_choice::{SuiteChoice, generated_themes};
use crate::{bootstrap, output};

/// The arguments of `list`. Without any, it lists the scenarios.
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// List the rules
    #[arg(long, group = "what")]
    rules: bool,
    /// List the generated scenarios too
    #[arg(long, group = "what")]
    generated: bool,
    /// List the backends, built or not
    #[arg(long, group = "what")]
    backends: bool,
    /// List the features that build backends; with a NAME, only that one
    #[arg(long, group = "what", value_name = "NAME", num_args = 0.., value_delimiter = ',')]
    features: Option<Vec<String>>,
    #[command(flatten)]
    suite: SuiteChoice,
}

impl List {
    /// Lists what is asked for, one a line.
    pub(crate) fn execute(&self) -> Result<Ending, Failure> {
        let rows = if self.rules {
            rules(&self.suite.read()?)
        } else if self.backends {
            bootstrap::require_backends()?;
            backends()
        } else if let Some(names) = &self.features {
            features(names)?
        } else {
            scenarios(&self.suite.read()?, self.generated)
        };
        output::print(&align(&rows))?;
        Ok(Ending::Expected)
    }
}

type Rows = Vec<Vec<String>>;

fn scenarios(suite: &Suite, with_generated: bool) -> Rows {
    let row = |scenario: &Scenario| {
        let rules: Vec<&str> = scenario.rules.iter().map(RuleId::as_str).collect();
        vec![scenario.name.to_string(), rules.join(" "), scenario.description.join(" ")]
    };
    let generated = generated_themes();
    let (hidden, listed): (Vec<_>, Vec<_>) =
        suite.programs.values().partition(|it| !with_generated && generated.contains(it.scenario.name.theme()));
    let mut rows: Rows = listed.into_iter().map(|program| row(&program.scenario)).collect();
    rows.extend(suite.explored.values().map(|plan| row(&plan.scenario)));
    rows.sort();
    for theme in generated {
        let count = hidden.iter().filter(|program| program.scenario.name.theme() == theme).count();
        if count > 0 {
            let told = format!("{count} generated scenarios; --generated lists them");
            rows.push(vec![format!("{theme}/*"), String::new(), told]);
        }
    }
    rows
}

fn rules(suite: &Suite) -> Rows {
    let rules = suite.rules.values();
    rules.map(|rule| vec![rule.id.to_string(), rule.level.as_str().to_owned(), rule.title.clone()]).collect()
}

fn backends() -> Rows {
    let built = backends::all();
    let row = |known: backends::Known| match built.iter().find(|entry| entry.id == known.id) {
        Some(entry) => {
            let backend = entry.start();
            let description = backend.description();
            let subject = |it: &harness::subject::Subject| format!("{} {}", it.name, it.version);
            vec![
                known.id,
                if entry.native { "native".to_owned() } else { String::new() },
                subject(&description.runtime),
                format!("locks of {}", subject(&description.locks)),
                description.capabilities.join(", "),
            ]
        }
        None => vec![known.id, "not built".to_owned(), format!("--features {}", known.features.join(","))],
    };
    let releases = releases::resolve::known().iter();
    let releases = releases.map(|form| vec![form.id.to_owned(), "a release".to_owned(), form.runs.to_owned()]);
    backends::known().into_iter().map(row).chain(releases).collect()
}

fn features(names: &[String]) -> Result<Rows, Failure> {
    let known = || backends::FEATURES.iter().map(|(name, _)| *name);
    for name in names {
        if !known().any(|known| known == name) {
            let hint = match nearest(name, known()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "`keyalike list --features` names them all".to_owned(),
            };
            return Err(Failure::Unknown { what: "feature", name: name.clone(), hint });
        }
    }
    let asked = backends::FEATURES.iter().filter(|(name, _)| names.is_empty() || names.iter().any(|it| it == name));
    Ok(asked.map(|(name, adds)| vec![(*name).to_owned(), (*adds).to_owned()]).collect())
}

/// Aligns all columns but the last.
fn align(rows: &Rows) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|it| it.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells: String = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}  ")).collect();
        format!("{}\n", cells.trim_end())
    };
    rows.iter().map(line).collect()
}
