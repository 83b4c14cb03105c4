//! Who may move large content, and how many at a time. One rule for every transfer: the right is
//! shown first (a session, or a lease), then a place is waited for, then a pace is kept. So a caller
//! without a right takes nothing from those that have one.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use coordinator_core::lease::WorkerId;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::status::RpcError;

/// Transfers of a kind at the same time. Each holds some hundred kilobytes: two chunks, and what the
/// connection has taken and not yet sent.
pub(super) const MAX_DATASETS: usize = 32;
pub(super) const MAX_CHECKPOINTS_OUT: usize = 8;
pub(super) const MAX_CHECKPOINTS_IN: usize = 8;

/// Transfers of a kind of one worker that sends one checkpoint after the other.
const ONE: usize = 1;

/// How the transfers of a server are paced.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// The message that shows the right, if it is not the call itself.
    pub first: Duration,
    /// For a place, before the caller is told to come back.
    pub place: Duration,
    /// For each chunk.
    pub chunk: Duration,
    /// For a whole call; the next one goes on from what has arrived. Workers wait a little longer, to
    /// hear why.
    pub whole: Duration,
}

impl Pace {
    pub(super) const USUAL: Self = Self {
        first: Duration::from_secs(5),
        place: Duration::from_secs(5),
        chunk: Duration::from_secs(20),
        whole: Duration::from_secs(50),
    };
}

/// The places for transfers of one kind.
#[derive(Clone, Debug)]
pub(super) struct Places {
    places: Arc<Semaphore>,
    max_of_a_worker: usize,
    /// Transfers of each worker, waiting ones too.
    held: Arc<Mutex<BTreeMap<WorkerId, usize>>>,
}

/// A place among the transfers; free again when this is dropped, which must not be before the stream
/// is gone: what was not read takes memory until then.
#[derive(Debug)]
pub(super) struct Place {
    _share: Share,
    _permit: OwnedSemaphorePermit,
}

/// One of the transfers that a worker may have.
#[derive(Debug)]
struct Share {
    places: Places,
    worker: WorkerId,
}

impl Places {
    pub(super) fn of_datasets() -> Self {
        Self::new(MAX_DATASETS, ONE)
    }

    pub(super) fn of_checkpoints_out() -> Self {
        Self::new(MAX_CHECKPOINTS_OUT, proto::MAX_FETCHES_OF_A_WORKER)
    }

    pub(super) fn of_checkpoints_in() -> Self {
        Self::new(MAX_CHECKPOINTS_IN, ONE)
    }

    fn new(n_places: usize, max_of_a_worker: usize) -> Self {
        let places = Arc::new(Semaphore::new(n_places));
        Self { places, max_of_a_worker, held: Arc::default() }
    }

    /// Waits for a place, in the order of those that ask.
    pub(super) async fn take(&self, worker: WorkerId, pace: Pace) -> Result<Place, RpcError> {
        let share = self.share(worker).ok_or(RpcError::Busy)?;
        let permit = timeout(pace.place, self.places.clone().acquire_owned()).await;
        let permit = permit.ok().and_then(Result::ok).ok_or(RpcError::Busy)?;
        Ok(Place { _share: share, _permit: permit })
    }

    fn share(&self, worker: WorkerId) -> Option<Share> {
        let mut held = self.held();
        let n_held = held.entry(worker).or_default();
        if *n_held >= self.max_of_a_worker {
            return None;
        }
        *n_held += 1;
        Some(Share { places: self.clone(), worker })
    }

    /// Places that nobody holds.
    #[cfg(test)]
    pub(super) fn n_free(&self) -> usize {
        self.places.available_permits()
    }

    /// Nothing is left half done under this lock.
    fn held(&self) -> MutexGuard<'_, BTreeMap<WorkerId, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.places.held();
        if let Some(n_held) = held.get_mut(&self.worker) {
            *n_held -= 1;
            if *n_held == 0 {
                held.remove(&self.worker);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { place: Duration::from_millis(10), ..Pace::USUAL };

    fn worker(id: u8) -> WorkerId {
        WorkerId([id; 16])
    }

    #[tokio::test]
    async fn a_worker_takes_its_share_and_no_more() {
        let places = Places::new(3, 2);
        let first = places.take(worker(1), PACE).await.unwrap();
        let _second = places.take(worker(1), PACE).await.unwrap();
        assert!(matches!(places.take(worker(1), PACE).await, Err(RpcError::Busy)));
        let _other = places.take(worker(2), PACE).await.unwrap();
        assert!(matches!(places.take(worker(3), PACE).await, Err(RpcError::Busy)), "all are taken");
        drop(first);
        let _third = places.take(worker(3), PACE).await.unwrap();
    }

    #[tokio::test]
    async fn whoever_leaves_is_forgotten() {
        let places = Places::new(1, 1);
        for id in 0..100 {
            drop(places.take(worker(id), PACE).await.unwrap());
        }
        let _place = places.take(worker(7), PACE).await.unwrap();
        assert!(places.take(worker(8), PACE).await.is_err());
        assert_eq!(places.held().keys().collect::<Vec<_>>(), [&worker(7)]);
    }
}
