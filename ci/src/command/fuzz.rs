//! `keyalike fuzz`: made-up programs on one lock library in search of violations, or on two in search of what tells them
//! apart.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use backends::Locks;
use harness::explore::fuzz::classes::{Class, classes};
use harness::explore::fuzz::{Finding, Fuzz as Search, Harvest, Kind, replays};
use harness::explore::shard::Shard;
use harness::explore::{Budget, ExploreError};
use harness::report::paint::{TITLE, count};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::explore::choose_locks;
use crate::budget::parse_budget;
use crate::export::{self, Export};
use crate::failure::{Ending, Failure};
use crate::findings_file::{Findings, Head};
use crate::kept_file::{Kept, KeptFile};
use crate::{bootstrap, interrupt, output};

/// The arguments of `fuzz`.
#[derive(Debug, clap::Args)]
pub(crate) struct Fuzz {
    /// The lock library: its id or that of a backend. Given once, look for violations; given twice, for what tells the two
    /// apart
    #[arg(long = "backend", value_name = "ID", required = true)]
    backends: Vec<String>,
    /// When to stop: a number of programs of all shards together, or a time such as 30s
    #[arg(long, value_name = "N|TIME", default_value = "200", value_parser = budget_of_programs)]
    budget: Budget,
    /// What programs and schedules begin with
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// How many threads search; any number finds the same
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Search part I of N alone
    #[arg(long, value_name = "I/N", default_value_t = Shard::WHOLE)]
    shard: Shard,
    /// Keep what is found in this file, as it is found, and go on from there if it is there. `keyalike merge` joins such
    /// files. With --export, the folder in which exports go, and the file `findings.json` with them
    #[arg(long, value_name = "FILE|DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    export: export::Choice,
}

fn budget_of_programs(text: &str) -> Result<Budget, String> {
    parse_budget(text).map_err(|error| error.replace("schedules", "programs"))
}

impl Fuzz {
    /// Searches and tells what was found.
    pub(crate) fn execute(&self) -> Result<Ending, Failure> {
        bootstrap::require_backends()?;
        let libraries = choose(&self.backends)?;
        let export = self.export.check(self.out.as_deref())?;
        let search = Search::new(libraries.iter().map(|locks| locks.explorable).collect(), self.seed);
        if !search.has_subject() {
            let hint = "they have no primitive in common that can be acquired".to_owned();
            return Err(Failure::Unknown { what: "common primitive of", name: self.backends.join(" and "), hint });
        }
        // Locks and tasks panic here by design, and each panic is part of an outcome.
        std::panic::set_hook(Box::new(|_| {}));
        let head = Head {
            fuzz: Findings::SCHEMA,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            libraries: libraries
                .iter()
                .map(|it| (it.id.to_owned(), it.subject.0.to_owned(), it.subject.1.to_owned()))
                .collect(),
            seed: self.seed,
            budget: self.budget,
            shard: self.shard,
        };
        let (mut file, mut harvests, is_whole): (_, BTreeMap<u64, Harvest>, _) =
            match self.export.findings(self.out.as_deref()) {
                None => (None, Default::default(), false),
                Some(path) => {
                    let (file, contents) = KeptFile::open::<Findings>(&path, &head)?;
                    (Some(file), contents.results, contents.is_whole)
                }
            };
        if !is_whole {
            let done: BTreeSet<u64> = harvests.keys().copied().collect();
            let mut told = BTreeSet::new();
            let mut hear = |number: u64, harvest: Harvest, bar: &ProgressBar| {
                if let Some(file) = &mut file {
                    file.add::<Findings>(&number, &harvest);
                }
                for finding in &harvest.findings {
                    // Told at once, so that it is not lost should the run be cut off.
                    if told.insert(finding.kind.clone()) {
                        bar.suspend(|| {
                            output::note(&format!("program {number}: {}\n{}", finding.kind, finding.script))
                        });
                    }
                }
                harvests.insert(number, harvest);
            };
            interrupt::note()?;
            self.run(&search, &done, &mut hear)?;
            if let (Some(file), None) = (&mut file, interrupt::came()) {
                file.end::<Findings>(harvests.len());
            }
        }
        let findings: Vec<Finding> = harvests.values().flat_map(|harvest| harvest.findings.clone()).collect();
        let classes = classes(&findings);
        output::print(&told(&head, harvests.values(), &classes))?;
        let explorables: Vec<_> = libraries.iter().map(|locks| locks.explorable).collect();
        if let Some(class) = first_that_does_not_replay(&explorables, &classes)? {
            let text = format!(
                "a finding does not replay on the live driver: {}\n{}",
                class.finding.kind, class.finding.script
            );
            return Err(Failure::Unconfirmed(text));
        }
        self.hand_over(export, &libraries, &classes)?;
        if let Some(failure) = file.and_then(KeptFile::close) {
            return Err(failure);
        }
        if let Some(code) = interrupt::came() {
            let goes_on = match self.export.findings(self.out.as_deref()) {
                Some(path) => format!("it is kept in {}, and the same command goes on from there", path.display()),
                None => "with --out FILE a search goes on".to_owned(),
            };
            output::note(&format!("interrupted: what was found is told above; {goes_on}"));
            return Ok(Ending::Interrupted(code));
        }
        Ok(ending(&classes))
    }

