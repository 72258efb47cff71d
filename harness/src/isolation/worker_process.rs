//! One worker process: started, spoken to, watched and ended.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use super::channel::{Channel, Said};
use super::{IsolationError, WorkerCommand, kinship};
use crate::program::{ConductorDeed, Deed, Program, TaskDeed};
use crate::protocol::{
    Answer, Ended, Hello, LINE_MAX, Order, RUN_BYTES_MAX, TOLD_MAX, Turn, VERSION, check_at, check_end, check_event,
};
use crate::transcript::{At, Event, Fault, Record, Role, What};
use crate::watchdog::{LOOK_MS, Patience, Watchdog};

/// A running worker. Dropping it ends it, and whatever it has started.
#[derive(Debug)]
pub(crate) struct WorkerProcess {
    child: Child,
    command: String,
    channel: Channel,
    watchdog: Watchdog,
    /// Whether it has begun the job that it was told last, or answered it.
    pub(crate) has_begun: bool,
    /// What it said of itself.
    pub(crate) hello: Hello,
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        self.channel.close();
        end(&mut self.child);
    }
}

/// Kills a child with everything that it has started. It may have ended by itself: then there is nothing to kill, and
/// only its status is left to collect.
fn end(child: &mut Child) {
    #[cfg(unix)]
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

impl WorkerProcess {
    /// Starts a worker and waits for its hello.
    pub(crate) fn start(
        command: &WorkerCommand,
        guard: Option<&PathBuf>,
        patience: Patience,
    ) -> Result<Self, IsolationError> {
        let failed = |source| IsolationError::Start { command: command.text(), source };
        let mut process = command.command(guard);
        process.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own: a Ctrl-C is for the parent, and the parent ends the group.
        process.process_group(0);
        let mut child = kinship::spawn(process).map_err(failed)?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else { unreachable!("all three are pipes") };
        let channel = Channel::new(stdin, stdout, stderr).map_err(failed);
        // A hello may take long: an interpreter starts, and reads its libraries from a cold disk.
        let slow = match patience {
            Patience::Kernel(limit) => Patience::Start(limit.max(crate::watchdog::SILENCE_LIMIT)),
            foreign => foreign,
        };
        let mut greeting = Watchdog::new(child.id(), slow);
        let welcomed = channel.and_then(|mut channel| {
            let hello = welcome(command, &mut child, &mut channel, &mut greeting)?;
            Ok((channel, hello))
        });
        match welcomed {
            Ok((channel, hello)) => {
                let watchdog = Watchdog::new(child.id(), patience);
                Ok(Self { child, command: command.text(), channel, watchdog, has_begun: false, hello })
            }
            Err(error) => {
                end(&mut child);
                Err(error)
            }
        }
    }

    /// Returns whether it lives and has said nothing that nobody asked for.
    pub(crate) fn is_fit(&mut self) -> bool {
        self.channel.is_quiet() && matches!(self.child.try_wait(), Ok(None))
    }

    /// Tells it something. A worker that is gone shows in its answers.
    pub(crate) fn tell(&mut self, order: &Order) {
        self.watchdog.heard();
        self.has_begun = false;
        let line = serde_json::to_vec(order).expect("an order has only keys that JSON can write");
        self.channel.send(&line);
    }

    /// Tells it a line, whatever it is.
    pub(crate) fn tell_text(&mut self, line: &[u8]) {
        self.watchdog.heard();
        self.channel.send(line);
    }

    /// Closes its stdin.
    pub(crate) fn close(&mut self) {
        self.watchdog.heard();
        self.channel.close();
    }

    /// Waits for the next answer, whatever it belongs to. The error says what comes instead.
    pub(crate) fn next_answer(&mut self) -> Result<Answer, String> {
        match self.next_line() {
            Parting::Said(line) => {
                serde_json::from_str(&line).map_err(|error| format!("it says `{}`: {error}", excerpt(line.as_bytes())))
            }
            Parting::Ended(status) => Err(format!("it ended with {status}")),
            Parting::Lives => Err("it says nothing for the watchdog's time".to_owned()),
        }
    }

    /// Waits for its end.
    pub(crate) fn part(&mut self) -> Parting {
        self.next_line()
    }

    fn next_line(&mut self) -> Parting {
        loop {
            match self.channel.next(LOOK_MS) {
                Said::Line(line) => {
                    self.watchdog.heard();
                    return Parting::Said(String::from_utf8_lossy(&line).into_owned());
                }
                Said::TooLong => return Parting::Said(format!("more than {LINE_MAX} bytes with no end of a line")),
                Said::NoMore(_) => {
                    return match wait_for_end(&mut self.child, &mut self.watchdog) {
                        Some(status) => Parting::Ended(say_status(status)),
                        None => Parting::Lives,
                    };
                }
                Said::Nothing if self.watchdog.look().is_some() => return Parting::Lives,
                Said::Nothing => {}
            }
        }
    }

    /// Waits for the next record of a job. Returns it and whether the worker can go on.
    pub(crate) fn next_record(
        &mut self,
        program: &Program,
        job: u64,
        run: usize,
    ) -> Result<(Record, bool), IsolationError> {
        let mut heard = Heard::new(program, job, run);
        loop {
            match self.channel.next(LOOK_MS) {
                Said::Line(line) => {
                    self.watchdog.heard();
                    let hearing = heard.hear(&line);
                    self.has_begun |= heard.has_started || hearing.is_ok();
                    match hearing {
                        Ok(None) => {}
                        Ok(Some(Heeded::Record(record))) => return Ok((record, true)),
                        Ok(Some(Heeded::Trouble(message))) => {
                            return Err(IsolationError::Worker {
                                scenario: program.scenario.name.to_string(),
                                message,
                            });
                        }
                        Err(how) => return Err(self.breach(program, how)),
                    }
                }
                Said::NoMore(rest) => return self.parted(program, heard, &rest),
                Said::TooLong => {
                    let how = format!("it wrote more than {LINE_MAX} bytes with no end of a line");
                    return Err(self.breach(program, how));
                }
                Said::Nothing => {
                    if let Some(how) = self.watchdog.look_after(heard.pause) {
                        return Ok((heard.broken_off(|at| Fault::Hung { at, how }), false));
                    }
                }
            }
        }
    }

    /// Judges a worker that has closed its stdout in the middle of a run: it has ended, or it breaks the protocol.
    fn parted(&mut self, program: &Program, heard: Heard<'_>, rest: &[u8]) -> Result<(Record, bool), IsolationError> {
        if let Some(status) = wait_for_end(&mut self.child, &mut self.watchdog) {
            let stderr = self.channel.stderr_tail();
            let how = say_status(status);
            return Ok((heard.broken_off(|at| Fault::Crashed { at, how, stderr }), false));
        }
        let cut = if rest.is_empty() { String::new() } else { format!(" after `{}`", excerpt(rest)) };
        Err(self.breach(program, format!("it closed its stdout{cut} and lives on")))
    }

    fn breach(&mut self, program: &Program, how: String) -> IsolationError {
        IsolationError::Breach {
            scenario: program.scenario.name.to_string(),
            command: self.command.clone(),
            how,
            stderr: self.channel.stderr_tail(),
        }
    }
}

/// Waits for the end of a worker that has closed its stdout. Nothing if it lives on for the watchdog's time.
fn wait_for_end(child: &mut Child, watchdog: &mut Watchdog) -> Option<ExitStatus> {
    watchdog.heard();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if watchdog.look().is_none() => std::thread::sleep(Duration::from_millis(LOOK_MS.into())),
            Ok(None) | Err(_) => return None,
        }
    }
}

