//! How often the attempts at a trial have stalled, and whose.

use std::collections::BTreeMap;

use crate::lease::WorkerId;
use crate::limits::{MAX_STALLERS, PATIENT_AFTER};
use crate::time::Millis;

/// Attempts at a trial that stalled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stalls {
    /// How often each worker's did.
    by: BTreeMap<WorkerId, u32>,
    /// When one was last taken back, how many were, and the number of the last of them.
    pub(crate) taken_back: Millis,
    pub(crate) n_taken_back: u32,
    pub(crate) last_attempt: u32,
}

impl Stalls {
    pub(crate) fn note(&mut self, worker: WorkerId) {
        if self.by.len() >= MAX_STALLERS && !self.by.contains_key(&worker) {
            self.by.pop_first();
        }
        let n = self.by.entry(worker).or_default();
        *n = n.saturating_add(1);
    }

    pub(crate) fn workers(&self) -> impl Iterator<Item = WorkerId> + '_ {
        self.by.keys().copied()
    }

    pub(crate) fn is_by(&self, worker: WorkerId) -> bool {
        self.by.contains_key(&worker)
    }

    /// Workers beyond those that may stall without a consequence.
    pub(crate) fn n_workers_beyond(&self) -> u32 {
        u32::try_from(self.by.len()).unwrap_or(u32::MAX).saturating_sub(PATIENT_AFTER)
    }

    /// Stalls of one worker beyond those that have no consequence.
    pub(crate) fn n_beyond(&self, worker: WorkerId) -> u32 {
        self.by.get(&worker).map_or(0, |n| n.saturating_sub(PATIENT_AFTER))
    }
}
