//! Checkpoints of trials that were interrupted, one file a trial, shared by the workers of a cache
//! folder. Losing one costs time and nothing else, so every trouble with them is a log line.
//!
//! File: SHA-256 of the rest, length of the timings (u32, little endian), the timings of the
//! epochs done so far (a `Finished` message with nothing else in it), the program's state.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;
use proto::Finished;
use sha2::{Digest as _, Sha256};
use tracing::warn;
use trial::Timing;

use crate::agent::TrialId;
use crate::disk::device::Disk;
use crate::disk::files;
use crate::disk::upkeep::Upkeep;
use crate::logging::repeats::Repeats;

/// A larger file was not written by a worker: the largest network's state takes less.
const MAX_BYTES: u64 = 16 << 30;

#[derive(Clone, Debug)]
pub(crate) struct Checkpoints {
    folder: PathBuf,
    upkeep: Upkeep,
    disk: Disk,
    /// Each grant may come with checkpoints that are of no use.
    repeats: Arc<Repeats>,
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
    /// What the trial's program goes on from.
    pub(crate) state: Vec<u8>,
    /// One for each epoch done.
    pub(crate) timings: Vec<Timing>,
}

impl Checkpoints {
    /// A folder that cannot be made is told now, and again whenever a checkpoint is not written.
    pub(crate) fn open(upkeep: &Upkeep, disk: &Disk, repeats: Arc<Repeats>) -> Self {
        let folder = upkeep.cache_dir().join("checkpoints");
        if let Err(error) = files::make_folder(&folder) {
            warn!("no checkpoints are kept: {error}");
        }
        Self { folder, upkeep: upkeep.clone(), disk: disk.clone(), repeats }
    }

    /// The disk that they lie on.
    pub(crate) fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Where what happens to checkpoints is told.
    pub(crate) fn repeats(&self) -> &Repeats {
        &self.repeats
    }

    pub(crate) fn save(&self, trial_id: &TrialId, checkpoint: &Checkpoint) {
        let timings = checkpoint.timings.iter().map(Into::into).collect();
        let timings = Finished { timings, ..Finished::default() };
        let timings = timings.encode_to_vec();
        let n_timings = u32::try_from(timings.len()).expect("far below 4 GiB").to_le_bytes();
        let parts: [&[u8]; 3] = [&n_timings, &timings, &checkpoint.state];
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part);
        }
        if let Err(error) =
            self.write(trial_id, &[&hasher.finalize(), parts[0], parts[1], parts[2]])
        {
            let line =
                format!("no checkpoint written to {}: {error}", self.path(trial_id).display());
            self.repeats.warn("checkpoints not written", line);
        }
    }

    /// Within the room that is left to results: older things make room first, and without enough of it the
    /// former checkpoint stays.
    fn write(&self, trial_id: &TrialId, parts: &[&[u8]]) -> io::Result<()> {
        let path = self.path(trial_id);
        let _room = self.upkeep.room(parts.iter().map(|part| part.len() as u64).sum())?;
        files::replace(&path, parts)?;
        self.upkeep.touch(&path);
        Ok(())
    }

    /// The file's bytes. One that cannot be read is as if it was not there.
    fn read(&self, trial_id: &TrialId) -> Option<Vec<u8>> {
        files::read(&self.path(trial_id), MAX_BYTES).unwrap_or_else(|error| {
            self.repeats.warn("checkpoints not read", format!("cannot use a checkpoint: {error}"));
            None
        })
    }

    /// `None` if there is none or it is damaged.
    pub(crate) fn load(&self, trial_id: &TrialId) -> Option<Checkpoint> {
        let checkpoint = decode(&self.read(trial_id)?);
        if checkpoint.is_none() {
            let path = self.path(trial_id);
            let line = format!("{} is damaged: the trial starts from scratch", path.display());
            self.repeats.warn("damaged checkpoints", line);
        }
        checkpoint
    }

    /// What there is of a trial, ready to travel.
    pub(crate) fn sealed(&self, trial_id: &TrialId) -> Option<Sealed> {
        let bytes = self.read(trial_id)?;
        let epoch = decode(&bytes)?.epoch();
        let digest = Sha256::digest(&bytes).into();
        Some(Sealed { bytes: bytes.into(), digest, epoch })
    }

    /// The last epoch that the trial's checkpoint has done; 0 if there is none that is whole.
    pub(crate) fn epoch(&self, trial_id: &TrialId) -> u32 {
        self.read(trial_id)
            .and_then(|bytes| decode(&bytes))
            .map_or(0, |checkpoint| checkpoint.epoch())
    }

    /// Takes in what another worker has sealed. False if it has another digest or is not a checkpoint.
    pub(crate) fn adopt(
        &self,
        trial_id: &TrialId,
        digest: &[u8],
        bytes: &[u8],
    ) -> io::Result<bool> {
        let is_announced = Sha256::digest(bytes).as_slice() == digest;
        if !is_announced || decode(bytes).is_none() {
            return Ok(false);
        }
        self.write(trial_id, &[bytes])?;
        Ok(true)
    }

    pub(crate) fn remove(&self, trial_id: &TrialId) {
        let path = self.path(trial_id);
        if let Err(error) = files::remove(&path) {
            let line = format!("cannot remove {}: {error}", path.display());
            self.repeats.warn("checkpoints not removed", line);
        }
    }

    fn path(&self, trial_id: &TrialId) -> PathBuf {
        self.folder.join(trial_id.to_string())
    }
}