/// What comes next from a worker.
pub(crate) enum Parting {
    /// A line.
    Said(String),
    /// Its end, and how.
    Ended(String),
    /// Nothing for the watchdog's time.
    Lives,
}

/// The exit code by which a worker says, instead of a hello, that its backend cannot be started.
const CANNOT_BE: i32 = 3;

/// Waits for the hello of a worker.
fn welcome(
    command: &WorkerCommand,
    child: &mut Child,
    channel: &mut Channel,
    watchdog: &mut Watchdog,
) -> Result<Hello, IsolationError> {
    let error = |how: String, cannot_be: bool, channel: &mut Channel| {
        Err(IsolationError::NoHello { command: command.text(), how, cannot_be, stderr: channel.stderr_tail() })
    };
    let none = |how: String, channel: &mut Channel| error(how, false, channel);
    let line = loop {
        match channel.next(LOOK_MS) {
            Said::Line(line) => break line,
            Said::Nothing => {
                if watchdog.look().is_some() {
                    return none(
                        "it said nothing for the watchdog's time, which `--watchdog` sets".to_owned(),
                        channel,
                    );
                }
            }
            Said::NoMore(_) => {
                if let Some(status) = wait_for_end(child, watchdog) {
                    let cannot_be = status.code() == Some(CANNOT_BE);
                    return error(format!("it ended with {}", say_status(status)), cannot_be, channel);
                }
                return none("it closed its stdout".to_owned(), channel);
            }
            Said::TooLong => {
                return none(format!("it wrote more than {LINE_MAX} bytes with no end of a line"), channel);
            }
        }
    };
    match serde_json::from_slice(&line) {
        Ok(Answer::Hello(hello)) if hello.protocol != VERSION => {
            Err(IsolationError::Version { command: command.text(), theirs: hello.protocol, ours: VERSION })
        }
        Ok(Answer::Hello(hello)) if hello.seats.is_empty() => none("its hello names no seat".to_owned(), channel),
        Ok(Answer::Hello(hello)) => match hello.unknown_capabilities() {
            unknown if unknown.is_empty() || hello.is_newer() => Ok(hello),
            unknown => {
                let worker = format!("{} {}", hello.worker.name, hello.worker.version);
                Err(IsolationError::Capability { worker, command: command.text(), unknown })
            }
        },
        Ok(_) => none(format!("its first line is `{}`", excerpt(&line)), channel),
        Err(error) => none(format!("its first line is `{}`: {error}", excerpt(&line)), channel),
    }
}

