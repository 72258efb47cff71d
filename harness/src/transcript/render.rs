//! The text of a transcript: a line per step, then the end state and the probes.

use std::fmt::Write as _;

use crate::program::{NameIndex, ObjectIndex, Program, StepIndex};
use crate::quiescence::TaskIndex;
use crate::runtime::Ending;
use crate::scenario::name::TaskName;
use crate::scenario::vocabulary::DOES_NOT_COME_BACK;
use crate::transcript::replay::Replay;
use crate::transcript::{At, Event, Fault, Reason, Record, Role, Transcript, Trial, What};

/// The column at which what happened begins, counted from 0.
pub const RESULT_COLUMN: usize = 23;

/// What one step came to, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepText {
    /// The step, as the scenario prints it.
    pub step: String,
    /// What came of it, and then what followed elsewhere. Joined by `; ` in the text.
    pub parts: Vec<String>,
    /// Errors, panics and `{:?}` texts, verbatim, one a line.
    pub messages: Vec<String>,
}

impl Transcript {
    /// Returns what every step came to, each member of a crowd on its own, as far as the script came.
    pub fn steps(&self) -> Vec<StepText> {
        let words = Words { program: &self.program };
        let mut steps = Vec::with_capacity(self.program.steps.len());
        for line in &self.program.lines {
            let events: Vec<&Event> =
                self.script().filter(|event| matches!(event.at, At::Step(step) if line.contains(&step))).collect();
            let hung_at = hung_at(&self.record);
            for step in line.clone() {
                let text = words.step(step, &events, hung_at == Some(step));
                if !text.parts.is_empty() {
                    steps.push(text);
                }
            }
        }
        steps
    }

