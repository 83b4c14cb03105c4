//! What a slot is given, what it shares with the others, and what it tells.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use proto::Timing;
use trainer::{Isa, PreparedData, TrainConfig, TrialResult};

use crate::agent::TrialId;
use crate::agent::{Job, Progress};
use crate::disk::checkpoints::Checkpoints;
use crate::memory::Memory;
use crate::slots::cores::Cores;

/// Messages from slots that may wait to be read; a slot that finds no room waits.
pub(crate) const MAX_MESSAGES: usize = 1024;

/// One trial to train.
pub(crate) struct Task {
    pub(crate) job: Job,
    pub(crate) trial_id: TrialId,
    pub(crate) attempt: u32,
    pub(crate) config: TrainConfig,
    pub(crate) data: Arc<PreparedData>,
}

/// What a slot tells the session.
pub(crate) enum Message {
    EpochDone(Job, Progress),
    /// A checkpoint was written.
    Saved(Job),
    Ended(Job, Box<Outcome>),
    /// Stopped, with or without a checkpoint.
    Left(Job),
    /// A slot's thread is dead, by the panic whose text this is, and its job is in no hands.
    Died(String),
}

pub(crate) struct Outcome {
    /// The error is the failure's text.
    pub(crate) result: Result<TrialResult, String>,
    pub(crate) timings: Vec<Timing>,
    /// Of this attempt, from the grant's start on.
    pub(crate) wall_s: f64,
}

/// What every slot of this worker shares.
pub(crate) struct Shared {
    pub(crate) worker_name: String,
    pub(crate) isa: Isa,
    pub(crate) checkpoints: Checkpoints,
    /// Training between two checkpoints of a trial; shorter trials write none.
    pub(crate) checkpoint_every: Duration,
    /// `None`: slots run unpinned.
    pub(crate) cores: Option<Cores>,
    pub(crate) n_busy: AtomicU32,
    pub(crate) memory: Memory,
}

/// What the session wants of a running task.
#[derive(Default)]
pub(crate) struct StopFlags {
    pub(crate) stop: AtomicBool,
    pub(crate) leave_at_epoch_end: AtomicBool,
    /// Grows with each step that the slot does.
    pub(crate) pulse: Arc<AtomicU64>,
}

impl StopFlags {
    /// The slot has done something.
    pub(crate) fn beat(&self) {
        self.pulse.fetch_add(1, Ordering::Relaxed);
    }
}
