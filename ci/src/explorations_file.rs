//! What the file of an exploration holds: what came of each scenario on each lock library.

use harness::explore::shard::{Piece, Shard};
use harness::explore::{Bounds, Budget, Strategy};
use serde::{Deserialize, Serialize};

use crate::kept_file::{Entry, Kept};

/// What is explored: the first line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// The schema of the file.
    pub(crate) explore: u32,
    /// The version of the program.
    pub(crate) program: String,
    /// The lock libraries: id, crate and version.
    pub(crate) libraries: Vec<(String, String, String)>,
    /// The name of each scenario, and its text in the lines below.
    pub(crate) scenarios: Vec<String>,
    pub(crate) strategy: Strategy,
    pub(crate) budget: Budget,
    pub(crate) seed: u64,
    pub(crate) bounds: Bounds,
    pub(crate) reduce: bool,
    pub(crate) shard: Shard,
}

/// A further line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Line {
    /// What came of a scenario on a library.
    Search { library: String, piece: Box<Piece> },
    /// All is done.
    End { searches: u64 },
}

/// Which scenario, on which library.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The name of the scenario and its text, as in [`Piece::scenario`].
    pub(crate) scenario: String,
    pub(crate) library: String,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "of {} on {}", self.scenario.lines().next().unwrap_or_default(), self.library)
    }
}

/// Results of `explore`.
#[derive(Clone, Debug)]
pub(crate) struct Explorations;

impl Kept for Explorations {
    type Head = Head;
    type Key = Place;
    type Value = Piece;
    type Line = Line;

    const FIRST: &'static str = "{\"explore\":";
    const WHAT: &'static str = "file of an exploration";
    const ITEM: &'static str = "the search";
    const SCHEMA: u32 = 1;

    fn schema(head: &Head) -> u32 {
        head.explore
    }

    fn shard(head: &Head) -> Shard {
        head.shard
    }

    fn whole(head: &Head) -> Head {
        Head { shard: Shard::WHOLE, ..head.clone() }
    }

    fn result(place: Place, piece: Piece) -> Line {
        Line::Search { library: place.library, piece: Box::new(piece) }
    }

    fn end(searches: u64) -> Line {
        Line::End { searches }
    }

    fn read(line: Line) -> Entry<Place, Piece> {
        match line {
            Line::Search { library, piece } => {
                Entry::Result(Place { scenario: piece.scenario.clone(), library }, *piece)
            }
            Line::End { searches } => Entry::End(searches),
        }
    }
}
