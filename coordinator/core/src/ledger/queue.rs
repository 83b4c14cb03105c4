//! The trials that wait for a worker, in the order in which they are granted: the plan's queue
//! order first (all points of the first seed, costliest first, then the next seed), and behind
//! them the suspects of lost workers in the order of their return.

use std::collections::{BTreeMap, BTreeSet};

use crate::lease::TrialIndex;

#[derive(Clone, Debug)]
pub struct Queue {
    /// The queue order, and each trial's place in it.
    order: Vec<TrialIndex>,
    place: Vec<u32>,
    /// Places of those that wait in the order.
    front: BTreeSet<u32>,
    /// Those behind it, by when they were sent there.
    back: BTreeMap<u64, TrialIndex>,
    sent_back: BTreeMap<TrialIndex, u64>,
    n_sent_back: u64,
}

impl Queue {
    /// An empty queue for the trials of `order`, which names each exactly once.
    pub fn new(order: &[TrialIndex]) -> Self {
        let mut place = vec![0; order.len()];
        for (at, trial) in (0..).zip(order) {
            place[trial.index()] = at;
        }
        Self {
            order: order.to_vec(),
            place,
            front: BTreeSet::new(),
            back: BTreeMap::new(),
            sent_back: BTreeMap::new(),
            n_sent_back: 0,
        }
    }

    /// Makes room for one more trial, the last in the order, and gives its index.
    pub fn extend(&mut self) -> TrialIndex {
        let place = u32::try_from(self.order.len()).expect("plans are below 2^32 trials");
        self.order.push(TrialIndex(place));
        self.place.push(place);
        TrialIndex(place)
    }

    pub fn len(&self) -> usize {
        self.front.len() + self.back.len()
    }

    pub fn is_empty(&self) -> bool {
        self.front.is_empty() && self.back.is_empty()
    }

    /// Puts a trial at its place in the order.
    pub fn push(&mut self, trial: TrialIndex) {
        let is_new = !self.contains(trial) && self.front.insert(self.place[trial.index()]);
        assert!(is_new, "trial {} waits twice", trial.0);
    }

    /// Puts a trial behind all others.
    pub fn push_back(&mut self, trial: TrialIndex) {
        assert!(!self.contains(trial), "trial {} waits twice", trial.0);
        self.n_sent_back += 1;
        self.back.insert(self.n_sent_back, trial);
        self.sent_back.insert(trial, self.n_sent_back);
    }

    pub fn remove(&mut self, trial: TrialIndex) {
        let was_there = match self.sent_back.remove(&trial) {
            Some(at) => self.back.remove(&at).is_some(),
            None => self.front.remove(&self.place[trial.index()]),
        };
        assert!(was_there, "trial {} was not waiting", trial.0);
    }

    pub fn contains(&self, trial: TrialIndex) -> bool {
        self.sent_back.contains_key(&trial) || self.front.contains(&self.place[trial.index()])
    }

    /// Panics unless both sides of the back say the same.
    pub fn check(&self) {
        let is_same = |(at, trial)| self.sent_back.get(trial) == Some(at);
        assert!(self.back.iter().all(is_same), "the queue's back");
        assert_eq!(self.back.len(), self.sent_back.len(), "the queue's back");
    }

    pub fn iter(&self) -> impl Iterator<Item = TrialIndex> + '_ {
        let front = self.front.iter().map(|place| self.order[*place as usize]);
        front.chain(self.back.values().copied())
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
        assert_eq!(queue.len(), 3);
    }
}
