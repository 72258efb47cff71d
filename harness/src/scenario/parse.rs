//! Reads the text of a scenario: a value, or every error with its place.
//!
//! A line that is in error is passed over and the next one is read, so that several errors are told at once. No text
//! makes it panic, and its time grows with the length of the text.

mod accept;
mod comments;
mod head;
mod names;
mod step;
mod token;
mod words;

use std::collections::{HashMap, HashSet};

use crate::scenario::diagnostic::{Diagnostic, Location, ticked};
use crate::scenario::name::{ScenarioName, TaskName};
use crate::scenario::vocabulary::{self, Role};
use crate::scenario::{Line, Object, Scenario, Step};
use comments::Comments;
use head::HeadLine;
use names::Names;
use token::{Kind, SourceLine, Token};

/// The longest text that is read, in bytes.
pub const TEXT_BYTES_MAX: usize = 1 << 20;

/// The most steps that a script has, with each member of a crowd counted.
pub const STEPS_MAX: usize = 100_000;

/// The most tasks that a scenario has.
pub const TASKS_MAX: usize = 10_000;

/// The most errors that are told at once.
pub const ERRORS_MAX: usize = 20;

/// A scenario together with where its parts stand in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// The scenario.
    pub scenario: Scenario,
    /// Where its parts stand.
    pub locations: Locations,
}

/// Where the parts of a scenario stand, each list in the order of the scenario's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locations {
    /// The numbers of the rules.
    pub rules: Vec<Location>,
    /// The names of the objects, in their declarations.
    pub objects: Vec<Location>,
    /// The steps of each line.
    pub steps: Vec<Vec<Location>>,
    /// The `accept` lines, without their comments.
    pub accepts: Vec<Location>,
    /// The results that the conditions of each `accept` line ask for.
    pub results: Vec<Vec<Location>>,
}

/// Reads `text` as the scenario `name`.
///
/// # Errors
///
/// What is wrong, in the order of the text: at least one error, at most [`ERRORS_MAX`].
pub fn parse(name: ScenarioName, text: &str) -> Result<Scenario, Vec<Diagnostic>> {
    parse_located(name, text).map(|parsed| parsed.scenario)
}

/// Reads `bytes` as the scenario `name`.
///
/// # Errors
///
/// As [`parse`], and if the bytes are not UTF-8. To render that error, read the bytes with
/// [`String::from_utf8_lossy`].
pub fn parse_bytes(name: ScenarioName, bytes: &[u8]) -> Result<Scenario, Vec<Diagnostic>> {
    parse(name, utf8(bytes)?)
}

/// Reads `text` as the scenario `name`, and keeps where everything stands.
///
/// # Errors
///
/// As [`parse`].
pub fn parse_located(name: ScenarioName, text: &str) -> Result<Parsed, Vec<Diagnostic>> {
    within_bounds(text.len())?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut errors = Errors::default();
    let lines: Vec<Option<SourceLine<'_>>> = text
        .split('\n')
        .enumerate()
        .map(|(index, line)| token::split(index + 1, line.strip_suffix('\r').unwrap_or(line)))
        .map(|line| line.map_err(|fault| errors.push(fault)).ok())
        .collect();
    let mut reader = Reader::new(name, Names::declared_in(&lines), errors);
    for line in lines.iter().flatten() {
        if reader.errors.is_full() {
            break;
        }
        reader.line(line);
    }
    reader.finish()
}

/// Reads one step; the places of errors count from the start of `text`.
///
/// # Errors
///
/// What is wrong: a text that is not one step, or a step on an object that is not among `objects`.
pub fn parse_step(text: &str, objects: &[Object]) -> Result<Step, Vec<Diagnostic>> {
    within_bounds(text.len())?;
    accept::one_step(1, text, &Names::of(objects)).map_err(|fault| match fault {
        Fault::Tell(fault) => vec![*fault],
        Fault::Told => Vec::new(),
    })
}

fn within_bounds(length: usize) -> Result<(), Vec<Diagnostic>> {
    if length <= TEXT_BYTES_MAX {
        return Ok(());
    }
    let message = format!("the text has {length} bytes, more than the {TEXT_BYTES_MAX} that a scenario may have");
    Err(vec![
        Diagnostic::error(Location { line: 1, column: 1, length: 0 }, message)
            .hinting("write a crowd, such as `B[1..40] acquire m`, instead of many steps"),
    ])
}