    /// Returns the lines of the text, without the verdict.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        // Only tasks with numbers follow each other, and most scenarios have none.
        let has_crowd = self.program.tasks.iter().any(|task| task.number().is_some());
        let steps = if has_crowd { fold(&self.steps()) } else { self.steps() };
        for step in steps {
            push(&mut lines, &step.step, &step.parts.join("; "));
            let messages = step.messages.iter().filter(|message| !message.is_empty());
            lines.extend(messages.map(|message| format!("{:RESULT_COLUMN$}{message}", "")));
        }
        push(&mut lines, "end", &self.end().join("; "));
        // A run goes on after a livelock, unless its worker cannot do that.
        let goes_on = |fault: &&Fault| matches!(fault, Fault::Livelock { .. }) && !self.record.rest.is_empty();
        let broken_off = self.record.fault.as_ref().filter(|fault| !goes_on(fault)).map(Fault::at);
        for (at, name, trials) in [(At::Probe, "probe", &self.record.probe), (At::Rest, "rest", &self.record.rest)] {
            match broken_off {
                None => {
                    let (kept, messages) = self.not_released(at);
                    let parts = std::iter::once(self.trials(at, trials)).chain(kept);
                    push(&mut lines, name, &parts.collect::<Vec<_>>().join("; "));
                    lines.extend(messages.into_iter().map(|message| format!("{:RESULT_COLUMN$}{message}", "")));
                }
                Some(fault) if fault == Some(at) => push(&mut lines, name, DOES_NOT_COME_BACK),
                Some(Some(At::Rest)) if !trials.is_empty() => push(&mut lines, name, &self.trials(at, trials)),
                Some(_) => {}
            }
        }
        lines
    }

    /// Returns who holds, keeps and waits for what after the script, task by task.
    fn end(&self) -> Vec<String> {
        let mut replay = Replay::default();
        for event in self.script() {
            replay.apply(event);
        }
        let program = &self.program;
        let mut cells = Vec::new();
        for (task, name) in program.tasks.iter().enumerate() {
            let mut say = |text: String| cells.push(vec![Cell::task(*name), Cell::text(text)]);
            for guard in replay.guards.iter().filter(|guard| guard.task == task) {
                let name = program.objects()[guard.object].name.as_str();
                let mode = &program.objects()[guard.object].primitive.table().modes[guard.claim.mode as usize];
                match guard.forgotten {
                    true => say(format!(" forgot {name}")),
                    false => say(format!(" {}", mode.holds(guard.claim.amount, name))),
                }
            }
            for kept in replay.kept.iter().filter(|kept| kept.task == task) {
                say(format!(" keeps {}", program.futures[kept.future]));
            }
            for wait in replay.waits.iter().filter(|wait| wait.task == task) {
                let name = program.objects()[wait.object].name.as_str();
                let mode = &program.objects()[wait.object].primitive.table().modes[wait.claim.mode as usize];
                say(format!(" {}", mode.waits(wait.claim.amount, name)));
            }
        }
        let texts: Vec<String> = fold_rows(cells).iter().map(|row| print(row)).collect();
        if texts.is_empty() { vec!["all free".to_owned()] } else { texts }
    }

    /// Returns what tasks could not give back when all let go, each once, and what the locks said.
    fn not_released(&self, at: At) -> (Vec<String>, Vec<String>) {
        let (mut kept, mut said) = (Vec::new(), Vec::new());
        for event in self.record.events.iter().filter(|event| event.at == at) {
            let (What::NotReleased { object, .. }, Some(task)) = (&event.what, event.task) else { continue };
            let (task, object) = (self.program.tasks[task], &self.program.objects()[*object].name);
            let part = format!("{task} could not release {object}");
            if !kept.contains(&part) {
                kept.push(part);
                said.extend(messages(&event.what));
            }
        }
        (kept, said)
    }

    /// Returns what a probe read of the number of an object, if there is one: `1 of 2 available`.
    fn counted(&self, at: At, index: ObjectIndex) -> Option<String> {
        let answer = self.record.events.iter().find_map(|event| match &event.what {
            What::Replied { object, answer, .. } if event.at == at && *object == index => Some(answer),
            _ => None,
        })?;
        let declared = &self.program.objects()[index];
        let mut state = declared.primitive.model(declared.argument);
        for event in self.script() {
            if let What::Changed { object, request, number } = &event.what
                && *object == index
            {
                state.change(*request, *number);
            }
        }
        let counter = declared.primitive.counter()?;
        let number = format!("{answer} of {}", state.total()?);
        Some(counter.verb().result.replace("{}", &number))
    }

    fn trials(&self, at: At, trials: &[Trial]) -> String {
        let mut told: Vec<(ObjectIndex, Vec<String>)> = Vec::new();
        for (&(object, request), trial) in self.program.probes.iter().zip(trials) {
            let word = match trial {
                Trial::Free => "free",
                Trial::Refused => "refused",
                Trial::Panicked => "panicked",
                Trial::Gone => "gone",
            };
            let mode = self.program.objects()[object].primitive.table().modes[request.claim().mode as usize].probe;
            let text =
                if mode.is_empty() || *trial == Trial::Gone { word.to_owned() } else { format!("{mode} {word}") };
            match told.last_mut().filter(|(known, _)| *known == object) {
                Some((_, texts)) if *trial == Trial::Gone => debug_assert_eq!(texts, &["gone"]),
                Some((_, texts)) => texts.push(text),
                None => told.push((object, vec![text])),
            }
        }
        for (object, texts) in &mut told {
            texts.extend(self.counted(at, *object));
        }
        let say = |(object, texts): (ObjectIndex, Vec<String>)| {
            format!("{} {}", self.program.objects()[object].name, texts.join(", "))
        };
        told.into_iter().map(say).collect::<Vec<_>>().join("; ")
    }
}

fn push(lines: &mut Vec<String>, left: &str, right: &str) {
    let mut line = String::with_capacity(RESULT_COLUMN + right.len());
    // Two spaces at least, so that left and right never run into each other.
    let width = RESULT_COLUMN - 2;
    write!(line, "{left:width$}  {right}").expect("writing to a string cannot fail");
    lines.push(line.trim_end().to_owned());
}

fn hung_at(record: &Record) -> Option<StepIndex> {
    match &record.fault {
        Some(Fault::Hung { at: Some(At::Step(step)), .. } | Fault::Crashed { at: Some(At::Step(step)), .. }) => {
            Some(*step)
        }
        _ => None,
    }
}

/// Puts events into words.
struct Words<'a> {
    program: &'a Program,
}

