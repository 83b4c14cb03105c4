//! The spool: a worker's durable outbox. An outcome lies here from before it is reported until
//! the coordinator has acknowledged it, so neither a kill nor a power cut loses it.

mod record;
mod work;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use prost::Message as _;
use proto::{Finished, Lease};
use tracing::{error, warn};
use trial::wording::n_of;

use self::record::Record;
pub(crate) use self::work::{Done, Work};
use self::work::{Numbered, Room, SpoolFile};
use crate::agent::{Offer, StateId};
use crate::cli::duration;
use crate::disk::files;
use crate::disk::upkeep::Upkeep;
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
    /// `None` while work at it is under way.
    file: Option<SpoolFile>,
    upkeep: Upkeep,
    entries: Vec<Entry>,
    n_entries: u64,
    /// The states whose outcomes this process has put in.
    own_states: Vec<StateId>,
    /// Entries were dropped since the file last gave room back.
    wants_room: bool,
    /// The disk has refused a write or does not answer: until it does well again, what is in memory
    /// alone is reported too.
    is_refused: bool,
}

struct Entry {
    number: u64,
    record: Arc<Record>,
    /// `None` while it lives in memory alone.
    n_bytes_on_disk: Option<u64>,
}

impl Spool {
    /// Opens or creates the spool. What a crash left behind its last whole entry is cut off.
    pub(crate) fn open(path: &Path, upkeep: &Upkeep) -> io::Result<Self> {
        let bytes = files::read(path, MAX_FILE_BYTES)?.unwrap_or_default();
        let n_bytes = bytes.len() as u64;
        let file = SpoolFile::open(path, upkeep, n_bytes)?;
        let contents = record::read(&bytes);
        let mut spool = Self {
            path: path.into(),
            file: Some(file),
            upkeep: upkeep.clone(),
            entries: Vec::new(),
            n_entries: 0,
            own_states: Vec::new(),
            wants_room: true,
            is_refused: false,
        };
        for (record, n_bytes) in contents.records {
            spool.push(record, Some(n_bytes as u64));
        }
        files::sync_folder_of(path)?;
        for damaged in &contents.damaged {
            spool.tell_damage(damaged.start, damaged.end, n_bytes);
        }
        if contents.is_cut_short {
            keep_copy(upkeep.cache_dir(), path, &bytes)?;
        }
        spool.drop_old();
        // What cannot be mended now is read around the next time as well.
        let is_whole = contents.damaged.is_empty() && !spool.has_unsaved();
        if let Err(error) = if is_whole { spool.save() } else { spool.rewrite() } {
            warn!("cannot shorten {}: {error}", path.display());
        }
        Ok(spool)
    }

