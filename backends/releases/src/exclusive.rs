//! Work that only one process may do at a time: a file lock beside what it makes.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::process::Stdio;

use crate::error::{ReleaseError, at};

/// Held while something is made. Dropping it lets the next process in.
#[derive(Debug)]
pub struct Exclusive {
    file: File,
}

impl Exclusive {
    /// Waits until no other process makes `what`, which is kept at `path`. The lock is the file beside it that ends in
    /// `.lock`; the operating system frees it when a process ends, however it ends.
    ///
    /// # Errors
    ///
    /// [`ReleaseError::File`], if the file cannot be made or locked.
    pub fn wait(path: &Path, what: &str, say: &dyn Fn(&str)) -> Result<Self, ReleaseError> {
        let file = path.with_file_name(match path.file_name() {
            Some(name) => format!("{}.lock", name.to_string_lossy()),
            None => ".lock".to_owned(),
        });
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).map_err(at(folder))?;
        }
        // Readable, for whoever gets it as its standard input finds it empty.
        let opened =
            File::options().create(true).truncate(false).read(true).write(true).open(&file).map_err(at(&file))?;
        match opened.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                say(&format!("waiting for {what}, which is being made already"));
                opened.lock().map_err(at(&file))?;
            }
            Err(TryLockError::Error(source)) => return Err(ReleaseError::File { path: file, source }),
        }
        Ok(Self { file: opened })
    }

    /// Returns a share in it, for the standard input of a program that takes part in the work. It is held until all shares
    /// are gone.
    pub(crate) fn share(&self) -> std::io::Result<Stdio> {
        Ok(self.file.try_clone()?.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn nobody_is_let_in_while_a_program_that_takes_part_still_runs() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let first = Exclusive::wait(&folder.path().join("it"), "it", &|_| {}).expect("nobody holds it");
        let share = first.share().expect("it can be shared");
        let mut builder = std::process::Command::new("sleep").arg("1000").stdin(share).spawn().expect("it starts");
        drop(first);
        let lock = || File::open(folder.path().join("it.lock")).expect("it is there").try_lock();
        assert!(matches!(lock(), Err(TryLockError::WouldBlock)));
        builder.kill().expect("it can be killed");
        builder.wait().expect("it ends");
        assert!(lock().is_ok());
    }

    #[test]
    fn the_next_is_let_in_when_the_one_before_is_done() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = folder.path().join("workers").join("tokio-1.40.0");
        let first = Exclusive::wait(&path, "it", &|_| {}).expect("nobody holds it");
        let (told, hears) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let path = &path;
            scope.spawn(move || {
                let say = |text: &str| told.send(text.to_owned()).expect("the test listens");
                Exclusive::wait(path, "it", &say).expect("it is let in in the end");
                say("in");
            });
            assert_eq!(hears.recv().as_deref(), Ok("waiting for it, which is being made already"));
            drop(first);
            assert_eq!(hears.recv().as_deref(), Ok("in"));
        });
    }
}