    fn run(
        &self,
        search: &Search,
        done: &BTreeSet<u64>,
        hear: &mut dyn FnMut(u64, Harvest, &ProgressBar),
    ) -> Result<(), Failure> {
        let begun = Instant::now();
        let jobs = self.jobs.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
        let limit = match self.budget {
            Budget::Schedules(programs) => programs,
            Budget::Time(_) => u64::MAX,
        };
        let bar = progress(&self.backends.join(" and "));
        if let Budget::Schedules(programs) = self.budget {
            bar.set_length(programs.div_ceil(self.shard.count));
        }
        let mut numbers = (0..limit).filter(|number| self.shard.has(*number)).filter(|number| !done.contains(number));
        loop {
            if interrupt::came().is_some() || matches!(self.budget, Budget::Time(time) if begun.elapsed() >= time) {
                break;
            }
            let round: Vec<u64> = numbers.by_ref().take(jobs).collect();
            if round.is_empty() {
                break;
            }
            for (number, harvest) in together(search, &round) {
                hear(number, harvest?, &bar);
                bar.inc(1);
            }
        }
        bar.finish_and_clear();
        Ok(())
    }

    fn hand_over(&self, export: Option<Export>, libraries: &[Locks], classes: &[Class]) -> Result<(), Failure> {
        let Some(export) = export else { return Ok(()) };
        for class in classes {
            export.write(libraries, &class.finding)?;
        }
        Ok(())
    }
}

/// Searches with several programs at once, and returns what came of each, in their order.
fn together(search: &Search, numbers: &[u64]) -> Vec<(u64, Result<Harvest, ExploreError>)> {
    if let [number] = numbers {
        return vec![(*number, search.search(*number))];
    }
    let harvests = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for number in numbers {
            let harvests = &harvests;
            scope.spawn(move || {
                let harvest = search.search(*number);
                harvests.lock().unwrap_or_else(PoisonError::into_inner).push((*number, harvest));
            });
        }
    });
    let mut harvests = harvests.into_inner().unwrap_or_else(PoisonError::into_inner);
    harvests.sort_by_key(|(number, _)| *number);
    harvests
}

/// Returns the one or two lock libraries that are named.
fn choose(ids: &[String]) -> Result<Vec<Locks>, Failure> {
    let mut chosen = Vec::new();
    for id in ids {
        let found = choose_locks(std::slice::from_ref(id))?;
        match &found[..] {
            [one] => chosen.push(*one),
            several => {
                let names: Vec<&str> = several.iter().map(|locks| locks.id).collect();
                let hint = format!("it names {}; name one", names.join(", "));
                return Err(Failure::Unknown { what: "single lock library", name: id.clone(), hint });
            }
        }
    }
    match &chosen[..] {
        [_] => Ok(chosen),
        [one, other] if one.id != other.id => Ok(chosen),
        [one, _] => Err(Failure::Twice { id: one.id.to_owned() }),
        _ => {
            let hint = "give --backend once to look for violations, twice to look for differences".to_owned();
            Err(Failure::Unknown { what: "search on", name: ids.join(", "), hint })
        }
    }
}

/// Nothing is told that does not come again on the live driver. A lock that reads a clock may need a second look.
pub(crate) fn first_that_does_not_replay<'c>(
    libraries: &[harness::explore::Explorable],
    classes: &'c [Class],
) -> Result<Option<&'c Class>, Failure> {
    for class in classes.iter().filter(|class| class.finding.kind != Kind::Disagreement) {
        let mut replayed = false;
        for _ in 0..REPLAYS_MAX {
            replayed |= replays(libraries, &class.finding)?;
        }
        if !replayed {
            return Ok(Some(class));
        }
    }
    Ok(None)
}

/// How often a finding is replayed: once is enough to show it.
const REPLAYS_MAX: usize = 3;

/// Returns how the command ends: a difference is no violation.
pub(crate) fn ending(classes: &[Class]) -> Ending {
    if classes.iter().any(|class| class.finding.kind == Kind::Disagreement) {
        Ending::Failed
    } else if classes.iter().any(|class| class.finding.is_violation()) {
        Ending::Unexpected
    } else {
        Ending::Expected
    }
}

/// Tells what was found.
pub(crate) fn told<'h>(head: &Head, harvests: impl Iterator<Item = &'h Harvest>, found: &[Class]) -> String {
    let (mut programs, mut schedules, mut unstable) = (0, 0, 0);
    for harvest in harvests {
        programs += 1;
        schedules += harvest.schedules;
        unstable += harvest.unstable;
    }
    let names: Vec<String> =
        head.libraries.iter().map(|(id, name, version)| format!("{id} ({name} {version})")).collect();
    let part = if head.shard == Shard::WHOLE { String::new() } else { format!(", shard {}", head.shard) };
    let mut text = format!(
        "{}: {} of seed {}{part}, {} schedules\n",
        names.join(" and "),
        count(programs, "program"),
        head.seed,
        schedules
    );
    if unstable > 0 {
        text.push_str(&format!("{unstable} did not come again as they were, and count for nothing\n"));
    }
    let violations = found.iter().filter(|class| class.finding.is_violation()).count();
    let what = if head.libraries.len() > 1 { "difference" } else { "violation" };
    let number = if head.libraries.len() > 1 { found.len() } else { violations };
    text.push_str(&format!("{}\n", count(number, what)));
    for (index, class) in found.iter().enumerate() {
        let title = format!("{}. {}", index + 1, class.finding.kind);
        text.push_str(&format!(
            "\n{}\n   in {}, {}\n\n",
            output::layout().paint(TITLE, &title),
            count(class.programs as usize, "program"),
            count(class.scripts as usize, "smallest script"),
        ));
        text.extend(class.finding.script.to_string().lines().map(|line| format!("     {line}\n")));
        for ((id, ..), outcome) in head.libraries.iter().zip(&class.finding.outcomes) {
            text.push_str(&format!("\n   {id}\n"));
            text.extend(outcome.iter().map(|line| format!("     {line}\n")));
        }
    }
    text
}

fn progress(key: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {bar:30} {human_pos}/{human_len} programs {per_sec} {elapsed}");
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.set_message(key.to_owned());
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
