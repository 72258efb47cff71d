//! A cell that is broken off between two runs has no outcome, and what its runs had shown by then is told.

use std::sync::atomic::{AtomicU32, Ordering};

use keyalike_harness::runner::CellError;
use libtest_mimic::{Failed, Trial};

use crate::locks::{HONEST, MOODY};
use crate::run::{program, run_often};

/// How many runs are made before it is broken off.
const RUNS: u32 = 4;

/// Returns one trial for what is alike and one for what varies.
pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("what_is_broken_off_has_no_outcome", has_no_outcome),
        Trial::test("what_varies_is_told_though_it_is_broken_off", tells_what_varies),
    ]
}

fn has_no_outcome() -> Result<(), Failed> {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    match run_often(HONEST, &program("m", "A try-acquire m"), || ASKED.fetch_add(1, Ordering::Relaxed) >= RUNS) {
        Err(CellError::BrokenOff) => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

fn tells_what_varies() -> Result<(), Failed> {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    match run_often(MOODY, &program("m", "A try-acquire m"), || ASKED.fetch_add(1, Ordering::Relaxed) >= RUNS) {
        Err(CellError::Varies(variants)) => match variants.iter().map(|variant| variant.count).sum::<usize>() {
            told if told == RUNS as usize => Ok(()),
            told => Err(format!("{told} of {RUNS} runs are told").into()),
        },
        other => Err(format!("{other:?}").into()),
    }
}
