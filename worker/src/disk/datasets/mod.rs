//! Data sets in the cache folder, named by their SHA-256 and shared by all workers of it. One that
//! is missing or damaged is fetched from the coordinator, from where a broken transfer stopped.

pub mod cache_clock;
mod download;
mod own_part;
mod stillness;
pub mod trouble;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::time::{self, Instant};
use tracing::{info, warn};
use trainer::{DataError, Dataset, PreparedData};
use trial::Digest;
use trial::wording::span;

use self::download::download;
use self::own_part::OwnPart;
use self::stillness::Stillness;
use crate::disk::datasets::trouble::DataTrouble;
use crate::disk::device::Disk;
use crate::disk::files;
use crate::disk::locks::{Lock, Mode};
use crate::disk::size::size_text;
use crate::disk::upkeep::Upkeep;
use crate::disk::upkeep::inventory::fetch_lock;
use crate::link::Artifacts;
use crate::link::backoff::{Backoff, random};
use crate::link::convert::DataSpec;
use crate::logging::short_id::short_id;
use crate::session::troubles::{Kind, Troubles};

/// How often a worker looks whether another one has fetched the data set meanwhile.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What goes on for long is told again after this long.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Another worker that fetches is waited for this long before a word is said.
const WAIT_UNTOLD: Duration = Duration::from_secs(2);

/// As often as this, what a coordinator sent may have another SHA-256 than it announced.
const MAX_WRONG: u32 = 3;

/// Why a worker cannot use a sweep's data. Trying again would not help.
#[derive(Debug, Error)]
pub(crate) enum DataRefusal {
    #[error("the data set cannot be used: {0}")]
    Unusable(#[from] DataError),
    #[error(
        "the coordinator's data set takes {}, expected at most {}; start the worker with a larger --max-dataset if that is right",
        size_text(*.n_bytes),
        size_text(*.max_bytes)
    )]
    TooLarge { n_bytes: u64, max_bytes: u64 },
    #[error(
        "the coordinator's data set has another SHA-256 than it announces, {MAX_WRONG} times in a row; build the coordinator and its data again"
    )]
    Wrong,
}

/// Data that is ready to train on. Its file is not taken away while this is held.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) data: Arc<PreparedData>,
    _in_use: Option<Lock>,
}

/// A data set's bytes, and the lock that keeps its file in the cache, if it is there.
type Blob = (Vec<u8>, Option<Lock>);

#[derive(Clone, Debug)]
pub(crate) struct Datasets {
    folder: PathBuf,
    upkeep: Upkeep,
    disk: Disk,
    /// What was told of the folder and need not be told with every try.
    told: Arc<Mutex<BTreeSet<String>>>,
    /// Parts of this process alone, by the digest of their data set.
    own_parts: Arc<Mutex<BTreeMap<Digest, OwnPart>>>,
}

impl Datasets {
    pub(crate) fn open(upkeep: &Upkeep, disk: &Disk) -> io::Result<Self> {
        let folder = upkeep.cache_dir().join("datasets");
        files::make_folder(&folder)?;
        let (upkeep, disk) = (upkeep.clone(), disk.clone());
        Ok(Self { folder, upkeep, disk, told: Arc::default(), own_parts: Arc::default() })
    }

    /// The data ready to train on, from the cache or through `artifacts`, tried until it is there.
    pub(crate) async fn prepare(
        self,
        spec: DataSpec,
        artifacts: Artifacts,
        troubles: Troubles,
    ) -> Result<Prepared, DataRefusal> {
        let max_bytes = self.upkeep.limits().max_dataset_bytes;
        if spec.n_bytes > max_bytes {
            return Err(DataRefusal::TooLarge { n_bytes: spec.n_bytes, max_bytes });
        }
        let mut backoff = Backoff::new();
        let mut n_wrong = 0;
        loop {
            let trouble = match self.try_prepare(&spec, artifacts.clone()).await {
                Ok(prepared) => {
                    troubles.is_over(Kind::DataSet);
                    return Ok(prepared);
                }
                Err(DataTrouble::Never(error)) => return Err(error.into()),
                Err(trouble) => trouble,
            };
            n_wrong = if matches!(trouble, DataTrouble::Wrong) { n_wrong + 1 } else { 0 };
            if n_wrong >= MAX_WRONG {
                return Err(DataRefusal::Wrong);
            }
            let folder = self.folder.display();
            let text = format!("the data set is not in {folder} yet; retrying: {trouble}");
            troubles.note(Kind::DataSet, &text);
            time::sleep(backoff.failed(random())).await;
        }
    }

