//! Ctrl-C, and the request of a system to end: the first one is noted, so that a command tells and keeps what it has found
//! before it ends; the second ends the program at once.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::failure::Failure;

/// The signal that came, or 0.
static CAME: OnceLock<Arc<AtomicUsize>> = OnceLock::new();

/// Begins to note the signals. To be called by a command that asks for them.
///
/// # Errors
///
/// [`Failure::Signals`], if the system does not let it.
pub(crate) fn note() -> Result<(), Failure> {
    let came = CAME.get_or_init(Arc::default);
    let register = || -> io::Result<()> {
        let again = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag not yet set.
            flag::register_conditional_shutdown(signal, exit_code(signal as usize).into(), Arc::clone(&again))?;
            flag::register(signal, Arc::clone(&again))?;
            flag::register_usize(signal, Arc::clone(came), signal as usize)?;
        }
        // A limit on the size of files is an error of the write then, and not the end of the program.
        #[cfg(unix)]
        flag::register(signal_hook::consts::SIGXFSZ, Arc::default())?;
        Ok(())
    };
    register().map_err(Failure::Signals)
}

/// Returns the exit code of a program that ends because of the signal that came, if one came.
pub(crate) fn came() -> Option<u8> {
    let signal = CAME.get().map_or(0, |came| came.load(Ordering::Relaxed));
    (signal != 0).then(|| exit_code(signal))
}

/// As a shell has it: 130 for Ctrl-C, 143 for the request to end.
fn exit_code(signal: usize) -> u8 {
    128 + (signal as u8 & 127)
}
