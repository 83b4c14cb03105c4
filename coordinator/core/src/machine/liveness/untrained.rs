//! Attempts that end without having been trained, and who is charged for them: by one rule, a worker that
//! let go of what it had asked for, whichever way it did. A worker that only lost its network is not
//! charged, or so seldom that nothing follows.
//!
//! The ways: released or left out of a Sync; left out of a Join; handed back in a drain that trained
//! nothing; lost in a silence before they were begun; not begun in time.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{Action, CloseCause};
use crate::fleet::former::Departure;
use crate::fleet::worker::{HeldLease, Place};
use crate::lease::{Lease, OpenLease, WorkerId};
use crate::limits::{BEGIN_WITHIN_MS, TRAINED_MS, WITHDRAW_PATIENCE_MS};
use crate::machine::Core;
use crate::time::Millis;

impl Core {
    /// Charges a worker, once for all that it let go of at a time.
    pub(crate) fn charge(&mut self, now: Millis, id: WorkerId, out: &mut Vec<Action>) {
        let diagnosis = self.fleet.change(id, |worker| worker.health.shirked(now));
        self.tell_diagnosis(id, diagnosis, out);
    }

    /// For what a Join leaves out of what was open, and for what was lost in the silence before it. What
    /// a former coordinator granted may never have reached its worker.
    pub(crate) fn charge_joined(
        &mut self,
        now: Millis,
        id: WorkerId,
        continues: bool,
        had_not_begun: bool,
        dropped: &[OpenLease],
        out: &mut Vec<Action>,
    ) {
        let may_have_begun = |open: &OpenLease| self.fleet.place_of(open) == Place::Slot;
        let is_of_this_term = |open: &OpenLease| open.lease.term == self.config.term;
        let has_lost = had_not_begun || dropped.iter().any(may_have_begun);
        let has_shirked = had_not_begun || dropped.iter().any(is_of_this_term);
        if !continues && has_lost {
            let diagnosis = self.fleet.change(id, |worker| worker.health.lost(now));
            self.tell_diagnosis(id, diagnosis, out);
        } else if has_shirked {
            self.charge(now, id, out);
        }
    }

    /// One of its trials was seen to run for long enough to have been trained.
    pub(crate) fn has_trained(&self, now: Millis, id: WorkerId) -> bool {
        let mut leases = self.fleet.worker(id).leases.values();
        leases.any(|held| TRAINED_MS <= held.watched_ms(now))
    }

    /// For trials that were handed back unasked: at once, or if it drains once it is done with that.
    pub(crate) fn charge_handed_back(
        &mut self,
        now: Millis,
        id: WorkerId,
        has_trained: bool,
        out: &mut Vec<Action>,
    ) {
        if !self.fleet.worker(id).is_draining {
            self.charge(now, id, out);
        } else if !has_trained && !self.is_stopping {
            self.fleet.change(id, |worker| worker.has_drained_untrained = true);
        }
    }

    /// Its drain is over: it leaves, joins again, or wants work again.
    pub(crate) fn end_drain(&mut self, now: Millis, id: WorkerId, out: &mut Vec<Action>) {
        let has_shirked = self
            .fleet
            .change(id, |worker| std::mem::replace(&mut worker.has_drained_untrained, false));
        if has_shirked {
            self.charge(now, id, out);
        }
    }

    /// It fell silent with trials that it had not said to run.
    pub(crate) fn has_not_begun_any(&self, id: WorkerId) -> bool {
        let term = self.config.term;
        let mut leases = self.fleet.worker(id).leases.values();
        leases.any(|held| held.started.is_none() && held.open.lease.term == term)
    }

    /// Forgets a worker that holds nothing more, though not what is held against it. The coordinator's
    /// own workers are watched as processes.
    pub(crate) fn part_with(&mut self, now: Millis, id: WorkerId, had_not_begun: bool) {
        let worker = self.fleet.worker(id);
        if !worker.is_local() {
            let health = worker.health.clone();
            self.former.keep(now, id, Departure { health, had_not_begun });
        }
        self.fleet.forget(id);
    }

    fn begin_within_ms(&self) -> u64 {
        BEGIN_WITHIN_MS.max(self.config.lease_ttl_ms)
    }

    /// It was granted and could have been said to run.
    pub(crate) fn should_have_begun(&self, now: Millis, held: &HeldLease) -> bool {
        held.started.is_none() && self.begin_within_ms() <= held.unbegun_ms(now)
    }

    /// Its worker went on from the Sync that was answered with the grant.
    fn has_spoken_since(&self, held: &HeldLease) -> bool {
        held.granted_in_seq < self.fleet.worker(held.open.worker).last_seq
    }

    /// A worker that does not begin a trial which was granted for a free slot has lost it, and so has one
    /// that was asked for a queued one and neither starts it nor hands it back. A worker whose Syncs arrive
    /// and whose replies do not is not charged: it can only repeat what it said before the grant.
    pub(crate) fn take_back_ignored(&mut self, now: Millis, out: &mut Vec<Action>) -> bool {
        let is_ignored = |held: &&HeldLease| WITHDRAW_PATIENCE_MS <= now.since(held.granted);
        let withdrawn = self.fleet.withdrawn().filter(is_ignored);
        let within_ms = self.begin_within_ms();
        let unbegun = self.fleet.unbegun();
        let unbegun = unbegun.take_while(|held| within_ms <= now.since(held.granted));
        // A worker that was silent for so long is lost, and its trials with it.
        let is_alive = |held: &HeldLease| now < self.fleet.worker(held.open.worker).deadline;
        let unbegun = unbegun.filter(|held| self.should_have_begun(now, held) && is_alive(held));
        let ignored: BTreeMap<Lease, HeldLease> =
            withdrawn.chain(unbegun).map(|held| (held.open.lease, *held)).collect();
        let charged: BTreeSet<WorkerId> = ignored
            .values()
            .filter(|held| self.has_spoken_since(held))
            .map(|held| held.open.worker)
            .collect();
        for id in charged {
            let diagnosis = self.fleet.change(id, |worker| worker.health.ignored(now));
            self.tell_diagnosis(id, diagnosis, out);
        }
        for held in ignored.values() {
            self.give_back(&held.open, CloseCause::Released, out);
        }
        !ignored.is_empty()
    }
}
