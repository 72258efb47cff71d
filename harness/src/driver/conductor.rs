//! The conductor: gives the steps out, one line at a time, and waits for quiescence in between.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::events::is_scripted;
use super::run::{Command, LetGo, Run};
use super::task::Task;
use super::thread::State;
use super::{ATTEMPTS_MAX, DriveError, Heard, Listener, MakeObject, POLLS_MAX, Runs};
use crate::object::{Message, Object, Reply, Touch};
use crate::primitive::{Place, Request};
use crate::program::{ConductorDeed, Deed, ObjectIndex, Program, ProgramStep, StepIndex, TASKS_MAX, TaskDeed};
use crate::quiescence::{Quiescence, TaskIndex};
use crate::runtime::{Runtime, panic_message};
use crate::transcript::{At, Fault, Reason, Record, Role, Transcript, Trial, Trials, What};

/// The most rounds in which all tasks are asked to let go. A grant can follow from each round, so there may be as many
/// as there are requests; a lock that grants more often than that never comes to rest.
const ROUNDS_MAX: usize = 1_000;

/// Tasks that end together are woken polls of one step, and that must not be taken for a livelock.
const _: () = assert!(TASKS_MAX <= POLLS_MAX as usize, "all the tasks of a scenario can end in one step");

/// How often in a row a thread must be found asleep, with everything else still, before it counts as blocked. Once is
/// enough but for a thread that has not reached the lock yet and waits for another thread inside the allocator.
const SLEEPS_MIN: usize = 3;

/// Runs `program` as often as `runs` says, with new tasks and new objects each time. There are fewer records if the
/// runs were broken off or one has no outcome.
pub(super) async fn conduct<R: Runtime>(
    runtime: Arc<R>,
    make: MakeObject,
    program: Arc<Program>,
    runs: Runs,
    listener: Option<Listener>,
) -> Vec<Result<Record, DriveError>> {
    let mut records = Vec::with_capacity(runs.count);
    let mut conductor = Conductor::new(runtime, make, program);
    while records.len() < runs.count {
        let Some(record) = valid_run(&mut conductor, &listener, runs.breaks_off).await.transpose() else { break };
        let failed = record.is_err();
        records.push(record);
        if failed {
            break;
        }
    }
    records
}

/// Runs the program until a run is valid: its script took less than its window allows, or it is a livelock. Else it has
/// nothing to do with what came of a run whether that is valid. `None` if it is broken off before.
async fn valid_run<R: Runtime>(
    conductor: &mut Conductor<R>,
    listener: &Option<Listener>,
    breaks_off: fn() -> bool,
) -> Result<Option<Record>, DriveError> {
    let program = Arc::clone(&conductor.run.program);
    let Some(within) = &program.scenario.within else {
        return match breaks_off() {
            true => Ok(None),
            false => Ok(Some(conductor.run_once(listener.clone()).await?.0)),
        };
    };
    // Nobody listens to a run that may not count, and telling takes time that is not in the window.
    for _ in 0..ATTEMPTS_MAX {
        if breaks_off() {
            return Ok(None);
        }
        let (record, micros) = conductor.run_once(None).await?;
        // A livelock takes longer than any window.
        if record.fault.is_some() || micros < u128::from(within.limit.micros()) {
            if let Some(listener) = listener {
                for line in record.events.chunk_by(|one, next| one.at == next.at) {
                    listener(Heard::Begun(line[0].at));
                    line.iter().for_each(|event| listener(Heard::Event(event)));
                }
            }
            return Ok(Some(record));
        }
    }
    Err(DriveError::NeverWithin {
        scenario: program.scenario.name.to_string(),
        limit_micros: within.limit.micros(),
        attempts: ATTEMPTS_MAX,
    })
}

struct Conductor<R: Runtime> {
    run: Arc<Run>,
    /// Whether that run has begun.
    has_begun: bool,
    runtime: Arc<R>,
    make: MakeObject,
    handles: Vec<Handle<R::Handle>>,
    /// The first livelock of the run.
    fault: Option<Fault>,
    /// For how many events a run has room: the first for more than most have, each other for as many as the one before
    /// had.
    room: usize,
}