/// Hears one run of a worker that wrote these lines, the first run of its first job.
pub(super) fn hear<'l>(program: &Program, lines: impl Iterator<Item = &'l [u8]>) -> Result<Record, String> {
    let mut heard = Heard::new(program, 1, 0);
    for line in lines {
        match heard.hear(line)? {
            None => {}
            Some(Heeded::Record(record)) => return Ok(record),
            Some(Heeded::Trouble(message)) => return Err(message),
        }
    }
    Ok(heard.broken_off(|at| Fault::Crashed { at, how: "no more lines".to_owned(), stderr: String::new() }))
}

/// What was heard of one run.
struct Heard<'a> {
    program: &'a Program,
    turn: Turn,
    has_started: bool,
    /// How many lines were heard of it.
    told: usize,
    /// How long they were together.
    bytes: usize,
    events: Vec<Event>,
    at: Option<At>,
    /// The scripted pause that it is in, which sleeps as a hung thread does.
    pause: Option<Duration>,
}

/// What ends the hearing.
enum Heeded {
    Record(Record),
    Trouble(String),
}

impl<'a> Heard<'a> {
    fn new(program: &'a Program, job: u64, run: usize) -> Self {
        Self {
            program,
            turn: Turn { job, run },
            has_started: false,
            told: 0,
            bytes: 0,
            events: Vec::new(),
            at: None,
            pause: None,
        }
    }

