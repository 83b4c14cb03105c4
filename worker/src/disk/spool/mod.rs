//! The spool: a worker's durable outbox. An outcome lies here from before it is reported until
//! the coordinator has acknowledged it, so neither a kill nor a power cut loses it.

mod record;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use prost::Message as _;
use proto::{Finished, Lease};
use tracing::{error, warn};
use trainer::wording::n_of;

use self::record::Record;
use crate::agent::{Offer, StateId};
use crate::cli::duration;
use crate::disk::files;
use crate::disk::upkeep::Upkeep;
use crate::faults;
use crate::link::fit::{Fitted, trial_of};

/// Outcomes of a coordinator that never came back are dropped after this long.
const KEPT_FOR: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// Acknowledged entries take room until the file is rewritten; above this much it is, when they
/// make up half of it.
const REWRITE_ABOVE_BYTES: u64 = 4 * 1024 * 1024;

/// With this much that nobody has acknowledged, no more work is asked for. It bounds what a
/// coordinator that acknowledges nothing can make a worker keep.
const MAX_LIVE_BYTES: u64 = 512 << 20;

/// A file that is larger was not written by a worker.
const MAX_FILE_BYTES: u64 = 2 << 30;

pub(crate) struct Spool {
    path: PathBuf,
    file: File,
    upkeep: Upkeep,
    /// Up to here the file is whole.
    n_bytes: u64,
    entries: Vec<Entry>,
    /// The states whose outcomes this process has put in.
    own_states: Vec<StateId>,
}

struct Entry {
    record: Record,
    /// `None` while the disk has refused it: it then lives in memory alone.
    n_bytes_on_disk: Option<u64>,
}

impl Spool {
    /// Opens or creates the spool. What a crash left behind its last whole entry is cut off.
    pub(crate) fn open(path: &Path, upkeep: &Upkeep) -> io::Result<Self> {
        let bytes = files::read(path, MAX_FILE_BYTES)?.unwrap_or_default();
        let mut options = File::options();
        let file = files::open(path, options.read(true).write(true).create(true).truncate(false))?;
        let contents = record::read(&bytes);
        let entries = contents
            .records
            .into_iter()
            .map(|(record, n_bytes)| Entry::new(record, Some(n_bytes as u64), upkeep));
        let mut spool = Self {
            path: path.into(),
            file,
            upkeep: upkeep.clone(),
            n_bytes: bytes.len() as u64,
            entries: entries.collect(),
            own_states: Vec::new(),
        };
        files::sync_folder_of(path)?;
        for damaged in &contents.damaged {
            spool.tell_damage(damaged.start, damaged.end);
        }
        spool.drop_old();
        // What cannot be mended now is read around the next time as well.
        let is_whole = contents.damaged.is_empty() && !spool.has_unsaved();
        let mended = if is_whole { Ok(()) } else { spool.rewrite() };
        if let Err(error) = mended.and_then(|()| spool.give_room_back()) {
            warn!("cannot shorten {}: {error}", path.display());
        }
        Ok(spool)
    }

    fn tell_damage(&self, from: usize, to: usize) {
        let (path, n_bytes) = (self.path.display(), to - from);
        if to as u64 == self.n_bytes {
            warn!(
                "{path}: dropped {} of an outcome that was cut short; its trial is trained again",
                n_of(n_bytes, "byte")
            );
        } else {
            warn!(
                "{path}: damaged from byte {from} on, {} long; the other outcomes are whole, and what stood there is trained again",
                n_of(n_bytes, "byte")
            );
        }
    }

