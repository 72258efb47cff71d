//! Knows, exactly and without a clock, when nothing can run any more until the conductor gives the next step.
//!
//! The hub sees every wake and every poll of the tracked tasks, lets one task in at a time in the order in which they
//! were woken, and calls that *quiescence* when none is in, none is woken and none is owed a wake. It polls nothing,
//! knows no runtime and judges nothing.

use std::collections::VecDeque;
use std::task::Waker;

use sync::Mutex;

/// The one thing that the loom model puts in the place of std's.
mod sync {
    pub(super) use std::sync::Mutex;
}

/// A tracked task, counted from 0 in the order of the scenario.
pub type TaskIndex = usize;

/// The wake accounting of one run, with commands of type `C` for its tasks.
///
/// A poll of a task goes through [`Hub::enter`], which says whether it may touch the task's future at all, and
/// [`Hub::leave`]. A task is let in because the conductor commands it or because it was woken, one at a time, so that
/// no outcome depends on which worker thread was faster. The runtime may poll whenever it likes: what was not let in is
/// turned away at the gate.
///
/// One mutex holds the whole state. It is a leaf: nothing is woken, polled or dropped while it is locked, so a lock may
/// wake a task under its own internal lock. `harness/model` runs this file under loom, and again with each of its
/// known mutations.
#[derive(Debug)]
pub struct Hub<C> {
    state: Mutex<State<C>>,
}

#[derive(Debug)]
struct State<C> {
    tasks: Vec<Slot<C>>,
    /// Woken tasks that wait to be let in, in the order of their wakes.
    queue: VecDeque<TaskIndex>,
    /// The one task that may be polled or is being polled.
    admitted: Option<TaskIndex>,
    /// A line of several steps is under way: the queue stands still.
    held: bool,
    /// The conductor itself touches objects: wakes are expected, and the queue stands still meanwhile.
    acting: bool,
    /// Wakes that a runtime has promised.
    promises: usize,
    /// Ends that a runtime has announced. It drops these tasks on a thread of its own choice, with no poll, so the
    /// queue stands still until it has.
    endings: usize,
    /// Operations on threads beside the tasks.
    outside: usize,
    /// The conductor, if it waits for quiescence.
    conductor: Option<Waker>,
    /// Polls of woken tasks, all told.
    polls: u64,
    /// How many of them were before the last command.
    polls_before: u64,
    polls_max: u32,
    livelock: bool,
    foreign_wake: bool,
}

#[derive(Debug)]
struct Slot<C> {
    phase: Phase,
    /// Whether it stands in the queue.
    woken: bool,
    /// Whether the runtime has promised a wake that has not come yet.
    promised: bool,
    /// Whether the runtime has announced its end.
    ending: bool,
    /// Whether it spins: then no wake lets it in any more.
    spins: bool,
    /// The number of the last poll that a wake let it in for, from 1.
    last_poll: u64,
    command: Option<C>,
    /// How the runtime wants to be told that the task can be polled.
    waker: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Parked,
    Admitted,
    Polling,
    Done,
}

/// Why a task was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission<C> {
    /// The conductor gave it this command.
    Command(C),
    /// It was woken.
    Woken,
}

/// How a poll of a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// It is pending, and only a wake or a command lets it in again.
    Parked,
    /// It is pending, and the runtime will wake it although nothing has yet.
    Promised,
    /// It has ended, and everything that it owned has been dropped.
    Done,
}

/// Why nothing can run any more until the next command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quiescence {
    /// Every task waits, or has ended.
    Rest,
    /// The polls of one step reached their maximum, now or earlier. No wake lets in the tasks that spun then; see
    /// [`Hub::spinners`].
    Livelock,
}

impl<C: Copy> Hub<C> {
    /// Returns a hub for `count` tasks, each parked and not yet polled. `polls_max` (at least 1) bounds the polls of
    /// woken tasks between two commands.
    pub fn new(count: usize, polls_max: u32) -> Self {
        Self { state: Mutex::new(State::new((0..count).map(|_| Slot::new()).collect(), VecDeque::new(), polls_max)) }
    }

    /// Makes it as it was when it was new, for another run of as many tasks, with the room that it has.
    pub fn begin_anew(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(|poison| poison.into_inner());
        let (mut tasks, mut queue) = (std::mem::take(&mut state.tasks), std::mem::take(&mut state.queue));
        tasks.fill_with(Slot::new);
        queue.clear();
        *state = State::new(tasks, queue, state.polls_max);
    }

    fn with<T>(&self, change: impl FnOnce(&mut State<C>) -> (T, Option<Waker>)) -> T {
        let mut state = self.state.lock().unwrap_or_else(|poison| poison.into_inner());
        let (value, waker) = change(&mut state);
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        value
    }

    /// Lets `task` in with `command`, ahead of the queue. Only at quiescence, or in a held line.
    ///
    /// Returns whether it was let in: a task that has ended is not.
    pub fn command(&self, task: TaskIndex, command: C) -> bool {
        self.with(|state| {
            if state.tasks[task].phase == Phase::Done {
                return (false, None);
            }
            state.polls_before = state.polls;
            state.tasks[task].command = Some(command);
            (true, state.admit(task))
        })
    }

