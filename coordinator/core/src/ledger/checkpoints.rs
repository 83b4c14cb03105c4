//! The checkpoints that lie on the coordinator's disk: which trial has which, the latest first. What
//! they hold is no matter of the core's.

use std::collections::BTreeMap;

use trial::Digest;

use crate::lease::TrialIndex;

/// A file that a trial can go on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// SHA-256 of its bytes.
    pub digest: Digest,
    pub n_bytes: u64,
    /// Epochs that were complete.
    pub epoch: u32,
}

/// Checkpoints kept of a trial: the latest, and the one before it in case the latest is damaged.
const N_KEPT: usize = 2;

#[derive(Clone, Debug, Default)]
pub struct Checkpoints(BTreeMap<TrialIndex, Vec<Checkpoint>>);

impl Checkpoints {
    /// What is kept of a trial, the latest first.
    pub fn of(&self, trial: TrialIndex) -> &[Checkpoint] {
        self.0.get(&trial).map_or(&[], Vec::as_slice)
    }

    /// Takes in a checkpoint, unless as many later ones are known. Of two at the same epoch the
    /// first stays: both go on to the same result.
    pub fn add(&mut self, trial: TrialIndex, checkpoint: Checkpoint) {
        let kept = self.0.entry(trial).or_default();
        if !kept.iter().any(|known| known.epoch == checkpoint.epoch) {
            kept.push(checkpoint);
            kept.sort_by_key(|known| std::cmp::Reverse(known.epoch));
            kept.truncate(N_KEPT);
        }
    }

    pub fn forget(&mut self, trial: TrialIndex, digest: Digest) {
        if let Some(kept) = self.0.get_mut(&trial) {
            kept.retain(|known| known.digest != digest);
            if kept.is_empty() {
                self.0.remove(&trial);
            }
        }
    }

    pub fn forget_all(&mut self, trial: TrialIndex) {
        self.0.remove(&trial);
    }

    pub fn trials(&self) -> impl Iterator<Item = TrialIndex> + '_ {
        self.0.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(epoch: u32) -> Checkpoint {
        Checkpoint { digest: Digest([epoch as u8; 32]), n_bytes: 10, epoch }
    }

    #[test]
    fn the_two_latest_are_kept_and_a_damaged_one_gives_way_to_the_one_before() {
        let (mut checkpoints, trial) = (Checkpoints::default(), TrialIndex(3));
        for epoch in [2, 1, 5, 3] {
            checkpoints.add(trial, at(epoch));
        }
        assert_eq!(checkpoints.of(trial), [at(5), at(3)]);
        checkpoints.forget(trial, Digest([5; 32]));
        assert_eq!(checkpoints.of(trial), [at(3)]);
        checkpoints.forget(trial, Digest([3; 32]));
        assert_eq!(checkpoints.trials().count(), 0, "nothing is left of it");
        checkpoints.add(trial, at(6));
        checkpoints.forget_all(trial);
        assert_eq!(checkpoints.of(trial), []);
    }

    #[test]
    fn of_two_at_an_epoch_the_first_stays() {
        let (mut checkpoints, trial) = (Checkpoints::default(), TrialIndex(0));
        checkpoints.add(trial, at(1));
        checkpoints.add(trial, Checkpoint { digest: Digest([9; 32]), ..at(1) });
        assert_eq!(checkpoints.of(trial), [at(1)]);
    }
}
