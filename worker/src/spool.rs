//! The spool: a worker's durable outbox. An outcome lies here from before it is reported until
//! the coordinator has acknowledged it, so neither a kill nor a power cut loses it.
//!
//! The file is a row of entries: payload length (u32, little endian), SHA-256 of the payload, and
//! the payload: state id (16 bytes), time of writing (u64, seconds since 1970), and the outcome as
//! a `Finished` message. A torn last entry is what a crash leaves; reading ends there.

use std::{
    fs::File,
    io::{self, Read as _},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use prost::Message as _;
use proto::{Finished, Lease};
use sha2::{Digest as _, Sha256};
use tracing::warn;

use crate::{
    agent::{Offer, StateId},
    faults, files,
    fit::fit,
};

const LENGTH_BYTES: usize = 4;
const CHECKSUM_BYTES: usize = 32;
const PREFIX_BYTES: usize = LENGTH_BYTES + CHECKSUM_BYTES;
const STATE_AND_TIME_BYTES: usize = 16 + 8;

/// Outcomes of a coordinator that never came back are dropped after this long.
const KEPT_FOR: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// Acknowledged entries take room until the file is rewritten; above this much it is, when they
/// make up half of it.
const REWRITE_ABOVE_BYTES: u64 = 4 * 1024 * 1024;

pub(crate) struct Spool {
    path: PathBuf,
    file: File,
    /// Up to here the file is whole.
    n_bytes: u64,
    entries: Vec<Entry>,
}

struct Entry {
    state_id: StateId,
    written_at_s: u64,
    finished: Finished,
    /// `None` while the disk has refused it: it then lives in memory alone.
    n_bytes_on_disk: Option<u64>,
}

impl Spool {
    /// Opens or creates the spool. What a crash left behind its last whole entry is cut off.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut file =
            File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let (mut entries, n_whole) = read_entries(&bytes);
        if n_whole < bytes.len() {
            warn!(
                "{}: dropped {} bytes of an outcome that was cut short; its trial is trained again",
                path.display(),
                bytes.len() - n_whole
            );
            file.set_len(n_whole as u64)?;
        }
        let now_s = unix_time_s();
        entries.retain(|entry| now_s.saturating_sub(entry.written_at_s) <= KEPT_FOR.as_secs());
        // What other builds left may be larger than a call.
        entries.iter_mut().for_each(|entry| fit(&mut entry.finished));
        files::sync_folder_of(path)?;
        let mut spool = Self { path: path.into(), file, n_bytes: n_whole as u64, entries };
        spool.give_room_back()?;
        Ok(spool)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the disk has refused an entry; `save` tries again.
    pub(crate) fn is_full(&self) -> bool {
        self.entries.iter().any(|entry| entry.n_bytes_on_disk.is_none())
    }

    /// Takes outcomes in and writes them in one go. Whatever the disk says they are kept, in
    /// memory if need be.
    pub(crate) fn append(&mut self, state_id: StateId, outcomes: Vec<Finished>) -> io::Result<()> {
        let written_at_s = unix_time_s();
        self.entries.extend(outcomes.into_iter().map(|finished| Entry {
            state_id,
            written_at_s,
            finished,
            n_bytes_on_disk: None,
        }));
        self.save()
    }

    /// Writes what is in memory alone: one write, one sync. After an error the file is as before.
    pub(crate) fn save(&mut self) -> io::Result<()> {
        let mut bytes = Vec::new();
        let mut lengths = Vec::new();
        for entry in self.entries.iter().filter(|entry| entry.n_bytes_on_disk.is_none()) {
            let encoded = entry.encode();
            lengths.push(encoded.len() as u64);
            bytes.extend(encoded);
        }
        if bytes.is_empty() {
            return Ok(());
        }
        faults::point("worker.spool.before");
        let written = self.file.write_all_at(&bytes, self.n_bytes);
        faults::written(&self.file, self.n_bytes);
        faults::point("worker.spool.written");
        if let Err(error) = written.and_then(|()| self.sync()) {
            let _ = self.file.set_len(self.n_bytes);
            return Err(error);
        }
        faults::point("worker.spool.synced");
        self.n_bytes += bytes.len() as u64;
        let unsaved = self.entries.iter_mut().filter(|entry| entry.n_bytes_on_disk.is_none());
        for (entry, length) in unsaved.zip(lengths) {
            entry.n_bytes_on_disk = Some(length);
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        if faults::planted("bug.spool_not_synced") {
            return Ok(());
        }
        self.file.sync_data()?;
        faults::synced();
        Ok(())
    }

    /// The oldest outcomes of a state, as many as fit into `max_bytes`; at least one if there is
    /// one. The others wait.
    pub(crate) fn offer(&self, state_id: &StateId, max_bytes: usize) -> Offer {
        let mut offer = Offer::default();
        let mut n_bytes = 0;
        for Entry { finished, .. } in self.of_state(state_id) {
            n_bytes += finished.encoded_len();
            if n_bytes <= max_bytes || offer.finished.is_empty() {
                offer.finished.push(finished.clone());
            } else {
                offer.waiting.extend(finished.lease.clone());
            }
        }
        offer
    }

    /// The leases of a state's outcomes.
    pub(crate) fn leases(&self, state_id: &StateId) -> Vec<Lease> {
        self.of_state(state_id).filter_map(|entry| entry.finished.lease.clone()).collect()
    }

    /// The state of the youngest outcome.
    pub(crate) fn youngest_state(&self) -> Option<StateId> {
        self.entries.last().map(|entry| entry.state_id)
    }

    pub(crate) fn has_any_of(&self, state_id: &StateId) -> bool {
        self.of_state(state_id).next().is_some()
    }

    fn of_state(&self, state_id: &StateId) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.state_id == *state_id)
    }

    /// Drops what the coordinator of this state has acknowledged.
    pub(crate) fn acknowledged(&mut self, state_id: &StateId, leases: &[Lease]) -> io::Result<()> {
        self.retain(|entry| {
            let lease = entry.finished.lease.as_ref();
            entry.state_id != *state_id || !lease.is_some_and(|lease| leases.contains(lease))
        })
    }

    /// Drops every outcome of a state that has all it needs.
    pub(crate) fn forget(&mut self, state_id: &StateId) -> io::Result<()> {
        self.retain(|entry| entry.state_id != *state_id)
    }

    fn retain(&mut self, keep: impl Fn(&Entry) -> bool) -> io::Result<()> {
        let n_before = self.entries.len();
        self.entries.retain(keep);
        if n_before <= self.entries.len() {
            return Ok(());
        }
        faults::point("worker.spool.before_drop");
        self.give_room_back()?;
        faults::point("worker.spool.dropped");
        Ok(())
    }

    /// Leaves a file with nothing in it but what was not acknowledged; gives their number.
    pub(crate) fn close(mut self) -> usize {
        if self.n_live_bytes() < self.n_bytes
            && let Err(error) = self.rewrite()
        {
            warn!("cannot shorten {}: {error}", self.path.display());
        }
        self.entries.len()
    }

    fn n_live_bytes(&self) -> u64 {
        self.entries.iter().filter_map(|entry| entry.n_bytes_on_disk).sum()
    }

    /// Nothing here needs a sync: an entry that comes back after a crash is reported once more,
    /// and the coordinator knows it already.
    fn give_room_back(&mut self) -> io::Result<()> {
        let n_live = self.n_live_bytes();
        if n_live == 0 && self.n_bytes > 0 {
            self.file.set_len(0)?;
            self.n_bytes = 0;
        } else if self.n_bytes > REWRITE_ABOVE_BYTES && n_live < self.n_bytes / 2 {
            self.rewrite()?;
        }
        Ok(())
    }

    fn rewrite(&mut self) -> io::Result<()> {
        let encoded: Vec<Vec<u8>> = self.entries.iter().map(Entry::encode).collect();
        let parts: Vec<&[u8]> = encoded.iter().map(Vec::as_slice).collect();
        files::replace(&self.path, &parts)?;
        self.file = File::options().read(true).write(true).open(&self.path)?;
        self.n_bytes = parts.iter().map(|part| part.len() as u64).sum();
        for (entry, part) in self.entries.iter_mut().zip(&parts) {
            entry.n_bytes_on_disk = Some(part.len() as u64);
        }
        Ok(())
    }
}

