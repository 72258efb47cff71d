//! The synchronisation primitives, as data: their words, the modes in which they are held, and their models.
//!
//! A primitive is one file below this module and one row in `primitives!`. Everything else reads the tables: no other
//! module of the harness names a primitive, a verb or a mode.

pub mod model;
pub mod mutex;
pub mod request;
pub mod rwlock;
pub mod semaphore;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use model::{Admission, Expected, Model};
pub use request::{Claim, Declaration, Place, Request};

/// Words, results and modes of one primitive.
#[derive(Debug)]
pub struct Table {
    /// Word that declares an object, such as `mutex`.
    pub word: &'static str,
    /// What is declared, with its article, such as `a mutex`.
    pub noun: &'static str,
    /// Argument of the declaration.
    pub argument: Argument,
    /// Modes in which a task can hold it.
    pub modes: &'static [Mode],
    /// Steps that a task can take on it.
    pub verbs: &'static [Verb],
    /// What a library can offer or promise beyond its verbs, as a capability behind the word and a colon.
    pub features: &'static [&'static str],
}

/// Argument of a declaration, such as the permits of a semaphore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// There is none: `mutex m`.
    None,
    /// A number: `semaphore s 2`. The text names it in messages.
    Number(&'static str),
    /// A word and a number, which may be left out: `rwlock l readers 2`.
    Optional(&'static str),
}

/// One way to hold an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// Result of the step that is granted it, such as `acquired for reading`.
    pub granted: &'static str,
    /// What a task that holds it does, with `{n}` for the amount and `{x}` for the object: `holds {x}`.
    pub holds: &'static str,
    /// What a task that waits for it does: `waits for {x}`.
    pub waits: &'static str,
    /// Word of the mode in a probe, where an object has several.
    pub probe: &'static str,
    /// Whether most libraries have it, so that every object is probed in it.
    pub is_common: bool,
}

impl Mode {
    /// Returns what a task does that holds `amount` of the object `name`.
    pub fn holds(&self, amount: u64, name: &str) -> String {
        self.holds.replace("{n}", &amount.to_string()).replace("{x}", name)
    }

    /// Returns what a task does that waits for `amount` of the object `name`.
    pub fn waits(&self, amount: u64, name: &str) -> String {
        self.waits.replace("{n}", &amount.to_string()).replace("{x}", name)
    }
}

/// One verb of a primitive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verb {
    /// Word of the step.
    pub word: &'static str,
    /// What it does to the object.
    pub effect: Effect,
    /// Whether it can wait. Then it can be started, kept, cancelled and made in a blocking way.
    pub waits: bool,
    /// Number behind the object.
    pub amount: Amount,
    /// Result of the step, with `{}` for its number, where it changes, turns or asks.
    pub result: &'static str,
    /// What it does, in one line.
    pub meaning: &'static str,
}

/// What a verb does to its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Takes it: a grant is a hold in the mode of this index.
    Take(u8),
    /// Turns the last guard, which is of one of these modes, into one of the mode of this index.
    Turn(&'static [u8], u8),
    /// Changes the object.
    Change,
    /// Asks whether somebody holds it: `yes` or `no`.
    AskHeld,
    /// Asks for a number, which is read in the probes too.
    Count,
    /// Asks something else.
    Ask,
    /// Prints it with `{:?}`.
    Print,
}

/// Number that a step gives behind its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// It gives none.
    None,
    /// It may give one; left out, it is 1.
    Optional,
    /// It gives one.
    Needed,
}

impl Verb {
    /// Returns the row of a verb that neither waits nor gives a number.
    pub(crate) const fn new(word: &'static str, effect: Effect, meaning: &'static str) -> Self {
        Self { word, effect, waits: false, amount: Amount::None, result: "", meaning }
    }

    /// Returns the same verb, which gives a number.
    pub(crate) const fn counting(mut self, amount: Amount) -> Self {
        self.amount = amount;
        self
    }

    /// Returns the same verb, whose result is said so.
    pub(crate) const fn saying(mut self, result: &'static str) -> Self {
        self.result = result;
        self
    }

    /// Returns the same verb, which can wait.
    pub(crate) const fn waiting(mut self) -> Self {
        self.waits = true;
        self
    }
}

