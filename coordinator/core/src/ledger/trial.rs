//! What the core knows of one trial: its status and the attempts spent on it.

use trial::Digest;

use crate::event::CloseCause;
use crate::lease::WorkerId;

/// What is known of a trial before it starts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TrialSpec {
    /// Estimated multiply-adds; 0 if unknown.
    pub cost_macs: f32,
    /// Once it has its result it is trained again and compared.
    pub is_audited: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trial {
    pub status: Status,
    /// Attempts handed out; the last one's number.
    pub n_attempts: u32,
    /// Workers lost while they trained it.
    pub n_suspicions: u32,
    /// Workers lost while they trained it and nothing else.
    pub n_losses_alone: u32,
    /// Failures that workers reported.
    pub n_failures: u32,
    /// Whom the last attempt was handed out to.
    pub last_worker: Option<WorkerId>,
    /// Another attempt was trained to its end and compared with the recorded result.
    pub is_checked: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    #[default]
    Ready,
    Leased,
    Completed {
        digest: Digest,
        /// Who trained it.
        worker: WorkerId,
    },
    Failed,
    Cancelled,
}

impl Status {
    pub fn is_terminal(self) -> bool {
        !matches!(self, Self::Ready | Self::Leased)
    }
}

/// Losses after which a trial is granted alone, so that it takes no other down with it.
const SUSPICIONS_BEFORE_ALONE: u32 = 2;

/// Reported failures after which a trial is not tried again.
pub const FAILURE_LIMIT: u32 = 2;

impl Trial {
    pub fn must_run_alone(&self) -> bool {
        SUSPICIONS_BEFORE_ALONE <= self.n_suspicions
    }

    /// Nothing is held against it.
    pub fn is_unsuspected(&self) -> bool {
        self.n_suspicions == 0 && self.n_failures == 0
    }

    /// Books an attempt that ended without an outcome.
    pub fn book(&mut self, cause: &CloseCause) {
        match cause {
            CloseCause::Lost => self.n_suspicions += 1,
            CloseCause::LostAlone => {
                self.n_suspicions += 1;
                self.n_losses_alone += 1;
            }
            CloseCause::Failed(_) => self.n_failures += 1,
            CloseCause::Checked => self.is_checked = true,
            CloseCause::Released
            | CloseCause::CoordinatorEnded
            | CloseCause::Superseded
            | CloseCause::Stalled => {}
        }
    }

    /// Forgets what was held against the trial; attempt numbers go on growing.
    pub fn reopen(&mut self) {
        let Self { n_attempts, last_worker, .. } = *self;
        *self = Self { n_attempts, last_worker, ..Self::default() };
    }
}