    /// Records a wake of `task`, and lets it in if nobody else is in. `record` runs, before the task can, if the wake
    /// is one that a transcript tells: not of an ended task, and not one that the runtime had promised.
    ///
    /// Returns whether the task lives.
    pub fn wake(&self, task: TaskIndex, record: impl FnOnce()) -> bool {
        self.with(|state| {
            let slot = &mut state.tasks[task];
            if slot.phase == Phase::Done {
                return (false, None);
            }
            if slot.promised {
                slot.promised = false;
                state.promises -= 1;
            } else {
                record();
                state.foreign_wake |= state.is_still();
            }
            (true, state.enqueue(task))
        })
    }

    /// Puts `task` behind all woken tasks, as a wake that it gives to itself does.
    pub fn requeue(&self, task: TaskIndex) {
        self.with(|state| ((), state.enqueue(task)));
    }

    /// Takes `task` out of the queue, because the poll that it is in serves its wake.
    pub fn unqueue(&self, task: TaskIndex) {
        self.with(|state| {
            if std::mem::take(&mut state.tasks[task].woken) {
                state.queue.retain(|&woken| woken != task);
            }
            ((), None)
        });
    }

    /// Opens a poll of `task` by the runtime, which wants to be told through `waker` when to poll again. `None` means
    /// that it is not let in: the poll must return pending and touch nothing.
    pub fn enter(&self, task: TaskIndex, waker: &Waker) -> Option<Admission<C>> {
        // May be the last share of another task, so it is dropped when the state is no longer locked.
        let mut replaced = None;
        self.with(|state| {
            let slot = &mut state.tasks[task];
            if !slot.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
                replaced = slot.waker.replace(waker.clone());
            }
            if slot.phase != Phase::Admitted {
                return (None, None);
            }
            if let Some(command) = slot.command.take() {
                slot.phase = Phase::Polling;
                return (Some(Admission::Command(command)), None);
            }
            state.polls += 1;
            if state.polls - state.polls_before > u64::from(state.polls_max) {
                state.give_up();
            }
            if state.tasks[task].spins {
                return (None, state.turn_away(task));
            }
            let slot = &mut state.tasks[task];
            slot.phase = Phase::Polling;
            slot.last_poll = state.polls;
            (Some(Admission::Woken), None)
        })
    }

    /// Closes a poll of `task` that [`Hub::enter`] had opened, and lets the next one in.
    pub fn leave(&self, task: TaskIndex, departure: Departure) {
        if departure == Departure::Done {
            return self.end(task);
        }
        self.with(|state| {
            state.admitted = None;
            let slot = &mut state.tasks[task];
            slot.phase = Phase::Parked;
            if departure == Departure::Promised && !slot.promised {
                slot.promised = true;
                state.promises += 1;
            }
            ((), state.advance())
        });
    }

    /// Records that `task` has ended, in a poll or dropped by the runtime. All that it owned has been dropped.
    pub fn end(&self, task: TaskIndex) {
        let runtime_waker = self.with(|state| {
            if state.admitted == Some(task) {
                state.admitted = None;
            }
            let runtime_waker = state.end(task);
            (runtime_waker, state.advance())
        });
        drop(runtime_waker);
    }

    /// Announces that the runtime will drop `task`: there is no quiescence before it has.
    ///
    /// Returns whether it lives.
    pub fn announce_end(&self, task: TaskIndex) -> bool {
        self.with(|state| {
            let slot = &mut state.tasks[task];
            let lives = slot.phase != Phase::Done;
            if lives && !slot.ending {
                slot.ending = true;
                state.endings += 1;
            }
            (lives, None)
        })
    }

    /// Says that a thread runs an operation beside the tasks, from which wakes are expected. It does not count for
    /// quiescence: whoever started the thread watches it.
    pub fn outside_began(&self) {
        self.with(|state| {
            state.outside += 1;
            ((), None)
        });
    }

    /// Takes back one [`Hub::outside_began`].
    pub fn outside_ended(&self) {
        self.with(|state| {
            state.outside -= 1;
            ((), None)
        });
    }

    /// Stops the queue, for a line of several steps; `false` lets it go on.
    pub fn hold(&self, held: bool) {
        self.with(|state| {
            state.held = held;
            ((), state.advance())
        });
    }

    /// Says that the conductor itself touches objects now, or has stopped doing so: then the woken tasks are let in.
    pub fn act(&self, acting: bool) {
        self.with(|state| {
            state.acting = acting;
            state.polls_before = state.polls;
            ((), state.advance())
        });
    }

    /// Returns the quiescence if there is one; if not, `waker` is woken once when there is.
    pub fn quiet(&self, waker: &Waker) -> Option<Quiescence> {
        let mut replaced = None;
        self.with(|state| {
            let quiet = state.quiet();
            replaced = std::mem::replace(&mut state.conductor, (!quiet).then(|| waker.clone()));
            (quiet.then(|| state.quiescence()), None)
        })
    }

    /// Returns the tasks that kept a step from coming to an end, in order: they were polled in the last tenth of its
    /// polls. Only a command lets them in.
    pub fn spinners(&self) -> Vec<TaskIndex> {
        self.with(|state| ((0..state.tasks.len()).filter(|&task| state.tasks[task].spins).collect(), None))
    }

    /// Returns whether `task` is one of [`Hub::spinners`].
    pub fn spins(&self, task: TaskIndex) -> bool {
        self.with(|state| (state.tasks[task].spins, None))
    }

    /// Returns whether `task` has ended.
    pub fn is_done(&self, task: TaskIndex) -> bool {
        self.with(|state| (state.tasks[task].phase == Phase::Done, None))
    }

    /// Returns whether a task was woken while nothing could have woken it: from outside what the hub sees. Such a run
    /// is invalid.
    pub fn has_foreign_wake(&self) -> bool {
        self.with(|state| (state.foreign_wake, None))
    }
}

