//! Data sets in the cache folder, named by their SHA-256 and shared by all workers of it. One that
//! is missing or damaged is fetched from the coordinator, from where a broken transfer stopped.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use proto::{GetDatasetRequest, artifacts_client::ArtifactsClient};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use tokio::time;
use tonic::transport::Channel;
use tracing::{info, warn};
use trainer::{DataError, Dataset, PreparedData};

use crate::{
    backoff::{Backoff, random},
    convert::DataSpec,
    faults, files,
    hex::hex,
    off_thread::off_thread,
    troubles::{Kind, Troubles},
};

/// A transfer that is silent for this long is given up and resumed later.
const SILENCE: Duration = Duration::from_secs(30);

/// How often a worker looks whether another one has fetched the data set meanwhile.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

#[derive(Debug, Error)]
enum DataTrouble {
    #[error("{0}")]
    Later(String),
    #[error("{0}")]
    Never(#[from] DataError),
}

impl From<io::Error> for DataTrouble {
    fn from(error: io::Error) -> Self {
        Self::Later(error.to_string())
    }
}

impl From<tonic::Status> for DataTrouble {
    fn from(status: tonic::Status) -> Self {
        Self::Later(status.message().to_string())
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Datasets {
    folder: PathBuf,
}

impl Datasets {
    pub(crate) fn open(cache_dir: &Path) -> io::Result<Self> {
        let folder = cache_dir.join("datasets");
        fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    /// The data ready to train on, from the cache or through `channel`, tried until it is there.
    /// The error says why this build can make nothing of it.
    pub(crate) async fn prepare(
        self,
        spec: DataSpec,
        channel: Channel,
        troubles: Troubles,
    ) -> Result<Arc<PreparedData>, DataError> {
        let mut backoff = Backoff::new();
        loop {
            match self.try_prepare(&spec, channel.clone()).await {
                Ok(prepared) => {
                    troubles.is_over(Kind::DataSet);
                    return Ok(Arc::new(prepared));
                }
                Err(DataTrouble::Never(error)) => return Err(error),
                Err(DataTrouble::Later(text)) => {
                    let folder = self.folder.display();
                    let text = format!("the data set is not in {folder} yet; retrying: {text}");
                    troubles.note(Kind::DataSet, &text);
                    time::sleep(backoff.failed(random())).await;
                }
            }
        }
    }

    async fn try_prepare(
        &self,
        spec: &DataSpec,
        channel: Channel,
    ) -> Result<PreparedData, DataTrouble> {
        let blob = match self.cached(spec).await? {
            Some(blob) => blob,
            None => self.fetch_or_wait(spec, channel).await?,
        };
        let split = spec.split;
        blocking(move || {
            let dataset = Dataset::decode(&blob)?;
            drop(blob);
            Ok(PreparedData::new(&dataset, split)?)
        })
        .await
    }

    fn path(&self, spec: &DataSpec) -> PathBuf {
        self.folder.join(hex(&spec.digest))
    }

    async fn cached(&self, spec: &DataSpec) -> Result<Option<Vec<u8>>, DataTrouble> {
        let (path, digest) = (self.path(spec), spec.digest);
        blocking(move || {
            let blob = read_checked(&path, &digest)?;
            if blob.is_none() && path.exists() {
                warn!("{} is damaged: the data set is fetched again", path.display());
                files::remove(&path)?;
            }
            Ok(blob)
        })
        .await
    }

    /// One worker of this cache folder fetches, the others wait for its file.
    async fn fetch_or_wait(
        &self,
        spec: &DataSpec,
        channel: Channel,
    ) -> Result<Vec<u8>, DataTrouble> {
        let lock = self.folder.join(".lock");
        let lock = File::options().create(true).truncate(false).write(true).open(lock)?;
        while lock.try_lock().is_err() {
            time::sleep(LOOK_AGAIN).await;
        }
        match self.cached(spec).await? {
            Some(blob) => Ok(blob),
            None => self.fetch(spec, channel).await,
        }
    }

    async fn fetch(&self, spec: &DataSpec, channel: Channel) -> Result<Vec<u8>, DataTrouble> {
        let path = self.path(spec);
        let part = path.with_extension("part");
        download(spec, channel, &part).await?;
        let digest = spec.digest;
        let blob = blocking(move || {
            let Some(blob) = read_checked(&part, &digest)? else {
                files::remove(&part)?;
                return Err(DataTrouble::Later(
                    "what arrived has another SHA-256 than announced".into(),
                ));
            };
            faults::point("worker.dataset.part");
            fs::rename(&part, &path)?;
            faults::point("worker.dataset.renamed");
            files::sync_folder_of(&path)?;
            Ok(blob)
        });
        let blob = blob.await?;
        info!("fetched the data set, {} bytes", blob.len());
        Ok(blob)
    }
}

/// Appends to `part` what it lacks, and syncs it.
async fn download(spec: &DataSpec, channel: Channel, part: &Path) -> Result<(), DataTrouble> {
    let mut file = File::options().create(true).append(true).open(part)?;
    let mut offset = file.metadata()?.len();
    if offset > spec.n_bytes {
        file.set_len(0)?;
        offset = 0;
    }
    if offset < spec.n_bytes {
        let mut client =
            ArtifactsClient::new(channel).max_decoding_message_size(proto::MAX_MESSAGE_BYTES);
        let request = GetDatasetRequest { digest: spec.digest.to_vec(), offset };
        let mut chunks = in_time(client.get_dataset(request)).await?.into_inner();
        while let Some(chunk) = in_time(chunks.message()).await? {
            offset += chunk.bytes.len() as u64;
            if offset > spec.n_bytes {
                file.set_len(0)?;
                return Err(DataTrouble::Later("more bytes arrived than announced".into()));
            }
            file.write_all(&chunk.bytes)?;
        }
    }
    file.sync_all()?;
    if offset < spec.n_bytes {
        return Err(DataTrouble::Later(format!("{offset} of {} bytes arrived", spec.n_bytes)));
    }
    Ok(())
}

async fn in_time<T>(
    answer: impl Future<Output = Result<T, tonic::Status>>,
) -> Result<T, DataTrouble> {
    match time::timeout(SILENCE, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(DataTrouble::Later(format!("silence for {} s", SILENCE.as_secs()))),
    }
}

/// The file's bytes if it is there and has the digest.
fn read_checked(path: &Path, digest: &[u8; 32]) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok((Sha256::digest(&bytes).as_slice() == digest).then_some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Runs what takes long off the thread that keeps the session alive.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DataTrouble> + Send + 'static,
) -> Result<T, DataTrouble> {
    match off_thread(work).await {
        Ok(done) => done,
        Err(error) => Err(DataTrouble::Later(error.to_string())),
    }
}
