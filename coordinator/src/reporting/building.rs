//! The folder that a report is built in, beside the files that it will replace. One process builds
//! at a time, which a lock tells: a process id would mean another process in another container.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use tracing::warn;
use worker::duration::rounded;
use worker::locks::{Lock, Mode, has_no_locks};

const PREFIX: &str = ".building-";
const LOCK: &str = ".building-lock";

/// Another process that builds is waited for this long before a word is said, then told of again
/// after each `TELL_EVERY`, and given up after `PATIENCE`.
const WAIT_UNTOLD: Duration = Duration::from_secs(2);
const TELL_EVERY: Duration = Duration::from_secs(60);
pub(crate) const PATIENCE: Duration = Duration::from_secs(10 * 60);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// An empty folder to build in; it goes when this is dropped.
pub(crate) struct Building {
    path: PathBuf,
    /// `None` where the file system has no locks.
    lock: Option<Lock>,
}

impl Building {
    /// Begins a build of the report folder `out`, once no other process does, and removes what
    /// builds have left that were killed.
    pub(crate) fn begin(out: &Path) -> io::Result<Self> {
        let path = out.join(LOCK);
        let lock = wait_for(&path, || Lock::try_take(&path, Mode::Exclusive))?;
        if lock.is_some() {
            clear_abandoned(out)?;
        }
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let path = out.join(format!("{PREFIX}{:016x}", u64::from_le_bytes(random)));
        fs::create_dir(&path)?;
        Ok(Self { path, lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Building {
    fn drop(&mut self) {
        // What stays is removed by the next build.
        let _ = fs::remove_dir_all(&self.path);
        if let Some(lock) = self.lock.take() {
            let _ = lock.remove();
        }
    }
}

/// The lock at `path`, once `take` gives it; `None` where the file system has no locks.
fn wait_for(path: &Path, take: impl Fn() -> io::Result<Option<Lock>>) -> io::Result<Option<Lock>> {
    let (began, mut tell_after) = (Instant::now(), WAIT_UNTOLD);
    loop {
        match take() {
            Ok(None) => {}
            Err(error) if has_no_locks(&error) => return Ok(None),
            taken => return taken,
        }
        let waited = began.elapsed();
        if waited >= PATIENCE {
            let text = format!(
                "another process has been building this report for {} (it holds {}); end it, or try again later",
                rounded(waited),
                path.display()
            );
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, text));
        }
        if waited >= tell_after {
            tell_after += TELL_EVERY;
            let folder = path.parent().unwrap_or(path).display();
            warn!(
                "waiting for {} until another process has built the report in {folder}",
                rounded(waited)
            );
        }
        thread::sleep(LOOK_AGAIN);
    }
}

fn clear_abandoned(out: &Path) -> io::Result<()> {
    for entry in fs::read_dir(out)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_abandoned = name.as_encoded_bytes().starts_with(PREFIX.as_bytes()) && name != LOCK;
        if is_abandoned && entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_build_left_goes_whatever_process_has_its_number_now() {
        let out = tempfile::tempdir().unwrap();
        // As a former build named it after a process that lives.
        let left = out.path().join(format!("{PREFIX}{}", std::process::id()));
        fs::create_dir(&left).unwrap();
        fs::write(left.join("report.md"), "half").unwrap();
        let building = Building::begin(out.path()).unwrap();
        assert!(!left.exists() && building.path().is_dir());
        drop(building);
        assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_build_waits_for_the_one_before() {
        let out = tempfile::tempdir().unwrap();
        let first = Building::begin(out.path()).unwrap();
        fs::write(first.path().join("report.md"), "half").unwrap();
        let kept = first.path().to_path_buf();
        thread::scope(|scope| {
            let second =
                scope.spawn(|| Building::begin(out.path()).map(|it| it.path().to_path_buf()));
            thread::sleep(10 * LOOK_AGAIN);
            assert!(!second.is_finished() && kept.join("report.md").exists());
            drop(first);
            assert_ne!(second.join().unwrap().unwrap(), kept);
        });
    }

    #[test]
    fn a_folder_without_locks_is_built_in_all_the_same() {
        let kind = io::ErrorKind::Unsupported;
        let lock = wait_for(Path::new("lock"), || Err(io::Error::new(kind, "no locks")));
        assert!(lock.unwrap().is_none());
        let refused = wait_for(Path::new("lock"), || Err(io::Error::other("broken")));
        assert!(refused.is_err(), "any other error is told");
    }
}
