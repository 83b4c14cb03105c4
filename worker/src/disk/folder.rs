//! A worker's folder, `<cache-dir>/workers/<uuid>/`: its name is the worker's id, its lock says
//! that the worker lives, and its spool outlives the process.

use std::path::{Path, PathBuf};
use std::{fs, io};

use anyhow::Context as _;
use tracing::{info, warn};
use trial::hex::hex;

use crate::disk::files;
use crate::disk::locks::{Lock, Mode, has_no_locks};
use crate::disk::spool::Spool;
use crate::disk::upkeep::Upkeep;

pub(crate) type WorkerId = [u8; 16];

/// A folder just made is taken for abandoned by a worker that looks before it is locked.
const MAX_TRIES: u32 = 10;

pub(crate) struct Folder {
    path: PathBuf,
    pub(crate) worker_id: WorkerId,
    /// Held for as long as the process lives; `None` where the file system has no locks.
    lock: Option<Lock>,
}

impl Folder {
    /// Adopts the first folder that nobody holds and whose spool holds something, else makes a
    /// new one. Empty folders that nobody holds are removed.
    pub(crate) fn adopt_or_make(upkeep: &Upkeep) -> anyhow::Result<(Self, Spool)> {
        let workers = upkeep.cache_dir().join("workers");
        let context = || {
            format!(
                "cannot keep a worker's folder in {}; another cache folder is named with --cache-dir",
                workers.display()
            )
        };
        files::make_folder(&workers).with_context(context)?;
        if let Some((folder, spool)) = Self::adopt(&workers, upkeep).with_context(context)? {
            info!("adopted the spool of a former worker, outcomes waiting: {}", spool.len());
            return Ok((folder, spool));
        }
        let mut made = Self::make(&workers, upkeep);
        for _ in 1..MAX_TRIES {
            if matches!(made, Ok(Some(_))) {
                break;
            }
            made = Self::make(&workers, upkeep);
        }
        let made = made.and_then(|made| made.ok_or_else(|| io::Error::other("others remove it")));
        made.with_context(context)
    }

    /// A folder that cannot be used is left alone and named: it may be another user's.
    fn adopt(workers: &Path, upkeep: &Upkeep) -> io::Result<Option<(Self, Spool)>> {
        let entries = fs::read_dir(workers)?.flatten();
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        for name in names {
            let Some(worker_id) = parse_uuid(&name) else { continue };
            let path = workers.join(&name);
            match Self::try_adopt(&path, worker_id, upkeep) {
                Ok(None) => {}
                Ok(adopted) => return Ok(adopted),
                // Another worker has removed it meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    warn!("left alone: the former worker's folder {}: {error}", path.display())
                }
            }
        }
        Ok(None)
    }

    fn try_adopt(
        path: &Path,
        worker_id: WorkerId,
        upkeep: &Upkeep,
    ) -> io::Result<Option<(Self, Spool)>> {
        let Some(lock) = Lock::try_take(&path.join("lock"), Mode::Exclusive)? else {
            return Ok(None);
        };
        let spool = Spool::open(&path.join("spool"), upkeep)?;
        if spool.len() > 0 {
            return Ok(Some((Self { path: path.into(), worker_id, lock: Some(lock) }, spool)));
        }
        fs::remove_dir_all(path)?;
        Ok(None)
    }

    /// `None` if another worker took the folder for abandoned.
    fn make(workers: &Path, upkeep: &Upkeep) -> io::Result<Option<(Self, Spool)>> {
        let mut worker_id = [0; 16];
        getrandom::fill(&mut worker_id).map_err(io::Error::other)?;
        // Version 4 (random), variant 1, as RFC 9562 says.
        worker_id[6] = worker_id[6] & 0x0f | 0x40;
        worker_id[8] = worker_id[8] & 0x3f | 0x80;
        let path = workers.join(format_uuid(&worker_id));
        files::make_folder(&path)?;
        let lock = match Lock::try_take(&path.join("lock"), Mode::Exclusive) {
            Ok(None) => return Ok(None),
            // Nobody who looks can take the folder for abandoned either.
            Err(error) if has_no_locks(&error) => {
                warn!(
                    "{error}: outcomes that this worker leaves behind are not handed in by another; another cache folder is named with --cache-dir"
                );
                None
            }
            lock => lock?,
        };
        let spool = Spool::open(&path.join("spool"), upkeep)?;
        Ok(Some((Self { path, worker_id, lock }, spool)))
    }

    /// Ends the folder's use: without outcomes in its spool it is removed.
    pub(crate) fn leave(self, n_outcomes: usize) {
        if n_outcomes == 0 {
            let _ = fs::remove_dir_all(&self.path);
        }
        drop(self.lock);
    }
}

