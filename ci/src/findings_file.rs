//! What the file of a fuzzing run holds: findings, by the numbers of the programs in which they were found.

use harness::explore::Budget;
use harness::explore::fuzz::Harvest;
use harness::explore::shard::Shard;
use serde::{Deserialize, Serialize};

use crate::kept_file::{Entry, Kept};

/// What is run: the first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// The schema of the file.
    pub(crate) fuzz: u32,
    /// The version of the program.
    pub(crate) program: String,
    /// The lock libraries: id, crate and version.
    pub(crate) libraries: Vec<(String, String, String)>,
    pub(crate) seed: u64,
    pub(crate) budget: Budget,
    pub(crate) shard: Shard,
}

/// A further line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Line {
    /// What came of a program.
    Program { number: u64, harvest: Harvest },
    /// The search is over.
    End { programs: u64 },
}

/// Findings of `fuzz`.
#[derive(Clone, Debug)]
pub(crate) struct Findings;

impl Kept for Findings {
    type Head = Head;
    type Key = u64;
    type Value = Harvest;
    type Line = Line;

    const FIRST: &'static str = "{\"fuzz\":";
    const WHAT: &'static str = "file of findings";
    const ITEM: &'static str = "program";
    const SCHEMA: u32 = 1;

    fn schema(head: &Head) -> u32 {
        head.fuzz
    }

    fn shard(head: &Head) -> Shard {
        head.shard
    }

    fn whole(head: &Head) -> Head {
        Head { shard: Shard::WHOLE, ..head.clone() }
    }

    fn result(number: u64, harvest: Harvest) -> Line {
        Line::Program { number, harvest }
    }

    fn end(programs: u64) -> Line {
        Line::End { programs }
    }

    fn read(line: Line) -> Entry<u64, Harvest> {
        match line {
            Line::Program { number, harvest } => Entry::Result(number, harvest),
            Line::End { programs } => Entry::End(programs),
        }
    }
}
