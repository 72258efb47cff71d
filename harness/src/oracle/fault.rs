//! Runs that did not come to their end: livelock, hang, crash.

use super::Finding;
use crate::driver::program::{Program, StepIndex};
use crate::transcript::{Fault, Hang};
use crate::verdict::Verdict;

/// Judges the fault that broke a run off.
pub(super) fn judge(program: &Program, fault: &Fault) -> Finding {
    let within = |step: &Option<StepIndex>| match step {
        Some(step) => format!("`{}`", program.steps[*step].text),
        None => "the first step".to_owned(),
    };
    match fault {
        Fault::Livelock => Finding::new(Verdict::Livelock, "the tasks are polled again and again in one step"),
        Fault::Hung { step, how: Hang::Blocked } => {
            Finding::new(Verdict::Hung, format!("{} blocks a thread of the runtime for good", within(step)))
        }
        Fault::Hung { step, how: Hang::Spinning } => {
            Finding::new(Verdict::Hung, format!("{} never comes back and keeps its thread busy", within(step)))
        }
        Fault::Crashed { step, how } => {
            Finding::new(Verdict::Crashed, format!("{} ended the process: {how}", within(step)))
        }
    }
}