/// A task's handle, as long as there is one.
enum Handle<H> {
    NotSpawned,
    Held(H),
    GivenUp,
}

impl<R: Runtime> Conductor<R> {
    fn new(runtime: Arc<R>, make: MakeObject, program: Arc<Program>) -> Self {
        let handles = Vec::with_capacity(program.tasks.len());
        let room = program.steps.len() * 2 + 8;
        let run = Arc::new(Run::new(program, POLLS_MAX));
        Self { run, has_begun: false, runtime, make, handles, fault: None, room }
    }

    /// Runs the program once; also returns how many microseconds its script took, if it has a window.
    async fn run_once(&mut self, listener: Option<Listener>) -> Result<(Record, u128), DriveError> {
        if !self.begin(listener) {
            return Ok((Transcript::lacking(&self.run.program).record, 0));
        }
        let begun = self.run.program.scenario.within.is_some().then(Instant::now);
        self.script().await?;
        let micros = begun.map_or(0, |begun| begun.elapsed().as_micros());
        let probe = self.probe(At::Probe).await?;
        let rest = self.rest().await?;
        let fault = self.fault.take();
        self.stop(&fault).await?;
        if self.run.hub.has_foreign_wake() {
            return Err(DriveError::ForeignWake { scenario: self.run.program.scenario.name.to_string() });
        }
        let events = self.run.take_events();
        self.room = events.len();
        Ok((Record { events, probe, rest, fault }, micros))
    }

    /// Sets up another run, with new objects and no task. Returns whether the library can make all the objects.
    fn begin(&mut self, listener: Option<Listener>) -> bool {
        let program = Arc::clone(&self.run.program);
        if std::mem::replace(&mut self.has_begun, true) {
            match Arc::get_mut(&mut self.run) {
                Some(run) => run.begin_anew(),
                // A lock or a runtime has a waker or a task of the run before, and keeps it.
                None => self.run = Arc::new(Run::new(Arc::clone(&program), POLLS_MAX)),
            }
        }
        let run = Arc::get_mut(&mut self.run).expect("nobody has a share of a run that has not begun");
        run.set_up(listener, self.room);
        for object in program.objects() {
            let Some(live) = (self.make)(object.declaration()) else { return false };
            run.add_object(live);
        }
        self.fault = None;
        self.handles.clear();
        self.handles.extend((0..program.tasks.len()).map(|_| Handle::NotSpawned));
        true
    }

    /// Runs the script. Stops early where the library lacks an operation.
    async fn script(&mut self) -> Result<(), DriveError> {
        let program = Arc::clone(&self.run.program);
        for line in &program.lines {
            match line.len() {
                1 => self.step(line.start, line.start).await?,
                _ => self.line(line.start, line.end).await?,
            }
            if self.run.met_unsupported() {
                break;
            }
        }
        Ok(())
    }

    /// Runs a line of several steps. What they wake stands still until the last of them is over; neighbours of one task
    /// share one poll.
    async fn line(&mut self, first: StepIndex, end: StepIndex) -> Result<(), DriveError> {
        let program = Arc::clone(&self.run.program);
        if !self.run.threads().is_empty() {
            let step = program.steps[first].text.clone();
            return Err(DriveError::ThreadInLine { scenario: program.scenario.name.to_string(), step });
        }
        self.run.hub.hold(true);
        let mut first = first;
        while first < end {
            let is_own = |step: StepIndex| matches!(program.steps[step].what, Deed::Task(_));
            let mut last = first;
            while last + 1 < end
                && is_own(first)
                && is_own(last + 1)
                && program.steps[first].task == program.steps[last + 1].task
            {
                last += 1;
            }
            self.step(first, last).await?;
            first = last + 1;
        }
        self.run.hub.hold(false);
        self.settle().await
    }