fn utf8(bytes: &[u8]) -> Result<&str, Vec<Diagnostic>> {
    within_bounds(bytes.len())?;
    std::str::from_utf8(bytes).map_err(|error| {
        let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        let valid = valid.strip_prefix('\u{feff}').unwrap_or(&valid);
        let line = valid.split('\n').count();
        let column = valid.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
        vec![
            Diagnostic::error(Location { line, column, length: 1 }, "the text is not UTF-8 from here on")
                .hinting("save the file as UTF-8"),
        ]
    })
}

/// Why a line or a step could not be read.
enum Fault {
    /// An error that is to be told.
    Tell(Box<Diagnostic>),
    /// An error that follows from another one, which is told at its own place.
    Told,
}

impl Fault {
    /// Returns the same fault of a step of a script. If it is at a comma, the step was taken for one of a program.
    fn with_commas(self, step: &[Token<'_>]) -> Self {
        let Fault::Tell(fault) = self else { return self };
        let column = fault.location().column;
        let is_comma = step.iter().any(|token| token.location.column == column && token.text().contains(','));
        let hint = "steps on one line are joined by `;`; the actions of a program by `,`: `A: acquire m, release m`";
        Fault::Tell(Box::new(fault.maybe_hinting(is_comma.then(|| hint.to_owned()))))
    }
}

impl From<Diagnostic> for Fault {
    fn from(diagnostic: Diagnostic) -> Self {
        Fault::Tell(Box::new(diagnostic))
    }
}

/// The errors so far.
#[derive(Default)]
struct Errors {
    list: Vec<Diagnostic>,
}

impl Errors {
    fn push(&mut self, fault: impl Into<Fault>) {
        match fault.into() {
            Fault::Tell(fault) if !self.is_full() => self.list.push(*fault),
            Fault::Tell(_) | Fault::Told => {}
        }
    }

    fn is_full(&self) -> bool {
        self.list.len() >= ERRORS_MAX
    }
}

/// The part of the text that is being read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Head,
    Script,
    Accepts,
}

/// What has been read so far.
struct Reader<'t> {
    scenario: Scenario,
    locations: Locations,
    names: Names<'t>,
    errors: Errors,
    part: Part,
    comments: Comments,
    /// Whether a line of the head was read: comments before it are the description.
    has_head: bool,
    /// Whether a line of the script could not be read, so that what is missing may stand there.
    script_is_partial: bool,
    /// The line on which each name, rule or single word of the head stands; the words have a space, as no name has.
    seen: HashMap<String, usize>,
    /// Where the step of each condition stands, for each `accept` line.
    condition_locations: Vec<Vec<Location>>,
    step_count: usize,
    /// The tasks so far.
    tasks: HashSet<TaskName>,
}

impl<'t> Reader<'t> {
    fn new(name: ScenarioName, names: Names<'t>, errors: Errors) -> Self {
        Self {
            scenario: Scenario::new(name),
            locations: Locations::default(),
            names,
            // A line that could not even be split may be one of the script.
            script_is_partial: !errors.list.is_empty(),
            errors,
            part: Part::Head,
            comments: Comments::default(),
            has_head: false,
            seen: HashMap::new(),
            condition_locations: Vec::new(),
            step_count: 0,
            tasks: HashSet::new(),
        }
    }

    fn line(&mut self, line: &SourceLine<'_>) {
        let Some(first) = line.tokens.first() else {
            match line.comment {
                Some(comment) => self.comments.comment(comment),
                None => self.comments.blank(),
            }
            return;
        };
        let word = if let Kind::Word(word) = first.kind { word } else { "" };
        if let Some(entry) = vocabulary::find(Role::Head, word) {
            self.enter(Part::Head, first);
            self.has_head = true;
            self.scenario.description.extend(self.comments.take());
            self.scenario.description.extend(line.comment.map(str::to_owned));
            match head::head(entry, line) {
                Ok(read) => self.head(read, first.location),
                Err(fault) => self.errors.push(fault),
            }
        } else if word == "accept" {
            self.enter(Part::Accepts, first);
            self.accept(line, first.location);
        } else {
            self.enter(Part::Script, first);
            self.script(line);
        }
    }

