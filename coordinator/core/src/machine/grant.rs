//! Which trials a worker gets: audits and waiting ones for its free slots, short ones ahead of
//! need, and those that do not get on elsewhere for slots that nothing waits for.

use crate::event::{Action, Record, Remedy, Sync};
use crate::fleet::worker::{HeldLease, Place};
use crate::lease::{Lease, OpenLease, TrialIndex, WorkerId};
use crate::ledger::trial::Status;
use crate::limits::{MAX_PREFETCH, MAX_PREFETCH_S};
use crate::machine::Core;
use crate::time::Millis;

impl Core {
    /// All grants that the worker has not seen: those of a lost reply, and new ones. Nothing that the
    /// worker is to stop is granted to it with the same reply: it would go on. True if a trial was
    /// taken back that waits now.
    pub(super) fn grant(
        &mut self,
        now: Millis,
        id: WorkerId,
        sync: &Sync,
        stop: &mut Vec<Lease>,
        out: &mut Vec<Action>,
    ) -> (Vec<Lease>, bool) {
        let mut grants = self.unseen_grants(id, sync.seen_seq);
        let mut took_back = false;
        if sync.draining || self.is_stopping || self.is_given_up {
            return (grants, took_back);
        }
        let worker = self.fleet.worker(id);
        let n_said = worker.n_slots().min(sync.n_free_slots as usize);
        let n_free = n_said.saturating_sub(grants.len()).min(worker.n_allowed());
        let n_places = (sync.n_queue_places as usize).saturating_sub(grants.len());
        let mut n_unused = n_free;
        while 0 < n_unused
            && let Some(trial) = self.next_for(now, id, stop)
        {
            grants.push(self.lease(now, id, trial, Place::Slot, sync.seq, out));
            n_unused -= 1;
        }
        if n_unused == 0 {
            for trial in self.prefetch(now, id, n_places, stop) {
                grants.push(self.lease(now, id, trial, Place::Queue, sync.seq, out));
            }
        }
        while 0 < n_unused
            && 0 < self.fleet.worker(id).health.n_leases_max()
            && let Some((remedy, open)) = self.stuck_for(now, id, stop)
        {
            self.tell_taken_over(now, remedy, &open, out);
            self.charge_stalled(now, remedy, &open, out);
            match remedy {
                Remedy::Speculate => {
                    let trial = open.lease.trial;
                    grants.push(self.lease(now, id, trial, Place::Slot, sync.seq, out));
                }
                Remedy::TakeBack => {
                    self.take_back(now, &open, out);
                    took_back = true;
                    if open.worker == id {
                        stop.push(open.lease);
                    }
                }
            }
            n_unused -= 1;
        }
        took_back |= n_unused > 0 && self.take_back_ignored(now, out);
        (grants, took_back)
    }

    pub(super) fn unseen_grants(&self, id: WorkerId, seen_seq: u64) -> Vec<Lease> {
        let leases = self.fleet.worker(id).leases.values();
        leases.filter(|held| seen_seq < held.granted_in_seq).map(|held| held.open.lease).collect()
    }

    /// Takes the trial that the worker's next free slot is for. A suspect of lost workers goes to a
    /// worker that holds nothing else, and nothing is granted beside it.
    fn next_for(&mut self, now: Millis, id: WorkerId, stop: &[Lease]) -> Option<TrialIndex> {
        let worker = self.fleet.worker(id);
        if worker.trains_alone() {
            return None;
        }
        let is_idle = worker.leases.is_empty();
        let has_other = self.fleet.has_other_than(id);
        let is_stopped = |trial: TrialIndex| stop.iter().any(|lease| lease.trial == trial);
        match self.audits.take_for(id, has_other) {
            Some(trial) if is_stopped(trial) => self.audits.close(trial, true),
            Some(trial) => return Some(trial),
            None => {}
        }
        let is_fit = |trial: TrialIndex| {
            (is_idle || !self.trials[trial.index()].must_run_alone()) && !is_stopped(trial)
        };
        let is_for_it = |&trial: &TrialIndex| is_fit(trial) && !self.is_for_others(now, id, trial);
        let trial = self.queue.iter().find(is_for_it)?;
        self.queue.remove(trial);
        Some(trial)
    }

