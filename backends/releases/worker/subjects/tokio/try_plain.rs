//! The try of releases of tokio whose error has no text to display.

use harness::object::Message;

use super::mutex::{Guard, Mutex};

/// Takes the mutex if it is free.
pub fn try_acquire(mutex: &Mutex<()>) -> Result<Guard<'_>, Message> {
    mutex.try_lock().map_err(|error| Message::debug_of(&error))
}