    /// Goes on to `part`, or says that it should have stood before what was read already.
    fn enter(&mut self, part: Part, first: &Token<'_>) {
        if part >= self.part {
            self.part = part;
            return;
        }
        let (what, hint) = match part {
            Part::Head => ("a line of the head", "the head comes first, then the script, then the `accept` lines"),
            _ => ("a step", "the `accept` lines come last"),
        };
        let after = if self.part == Part::Script { "the script" } else { "the `accept` lines" };
        let message = format!("{what} stands behind the beginning of {after}");
        self.errors.push(Diagnostic::error(first.location, message).hinting(hint));
    }

    fn head(&mut self, read: HeadLine, first: Location) {
        match read {
            HeadLine::Rule(rule, location) => {
                if self.is_new(rule.as_str(), location, "the rule is named") {
                    self.scenario.rules.push(rule);
                    self.locations.rules.push(location);
                }
            }
            HeadLine::Source(source) => self.scenario.sources.push(source),
            HeadLine::Object(object, location) => {
                if self.is_new(object.name.as_str(), location, "the name is declared") {
                    self.scenario.objects.push(object);
                    self.locations.objects.push(location);
                }
            }
            HeadLine::ShowWakes(location) => {
                if self.is_new("show wakes", location, "it is written") {
                    self.scenario.show_wakes = true;
                }
            }
            HeadLine::Within(within) => {
                if self.is_new("within ", first, "a limit is given") {
                    self.scenario.within = Some(within);
                }
            }
        }
    }

    /// Returns whether `what` was not seen before, or says where.
    fn is_new(&mut self, what: &str, location: Location, done: &str) -> bool {
        let Some(line) = self.seen.insert(what.to_owned(), location.line) else { return true };
        let message = format!("{} stands here for the second time: {done} on line {line}", ticked(what.trim_end()));
        self.errors.push(Diagnostic::error(location, message).hinting("remove one of the two"));
        false
    }

    fn script(&mut self, line: &SourceLine<'_>) {
        let (above, gap) = self.comments_above();
        let mut steps = Vec::new();
        let mut locations = Vec::new();
        if let [first, .., last] | [first @ last] = &line.tokens[..]
            && step::is_program(first)
        {
            match step::program(&line.tokens, &self.names) {
                Ok(step) => {
                    let location = first.location.to(last.location);
                    self.count(&step, location);
                    steps.push(step);
                    locations.push(location);
                }
                Err(fault) => {
                    self.script_is_partial = true;
                    self.errors.push(fault);
                }
            }
            self.scenario.lines.push(Line { above, gap, steps, comment: line.comment.map(str::to_owned) });
            self.locations.steps.push(locations);
            return;
        }
        let parts = line.tokens.split(|token| token.kind == Kind::Semicolon);
        let mut start = 0;
        for part in parts {
            let end = start + part.len();
            let (Some(first), Some(last)) = (part.first(), part.last()) else {
                self.script_is_partial = true;
                self.errors.push(empty_step(&line.tokens, end));
                start = end + 1;
                continue;
            };
            start = end + 1;
            let location = first.location.to(last.location);
            match step::step(part, &self.names) {
                Ok(step) => {
                    self.count(&step, location);
                    steps.push(step);
                    locations.push(location);
                }
                Err(fault) => {
                    self.script_is_partial = true;
                    self.errors.push(fault.with_commas(part));
                }
            }
            if self.errors.is_full() {
                break;
            }
        }
        self.scenario.lines.push(Line { above, gap, steps, comment: line.comment.map(str::to_owned) });
        self.locations.steps.push(locations);
    }

    /// Counts the step's members and the tasks, and says where there are too many of them.
    fn count(&mut self, step: &Step, location: Location) {
        let steps = (self.step_count, self.step_count.saturating_add(step.who().map_or(1, |who| who.count())));
        self.step_count = steps.1;
        let tasks_before = self.tasks.len();
        if self.step_count <= STEPS_MAX {
            self.tasks.extend(step.tasks());
        }
        for (what, (before, now), max) in
            [("steps", steps, STEPS_MAX), ("tasks", (tasks_before, self.tasks.len()), TASKS_MAX)]
        {
            if before <= max && now > max {
                self.script_is_partial = true;
                let message = format!("the script has more than {max} {what} from here on, members of crowds counted");
                self.errors.push(Diagnostic::error(location, message).hinting("use smaller crowds or fewer lines"));
            }
        }
    }

