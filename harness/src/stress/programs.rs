//! Programs to stress a mutex with, where nobody brings one: every pair of things that two tasks can do with it at the
//! same moment, and a few crowds.

use std::sync::Arc;

use crate::explore::plan::Plan;
use crate::scenario::parse::parse;

/// What one task does.
const DEEDS: [&str; 6] = [
    "acquire m, release m",
    "try-acquire m, release m",
    "acquire m, is-locked m, release m",
    "start x acquire m, drop x, release m",
    "start x acquire m, await x, release m",
    "acquire m, release m, acquire m, release m",
];

/// More than two tasks, and what may happen to them.
const CROWDS: [&str; 5] = [
    "A: acquire m, release m\nB: acquire m, release m\ncancel B\n",
    "A: acquire m, release m\nB: acquire m, release m\nC: acquire m, release m\ncancel B\nC repoll\n",
    "A: acquire m, release m\nB: acquire m, release m\nC: try-acquire m, release m\nB repoll new-waker\n",
    "A[1..4]: acquire m, release m, acquire m, release m\nabort A2\n",
    "A: acquire m, release m\nB: start x acquire m, drop x, release m\nC: acquire m, release m\n",
];

/// Returns the programs.
pub fn mutex() -> Vec<Arc<Plan>> {
    let pairs = DEEDS
        .iter()
        .enumerate()
        .flat_map(|(place, one)| DEEDS[place..].iter().map(move |other| format!("A: {one}\nB: {other}\n")));
    let crowds = CROWDS.iter().map(|text| (*text).to_owned());
    let plan = |(number, text): (usize, String)| {
        let name = format!("stress/program-{number}").parse().expect("it is a name");
        let scenario = parse(name, &format!("mutex m\n\n{text}")).expect("it is a scenario");
        Arc::new(Plan::new(Arc::new(scenario)).expect("it can be explored"))
    };
    pairs.chain(crowds).enumerate().map(plan).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_program_is_one() {
        assert_eq!(super::mutex().len(), 21 + 5);
    }
}
