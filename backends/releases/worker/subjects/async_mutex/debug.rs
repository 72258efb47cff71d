//! What `{:?}` prints of a mutex of async-mutex.

use super::mutex::Mutex;

/// Prints the mutex.
pub fn debug(mutex: &Mutex<()>) -> String {
    format!("{mutex:?}")
}
