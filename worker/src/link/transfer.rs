//! Checkpoints between this worker and the coordinator, on a connection of their own. A transfer
//! that breaks goes on where it stopped; one that cannot be mended costs time and nothing else.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use proto::put_checkpoint_request::Part;
use proto::{Announcement, Checkpoint, GetCheckpointRequest, Lease, PutCheckpointRequest};
use tokio::sync::Semaphore;
use tokio::time;
use tokio::time::Instant;
use tonic::{Code, Status};
use tracing::{debug, info};

use crate::agent::TrialId;
use crate::disk::checkpoints::{Checkpoints, Sealed};
use crate::link::backoff::{Backoff, random};
use crate::link::{Artifacts, explain};
use crate::logging::short_id::short_id;

/// Calls in vain, one after the other, after which a transfer is given up.
const MAX_VAIN_CALLS: u32 = 5;

/// A coordinator whose places are all taken is not called in vain: it asks for patience, and others
/// move meanwhile. Only when nothing of a transfer has moved for this long is it given up.
const BUSY_WITHIN: Duration = Duration::from_secs(600);

/// The line of this worker's fetches: as many at a time as the coordinator serves one worker, so that
/// what many slots have to fetch also needs no more memory.
#[derive(Clone)]
pub(crate) struct FetchLine {
    places: Arc<Semaphore>,
    moved_at: Arc<Mutex<Instant>>,
}

impl Default for FetchLine {
    fn default() -> Self {
        let places = Arc::new(Semaphore::new(proto::MAX_FETCHES_OF_A_WORKER));
        Self { places, moved_at: Arc::new(Mutex::new(Instant::now())) }
    }
}

impl FetchLine {
    /// When bytes of a fetch last arrived, or the coordinator said that it is busy. Until then all
    /// that wait in the line got on.
    pub(crate) fn moved_at(&self) -> Instant {
        *self.lock()
    }

    fn moves(&self) {
        *self.lock() = Instant::now();
    }

