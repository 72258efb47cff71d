//! What `{:?}` prints of a mutex of async-lock.

use super::mutex::Mutex;

/// Prints the mutex.
pub fn debug(mutex: &Mutex<()>) -> String {
    format!("{mutex:?}")
}
