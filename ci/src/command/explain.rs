//! `keyalike explain`: a rule with its scenarios, or a scenario with its rules, and what every native backend did.

use harness::report::paint::{TITLE, count};
use harness::report::side_by_side;
use harness::scenario::diagnostic::nearest;
use harness::scenario::name::{RuleId, ScenarioName};
use harness::suite::{Rule, Suite};

use crate::backend_choice::BackendChoice;
use crate::command::show::ending_of;
use crate::failure::{Ending, Failure};
use crate::output;
use crate::scenario_choice::{Programs, SuiteChoice, choose, generated_themes};

/// The arguments of `explain`.
#[derive(Debug, clap::Args)]
pub(crate) struct Explain {
    /// The number of a rule, or the name or path of a scenario
    #[arg(value_name = "RULE|SCENARIO")]
    name: String,
    #[command(flatten)]
    backends: BackendChoice,
    #[command(flatten)]
    suite: SuiteChoice,
}

impl Explain {
    /// Runs what is named, and explains it.
    pub(crate) fn execute(&self) -> Result<Ending, Failure> {
        let suite = self.suite.read()?;
        let rule = suite.rules.values().find(|rule| rule.id.as_str().eq_ignore_ascii_case(&self.name));
        let (text, ending) = match rule {
            Some(rule) => self.rule(&suite, rule)?,
            None => self.scenario(&suite)?,
        };
        output::print(&text)?;
        Ok(ending)
    }

    fn rule(&self, suite: &Suite, rule: &Rule) -> Result<(String, Ending), Failure> {
        let mut programs = suite.programs.clone();
        programs.retain(|_, program| program.scenario.rules.contains(&rule.id));
        let total = programs.len();
        let generated = generated_themes();
        programs.retain(|name, _| !generated.contains(name.theme()));
        let (cells, ending) = self.backends.run_once(&programs)?;
        let mut text = say_rule(rule);
        if total > programs.len() {
            let count = count(total - programs.len(), "generated scenario");
            text.push_str(&format!("\nand {count}: `keyalike run --rule {}` shows them\n", rule.id));
        }
        if total == 0 {
            text.push_str("\nNo scenario names this rule.\n");
        }
        for row in cells.chunk_by(|one, next| one.scenario == next.scenario) {
            text.push_str(&format!("\n{}\n", output::layout().paint(TITLE, row[0].scenario.as_str())));
            if row[0].rule.as_ref() != Some(&rule.id) {
                let first = row[0].rule.as_ref().map_or("none", RuleId::as_str);
                text.push_str(&format!("  graded by {first}\n"));
            }
            for side in side_by_side::sides(row) {
                let (verdict, grade) = (side.outcome.verdict, side_by_side::say_grade(side.outcome));
                text.push_str(&format!("  {verdict:12}  {}\n{:16}{grade}\n", side.backends.join(", "), ""));
            }
        }
        Ok((text, ending.or(ending_of(&cells))))
    }

    fn scenario(&self, suite: &Suite) -> Result<(String, Ending), Failure> {
        let programs = match choose(suite, &self.suite.root(), std::slice::from_ref(&self.name)) {
            Err(Failure::Unknown { hint, .. }) => return Err(self.unknown(suite, hint)),
            programs => programs?,
        };
        let (cells, ending) = self.backends.run_once(&programs)?;
        let mut text = String::new();
        for row in cells.chunk_by(|one, next| one.scenario == next.scenario) {
            text.push_str(&say_scenario(suite, &programs, &row[0].scenario));
            text.push_str(&side_by_side::render(row, output::layout()));
            text.push('\n');
        }
        Ok((text, ending.or(ending_of(&cells))))
    }

    /// Returns the failure for a name that neither a rule nor a scenario has.
    fn unknown(&self, suite: &Suite, hint: String) -> Failure {
        let hint = match nearest(&self.name, suite.rules.keys().map(RuleId::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => hint,
        };
        Failure::Unknown { what: "rule or scenario", name: self.name.clone(), hint }
    }
}

fn say_rule(rule: &Rule) -> String {
    let head = output::layout().paint(TITLE, &format!("{}  {}  {}", rule.id, rule.level.as_str(), rule.title));
    let sources: String = rule.sources.iter().map(|source| format!("  source  {source}\n")).collect();
    format!("{head}\n\n{}\n\n{sources}", rule.text.trim())
}

fn say_scenario(suite: &Suite, programs: &Programs, name: &ScenarioName) -> String {
    let Some(program) = programs.get(name) else { return String::new() };
    let mut text = output::scenario(&program.scenario);
    for rule in program.scenario.rules.iter().filter_map(|id| suite.rules.get(id)) {
        text.push_str(&say_rule(rule));
        text.push('\n');
    }
    text
}