    /// Runs the steps `first..=last`, which are one, or several of one task.
    async fn step(&mut self, first: StepIndex, last: StepIndex) -> Result<(), DriveError> {
        self.run.set_at(At::Step(first));
        let ProgramStep { task, what, .. } = self.run.program.steps[first];
        match what {
            Deed::Task(_) => {
                for step in first..=last {
                    let deed = self.run.program.steps[step].what;
                    if let Deed::Task(TaskDeed::SendGuard { to, .. } | TaskDeed::SendFuture { to, .. }) = deed {
                        self.spawn(to);
                    }
                }
                let task = task.expect("a deed of a task has its task");
                if !self.command(task, Command::Steps { first, last }) {
                    for step in first..=last {
                        self.run.set_at(At::Step(step));
                        self.run.record(task, Role::Result, What::NotRun { reason: Reason::Gone });
                    }
                }
            }
            Deed::Conductor(deed) => self.act(task, deed).await,
        }
        self.settle().await
    }

    /// Gives a command to a task, spawning it with the command if it is its first. Returns whether the task lives.
    fn command(&mut self, task: TaskIndex, command: Command) -> bool {
        let lives = self.run.hub.command(task, command);
        self.spawn(task);
        lives
    }

    fn spawn(&mut self, task: TaskIndex) {
        if let Handle::NotSpawned = self.handles[task] {
            let future = Task::new(&self.run, &self.runtime, task);
            self.handles[task] = Handle::Held(self.runtime.spawn(future));
        }
    }

    async fn act(&mut self, task: Option<TaskIndex>, deed: ConductorDeed) {
        let run = Arc::clone(&self.run);
        match (deed, task) {
            (ConductorDeed::Hold { micros }, _) => {
                std::thread::sleep(Duration::from_micros(micros.into()));
                run.record(None, Role::Result, What::Held);
            }
            (ConductorDeed::DropObject { object }, _) => self.drop_object(object),
            (ConductorDeed::Cancel, Some(task)) => {
                if matches!(self.handles[task], Handle::NotSpawned) {
                    run.record(task, Role::Result, What::NotRun { reason: Reason::DoesNotWait });
                } else if !run.hub.command(task, Command::Cancel) {
                    run.record(task, Role::Result, What::NotRun { reason: Reason::Gone });
                }
            }
            (ConductorDeed::Abort, Some(task)) if run.hub.is_done(task) => {
                run.record(task, Role::Result, What::NotRun { reason: Reason::Gone });
            }
            (ConductorDeed::Abort, Some(task)) => match self.take_handle(task) {
                Some(handle) => {
                    // What the drop wakes is let in when the end is recorded, and not before.
                    run.hub.act(true);
                    run.hub.announce_end(task);
                    let ending = Some(self.runtime.abort(handle).await);
                    run.record(task, Role::Result, What::Aborted { ending });
                    run.hub.act(false);
                }
                None => run.record(task, Role::Result, What::NotRun { reason: Reason::HandleGone }),
            },
            (ConductorDeed::Join, Some(_)) => self.join(task).await,
            (ConductorDeed::Detach, Some(task)) => match self.take_handle(task) {
                Some(handle) => {
                    run.record(task, Role::Result, What::Detached);
                    self.runtime.detach(handle);
                }
                None => run.record(task, Role::Result, What::NotRun { reason: Reason::HandleGone }),
            },
            (ConductorDeed::DropHandle, Some(task)) => match self.take_handle(task) {
                Some(handle) => {
                    run.record(task, Role::Result, What::HandleDropped);
                    if R::DROP_ABORTS {
                        run.hub.announce_end(task);
                    }
                    drop(handle);
                }
                None => run.record(task, Role::Result, What::NotRun { reason: Reason::HandleGone }),
            },
            (_, None) => unreachable!("only `drop` and `hold` are done to no task"),
        }
    }

    async fn join(&mut self, task: Option<TaskIndex>) {
        let run = Arc::clone(&self.run);
        let Some(task) = task else { unreachable!("`join` names a task") };
        if !run.hub.is_done(task) && !matches!(self.handles[task], Handle::GivenUp) {
            run.record(task, Role::Result, What::NotRun { reason: Reason::StillRuns });
            return;
        }
        match self.take_handle(task) {
            Some(handle) => {
                let ending = self.runtime.join(handle).await;
                run.record(task, Role::Result, What::Joined { ending });
            }
            None => run.record(task, Role::Result, What::NotRun { reason: Reason::HandleGone }),
        }
    }