    fn accept(&mut self, line: &SourceLine<'_>, first: Location) {
        let (above, _) = self.comments_above();
        match accept::accept(line, &self.names) {
            Ok((accept, steps, results)) => {
                let comment = line.comment.map(str::to_owned);
                self.scenario.accepts.push(super::Accept { above, comment, ..accept });
                self.locations.accepts.push(first.to(line.end));
                self.condition_locations.push(steps);
                self.locations.results.push(results);
            }
            Err(fault) => self.errors.push(fault),
        }
    }

    /// Returns the comments above a line of the script or an `accept` line, and whether it is set apart.
    fn comments_above(&mut self) -> (Vec<String>, bool) {
        let is_first = self.scenario.lines.is_empty() && self.scenario.accepts.is_empty();
        if is_first && !self.has_head {
            let (description, above) = self.comments.take_split();
            self.scenario.description.extend(description);
            return (above, false);
        }
        let gap = self.comments.has_blank() && !self.scenario.lines.is_empty();
        (self.comments.take(), gap)
    }

    fn finish(mut self) -> Result<Parsed, Vec<Diagnostic>> {
        let is_bare = !self.has_head && self.scenario.lines.is_empty() && self.scenario.accepts.is_empty();
        let last = if is_bare { &mut self.scenario.description } else { &mut self.scenario.closing };
        last.extend(self.comments.take());
        if !self.script_is_partial && !self.errors.is_full() {
            self.check_conditions();
        }
        if !self.script_is_partial && self.scenario.is_explored() {
            self.check_explored();
        }
        if self.errors.list.is_empty() {
            return Ok(Parsed { scenario: self.scenario, locations: self.locations });
        }
        self.errors.list.sort_by_key(Diagnostic::location);
        Err(self.errors.list)
    }

    /// Says which lines of an explored scenario are neither a program nor something that may happen at any time.
    fn check_explored(&mut self) {
        let mut programs: HashSet<TaskName> = HashSet::new();
        for (line, locations) in self.scenario.lines.iter().zip(&self.locations.steps) {
            for (step, location) in line.steps.iter().zip(locations) {
                if let Step::Program { who, .. } = step
                    && let Some(twice) = who.members().find(|member| !programs.insert(*member))
                {
                    let fault = Diagnostic::error(*location, format!("task {twice} has a program already"))
                        .hinting("write all that it does on one line");
                    self.errors.push(fault);
                }
                let is_occasion = line.steps.len() == 1 && step.is_occasion();
                if !is_occasion && !matches!(step, Step::Program { .. }) {
                    let fault =
                        Diagnostic::error(*location, "an explored scenario has no order of its own for this step")
                            .expecting("the program of a task, such as `A: acquire m, release m`")
                            .expecting("`cancel B`, `abort B`, `B repoll` or `B repoll new-waker` on a line of its own")
                            .hinting("what stands on a line of its own may happen once, at any time, or not at all");
                    self.errors.push(fault);
                }
            }
        }
    }

    /// Says which conditions speak of a step that is not in the script.
    fn check_conditions(&mut self) {
        if self.condition_locations.iter().all(Vec::is_empty) {
            return;
        }
        let crowds: HashSet<&Step> = self.scenario.steps().map(|(_, step)| step).collect();
        let members: HashSet<Step> = crowds.iter().flat_map(|step| step.members()).collect();
        for (accept, locations) in self.scenario.accepts.iter().zip(&self.condition_locations) {
            for (condition, location) in accept.conditions.iter().zip(locations) {
                if !crowds.contains(&condition.step) && !members.contains(&condition.step) {
                    let message = format!("the script has no step `{}`", condition.step);
                    let hint = "write a step as it stands in the script, or the step of one member of a crowd";
                    let fault = Diagnostic::error(*location, message).expecting("a step of the script").hinting(hint);
                    self.errors.push(fault);
                }
            }
        }
    }
}

/// Returns the error of a step that is missing at the token `index`, before or behind a semicolon.
fn empty_step(tokens: &[Token<'_>], index: usize) -> Diagnostic {
    let (semicolon, place) = match tokens.get(index) {
        Some(semicolon) => (semicolon, "before"),
        None => (&tokens[tokens.len() - 1], "behind"),
    };
    Diagnostic::error(semicolon.location, format!("no step stands {place} this `;`"))
        .expecting("a step")
        .hinting("remove the `;`")
}
