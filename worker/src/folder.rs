//! A worker's folder, `<cache-dir>/workers/<uuid>/`: its name is the worker's id, its lock says
//! that the worker lives, and its spool outlives the process.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use tracing::info;

use crate::{hex::hex, spool::Spool};

pub(crate) type WorkerId = [u8; 16];

pub(crate) struct Folder {
    path: PathBuf,
    pub(crate) worker_id: WorkerId,
    /// Held for as long as the process lives.
    lock: File,
}

impl Folder {
    /// Adopts the first folder that nobody holds and whose spool holds something, else makes a
    /// new one. Empty folders that nobody holds are removed.
    pub(crate) fn adopt_or_make(cache_dir: &Path) -> anyhow::Result<(Self, Spool)> {
        let workers = cache_dir.join("workers");
        let context = || format!("cannot keep a worker's folder in {}", workers.display());
        fs::create_dir_all(&workers).with_context(context)?;
        // Held while folders are looked at and made, so that none is taken for abandoned between
        // its creation and its lock.
        let gate = lock_file(&workers.join(".lock")).with_context(context)?;
        gate.lock().with_context(context)?;
        if let Some((folder, spool)) = Self::adopt(&workers).with_context(context)? {
            info!("adopted the spool of a former worker, outcomes waiting: {}", spool.len());
            return Ok((folder, spool));
        }
        Self::make(&workers).with_context(context)
    }

    fn adopt(workers: &Path) -> io::Result<Option<(Self, Spool)>> {
        let mut names: Vec<String> = fs::read_dir(workers)?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        names.sort();
        for name in names {
            let Some(worker_id) = parse_uuid(&name) else { continue };
            let path = workers.join(&name);
            let lock = lock_file(&path.join("lock"))?;
            if lock.try_lock().is_err() {
                continue;
            }
            let spool = Spool::open(&path.join("spool"))?;
            if spool.len() > 0 {
                return Ok(Some((Self { path, worker_id, lock }, spool)));
            }
            fs::remove_dir_all(&path)?;
        }
        Ok(None)
    }

    fn make(workers: &Path) -> io::Result<(Self, Spool)> {
        let mut worker_id = [0; 16];
        getrandom::fill(&mut worker_id).map_err(io::Error::other)?;
        // Version 4 (random), variant 1, as RFC 9562 says.
        worker_id[6] = worker_id[6] & 0x0f | 0x40;
        worker_id[8] = worker_id[8] & 0x3f | 0x80;
        let path = workers.join(format_uuid(&worker_id));
        fs::create_dir(&path)?;
        let lock = lock_file(&path.join("lock"))?;
        lock.lock()?;
        let spool = Spool::open(&path.join("spool"))?;
        File::open(workers)?.sync_all()?;
        Ok((Self { path, worker_id, lock }, spool))
    }

    /// Ends the folder's use: without outcomes in its spool it is removed.
    pub(crate) fn leave(self, n_outcomes: usize) {
        if n_outcomes == 0 {
            let _ = fs::remove_dir_all(&self.path);
        }
        drop(self.lock);
    }
}

fn lock_file(path: &Path) -> io::Result<File> {
    File::options().create(true).truncate(false).write(true).open(path)
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
    use super::*;
    use proto::Finished;

    fn names(cache: &Path) -> usize {
        let entries = fs::read_dir(cache.join("workers")).unwrap().flatten();
        entries.filter(|entry| parse_uuid(&entry.file_name().to_string_lossy()).is_some()).count()
    }

    #[test]
    fn a_folder_with_outcomes_is_adopted_once_and_an_empty_one_removed() {
        let cache = tempfile::tempdir().unwrap();
        let (first, mut spool) = Folder::adopt_or_make(cache.path()).unwrap();
        let (second, _) = Folder::adopt_or_make(cache.path()).unwrap();
        assert_ne!(first.worker_id, second.worker_id);
        spool.append([7; 16], vec![Finished::default()]).unwrap();
        let id = first.worker_id;
        drop((first, second));
        assert_eq!(names(cache.path()), 2);

        let (adopted, mut spool) = Folder::adopt_or_make(cache.path()).unwrap();
        let (fresh, _) = Folder::adopt_or_make(cache.path()).unwrap();
        assert_eq!(adopted.worker_id, id);
        assert_ne!(fresh.worker_id, id);
        assert_eq!(names(cache.path()), 2);

        spool.forget(&[7; 16]).unwrap();
        adopted.leave(spool.len());
        fresh.leave(0);
        assert_eq!(names(cache.path()), 0);
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
