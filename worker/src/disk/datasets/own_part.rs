//! An own part: what has come of a data set to a process that cannot have the usual part, because
//! another worker holds it or there are no locks. Nobody else writes to it.

use std::path::{Path, PathBuf};
use std::{io, mem};

use crate::disk::files;
use crate::disk::locks::{Lock, Mode};

/// Its file goes when this is dropped.
#[derive(Debug)]
pub struct OwnPart {
    path: PathBuf,
    /// Keeps it from being tidied away; `None` where there are no locks, and nobody tidies.
    lock: Option<Lock>,
}

impl OwnPart {
    pub fn beside(dataset: &Path) -> io::Result<Self> {
        let path = files::beside(dataset, "part")?;
        let lock = Lock::try_take(&path, Mode::Exclusive).ok().flatten();
        Ok(Self { path, lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is guarded still, as far as it can be.
    pub fn is_in_place(&self) -> bool {
        self.lock.as_ref().is_none_or(Lock::is_in_place)
    }

    /// Its file stays, and is no longer locked: it becomes the data set.
    pub fn let_go(mut self) {
        self.path = PathBuf::new();
        drop(self.lock.take());
    }
}

impl Drop for OwnPart {
    fn drop(&mut self) {
        let path = mem::take(&mut self.path);
        if !path.as_os_str().is_empty() {
            let _ = files::remove(&path);
        }
    }
}
