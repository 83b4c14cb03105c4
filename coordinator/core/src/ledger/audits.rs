//! Audits: recorded trials that are trained once more, if possible by another worker, so that their
//! results can be compared. They change no outcome.

use std::collections::{BTreeMap, BTreeSet};

use crate::lease::{TrialIndex, WorkerId};

#[derive(Clone, Debug, Default)]
pub struct Audits {
    /// Those that wait, by the worker that gave the result.
    due: BTreeSet<(WorkerId, TrialIndex)>,
    /// Those that are being trained, with the worker that gave the result.
    open: BTreeMap<TrialIndex, WorkerId>,
}

impl Audits {
    /// How many wait or are being trained.
    pub fn len(&self) -> usize {
        self.due.len() + self.open.len()
    }

    pub fn is_empty(&self) -> bool {
        self.due.is_empty() && self.open.is_empty()
    }

    pub fn push(&mut self, trial: TrialIndex, by: WorkerId) {
        self.due.insert((by, trial));
    }

    /// Takes one for this worker to train: another worker's, or its own if there is no other.
    pub fn take_for(&mut self, id: WorkerId, has_other: bool) -> Option<TrialIndex> {
        let after = (id, TrialIndex(u32::MAX));
        let first = self.due.first().filter(|(by, _)| *by != id || !has_other);
        let (by, trial) = *first.or_else(|| self.due.range(after..).find(|(by, _)| *by != id))?;
        self.due.remove(&(by, trial));
        self.open.insert(trial, by);
        Some(trial)
    }

    /// One that was being trained before the coordinator started.
    pub fn resume(&mut self, trial: TrialIndex, by: WorkerId) {
        self.open.insert(trial, by);
    }

    /// It is no longer being trained; if it was not compared it waits again.
    pub fn close(&mut self, trial: TrialIndex, is_due: bool) {
        if let Some(by) = self.open.remove(&trial)
            && is_due
        {
            self.push(trial, by);
        }
    }

    /// Those that wait are given up.
    pub fn give_up(&mut self) {
        self.due.clear();
    }

    /// Whether one waits of a trial whose result is this worker's.
    pub fn is_due(&self, trial: TrialIndex, by: WorkerId) -> bool {
        self.due.contains(&(by, trial))
    }

    /// Those that wait, with the workers that gave the results.
    pub fn due(&self) -> impl Iterator<Item = (TrialIndex, WorkerId)> + '_ {
        self.due.iter().map(|(by, trial)| (*trial, *by))
    }

    pub fn is_open(&self, trial: TrialIndex) -> bool {
        self.open.contains_key(&trial)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_checks_others_and_itself_only_when_there_is_no_other() {
        let [a, b, c] = [1, 2, 3].map(|id| WorkerId([id; 16]));
        let mut audits = Audits::default();
        audits.push(TrialIndex(7), b);
        assert_eq!(audits.take_for(b, true), None);
        assert_eq!(audits.take_for(b, false), Some(TrialIndex(7)));
        audits.close(TrialIndex(7), true);
        assert_eq!(audits.take_for(a, true), Some(TrialIndex(7)));
        audits.push(TrialIndex(9), c);
        audits.push(TrialIndex(5), b);
        assert_eq!(audits.take_for(b, true), Some(TrialIndex(9)));
        audits.close(TrialIndex(7), false);
        assert_eq!(audits.len(), 2);
        assert!(audits.is_open(TrialIndex(9)));
    }
}
