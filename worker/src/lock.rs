//! A lock: a file or a folder that one process holds at a time. The kernel frees it however that
//! process ends, so that neither process ids nor ages have to be believed.

use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// Between two tries of [`Lock::take_within`].
const TRY_AGAIN: Duration = Duration::from_millis(20);

/// Held for as long as this value lives.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    file: File,
}

impl Lock {
    /// Takes the lock at `path`, a folder that is there or a file that is made if need be; `None`
    /// if somebody holds it.
    pub fn try_take(path: &Path) -> io::Result<Option<Self>> {
        loop {
            let lock = Self::open(path)?;
            match lock.file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // What was opened may have been renamed away before it was locked; then the lock that
            // everybody else meets is another one.
            if lock.is_in_place() {
                return Ok(Some(lock));
            }
        }
    }

    /// As [`Lock::try_take`], but waits.
    pub fn take(path: &Path) -> io::Result<Self> {
        loop {
            let lock = Self::open(path)?;
            lock.file.lock()?;
            if lock.is_in_place() {
                return Ok(lock);
            }
        }
    }

    /// As [`Lock::try_take`], but waits for so long at most.
    pub fn take_within(path: &Path, patience: Duration) -> io::Result<Option<Self>> {
        let started = Instant::now();
        loop {
            let lock = Self::try_take(path)?;
            if lock.is_some() || patience < started.elapsed() {
                return Ok(lock);
            }
            thread::sleep(TRY_AGAIN);
        }
    }

    /// Whether somebody holds the lock at `path`. Looks only, and makes nothing; for that instant
    /// it may itself be in the way of one who tries to take it.
    pub fn is_held(path: &Path) -> bool {
        let Ok(file) = File::open(path) else { return false };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }

    /// Whether what is locked still lies at its path, under its name.
    pub fn is_in_place(&self) -> bool {
        let (Ok(held), Ok(there)) = (self.file.metadata(), fs::metadata(&self.path)) else {
            return false;
        };
        (held.dev(), held.ino()) == (there.dev(), there.ino())
    }

    fn open(path: &Path) -> io::Result<Self> {
        let file = match path.is_dir() {
            true => File::open(path)?,
            false => File::options().create(true).truncate(false).write(true).open(path)?,
        };
        Ok(Self { path: path.into(), file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_holds_a_file_or_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().join("lock"), folder.path().to_path_buf()] {
            let first = Lock::try_take(&path).unwrap().expect("it is free");
            assert!(Lock::is_held(&path));
            assert!(Lock::try_take(&path).unwrap().is_none());
            assert!(Lock::take_within(&path, Duration::from_millis(30)).unwrap().is_none());
            drop(first);
            assert!(!Lock::is_held(&path));
            drop(Lock::take(&path).unwrap());
        }
    }

    #[test]
    fn who_waits_for_a_lock_that_is_renamed_away_gets_the_one_in_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = Lock::try_take(&path).unwrap().expect("it is free");
        thread::scope(|scope| {
            let waiting = scope.spawn(|| Lock::take(&path).unwrap());
            // Long enough that the other one has opened the file most of the time; the answer is
            // the same if it has not.
            thread::sleep(Duration::from_millis(100));
            fs::rename(&path, folder.path().join("aside")).unwrap();
            assert!(!first.is_in_place());
            drop(first);
            let taken = waiting.join().unwrap();
            assert!(taken.is_in_place());
            assert!(Lock::is_held(&path), "nobody else gets it");
        });
    }
}