fn format_uuid(id: &WorkerId) -> String {
    let digits = hex(id);
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

fn parse_uuid(name: &str) -> Option<WorkerId> {
    let digits = name.replace('-', "");
    if digits.len() != 32 || !digits.is_ascii() {
        return None;
    }
    let number = u128::from_str_radix(&digits, 16).ok()?;
    let id = number.to_be_bytes();
    (format_uuid(&id) == name).then_some(id)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use proto::{Finished, Lease};

    use super::*;
    use crate::disk::upkeep::DiskLimits;

    fn adopt_or_make(cache: &Path) -> anyhow::Result<(Folder, Spool)> {
        Folder::adopt_or_make(&Upkeep::new(cache, DiskLimits::default()))
    }

    fn names(cache: &Path) -> usize {
        let entries = fs::read_dir(cache.join("workers")).unwrap().flatten();
        entries.filter(|entry| parse_uuid(&entry.file_name().to_string_lossy()).is_some()).count()
    }

    #[test]
    fn a_folder_with_outcomes_is_adopted_once_and_an_empty_one_removed() {
        let cache = tempfile::tempdir().unwrap();
        let (first, mut spool) = adopt_or_make(cache.path()).unwrap();
        let (second, _) = adopt_or_make(cache.path()).unwrap();
        assert_ne!(first.worker_id, second.worker_id);
        let lease = Lease { attempt: 1, ..Lease::default() };
        let outcome = Finished { lease: Some(lease.clone()), ..Finished::default() };
        spool.append([7; 16], vec![outcome]).unwrap();
        let id = first.worker_id;
        drop((first, second));
        assert_eq!(names(cache.path()), 2);

        let (adopted, mut spool) = adopt_or_make(cache.path()).unwrap();
        let (fresh, _) = adopt_or_make(cache.path()).unwrap();
        assert_eq!(adopted.worker_id, id);
        assert_ne!(fresh.worker_id, id);
        assert_eq!(names(cache.path()), 2);

        spool.acknowledged(&[7; 16], &[lease]);
        adopted.leave(spool.len());
        fresh.leave(0);
        assert_eq!(names(cache.path()), 0);
    }

    /// Whatever lies where a former worker's folder might, a worker starts and leaves it alone.
    #[test]
    fn an_odd_entry_stops_nobody() {
        let cache = tempfile::tempdir().unwrap();
        let workers = cache.path().join("workers");
        fs::create_dir(&workers).unwrap();
        let odd = |n: u8| workers.join(format_uuid(&[n; 16]));
        fs::write(odd(1), "a file").unwrap();
        symlink(odd(2), odd(2)).unwrap();
        symlink("/nowhere", odd(3)).unwrap();
        fs::create_dir_all(odd(4).join("lock")).unwrap();
        fs::create_dir_all(odd(5).join("spool")).unwrap();
        fs::create_dir(odd(6)).unwrap();
        fs::create_dir(odd(7)).unwrap();
        for pipe in [odd(6).join("lock"), odd(7).join("spool")] {
            assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
        }
        fs::create_dir(odd(8)).unwrap();
        symlink("/dev/zero", odd(8).join("spool")).unwrap();
        fs::create_dir(odd(9)).unwrap();
        File::create(odd(9).join("spool")).unwrap().set_len(1 << 40).unwrap();
        fs::create_dir(workers.join(std::ffi::OsStr::from_bytes(b"\xff\xfe"))).unwrap();
        let (kept, mut spool) = adopt_or_make(cache.path()).unwrap();
        spool.append([7; 16], vec![Finished::default()]).unwrap();
        assert!((1..=9).all(|n| odd(n).symlink_metadata().is_ok()));
        let id = kept.worker_id;
        drop((kept, spool));
        let (adopted, spool) = adopt_or_make(cache.path()).unwrap();
        assert_eq!((adopted.worker_id, spool.len()), (id, 1), "nor does it hide a good one");
    }

    #[test]
    fn workers_that_start_at_once_have_folders_of_their_own() {
        let cache = tempfile::tempdir().unwrap();
        let start = || adopt_or_make(cache.path()).unwrap();
        let folders: Vec<(Folder, Spool)> = std::thread::scope(|scope| {
            let started: Vec<_> = (0..16).map(|_| scope.spawn(start)).collect();
            started.into_iter().map(|it| it.join().unwrap()).collect()
        });
        let ids: std::collections::BTreeSet<_> = folders.iter().map(|it| it.0.worker_id).collect();
        assert_eq!((ids.len(), names(cache.path())), (16, 16));
    }

    #[test]
    fn uuids_are_read_as_they_are_written() {
        let id: WorkerId = std::array::from_fn(|index| index as u8);
        assert_eq!(format_uuid(&id), "00010203-0405-0607-0809-0a0b0c0d0e0f");
        assert_eq!(parse_uuid(&format_uuid(&id)), Some(id));
        for wrong in ["", ".lock", "0001020304050607-0809-0a0b0c0d0e0f", "g"] {
            assert_eq!(parse_uuid(wrong), None);
        }
    }
}