impl Entry {
    fn encode(&self) -> Vec<u8> {
        let mut payload = Vec::with_capacity(STATE_AND_TIME_BYTES + self.finished.encoded_len());
        payload.extend(self.state_id);
        payload.extend(self.written_at_s.to_le_bytes());
        self.finished.encode_raw(&mut payload);
        let length = u32::try_from(payload.len()).expect("an outcome is far below 4 GiB");
        [&length.to_le_bytes()[..], &Sha256::digest(&payload), &payload].concat()
    }

    /// The first entry of `bytes` and its length; `None` unless it is whole and undamaged.
    fn decode(bytes: &[u8]) -> Option<(Self, usize)> {
        let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>()?;
        let (checksum, rest) = rest.split_first_chunk::<CHECKSUM_BYTES>()?;
        let payload = rest.get(..usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        if Sha256::digest(payload).as_slice() != checksum {
            return None;
        }
        let (state_id, rest) = payload.split_first_chunk::<16>()?;
        let (written_at_s, message) = rest.split_first_chunk::<8>()?;
        let n_bytes = PREFIX_BYTES + payload.len();
        let entry = Self {
            state_id: *state_id,
            written_at_s: u64::from_le_bytes(*written_at_s),
            finished: Finished::decode(message).ok()?,
            n_bytes_on_disk: Some(n_bytes as u64),
        };
        Some((entry, n_bytes))
    }
}

/// All whole entries from the start, and how many bytes they take.
fn read_entries(bytes: &[u8]) -> (Vec<Entry>, usize) {
    let mut entries = Vec::new();
    let mut offset = 0;
    while let Some((entry, n_bytes)) = Entry::decode(&bytes[offset..]) {
        entries.push(entry);
        offset += n_bytes;
    }
    (entries, offset)
}

fn unix_time_s() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::finished::Outcome;

