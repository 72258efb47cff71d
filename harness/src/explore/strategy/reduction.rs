//! What the exhaustive search may leave out, because it runs an equal schedule.

use serde::{Deserialize, Serialize};

use crate::explore::plan::Plan;
use crate::explore::schedule::{Choice, Choices, Kind};

/// What makes schedules equal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reduction {
    /// Whether neighbouring steps on different objects may change places.
    commutes: bool,
    /// For each task those that are alike; empty if they are not to be exchanged.
    alike: Vec<u32>,
}

impl Reduction {
    /// Returns everything that makes schedules of `plan` equal.
    pub(crate) fn of(plan: &Plan) -> Self {
        let alike = Some(plan.alike()).filter(|alike| alike.iter().any(|others| *others != 0)).unwrap_or_default();
        // On one object nothing commutes. A kept future is polled by whoever waits for something else.
        Self { commutes: plan.objects().len() > 1 && !plan.keeps_futures, alike }
    }

    /// Returns whether steps commute at all.
    pub(crate) fn commutes(&self) -> bool {
        self.commutes
    }

    /// Returns whether two choices of one place, each with what it touches, can change places.
    pub(super) fn commute(&self, (one, touched): (Choice, u32), (other, others): (Choice, u32)) -> bool {
        let shares_bound = one.kind() != Kind::Go && other.kind() != Kind::Go;
        self.commutes && one.task() != other.task() && touched & others == 0 && !shares_bound
    }

    /// Takes out of `untried` the tasks that would begin before one that is alike and comes before them: until the
    /// first of them begins nothing tells them apart, so that to exchange them gives a schedule for a schedule (Clarke,
    /// Enders, Filkorn and Jha, "Exploiting symmetry in temporal logic model checking", 1996).
    pub(super) fn leave_one_of_alike(&self, untried: &mut Choices, taken: impl Iterator<Item = Choice>) {
        if self.alike.is_empty() {
            return;
        }
        let begun = taken.filter(|it| it.kind() == Kind::Go).fold(0_u32, |begun, it| begun | 1 << it.task());
        let goes = &mut untried.0[Kind::Go as usize];
        for (task, others) in self.alike.iter().enumerate() {
            let before = others & !begun & ((1 << task) - 1);
            if begun & 1 << task == 0 && before != 0 {
                *goes &= !(1 << task);
            }
        }
    }
}
