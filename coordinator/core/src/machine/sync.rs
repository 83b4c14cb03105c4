//! One Sync: what the worker finished, released and runs, and the answer to it.

use crate::{
    event::{Action, Call, CloseCause, Grant, Order, Reply, Running, Sync, SyncReply},
    lease::{Lease, WorkerId},
    machine::Core,
    time::Millis,
};

impl Core {
    pub(super) fn sync(&mut self, now: Millis, call: Call, sync: Sync, out: &mut Vec<Action>) {
        let Some(&id) = self.sessions.get(&sync.session) else {
            let reply = SyncReply::bare(sync.seq, Order::Rejoin);
            out.push(Action::Reply(call, Reply::Synced(reply)));
            return;
        };
        let worker = self.workers.get_mut(&id).expect("a session belongs to a worker");
        worker.deadline = now + self.config.lease_ttl_ms;

        let mut reply = SyncReply::bare(sync.seq, Order::GoOn);
        for finished in sync.finished {
            let lease = finished.lease;
            let verdict = self.finish(id, finished, out);
            reply.acks.push((lease, verdict));
        }
        for lease in sync.released {
            self.release(id, lease, out);
        }
        self.forget_unlisted(id, sync.seen_seq, &sync.running, out);
        reply.stop = self.note_progress(id, &sync.running);
        let mut granted = self.unseen_grants(id, sync.seen_seq);
        let n_unseen = u32::try_from(granted.len()).unwrap_or(u32::MAX);
        let n_free = sync.n_free_slots.saturating_sub(n_unseen);
        if !sync.draining {
            self.grant(id, sync.seq, n_free, &mut granted, out);
        }
        let with_checkpoint =
            |lease: Lease| Grant { lease, checkpoint: self.checkpoints.latest(lease.trial) };
        reply.grants = granted.into_iter().map(with_checkpoint).collect();
        reply.order = self.order_for(id);
        reply.soon = self.awaits_trials();
        // A worker that drained holds nothing and comes back, if at all, with a Join.
        if sync.draining && self.workers[&id].leases.is_empty() {
            self.forget(id);
        }
        out.push(Action::Reply(call, Reply::Synced(reply)));
    }

    fn release(&mut self, id: WorkerId, lease: Lease, out: &mut Vec<Action>) {
        if self.workers[&id].holds(&lease) {
            self.close(lease.trial, CloseCause::Released, out);
            self.queue.push(lease.trial);
        }
    }

    /// A lease whose grant the worker has seen, and that it neither runs nor has handed in, is
    /// gone on its side: the trial goes back to its place in the queue.
    fn forget_unlisted(
        &mut self,
        id: WorkerId,
        seen_seq: u64,
        running: &[Running],
        out: &mut Vec<Action>,
    ) {
        let is_listed = |lease: &Lease| running.iter().any(|r| r.lease == *lease);
        let gone: Vec<Lease> = self.workers[&id]
            .leases
            .values()
            .filter(|held| held.granted_in_seq <= seen_seq && !is_listed(&held.open.lease))
            .map(|held| held.open.lease)
            .collect();
        for lease in gone {
            self.close(lease.trial, CloseCause::Released, out);
            self.queue.push(lease.trial);
        }
    }

    /// Notes what runs, and returns what should not.
    fn note_progress(&mut self, id: WorkerId, running: &[Running]) -> Vec<Lease> {
        let worker = self.workers.get_mut(&id).expect("the caller found it");
        let mut stop = Vec::new();
        for report in running {
            match worker.leases.get_mut(&report.lease.trial) {
                Some(held) if held.open.lease == report.lease => {
                    held.n_epochs_done = report.n_epochs_done;
                    held.valid_accuracy = report.valid_accuracy;
                }
                _ => stop.push(report.lease),
            }
        }
        stop
    }

    fn unseen_grants(&self, id: WorkerId, seen_seq: u64) -> Vec<Lease> {
        let leases = self.workers[&id].leases.values();
        leases.filter(|held| seen_seq < held.granted_in_seq).map(|held| held.open.lease).collect()
    }

    fn order_for(&mut self, id: WorkerId) -> Order {
        let is_finished = self.is_finished();
        let worker = self.workers.get_mut(&id).expect("the caller found it");
        if is_finished {
            worker.was_told_finished = true;
            Order::Finished
        } else if self.is_stopping {
            Order::Drain
        } else {
            Order::GoOn
        }
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
