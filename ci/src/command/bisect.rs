//! `keyalike bisect`: the first release that does otherwise in one scenario.

use std::collections::BTreeMap;

use harness::comparison::Difference;
use harness::comparison::difference;
use harness::report::paint::{BAD, GOOD, TITLE};
use harness::report::unified_diff::unified;
use releases::bisection::{Bisection, Found, Search, bisect};
use releases::id::ReleaseId;
use releases::resolve::versions_between;
use releases::version::Version;

use crate::failure::{Ending, Failure};
use crate::output;
use crate::release_runs::{Ran, ReleaseRuns, programs};
use crate::scenario_choice::{Programs, SuiteChoice};

/// The arguments of `bisect`.
#[derive(Debug, clap::Args)]
pub(crate) struct Bisect {
    /// The package: tokio, async-lock, async-mutex, async-std, smol, futures-util, event-listener, anyio, trio or uvloop
    #[arg(value_name = "PACKAGE")]
    package: String,
    /// The scenario: a name, or the path of a file
    #[arg(value_name = "SCENARIO|PATH")]
    scenario: String,
    /// A release that does right. If it is the newer one, the release that repaired is looked for
    #[arg(long, value_name = "VERSION")]
    good: String,
    /// A release that does wrong
    #[arg(long, value_name = "VERSION")]
    bad: String,
    /// Run on this pair of a runtime and the package's locks, such as `smol+tokio`, and not on the usual one
    #[arg(long = "backend", value_name = "RUNTIME[+LOCKS]")]
    backend: Option<String>,
    #[command(flatten)]
    suite: SuiteChoice,
}

/// What a release did in the scenario. Two are equal if they behave alike, or, where words are what is looked for, if
/// their messages are equal too.
#[derive(Clone, Debug)]
struct Did {
    verdict: String,
    lines: Vec<String>,
    words_count: bool,
}

impl PartialEq for Did {
    fn eq(&self, other: &Self) -> bool {
        match difference(&self.lines, &other.lines) {
            Difference::None => true,
            Difference::Wording => !self.words_count,
            Difference::Kind => false,
        }
    }
}

impl Bisect {
    /// Searches and shows.
    pub(crate) fn execute(&self) -> Result<Ending, Failure> {
        let runs = ReleaseRuns::new(&self.package)?;
        let suite = self.suite.read()?;
        let programs = programs(&suite, &self.suite.root(), std::slice::from_ref(&self.scenario))?;
        if programs.len() != 1 {
            let what = format!("`{}` names {} scenarios", self.scenario, programs.len());
            return Err(Failure::Versions { what, hint: "bisect one at a time".to_owned() });
        }
        let good = self.end(&runs, &self.good)?;
        let bad = self.end(&runs, &self.bad)?;
        if good == bad {
            let what = format!("--good and --bad are both {good}");
            return Err(Failure::Versions { what, hint: "name two releases, of which one does right".to_owned() });
        }
        let (low, high) = if good < bad { (&good, &bad) } else { (&bad, &good) };
        let versions = versions_between(runs.package, low, high, &runs.places)?;
        let named: Vec<String> = self.backend.iter().cloned().collect();
        let pairs = runs.pairs(&named, &[low.clone(), high.clone()])?;
        let pair = pairs.first().expect("every package has a pair");
        let mut known = BTreeMap::new();
        let mut search = self.search(&runs, pair, &versions, &programs, &mut known, false)?;
        if matches!(search.bisection, Bisection::Equal(_)) {
            // The ends behave alike; perhaps they say it in other words. Nothing is built anew for that.
            search = self.search(&runs, pair, &versions, &programs, &mut known, true)?;
        }
        self.tell(pair, &versions, &search, good > bad)
    }

    /// Returns the one release that an argument means.
    fn end(&self, runs: &ReleaseRuns, argument: &str) -> Result<Version, Failure> {
        match runs.versions(&[argument.to_owned()])?.as_slice() {
            [version] => Ok(version.clone()),
            several => Err(Failure::Versions {
                what: format!("`{argument}` means {} releases of {}", several.len(), self.package),
                hint: "name one release at each end".to_owned(),
            }),
        }
    }

