//! One Sync: what the worker finished, released and runs, and the answer to it.

use std::collections::BTreeSet;

use crate::event::{Action, Call, CloseCause, Grant, Order, Reply, Running, Sync, SyncReply};
use crate::fleet::worker::Place;
use crate::lease::{Lease, OpenLease, WorkerId};
use crate::ledger::trial::Status;
use crate::machine::Core;
use crate::time::Millis;

impl Core {
    pub(super) fn sync(
        &mut self,
        now: Millis,
        call: Call<SyncReply>,
        mut sync: Sync,
        out: &mut Vec<Action>,
    ) {
        let Some(id) = self.fleet.of_session(sync.session) else {
            let reply = SyncReply::bare(sync.seq, Order::Rejoin);
            out.push(Action::Reply(Reply::Sync(call, reply)));
            return;
        };
        if !sync.draining {
            self.end_drain(now, id, out);
        }
        let deadline = now + self.config.lease_ttl_ms;
        let is_repeated = sync.seq <= self.fleet.worker(id).last_seq;
        self.fleet.change(id, |worker| {
            worker.last_seq = worker.last_seq.max(sync.seq);
            worker.is_repeating = is_repeated;
            worker.deadline = deadline;
            worker.spoke = Some(now);
            worker.health.spoke(now);
            worker.n_free_slots = sync.n_free_slots as usize;
            worker.is_draining = sync.draining;
            worker.troubles = std::mem::take(&mut sync.troubles);
            worker.troubles_told = now;
        });

        let mut reply = SyncReply::bare(sync.seq, Order::GoOn);
        for finished in std::mem::take(&mut sync.finished) {
            let lease = finished.lease;
            let verdict = self.finish(now, id, finished, out);
            reply.acks.push((lease, verdict));
        }
        let has_trained = self.has_trained(now, id);
        let mut has_shirked = false;
        for lease in &sync.released {
            has_shirked |= self.release(id, lease, out);
        }
        has_shirked |= self.forget_unlisted(id, sync.seen_seq, &sync.running, out);
        if has_shirked {
            self.charge_handed_back(now, id, has_trained, out);
        }
        reply.stop = self.note_progress(now, id, &sync, out);
        reply.withdraw = self.withdraw(now, id, sync.seen_seq);
        let (grants, took_back) = match is_repeated {
            // Its reply was lost, and so may this one be.
            true => (self.unseen_grants(id, sync.seen_seq), false),
            false => self.grant(now, id, &sync, &mut reply.stop, out),
        };
        let with_checkpoints =
            |lease: Lease| Grant { lease, checkpoints: self.checkpoints.of(lease.trial).to_vec() };
        reply.grants = grants.into_iter().map(with_checkpoints).collect();
        reply.order = self.order_for(id);
        reply.soon = took_back || self.awaits_trials() || self.may_soon_be_of_use(id);
        // A worker that drained holds nothing and comes back, if at all, with a Join.
        if sync.draining && self.fleet.worker(id).leases.is_empty() {
            self.end_drain(now, id, out);
            self.part_with(now, id, false);
        }
        out.push(Action::Reply(Reply::Sync(call, reply)));
    }

    /// True if it was not asked for.
    fn release(&mut self, id: WorkerId, lease: &Lease, out: &mut Vec<Action>) -> bool {
        let open = self.fleet.open_lease(lease).filter(|open| open.worker == id);
        let Some(open) = open else { return false };
        let is_asked = self.fleet.is_withdrawn(&open);
        self.give_back(&open, CloseCause::Released, out);
        !is_asked
    }

    /// A lease whose grant the worker has seen, and that it neither runs nor has handed in, is
    /// gone on its side: the trial goes back to its place in the queue. True if there was one that
    /// was not asked for.
    fn forget_unlisted(
        &mut self,
        id: WorkerId,
        seen_seq: u64,
        running: &[Running],
        out: &mut Vec<Action>,
    ) -> bool {
        let listed: BTreeSet<Lease> = running.iter().map(|running| running.lease).collect();
        let leases = self.fleet.worker(id).leases.values();
        let gone: Vec<OpenLease> = leases
            .filter(|held| held.granted_in_seq <= seen_seq)
            .map(|held| held.open)
            .filter(|open| !listed.contains(&open.lease))
            .collect();
        let has_shirked = gone.iter().any(|open| !self.fleet.is_withdrawn(open));
        for open in gone {
            self.give_back(&open, CloseCause::Released, out);
        }
        has_shirked
    }

    /// Notes what runs, and returns what should not. A trial whose lease was lost, though its worker
    /// trained on, goes on under a new one.
    fn note_progress(
        &mut self,
        now: Millis,
        id: WorkerId,
        sync: &Sync,
        out: &mut Vec<Action>,
    ) -> Vec<Lease> {
        let mut stop = Vec::new();
        for report in &sync.running {
            let trial = report.lease.trial;
            let worker = self.fleet.worker(id);
            if worker.holds(&report.lease) {
                if report.started {
                    self.fleet.note_progress(now, id, report);
                    self.note_hindrance(now, id, trial);
                }
            } else if worker.leases.contains_key(&trial) {
                // The new lease is on its way.
            } else if !sync.draining && self.may_go_on(id, report) {
                self.queue.remove(trial);
                let lease = self.lease(now, id, trial, Place::Slot, sync.seq, out);
                self.fleet.note_progress(now, id, &Running { lease, ..*report });
            } else {
                stop.push(report.lease);
            }
        }
        stop
    }

    /// Nobody else has what the worker trains, and it might as well be granted it now.
    fn may_go_on(&self, id: WorkerId, report: &Running) -> bool {
        let trial = report.lease.trial;
        let worker = self.fleet.worker(id);
        let n_max = worker.health.n_leases_max().min(worker.n_slots());
        report.started
            && self.was_granted_to(id, report.lease)
            && !self.has_stalled(&report.lease)
            && self.trials[trial.index()].status == Status::Ready
            && !self.is_stopping
            && !self.is_given_up
            && worker.leases.len() < n_max
            && !worker.trains_alone()
            && (worker.leases.is_empty() || !self.trials[trial.index()].must_run_alone())
    }

    fn order_for(&mut self, id: WorkerId) -> Order {
        if self.is_finished() {
            self.fleet.change(id, |worker| worker.was_told_finished = true);
            Order::Finished
        } else if self.is_stopping {
            Order::Drain
        } else {
            Order::GoOn
        }
    }

    /// It has a free slot, and elsewhere trials are queued that may be taken back.
    fn may_soon_be_of_use(&self, id: WorkerId) -> bool {
        0 < self.fleet.worker(id).load().n_free_slots && 0 < self.fleet.load().n_queued
    }
}

impl SyncReply {
    fn bare(seq: u64, order: Order) -> Self {
        Self {
            seq,
            acks: Vec::new(),
            grants: Vec::new(),
            stop: Vec::new(),
            withdraw: Vec::new(),
            order,
            soon: false,
        }
    }
}