    fn tell_damage(&self, from: usize, to: usize, n_file_bytes: u64) {
        let (path, n_bytes) = (self.path.display(), to - from);
        if to as u64 == n_file_bytes {
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
                Arc::make_mut(&mut entry.record).written_at_s = clock.now_s();
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

    /// Whether no more work should be asked for: the disk refuses entries, which `begin` tries again,
    /// or more than enough waits to be acknowledged.
    pub(crate) fn is_full(&self) -> bool {
        self.is_refused() || self.n_live_bytes() > MAX_LIVE_BYTES
    }

    /// Whether outcomes are in memory alone because the disk does not take them.
    pub(crate) fn is_refused(&self) -> bool {
        self.is_refused && self.has_unsaved()
    }

    /// Whether an outcome is in memory alone.
    pub(crate) fn has_unsaved(&self) -> bool {
        self.n_unsaved() > 0
    }

    pub(crate) fn n_unsaved(&self) -> usize {
        self.entries.iter().filter(|entry| entry.n_bytes_on_disk.is_none()).count()
    }

    /// Takes outcomes in. They are in memory until work at the file has saved them.
    pub(crate) fn take_in(&mut self, state_id: StateId, outcomes: Vec<Finished>) {
        if !self.own_states.contains(&state_id) {
            self.own_states.push(state_id);
        }
        let written_at_s = self.upkeep.clock().now_s();
        for finished in outcomes {
            self.push(Record { state_id, written_at_s, finished }, None);
        }
    }

    fn push(&mut self, record: Record<Finished>, n_bytes_on_disk: Option<u64>) {
        self.n_entries += 1;
        self.entries.push(Entry::new(self.n_entries, record, n_bytes_on_disk, &self.upkeep));
    }

    /// The work that the file needs now; `None` if there is none, or some is under way. Whatever
    /// becomes of it, `end` is told.
    pub(crate) fn begin(&mut self) -> Option<Work> {
        let n_bytes = self.file.as_ref()?.n_bytes;
        let n_live = self.n_live_bytes();
        let wants_room = std::mem::take(&mut self.wants_room);
        let room = match wants_room {
            true if n_live == 0 && n_bytes > 0 => Room::Clear,
            true if n_bytes > REWRITE_ABOVE_BYTES && n_live < n_bytes / 2 => {
                Room::Rewrite(self.numbered(|entry| entry.n_bytes_on_disk.is_some()))
            }
            _ => Room::Keep,
        };
        let new = self.numbered(|entry| entry.n_bytes_on_disk.is_none());
        if new.is_empty() && matches!(room, Room::Keep) {
            return None;
        }
        Some(Work { file: self.file.take()?, room, new })
    }

    fn numbered(&self, chosen: impl Fn(&Entry) -> bool) -> Vec<Numbered> {
        let chosen = self.entries.iter().filter(|entry| chosen(entry));
        chosen.map(|entry| (entry.number, entry.record.clone())).collect()
    }

    /// Takes the file back. The error is why entries could not be saved; they stay in memory.
    pub(crate) fn end(&mut self, done: Done) -> io::Result<()> {
        self.file = Some(done.file);
        // The numbers grow in both.
        let mut saved = done.saved;
        saved.sort_unstable();
        for entry in &mut self.entries {
            if let Ok(index) = saved.binary_search_by_key(&entry.number, |&(number, _)| number) {
                entry.n_bytes_on_disk = Some(saved[index].1);
            }
        }
        if let Err(error) = done.room_given_back {
            warn!("cannot shorten {}: {error}", self.path.display());
        }
        self.is_refused = done.written.is_err();
        done.written
    }

    /// The disk does not answer: what is in memory alone counts, so that it can be handed in.
    pub(crate) fn disk_stalls(&mut self) {
        self.is_refused = true;
    }

    /// Does what the file needs at once, however long that takes.
    fn save(&mut self) -> io::Result<()> {
        self.begin().map_or(Ok(()), |work| self.end(work.run()))
    }

    /// The oldest outcomes of a state, as many as fit into `max_bytes`; at least one if there is
    /// one. The others wait, and with them those that are not on the disk yet.
    pub(crate) fn offer(&self, state_id: &StateId, max_bytes: usize) -> Offer {
        let mut offer = Offer::default();
        let mut n_bytes = 0;
        for entry in self.entries.iter().filter(|entry| entry.record.state_id == *state_id) {
            let finished = &*entry.record.finished;
            n_bytes += finished.encoded_len();
            let is_safe = entry.n_bytes_on_disk.is_some() || self.is_refused;
            if is_safe && (n_bytes <= max_bytes || offer.finished.is_empty()) {
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

    /// Drops what the coordinator of this state has acknowledged. The file follows with the next work.
    pub(crate) fn acknowledged(&mut self, state_id: &StateId, leases: &[Lease]) {
        self.retain(|record| {
            let lease = record.finished.lease.as_ref();
            record.state_id != *state_id || !lease.is_some_and(|lease| leases.contains(lease))
        });
    }

    /// Drops every outcome of a state that has all it needs; gives their number. Of a state that
    /// this process has done nothing for, it keeps them: another process did, and knew better.
    pub(crate) fn forget(&mut self, state_id: &StateId) -> usize {
        let n_before = self.entries.len();
        if self.own_states.contains(state_id) {
            self.retain(|record| record.state_id != *state_id);
        }
        n_before - self.entries.len()
    }

    fn retain(&mut self, keep: impl Fn(&Record) -> bool) {
        let n_before = self.entries.len();
        self.entries.retain(|entry| keep(&entry.record));
        self.wants_room |= self.entries.len() < n_before;
    }

    /// The last work: it leaves a file with nothing in it but what was not acknowledged.
    pub(crate) fn last_work(&mut self) -> Option<Work> {
        let is_short = self.n_live_bytes() == self.file.as_ref()?.n_bytes;
        if is_short { self.begin() } else { self.rewriting() }
    }

    fn rewriting(&mut self) -> Option<Work> {
        let file = self.file.take()?;
        Some(Work { file, room: Room::Rewrite(self.numbered(|_| true)), new: Vec::new() })
    }

    fn rewrite(&mut self) -> io::Result<()> {
        self.rewriting().map_or(Ok(()), |work| self.end(work.run()))
    }

    fn n_live_bytes(&self) -> u64 {
        self.entries.iter().filter_map(|entry| entry.n_bytes_on_disk).sum()
    }
}

impl Entry {
    /// Here an outcome becomes one that a call has room for, be it new or what a former process left. One
    /// that never will must not be in the way of the others forever: it is set aside, and its trial is
    /// told to have failed.
    fn new(
        number: u64,
        record: Record<Finished>,
        n_bytes_on_disk: Option<u64>,
        upkeep: &Upkeep,
    ) -> Self {
        let Record { state_id, written_at_s, finished } = record;
        let (finished, n_bytes_on_disk) = match Fitted::new(finished) {
            Ok(finished) => (finished, n_bytes_on_disk),
            Err(huge) => {
                let record = Record { state_id, written_at_s, finished: *huge };
                (give_up(upkeep.cache_dir(), &record), None)
            }
        };
        let record = Arc::new(Record { state_id, written_at_s, finished });
        Self { number, record, n_bytes_on_disk }
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

/// Keeps what a spool's file held: too much of it looks like records for all to be looked at.
fn keep_copy(cache_dir: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = cache_dir.join("set-aside");
    files::make_folder(&folder)?;
    let copy = files::beside(&folder.join("spool"), "damaged")?;
    files::replace(&copy, &[bytes])?;
    warn!(
        "{}: most of it is no outcome although it looks like some, so not all was searched; the file is kept as {}",
        path.display(),
        copy.display()
    );
    Ok(())
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
