//! The health of a worker: a machine that fails one trial after another would run through the whole
//! queue in no time, so it is held back, longer each time, and then quarantined. So is one whose
//! processes are lost with their trials again and again.

use crate::lease::TrialIndex;
use crate::time::Millis;

/// Different trials in a row that a healthy machine does not fail.
const FAILED_IN_A_ROW: usize = 3;

/// How long a worker is held back; after the last of them comes the quarantine.
const HOLDS_MS: [u64; 2] = [10_000, 40_000];

/// Processes in a row that were lost with trials. A trial that kills them all has failed before.
const LOST_IN_A_ROW: u32 = 6;

/// Times in a row that a worker lets go of what it was not asked for.
const SHIRKED_IN_A_ROW: u32 = 3;

/// Attempts in a row that stall.
const STALLED_IN_A_ROW: u32 = 2;

#[derive(Clone, Debug, Default)]
pub struct Health {
    /// Different trials that failed since the last one that did not.
    failed: Vec<TrialIndex>,
    n_holds: usize,
    held_until: Option<Millis>,
    /// Processes of the worker that were lost with trials since the last trial that ended well.
    n_lost: u32,
    /// Times that it let go of trials unasked since the last one that ended well.
    n_shirked: u32,
    /// Attempts that stalled since the last trial that ended well.
    n_stalled: u32,
    /// A trial has ended well.
    has_succeeded: bool,
}

/// What a failure led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Diagnosis {
    Healthy,
    HeldBack { ms: u64 },
    Quarantined,
}

impl Health {
    pub fn succeeded(&mut self) {
        *self = Self { has_succeeded: true, ..Self::default() };
    }

    /// Another process may be well again, unless the processes themselves are the trouble.
    pub fn started_anew(&mut self) {
        if self.n_lost < LOST_IN_A_ROW && !self.is_shirking() {
            *self = Self { failed: Vec::new(), n_holds: 0, held_until: None, ..*self };
        }
    }

    /// A process was lost with trials that it may have begun, and another one has joined.
    pub fn lost(&mut self, now: Millis) -> Diagnosis {
        self.n_lost = self.n_lost.saturating_add(1);
        if self.n_lost < LOST_IN_A_ROW || self.n_leases_max() == 0 {
            return Diagnosis::Healthy;
        }
        self.hold(now)
    }

    /// It let go of trials that it had asked for and not trained, or took no notice of them. This does no
    /// harm to a trial, so it leads to no quarantine. Once or twice in a row the network may have done it.
    pub fn shirked(&mut self, now: Millis) -> Diagnosis {
        self.n_shirked = self.n_shirked.saturating_add(1);
        if self.n_shirked < SHIRKED_IN_A_ROW || self.n_leases_max() == 0 {
            return Diagnosis::Healthy;
        }
        self.n_holds = self.n_holds.min(HOLDS_MS.len() - 1);
        self.hold(now)
    }

    /// It kept trials for long that it knew of, and did not begin them.
    pub fn ignored(&mut self, now: Millis) -> Diagnosis {
        self.n_shirked = self.n_shirked.max(SHIRKED_IN_A_ROW);
        self.shirked(now)
    }

    /// An attempt does not get on. Its slot may hang and a step may take as long, which does no harm to
    /// a trial either. The next trial that ends well clears it.
    pub fn stalled(&mut self, now: Millis) -> Diagnosis {
        self.n_stalled = self.n_stalled.saturating_add(1);
        if self.n_stalled < STALLED_IN_A_ROW || self.n_leases_max() == 0 {
            return Diagnosis::Healthy;
        }
        self.n_holds = self.n_holds.min(HOLDS_MS.len() - 1);
        self.hold(now)
    }

    fn hold(&mut self, now: Millis) -> Diagnosis {
        self.n_holds += 1;
        let Some(&ms) = HOLDS_MS.get(self.n_holds - 1) else { return Diagnosis::Quarantined };
        self.held_until = Some(now + ms);
        Diagnosis::HeldBack { ms }
    }

    /// A hold whose time is over ends when the worker speaks.
    pub fn spoke(&mut self, now: Millis) {
        self.held_until = self.held_until.filter(|until| now < *until);
    }

    /// Failures while the worker is held back are of trials that it had before: they add nothing.
    pub fn failed(&mut self, now: Millis, trial: TrialIndex) -> Diagnosis {
        if self.n_leases_max() == 0 || self.failed.contains(&trial) {
            return Diagnosis::Healthy;
        }
        self.failed.push(trial);
        if self.failed.len() < FAILED_IN_A_ROW {
            return Diagnosis::Healthy;
        }
        self.hold(now)
    }