    /// Takes the handle of a task, spawning it first: a task lives from the first step that concerns it.
    fn take_handle(&mut self, task: TaskIndex) -> Option<R::Handle> {
        self.spawn(task);
        match std::mem::replace(&mut self.handles[task], Handle::GivenUp) {
            Handle::Held(handle) => Some(handle),
            Handle::NotSpawned | Handle::GivenUp => None,
        }
    }

    fn drop_object(&self, object: ObjectIndex) {
        let what = match self.run.take_object(object) {
            Some(live) => {
                self.run.hub.act(true);
                let message = drop_share(object, live);
                self.run.hub.act(false);
                message.map_or(What::ObjectDropped, |message| What::ObjectPanicked { object, message })
            }
            None => What::NotRun { reason: Reason::ObjectGone { object } },
        };
        self.run.record(None, Role::Result, what);
    }

    /// Tries every object from outside, and gives back at once what it got.
    async fn probe(&mut self, at: At) -> Result<Trials, DriveError> {
        self.run.set_at(at);
        let mut trials = Trials::new();
        let program = Arc::clone(&self.run.program);
        for &(index, request) in &program.probes {
            let trial = match self.run.object(index) {
                None => Trial::Gone,
                Some(object) => {
                    self.run.hub.act(true);
                    let trial = self.try_once(index, request, object);
                    self.run.hub.act(false);
                    trial
                }
            };
            trials.push(trial);
            if trial != Trial::Gone {
                self.count(index);
            }
            self.settle().await?;
        }
        Ok(trials)
    }

    /// Reads the number of an object that has one, where the library says it.
    fn count(&self, index: ObjectIndex) {
        let Some(request) = self.run.program.objects()[index].primitive.counter() else { return };
        let Some(object) = self.run.object(index) else { return };
        let mut operation = object.operation(request, Place::Task).on(index);
        let poll = || operation.poll(&mut Context::from_waker(Waker::noop()));
        if let Ok(Poll::Ready(Reply::Answer(answer))) = catch_unwind(AssertUnwindSafe(poll)) {
            self.run.record(None, Role::Result, What::Replied { object: index, request, answer });
        }
    }

    /// Has everybody let go of everything, waits first, then kept futures, then guards, and tries every object again.
    /// The waits of those who spin go before all others: nobody polls them, so what they are granted would be lost.
    async fn rest(&mut self) -> Result<Trials, DriveError> {
        self.run.set_at(At::Rest);
        if self.fault.is_some() {
            for task in self.run.hub.spinners() {
                self.let_go(task, LetGo::Waits).await?;
            }
        }
        for _ in 0..ROUNDS_MAX {
            let before = self.run.event_count();
            for what in [LetGo::Waits, LetGo::Futures, LetGo::Guards] {
                for task in 0..self.handles.len() {
                    self.let_go(task, what).await?;
                }
            }
            if self.run.event_count() == before {
                break;
            }
        }
        self.probe(At::Rest).await
    }

    /// Has a task let go of what it has of this kind, if it may have any.
    async fn let_go(&mut self, task: TaskIndex, what: LetGo) -> Result<(), DriveError> {
        if !matches!(self.handles[task], Handle::NotSpawned)
            && self.run.may_let_go(task, what)
            && self.run.hub.command(task, Command::LetGo(what))
        {
            self.settle().await?;
        }
        Ok(())
    }

    /// Tries `object` and, if that takes it, gives it back. What is scripted to panic when it is woken is none of the
    /// object's doing.
    fn try_once(&self, index: ObjectIndex, request: Request, object: Arc<dyn Object>) -> Trial {
        let told = Cell::new(None);
        let tell = |trial| {
            let mode = request.claim().mode;
            self.run.record(None, Role::Result, What::Tried { object: index, mode, trial });
            told.set(Some(trial));
        };
        let tried = {
            let _touch = Touch::new(Some(index));
            // Told before the object is given back: what follows from that comes after.
            catch_unwind(AssertUnwindSafe(|| {
                object.probe(request, &mut |free| tell(if free { Trial::Free } else { Trial::Refused }));
            }))
        };
        match tried {
            Err(payload) if !is_scripted(&*payload) => tell(Trial::Panicked),
            _ if told.get().is_none() => tell(Trial::Refused),
            Ok(()) | Err(_) => {}
        }
        told.get().expect("it was told just now")
    }

