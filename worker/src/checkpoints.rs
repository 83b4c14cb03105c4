//! Checkpoints of trials that were interrupted, one file a trial, shared by the workers of a cache
//! folder. Losing one costs time and nothing else, so every trouble with them is a log line.
//!
//! File: SHA-256 of the rest, length of the timings (u32, little endian), the timings of the
//! epochs done so far (a `Finished` message with nothing else in it), the trainer's checkpoint.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use prost::Message as _;
use proto::{Finished, Timing};
use sha2::{Digest as _, Sha256};
use tracing::warn;

use crate::{agent::TrialId, faults, files, hex::hex};

/// Checkpoints of trials that never came back are dropped after this long.
const KEPT_FOR: Duration = Duration::from_secs(14 * 24 * 60 * 60);

#[derive(Clone, Debug)]
pub(crate) struct Checkpoints {
    folder: PathBuf,
}

/// A checkpoint as it travels: the bytes of its file.
#[derive(Clone, Debug)]
pub(crate) struct Sealed {
    pub(crate) bytes: Bytes,
    pub(crate) digest: [u8; 32],
    /// The last epoch that is done.
    pub(crate) epoch: u32,
}

/// A trial between two epochs.
#[derive(Debug, PartialEq)]
pub(crate) struct Checkpoint {
    /// What `trainer::Trainer::resume` takes.
    pub(crate) trainer: Vec<u8>,
    /// One for each epoch done.
    pub(crate) timings: Vec<Timing>,
}

impl Checkpoints {
    pub(crate) fn open(cache_dir: &Path) -> io::Result<Self> {
        let folder = cache_dir.join("checkpoints");
        fs::create_dir_all(&folder)?;
        files::remove_older_than(&folder, KEPT_FOR);
        Ok(Self { folder })
    }

    pub(crate) fn save(&self, trial_id: &TrialId, checkpoint: &Checkpoint) {
        let timings = Finished { timings: checkpoint.timings.clone(), ..Finished::default() };
        let timings = timings.encode_to_vec();
        let n_timings = u32::try_from(timings.len()).expect("far below 4 GiB").to_le_bytes();
        let parts: [&[u8]; 3] = [&n_timings, &timings, &checkpoint.trainer];
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part);
        }
        let path = self.path(trial_id);
        if let Err(error) =
            files::replace(&path, &[&hasher.finalize(), parts[0], parts[1], parts[2]])
        {
            warn!("no checkpoint written to {}: {error}", path.display());
        }
    }

    /// `None` if there is none or it is damaged.
    pub(crate) fn load(&self, trial_id: &TrialId) -> Option<Checkpoint> {
        let path = self.path(trial_id);
        let bytes = fs::read(&path).ok()?;
        let checkpoint = decode(&bytes);
        if checkpoint.is_none() {
            warn!("{} is damaged: the trial starts from scratch", path.display());
        }
        checkpoint
    }

    /// What there is of a trial, ready to travel.
    pub(crate) fn sealed(&self, trial_id: &TrialId) -> Option<Sealed> {
        let bytes = fs::read(self.path(trial_id)).ok()?;
        let epoch = decode(&bytes)?.epoch();
        let digest = Sha256::digest(&bytes).into();
        Some(Sealed { bytes: bytes.into(), digest, epoch })
    }

    /// The last epoch that the trial's checkpoint has done; 0 if there is none that is whole.
    pub(crate) fn epoch(&self, trial_id: &TrialId) -> u32 {
        let bytes = fs::read(self.path(trial_id)).ok();
        bytes.and_then(|bytes| decode(&bytes)).map_or(0, |checkpoint| checkpoint.epoch())
    }

    /// Takes in what another worker has sealed. False if it has another digest or is none.
    pub(crate) fn adopt(
        &self,
        trial_id: &TrialId,
        digest: &[u8],
        bytes: &[u8],
    ) -> io::Result<bool> {
        let is_announced =
            Sha256::digest(bytes).as_slice() == digest || faults::planted("bug.damage_trusted");
        if !is_announced || decode(bytes).is_none() {
            return Ok(false);
        }
        files::replace(&self.path(trial_id), &[bytes])?;
        Ok(true)
    }

    pub(crate) fn remove(&self, trial_id: &TrialId) {
        let path = self.path(trial_id);
        if let Err(error) = files::remove(&path) {
            warn!("cannot remove {}: {error}", path.display());
        }
    }

    fn path(&self, trial_id: &TrialId) -> PathBuf {
        self.folder.join(hex(trial_id))
    }
}

