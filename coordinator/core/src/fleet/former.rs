//! Former workers: what is held against workers that left. One that comes back is the same worker,
//! however it left, so that leaving is no way to a clean slate.

use std::collections::{BTreeMap, BTreeSet};

use crate::fleet::health::Health;
use crate::lease::WorkerId;
use crate::limits::{FORGIVEN_AFTER_MS, MAX_WORKERS};
use crate::time::Millis;

/// How a worker left.
#[derive(Clone, Debug, Default)]
pub struct Departure {
    pub health: Health,
    /// It fell silent with trials that it had not said to run.
    pub had_not_begun: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Former {
    departures: BTreeMap<WorkerId, (Millis, Departure)>,
    by_time: BTreeSet<(Millis, WorkerId)>,
}

impl Former {
    /// Remembers a worker that left, if there is something to remember, and forgets those that left
    /// long ago.
    pub fn keep(&mut self, now: Millis, id: WorkerId, departure: Departure) {
        self.take(id);
        if !departure.had_not_begun && departure.health.is_clean() {
            return;
        }
        while let Some(&(left, oldest)) = self.by_time.first()
            && (FORGIVEN_AFTER_MS <= now.since(left) || MAX_WORKERS <= self.len())
        {
            self.take(oldest);
        }
        self.departures.insert(id, (now, departure));
        self.by_time.insert((now, id));
    }

    /// The worker is back.
    pub fn take(&mut self, id: WorkerId) -> Option<Departure> {
        let (left, departure) = self.departures.remove(&id)?;
        self.by_time.remove(&(left, id));
        Some(departure)
    }

    pub fn len(&self) -> usize {
        self.departures.len()
    }

    pub fn is_empty(&self) -> bool {
        self.departures.is_empty()
    }

    pub fn ids(&self) -> impl Iterator<Item = WorkerId> + '_ {
        self.departures.keys().copied()
    }

    /// Panics unless the index says what the departures say.
    pub fn check(&self) {
        let times = self.departures.iter().map(|(id, (left, _))| (*left, *id));
        assert_eq!(times.collect::<BTreeSet<_>>(), self.by_time, "times of former workers");
        assert!(self.len() <= MAX_WORKERS, "too many former workers");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: usize) -> WorkerId {
        WorkerId((n as u128).to_be_bytes())
    }

    #[test]
    fn what_is_held_against_a_worker_is_kept_for_a_while_and_within_a_bound() {
        let mut former = Former::default();
        former.keep(Millis(0), id(0), Departure::default());
        assert!(former.is_empty(), "nothing is held against it");
        let departure = Departure { had_not_begun: true, ..Departure::default() };
        for n in 0..MAX_WORKERS + 5 {
            former.keep(Millis(n as u64), id(n), departure.clone());
        }
        former.check();
        assert_eq!(former.len(), MAX_WORKERS);
        assert!(former.take(id(4)).is_none() && former.take(id(5)).is_some());
        former.keep(Millis(FORGIVEN_AFTER_MS + 20_000), id(1), departure);
        former.check();
        assert_eq!(former.ids().collect::<Vec<_>>(), [id(1)]);
    }
}
