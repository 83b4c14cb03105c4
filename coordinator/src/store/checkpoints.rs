//! Published checkpoints: `<state>/checkpoints/<trial id>/<epoch>-<sha256>`, each whole or not
//! there; a `.part` is on its way. Losing one costs time and nothing else. Which of them are kept is
//! the core's decision.

mod receiving;
pub use self::receiving::Receiving;
use std::collections::BTreeMap;
use std::fs::{self, DirEntry, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use coordinator_core::lease::TrialIndex;
use coordinator_core::ledger::checkpoints::Checkpoint;
use sha2::{Digest as _, Sha256};
use trial::{Digest, TrialId};
use worker::parts::{make_folder, n_free};

/// Checkpoints of trials that no plan names any more go once others are younger by this.
const KEPT_FOR: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// What a checkpoint leaves free on the disk: results need it more.
const RESERVE_BYTES: u64 = 64 * 1024 * 1024;

const PART: &str = "part";

#[derive(Debug)]
pub struct CheckpointFiles {
    folder: PathBuf,
    /// Trials that may have a folder here.
    trials: Mutex<BTreeMap<TrialIndex, TrialId>>,
    /// Trials for which a checkpoint is being received, with the bytes that are still to come.
    receiving: Mutex<BTreeMap<TrialIndex, u64>>,
    /// How often all parts were removed to make room.
    n_cleared: AtomicU64,
    /// Bytes that are free on the disk of a folder; `None` where nobody can tell.
    n_free: fn(&Path) -> Option<u64>,
}

impl CheckpointFiles {
    /// Opens or creates the folder; what former runs left unfinished is removed.
    pub fn open(state: &Path) -> io::Result<Self> {
        let folder = state.join("checkpoints");
        make_folder(&folder)?;
        let modified = |entry: &DirEntry| entry.metadata().ok()?.modified().ok();
        // Ages are compared with the latest of them: today's clock may have been set wrong.
        let latest = fs::read_dir(&folder)?.flatten().filter_map(|entry| modified(&entry)).max();
        for entry in fs::read_dir(&folder)?.flatten() {
            let age = latest.zip(modified(&entry));
            let age = age.and_then(|(latest, time)| latest.duration_since(time).ok());
            if trial_id(&entry.path()).is_none() || age.is_some_and(|age| age > KEPT_FOR) {
                remove(&entry.path())?;
                continue;
            }
            for file in files_in(&entry.path())? {
                if parse(&file).is_none() {
                    remove(&file)?;
                }
            }
        }
        let (trials, receiving) = (Mutex::default(), Mutex::default());
        Ok(Self { folder, trials, receiving, n_cleared: AtomicU64::new(0), n_free })
    }

    /// What former runs have published of the trials that `place` knows.
    pub fn found(
        &self,
        place: impl Fn(TrialId) -> Option<TrialIndex>,
    ) -> io::Result<Vec<(TrialIndex, Checkpoint)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.folder)?.flatten() {
            let Some(id) = trial_id(&entry.path()) else { continue };
            let Some(trial) = place(id) else { continue };
            lock(&self.trials).insert(trial, id);
            let files = files_in(&entry.path())?;
            found.extend(files.iter().filter_map(|file| Some((trial, parse(file)?))));
        }
        Ok(found)
    }

    /// Sees whether this many bytes fit beside those that are still to come for other trials.
    fn reserve(&self, trial: TrialIndex, n_bytes: u64) -> io::Result<()> {
        let mut receiving = lock(&self.receiving);
        receiving.insert(trial, n_bytes);
        self.check_room(receiving.values().fold(0, |sum, it| sum.saturating_add(*it)))
    }

    /// Fails with the disk's own error before the disk is full; where nobody can tell, writing does.
    fn check_room(&self, n_bytes: u64) -> io::Result<()> {
        let Some(n_free) = (self.n_free)(&self.folder) else { return Ok(()) };
        if n_free < n_bytes.saturating_add(RESERVE_BYTES) {
            let text = format!(
                "the disk has {n_free} bytes free, of which {RESERVE_BYTES} are kept for results, and {n_bytes} are to come"
            );
            return Err(io::Error::new(io::ErrorKind::StorageFull, text));
        }
        Ok(())
    }

    /// Makes room for results on a full disk: removes, of what is there, the kind that costs least
    /// to lose, and gives the number of files. First what is on its way, then checkpoints that
    /// are not their trial's latest, at last those too. The core hears of a missing one when
    /// a worker asks for it.
    pub fn make_room(&self) -> io::Result<usize> {
        self.n_cleared.fetch_add(1, Ordering::SeqCst);
        let (mut parts, mut older, mut latest) = (Vec::new(), Vec::new(), Vec::new());
        for entry in fs::read_dir(&self.folder)?.flatten() {
            if trial_id(&entry.path()).is_none() {
                continue;
            }
            let mut whole = Vec::new();
            for file in files_in(&entry.path())? {
                match parse(&file) {
                    Some(checkpoint) => whole.push((checkpoint.epoch, file)),
                    None => parts.push(file),
                }
            }
            whole.sort_unstable();
            latest.extend(whole.pop().map(|(_, file)| file));
            older.extend(whole.into_iter().map(|(_, file)| file));
        }
        let kinds = [parts, older, latest];
        let removed = kinds.into_iter().find(|it| !it.is_empty()).unwrap_or_default();
        for file in &removed {
            // The bytes of a part go although somebody still has it open.
            if let Ok(file) = File::options().write(true).open(file) {
                file.set_len(0)?;
            }
            remove(file)?;
        }
        Ok(removed.len())
    }

    fn n_cleared(&self) -> u64 {
        self.n_cleared.load(Ordering::SeqCst)
    }

    /// A checkpoint whose bytes were compared with its digest; `None` if it is not there. A damaged one
    /// is removed.
    pub fn open_whole(&self, id: TrialId, digest: Digest) -> io::Result<Option<WholeCheckpoint>> {
        let has_digest = |file: &&PathBuf| parse(file).is_some_and(|it| it.digest == digest);
        let files = files_in(&self.folder_of(id))?;
        let Some(path) = files.iter().find(has_digest) else { return Ok(None) };
        let file = File::open(path)?;
        let (found, n_bytes) = digest_of(&file)?;
        if found == digest {
            return Ok(Some(WholeCheckpoint { file, n_bytes }));
        }
        tracing::warn!("{} is damaged: its trial goes on from before", path.display());
        remove(path)?;
        Ok(None)
    }

    /// Removes all of a trial's files but those of `kept`.
    pub fn keep(&self, id: TrialId, kept: &[Checkpoint]) -> io::Result<()> {
        let folder = self.folder_of(id);
        if kept.is_empty() {
            return remove(&folder);
        }
        for file in files_in(&folder)? {
            if !parse(&file).is_some_and(|checkpoint| kept.contains(&checkpoint)) {
                remove(&file)?;
            }
        }
        Ok(())
    }

    /// A trial has its outcome: gives the trial's id if it may have files, which `keep` removes.
    pub fn ended(&self, trial: TrialIndex) -> Option<TrialId> {
        lock(&self.trials).remove(&trial)
    }

    fn folder_of(&self, id: TrialId) -> PathBuf {
        self.folder.join(id.to_string())
    }
}