    async fn try_prepare(
        &self,
        spec: &DataSpec,
        artifacts: Artifacts,
    ) -> Result<Prepared, DataTrouble> {
        let (blob, in_use) = match self.cached(spec).await? {
            Some(blob) => blob,
            None => self.fetch_or_wait(spec, artifacts).await?,
        };
        let split = spec.split;
        self.blocking(move || {
            let dataset = Dataset::decode(&blob)?;
            drop(blob);
            let data = Arc::new(PreparedData::new(&dataset, split)?);
            Ok(Prepared { data, _in_use: in_use })
        })
        .await
    }

    fn path(&self, spec: &DataSpec) -> PathBuf {
        self.folder.join(spec.digest.to_string())
    }

    /// The data set if the cache has it whole. What cannot be read is as if it was not there.
    async fn cached(&self, spec: &DataSpec) -> Result<Option<Blob>, DataTrouble> {
        let (path, spec, datasets) = (self.path(spec), spec.clone(), self.clone());
        self.blocking(move || {
            if path.symlink_metadata().is_err() {
                return Ok(None);
            }
            let in_use = Lock::try_take_existing(&path, Mode::Shared).ok().flatten();
            match read_checked(&path, &spec) {
                Ok(Some(bytes)) => {
                    datasets.upkeep.touch(&path);
                    // What came of it to this process alone is not needed.
                    datasets.own_parts().remove(&spec.digest);
                    return Ok(Some((bytes, in_use)));
                }
                Ok(None) => {
                    warn!("{} is damaged: the data set is fetched again", path.display());
                    files::remove(&path)?;
                }
                Err(error) => datasets.tell_once(format!("a data set is fetched again: {error}")),
            }
            Ok(None)
        })
        .await
    }

    /// One worker of this cache folder fetches a data set, the others wait for its file.
    async fn fetch_or_wait(
        &self,
        spec: &DataSpec,
        artifacts: Artifacts,
    ) -> Result<Blob, DataTrouble> {
        let lock = self.fetching(spec).await;
        if lock.is_some()
            && let Some(blob) = self.cached(spec).await?
        {
            return Ok(blob);
        }
        let fetched = self.fetch(spec, artifacts, lock.is_some()).await;
        if let Some(lock) = lock {
            let _ = lock.remove();
        }
        fetched
    }

    /// The right to fetch a data set, once no other worker has it; `None` where the folder has no
    /// locks or is another user's, and where the other worker stands still.
    async fn fetching(&self, spec: &DataSpec) -> Option<Lock> {
        let path = fetch_lock(&self.path(spec));
        let (began, mut tell_after) = (Instant::now(), WAIT_UNTOLD);
        let mut stillness = Stillness::new(began);
        loop {
            match Lock::try_take(&path, Mode::Exclusive) {
                Ok(Some(lock)) => return Some(lock),
                Ok(None) => {}
                Err(error) => {
                    self.tell_once(format!("other workers may fetch the data set too: {error}"));
                    return None;
                }
            }
            let waited = began.elapsed();
            let n_there = fs::metadata(self.part(spec)).map_or(0, |it| it.len());
            if stillness.is_too_long(n_there, Instant::now()) {
                let path = path.display();
                self.tell_once(format!(
                    "not waiting any longer for the worker that holds {path}: nothing moves"
                ));
                return None;
            }
            if waited >= tell_after {
                tell_after += TELL_EVERY;
                info!(
                    "waiting for {} until another worker has fetched data set {}: {} of {} are there ({})",
                    span(waited),
                    short_id(&spec.digest.0),
                    size_text(n_there),
                    size_text(spec.n_bytes),
                    path.display()
                );
            }
            time::sleep(LOOK_AGAIN).await;
        }
    }