    pub fn is_quarantined(&self) -> bool {
        HOLDS_MS.len() < self.n_holds
    }

    /// Nothing has failed since the last trial that did not.
    pub fn is_unblemished(&self) -> bool {
        self.failed.is_empty()
    }

    /// It takes trials and does not train them.
    pub fn is_shirking(&self) -> bool {
        SHIRKED_IN_A_ROW <= self.n_shirked || STALLED_IN_A_ROW <= self.n_stalled
    }

    /// None of its attempts has stalled since the last trial that ended well.
    pub fn is_steady(&self) -> bool {
        self.n_stalled == 0
    }

    /// It has brought a result, and is steady.
    pub fn is_proven(&self) -> bool {
        self.has_succeeded && self.is_steady()
    }

    /// Nothing is held against it.
    pub fn is_clean(&self) -> bool {
        let n_held_against = self.n_lost + self.n_shirked + self.n_stalled;
        self.is_unblemished() && self.n_holds == 0 && n_held_against == 0
    }

    /// Trials that it may hold at most: none while it is held back, one to show that it is well
    /// again.
    pub fn n_leases_max(&self) -> usize {
        match self.n_holds {
            0 => usize::MAX,
            _ if self.is_quarantined() || self.held_until.is_some() => 0,
            _ => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(health: &mut Health, now: u64, trial: u32) -> Diagnosis {
        health.failed(Millis(now), TrialIndex(trial))
    }

    #[test]
    fn three_different_trials_in_a_row_hold_a_worker_back_and_more_put_it_in_quarantine() {
        let mut health = Health::default();
        for trial in [1, 1, 1, 2] {
            assert_eq!(fail(&mut health, 0, trial), Diagnosis::Healthy);
        }
        assert_eq!(fail(&mut health, 0, 3), Diagnosis::HeldBack { ms: HOLDS_MS[0] });
        health.spoke(Millis(HOLDS_MS[0] - 1));
        assert_eq!(health.n_leases_max(), 0);
        assert_eq!(fail(&mut health, 1, 4), Diagnosis::Healthy, "granted before the hold");
        let after = HOLDS_MS[0];
        health.spoke(Millis(after));
        assert_eq!(health.n_leases_max(), 1);
        assert_eq!(fail(&mut health, after, 5), Diagnosis::HeldBack { ms: HOLDS_MS[1] });
        let after = after + HOLDS_MS[1];
        health.spoke(Millis(after));
        assert_eq!(fail(&mut health, after, 6), Diagnosis::Quarantined);
        health.spoke(Millis(u64::MAX));
        assert_eq!(health.n_leases_max(), 0);
    }

    #[test]
    fn whoever_hands_back_what_it_asked_for_is_held_back_and_not_put_in_quarantine() {
        let mut health = Health::default();
        for _ in 1..SHIRKED_IN_A_ROW {
            assert_eq!(health.shirked(Millis(0)), Diagnosis::Healthy);
        }
        let mut now = Millis(0);
        for n in 0..10 {
            let ms = HOLDS_MS[n.min(1)];
            assert_eq!(health.shirked(now), Diagnosis::HeldBack { ms });
            health.started_anew();
            assert_eq!(health.n_leases_max(), 0, "another Join changes nothing");
            now = now + ms;
            health.spoke(now);
            assert_eq!(health.n_leases_max(), 1);
        }
        health.succeeded();
        assert_eq!(health.n_leases_max(), usize::MAX);
    }

    #[test]
    fn two_attempts_in_a_row_that_stall_hold_a_worker_back_and_do_not_put_it_in_quarantine() {
        let mut health = Health::default();
        health.succeeded();
        assert!(health.is_proven());
        assert_eq!(health.stalled(Millis(0)), Diagnosis::Healthy);
        assert!(!health.is_proven() && !health.is_shirking());
        let mut now = Millis(0);
        for n in 0..10 {
            let ms = HOLDS_MS[n.min(1)];
            assert_eq!(health.stalled(now), Diagnosis::HeldBack { ms });
            health.started_anew();
            assert!(health.is_shirking(), "another process changes nothing");
            now = now + ms;
            health.spoke(now);
            assert_eq!(health.n_leases_max(), 1);
        }
        health.succeeded();
        assert!(health.is_proven() && health.is_clean());
    }

    #[test]
    fn a_trial_that_ends_well_clears_it() {
        let mut health = Health::default();
        for trial in 0..3 {
            fail(&mut health, 0, trial);
        }
        health.succeeded();
        assert_eq!(health.n_leases_max(), usize::MAX);
        assert!(health.is_unblemished());
    }
}