/// A checkpoint to be read piece by piece, because it may be large.
#[derive(Debug)]
pub struct WholeCheckpoint {
    file: File,
    n_bytes: u64,
}

impl WholeCheckpoint {
    pub fn n_bytes(&self) -> u64 {
        self.n_bytes
    }

    /// At most `n_max` bytes from `offset` on; none at the end.
    pub fn read_at(&self, offset: u64, n_max: usize) -> io::Result<Vec<u8>> {
        let n_left = self.n_bytes.saturating_sub(offset);
        let mut bytes = vec![0; usize::try_from(n_left).unwrap_or(usize::MAX).min(n_max)];
        self.file.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }
}

/// SHA-256 of a file's bytes and their number, a piece at a time.
fn digest_of(file: &File) -> io::Result<(Digest, u64)> {
    let (mut hasher, mut n_bytes, mut piece) = (Sha256::new(), 0, vec![0; 64 * 1024]);
    loop {
        let n_read = file.read_at(&mut piece, n_bytes)?;
        if n_read == 0 {
            return Ok((Digest(hasher.finalize().into()), n_bytes));
        }
        hasher.update(&piece[..n_read]);
        n_bytes += n_read as u64;
    }
}

fn name_of(checkpoint: &Checkpoint) -> String {
    format!("{}-{}", checkpoint.epoch, checkpoint.digest)
}

/// The inverse, with the length from the disk; `None` for what is no whole checkpoint.
fn parse(path: &Path) -> Option<Checkpoint> {
    let (epoch, digest) = path.file_name()?.to_str()?.split_once('-')?;
    let n_bytes = fs::metadata(path).ok()?.len();
    Some(Checkpoint { digest: digest_in(digest)?, n_bytes, epoch: epoch.parse().ok()? })
}

fn trial_id(path: &Path) -> Option<TrialId> {
    digest_in(path.file_name()?.to_str()?).map(TrialId)
}

/// As it is written: no file has two names.
fn digest_in(text: &str) -> Option<Digest> {
    text.parse().ok().filter(|digest: &Digest| digest.to_string() == text)
}

/// None where there is no such folder.
fn files_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => Ok(entries.flatten().map(|entry| entry.path()).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Removes a file or a folder; that it was not there is no error.
fn remove(path: &Path) -> io::Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Nothing is left half done under these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