    fn search(
        &self,
        runs: &ReleaseRuns,
        pair: &ReleaseId,
        versions: &[Version],
        programs: &Programs,
        known: &mut BTreeMap<usize, Found<Did>>,
        words_count: bool,
    ) -> Result<Search<Did>, Failure> {
        bisect(versions.len(), |place| {
            if let Some(found) = known.get(&place) {
                return Ok(match found.clone() {
                    Found::Outcome(did) => Found::Outcome(Did { words_count, ..did }),
                    skipped => skipped,
                });
            }
            output::note(&format!("running {}", pair.at(&versions[place])));
            let found = match runs.run(pair, &versions[place], programs)? {
                Ran::Skipped(why) => Found::Skipped(why),
                Ran::Cells(cells, _) => match cells.first().and_then(|cell| cell.comparable().zip(cell.outcome())) {
                    Some((lines, outcome)) => Found::Outcome(Did {
                        verdict: outcome.verdict.as_str().to_owned(),
                        lines: lines.to_vec(),
                        words_count,
                    }),
                    None => Found::Skipped(why_none(&cells)),
                },
            };
            known.insert(place, found.clone());
            Ok(found)
        })
    }

    fn tell(
        &self,
        pair: &ReleaseId,
        versions: &[Version],
        search: &Search<Did>,
        is_repair: bool,
    ) -> Result<Ending, Failure> {
        let layout = output::layout();
        let id = |place: usize| pair.at(&versions[place]);
        let mut lines = vec![format!("{} releases lie between; {} were run:", versions.len() - 2, search.tried.len())];
        for tried in &search.tried {
            lines.push(match &tried.found {
                Found::Outcome(did) => format!("  {:24}  {}", id(tried.place), did.verdict),
                Found::Skipped(why) => format!("  {:24}  skipped: {why}", id(tried.place)),
            });
        }
        lines.push(String::new());
        let (last, before, first, after, skipped) = match &search.bisection {
            Bisection::First { last, before, first, after, skipped } => (*last, before, *first, after, skipped),
            Bisection::Equal(did) => {
                output::print(&lines.join("\n"))?;
                return Err(Failure::Versions {
                    what: format!(
                        "{} and {} do the same in {}: {}",
                        id(0),
                        id(versions.len() - 1),
                        self.scenario,
                        did.verdict
                    ),
                    hint: format!("`keyalike versions {} OLD NEW` finds what does differ", self.package),
                });
            }
            Bisection::NoEnd { place, why } => {
                output::print(&lines.join("\n"))?;
                return Err(Failure::Versions {
                    what: format!("{} has no outcome of {} to compare with: {why}", id(*place), self.scenario),
                    hint: "choose another release at that end, or another --backend".to_owned(),
                });
            }
        };
        let what = match is_repair {
            true => "is the first release that does right",
            false => "is the first release that does wrong",
        };
        lines.push(layout.paint(TITLE, &format!("{} {what}: {} -> {}", id(first), before.verdict, after.verdict)));
        if !skipped.is_empty() {
            let between: Vec<String> = skipped.iter().map(|place| id(*place)).collect();
            lines.push(format!("it may also be one of those that were skipped: {}", between.join(", ")));
        }
        lines.extend([String::new(), layout.paint(BAD, &format!("--- {}", id(last)))]);
        lines.push(layout.paint(GOOD, &format!("+++ {}", id(first))));
        lines.extend(unified(&before.lines, &after.lines).into_iter().map(|line| match line.as_bytes().first() {
            Some(b'-') => layout.paint(BAD, &line),
            Some(b'+') => layout.paint(GOOD, &line),
            _ => line,
        }));
        output::print(&(lines.join("\n") + "\n"))?;
        Ok(Ending::Expected)
    }
}

/// Returns why a cell has no outcome to compare.
fn why_none(cells: &[harness::report::CellReport]) -> String {
    use harness::report::Answer;
    match cells.first().map(|cell| &cell.answer) {
        Some(Answer::Failed { error }) => error.clone(),
        Some(Answer::Varies { .. }) => "two runs of it differ".to_owned(),
        _ => "it lacks an operation of the scenario".to_owned(),
    }
}
