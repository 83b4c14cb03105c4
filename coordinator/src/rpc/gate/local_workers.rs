//! The local workers: those that have proven that this coordinator started them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use coordinator_core::lease::WorkerId;

/// By the index that each was started with, so that there are never more than were started.
#[derive(Debug, Default)]
pub struct LocalWorkers(Mutex<BTreeMap<u32, WorkerId>>);

impl LocalWorkers {
    /// Takes the place of the former worker of this index.
    pub fn joined(&self, index: u32, worker: WorkerId) {
        self.lock().insert(index, worker);
    }

    pub fn have(&self, worker: WorkerId) -> bool {
        self.lock().values().any(|known| *known == worker)
    }

    /// Nothing is left half done under this lock.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, WorkerId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
