//! Which task of a scenario runs on this thread.
//!
//! A lock that knows its holder asks its runtime, or whoever runs the tasks. Here that is the driver: runtimes differ
//! in what they know of their tasks, and most know nothing while they drop one.

use std::cell::Cell;

use crate::scenario::name::TaskName;

/// A task of a scenario, in one run of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity(u64);

const LETTER_BITS: u32 = 5;
/// 0 stands for no number, so that a name's number is one less.
const NUMBER_BITS: u32 = 14;
const RUN_BITS: u32 = 26;

thread_local! {
    static CURRENT: Cell<Option<Identity>> = const { Cell::new(None) };
}

impl Identity {
    /// Returns the task that is polled or dropped on this thread right now, or for which this thread works; `None`
    /// beside the tasks, such as in a probe of the conductor.
    pub fn current() -> Option<Self> {
        CURRENT.get()
    }

    /// Returns the identity with this number, which [`Identity::number`] gave.
    pub fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// Returns a number below 2^45. No two tasks of a run have the same, and none of another run before 2^26 runs.
    pub fn number(self) -> u64 {
        self.0
    }

    /// Returns the name of the task, or `None` if this was made from a number of something else.
    pub fn task(self) -> Option<TaskName> {
        let letter = char::from(b'A' + (self.0 & ((1 << LETTER_BITS) - 1)) as u8);
        match (self.0 >> LETTER_BITS) as u32 & ((1 << NUMBER_BITS) - 1) {
            0 => TaskName::new(letter),
            number => TaskName::numbered(letter, number - 1),
        }
    }

    /// Returns the identity of a task in the run with this number.
    pub(crate) fn new(run: u64, task: TaskName) -> Self {
        let letter = u64::from(u32::from(task.letter()) - u32::from('A'));
        let number = task.number().map_or(0, |number| u64::from(number) + 1);
        let run = run & ((1 << RUN_BITS) - 1);
        Self(run << (LETTER_BITS + NUMBER_BITS) | number << LETTER_BITS | letter)
    }

    /// Says, until what is returned is dropped, that this task runs on this thread.
    pub(crate) fn enter(self) -> Entered {
        Entered { before: CURRENT.replace(Some(self)) }
    }
}

/// See [`Identity::enter`].
pub(crate) struct Entered {
    before: Option<Identity>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::name::TASK_NUMBER_MAX;

    #[test]
    fn every_name_comes_back_and_every_run_is_another() {
        for letter in 'A'..='Z' {
            let names =
                [TaskName::new(letter), TaskName::numbered(letter, 0), TaskName::numbered(letter, TASK_NUMBER_MAX)];
            for name in names {
                let name = name.expect("it is in range");
                let identity = Identity::new(u64::MAX, name);
                assert_eq!(Identity::from_number(identity.number()).task(), Some(name));
                assert!(identity.number() < 1 << 45);
                assert_ne!(identity, Identity::new(1, name));
            }
        }
    }

    #[test]
    fn the_innermost_task_runs() {
        let [one, other] = ['A', 'B'].map(|letter| Identity::new(0, TaskName::new(letter).expect("it is a letter")));
        let entered = one.enter();
        drop(other.enter());
        assert_eq!(Identity::current(), Some(one));
        drop(entered);
        assert_eq!(Identity::current(), None);
    }
}
