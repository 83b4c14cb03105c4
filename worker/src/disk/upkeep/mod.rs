//! The upkeep of a cache folder: what nobody has used for long goes, the whole has a bound, and
//! what is old makes room when the disk is full. What a process uses is never taken away.

pub(crate) mod inventory;
#[cfg(test)]
pub(crate) mod tests;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tracing::info;
use trial::wording::span;

use self::inventory::{Item, inventory};
use crate::disk::datasets::cache_clock::CacheClock;
use crate::disk::files;
use crate::disk::size::size_text;

/// What a worker may take of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskLimits {
    /// A larger data set is refused, whatever the coordinator says.
    pub max_dataset_bytes: u64,
    /// Above this, data sets and checkpoints that nobody uses go, the oldest first.
    pub max_cache_bytes: u64,
}

impl Default for DiskLimits {
    fn default() -> Self {
        Self { max_dataset_bytes: 4 << 30, max_cache_bytes: 16 << 30 }
    }
}

/// Left free on the disk for results, which alone may take of it, and for everybody else; a twentieth
/// of a small disk.
const RESERVE_BYTES: u64 = 256 << 20;
const RESERVE_SHARE: u64 = 20;

/// A cache folder and what it may hold.
#[derive(Clone, Debug)]
pub(crate) struct Upkeep {
    cache_dir: PathBuf,
    limits: DiskLimits,
    clock: CacheClock,
    /// Bytes that are being written, and may or may not be on the disk already.
    promised: Arc<Promised>,
}

#[derive(Debug, Default)]
struct Promised(Mutex<u64>);

impl Promised {
    /// Nothing is left half done under this lock.
    fn lock(&self) -> MutexGuard<'_, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Room on the disk that is promised to one write until this is dropped, so that writes at the same time
/// do not all count on the same bytes.
#[derive(Debug)]
pub(crate) struct Room {
    promised: Arc<Promised>,
    n_bytes: u64,
}

impl Drop for Room {
    fn drop(&mut self) {
        *self.promised.lock() -= self.n_bytes;
    }
}

impl Upkeep {
    pub(crate) fn new(cache_dir: &Path, limits: DiskLimits) -> Self {
        let clock = CacheClock::look(cache_dir);
        Self { cache_dir: cache_dir.into(), limits, clock, promised: Arc::default() }
    }

    pub(crate) fn cache_dir(&self) -> &Path {
        &self.cache_dir
    }

    pub(crate) fn limits(&self) -> DiskLimits {
        self.limits
    }

    pub(crate) fn clock(&self) -> CacheClock {
        self.clock
    }

    /// Notes that a file of the cache folder is used now.
    pub(crate) fn touch(&self, path: &Path) {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(self.clock.now_s());
        // Another user's file cannot be touched, nor will it be removed by this one.
        let file = files::open(path, File::options().read(true));
        let _ = file.and_then(|file| file.set_modified(time));
    }

    /// Removes what nobody has used for long, and then the oldest until the rest is within the
    /// bound.
    pub(crate) fn tidy(&self) {
        let mut items = inventory(&self.cache_dir);
        for item in items.iter().filter(|item| !self.clock.is_credible(item.used_s)) {
            self.touch(&item.path);
        }
        items.retain(|item| {
            self.clock.age(item.used_s) <= item.kind.kept_for() || !self.remove(item, "not used")
        });
        let n_bytes = items.iter().map(|item| item.n_bytes).sum::<u64>();
        let n_surplus = n_bytes.saturating_sub(self.limits.max_cache_bytes);
        self.remove_oldest(items, n_surplus, "over the limit of the cache folder");
    }

    /// Room for one write of this many bytes, as `make_room` finds it.
    ///
    /// # Errors
    ///
    /// As those of `make_room`.
    pub(crate) fn room(&self, n_bytes: u64) -> io::Result<Room> {
        let mut promised = self.promised.lock();
        self.make_room_beside(n_bytes, *promised)?;
        *promised += n_bytes;
        Ok(Room { promised: self.promised.clone(), n_bytes })
    }

    /// Sees whether this many bytes can be written, and makes room for them if need be.
    ///
    /// # Errors
    ///
    /// There is not enough room, even without what nobody uses.
    pub(crate) fn make_room(&self, n_bytes: u64) -> io::Result<()> {
        self.make_room_beside(n_bytes, *self.promised.lock())
    }

    fn make_room_beside(&self, n_bytes: u64, n_promised: u64) -> io::Result<()> {
        let n_wanted = n_bytes.saturating_add(n_promised);
        let Some(n_missing) = self.n_missing(n_wanted) else { return Ok(()) };
        let items = inventory(&self.cache_dir);
        self.remove_oldest(items, n_missing, "the disk is full");
        if self.n_missing(n_wanted).is_none() {
            return Ok(());
        }
        let disk = Disk::of(&self.cache_dir);
        let text = format!(
            "no room in {}: {} needed, {} free, of which {} are left to others; free some, or give another folder with --cache-dir",
            self.cache_dir.display(),
            size_text(n_bytes),
            size_text(disk.as_ref().map_or(0, |disk| disk.n_free)),
            size_text(disk.as_ref().map_or(0, Disk::reserve)),
        );
        Err(io::Error::new(io::ErrorKind::StorageFull, text))
    }

    /// How much more has to be free; `None` if this many bytes fit, or nobody can tell.
    fn n_missing(&self, n_bytes: u64) -> Option<u64> {
        let disk = Disk::of(&self.cache_dir)?;
        let n_missing = n_bytes.saturating_add(disk.reserve()).saturating_sub(disk.n_free);
        (n_missing > 0).then_some(n_missing)
    }

    /// Removes the oldest that may go, until they made up this many bytes.
    fn remove_oldest(&self, mut items: Vec<Item>, n_bytes: u64, why: &str) {
        items.retain(|item| self.clock.age(item.used_s) >= item.kind.kept_at_least());
        items.sort_by_key(|item| item.used_s);
        let mut n_removed = 0;
        for item in items {
            if n_removed >= n_bytes {
                return;
            }
            if self.remove(&item, why) {
                n_removed += item.n_bytes;
            }
        }
    }

    fn remove(&self, item: &Item, why: &str) -> bool {
        let is_removed = item.remove();
        if is_removed {
            let age = span(self.clock.age(item.used_s));
            let (path, size) = (item.path.display(), size_text(item.n_bytes));
            info!("removed {path}, {size}, last used {age} ago: {why}");
        }
        is_removed
    }
}

/// Bytes that are free for who is not root on the disk of a folder; `None` where nobody can tell.
pub fn n_free(folder: &Path) -> Option<u64> {
    Disk::of(folder).map(|disk| disk.n_free)
}

/// A file system's room, for who is not root.
struct Disk {
    n_bytes: u64,
    n_free: u64,
}

impl Disk {
    fn of(folder: &Path) -> Option<Self> {
        let found = rustix::fs::statvfs(folder).ok()?;
        Self::told(found.f_frsize, found.f_blocks, found.f_bavail)
    }

    /// By the numbers of its blocks; some file systems over a network tell nothing.
    fn told(n_block: u64, n_blocks: u64, n_free_blocks: u64) -> Option<Self> {
        let bytes = |n_blocks: u64| n_blocks.saturating_mul(n_block);
        (n_blocks > 0).then(|| Self { n_bytes: bytes(n_blocks), n_free: bytes(n_free_blocks) })
    }

    fn reserve(&self) -> u64 {
        RESERVE_BYTES.min(self.n_bytes / RESERVE_SHARE)
    }
}