    fn drop_old(&mut self) {
        let n_before = self.entries.len();
        let clock = self.upkeep.clock();
        for entry in &mut self.entries {
            if !clock.is_credible(entry.record.written_at_s) {
                entry.record.written_at_s = clock.now_s();
            }
        }
        self.entries.retain(|entry| clock.age(entry.record.written_at_s) <= KEPT_FOR);
        let n_dropped = n_before - self.entries.len();
        if n_dropped > 0 {
            warn!(
                "{}: dropped {} that no coordinator has asked for in {}",
                self.path.display(),
                n_of(n_dropped, "outcome"),
                duration::exact(KEPT_FOR)
            );
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no more work should be asked for: the disk has refused an entry, which `save` tries
    /// again, or more than enough waits to be acknowledged.
    pub(crate) fn is_full(&self) -> bool {
        self.has_unsaved() || self.n_live_bytes() > MAX_LIVE_BYTES
    }

    fn has_unsaved(&self) -> bool {
        self.entries.iter().any(|entry| entry.n_bytes_on_disk.is_none())
    }

    /// Takes outcomes in and writes them in one go. Whatever the disk says they are kept, in
    /// memory if need be.
    pub(crate) fn append(&mut self, state_id: StateId, outcomes: Vec<Finished>) -> io::Result<()> {
        if !self.own_states.contains(&state_id) {
            self.own_states.push(state_id);
        }
        let written_at_s = self.upkeep.clock().now_s();
        for finished in outcomes {
            let record = Record { state_id, written_at_s, finished };
            self.entries.push(Entry::new(record, None, &self.upkeep));
        }
        self.save()
    }

    /// Writes what is in memory alone: one write, one sync. After an error the file is as before.
    pub(crate) fn save(&mut self) -> io::Result<()> {
        let mut bytes = Vec::new();
        let mut lengths = Vec::new();
        for entry in self.entries.iter().filter(|entry| entry.n_bytes_on_disk.is_none()) {
            let encoded = entry.record.encode();
            lengths.push(encoded.len() as u64);
            bytes.extend(encoded);
        }
        if bytes.is_empty() {
            return Ok(());
        }
        match self.write(&bytes) {
            Err(error) if files::is_full(&error) => {
                // An outcome is worth more than what is old. The disk's own word counts.
                let _ = self.upkeep.make_room(bytes.len() as u64);
                self.write(&bytes)?;
            }
            written => written?,
        }
        self.n_bytes += bytes.len() as u64;
        let unsaved = self.entries.iter_mut().filter(|entry| entry.n_bytes_on_disk.is_none());
        for (entry, length) in unsaved.zip(lengths) {
            entry.n_bytes_on_disk = Some(length);
        }
        Ok(())
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        faults::point("worker.spool.before");
        let written = self.file.write_all_at(bytes, self.n_bytes);
        faults::written(&self.file, self.n_bytes);
        faults::point("worker.spool.written");
        if let Err(error) = written.and_then(|()| self.sync()) {
            let _ = self.file.set_len(self.n_bytes);
            return Err(error);
        }
        faults::point("worker.spool.synced");
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
        for finished in self.of_state(state_id) {
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
        self.of_state(state_id).filter_map(|finished| finished.lease.clone()).collect()
    }

    /// The state of the youngest outcome.
    pub(crate) fn youngest_state(&self) -> Option<StateId> {
        self.entries.last().map(|entry| entry.record.state_id)
    }

    pub(crate) fn has_any_of(&self, state_id: &StateId) -> bool {
        self.of_state(state_id).next().is_some()
    }

    fn of_state(&self, state_id: &StateId) -> impl Iterator<Item = &Finished> {
        let of_state = self.entries.iter().filter(move |it| it.record.state_id == *state_id);
        of_state.map(|entry| &*entry.record.finished)
    }

    /// Drops what the coordinator of this state has acknowledged.
    pub(crate) fn acknowledged(&mut self, state_id: &StateId, leases: &[Lease]) -> io::Result<()> {
        self.retain(|record| {
            let lease = record.finished.lease.as_ref();
            record.state_id != *state_id || !lease.is_some_and(|lease| leases.contains(lease))
        })
    }

    /// Drops every outcome of a state that has all it needs; gives their number. Of a state that
    /// this process has done nothing for, it keeps them: another process did, and knew better.
    pub(crate) fn forget(&mut self, state_id: &StateId) -> io::Result<usize> {
        let n_before = self.entries.len();
        if self.own_states.contains(state_id) {
            self.retain(|record| record.state_id != *state_id)?;
        }
        Ok(n_before - self.entries.len())
    }

    fn retain(&mut self, keep: impl Fn(&Record) -> bool) -> io::Result<()> {
        let n_before = self.entries.len();
        self.entries.retain(|entry| keep(&entry.record));
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
        let encoded: Vec<Vec<u8>> =
            self.entries.iter().map(|entry| entry.record.encode()).collect();
        let parts: Vec<&[u8]> = encoded.iter().map(Vec::as_slice).collect();
        files::replace(&self.path, &parts)?;
        self.file = files::open(&self.path, File::options().read(true).write(true))?;
        self.n_bytes = parts.iter().map(|part| part.len() as u64).sum();
        for (entry, part) in self.entries.iter_mut().zip(&parts) {
            entry.n_bytes_on_disk = Some(part.len() as u64);
        }
        Ok(())
    }
}

impl Entry {
    /// Here an outcome becomes one that a call has room for, be it new or what a former process left. One
    /// that never will must not be in the way of the others for ever: it is set aside, and its trial is
    /// told to have failed.
    fn new(record: Record<Finished>, n_bytes_on_disk: Option<u64>, upkeep: &Upkeep) -> Self {
        let Record { state_id, written_at_s, finished } = record;
        match Fitted::new(finished) {
            Ok(finished) => {
                Self { record: Record { state_id, written_at_s, finished }, n_bytes_on_disk }
            }
            Err(huge) => {
                let record = Record { state_id, written_at_s, finished: *huge };
                let finished = give_up(upkeep.cache_dir(), &record);
                Self { record: Record { state_id, written_at_s, finished }, n_bytes_on_disk: None }
            }
        }
    }
}

/// Sets a record aside; gives what is told instead.
fn give_up(cache_dir: &Path, record: &Record<Finished>) -> Fitted {
    let Record { finished, .. } = record;
    let (trial, n_bytes) = (trial_of(finished), finished.encoded_len());
    let limit = proto::MAX_OUTCOME_BYTES;
    let text = format!("its outcome takes {n_bytes} bytes, expected at most {limit}");
    match set_aside(cache_dir, record) {
        Ok(path) => error!("trial {trial} failed: {text}; kept in {}", path.display()),
        Err(error) => error!("trial {trial} failed: {text}; it could not be kept: {error}"),
    }
    Fitted::failure(finished.lease.clone(), &text)
}

/// Keeps a record in a file of its own, which later workers leave alone.
fn set_aside(cache_dir: &Path, record: &Record<Finished>) -> io::Result<PathBuf> {
    let folder = cache_dir.join("set-aside");
    files::make_folder(&folder)?;
    let path = files::beside(&folder.join(trial_of(&record.finished)), "outcome")?;
    files::replace(&path, &[&record.encode()])?;
    Ok(path)
}

#[cfg(test)]
mod tests;
