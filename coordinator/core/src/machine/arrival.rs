//! Workers come and go: Join, the end of a local process, and silence.

use std::collections::BTreeSet;

use crate::event::{Action, Call, CloseCause, Join, JoinReply, Notice, Record, Reply};
use crate::fleet::worker::Worker;
use crate::lease::{Lease, OpenLease, SessionId, WorkerId};
use crate::ledger::trial::Status;
use crate::limits::{MAX_WORKERS, SYNCS_IN_A_LEASE};
use crate::machine::Core;
use crate::time::Millis;

impl Core {
    pub(super) fn join(
        &mut self,
        now: Millis,
        call: Call<JoinReply>,
        join: Join,
        out: &mut Vec<Action>,
    ) {
        let id = join.worker;
        let is_known = self.fleet.get(id).is_some();
        if MAX_WORKERS <= self.fleet.len() && !is_known {
            out.push(Action::Reply(Reply::Join(call, JoinReply::TooManyWorkers)));
            return;
        }
        if let Some(living) = self.living_namesake(now, &join) {
            let name = join.facts.name;
            out.push(Action::Publish(Notice::JoinRefused { name, living: living.clone() }));
            out.push(Action::Reply(Reply::Join(call, JoinReply::WorkerLives(living))));
            return;
        }
        let deadline = now + self.config.lease_ttl_ms;
        if !is_known {
            self.fleet.add(id, Worker::new(deadline));
        }
        self.end_drain(now, id, out);
        let departure = self.former.take(id).unwrap_or_default();
        let session = SessionId(self.draw());
        let finished = self.is_finished() && !self.may_complete(id, &join.held);
        self.fleet.open_session(id, session);
        self.fleet.change(id, |worker| {
            if !is_known {
                worker.health = departure.health;
            }
            if !is_known || !join.continues {
                worker.joined = now;
            }
            worker.take_in(&join, deadline);
            worker.was_told_finished = finished;
        });
        out.push(Action::Publish(Notice::WorkerJoined { name: join.facts.name.clone() }));
        out.push(Action::Persist(Record::WorkerJoined { worker: id, facts: join.facts }));
        let held: BTreeSet<Lease> = join.held.into_iter().collect();
        let (kept, dropped): (Vec<OpenLease>, Vec<OpenLease>) =
            self.leases_held_by(id).into_iter().partition(|open| held.contains(&open.lease));
        self.charge_joined(now, id, join.continues, departure.had_not_begun, &dropped, out);
        for open in dropped {
            if join.continues {
                // The same process never learned of these grants.
                self.give_back(&open, CloseCause::Released, out);
            } else {
                self.lose_lease(&open, None, out);
            }
        }
        let kept = kept.into_iter().map(|open| open.lease).collect();
        let joined = JoinReply::Joined { session, kept, finished };
        out.push(Action::Reply(Reply::Join(call, joined)));
    }

    /// The name of the process that has this worker's session and lives: it has spoken within the time in
    /// which a living worker does. A worker joins again only once its session is unknown, so the other is
    /// on a machine to which its folder was copied, or a process that takes the place of one that ended
    /// just now. The coordinator's own processes are watched.
    fn living_namesake(&self, now: Millis, join: &Join) -> Option<String> {
        let worker = self.fleet.get(join.worker)?;
        let is_watched = worker.is_local() || join.facts.local_index.is_some();
        let since_ms = now.since(worker.spoke.filter(|_| worker.session.is_some())?);
        let lives = since_ms * SYNCS_IN_A_LEASE < self.config.lease_ttl_ms;
        (lives && !is_watched && !worker.was_told_finished).then(|| worker.name())
    }

    /// Whether a worker that holds these may bring the result of a trial that was given up.
    fn may_complete(&self, id: WorkerId, held: &[Lease]) -> bool {
        let is_given_up = |lease: &Lease| {
            let status = self.trials[lease.trial.index()].status;
            matches!(status, Status::Failed | Status::Cancelled)
        };
        held.iter().any(|lease| self.was_granted_to(id, *lease) && is_given_up(lease))
    }

    pub(super) fn local_ended(
        &mut self,
        now: Millis,
        local_index: u32,
        expected: bool,
        how: &str,
        out: &mut Vec<Action>,
    ) {
        let is_this = |worker: &Worker| {
            worker.session.is_some()
                && worker.facts.as_ref().is_some_and(|f| f.local_index == Some(local_index))
        };
        let ids: Vec<WorkerId> =
            self.fleet.iter().filter(|(_, worker)| is_this(worker)).map(|(id, _)| *id).collect();
        for id in ids {
            if expected {
                for open in self.leases_held_by(id) {
                    self.give_back(&open, CloseCause::CoordinatorEnded, out);
                }
                self.fleet.forget(id);
            } else {
                self.lose_worker(now, id, Some(how), out);
            }
        }
    }

    /// Nobody is judged by a silence that was the coordinator's own.
    pub(super) fn renew_all(&mut self, now: Millis) {
        let deadline = now + self.config.lease_ttl_ms;
        let ids: Vec<WorkerId> = self.fleet.iter().map(|(id, _)| *id).collect();
        for id in ids {
            self.fleet.change(id, |worker| {
                worker.deadline = deadline;
                worker.leases.values_mut().for_each(|held| held.renew(now));
            });
        }
    }

    pub(super) fn expire(&mut self, now: Millis, out: &mut Vec<Action>) {
        for id in self.fleet.overdue(now) {
            self.lose_worker(now, id, None, out);
        }
    }

    /// `how` its process ended, if that was seen.
    fn lose_worker(&mut self, now: Millis, id: WorkerId, how: Option<&str>, out: &mut Vec<Action>) {
        let leases = self.leases_held_by(id);
        let had_not_begun = self.has_not_begun_any(id);
        if !leases.is_empty() {
            let name = self.fleet.worker(id).name();
            out.push(Action::Publish(Notice::WorkerLost { name, n_trials: leases.len() }));
        }
        // A process that ended with one trial and nothing else was taken down by that one. One that only
        // fell silent may have lost its network.
        let is_only = leases.len() == 1;
        for open in leases {
            let alone = open.alone || (is_only && how.is_some());
            self.lose_lease(&OpenLease { alone, ..open }, how, out);
        }
        self.part_with(now, id, had_not_begun);
    }

    pub(super) fn leases_held_by(&self, id: WorkerId) -> Vec<OpenLease> {
        self.fleet.worker(id).leases.values().map(|held| held.open).collect()
    }
}

impl Worker {
    /// Starts a session of a process that may be another than before.
    fn take_in(&mut self, join: &Join, deadline: Millis) {
        self.deadline = deadline;
        self.n_free_slots = join.facts.n_slots as usize;
        self.n_slots_most = self.n_slots_most.max(self.n_slots() as u32).max(join.facts.n_slots);
        self.facts = Some(join.facts.clone());
        self.is_draining = false;
        (self.last_seq, self.is_repeating, self.spoke) = (0, false, None);
        self.troubles.clear();
        if !join.continues {
            self.health.started_anew();
        }
        for held in self.leases.values_mut() {
            held.granted_in_seq = 0;
        }
    }
}