    /// Hears one line. The error says what is wrong with it.
    fn hear(&mut self, line: &[u8]) -> Result<Option<Heeded>, String> {
        let say = |what: &dyn std::fmt::Display| format!("`{}`: {what}", excerpt(line));
        let answer: Answer = serde_json::from_slice(line).map_err(|error| say(&error))?;
        let is_of_run = matches!(answer, Answer::Begun(_) | Answer::Event(_) | Answer::Outcome(_));
        if is_of_run && !self.has_started {
            return Err(say(&"it comes before `started`"));
        }
        self.told += 1;
        self.bytes += line.len();
        if self.bytes > RUN_BYTES_MAX {
            return Err(format!("it told more than {RUN_BYTES_MAX} bytes of one run"));
        }
        if self.told > TOLD_MAX {
            return Err(format!("it told more than {TOLD_MAX} things of one run"));
        }
        match answer {
            Answer::Started(turn) if turn != self.turn => Err(say(&self.expected())),
            Answer::Started(_) if self.has_started => Err(say(&"the run has started already")),
            Answer::Started(_) => {
                self.has_started = true;
                Ok(None)
            }
            Answer::Begun(at) => {
                check_at(self.program, at).map_err(|breach| say(&breach))?;
                self.at = Some(at);
                self.pause = pause(self.program, at);
                Ok(None)
            }
            Answer::Event(event) => {
                check_event(self.program, &event).map_err(|breach| say(&breach))?;
                self.at = Some(event.at);
                if event.role == Role::Result {
                    self.pause = None;
                }
                self.events.push(event);
                Ok(None)
            }
            Answer::Outcome(ended) => {
                let Ended { job, run, probe, rest, fault } = &ended;
                if (Turn { job: *job, run: *run }) != self.turn {
                    return Err(say(&self.expected()));
                }
                check_end(self.program, &ended).map_err(|breach| say(&breach))?;
                let record = Record {
                    events: std::mem::take(&mut self.events),
                    probe: probe.clone(),
                    rest: rest.clone(),
                    fault: fault.clone(),
                };
                Ok(Some(Heeded::Record(record)))
            }
            Answer::NotImplemented(lacking) => {
                let at = At::Step(lacking.step);
                check_at(self.program, at).map_err(|breach| say(&breach))?;
                if lacking.job != self.turn.job {
                    return Err(say(&self.expected()));
                }
                let task = self.program.steps[lacking.step].task;
                let event = Event { at, task, role: Role::Result, what: What::Unsupported };
                Ok(Some(Heeded::Record(Record { events: vec![event], ..Record::default() })))
            }
            Answer::Error(trouble) if trouble.job != self.turn.job => Err(say(&self.expected())),
            Answer::Error(trouble) => Ok(Some(Heeded::Trouble(trouble.message))),
            Answer::Hello(_) => Err(say(&"it has said hello already")),
            Answer::Goodbye {} => Err(say(&"nobody has told it to go")),
        }
    }

    fn expected(&self) -> String {
        format!("this is run {} of job {}", self.turn.run, self.turn.job)
    }

    /// Returns the record of a run that was broken off.
    fn broken_off(self, fault: impl FnOnce(Option<At>) -> Fault) -> Record {
        Record { events: self.events, fault: Some(fault(self.at)), ..Record::default() }
    }
}

/// Returns how long a step does nothing but pass the time.
fn pause(program: &Program, at: At) -> Option<Duration> {
    let At::Step(step) = at else { return None };
    match program.steps[step].what {
        Deed::Task(TaskDeed::Hold { micros }) | Deed::Conductor(ConductorDeed::Hold { micros }) => {
            Some(Duration::from_micros(micros.into()))
        }
        _ => None,
    }
}

/// Returns the beginning of a line, for an error.
fn excerpt(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let mut short: String = text.chars().take(120).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(unix)]
fn say_status(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match status.signal() {
        Some(signal) => format!("signal {signal}"),
        None => format!("exit code {}", status.code().unwrap_or(-1)),
    }
}

#[cfg(not(unix))]
fn say_status(status: ExitStatus) -> String {
    format!("exit code {}", status.code().unwrap_or(-1))
}