impl Words<'_> {
    fn step(&self, step: StepIndex, line: &[&Event], broke_off: bool) -> StepText {
        let program_step = &self.program.steps[step];
        let own: Vec<&Event> = line.iter().copied().filter(|event| event.at == At::Step(step)).collect();
        let mut text = StepText { step: program_step.text.clone(), parts: Vec::new(), messages: Vec::new() };
        if let Some(result) = own.iter().find(|event| event.role == Role::Result) {
            text.parts.push(self.what(&result.what));
            text.messages.extend(messages(&result.what));
        }
        if broke_off {
            text.parts.push(DOES_NOT_COME_BACK.to_owned());
        }
        for event in own.iter().filter(|event| event.role != Role::Result) {
            let Some(task) = event.task else { continue };
            if matches!(event.what, What::Woken { .. } | What::Promised) {
                continue;
            }
            let is_repeated = matches!(event.what, What::Aborted { .. })
                && own.iter().any(|other| other.role == Role::Result && is_abort_of(other, task));
            if is_repeated {
                continue;
            }
            let name = self.program.tasks[task];
            let owner = if event.role == Role::Waker { format!("{name}'s waker") } else { name.to_string() };
            text.parts.push(format!("{owner} {}", self.effect(step, &event.what)));
            text.messages.extend(messages(&event.what));
        }
        text.parts.extend(self.wakes(step, line));
        text
    }

    /// Returns the wakes of a step: those that came to nothing, or all with their count where the scenario asks for it.
    fn wakes(&self, step: StepIndex, line: &[&Event]) -> Vec<String> {
        let mut woken: Vec<(TaskIndex, usize)> = Vec::new();
        // Where each task answered last: looked up once, as a lock that wakes for ever leaves thousands of wakes.
        let mut last_answers = vec![None; self.program.tasks.len()];
        for (place, event) in line.iter().enumerate().filter(|(_, event)| answers(event)) {
            if let Some(task) = event.task {
                last_answers[task] = Some(place);
            }
        }
        for (place, event) in line.iter().enumerate() {
            let (At::Step(at), Some(task)) = (event.at, event.task) else { continue };
            // A promised wake is the runtime's, so it is not counted among the lock's.
            let counts = match event.what {
                What::Woken { .. } => self.program.scenario.show_wakes,
                What::Promised => false,
                _ => continue,
            };
            let came_to_something = last_answers[task] >= Some(place);
            if at != step || (came_to_something && !counts) {
                continue;
            }
            match woken.iter_mut().find(|(known, _)| *known == task) {
                Some((_, count)) => *count += 1,
                None => woken.push((task, 1)),
            }
        }
        let say = |(task, count): (TaskIndex, usize)| match count {
            1 => format!("woke {}", self.program.tasks[task]),
            _ => format!("woke {} {count} times", self.program.tasks[task]),
        };
        woken.into_iter().map(say).collect()
    }

    fn object(&self, object: ObjectIndex) -> String {
        self.program.objects()[object].name.to_string()
    }

    fn future(&self, future: NameIndex) -> String {
        self.program.futures[future].to_string()
    }

    /// Returns what came of a step, in words.
    fn what(&self, what: &What) -> String {
        match what {
            What::Acquired { object, claim, .. } => {
                let granted = self.program.objects()[*object].primitive.table().modes[claim.mode as usize].granted;
                if claim.amount == 1 { granted.to_owned() } else { format!("{granted} {}", claim.amount) }
            }
            What::Turned { request, .. } => request.verb().result.to_owned(),
            What::Changed { request, number, .. } => {
                request.verb().result.replace("{}", &number.unwrap_or(request.amount()).to_string())
            }
            What::Replied { request, answer, .. } => match request.verb().result {
                "" => answer.to_string(),
                result => result.replace("{}", &answer.to_string()),
            },
            What::Waits { .. } => "waits".to_owned(),
            What::Pending { .. } => "pending".to_owned(),
            What::Refused { .. } => "refused".to_owned(),
            What::Answered { locked: true, .. } => "yes".to_owned(),
            What::Answered { locked: false, .. } => "no".to_owned(),
            What::Printed { .. } => "printed".to_owned(),
            What::Unsupported => "unsupported".to_owned(),
            What::Released { .. } => "released".to_owned(),
            What::NotReleased { .. } => "not released".to_owned(),
            What::Forgotten { .. } => "forgotten".to_owned(),
            What::SentGuard { received: true, .. } | What::SentFuture { received: true, .. } => "sent".to_owned(),
            What::SentGuard { to, .. } | What::SentFuture { to, .. } => {
                format!("dropped: {} is gone", self.program.tasks[*to])
            }
            What::Prepared { .. } => "prepared".to_owned(),
            What::DroppedFuture { .. } => "dropped".to_owned(),
            What::Cancelled { .. } => "cancelled".to_owned(),
            What::NotCancelled => "not cancelled".to_owned(),
            What::Panicked { .. } => "panicked".to_owned(),
            What::Returned => "returned".to_owned(),
            What::Yielded => "yielded".to_owned(),
            What::Entered => "entered".to_owned(),
            What::Left => "left".to_owned(),
            What::Armed => "armed".to_owned(),
            What::Spent => "spent".to_owned(),
            What::Held => "held".to_owned(),
            What::Woken { .. } | What::Promised => "woken".to_owned(),
            What::Aborted { ending: None | Some(Ending::Aborted(_)) } => "aborted".to_owned(),
            What::Detached => "detached".to_owned(),
            What::HandleDropped | What::ObjectDropped => "dropped".to_owned(),
            What::ObjectPanicked { .. } => "panicked".to_owned(),
            What::Tried { .. } => "tried".to_owned(),
            What::Aborted { ending: Some(ending) } | What::Joined { ending } => match ending {
                Ending::Returned => "finished".to_owned(),
                Ending::Aborted(_) => "aborted".to_owned(),
                Ending::Panicked(_) => "panicked".to_owned(),
            },
            What::NotRun { reason } => format!("not run: {}", self.reason(*reason)),
        }
    }

    /// Returns what followed for `task` from a step, in words.
    fn effect(&self, step: StepIndex, what: &What) -> String {
        let text = self.what(what);
        let subject = match what {
            What::Acquired { object, .. } | What::Refused { object, .. } if self.names_object(step, *object) => None,
            What::Acquired { object, .. } | What::Refused { object, .. } => Some(self.object(*object)),
            What::Released { object } | What::NotReleased { object, .. } => Some(self.object(*object)),
            What::DroppedFuture { future, .. } => Some(self.future(*future)),
            _ => None,
        };
        match subject {
            Some(subject) => format!("{text} {subject}"),
            None => text,
        }
    }

    /// Returns whether it is clear which object an effect of `step` speaks of: there is only one, or the step names it.
    fn names_object(&self, step: StepIndex, object: ObjectIndex) -> bool {
        use crate::program::{Deed, TaskDeed};
        self.program.objects().len() == 1
            || matches!(self.program.steps[step].what,
                Deed::Task(TaskDeed::Release { object: named }
                    | TaskDeed::ReleaseElsewhere { object: named }
                    | TaskDeed::Forget { object: named }
                    | TaskDeed::Ask { object: named, .. }) if named == object)
    }

    fn reason(&self, reason: Reason) -> String {
        match reason {
            Reason::Waits => "it waits".to_owned(),
            Reason::Gone => "it is gone".to_owned(),
            Reason::HoldsNoGuard { object } => format!("it holds no guard of {}", self.object(object)),
            Reason::GuardIsOfMode { object, mode } => {
                let granted = self.program.objects()[object].primitive.table().modes[mode as usize].granted;
                let mode = granted.split_once(' ').map_or(granted, |(_, mode)| mode);
                format!("its guard of {} is {mode}", self.object(object))
            }
            Reason::KeepsNoFuture { future } => format!("it keeps no future {}", self.future(future)),
            Reason::FutureExists { future } => format!("it keeps a future {} already", self.future(future)),
            Reason::NotInScope { scope } => format!("{} is not its innermost scope", self.program.scopes[scope]),
            Reason::ObjectGone { object } => format!("{} is gone", self.object(object)),
            Reason::DoesNotWait => "it does not wait".to_owned(),
            Reason::BlocksThread => "it blocks a thread".to_owned(),
            Reason::HandleGone => "its handle is gone".to_owned(),
            Reason::StillRuns => "it has not ended".to_owned(),
            Reason::WakerHoldsGuard => "its waker holds the guard".to_owned(),
        }
    }
}

