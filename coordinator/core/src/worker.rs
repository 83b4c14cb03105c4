//! What the core knows of one worker: its session, its leases and until when it is believed alive.

use std::collections::BTreeMap;

use crate::{
    event::WorkerFacts,
    lease::{OpenLease, SessionId, TrialIndex},
    time::Millis,
};

#[derive(Clone, Debug)]
pub struct Worker {
    /// `None` after a restart of the coordinator until the worker joins again.
    pub session: Option<SessionId>,
    pub facts: Option<WorkerFacts>,
    /// Without a Sync until then the worker is lost.
    pub deadline: Millis,
    pub leases: BTreeMap<TrialIndex, HeldLease>,
    /// The answer to its last Sync was `Finished`.
    pub was_told_finished: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeldLease {
    pub open: OpenLease,
    /// The reply that carried the grant; sent again until the worker has seen it.
    pub granted_in_seq: u64,
    pub n_epochs_done: u32,
    pub valid_accuracy: f64,
}

impl HeldLease {
    pub fn new(open: OpenLease, granted_in_seq: u64) -> Self {
        Self { open, granted_in_seq, n_epochs_done: 0, valid_accuracy: 0.0 }
    }
}

impl Worker {
    pub fn new(deadline: Millis) -> Self {
        Self {
            session: None,
            facts: None,
            deadline,
            leases: BTreeMap::new(),
            was_told_finished: false,
        }
    }

    /// For people.
    pub fn name(&self) -> String {
        self.facts.as_ref().map_or_else(|| "a worker".into(), |facts| facts.name.clone())
    }

    pub fn is_local(&self) -> bool {
        self.facts.as_ref().is_some_and(|facts| facts.local_index.is_some())
    }

    pub fn trains_alone(&self) -> bool {
        self.leases.values().any(|held| held.open.alone)
    }
}
