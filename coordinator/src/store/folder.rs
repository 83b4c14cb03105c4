//! The state folder: the database, the lock that keeps a second coordinator out, and the local
//! workers' cache.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::statfs;
use thiserror::Error;
use worker::locks::{Lock, Mode, has_no_locks};
use worker::parts::{make_folder, rename};

use crate::store::error::StoreError;
use crate::store::schema::rescue::{mark_of, with_suffix};

const LOCK: &str = "lock";

/// `status` and `report` hold the lock for an instant to see whether it is free; so long a
/// starting coordinator waits for them.
const LOCK_PATIENCE: Duration = Duration::from_millis(300);

#[derive(Debug, Error)]
pub enum StateFolderError {
    #[error("{path}: cannot make the state folder")]
    Create { path: PathBuf, source: io::Error },
    #[error(
        "{path}: another coordinator runs on this state; stop it first, or give this sweep another name"
    )]
    InUse { path: PathBuf },
    #[error(
        "{path}: lies on a network file system ({kind}), where SQLite can lose data; choose a local folder with --state, or pass --allow-network-state"
    )]
    Network { path: PathBuf, kind: &'static str },
    #[error(
        "{path}: its file system has no locks, so nothing keeps a second coordinator out; choose a local folder with --state"
    )]
    NoLocks { path: PathBuf, source: io::Error },
    #[error("{path}: cannot set the former state aside")]
    SetAside { path: PathBuf, source: io::Error },
    #[error(
        "{path}: the state was moved or replaced meanwhile, so nothing was set aside; look who works there, then start again"
    )]
    Replaced { path: PathBuf },
}

#[derive(Debug)]
pub struct StateFolder {
    path: PathBuf,
    lock: Lock,
}

impl StateFolder {
    /// Makes the folder if need be and takes its lock.
    pub fn open(path: &Path, allow_network: bool) -> Result<Self, StateFolderError> {
        let create = |source| StateFolderError::Create { path: path.into(), source };
        let until = Instant::now() + LOCK_PATIENCE;
        loop {
            make_folder(path).map_err(create)?;
            let path = path.canonicalize().map_err(create)?;
            if let (false, Some(kind)) = (allow_network, network_kind(&path)) {
                return Err(StateFolderError::Network { path, kind });
            }
            let patience = until.saturating_duration_since(Instant::now());
            match Lock::take_within(&path.join(LOCK), Mode::Exclusive, patience) {
                Ok(Some(lock)) => return Ok(Self { path, lock }),
                Ok(None) => return Err(StateFolderError::InUse { path }),
                // Somebody has just set the folder aside.
                Err(error) if error.kind() == io::ErrorKind::NotFound && Instant::now() < until => {
                }
                Err(source) if has_no_locks(&source) => {
                    return Err(StateFolderError::NoLocks { path, source });
                }
                Err(error) => return Err(create(error)),
            }
        }
    }

