//! What `{:?}` prints of a mutex of smol.

use super::mutex::Mutex;

/// Prints the mutex.
pub fn debug(mutex: &Mutex<()>) -> String {
    format!("{mutex:?}")
}