/// Writes the enum of the primitives, their tables and their models from one row each.
macro_rules! primitives {
    ($($(#[$doc:meta])* $name:ident = $module:ident),+ $(,)?) => {
        /// A primitive that a scenario can declare an object of.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "kebab-case")]
        #[non_exhaustive]
        pub enum Primitive {
            $($(#[$doc])* $name),+
        }

        impl Primitive {
            /// Every primitive that this version knows. New ones go to the end: the wire depends on the order.
            pub const ALL: &[Primitive] = &[$(Primitive::$name),+];

            /// Returns its words.
            pub fn table(self) -> &'static Table {
                match self {
                    $(Primitive::$name => &$module::TABLE),+
                }
            }

            /// Returns the model of a new object that was declared with `argument`.
            pub fn model(self, argument: Option<u64>) -> State {
                match self {
                    $(Primitive::$name => State::$name(<$module::Model as Model>::new(argument))),+
                }
            }
        }

        /// Model of one object, with static dispatch.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "the variants are those of `Primitive`")]
        pub enum State {
            $($name($module::Model)),+
        }

        impl State {
            /// As [`Model::admits`].
            pub fn admits(&self, claim: Claim, holds: impl Iterator<Item = Claim> + Clone) -> Admission {
                match self {
                    $(State::$name(model) => model.admits(claim, holds)),+
                }
            }

            /// As [`Model::is_there`].
            pub fn is_there(&self, claim: Claim, holds: impl Iterator<Item = Claim> + Clone) -> bool {
                match self {
                    $(State::$name(model) => model.is_there(claim, holds)),+
                }
            }

            /// As [`Model::count`].
            pub fn count(&self, request: Request, holds: impl Iterator<Item = Claim> + Clone) -> Option<i128> {
                match self {
                    $(State::$name(model) => model.count(request, holds)),+
                }
            }

            /// As [`Model::total`].
            pub fn total(&self) -> Option<i128> {
                match self {
                    $(State::$name(model) => model.total()),+
                }
            }

            /// As [`Model::is_closed`].
            pub fn is_closed(&self) -> bool {
                match self {
                    $(State::$name(model) => model.is_closed()),+
                }
            }

            /// As [`Model::change`].
            pub fn change(&mut self, request: Request, number: Option<u64>) {
                match self {
                    $(State::$name(model) => model.change(request, number)),+
                }
            }

            /// As [`Model::gives_early`].
            pub fn gives_early(&self, request: Request) -> bool {
                match self {
                    $(State::$name(model) => model.gives_early(request)),+
                }
            }

            /// As [`Model::answer`].
            pub fn answer(&self, request: Request, holds: impl Iterator<Item = Claim> + Clone) -> Expected {
                match self {
                    $(State::$name(model) => model.answer(request, holds)),+
                }
            }
        }
    };
}

primitives! {
    /// Mutual exclusion: at most one guard at a time.
    Mutex = mutex,
    /// A number of permits, of which a guard has one or more.
    Semaphore = semaphore,
    /// Many readers or one writer.
    Rwlock = rwlock,
}

impl Primitive {
    /// Returns the word that declares an object of this primitive.
    pub fn as_str(self) -> &'static str {
        self.table().word
    }

    /// Returns the capabilities that a backend can declare for this primitive: its word alone, and behind a colon each
    /// verb, each that can block, and what else the table names; anything may be emulated.
    pub fn capabilities(self) -> Vec<String> {
        let table = self.table();
        let mut words: Vec<String> = table.verbs.iter().map(|verb| verb.word.to_owned()).collect();
        let blocking = table.verbs.iter().filter(|verb| verb.waits);
        words.extend(blocking.map(|verb| format!("{}-blocking", verb.word)));
        words.extend(table.features.iter().map(|word| (*word).to_owned()));
        let emulated: Vec<String> = words.iter().map(|word| format!("{word}-emulated")).collect();
        let all = words.into_iter().chain(emulated).map(|word| format!("{self}:{word}"));
        std::iter::once(self.to_string()).chain(all).collect()
    }

    /// Returns the primitive that `word` declares an object of.
    pub fn from_word(word: &str) -> Option<Primitive> {
        Primitive::ALL.iter().copied().find(|primitive| primitive.as_str() == word)
    }

    /// Returns everything that can be asked of an object, with the amount 1 where there is one.
    pub fn requests(self) -> impl Iterator<Item = Request> {
        (0..self.table().verbs.len()).map(move |index| Request::new(self, index as u8))
    }

    /// Returns what the step `word` asks of an object.
    pub fn request(self, word: &str) -> Option<Request> {
        self.requests().find(|request| request.as_str() == word)
    }

    /// Returns whether one task holds an object at a time and holds all of it: what the explorer's own account of a
    /// schedule can hold so far.
    pub fn is_exclusive(self) -> bool {
        let is_counted = |request: Request| request.verb().amount != Amount::None;
        self.table().modes.len() == 1 && !self.requests().any(is_counted)
    }

    /// Returns the question for the number that is read in the probes, if there is one: what is counted has it.
    pub fn counter(self) -> Option<Request> {
        self.requests().find(|request| request.verb().effect == Effect::Count)
    }

    /// Returns the first request that waits for a hold: what a plain program asks.
    pub fn plain_wait(self) -> Request {
        let mut waits = self.requests().filter(|request| request.waits());
        waits.next().expect("a primitive that never waits is no primitive")
    }

    /// Returns the requests by which the conductor tries an object from outside, in the order of the modes: one a mode.
    pub fn tries(self) -> impl Iterator<Item = Request> {
        let tries = move |mode: usize| {
            let is_try =
                |request: &Request| !request.waits() && request.takes() && request.claim().mode as usize == mode;
            self.requests().find(is_try)
        };
        (0..self.table().modes.len()).filter_map(tries)
    }
}

impl fmt::Display for Primitive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
