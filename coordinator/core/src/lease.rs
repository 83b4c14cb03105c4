//! A lease: one worker's right to train one trial, fenced by term, attempt and nonce.

/// Names a worker's folder on its machine; outlives its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WorkerId(pub [u8; 16]);

/// Names one Join of a worker; a new Join of the same worker ends the former session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionId(pub u64);

/// A trial's place in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TrialIndex(pub u32);

impl TrialIndex {
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a worker shows to prove that it was granted a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lease {
    pub trial: TrialIndex,
    /// Grows with each grant of the trial, across restarts of the coordinator.
    pub attempt: u32,
    /// The coordinator's start in which the lease was granted.
    pub term: u64,
    pub nonce: u64,
}

impl Lease {
    /// A fingerprint of the lease and its holder: what is remembered of an attempt that was closed,
    /// so that nobody else hands in an outcome in its name.
    pub fn seal(&self, holder: WorkerId) -> u64 {
        let halves = u128::from_be_bytes(holder.0);
        let parts = [self.nonce, self.term, halves as u64, (halves >> 64) as u64];
        parts.into_iter().fold(0, |seal, part| mix(seal ^ part))
    }
}

/// The last step of SplitMix64: each bit of the input changes half of the output's.
pub(crate) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The coordinator's side of a lease that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenLease {
    pub lease: Lease,
    pub worker: WorkerId,
    /// Granted with nothing else on the worker, because the trial is suspected of killing workers.
    pub alone: bool,
    /// The worker is a child process of this coordinator.
    pub local: bool,
}
