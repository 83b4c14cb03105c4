//! Takers: which workers are to take over a trial that stalled. A worker that stalled at it leaves it to
//! others. For as long as one of these takes to speak, a worker that stalled at another trial leaves it to
//! those that did not, and a worker that has not brought a result yet to those that have: so workers that
//! stall do not pass a trial on among themselves.

use std::collections::BTreeSet;

use crate::fleet::worker::Load;
use crate::lease::{TrialIndex, WorkerId};
use crate::limits::SYNCS_IN_A_LEASE;
use crate::machine::Core;
use crate::time::Millis;

impl Core {
    /// The trial stalled, was lost or failed, and another worker is to have it.
    pub(crate) fn is_for_others(&self, now: Millis, id: WorkerId, trial: TrialIndex) -> bool {
        self.failed_last(trial) == Some(id) && self.has_other_for(id, trial)
            || self.stalls.contains_key(&trial) && self.yields(now, id, trial, Millis::default())
    }

    /// The worker of the last attempt at a trial that was lost or failed.
    fn failed_last(&self, trial: TrialIndex) -> Option<WorkerId> {
        let record = &self.trials[trial.index()];
        record.last_worker.filter(|_| !record.is_unsuspected())
    }

    /// Nothing waits that this worker would take, now or once it is idle.
    pub(crate) fn nothing_waits_for(&self, now: Millis, id: WorkerId) -> bool {
        self.queue.iter().all(|trial| self.is_for_others(now, id, trial))
    }

    /// The worker leaves a trial to others that has waited for one of them since then, or since it was
    /// last taken back.
    pub(crate) fn yields(
        &self,
        now: Millis,
        id: WorkerId,
        trial: TrialIndex,
        since: Millis,
    ) -> bool {
        if self.has_stalled_at(id, trial) && self.has_other_for(id, trial) {
            return true;
        }
        let taken_back = self.stalls.get(&trial).map_or(since, |stalls| stalls.taken_back);
        let is_early =
            now.since(since.max(taken_back)) * SYNCS_IN_A_LEASE < self.config.lease_ttl_ms;
        let health = &self.fleet.worker(id).health;
        let is_last_choice = !health.is_steady() && self.has_other(id, trial, |it| it.n_steady);
        let is_second = !health.is_proven() && self.has_other(id, trial, |it| it.n_proven);
        is_early && (is_last_choice || is_second)
    }

    fn has_stalled_at(&self, id: WorkerId, trial: TrialIndex) -> bool {
        self.stalls.get(&trial).is_some_and(|stalls| stalls.is_by(id))
    }

    /// Another worker takes trials, has neither stalled nor failed at this one, and does not hold it. Who
    /// leaves a trial to others for one of these reasons is not one of the others for another of them:
    /// otherwise all would leave it to each other, for good.
    pub(crate) fn has_other_for(&self, id: WorkerId, trial: TrialIndex) -> bool {
        self.has_other(id, trial, |load| load.n_able)
    }

    fn has_other(&self, id: WorkerId, trial: TrialIndex, n: fn(&Load) -> usize) -> bool {
        let mut excluded: BTreeSet<WorkerId> =
            self.fleet.leases_of(trial).map(|open| open.worker).collect();
        excluded.extend(self.stalls.get(&trial).into_iter().flat_map(|stalls| stalls.workers()));
        excluded.extend(self.failed_last(trial));
        excluded.insert(id);
        let known = excluded.iter().filter_map(|id| self.fleet.get(*id));
        let n_excluded: usize = known.map(|worker| n(&worker.load())).sum();
        n_excluded < n(&self.fleet.load())
    }
}
