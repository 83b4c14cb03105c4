//! The local workers: those that have proven that this coordinator started them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use coordinator_core::lease::{SessionId, WorkerId};

/// By the index that each was started with, so that there are never more than were started.
#[derive(Debug, Default)]
pub struct LocalWorkers(Mutex<BTreeMap<u32, LocalWorker>>);

#[derive(Debug)]
struct LocalWorker {
    worker: WorkerId,
    session: SessionId,
    n_calls: u64,
}

impl LocalWorkers {
    /// Takes the place of the former worker of this index.
    pub fn joined(&self, index: u32, worker: WorkerId, session: SessionId) {
        let mut known = self.lock();
        let n_calls = known.get(&index).map_or(0, |former| former.n_calls) + 1;
        known.insert(index, LocalWorker { worker, session, n_calls });
    }

    /// A call of this session came in, whatever becomes of it.
    pub fn called(&self, session: SessionId) {
        let mut known = self.lock();
        if let Some(local) = known.values_mut().find(|local| local.session == session) {
            local.n_calls += 1;
        }
    }

    /// How often the workers of this index were heard.
    pub fn n_calls(&self, index: u32) -> u64 {
        self.lock().get(&index).map_or(0, |local| local.n_calls)
    }

    pub fn have(&self, worker: WorkerId) -> bool {
        self.lock().values().any(|known| known.worker == worker)
    }

    /// Nothing is left half done under this lock.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, LocalWorker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
