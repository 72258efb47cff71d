//! The search for the first release that does otherwise: over the releases between two whose outcomes differ.
//!
//! It knows releases by their place in a list, and asks for an outcome only where it must.

/// What a release came to, as far as the search is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<O> {
    /// It has an outcome.
    Outcome(O),
    /// It has none: it does not build, or lacks the operation; with the reason.
    Skipped(String),
}

/// One release that was run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried<O> {
    /// Its place in the list.
    pub place: usize,
    /// What came out.
    pub found: Found<O>,
}

/// What a search came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bisection<O> {
    /// Both ends agree: there is nothing to look for.
    Equal(O),
    /// An end has no outcome, so there is nothing to compare with.
    NoEnd {
        /// The end's place in the list.
        place: usize,
        /// Why it has none.
        why: String,
    },
    /// Two neighbours, but for skipped releases, of which the later does otherwise.
    First {
        /// The last release that does as the first one.
        last: usize,
        /// Its outcome.
        before: O,
        /// The first release that does otherwise.
        first: usize,
        /// Its outcome: that of the other end, or a third.
        after: O,
        /// The releases between them that were skipped.
        skipped: Vec<usize>,
    },
}

/// A search with all that it ran, in that order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search<O> {
    /// What it came to.
    pub bisection: Bisection<O>,
    /// The releases that it ran.
    pub tried: Vec<Tried<O>>,
}

/// Looks among `count` releases (at least 2), in their order, for the first whose outcome differs from that of the first.
///
/// Runs at most `log2(count) + 1` of them, rounded up; each skipped release costs one more. The other end is run only if the
/// search comes to it, for a release is a build. Where outcomes change more than once, what is found is a change, and others
/// may lie before or after it.
///
/// # Errors
///
/// What `run` could not do, other than for one release alone.
pub fn bisect<O: Clone + PartialEq, E>(
    count: usize,
    mut run: impl FnMut(usize) -> Result<Found<O>, E>,
) -> Result<Search<O>, E> {
    let mut tried: Vec<Tried<O>> = Vec::new();
    let mut ask = |place: usize| {
        let found = run(place)?;
        tried.push(Tried { place, found: found.clone() });
        Ok(found)
    };
    let (mut low, mut high) = (0, count.saturating_sub(1));
    let first = match ask(low)? {
        Found::Outcome(outcome) => outcome,
        Found::Skipped(why) => return Ok(Search { bisection: Bisection::NoEnd { place: low, why }, tried }),
    };
    let mut after: Option<O> = None;
    let mut skipped: Vec<usize> = Vec::new();
    // The other end counts as one release more as long as it has not been run.
    while let Some(place) = nearest_to_middle(low, high, after.is_none(), &skipped) {
        match ask(place)? {
            Found::Outcome(outcome) if outcome == first => low = place,
            Found::Outcome(outcome) => (high, after) = (place, Some(outcome)),
            Found::Skipped(_) => skipped.push(place),
        }
    }
    let after = match after {
        Some(after) => after,
        None => match ask(high)? {
            Found::Outcome(end) if end == first => return Ok(Search { bisection: Bisection::Equal(first), tried }),
            Found::Outcome(end) => end,
            Found::Skipped(why) => return Ok(Search { bisection: Bisection::NoEnd { place: high, why }, tried }),
        },
    };
    skipped.retain(|place| (low..high).contains(place));
    skipped.sort_unstable();
    let bisection = Bisection::First { last: low, before: first, first: high, after, skipped };
    Ok(Search { bisection, tried })
}

/// Returns the place strictly between two that is nearest to their middle and was not skipped.
fn nearest_to_middle(low: usize, high: usize, end_counts: bool, skipped: &[usize]) -> Option<usize> {
    let middle = low + (high + usize::from(end_counts) - low) / 2;
    (low + 1..high).filter(|place| !skipped.contains(place)).min_by_key(|place| place.abs_diff(middle))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use rstest::rstest;

    use super::*;

    /// Searches a list of outcomes, of which `x` stands for a release that does not build.
    fn search(outcomes: &str) -> Search<char> {
        let outcomes: Vec<char> = outcomes.chars().collect();
        let run = |place: usize| {
            let found = match outcomes[place] {
                'x' => Found::Skipped("it does not build".to_owned()),
                outcome => Found::Outcome(outcome),
            };
            Ok::<_, Infallible>(found)
        };
        match bisect(outcomes.len(), run) {
            Ok(search) => search,
            Err(never) => match never {},
        }
    }

    fn first(outcomes: &str) -> (usize, usize, char, Vec<usize>) {
        match search(outcomes).bisection {
            Bisection::First { last, first, after, skipped, .. } => (last, first, after, skipped),
            other => panic!("{outcomes}: {other:?}"),
        }
    }

    #[rstest]
    #[case::neighbours("ab", (0, 1, 'b', vec![]))]
    #[case::in_the_middle("aaabbb", (2, 3, 'b', vec![]))]
    #[case::at_once("abbbbbb", (0, 1, 'b', vec![]))]
    #[case::at_last("aaaaaab", (5, 6, 'b', vec![]))]
    #[case::third_outcome_before_the_end("aaccb", (1, 2, 'c', vec![]))]
    #[case::skipped_between("aaxbb", (1, 3, 'b', vec![2]))]
    #[case::all_skipped_between("axxxb", (0, 4, 'b', vec![1, 2, 3]))]
    #[case::skipped_elsewhere("axaab", (3, 4, 'b', vec![]))]
    fn first_release_that_does_otherwise_is_found(
        #[case] outcomes: &str,
        #[case] expected: (usize, usize, char, Vec<usize>),
    ) {
        assert_eq!(first(outcomes), expected);
    }

    #[test]
    fn what_is_found_is_a_change_even_where_there_are_several() {
        for pattern in ["abab", "aabaab", "abcabc", "aabbaabb", "abaaab"] {
            let outcomes: Vec<char> = pattern.chars().collect();
            let (last, first, after, ..) = first(pattern);
            assert_eq!((outcomes[last], outcomes[first]), ('a', after), "{pattern}");
            assert_eq!(last + 1, first, "{pattern}");
        }
    }

    #[test]
    fn ends_that_agree_or_are_lacking_are_told() {
        assert_eq!(search("aaa").bisection, Bisection::Equal('a'));
        assert!(matches!(search("xab").bisection, Bisection::NoEnd { place: 0, .. }));
        assert!(matches!(search("aax").bisection, Bisection::NoEnd { place: 2, .. }));
    }

    #[test]
    fn no_more_is_run_than_the_bound_says() {
        for count in 2..200_usize {
            for change in 1..count {
                let outcomes: String = (0..count).map(|place| if place < change { 'a' } else { 'b' }).collect();
                let search = search(&outcomes);
                let bound = 1 + count.next_power_of_two().ilog2() as usize;
                assert!(search.tried.len() <= bound, "{count} releases, {change}: {} runs", search.tried.len());
                assert_eq!(first(&outcomes).1, change);
            }
        }
    }
}