fn is_abort_of(event: &Event, task: TaskIndex) -> bool {
    event.task == Some(task) && matches!(event.what, What::Aborted { .. })
}

/// Returns whether an event shows that its task was polled and got an answer.
fn answers(event: &Event) -> bool {
    event.role != Role::Waker
        && matches!(
            event.what,
            What::Acquired { .. } | What::Turned { .. } | What::Refused { .. } | What::Panicked { .. }
        )
}

/// Returns the verbatim texts of an event, one a line.
fn messages(what: &What) -> Vec<String> {
    let message = match what {
        What::Refused { message, .. }
        | What::NotReleased { message, .. }
        | What::Panicked { message, .. }
        | What::ObjectPanicked { message, .. } => message,
        What::Aborted { ending: Some(Ending::Aborted(message) | Ending::Panicked(message)) }
        | What::Joined { ending: Ending::Aborted(message) | Ending::Panicked(message) } => message,
        What::Printed { text, .. } => return verbatim(text),
        _ => return Vec::new(),
    };
    message.texts().flat_map(verbatim).collect()
}

/// Returns the lines of a text of a library, with the numbers of its tasks and the addresses of its objects taken out:
/// they vary from run to run.
fn verbatim(text: &str) -> Vec<String> {
    let text = without(text, "task ", |byte| byte.is_ascii_digit());
    let text = without(&text, "Id(", |byte| byte.is_ascii_digit());
    let text = without(&text, "0x", |byte| byte.is_ascii_hexdigit());
    text.lines().map(short_places).collect()
}