    fn tell_once(&self, text: String) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if !told.contains(&text) {
            warn!("{text}");
            told.insert(text);
        }
    }

    fn part(&self, spec: &DataSpec) -> PathBuf {
        self.path(spec).with_extension("part")
    }

    /// The part that this process goes on with, try after try.
    fn own_part(&self, spec: &DataSpec) -> io::Result<PathBuf> {
        let mut own_parts = self.own_parts();
        if let Some(part) = own_parts.get(&spec.digest).filter(|part| part.is_in_place()) {
            return Ok(part.path().into());
        }
        let part = OwnPart::beside(&self.path(spec))?;
        let path = part.path().into();
        own_parts.insert(spec.digest, part);
        Ok(path)
    }

    fn own_parts(&self) -> MutexGuard<'_, BTreeMap<Digest, OwnPart>> {
        self.own_parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetch(
        &self,
        spec: &DataSpec,
        artifacts: Artifacts,
        is_alone: bool,
    ) -> Result<Blob, DataTrouble> {
        let usual = self.part(spec);
        // Another worker may write to the usual one, or something else may be in its place.
        let is_ours = is_alone && (fs::symlink_metadata(&usual).is_err() || is_writable(&usual));
        let own = if is_ours { usual } else { self.own_part(spec)? };
        download(&self.upkeep, spec, artifacts, &own).await?;
        let own_part = self.own_parts().remove(&spec.digest);
        let (path, spec, upkeep) = (self.path(spec), spec.clone(), self.upkeep.clone());
        let fetched = self.blocking(move || {
            let Some(bytes) = read_checked(&own, &spec)? else {
                files::remove(&own)?;
                return Err(DataTrouble::Wrong);
            };
            faults::point("worker.dataset.part");
            // One that is left from before the usual part was free goes.
            if let Some(own_part) = own_part.filter(|part| part.path() == own) {
                own_part.let_go();
            }
            let in_use = keep(&own, &path, &upkeep);
            faults::point("worker.dataset.renamed");
            Ok((bytes, in_use))
        });
        let blob = fetched.await?;
        info!("fetched the data set, {}", size_text(blob.0.len() as u64));
        Ok(blob)
    }

    /// Runs what takes long off the thread that keeps the session alive.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, DataTrouble> + Send + 'static,
    ) -> Result<T, DataTrouble> {
        match self.disk.work(work).await {
            Ok(done) => done,
            Err(error) => Err(DataTrouble::Later(error.to_string())),
        }
    }
}

fn is_writable(path: &Path) -> bool {
    files::open(path, File::options().append(true)).is_ok()
}

/// Gives a data set its name in the cache. Without it, it has to be fetched the next time as well.
fn keep(part: &Path, path: &Path, upkeep: &Upkeep) -> Option<Lock> {
    let kept = fs::rename(part, path).and_then(|()| files::sync_folder_of(path));
    if let Err(error) = kept {
        warn!("cannot keep the data set as {}: {error}", path.display());
        let _ = files::remove(part);
        return None;
    }
    upkeep.touch(path);
    let in_use = Lock::try_take_existing(path, Mode::Shared).ok().flatten();
    upkeep.tidy();
    in_use
}

/// The file's bytes if they are there and have the digest.
fn read_checked(path: &Path, spec: &DataSpec) -> io::Result<Option<Vec<u8>>> {
    let bytes = files::read(path, spec.n_bytes)?;
    Ok(bytes.filter(|bytes| Digest::of(bytes) == spec.digest))
}