impl<C> Slot<C> {
    fn new() -> Self {
        Self {
            phase: Phase::Parked,
            woken: false,
            promised: false,
            ending: false,
            spins: false,
            last_poll: 0,
            command: None,
            waker: None,
        }
    }
}

impl<C> State<C> {
    fn new(tasks: Vec<Slot<C>>, queue: VecDeque<TaskIndex>, polls_max: u32) -> Self {
        Self {
            tasks,
            queue,
            admitted: None,
            held: false,
            acting: false,
            promises: 0,
            endings: 0,
            outside: 0,
            conductor: None,
            polls: 0,
            polls_before: 0,
            polls_max,
            livelock: false,
            foreign_wake: false,
        }
    }

    fn quiet(&self) -> bool {
        let nothing_is_due = self.admitted.is_none() && self.promises == 0 && self.endings == 0;
        nothing_is_due && (self.held || self.queue.is_empty())
    }

    /// Returns what kind of quiescence it is, if it is one.
    fn quiescence(&self) -> Quiescence {
        match self.livelock {
            true => Quiescence::Livelock,
            false => Quiescence::Rest,
        }
    }

    /// Returns whether nothing that the hub sees can be the cause of a wake.
    fn is_still(&self) -> bool {
        self.quiet() && !self.held && !self.acting && self.outside == 0
    }

    /// Lets `task` in and returns the waker that tells the runtime. A task that the runtime has not polled yet needs
    /// none: its first poll is under way.
    fn admit(&mut self, task: TaskIndex) -> Option<Waker> {
        self.admitted = Some(task);
        let slot = &mut self.tasks[task];
        slot.phase = Phase::Admitted;
        slot.waker.clone()
    }

    fn enqueue(&mut self, task: TaskIndex) -> Option<Waker> {
        let slot = &mut self.tasks[task];
        if !slot.woken && !slot.spins && slot.phase != Phase::Done {
            slot.woken = true;
            self.queue.push_back(task);
        }
        self.advance()
    }

    /// Lets in the next woken task, or tells the conductor that there is quiescence.
    fn advance(&mut self) -> Option<Waker> {
        let stands_still = self.held || self.acting || self.endings > 0;
        if self.admitted.is_none()
            && !stands_still
            && let Some(task) = self.queue.pop_front()
        {
            self.tasks[task].woken = false;
            return self.admit(task);
        }
        if self.quiet() { self.conductor.take() } else { None }
    }

    /// Ends `task` and returns the runtime's waker, which may be the last share of the task and so must be dropped when
    /// the state is no longer locked.
    fn end(&mut self, task: TaskIndex) -> Option<Waker> {
        let slot = &mut self.tasks[task];
        slot.phase = Phase::Done;
        slot.command = None;
        self.promises -= usize::from(std::mem::take(&mut slot.promised));
        self.endings -= usize::from(std::mem::take(&mut slot.ending));
        if std::mem::take(&mut slot.woken) {
            self.queue.retain(|&woken| woken != task);
        }
        self.tasks[task].waker.take()
    }

    /// Gives up on the tasks that were polled in the last tenth of this step's polls, which have reached their maximum.
    /// The others go on, with as many polls again; there is one spinner more each time, so this comes to an end.
    fn give_up(&mut self) {
        self.livelock = true;
        let recent = self.polls - u64::from(self.polls_max.div_ceil(10));
        for slot in self.tasks.iter_mut().filter(|slot| slot.last_poll >= recent) {
            slot.spins = true;
            slot.woken = false;
        }
        self.queue.retain(|&task| !self.tasks[task].spins);
        self.polls_before = self.polls - 1;
    }

    /// Turns a woken task away, and lets the next one in.
    fn turn_away(&mut self, task: TaskIndex) -> Option<Waker> {
        self.admitted = None;
        self.tasks[task].phase = Phase::Parked;
        self.advance()
    }
}