    /// Whether a coordinator holds the lock of the state at `path`; looks only.
    pub fn is_in_use(path: &Path) -> bool {
        Lock::is_held(&path.join(LOCK))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn database(&self) -> PathBuf {
        database_in(&self.path)
    }

    /// Whether a sweep was started here, even if its database is gone.
    pub fn is_used(&self) -> bool {
        let database = self.database();
        let files = [with_suffix(&database, "-wal"), mark_of(&database), database];
        files.iter().any(|file| file.exists())
    }

    /// Where local workers keep data sets, checkpoints and spools.
    pub fn worker_cache(&self) -> PathBuf {
        self.path.join("cache")
    }

    /// Renames a former state to the first free `<path>-<n>`; returns the new name. Nobody uses it,
    /// since this is its lock; what lies at its path by now may be another state, of which that
    /// cannot be said.
    pub fn set_aside(self) -> Result<PathBuf, StateFolderError> {
        if !self.lock.is_in_place() {
            return Err(StateFolderError::Replaced { path: self.path });
        }
        let aside = (1..)
            .map(|n| {
                let mut name = self.path.clone().into_os_string();
                name.push(format!("-{n}"));
                PathBuf::from(name)
            })
            .find(|path| !path.exists())
            .expect("there is a free number");
        rename(&self.path, &aside)
            .map_err(|source| StateFolderError::SetAside { path: self.path.clone(), source })?;
        Ok(aside)
    }
}

/// A copy of a state is one file, and stands for its folder.
pub fn database_in(state: &Path) -> PathBuf {
    if state.is_file() { state.into() } else { state.join("sweep.db") }
}

/// The database of a state, if it is there. One that cannot be looked for is not taken for absent.
pub fn recorded_in(state: &Path) -> Result<Option<PathBuf>, StoreError> {
    use io::ErrorKind::{NotADirectory, NotFound};
    let path = database_in(state);
    match path.metadata() {
        Ok(_) => Ok(Some(path)),
        Err(error) if !matches!(error.kind(), NotFound | NotADirectory) => {
            Err(StoreError::Hidden { path, source: error })
        }
        Err(_) if StateFolder::is_in_use(state) => Err(StoreError::Unmade { path }),
        Err(_) => Ok(None),
    }
}

/// The file system's name if it is a network one.
fn network_kind(path: &Path) -> Option<&'static str> {
    // Magic numbers of statfs(2).
    const NETWORK: [(i64, &str); 6] = [
        (0x6969, "nfs"),
        (0x517B, "smb"),
        (0xFE53_4D42, "smb2"),
        (0xFF53_4D42, "cifs"),
        (0x0102_1997, "9p"),
        (0x00C3_6400, "ceph"),
    ];
    let kind = statfs(path).ok()?.f_type;
    NETWORK.into_iter().find(|(magic, _)| *magic == kind).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_coordinator_is_kept_out_until_the_first_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let first = StateFolder::open(folder.path(), false).unwrap();
        let second = StateFolder::open(folder.path(), false).unwrap_err();
        assert!(matches!(second, StateFolderError::InUse { .. }));
        assert!(StateFolder::is_in_use(folder.path()));
        drop(first);
        assert!(!StateFolder::is_in_use(folder.path()));
        StateFolder::open(folder.path(), false).unwrap();
    }

    #[test]
    fn a_state_that_cannot_be_looked_for_is_not_taken_for_absent() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join(".state");
        assert_eq!(recorded_in(&state).unwrap(), None);
        std::os::unix::fs::symlink(&state, &state).unwrap();
        let error = recorded_in(&state).unwrap_err();
        assert!(matches!(error, StoreError::Hidden { .. }), "{error}");
        std::fs::remove_file(&state).unwrap();
        let making = StateFolder::open(&state, false).unwrap();
        assert!(matches!(recorded_in(&state), Err(StoreError::Unmade { .. })));
        std::fs::write(making.database(), "").unwrap();
        assert_eq!(recorded_in(&state).unwrap(), Some(state.join("sweep.db")));
    }

    #[test]
    fn states_set_aside_never_overwrite_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join(".state");
        for n in 1..=2 {
            let aside = StateFolder::open(&state, false).unwrap().set_aside().unwrap();
            assert!(aside.ends_with(format!(".state-{n}")));
            assert!(aside.join("lock").exists());
        }
    }

    #[test]
    fn a_state_that_took_the_place_of_another_is_not_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join(".state");
        let first = StateFolder::open(&state, false).unwrap();
        std::fs::rename(&state, folder.path().join("moved")).unwrap();
        let second = StateFolder::open(&state, false).unwrap();
        let refused = first.set_aside().unwrap_err();
        assert!(matches!(refused, StateFolderError::Replaced { .. }), "{refused}");
        assert!(StateFolder::is_in_use(&state), "the second one works on");
        assert!(second.path().join("lock").exists());
    }

    #[test]
    fn who_waits_while_a_state_is_set_aside_gets_the_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join(".state");
        let first = StateFolder::open(&state, false).unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| StateFolder::open(&state, false));
            std::thread::sleep(Duration::from_millis(50));
            first.set_aside().unwrap();
            let second = waiting.join().unwrap().unwrap();
            assert!(second.lock.is_in_place());
            assert!(StateFolder::is_in_use(&state));
        });
    }
}
