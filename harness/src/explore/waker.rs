//! The wakers of the explorer: a wake sets the bit of its task, and no more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Wake, Waker};

use super::plan::TASKS_MAX;
use crate::quiescence::TaskIndex;

/// Who was woken. One thread explores; only a guard that goes on another thread, which ends before anybody looks, makes
/// the cells atomic. So nothing is ordered by them.
#[derive(Debug)]
pub(super) struct Board {
    /// Who was woken and not polled since.
    woken: AtomicU32,
    /// Who was woken since somebody looked, by whatever was called last.
    rung: AtomicU32,
    /// How many wakes there were since then.
    rings: AtomicU32,
    /// Which waker of each task is its own: the others come to nothing.
    renewals: [AtomicU32; TASKS_MAX],
}

/// The waker of one task.
struct Bell {
    board: Arc<Board>,
    task: TaskIndex,
    renewal: u32,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let board = &*self.board;
        if board.renewals[self.task].load(Ordering::Relaxed) == self.renewal {
            add(&board.rings, 1);
            set(&board.rung, 1 << self.task);
            set(&board.woken, 1 << self.task);
        }
    }
}

/// Not one instruction, and need not be: see [`Board`].
fn set(cell: &AtomicU32, bit: u32) {
    cell.store(cell.load(Ordering::Relaxed) | bit, Ordering::Relaxed);
}

fn add(cell: &AtomicU32, count: u32) {
    cell.store(cell.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
}

impl Board {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            woken: AtomicU32::new(0),
            rung: AtomicU32::new(0),
            rings: AtomicU32::new(0),
            renewals: [const { AtomicU32::new(0) }; TASKS_MAX],
        })
    }

    /// Returns a waker of `task` that is its own while the task has been renewed `renewal` times.
    pub(super) fn waker(self: &Arc<Self>, task: TaskIndex, renewal: u32) -> Waker {
        Waker::from(Arc::new(Bell { board: Arc::clone(self), task, renewal }))
    }

    pub(super) fn woken(&self) -> u32 {
        self.woken.load(Ordering::Relaxed)
    }

    pub(super) fn clear(&self, mask: u32) {
        self.woken.store(self.woken() & !mask, Ordering::Relaxed);
    }

    /// Returns who was woken since the last call, and how many wakes there were.
    pub(super) fn take_rings(&self) -> (u32, u32) {
        let rings = self.rings.load(Ordering::Relaxed);
        if rings == 0 {
            return (0, 0);
        }
        self.rings.store(0, Ordering::Relaxed);
        let rung = self.rung.load(Ordering::Relaxed);
        self.rung.store(0, Ordering::Relaxed);
        (rung, rings)
    }

    pub(super) fn renew(&self, task: TaskIndex) -> u32 {
        add(&self.renewals[task], 1);
        self.renewals[task].load(Ordering::Relaxed)
    }

    /// Forgets every wake and renewal.
    pub(super) fn reset(&self, tasks: usize) {
        self.woken.store(0, Ordering::Relaxed);
        self.take_rings();
        for renewal in &self.renewals[..tasks] {
            renewal.store(0, Ordering::Relaxed);
        }
    }
}