/// Puts `file.rs:7` in the place of every `some/folder/file.rs:7:9`: the same on every machine and however a line is
/// formatted, and still enough to find it by.
fn short_places(line: &str) -> String {
    const SOURCE: &str = ".rs:";
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(found) = rest.find(SOURCE) {
        let (path, tail) = rest.split_at(found);
        let is_of_a_path = |character: char| character.is_alphanumeric() || "_-./\\+@~".contains(character);
        let from = path.trim_end_matches(is_of_a_path).len();
        let name = path[from..].rsplit(['/', '\\']).next().unwrap_or_default();
        let number = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let tail = &tail[SOURCE.len()..];
        let (row, after) = tail.split_at(number(tail));
        let column = after.strip_prefix(':').map_or(0, number);
        out.extend([&path[..from], name, SOURCE, row]);
        rest = if column > 0 { &after[1 + column..] } else { after };
    }
    out.push_str(rest);
    out
}

/// Puts `N` in the place of every number behind `before`.
fn without(text: &str, before: &str, is_digit: impl Fn(&u8) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(place) = rest.find(before) {
        let (head, tail) = rest.split_at(place + before.len());
        let digits = tail.bytes().take_while(&is_digit).count();
        out.push_str(head);
        if digits > 0 {
            out.push('N');
        }
        rest = &tail[digits..];
    }
    out.push_str(rest);
    out
}

/// A piece of a line: a task's name, which a fold may turn into a range, or text.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Cell {
    Tasks { letter: char, first: Option<u32>, last: Option<u32> },
    Text(String),
}

impl Cell {
    fn task(name: TaskName) -> Self {
        Cell::Tasks { letter: name.letter(), first: name.number(), last: name.number() }
    }

    fn text(text: impl Into<String>) -> Self {
        Cell::Text(text.into())
    }

    /// Splits a text at the names of tasks with numbers.
    fn split(text: &str) -> Vec<Self> {
        let mut cells = Vec::new();
        for (place, word) in text.split(' ').enumerate() {
            let space = if place == 0 { "" } else { " " };
            let (name, tail) = match word.find([';', ',', '\'']) {
                Some(end) => word.split_at(end),
                None => (word, ""),
            };
            match name.parse::<TaskName>() {
                Ok(name) if name.number().is_some() => {
                    cells.extend([Cell::text(space), Cell::task(name), Cell::text(tail)]);
                }
                _ => cells.push(Cell::text(format!("{space}{word}"))),
            }
        }
        cells
    }

