//! The pipes to and from a worker: written and read together, so that neither side can block the other for ever.

use std::io::{self, Read, Write};
use std::process::{ChildStderr, ChildStdin, ChildStdout};

use crate::protocol::LINE_MAX;

/// How much of a worker's stderr is kept, in bytes.
const STDERR_MAX: usize = 4 * 1024;

/// The pipes of a worker.
///
/// They are read on the thread that asks, so that nothing the worker has said can lie unread when the watchdog looks.
#[derive(Debug)]
pub(super) struct Channel {
    stdin: Option<ChildStdin>,
    unsent: Vec<u8>,
    stdout: ChildStdout,
    unread: Vec<u8>,
    /// How much of `unread` holds no end of a line.
    searched: usize,
    stderr: Option<ChildStderr>,
    stderr_tail: Vec<u8>,
}

/// What a worker says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// A line, without its end.
    Line(Vec<u8>),
    /// Nothing within the moment that was waited.
    Nothing,
    /// It has closed its end, and these bytes before that were no whole line.
    NoMore(Vec<u8>),
    /// More than the longest line without an end of a line.
    TooLong,
}

impl Channel {
    /// Returns the channel to a child whose three pipes these are.
    pub(super) fn new(stdin: ChildStdin, stdout: ChildStdout, stderr: ChildStderr) -> io::Result<Self> {
        wait::set_nonblocking(&stdin)?;
        wait::set_nonblocking(&stdout)?;
        wait::set_nonblocking(&stderr)?;
        Ok(Self {
            stdin: Some(stdin),
            unsent: Vec::new(),
            stdout,
            unread: Vec::new(),
            searched: 0,
            stderr: Some(stderr),
            stderr_tail: Vec::new(),
        })
    }

    /// Takes a line to be sent. It is sent while answers are awaited.
    pub(super) fn send(&mut self, line: &[u8]) {
        self.unsent.extend_from_slice(line);
        self.unsent.push(b'\n');
        self.write();
    }

    /// Returns the next line, waiting for `moment_ms` milliseconds at most.
    pub(super) fn next(&mut self, moment_ms: u16) -> Said {
        loop {
            if let Some(line) = self.line() {
                return Said::Line(line);
            }
            if self.unread.len() > LINE_MAX {
                return Said::TooLong;
            }
            let outgoing = self.stdin.as_ref().filter(|_| !self.unsent.is_empty());
            match wait::for_any(&self.stdout, self.stderr.as_ref(), outgoing, moment_ms) {
                Ok(true) => {}
                Ok(false) => return Said::Nothing,
                Err(_) => return self.ended(),
            }
            self.write();
            self.read_stderr();
            let mut chunk = [0; 16 * 1024];
            match self.stdout.read(&mut chunk) {
                Ok(0) => return self.ended(),
                Ok(count) => self.unread.extend_from_slice(&chunk[..count]),
                Err(error) if is_passing(&error) => {}
                Err(_) => return self.ended(),
            }
        }
    }

    /// Closes the worker's stdin.
    pub(super) fn close(&mut self) {
        self.stdin = None;
    }

    /// Returns whether everything it has said has been read, as far as can be seen without waiting.
    pub(super) fn is_quiet(&mut self) -> bool {
        self.next(0) == Said::Nothing && self.unread.is_empty()
    }

    /// Returns the end of what the worker has written to stderr, from the beginning of a line.
    pub(super) fn stderr_tail(&mut self) -> String {
        self.read_stderr();
        let text = String::from_utf8_lossy(&self.stderr_tail);
        let whole =
            if self.stderr_tail.len() < STDERR_MAX { &text } else { text.split_once('\n').map_or(&*text, |it| it.1) };
        whole.trim_end().to_owned()
    }

    fn line(&mut self) -> Option<Vec<u8>> {
        match self.unread[self.searched..].iter().position(|byte| *byte == b'\n') {
            Some(place) => {
                let end = self.searched + place;
                let mut line: Vec<u8> = self.unread.drain(..=end).collect();
                line.truncate(end);
                self.searched = 0;
                Some(line)
            }
            None => {
                self.searched = self.unread.len();
                None
            }
        }
    }

    fn ended(&mut self) -> Said {
        self.read_stderr();
        self.searched = 0;
        Said::NoMore(std::mem::take(&mut self.unread))
    }

    /// Sends what the pipe takes. What a worker does not read shows in its answers.
    fn write(&mut self) {
        while let Some(stdin) = self.stdin.as_mut().filter(|_| !self.unsent.is_empty()) {
            match stdin.write(&self.unsent) {
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if is_passing(&error) => return,
                Err(_) => {
                    self.stdin = None;
                    self.unsent.clear();
                }
            }
        }
    }

    fn read_stderr(&mut self) {
        let mut chunk = [0; 16 * 1024];
        // Bounded, so that a worker which floods its stderr cannot keep its parent here.
        for _ in 0..64 {
            let Some(stderr) = &mut self.stderr else { return };
            match stderr.read(&mut chunk) {
                Ok(0) => self.stderr = None,
                Ok(count) => {
                    self.stderr_tail.extend_from_slice(&chunk[..count]);
                    let excess = self.stderr_tail.len().saturating_sub(STDERR_MAX);
                    self.stderr_tail.drain(..excess);
                }
                Err(error) if is_passing(&error) => return,
                Err(_) => self.stderr = None,
            }
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

#[cfg(unix)]
mod wait {
    use std::io;
    use std::os::fd::AsFd;
    use std::process::{ChildStderr, ChildStdin, ChildStdout};

    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    pub(super) fn set_nonblocking(pipe: &impl AsFd) -> io::Result<()> {
        Ok(rustix::io::ioctl_fionbio(pipe, true)?)
    }

    /// Waits until one of the pipes can be used without blocking, or for `moment_ms` milliseconds.
    pub(super) fn for_any(
        stdout: &ChildStdout,
        stderr: Option<&ChildStderr>,
        stdin: Option<&ChildStdin>,
        moment_ms: u16,
    ) -> io::Result<bool> {
        let moment = Timespec { tv_sec: 0, tv_nsec: i64::from(moment_ms) * 1_000_000 };
        let mut pipes = vec![PollFd::new(stdout, PollFlags::IN)];
        pipes.extend(stderr.map(|stderr| PollFd::new(stderr, PollFlags::IN)));
        pipes.extend(stdin.map(|stdin| PollFd::new(stdin, PollFlags::OUT)));
        match poll(&mut pipes, Some(&moment)) {
            Ok(count) => Ok(count > 0),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Elsewhere nobody could tell a hang from a pause, so reading may as well wait.
#[cfg(not(unix))]
mod wait {
    use std::io;
    use std::process::{ChildStderr, ChildStdin, ChildStdout};

    pub(super) fn set_nonblocking<T>(_pipe: &T) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn for_any(
        _stdout: &ChildStdout,
        _stderr: Option<&ChildStderr>,
        _stdin: Option<&ChildStdin>,
        _moment_ms: u16,
    ) -> io::Result<bool> {
        Ok(true)
    }
}
