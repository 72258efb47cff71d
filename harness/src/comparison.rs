//! Compares what several backends did with one scenario: who agrees with whom, and whether those who differ behave
//! differently or only word their messages differently.
//!
//! It knows outcomes by their lines alone, so that a saved report compares like a live run.

use crate::outcome::is_message;

/// The number of a distinct outcome among those of one scenario, counted from 0 in the order of the columns.
pub type GroupIndex = usize;

/// What becomes of the outcomes of one scenario when they are put beside each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// For each cell, which distinct outcome it has. Nothing for a cell that has none to compare.
    pub groups: Vec<Option<GroupIndex>>,
    /// How far apart the outcomes are.
    pub difference: Difference,
}

/// How far apart outcomes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// All are equal, or there is nothing to compare.
    None,
    /// Only the verbatim messages of the libraries differ.
    Wording,
    /// The behaviour differs.
    Kind,
}

/// Compares the outcomes of one scenario, each given by its lines.
pub fn compare(cells: &[Option<&[String]>]) -> Comparison {
    let mut distinct: Vec<&[String]> = Vec::new();
    let mut group_of = |lines| {
        distinct.iter().position(|known| *known == lines).unwrap_or_else(|| {
            distinct.push(lines);
            distinct.len() - 1
        })
    };
    let groups = cells.iter().map(|cell| cell.map(&mut group_of)).collect();
    let difference = distinct.iter().map(|lines| difference(distinct[0], lines)).max().unwrap_or(Difference::None);
    Comparison { groups, difference }
}

/// Returns how far apart two outcomes are, each given by its lines.
pub fn difference(one: &[String], other: &[String]) -> Difference {
    if one == other {
        Difference::None
    } else if kinds(one).eq(kinds(other)) {
        Difference::Wording
    } else {
        Difference::Kind
    }
}

fn kinds(lines: &[String]) -> impl Iterator<Item = &String> {
    lines.iter().filter(|line| !is_message(line))
}

/// Returns the letter by which reports call a distinct outcome: `a`, `b`, ... `z`, `a1`, `b1`, ...
pub fn letter(group: GroupIndex) -> String {
    let letter = char::from(b'a' + (group % 26) as u8);
    match group / 26 {
        0 => letter.to_string(),
        round => format!("{letter}{round}"),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const MESSAGE: &str = "                       boom";

    #[rstest]
    #[case::equal(&["A acquire m            acquired"], &["A acquire m            acquired"], Difference::None)]
    #[case::behaviour(&["A acquire m            acquired"], &["A acquire m            waits"], Difference::Kind)]
    #[case::wording(&["A try m  refused", MESSAGE], &["A try m  refused"], Difference::Wording)]
    #[case::both(&["A try m  refused", MESSAGE], &["A try m  acquired"], Difference::Kind)]
    fn behaviour_and_wording_are_told_apart(
        #[case] one: &[&str],
        #[case] other: &[&str],
        #[case] expected: Difference,
    ) {
        let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        assert_eq!(difference(&lines(one), &lines(other)), expected);
    }

    #[test]
    fn distinct_outcomes_are_numbered_in_the_order_of_the_columns() {
        let [x, y] = ["x", "y"].map(|line| vec![line.to_owned()]);
        let comparison = compare(&[None, Some(&y), Some(&x), Some(&y)]);
        assert_eq!(comparison.groups, [None, Some(0), Some(1), Some(0)]);
        assert_eq!(comparison.difference, Difference::Kind);
    }

    #[rstest]
    #[case::first(0, "a")]
    #[case::last_of_the_alphabet(25, "z")]
    #[case::second_round(27, "b1")]
    fn every_group_has_a_letter_of_its_own(#[case] group: GroupIndex, #[case] expected: &str) {
        assert_eq!(letter(group), expected);
    }
}