    pub(super) fn lease(
        &mut self,
        now: Millis,
        id: WorkerId,
        trial: TrialIndex,
        place: Place,
        seq: u64,
        out: &mut Vec<Action>,
    ) -> Lease {
        let nonce = self.draw();
        if self.trials[trial.index()].status == Status::Ready {
            self.set_status(trial, Status::Leased);
        }
        let record = &mut self.trials[trial.index()];
        record.n_attempts += 1;
        record.last_worker = Some(id);
        let (attempt, alone) = (record.n_attempts, record.must_run_alone());
        let lease = Lease { trial, attempt, term: self.config.term, nonce };
        let local = self.fleet.worker(id).is_local();
        let open = OpenLease { lease, worker: id, alone, local };
        self.fleet.hold(HeldLease::new(open, seq, place, now));
        out.push(Action::Persist(Record::Granted(open)));
        lease
    }

    /// Takes short trials in advance, so that no slot waits for a round trip: as many as the worker's
    /// slots train within `MAX_PREFETCH_S` at its own pace, never more than its share of what
    /// waits, and none once other slots need them.
    fn prefetch(
        &mut self,
        now: Millis,
        id: WorkerId,
        n_places: usize,
        stop: &[Lease],
    ) -> Vec<TrialIndex> {
        let mut chosen = Vec::new();
        let (worker, load) = (self.fleet.worker(id), self.fleet.load());
        let is_stalled = worker.leases.values().any(|held| self.is_stalled(now, held));
        let is_sound = worker.health.is_unblemished() && !worker.trains_alone() && !is_stalled;
        if !is_sound || self.queue.len() <= load.n_free_slots {
            return chosen;
        }
        let pace = worker.pace;
        let share = (self.queue.len() * worker.n_slots()).div_ceil(load.n_slots.max(1));
        let n_held = MAX_PREFETCH.min(share).saturating_sub(worker.n_queued());
        let unstarted = worker.leases.values().filter(|held| held.started.is_none());
        let queued_s: Option<f64> =
            unstarted.map(|held| pace.expected_s(self.cost(held.open.lease.trial))).sum();
        let Some(queued_s) = queued_s else { return chosen };
        let mut left_s = MAX_PREFETCH_S * worker.n_slots() as f64 - queued_s;
        for _ in 0..n_held.min(n_places) {
            let Some(trial) = self.queue.iter().next() else { break };
            let is_stopped = stop.iter().any(|lease| lease.trial == trial);
            let expected_s = pace.expected_s(self.cost(trial)).unwrap_or(f64::INFINITY);
            let is_suspected = !self.trials[trial.index()].is_unsuspected();
            let is_for_others = self.is_for_others(now, id, trial);
            if left_s < expected_s || is_stopped || is_suspected || is_for_others {
                break;
            }
            left_s -= expected_s;
            self.queue.remove(trial);
            chosen.push(trial);
        }
        chosen
    }

    /// Estimated multiply-adds of a whole trial.
    pub(super) fn cost(&self, trial: TrialIndex) -> f64 {
        f64::from(self.facts[trial.index()].cost_macs)
    }

    /// Queued trials of this worker that others could start at once, and all of them if it is not
    /// to have any: each is asked back until it started or came back.
    pub(super) fn withdraw(&mut self, now: Millis, id: WorkerId, seen_seq: u64) -> Vec<Lease> {
        let worker = self.fleet.worker(id);
        let n_wanted = if worker.health.n_leases_max() == 0 || self.is_given_up {
            worker.leases.len()
        } else {
            let own = worker.load().n_free_slots;
            let n_idle = self.fleet.load().n_free_slots - own;
            let n_coming = self.queue.len() + self.fleet.n_withdrawn();
            n_idle.saturating_sub(n_coming)
        };
        if 0 < n_wanted {
            // A worker that says for long that it has not seen a grant is asked all the same.
            let unstarted = |held: &&HeldLease| {
                let is_seen = held.granted_in_seq <= seen_seq;
                held.started.is_none() && (is_seen || self.should_have_begun(now, held))
            };
            let mut queued: Vec<&HeldLease> = worker.leases.values().filter(unstarted).collect();
            // The last ones to start, as they were granted.
            queued.sort_by_key(|held| std::cmp::Reverse(held.granted_in_seq));
            let last: Vec<OpenLease> = queued.iter().take(n_wanted).map(|held| held.open).collect();
            for open in &last {
                self.fleet.withdraw(open);
            }
        }
        let worker = self.fleet.worker(id);
        self.fleet.withdrawn_of(id).map(|trial| worker.leases[&trial].open.lease).collect()
    }
}
