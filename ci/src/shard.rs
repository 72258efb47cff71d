//! A part of a search that one machine does: `I/N`, the parts counted from 1.

use serde::{Deserialize, Serialize};

/// Part `index` of `count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Shard {
    pub(crate) index: u64,
    pub(crate) count: u64,
}

impl Shard {
    /// The whole.
    pub(crate) const WHOLE: Shard = Shard { index: 1, count: 1 };

    /// Returns whether what has this number, counted from 0, belongs to the part.
    pub(crate) fn has(self, number: u64) -> bool {
        number % self.count == self.index - 1
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shard = text
            .split_once('/')
            .and_then(|(index, count)| Some(Shard { index: index.parse().ok()?, count: count.parse().ok()? }));
        shard.filter(|it| (1..=it.count).contains(&it.index)).ok_or_else(|| {
            format!("`{text}` is no shard; write I/N with I from 1 to N, such as 1/4 for the first of four")
        })
    }
}
