//! Cores that slots pin their threads to. Each core has a lock file that all workers of this user
//! share, so that two of them never pin to the same core; a slot that gets none runs unpinned.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tracing::warn;

/// The cores this process may run on, and the folder with their lock files.
pub(crate) struct Cores {
    all: CpuSet,
    folder: PathBuf,
    said_oversubscribed: AtomicBool,
}

/// A core held by the calling thread, which is pinned to it. Dropped, the core is free again; the
/// thread stays where it is until it claims a core for its next trial.
pub(crate) struct Claim {
    _lock: File,
}

impl Cores {
    /// `None` where the machine offers no affinity or no folder for locks: slots run unpinned.
    pub(crate) fn find() -> Option<Self> {
        let found = runtime_folder().and_then(|folder| Ok((folder, sched_getaffinity(None)?)));
        match found {
            Ok((folder, all)) => Some(Self::new(all, folder)),
            Err(error) => {
                warn!("slots run unpinned: {error}");
                None
            }
        }
    }

    /// The cores of `all`, whose lock files lie in `folder`.
    pub(crate) fn new(all: CpuSet, folder: PathBuf) -> Self {
        Self { all, folder, said_oversubscribed: AtomicBool::new(false) }
    }

    /// Pins the calling thread to a core that no other slot of this user holds. Without a free
    /// core it may run on all of them.
    pub(crate) fn claim(&self) -> Option<Claim> {
        let free = (0..CpuSet::MAX_CPU)
            .filter(|&core| self.all.is_set(core))
            .find_map(|core| Some((core, self.lock(core)?)));
        let Some((core, lock)) = free else {
            if !self.said_oversubscribed.swap(true, Ordering::Relaxed) {
                warn!(
                    "oversubscribed: more slots than free cores, so trials slow each other down; start fewer slots (--slots, or --local-slots of a coordinator), or end another worker of this machine"
                );
            }
            let _ = sched_setaffinity(None, &self.all);
            return None;
        };
        let mut one = CpuSet::new();
        one.set(core);
        sched_setaffinity(None, &one).ok()?;
        Some(Claim { _lock: lock })
    }

    fn lock(&self, core: usize) -> Option<File> {
        let path = self.folder.join(format!("core-{core}.lock"));
        let file = File::options().create(true).truncate(false).write(true).open(path).ok()?;
        file.try_lock().ok()?;
        Some(file)
    }
}

/// `$XDG_RUNTIME_DIR/sweep`, or a folder of this user's own in the temporary folder.
fn runtime_folder() -> io::Result<PathBuf> {
    let uid = rustix::process::getuid().as_raw();
    if let Some(base) = std::env::var_os("XDG_RUNTIME_DIR").filter(|base| Path::new(base).is_dir())
        && let Ok(folder) = own_folder(Path::new(&base).join("sweep"), uid)
    {
        return Ok(folder);
    }
    own_folder(std::env::temp_dir().join(format!("sweep-{uid}")), uid)
}

/// Makes the folder if need be. One that somebody else planted is refused.
fn own_folder(folder: PathBuf, uid: u32) -> io::Result<PathBuf> {
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let metadata = fs::symlink_metadata(&folder)?;
    if metadata.is_dir() && metadata.uid() == uid {
        return Ok(folder);
    }
    Err(io::Error::other(format!("{} is not a folder of user {uid}", folder.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cores(folder: &Path) -> Cores {
        Cores::new(sched_getaffinity(None).unwrap(), folder.to_path_buf())
    }

    #[test]
    fn a_core_is_held_by_one_slot_at_a_time_even_across_workers() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (cores(folder.path()), cores(folder.path()));
        let n_cores = one.all.count();
        let mut claims: Vec<Claim> = (0..n_cores).map(|_| one.claim().unwrap()).collect();
        assert_eq!(sched_getaffinity(None).unwrap().count(), 1);
        assert!(other.claim().is_none());
        assert_eq!(sched_getaffinity(None).unwrap().count(), n_cores, "unpinned again");
        claims.pop();
        assert!(other.claim().is_some());
    }

    #[test]
    fn a_folder_that_is_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let planted = folder.path().join("sweep");
        fs::write(&planted, "").unwrap();
        let uid = rustix::process::getuid().as_raw();
        assert!(own_folder(planted, uid).is_err());
        assert!(own_folder(folder.path().join("fresh"), uid).is_ok());
    }
}
