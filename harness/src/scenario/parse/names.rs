//! The objects that a text declares, by which its steps are understood.

use std::collections::{HashMap, HashSet};

use super::Fault;
use super::token::{Kind, SourceLine, Token};
use crate::primitive::Primitive;
use crate::scenario::diagnostic::{Diagnostic, did_you_mean, ticked};
use crate::scenario::name::ObjectName;
use crate::scenario::{Object, vocabulary};

/// The declared names, and those whose declaration is itself in error.
#[derive(Default)]
pub(super) struct Names<'t> {
    objects: HashMap<&'t str, Primitive>,
    doubtful: HashSet<&'t str>,
}

impl<'t> Names<'t> {
    /// Collects what the lines declare, wherever they stand, so that a misplaced declaration is one error and not many.
    pub(super) fn declared_in(lines: &[Option<SourceLine<'t>>]) -> Self {
        let mut names = Self::default();
        for line in lines.iter().flatten() {
            let [first, second, ..] = line.tokens.as_slice() else { continue };
            let (Kind::Word(keyword), Kind::Word(name)) = (first.kind, second.kind) else { continue };
            match vocabulary::primitive(keyword) {
                Some(primitive) if name.parse::<ObjectName>().is_ok() => {
                    names.objects.insert(name, primitive);
                }
                Some(_) => {
                    names.doubtful.insert(name);
                }
                // `mutx m`: an error of its own; that `m` is unknown need not be said at every step.
                None if is_no_step(keyword) => {
                    names.doubtful.insert(name);
                }
                None => {}
            }
        }
        names
    }

    /// Returns the names of `objects`.
    pub(super) fn of(objects: &'t [Object]) -> Self {
        let objects = objects.iter().map(|object| (object.name.as_str(), object.primitive)).collect();
        Self { objects, doubtful: HashSet::new() }
    }

    /// Returns which primitive `name` is, if it is a declared object.
    pub(super) fn primitive(&self, name: &str) -> Option<Primitive> {
        self.objects.get(name).copied()
    }

    /// Returns whether the declaration of `name` is in error.
    pub(super) fn is_doubtful(&self, name: &str) -> bool {
        self.doubtful.contains(name)
    }

    /// Returns the fault of naming an object that is not declared.
    pub(super) fn undeclared(&self, token: &Token<'_>) -> Fault {
        let name = token.text();
        if self.is_doubtful(name) {
            return Fault::Told;
        }
        Diagnostic::error(token.location, format!("no object {} is declared", ticked(name)))
            .expecting("a declared object")
            .hinting(format!("declare it in the head: {}", ticked(&format!("mutex {name}"))))
            .maybe_hinting(did_you_mean(name, self.objects.keys().copied().collect::<std::collections::BTreeSet<_>>()))
            .into()
    }
}

/// Returns whether a line that begins with `word` is neither a step nor a known line.
fn is_no_step(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_lowercase())
        && vocabulary::VOCABULARY.iter().all(|entry| entry.word != word)
}
