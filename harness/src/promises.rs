//! What a lock library promises beyond the models of its primitives, as its capabilities declare it.

/// Promises that the oracle holds a library to, or allows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Promises {
    /// An object whose holder panicked is poisoned: it refuses from then on, and says so.
    pub poison: bool,
}

impl Promises {
    /// Returns the promises among `capabilities`, such as `mutex:poison`.
    pub fn of(capabilities: &[impl AsRef<str>]) -> Self {
        let has = |promise: &str| {
            let is_it = |word: &str| word.split_once(':').is_some_and(|(_, what)| what == promise);
            capabilities.iter().any(|word| is_it(word.as_ref()))
        };
        Self { poison: has("poison") }
    }
}