    const STATE: StateId = [1; 16];
    const OTHER: StateId = [2; 16];

    fn lease(trial: u8) -> Lease {
        Lease { term: 1, trial_id: vec![trial; 32], attempt: 1, nonce: trial.into() }
    }

    fn outcome(trial: u8) -> Finished {
        let failure = Outcome::Failure(format!("text of {trial}"));
        Finished { lease: Some(lease(trial)), outcome: Some(failure), timings: vec![] }
    }

    fn offered(spool: &Spool, state_id: &StateId) -> Vec<u64> {
        let offer = spool.offer(state_id, usize::MAX);
        offer.finished.into_iter().map(|finished| finished.lease.unwrap().nonce).collect()
    }

    #[test]
    fn outcomes_survive_until_acknowledged_and_only_their_state_sees_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spool");
        let mut spool = Spool::open(&path).unwrap();
        spool.append(STATE, vec![outcome(1), outcome(2)]).unwrap();
        spool.append(OTHER, vec![outcome(3)]).unwrap();
        drop(spool);

        let mut spool = Spool::open(&path).unwrap();
        assert_eq!(offered(&spool, &STATE), [1, 2]);
        assert_eq!(spool.offer(&STATE, usize::MAX).finished[1], outcome(2));
        assert_eq!(spool.leases(&STATE), [lease(1), lease(2)]);
        assert_eq!(spool.youngest_state(), Some(OTHER));
        spool.acknowledged(&OTHER, &[lease(1), lease(2)]).unwrap();
        assert_eq!(offered(&spool, &STATE), [1, 2], "another state's acknowledgement");
        spool.acknowledged(&STATE, &[lease(1)]).unwrap();
        assert_eq!(offered(&spool, &STATE), [2]);
        spool.forget(&STATE).unwrap();
        assert_eq!(offered(&spool, &OTHER), [3]);
        spool.acknowledged(&OTHER, &[lease(3)]).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
        spool.append(STATE, vec![outcome(4)]).unwrap();
        assert_eq!(offered(&Spool::open(&path).unwrap(), &STATE), [4]);
    }

    #[test]
    fn a_tail_torn_at_any_byte_costs_the_last_entry_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spool");
        let mut spool = Spool::open(&path).unwrap();
        spool.append(STATE, vec![outcome(1)]).unwrap();
        let n_first = spool.n_bytes as usize;
        spool.append(STATE, vec![outcome(2)]).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for n_bytes in n_first..whole.len() {
            std::fs::write(&path, &whole[..n_bytes]).unwrap();
            let mut spool = Spool::open(&path).unwrap();
            assert_eq!(offered(&spool, &STATE), [1], "torn at {n_bytes}");
            spool.append(STATE, vec![outcome(3)]).unwrap();
            assert_eq!(offered(&Spool::open(&path).unwrap(), &STATE), [1, 3]);
        }
    }

    #[test]
    fn a_flipped_bit_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spool");
        Spool::open(&path).unwrap().append(STATE, vec![outcome(1)]).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for index in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[index] ^= 4;
            std::fs::write(&path, damaged).unwrap();
            assert_eq!(Spool::open(&path).unwrap().len(), 0, "bit of byte {index}");
        }
    }

    #[test]
    fn an_offer_keeps_to_its_size_but_never_starves() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(&folder.path().join("spool")).unwrap();
        spool.append(STATE, (1..=9).map(outcome).collect()).unwrap();
        let n_bytes = outcome(1).encoded_len();
        let offer = spool.offer(&STATE, 3 * n_bytes);
        assert_eq!((offer.finished.len(), offer.waiting.len()), (3, 6));
        assert_eq!(offer.waiting[0], lease(4));
        assert_eq!(spool.offer(&STATE, 0).finished.len(), 1);
        assert_eq!(spool.offer(&OTHER, usize::MAX), Offer::default());
    }

    #[test]
    fn room_is_given_back_though_another_state_keeps_an_entry() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spool");
        let mut spool = Spool::open(&path).unwrap();
        spool.append(OTHER, vec![outcome(1)]).unwrap();
        let large = Outcome::Failure("x".repeat(REWRITE_ABOVE_BYTES as usize));
        let large = Finished { outcome: Some(large), ..outcome(2) };
        spool.append(STATE, vec![large]).unwrap();
        spool.acknowledged(&STATE, &[lease(2)]).unwrap();
        assert!(std::fs::metadata(&path).unwrap().len() < 1000);
        spool.append(STATE, vec![outcome(3)]).unwrap();
        let spool = Spool::open(&path).unwrap();
        assert_eq!((offered(&spool, &OTHER), offered(&spool, &STATE)), (vec![1], vec![3]));
    }

    #[test]
    fn a_full_disk_leaves_the_outcome_in_memory_until_it_can_be_saved() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spool");
        let mut spool = Spool::open(&path).unwrap();
        spool.file = File::open(&path).unwrap();
        assert!(spool.append(STATE, vec![outcome(1)]).is_err());
        assert!(spool.is_full());
        assert_eq!(offered(&spool, &STATE), [1]);
        spool.file = File::options().write(true).open(&path).unwrap();
        spool.save().unwrap();
        assert!(!spool.is_full());
        assert_eq!(offered(&Spool::open(&path).unwrap(), &STATE), [1]);
    }

    #[test]
    fn outcomes_nobody_asks_for_are_dropped_after_two_weeks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spool");
        let mut spool = Spool::open(&path).unwrap();
        spool.append(STATE, vec![outcome(1), outcome(2)]).unwrap();
        spool.entries[0].written_at_s -= KEPT_FOR.as_secs() + 60;
        let encoded: Vec<u8> = spool.entries.iter().flat_map(Entry::encode).collect();
        std::fs::write(&path, encoded).unwrap();
        assert_eq!(offered(&Spool::open(&path).unwrap(), &STATE), [2]);
    }
}
