//! Events for whoever subscribes, with the feature `tracing`; nothing without it.

use std::fmt;

use crate::place::Place;
use crate::task::Key;

/// Tells that an acquire was refused.
pub(crate) fn refused(refused: &impl fmt::Display, asked: Place) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "keyalike_strict", %asked, "acquire refused: {refused}");
    let _ = (refused, asked);
}

/// Tells that an acquire goes to wait.
pub(crate) fn waits(key: Key, asked: Place) {
    #[cfg(feature = "tracing")]
    tracing::trace!(target: "keyalike_strict", task = key.describe(), %asked, "acquire waits");
    let _ = (key, asked);
}
