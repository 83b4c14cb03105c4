//! A piece of work at a spool's file: new records are appended and synced, acknowledged ones give
//! their room back. It takes as long as the disk does, so it owns all that it needs and can be done
//! on a thread of its own while the spool takes more outcomes in.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::files;
use crate::disk::spool::record::Record;
use crate::disk::upkeep::Upkeep;

/// The file. The owner of this may change it; there is one at a time.
pub(super) struct SpoolFile {
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) upkeep: Upkeep,
    /// Up to here the file is whole.
    pub(super) n_bytes: u64,
}

/// A record and the number of its entry.
pub(super) type Numbered = (u64, Arc<Record>);

/// What is to become of the acknowledged records in the file.
pub(super) enum Room {
    Keep,
    /// Nothing but acknowledged records is left in it.
    Clear,
    /// It is written anew with these records of it.
    Rewrite(Vec<Numbered>),
}

pub(crate) struct Work {
    pub(super) file: SpoolFile,
    pub(super) room: Room,
    /// What the file lacks, the oldest first.
    pub(super) new: Vec<Numbered>,
}

/// Work that was done, well or not.
pub(crate) struct Done {
    pub(super) file: SpoolFile,
    /// The entries that were written, each with its length in the file.
    pub(super) saved: Vec<(u64, u64)>,
    /// After an error the file is as it was before.
    pub(super) written: io::Result<()>,
    pub(super) room_given_back: io::Result<()>,
}

impl Work {
    pub(crate) fn run(self) -> Done {
        let Self { mut file, room, new } = self;
        let mut saved = Vec::new();
        let room_given_back = file.give_room_back(room, &mut saved);
        let written = file.append(&new, &mut saved);
        Done { file, saved, written, room_given_back }
    }
}

impl SpoolFile {
    pub(super) fn open(path: &Path, upkeep: &Upkeep, n_bytes: u64) -> io::Result<Self> {
        let mut options = File::options();
        let file = files::open(path, options.read(true).write(true).create(true).truncate(false))?;
        Ok(Self { path: path.into(), file, upkeep: upkeep.clone(), n_bytes })
    }

    /// One write, one sync.
    fn append(&mut self, new: &[Numbered], saved: &mut Vec<(u64, u64)>) -> io::Result<()> {
        let mut bytes = Vec::new();
        let mut lengths = Vec::new();
        for (number, record) in new {
            let encoded = record.encode();
            lengths.push((*number, encoded.len() as u64));
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
        saved.extend(lengths);
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
        faults::hang("hang.worker.spool");
        self.file.sync_data()?;
        faults::synced();
        Ok(())
    }

    /// Nothing here needs a sync: an entry that comes back after a crash is reported once more,
    /// and the coordinator knows it already.
    fn give_room_back(&mut self, room: Room, saved: &mut Vec<(u64, u64)>) -> io::Result<()> {
        match room {
            Room::Keep => return Ok(()),
            Room::Clear => {
                faults::point("worker.spool.before_drop");
                self.file.set_len(0)?;
                self.n_bytes = 0;
            }
            Room::Rewrite(kept) => {
                faults::point("worker.spool.before_drop");
                saved.extend(self.rewrite(&kept)?);
            }
        }
        faults::point("worker.spool.dropped");
        Ok(())
    }

    fn rewrite(&mut self, kept: &[Numbered]) -> io::Result<Vec<(u64, u64)>> {
        let encoded: Vec<Vec<u8>> = kept.iter().map(|(_, record)| record.encode()).collect();
        let parts: Vec<&[u8]> = encoded.iter().map(Vec::as_slice).collect();
        files::replace(&self.path, &parts)?;
        self.file = files::open(&self.path, File::options().read(true).write(true))?;
        self.n_bytes = parts.iter().map(|part| part.len() as u64).sum();
        let numbers = kept.iter().map(|(number, _)| *number);
        Ok(numbers.zip(parts.iter().map(|part| part.len() as u64)).collect())
    }
}
