//! What `{:?}` prints of the lock of the first releases of smol.

use super::mutex::Mutex;

/// Prints the lock.
pub fn debug(mutex: &Mutex<()>) -> String {
    format!("{mutex:?}")
}
