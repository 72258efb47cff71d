//! What went wrong with a run itself: livelock, hang, crash.

use super::{Finding, task};
use crate::program::Program;
use crate::transcript::{At, Fault, Hang};
use crate::verdict::Verdict;

/// Judges a fault.
pub(super) fn judge(program: &Program, fault: &Fault) -> Finding {
    let culprit = match fault.at() {
        Some(At::Step(step)) => format!("`{}`", program.steps[step].text),
        Some(At::Probe) => "a try of what the script left".to_owned(),
        Some(At::Rest) => "letting go of everything".to_owned(),
        None => "the first step".to_owned(),
    };
    match fault {
        Fault::Livelock { tasks, .. } => {
            let names: Vec<String> = tasks.iter().map(|index| task(program, *index)).collect();
            let verb = if names.len() == 1 { "is" } else { "are" };
            let because = format!("after {culprit}, {} {verb} polled again and again", names.join(" and "));
            Finding::new(Verdict::Livelock, because)
        }
        Fault::Hung { how: Hang::Blocked, .. } => {
            Finding::new(Verdict::Hung, format!("{culprit} blocks a thread of the runtime for good"))
        }
        Fault::Hung { how: Hang::Spinning, .. } => {
            Finding::new(Verdict::Hung, format!("{culprit} never comes back and keeps its thread busy"))
        }
        Fault::Hung { how: Hang::Silent, .. } => Finding::new(Verdict::Hung, format!("{culprit} never comes back")),
        Fault::Crashed { how, .. } => Finding::new(Verdict::Crashed, format!("{culprit} ended the process: {how}")),
    }
}
