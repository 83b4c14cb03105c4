//! What every call needs to know of the sweep.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use coordinator_core::lease::TrialIndex;
use tokio::sync::watch;
use trial::{Digest, Measure, TrialId};
use worker::parts::{Disk, Repeats};

use crate::cli::run_config::LeaseTiming;
use crate::placement::token::LocalToken;
use crate::rpc::gate::local_workers::LocalWorkers;
use crate::run::plan_index::PlanIndex;
use crate::store::CheckpointFiles;

/// What every call needs to know of the sweep; but for the plan index, fixed for its whole run.
#[derive(Debug)]
pub struct Sweep {
    /// The latest one.
    pub plan_index: watch::Receiver<Arc<PlanIndex>>,
    /// The data set's canonical bytes.
    pub blob: Bytes,
    pub checkpoints: Arc<CheckpointFiles>,
    /// Where the checkpoints lie.
    pub disk: Disk,
    pub term: u64,
    pub state_id: [u8; 16],
    pub lease: LeaseTiming,
    /// What this build's self-test gives; a worker whose differs would train other bits.
    pub selftest_digest: Digest,
    /// What a child process of this coordinator was handed, to prove that it is one.
    pub local_token: LocalToken,
    /// Share of the most frequent class among the rows that validate, from 0 to 1.
    pub largest_valid_share: f64,
    /// What trials measure with each epoch.
    pub measures: Arc<[Measure]>,
    /// Where what workers do wrong is told.
    pub repeats: Arc<Repeats>,
    /// Turns true once one of this coordinator's own workers has joined.
    pub local_joined: Arc<AtomicBool>,
    pub local_workers: Arc<LocalWorkers>,
}

impl Sweep {
    pub fn plan_index(&self) -> Arc<PlanIndex> {
        self.plan_index.borrow().clone()
    }

    pub fn trial_id(&self, trial: TrialIndex) -> TrialId {
        self.plan_index.borrow().plan.trials[trial.index()].id
    }
}
