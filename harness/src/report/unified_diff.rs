//! The line diff of two outcomes, as reports and comparisons show it. It has no colour: its readers paint it.

use similar::{ChangeTag, TextDiff};

/// Returns a line diff of two outcomes, all lines shown: `-` only in the left, `+` only in the right.
pub fn unified(left: &[String], right: &[String]) -> Vec<String> {
    let (left, right): (Vec<&str>, Vec<&str>) =
        (left.iter().map(String::as_str).collect(), right.iter().map(String::as_str).collect());
    let diff = TextDiff::from_slices(&left, &right);
    let say = |change: similar::Change<&str>| {
        let sign = match change.tag() {
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
            ChangeTag::Equal => ' ',
        };
        format!("{sign} {}", change.value())
    };
    diff.iter_all_changes().map(say).collect()
}
