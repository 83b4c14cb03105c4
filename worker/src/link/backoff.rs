//! How long to wait after a failed call: exponential with full jitter, so that a fleet of workers
//! does not call in step.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(30);

/// Longest wait while no coordinator has answered yet: somebody may be about to start one.
const LONGEST_BEFORE_JOIN: Duration = Duration::from_secs(5);

/// The range of a wait is from 0 to the smaller of 0.2 s x 2^(failures - 1) and a limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    limit: Duration,
    n_failures: u32,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { limit: LONGEST_BEFORE_JOIN, n_failures: 0 }
    }

    /// A worker that waits longer than half a lease may lose the lease by waiting alone. No
    /// coordinator makes it call without a pause.
    pub(crate) fn set_lease_ttl(&mut self, ttl: Duration) {
        self.limit = (ttl / 2).clamp(FIRST, LONGEST);
    }

    pub(crate) fn n_failures(&self) -> u32 {
        self.n_failures
    }

    pub(crate) fn succeeded(&mut self) {
        self.n_failures = 0;
    }

    /// The wait after one more failure, for a `random` in 0..1.
    pub(crate) fn failed(&mut self, random: f64) -> Duration {
        self.n_failures = self.n_failures.saturating_add(1);
        let doublings = (self.n_failures - 1).min(16);
        self.limit.min(FIRST * 2_u32.pow(doublings)).mul_f64(random)
    }
}

/// Uniform in 0..1.
pub(crate) fn random() -> f64 {
    // Jitter without entropy is no reason to stop working.
    let bits = getrandom::u64().unwrap_or(1 << 63);
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// `wait`, 20 % shorter or longer, for a `random` in 0..1.
pub(crate) fn jittered(wait: Duration, random: f64) -> Duration {
    wait.mul_f64(0.8 + 0.4 * random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_start_over_after_a_success() {
        let mut backoff = Backoff::new();
        backoff.set_lease_ttl(Duration::from_secs(2));
        let waits: Vec<u128> = (0..5).map(|_| backoff.failed(1.0).as_millis()).collect();
        assert_eq!(waits, [200, 400, 800, 1000, 1000]);
        backoff.succeeded();
        assert_eq!(backoff.failed(0.5), Duration::from_millis(100));
    }

    #[test]
    fn a_lease_without_a_length_leaves_a_pause() {
        let mut backoff = Backoff::new();
        backoff.set_lease_ttl(Duration::ZERO);
        assert_eq!(backoff.failed(1.0), FIRST);
        assert_eq!(backoff.failed(1.0), FIRST);
    }

    #[test]
    fn many_failures_do_not_overflow() {
        let mut backoff = Backoff::new();
        backoff.set_lease_ttl(Duration::from_secs(86_400));
        for _ in 0..100 {
            assert!(backoff.failed(1.0) <= LONGEST);
        }
        assert_eq!(backoff.failed(1.0), LONGEST);
    }

    #[test]
    fn jitter_stays_within_a_fifth() {
        let wait = Duration::from_secs(5);
        assert_eq!(jittered(wait, 0.0), Duration::from_secs(4));
        assert!((0.0..1.0).contains(&random()));
    }
}