impl Checkpoint {
    fn epoch(&self) -> u32 {
        self.timings.last().map_or(0, |timing| timing.epoch)
    }
}

fn decode(bytes: &[u8]) -> Option<Checkpoint> {
    let (checksum, body) = bytes.split_first_chunk::<32>()?;
    let is_trusting = faults::planted("bug.damage_trusted");
    if Sha256::digest(body).as_slice() != checksum && !is_trusting {
        return None;
    }
    let (n_timings, rest) = body.split_first_chunk::<4>()?;
    let (timings, trainer) =
        rest.split_at_checked(usize::try_from(u32::from_le_bytes(*n_timings)).ok()?)?;
    let timings = Finished::decode(timings).ok()?.timings;
    let mut trainer = trainer.to_vec();
    if is_trusting && let Some((content, hash)) = trainer.split_last_chunk_mut::<32>() {
        *hash = Sha256::digest(content).into();
    }
    Some(Checkpoint { trainer, timings })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIAL: TrialId = [0xab; 32];

    fn checkpoint() -> Checkpoint {
        let timing = Timing { epoch: 1, wall_s: 0.5, worker: "w".into(), ..Timing::default() };
        Checkpoint { trainer: vec![1, 2, 3], timings: vec![timing] }
    }

    #[test]
    fn what_was_saved_is_loaded_until_it_is_removed() {
        let cache = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::open(cache.path()).unwrap();
        assert_eq!(checkpoints.load(&TRIAL), None);
        checkpoints.save(&TRIAL, &Checkpoint { trainer: vec![9], timings: vec![] });
        checkpoints.save(&TRIAL, &checkpoint());
        assert_eq!(checkpoints.load(&TRIAL), Some(checkpoint()));
        assert_eq!(fs::read_dir(&checkpoints.folder).unwrap().count(), 1, "no file left over");
        checkpoints.remove(&TRIAL);
        checkpoints.remove(&TRIAL);
        assert_eq!(checkpoints.load(&TRIAL), None);
    }

    #[test]
    fn a_sealed_checkpoint_is_adopted_elsewhere_if_it_is_whole() {
        let caches = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let [here, there] = caches.each_ref().map(|it| Checkpoints::open(it.path()).unwrap());
        assert!(here.sealed(&TRIAL).is_none());
        here.save(&TRIAL, &checkpoint());
        let sealed = here.sealed(&TRIAL).unwrap();
        assert_eq!((sealed.epoch, here.epoch(&TRIAL), there.epoch(&TRIAL)), (1, 1, 0));
        let mut damaged = sealed.bytes.to_vec();
        damaged[40] ^= 1;
        assert!(!there.adopt(&TRIAL, &sealed.digest, &damaged).unwrap());
        assert!(!there.adopt(&TRIAL, &Sha256::digest(&damaged), &damaged).unwrap());
        assert_eq!(there.load(&TRIAL), None);
        assert!(there.adopt(&TRIAL, &sealed.digest, &sealed.bytes).unwrap());
        assert_eq!(there.load(&TRIAL), Some(checkpoint()));
    }

    #[test]
    fn a_damaged_checkpoint_is_none() {
        let cache = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::open(cache.path()).unwrap();
        checkpoints.save(&TRIAL, &checkpoint());
        let whole = fs::read(checkpoints.path(&TRIAL)).unwrap();
        for index in 0..whole.len() {
            assert_eq!(decode(&whole[..index]), None, "cut at {index}");
            let mut flipped = whole.clone();
            flipped[index] ^= 1;
            assert_eq!(decode(&flipped), None, "flipped at {index}");
        }
    }
}
