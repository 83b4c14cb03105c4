//! A checkpoint on its way in: written piece by piece beside its place, and named once it is whole.

use std::collections::btree_map::Entry;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use coordinator_core::lease::TrialIndex;
use coordinator_core::ledger::checkpoints::Checkpoint;
use trial::TrialId;
use worker::parts::{is_full, make_folder, rename};

use super::{CheckpointFiles, PART, digest_of, files_in, lock, name_of, parse, remove};

/// A checkpoint on its way; another of the same trial has to wait until this is dropped.
#[derive(Debug)]
pub struct Receiving {
    pub(super) path: PathBuf,
    /// `None` once it is whole.
    pub(super) part: Option<File>,
    pub(super) n_bytes: u64,
    pub(super) checkpoint: Checkpoint,
    pub(super) turn: Turn,
}

impl Receiving {
    /// Bytes that are there, counted from the first.
    pub fn n_bytes(&self) -> u64 {
        self.n_bytes
    }

    pub fn is_whole(&self) -> bool {
        self.part.is_none()
    }

    /// Takes the next bytes in. The last ones make it whole and durable, unless they are not what
    /// the digest says: then nothing is there any more. Nor is it once the disk has no room.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let end = self.n_bytes + bytes.len() as u64;
        let Some(part) = self.part.as_ref().filter(|_| end <= self.checkpoint.n_bytes) else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "more bytes than announced"));
        };
        faults::point("coordinator.checkpoint.before");
        let n_new = bytes.len() as u64;
        let written = self.turn.check_room(n_new);
        let written = written.and_then(|()| part.write_all_at(bytes, self.n_bytes));
        // The part may have been removed meanwhile.
        if let Err(error) = written.and_then(|()| self.turn.check_cleared()) {
            if is_full(&error) {
                self.n_bytes = 0;
                remove(&self.path.with_extension(PART))?;
            }
            return Err(error);
        }
        faults::point("coordinator.checkpoint.written");
        self.n_bytes = end;
        self.turn.arrived(n_new);
        if end == self.checkpoint.n_bytes { self.seal() } else { Ok(()) }
    }

    fn seal(&mut self) -> io::Result<()> {
        let part_path = self.path.with_extension(PART);
        let found = self.part.as_ref().map(digest_of).transpose()?;
        if found.is_none_or(|(digest, _)| digest != self.checkpoint.digest) {
            self.n_bytes = 0;
            remove(&part_path)?;
            let text = "the bytes have another SHA-256 than announced";
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        if let Some(part) = self.part.take() {
            part.sync_all()?;
        }
        faults::point("coordinator.checkpoint.synced");
        rename(&part_path, &self.path)?;
        faults::point("coordinator.checkpoint.renamed");
        Ok(())
    }
}

impl CheckpointFiles {
    /// Begins to receive a checkpoint, or goes on with what has come of it before. `None` while
    /// another one of the trial is being received.
    pub fn receive(
        self: &Arc<Self>,
        trial: TrialIndex,
        id: TrialId,
        checkpoint: Checkpoint,
    ) -> io::Result<Option<Receiving>> {
        match lock(&self.receiving).entry(trial) {
            Entry::Occupied(_) => return Ok(None),
            Entry::Vacant(place) => place.insert(0),
        };
        let turn = Turn { files: self.clone(), trial, n_cleared: self.n_cleared() };
        lock(&self.trials).insert(trial, id);
        let folder = self.folder_of(id);
        make_folder(&folder)?;
        let path = folder.join(name_of(&checkpoint));
        let part = path.with_extension(PART);
        for other in files_in(&folder)? {
            if other.extension().is_some_and(|it| it == PART) && other != part {
                remove(&other)?;
            }
        }
        if parse(&path) == Some(checkpoint) {
            let n_bytes = checkpoint.n_bytes;
            return Ok(Some(Receiving { path, part: None, n_bytes, checkpoint, turn }));
        }
        let file =
            File::options().read(true).write(true).create(true).truncate(false).open(&part)?;
        let mut n_bytes = file.metadata()?.len();
        if checkpoint.n_bytes < n_bytes {
            file.set_len(0)?;
            n_bytes = 0;
        }
        if let Err(error) = self.reserve(trial, checkpoint.n_bytes - n_bytes) {
            remove(&part)?;
            return Err(error);
        }
        Ok(Some(Receiving { path, part: Some(file), n_bytes, checkpoint, turn }))
    }
}

/// The right to receive a checkpoint of a trial.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) files: Arc<CheckpointFiles>,
    pub(super) trial: TrialIndex,
    /// The number of removals of all parts when it began.
    pub(super) n_cleared: u64,
}

impl Turn {
    fn check_room(&self, n_bytes: u64) -> io::Result<()> {
        self.check_cleared()?;
        self.files.check_room(n_bytes)
    }

    /// Fails once all parts were removed, with them that of this turn.
    fn check_cleared(&self) -> io::Result<()> {
        let is_there = self.files.n_cleared() == self.n_cleared;
        if is_there { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }

    fn arrived(&self, n_bytes: u64) {
        if let Some(n_left) = lock(&self.files.receiving).get_mut(&self.trial) {
            *n_left = n_left.saturating_sub(n_bytes);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        lock(&self.files.receiving).remove(&self.trial);
    }
}
