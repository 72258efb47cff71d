//! Parents and children: a worker does not outlive the program that started it, however that ends.

use std::io;
use std::path::{Path, PathBuf};
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

/// Returns the path by which the running program can be started again, also after a build has put another in its place.
///
/// # Errors
///
/// If the system does not tell it.
pub fn own_program() -> io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    // What is started reads this link before it becomes another program, so it still means this one.
    let running = Path::new("/proc/self/exe");
    Ok(if path.is_file() || !running.exists() { path } else { running.to_owned() })
}

/// Returns a command that runs `program`; if there is a guard, which calls [`guard()`], the program ends with this
/// process, and everything with it that it has started. The command needs a process group of its own.
pub fn guarded(program: &Path, guard: Option<&Path>) -> Command {
    let Some(guard) = guard else { return Command::new(program) };
    let mut command = Command::new(guard);
    command.args(["guard", "--parent", &std::process::id().to_string(), "--"]).arg(program);
    command
}

/// How often a guard looks whether the parent still lives. It decides how long an orphan lives, and nothing else.
#[cfg(unix)]
const LOOK: std::time::Duration = std::time::Duration::from_millis(50);

/// Runs a worker with the standard streams of this process, ends as it ends, and ends it, with all that it has started,
/// if the process `parent` goes away.
///
/// # Errors
///
/// If it does not start. Otherwise this does not return.
#[cfg(unix)]
pub fn guard(program: &Path, arguments: &[String], parent: u32) -> io::Result<std::convert::Infallible> {
    use std::os::unix::process::{ExitStatusExt, parent_id};

    use rustix::process::{Signal, getpgrp, getpid, kill_process, kill_process_group};
    let mut child = Command::new(program).args(arguments).spawn()?;
    // The streams are the worker's alone: that it closes one must show.
    let nowhere = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&nowhere)?;
    rustix::stdio::dup2_stdout(&nowhere)?;
    rustix::stdio::dup2_stderr(&nowhere)?;
    std::thread::spawn(move || {
        let status = child.wait();
        if let Some(signal) = status.as_ref().ok().and_then(ExitStatusExt::signal).and_then(Signal::from_named_raw) {
            // More than once: the first SIGSEGV that is no fault only takes away Rust's own handler.
            for _ in 0..1_000 {
                let _ = kill_process(getpid(), signal);
                std::thread::sleep(LOOK / 50);
            }
        }
        std::process::exit(status.ok().and_then(|status| status.code()).unwrap_or(3));
    });
    while parent_id() == parent {
        std::thread::sleep(LOOK);
    }
    // This process is the first of its group, so this ends it too.
    let _ = kill_process_group(getpgrp(), Signal::KILL);
    std::process::exit(3);
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
