//! The inventory: what lies in a cache folder beside the workers' own folders, and may go one day.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::disk::locks::{Lock, Mode};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// What a file is, by its folder and its name. A file with another name is not the worker's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Dataset,
    /// What has come of a data set so far.
    Part,
    Checkpoint,
    /// An outcome that could not be handed in.
    SetAside,
    /// What a kill has left of a write.
    Temporary,
}

impl Kind {
    /// Without use for longer than this, it goes.
    pub fn kept_for(self) -> Duration {
        match self {
            Self::Dataset | Self::SetAside => 30 * 24 * HOUR,
            Self::Checkpoint => 14 * 24 * HOUR,
            Self::Part => 3 * 24 * HOUR,
            Self::Temporary => 24 * HOUR,
        }
    }

    /// However much room is needed, it stays for so long after its last use.
    pub fn kept_at_least(self) -> Duration {
        match self {
            // The lock tells whether it is used.
            Self::Dataset | Self::Part => Duration::ZERO,
            Self::Checkpoint | Self::Temporary => HOUR,
            Self::SetAside => self.kept_for(),
        }
    }
}

pub struct Item {
    pub kind: Kind,
    pub path: PathBuf,
    pub n_bytes: u64,
    /// By the clock of the cache folder.
    pub used_s: u64,
}

impl Item {
    /// Removes the file unless a process uses it.
    pub fn remove(&self) -> bool {
        match self.kind {
            Kind::Dataset => {
                let lock = Lock::try_take_existing(&self.path, Mode::Exclusive);
                lock.ok().flatten().is_some_and(|lock| lock.remove().is_ok())
            }
            Kind::Part => {
                let lock = Lock::try_take(&fetch_lock(&self.path), Mode::Exclusive);
                let Ok(Some(lock)) = lock else { return false };
                // Some workers have a part of their own, which they lock itself.
                let own = Lock::try_take_existing(&self.path, Mode::Exclusive);
                if !matches!(own, Ok(Some(_))) {
                    let _ = lock.remove();
                    return false;
                }
                let is_removed = fs::remove_file(&self.path).is_ok();
                let _ = lock.remove();
                is_removed
            }
            Kind::Checkpoint | Kind::SetAside | Kind::Temporary => {
                fs::remove_file(&self.path).is_ok()
            }
        }
    }
}

/// The file whose lock is held by who fetches the data set of this file or part.
pub(crate) fn fetch_lock(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let digest = name.split('.').next().unwrap_or_default();
    path.with_file_name(format!("{digest}.lock"))
}

/// What a file of this name is in its folder.
type KindOf = fn(&str) -> Option<Kind>;

pub fn inventory(cache_dir: &Path) -> Vec<Item> {
    let kinds: [(&str, KindOf); 3] = [
        ("datasets", kind_of_dataset),
        ("checkpoints", |name| kind_of(name, Kind::Checkpoint)),
        ("set-aside", |name| name.ends_with(".outcome").then_some(Kind::SetAside)),
    ];
    let listed = kinds.into_iter().flat_map(|(folder, kind)| {
        let entries = fs::read_dir(cache_dir.join(folder)).into_iter().flatten().flatten();
        entries.filter_map(move |entry| item(&entry, kind(entry.file_name().to_str()?)?))
    });
    listed.collect()
}

fn item(entry: &fs::DirEntry, kind: Kind) -> Option<Item> {
    let metadata = entry.metadata().ok()?;
    let used = metadata.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH);
    let used_s = used.map_or(0, |since| since.as_secs());
    let path = entry.path();
    metadata.is_file().then_some(Item { kind, path, n_bytes: metadata.len(), used_s })
}

fn kind_of_dataset(name: &str) -> Option<Kind> {
    let (digest, rest) = name.split_once('.').unwrap_or((name, ""));
    let is_part = rest == "part" || rest.ends_with(".part");
    if is_part && is_digest(digest) { Some(Kind::Part) } else { kind_of(name, Kind::Dataset) }
}

fn kind_of(name: &str, whole: Kind) -> Option<Kind> {
    match name.split_once('.') {
        None => is_digest(name).then_some(whole),
        Some((digest, rest)) => {
            (is_digest(digest) && rest.ends_with(".tmp")).then_some(Kind::Temporary)
        }
    }
}

fn is_digest(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}
