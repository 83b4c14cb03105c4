//! The trials that wait for a worker, in the order in which they are granted: the plan's queue
//! order first (all points of the first seed, costliest first, then the next seed), and behind
//! them the suspects of lost workers in the order of their return.

use std::collections::BTreeSet;

use crate::lease::TrialIndex;

#[derive(Clone, Debug)]
pub struct Queue {
    /// The trial's place in the queue order.
    position: Vec<u32>,
    ready: BTreeSet<(u64, u32, TrialIndex)>,
    /// The first part of each waiting trial's key: 0, or when it went to the back.
    back: Vec<u64>,
    n_sent_back: u64,
}

impl Queue {
    /// An empty queue for the trials of `order`, which names each exactly once.
    pub fn new(order: &[TrialIndex]) -> Self {
        let mut position = vec![0; order.len()];
        for (place, trial) in (0..).zip(order) {
            position[trial.at()] = place;
        }
        Self { position, ready: BTreeSet::new(), back: vec![0; order.len()], n_sent_back: 0 }
    }

    /// Makes room for one more trial, the last in the order, and gives its index.
    pub fn extend(&mut self) -> TrialIndex {
        let place = u32::try_from(self.position.len()).expect("plans are below 2^32 trials");
        self.position.push(place);
        self.back.push(0);
        TrialIndex(place)
    }

    pub fn len(&self) -> usize {
        self.ready.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// Puts a trial at its place in the order.
    pub fn push(&mut self, trial: TrialIndex) {
        self.back[trial.at()] = 0;
        self.insert(trial);
    }

    /// Puts a trial behind all others.
    pub fn push_back(&mut self, trial: TrialIndex) {
        self.n_sent_back += 1;
        self.back[trial.at()] = self.n_sent_back;
        self.insert(trial);
    }

    pub fn remove(&mut self, trial: TrialIndex) {
        let key = self.key(trial);
        assert!(self.ready.remove(&key), "trial {} was not waiting", trial.0);
    }

    pub fn contains(&self, trial: TrialIndex) -> bool {
        self.ready.contains(&self.key(trial))
    }

    pub fn iter(&self) -> impl Iterator<Item = TrialIndex> + '_ {
        self.ready.iter().map(|&(_, _, trial)| trial)
    }

    fn insert(&mut self, trial: TrialIndex) {
        let key = self.key(trial);
        assert!(self.ready.insert(key), "trial {} waits twice", trial.0);
    }

    fn key(&self, trial: TrialIndex) -> (u64, u32, TrialIndex) {
        (self.back[trial.at()], self.position[trial.at()], trial)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_follow_the_order_and_suspects_come_last() {
        let order = [2, 0, 1].map(TrialIndex);
        let mut queue = Queue::new(&order);
        queue.push_back(TrialIndex(2));
        queue.push(TrialIndex(0));
        queue.push(TrialIndex(1));
        assert_eq!(queue.iter().collect::<Vec<_>>(), [0, 1, 2].map(TrialIndex));
        queue.remove(TrialIndex(2));
        queue.push(TrialIndex(2));
        assert_eq!(queue.iter().next(), Some(TrialIndex(2)));
    }
}
