//! Parents and children: a worker does not outlive the program that started it, however that ends.

use std::io;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::mpsc::{Sender, channel};
use std::sync::{LazyLock, Mutex, PoisonError};

/// Ends this process when its parent is gone. A worker that hangs in a lock does not read on, so it would never see its
/// stdin close, and live on for ever.
#[cfg(target_os = "linux")]
pub fn end_with_parent() {
    use rustix::process::{Signal, getppid, set_parent_process_death_signal};
    let parent = getppid();
    // It cannot fail for a signal that exists, and without it a worker merely lives on.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    if getppid() != parent {
        std::process::exit(3);
    }
}

/// Elsewhere a worker ends when it next reads its stdin.
#[cfg(not(target_os = "linux"))]
pub fn end_with_parent() {}

/// Becomes `program`, which ends with the parent of this process. Returns only if that fails.
#[cfg(unix)]
pub fn guard(program: &Path, arguments: &[String]) -> io::Error {
    end_with_parent();
    std::os::unix::process::CommandExt::exec(Command::new(program).args(arguments))
}

type Order = (Command, Sender<io::Result<Child>>);

/// Starts a child on a thread that lives as long as the process: the system ends a child with the *thread* that started
/// it.
pub(super) fn spawn(command: Command) -> io::Result<Child> {
    static SPAWNER: LazyLock<Mutex<Sender<Order>>> = LazyLock::new(|| {
        let (orders, inbox) = channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in inbox {
                // Who asked waits for the answer.
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(orders)
    });
    let (answer, result) = channel();
    let sent = SPAWNER.lock().unwrap_or_else(PoisonError::into_inner).send((command, answer));
    sent.map_err(io::Error::other)?;
    result.recv().map_err(io::Error::other)?
}