impl Checkpoint {
    fn epoch(&self) -> u32 {
        self.timings.last().map_or(0, |timing| timing.epoch)
    }
}

fn decode(bytes: &[u8]) -> Option<Checkpoint> {
    let (checksum, body) = bytes.split_first_chunk::<32>()?;
    if Sha256::digest(body).as_slice() != checksum {
        return None;
    }
    let (n_timings, rest) = body.split_first_chunk::<4>()?;
    let (timings, state) =
        rest.split_at_checked(usize::try_from(u32::from_le_bytes(*n_timings)).ok()?)?;
    let timings = Finished::decode(timings).ok()?.timings.into_iter().map(Into::into).collect();
    Some(Checkpoint { state: state.to_vec(), timings })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use properties::check;
    use proptest::prelude::*;

    use super::*;
    use crate::disk::upkeep::DiskLimits;
    use crate::disk::upkeep::tests::SmallDisk;

    /// Cases that once failed.
    const FAILED_BEFORE: &str =
        concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/checkpoints.txt");

    const TRIAL: TrialId = TrialId::from_bytes([0xab; 32]);

    fn open(cache_dir: &Path) -> Checkpoints {
        Checkpoints::open(
            &Upkeep::new(cache_dir, DiskLimits::default()),
            &Disk::Real,
            Arc::default(),
        )
    }

    fn checkpoint() -> Checkpoint {
        let timing = Timing {
            epoch: 1,
            wall_s: 0.5,
            cpu_s: 0.25,
            worker: "w".into(),
            isa: "avx2".into(),
            attempt: 1,
            n_slots_in_use: 2,
        };
        Checkpoint { state: vec![1, 2, 3], timings: vec![timing] }
    }

    #[test]
    fn what_was_saved_is_loaded_until_it_is_removed() {
        let cache = tempfile::tempdir().unwrap();
        let checkpoints = open(cache.path());
        assert_eq!(checkpoints.load(&TRIAL), None);
        checkpoints.save(&TRIAL, &Checkpoint { state: vec![9], timings: vec![] });
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
        let [here, there] = caches.each_ref().map(|it| open(it.path()));
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

    /// A disk of 8 MiB of which a 20th is the reserve.
    #[test]
    fn a_checkpoint_takes_no_room_that_results_need() {
        let Some(disk) = SmallDisk::mount(8) else { return };
        let checkpoints = open(disk.path());
        let of = |n_bytes: usize| Checkpoint { state: vec![7; n_bytes], ..checkpoint() };
        checkpoints.save(&TRIAL, &of(1000));
        fs::write(disk.path().join("filler"), vec![0; 7 << 20]).unwrap();
        let n_reserved = (8 << 20) / 20;
        // It would fit, and leave less than the reserve.
        checkpoints.save(&TRIAL, &of(900 << 10));
        assert!(checkpoints.load(&TRIAL) == Some(of(1000)), "the former one stays");
        let sealed = {
            let elsewhere = tempfile::tempdir().unwrap();
            let elsewhere = open(elsewhere.path());
            elsewhere.save(&TrialId::from_bytes([1; 32]), &of(900 << 10));
            elsewhere.sealed(&TrialId::from_bytes([1; 32])).unwrap()
        };
        let error = checkpoints
            .adopt(&TrialId::from_bytes([1; 32]), &sealed.digest, &sealed.bytes)
            .unwrap_err();
        assert!(files::is_full(&error) && error.to_string().contains("left to others"), "{error}");
        // Nor do many that are written at the same time, each of which would leave enough.
        std::thread::scope(|scope| {
            for trial in 10..26 {
                let (checkpoints, of) = (&checkpoints, &of);
                scope.spawn(move || {
                    checkpoints.save(&TrialId::from_bytes([trial; 32]), &of(200 << 10))
                });
            }
        });
        let n_written = (10..26)
            .filter(|&trial| checkpoints.load(&TrialId::from_bytes([trial; 32])).is_some())
            .count();
        assert!(n_written > 0, "there is room for one");
        // A result has the whole reserve, but for what ends within a block.
        let result = vec![0; n_reserved - (64 << 10)];
        fs::write(disk.path().join("spool"), result).expect("room for a result");
    }

    #[test]
    fn a_damaged_checkpoint_is_none() {
        let cache = tempfile::tempdir().unwrap();
        let checkpoints = open(cache.path());
        checkpoints.save(&TRIAL, &checkpoint());
        let whole = fs::read(checkpoints.path(&TRIAL)).unwrap();
        for index in 0..whole.len() {
            assert_eq!(decode(&whole[..index]), None, "cut at {index}");
            let mut flipped = whole.clone();
            flipped[index] ^= 1;
            assert_eq!(decode(&flipped), None, "flipped at {index}");
        }
    }

    /// Whatever lies in a checkpoint's place, it costs the checkpoint and nothing else.
    #[test]
    fn an_odd_entry_is_no_checkpoint_and_waits_for_nobody() {
        let cache = tempfile::tempdir().unwrap();
        let checkpoints = open(cache.path());
        let path = checkpoints.path(&TRIAL);
        let put: [fn(&Path); 4] = [
            |path| fs::create_dir(path).unwrap(),
            |path| {
                let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
                assert!(made.success());
            },
            |path| std::os::unix::fs::symlink(path, path).unwrap(),
            |path| std::os::unix::fs::symlink("/dev/zero", path).unwrap(),
        ];
        for put in put {
            put(&path);
            assert_eq!(checkpoints.load(&TRIAL), None);
            assert_eq!(checkpoints.epoch(&TRIAL), 0);
            checkpoints.save(&TRIAL, &checkpoint());
            let is_folder = path.is_dir();
            assert_eq!(checkpoints.load(&TRIAL).is_some(), !is_folder);
            if is_folder { fs::remove_dir(&path) } else { fs::remove_file(&path) }.unwrap();
        }
        fs::remove_dir(&checkpoints.folder).unwrap();
        fs::write(&checkpoints.folder, "a file").unwrap();
        assert_eq!(open(cache.path()).load(&TRIAL), None, "nor does a file for a folder");
    }

    /// Neither a panic nor more than the bytes hold, even where a peer has made the hash right.
    #[test]
    fn made_up_checkpoints_are_none_or_what_they_say() {
        let made_up = (proptest::collection::vec(any::<u8>(), 0..400), any::<bool>());
        check(FAILED_BEFORE, 128, &made_up, |(mut body, is_framed)| {
            if is_framed {
                let n_timings = (body.len() as u32).to_le_bytes();
                body = [&n_timings[..], &body].concat();
            }
            prop_assert_eq!(decode(&body), None);
            let hashed = [&Sha256::digest(&body)[..], &body].concat();
            if let Some(checkpoint) = decode(&hashed) {
                prop_assert!(body.ends_with(&checkpoint.state));
                checkpoint.epoch();
            }
            Ok(())
        });
    }
}