    /// Returns this piece with `next` folded into it: the same text, the same task, or the task that follows.
    fn join(&self, next: &Self) -> Option<Self> {
        match (self, next) {
            (
                Cell::Tasks { letter, first: Some(first), last: Some(last) },
                Cell::Tasks { letter: other, first: Some(next), .. },
            ) if letter == other => {
                let grown = Cell::Tasks { letter: *letter, first: Some(*first), last: Some(*next) };
                if next == last && first == last { Some(self.clone()) } else { (*next == last + 1).then_some(grown) }
            }
            (own, next) => (own == next).then(|| own.clone()),
        }
    }
}

fn print(cells: &[Cell]) -> String {
    let mut text = String::new();
    for cell in cells {
        match cell {
            Cell::Text(part) => text.push_str(part),
            Cell::Tasks { letter, first: None, .. } => text.push(*letter),
            Cell::Tasks { letter, first: Some(first), last } if *last == Some(*first) => {
                text.push_str(&format!("{letter}{first}"));
            }
            Cell::Tasks { letter, first: Some(first), last } => {
                text.push_str(&format!("{letter}[{first}..{}]", last.unwrap_or(*first)));
            }
        }
    }
    text
}

/// A row of pieces and how many rows were folded into it.
struct Folded {
    cells: Vec<Cell>,
    /// For each piece, whether the second row moved it on: then every further row must.
    moves: Option<Vec<bool>>,
}

/// Folds neighbours that are equal but for tasks whose numbers follow each other.
fn fold_rows(rows: Vec<Vec<Cell>>) -> Vec<Vec<Cell>> {
    let mut folded: Vec<Folded> = Vec::new();
    for row in rows {
        if let Some(last) = folded.last_mut()
            && let Some(cells) = join_rows(&last.cells, &row)
        {
            let moves: Vec<bool> = cells.iter().zip(&last.cells).map(|(new, old)| new != old).collect();
            let agrees = last.moves.as_ref().is_none_or(|known| *known == moves);
            if agrees && moves.contains(&true) {
                last.cells = cells;
                last.moves = Some(moves);
                continue;
            }
        }
        folded.push(Folded { cells: row, moves: None });
    }
    folded.into_iter().map(|folded| folded.cells).collect()
}

fn join_rows(row: &[Cell], next: &[Cell]) -> Option<Vec<Cell>> {
    (row.len() == next.len()).then(|| row.iter().zip(next).map(|(own, next)| own.join(next)).collect())?
}

/// Folds the lines of a crowd whose members fared alike.
fn fold(steps: &[StepText]) -> Vec<StepText> {
    const BREAK: &str = "\n";
    let rows = steps.iter().map(|step| {
        let mut cells = Cell::split(&step.step);
        cells.push(Cell::text(BREAK));
        cells.extend(Cell::split(&step.parts.join("; ")));
        cells.push(Cell::text(BREAK));
        cells.push(Cell::text(step.messages.join(BREAK)));
        cells
    });
    let unfold = |cells: Vec<Cell>| {
        let text = print(&cells);
        let mut lines = text.split(BREAK).map(str::to_owned);
        StepText {
            step: lines.next().unwrap_or_default(),
            parts: lines.next().into_iter().collect(),
            messages: lines.filter(|line| !line.is_empty()).collect(),
        }
    };
    fold_rows(rows.collect()).into_iter().map(unfold).collect()
}

#[cfg(test)]
mod tests {
    use super::short_places;

    #[test]
    fn places_lose_their_folders_and_columns() {
        let cases = [
            ("acquired at backends/src/locks/strict.rs:41:18; release", "acquired at strict.rs:41; release"),
            ("at work\\a-b.rs:1:2 and /x/y_z.rs:30", "at a-b.rs:1 and y_z.rs:30"),
            ("(main.rs:7:1)", "(main.rs:7)"),
            ("a.rs:1: text, ünd b.rs: none", "a.rs:1: text, ünd b.rs: none"),
            ("no place at all", "no place at all"),
        ];
        for (line, short) in cases {
            assert_eq!(short_places(line), short);
        }
    }
}
