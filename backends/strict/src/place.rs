//! Places in source code, as small numbers that fit beside a task into one atomic word.
//!
//! A place gets its number on first use and keeps it. What a thread has numbered lately it finds again without a lock.

use std::cell::Cell;
use std::collections::HashMap;
use std::panic::Location;
use std::sync::{LazyLock, Mutex, PoisonError};

/// A place in source code: a file, a line and a column.
///
/// ```
/// let here: keyalike_strict::Place = std::panic::Location::caller();
/// assert_eq!(here.file(), file!());
/// ```
pub type Place = &'static Location<'static>;

/// The number of a place. 0 is none.
pub(crate) type PlaceNumber = u16;

/// The number of every place beyond those that have one of their own. 65,534 have.
const BEYOND: PlaceNumber = PlaceNumber::MAX;

#[derive(Default)]
struct Table {
    numbers: HashMap<Place, PlaceNumber>,
    places: Vec<Place>,
}

static TABLE: LazyLock<Mutex<Table>> = LazyLock::new(Mutex::default);

/// How many places a thread finds again without the table (a power of two).
const CACHED: usize = 64;

thread_local! {
    /// Addresses of places with their numbers, each at the index that its address gives.
    static CACHE: [Cell<(usize, PlaceNumber)>; CACHED] = const { [const { Cell::new((0, 0)) }; CACHED] };
}

/// Returns the number of `place`.
#[inline]
pub(crate) fn number(place: Place) -> PlaceNumber {
    let address = std::ptr::from_ref(place).addr();
    CACHE.with(|cache| {
        // Places lie 24 bytes apart, so the lowest three bits say nothing.
        let cached = &cache[(address >> 3) % CACHED];
        let (known, number) = cached.get();
        if known == address {
            return number;
        }
        let number = look_up(place);
        cached.set((address, number));
        number
    })
}

#[cold]
fn look_up(place: Place) -> PlaceNumber {
    let mut table = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(&number) = table.numbers.get(place) {
        return number;
    }
    let next = PlaceNumber::try_from(table.places.len() + 1).unwrap_or(BEYOND);
    if next < BEYOND {
        table.places.push(place);
        table.numbers.insert(place, next);
    }
    next
}

/// Returns the place with this number; `None` for 0 and for places beyond the table.
pub(crate) fn find(number: PlaceNumber) -> Option<Place> {
    let index = usize::from(number).checked_sub(1)?;
    TABLE.lock().unwrap_or_else(PoisonError::into_inner).places.get(index).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_keeps_its_number_and_is_found_by_it() {
        let (one, other) = (Location::caller(), here());
        assert_eq!(number(one), number(one));
        assert_ne!(number(one), number(other));
        assert_eq!(find(number(other)), Some(other));
        let again = std::thread::spawn(move || number(other)).join().expect("it does not panic");
        assert_eq!(again, number(other), "another thread knows it by the same number");
    }

    #[test]
    fn places_that_share_their_place_in_the_cache_are_two() {
        let (one, other) = (Location::caller(), here());
        // They lie side by side, so that between them they take up every place in the cache.
        let copies: &'static [Location<'static>] = vec![*other; CACHED].leak();
        for copy in copies {
            assert_eq!(find(number(one)), Some(one));
            assert_eq!(find(number(copy)), Some(other));
        }
    }

    #[test]
    fn no_place_has_the_number_of_none() {
        assert_ne!(number(here()), 0);
        assert_eq!(find(0), None);
        assert_eq!(find(BEYOND), None);
    }

    #[track_caller]
    fn here() -> Place {
        Location::caller()
    }
}
