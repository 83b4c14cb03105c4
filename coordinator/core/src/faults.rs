//! Bugs that tests plant in the core to see that they are caught, in builds with the feature
//! `faults` alone; in others no core has a bug.

use crate::time::Millis;

/// One bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// An attempt number is handed out again.
    AttemptReused,
    /// What a drained worker hands back counts as lost.
    DrainIsLoss,
    /// A second result takes the first one's place.
    DuplicateOverwrites,
    /// A trial that failed once is closed and not queued.
    FailureWithoutRequeue,
    /// Results of attempts that are not current are refused.
    LateResultRefused,
    /// Losses and failures are not booked.
    LossesUncounted,
    /// Grants of a lost reply are not sent again.
    LostGrantNotResent,
    /// Whoever held a lease once may report a failure.
    NoFencing,
    /// Local trials of a former coordinator count as lost.
    RestartIsLoss,
    /// A suspended machine takes its workers for silent.
    SleepIsSilence,
    /// Whoever held a lease once may publish a checkpoint.
    StaleCheckpoint,
    /// Leases end by the time of day.
    WallClockInLease,
}

#[cfg(feature = "faults")]
impl Bug {
    pub const ALL: [Self; 12] = [
        Self::AttemptReused,
        Self::DrainIsLoss,
        Self::DuplicateOverwrites,
        Self::FailureWithoutRequeue,
        Self::LateResultRefused,
        Self::LossesUncounted,
        Self::LostGrantNotResent,
        Self::NoFencing,
        Self::RestartIsLoss,
        Self::SleepIsSilence,
        Self::StaleCheckpoint,
        Self::WallClockInLease,
    ];
}

#[cfg(feature = "faults")]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Bug>> = const { std::cell::Cell::new(None) };
}

/// Every core that this thread makes from now on has this bug.
#[cfg(feature = "faults")]
pub fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}

#[cfg(feature = "faults")]
pub(crate) fn planted() -> Option<Bug> {
    PLANTED.get()
}

/// For the bug that reads it.
#[cfg(feature = "faults")]
#[expect(clippy::disallowed_methods, reason = "that it is banned is why this is a bug")]
pub(crate) fn wall_clock() -> Millis {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Millis(since.map_or(0, |since| since.as_millis() as u64))
}

/// Never read, since no core has the bug.
#[cfg(not(feature = "faults"))]
pub(crate) const fn wall_clock() -> Millis {
    Millis(0)
}