    /// Nothing is left half done under this lock.
    fn lock(&self) -> MutexGuard<'_, Instant> {
        self.moved_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The longest that one call may take; what it moved until then is not moved again.
const CALL_DEADLINE: Duration = Duration::from_secs(60);

/// Publishes what there is of the lease's trial.
pub(crate) async fn publish(artifacts: Artifacts, checkpoints: Checkpoints, lease: Lease) {
    let Ok(trial_id) = TrialId::try_from(lease.trial_id.as_slice()) else { return };
    let own = checkpoints.clone();
    let repeats = checkpoints.repeats();
    let sealed = checkpoints.disk().work(move || own.sealed(&trial_id)).await;
    let Ok(Some(sealed)) = sealed else { return };
    let trial = short_id(trial_id.bytes());
    if sealed.bytes.len() as u64 > proto::MAX_CHECKPOINT_BYTES {
        return debug!("trial {trial}: its checkpoint is too large to be published");
    }
    let epoch = sealed.epoch;
    faults::point("worker.checkpoint.before_publish");
    match put(&artifacts, &lease, &sealed).await {
        Ok(()) => {
            info!("trial {trial}: published the checkpoint of epoch {epoch}");
            faults::point("worker.checkpoint.published");
        }
        Err(status) => {
            let line =
                format!("trial {trial}: its checkpoint was not published: {}", explain(&status));
            repeats.info("checkpoints not published", line);
        }
    }
}

/// Brings this worker's checkpoint of a trial up to the first of `published` that is whole,
/// unless its own has come as far.
pub(crate) async fn fetch(
    line: FetchLine,
    artifacts: Artifacts,
    checkpoints: Checkpoints,
    trial_id: TrialId,
    published: Vec<Checkpoint>,
) {
    let trial = short_id(trial_id.bytes());
    let (own, repeats) = (checkpoints.clone(), checkpoints.repeats());
    let own_epoch = checkpoints.disk().work(move || own.epoch(&trial_id)).await;
    let Ok(own_epoch) = own_epoch else { return };
    for checkpoint in published.into_iter().filter(|it| own_epoch < it.epoch) {
        let (own, epoch) = (checkpoints.clone(), checkpoint.epoch);
        let bytes = match get(&line, &artifacts, &trial_id, &checkpoint).await {
            Ok(bytes) => bytes,
            Err(status) => {
                let line =
                    format!("trial {trial}: no checkpoint of epoch {epoch}: {}", explain(&status));
                repeats.warn("checkpoints not fetched", line);
                continue;
            }
        };
        faults::point("worker.checkpoint.fetched");
        let adopt = move || own.adopt(&trial_id, &checkpoint.digest, &bytes);
        let adopted = checkpoints.disk().work(adopt).await;
        match adopted.map_err(std::io::Error::other).flatten() {
            Ok(true) => {
                faults::point("worker.checkpoint.adopted");
                let line = format!("trial {trial}: fetched the checkpoint of epoch {epoch}");
                return repeats.info("fetched checkpoints", line);
            }
            Ok(false) => {
                let line =
                    format!("trial {trial}: the checkpoint of epoch {epoch} arrived damaged");
                repeats.warn("checkpoints that arrived damaged", line);
            }
            Err(error) => {
                let line = format!("trial {trial}: cannot keep a checkpoint: {error}");
                repeats.warn("checkpoints not kept", line);
            }
        }
    }
}

async fn put(artifacts: &Artifacts, lease: &Lease, sealed: &Sealed) -> Result<(), Status> {
    let (mut patience, mut n_there) = (Patience::new(), 0);
    loop {
        match try_put(artifacts, lease, sealed, &mut n_there).await {
            Ok(()) => return Ok(()),
            Err(status) => patience.after(status, n_there).await?,
        }
    }
}

/// Asks how much is there, and sends the rest.
async fn try_put(
    artifacts: &Artifacts,
    lease: &Lease,
    sealed: &Sealed,
    n_there: &mut u64,
) -> Result<(), Status> {
    let n_bytes = sealed.bytes.len() as u64;
    let checkpoint = Checkpoint { digest: sealed.digest.to_vec(), n_bytes, epoch: sealed.epoch };
    let announcement =
        Announcement { lease: Some(lease.clone()), checkpoint: Some(checkpoint), offset: 0 };
    let offset = send(artifacts, announcement.clone(), Bytes::new()).await?;
    *n_there = offset;
    if offset == n_bytes {
        return Ok(());
    }
    let at = usize::try_from(offset).ok().filter(|&at| at < sealed.bytes.len());
    let rest = at.map(|at| sealed.bytes.slice(at..));
    let rest = rest.ok_or_else(|| Status::aborted("more bytes are there than were sent"))?;
    match send(artifacts, Announcement { offset, ..announcement }, rest).await? {
        there if there == n_bytes => Ok(()),
        there => Err(Status::aborted(format!("{there} of {n_bytes} bytes arrived"))),
    }
}

/// One call; gives how many bytes are there at its end.
async fn send(
    artifacts: &Artifacts,
    announcement: Announcement,
    rest: Bytes,
) -> Result<u64, Status> {
    let message = |part| PutCheckpointRequest { part: Some(part) };
    let first = message(Part::Announcement(announcement));
    let n_chunks = rest.len().div_ceil(proto::CHUNK_BYTES);
    let chunks = (0..n_chunks).map(move |index| {
        let from = index * proto::CHUNK_BYTES;
        let to = rest.len().min(from + proto::CHUNK_BYTES);
        message(Part::Bytes(rest[from..to].to_vec()))
    });
    let messages = tokio_stream::iter(std::iter::once(first).chain(chunks));
    let mut client = artifacts.client();
    Ok(in_time(client.put_checkpoint(messages)).await?.into_inner().n_bytes)
}

async fn get(
    line: &FetchLine,
    artifacts: &Artifacts,
    trial_id: &TrialId,
    checkpoint: &Checkpoint,
) -> Result<Vec<u8>, Status> {
    let _place = line.places.acquire().await.map_err(|_| Status::cancelled("the worker ends"))?;
    let mut patience = Patience::new();
    let mut bytes = Vec::new();
    loop {
        match in_time(try_get(line, artifacts, trial_id, checkpoint, &mut bytes)).await {
            Ok(()) => return Ok(bytes),
            Err(status) => {
                if is_busy(status.code()) {
                    line.moves();
                }
                patience.after(status, bytes.len() as u64).await?;
            }
        }
    }
}

/// Adds what `bytes` lacks.
async fn try_get(
    line: &FetchLine,
    artifacts: &Artifacts,
    trial_id: &TrialId,
    checkpoint: &Checkpoint,
    bytes: &mut Vec<u8>,
) -> Result<(), Status> {
    let Checkpoint { digest, n_bytes, .. } = checkpoint.clone();
    if proto::MAX_CHECKPOINT_BYTES < n_bytes {
        return Err(Status::invalid_argument(format!("{n_bytes} bytes are too many")));
    }
    let offset = bytes.len() as u64;
    let request = GetCheckpointRequest {
        trial_id: trial_id.bytes().to_vec(),
        digest,
        offset,
        session: artifacts.session(),
    };
    let mut chunks = artifacts.client().get_checkpoint(request).await?.into_inner();
    while let Some(chunk) = chunks.message().await? {
        line.moves();
        bytes.extend(chunk.bytes);
        if n_bytes < bytes.len() as u64 {
            bytes.clear();
            return Err(Status::aborted("more bytes arrived than announced"));
        }
    }
    match bytes.len() as u64 {
        there if there == n_bytes => Ok(()),
        there => Err(Status::aborted(format!("{there} of {n_bytes} bytes arrived"))),
    }
}

async fn in_time<T>(call: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    let too_late = |_| Status::deadline_exceeded("it took too long");
    time::timeout(CALL_DEADLINE, call).await.map_err(too_late)?
}

/// The coordinator has no place for the transfer yet.
fn is_busy(code: Code) -> bool {
    code == Code::ResourceExhausted
}

/// How long a transfer goes on trying.
struct Patience {
    backoff: Backoff,
    n_vain: u32,
    /// The most bytes that were there after a call, and since when.
    n_bytes: u64,
    moved_at: Instant,
}

impl Patience {
    fn new() -> Self {
        Self { backoff: Backoff::new(), n_vain: 0, n_bytes: 0, moved_at: Instant::now() }
    }

    /// Waits before the next call; gives the status back when there is to be none.
    async fn after(&mut self, status: Status, n_bytes: u64) -> Result<(), Status> {
        let pause = self.pause(status.code(), n_bytes, Instant::now());
        time::sleep(pause.ok_or(status)?).await;
        Ok(())
    }

    /// The wait before the next call. A call after which more bytes are there was not in vain, nor is
    /// one that found the coordinator busy.
    fn pause(&mut self, code: Code, n_bytes: u64, now: Instant) -> Option<Duration> {
        if self.n_bytes < n_bytes {
            (self.n_bytes, self.n_vain, self.moved_at) = (n_bytes, 0, now);
            self.backoff.succeeded();
        }
        let is_final = matches!(
            code,
            Code::NotFound
                | Code::InvalidArgument
                | Code::FailedPrecondition
                | Code::PermissionDenied
                | Code::Unimplemented
        );
        let is_enough = if is_busy(code) {
            now.duration_since(self.moved_at) >= BUSY_WITHIN
        } else {
            self.n_vain += 1;
            self.n_vain >= MAX_VAIN_CALLS
        };
        let pause = self.backoff.failed(random());
        (!is_final && !is_enough).then_some(pause)
    }
}

#[cfg(test)]
mod tests;
