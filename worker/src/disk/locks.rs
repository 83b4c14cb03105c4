//! Locks between processes: a lock on a file is let go by the system when its holder ends, however
//! it ends, and it means the same in every container that sees the file.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{io, thread};

use rustix::io::Errno;

use crate::disk::files;

/// How often a lock is tried again whose file was removed or replaced meanwhile.
const MAX_TRIES: u32 = 100;

/// Between two tries of a lock that is waited for.
const TRY_AGAIN: Duration = Duration::from_millis(20);

/// Whether others may hold the lock too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Exclusive,
    Shared,
}

/// A lock that is held until this is dropped.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    file: File,
}

/// A child that was forked and does not run its program yet shares the open file, and with it a lock
/// that is only closed.
impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

impl Lock {
    /// Takes the lock of the file `path`, which is made if it is not there; `None` if it is held
    /// in a way that excludes this.
    ///
    /// # Errors
    ///
    /// The file cannot be made or locked, or is not a file.
    pub fn try_take(path: &Path, mode: Mode) -> io::Result<Option<Self>> {
        Self::try_take_of(path, mode, || {
            readable_at_least(path, files::open(path, writable().create(true)))
        })
    }

    /// As `try_take`, of a file that has to be there.
    ///
    /// # Errors
    ///
    /// As those of `try_take`.
    pub fn try_take_existing(path: &Path, mode: Mode) -> io::Result<Option<Self>> {
        Self::try_take_of(path, mode, || match mode {
            // On a network file system, an exclusive lock needs a file that can be written.
            Mode::Exclusive => files::open(path, &mut writable()),
            Mode::Shared => files::open(path, File::options().read(true)),
        })
    }

    fn try_take_of(
        path: &Path,
        mode: Mode,
        open: impl Fn() -> io::Result<File>,
    ) -> io::Result<Option<Self>> {
        for _ in 0..MAX_TRIES {
            let file = open()?;
            let taken = match mode {
                Mode::Exclusive => file.try_lock(),
                Mode::Shared => file.try_lock_shared(),
            };
            match taken {
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(refused(path, error)),
                Ok(()) if is_at(&file, path)? => {
                    return Ok(Some(Self { path: path.into(), file }));
                }
                // A lock on a file that is no longer there excludes nobody.
                Ok(()) => {}
            }
        }
        Err(files::naming(path, io::Error::other("it is removed and made again all the time")))
    }

    /// As `try_take`, but waits for this long at most.
    ///
    /// # Errors
    ///
    /// As those of `try_take`.
    pub fn take_within(path: &Path, mode: Mode, patience: Duration) -> io::Result<Option<Self>> {
        let started = Instant::now();
        loop {
            let lock = Self::try_take(path, mode)?;
            if lock.is_some() || started.elapsed() > patience {
                return Ok(lock);
            }
            thread::sleep(TRY_AGAIN);
        }
    }

    /// Whether somebody excludes others from the lock at `path`. Looks only, and makes nothing; for
    /// that instant it may itself be in the way of one who tries to take it.
    pub fn is_held(path: &Path) -> bool {
        let Ok(file) = files::open(path, File::options().read(true)) else { return false };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }

    /// Whether what is locked still lies at its path.
    pub fn is_in_place(&self) -> bool {
        is_at(&self.file, &self.path).unwrap_or(false)
    }

    /// Lets the lock go and takes its file away. Only for a lock that excludes others.
    pub fn remove(self) -> io::Result<()> {
        files::remove(&self.path)
    }
}

/// Whether the error of a lock says that the file system has none: then nobody else can hold the
/// lock either.
pub fn has_no_locks(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported
}

/// The error of a lock. NFS without a lock service, FUSE and others say that they have no locks
/// with different numbers.
fn refused(path: &Path, error: io::Error) -> io::Error {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOLCK | Errno::NOSYS | Errno::OPNOTSUPP) => {
            let text = format!("{}: the file system has no locks ({error})", path.display());
            io::Error::new(io::ErrorKind::Unsupported, text)
        }
        _ => files::naming(path, error),
    }
}

/// What was opened for writing, or else for reading: another user's file can be locked all the same.
/// Where there is no file either, the cause is that it may not be made.
fn readable_at_least(path: &Path, opened: io::Result<File>) -> io::Result<File> {
    match opened {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            files::open(path, File::options().read(true)).or(Err(error))
        }
        opened => opened,
    }
}

fn writable() -> OpenOptions {
    let mut options = File::options();
    options.read(true).write(true).truncate(false);
    options
}

/// Whether the open file is the one that the path leads to.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let of = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    match fs::metadata(path) {
        Ok(there) => Ok(of(there) == of(file.metadata()?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(files::naming(path, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_excludes_others_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let take = |mode| Lock::try_take(&path, mode).unwrap();
        assert!(Lock::try_take_existing(&path, Mode::Shared).is_err(), "it is not there");
        let one = take(Mode::Exclusive).unwrap();
        assert!(take(Mode::Exclusive).is_none() && take(Mode::Shared).is_none());
        assert!(Lock::is_held(&path));
        let waited = Lock::take_within(&path, Mode::Exclusive, Duration::from_millis(30));
        assert!(waited.unwrap().is_none());
        drop(one);
        assert!(!Lock::is_held(&path));
        let readers = (take(Mode::Shared).unwrap(), take(Mode::Shared).unwrap());
        assert!(take(Mode::Exclusive).is_none());
        drop(readers);
        take(Mode::Exclusive).unwrap().remove().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn every_way_to_say_that_there_are_no_locks_is_known() {
        let refused = |errno: Errno| refused(Path::new("/far/lock"), errno.into());
        for errno in [Errno::NOLCK, Errno::NOSYS, Errno::OPNOTSUPP] {
            let error = refused(errno);
            assert!(has_no_locks(&error), "{error}");
            assert!(error.to_string().starts_with("/far/lock: the file system has no locks"));
        }
        for errno in [Errno::IO, Errno::ACCESS, Errno::ROFS, Errno::STALE] {
            assert!(!has_no_locks(&refused(errno)), "{errno}");
        }
    }

    #[test]
    fn the_cause_is_that_a_lock_may_not_be_made_and_not_that_it_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let open = || {
            let refused = files::naming(&path, io::ErrorKind::PermissionDenied.into());
            readable_at_least(&path, Err(refused))
        };
        let error = open().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        fs::write(&path, "another user's").unwrap();
        assert!(open().is_ok());
    }

    #[test]
    fn a_file_that_was_renamed_away_locks_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (path, away) = (folder.path().join("lock"), folder.path().join("away"));
        let before = Lock::try_take(&path, Mode::Exclusive).unwrap().unwrap();
        fs::rename(&path, &away).unwrap();
        let after = Lock::try_take(&path, Mode::Exclusive).unwrap().unwrap();
        assert!(!before.is_in_place() && after.is_in_place());
        // The process opened the file just before it was taken away.
        let stale = File::options().write(true).open(&away).unwrap();
        drop(before);
        let taken = Lock::try_take_of(&path, Mode::Exclusive, || stale.try_clone());
        assert!(taken.unwrap_err().to_string().contains("made again"));
    }
}