    /// Ends every task and drops every object, so that the next run begins with none.
    async fn stop(&mut self, fault: &Option<Fault>) -> Result<(), DriveError> {
        self.run.set_at(At::Rest);
        let nothing_is_left = fault.is_none() && (0..self.handles.len()).all(|task| self.run.has_let_go(task));
        let mut lives = false;
        if nothing_is_left && self.run.threads().is_empty() {
            // Their ends concern no lock and nobody else, so they need not be waited for one by one.
            self.run.stop();
            for task in 0..self.handles.len() {
                match self.handles[task] {
                    Handle::NotSpawned => {}
                    _ if lives => self.run.hub.requeue(task),
                    _ => lives = self.run.hub.command(task, Command::Stop),
                }
            }
            self.settle().await?;
        } else {
            for task in 0..self.handles.len() {
                if !matches!(self.handles[task], Handle::NotSpawned) && self.run.hub.command(task, Command::Stop) {
                    self.settle().await?;
                }
            }
        }
        let has_ended = |task| matches!(self.handles[task], Handle::NotSpawned) || self.run.hub.is_done(task);
        debug_assert!((0..self.handles.len()).all(has_ended), "no task lives on into the next run");
        for handle in self.handles.drain(..) {
            if let Handle::Held(handle) = handle {
                self.runtime.detach(handle);
            }
        }
        for object in 0..self.run.program.objects().len() {
            if let Some(live) = self.run.take_object(object)
                && let Some(message) = drop_share(object, live)
            {
                self.run.record(None, Role::Effect, What::ObjectPanicked { object, message });
            }
        }
        Ok(())
    }

    /// Waits for quiescence: of the tasks by the hub, of threads by the kernel. Keeps the first livelock.
    async fn settle(&mut self) -> Result<(), DriveError> {
        let run = &*self.run;
        let mut sleeps = 0;
        loop {
            let quiescence = std::future::poll_fn(|cx| match run.hub.quiet(cx.waker()) {
                Some(quiescence) => Poll::Ready(quiescence),
                None => Poll::Pending,
            })
            .await;
            if quiescence == Quiescence::Livelock && self.fault.is_none() {
                self.fault = Some(Fault::Livelock { at: run.at(), tasks: run.hub.spinners() });
            }
            let threads = run.threads();
            if threads.is_empty() {
                return Ok(());
            }
            let mut all_sleep = true;
            for thread in &threads {
                match thread.state() {
                    State::Runs => all_sleep = false,
                    State::Sleeps => {}
                    State::Finished => {
                        run.unwatch(thread);
                        all_sleep = false;
                        thread.record_reply(run);
                        if run.hub.is_done(thread.task)
                            && let Some(end) = thread.take_end()
                        {
                            run.hub.act(true);
                            run.let_go_of_end(thread.task, thread.object, end);
                            run.hub.act(false);
                        }
                    }
                    State::Unknown => {
                        return Err(DriveError::NoThreadState { scenario: run.program.scenario.name.to_string() });
                    }
                }
            }
            sleeps = if all_sleep { sleeps + 1 } else { 0 };
            if sleeps >= SLEEPS_MIN {
                for thread in threads.iter().filter(|thread| thread.announce()) {
                    let what = What::Waits {
                        object: thread.object,
                        future: None,
                        thread: true,
                        claim: thread.request.claim(),
                        turns: false,
                    };
                    run.record_at(At::Step(thread.step), thread.task, Role::Result, what);
                }
                return Ok(());
            }
            std::thread::yield_now();
        }
    }
}

/// Drops the conductor's share of an object. Returns the message if it panics.
fn drop_share(object: ObjectIndex, live: Arc<dyn Object>) -> Option<Message> {
    let _touch = Touch::new(Some(object));
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(live)));
    dropped.err().filter(|payload| !is_scripted(&**payload)).map(|payload| panic_message(&*payload))
}
