//! What each worker is at.

use coordinator_core::fleet::worker::{HeldLease, Place, Worker};

use crate::view::snapshot::WorkerLoad;

/// What a worker trains now, no more than it has slots. What it was granted in advance waits there for
/// one of them, and may have had it before the worker says so.
pub fn in_slots(worker: &Worker) -> Vec<&HeldLease> {
    let mut held: Vec<&HeldLease> = worker.leases.values().collect();
    let rank = |held: &&HeldLease| (held.started.is_none(), held.place == Place::Queue);
    held.sort_by_key(rank);
    held.truncate(worker.n_slots());
    held
}

pub fn worker_load(worker: &Worker) -> Option<WorkerLoad> {
    worker.session?;
    let facts = worker.facts.as_ref()?;
    Some(WorkerLoad {
        name: facts.name.clone(),
        n_busy: in_slots(worker).len(),
        n_slots: facts.n_slots as usize,
    })
}
