//! What the coordinator's answers change.

use std::collections::HashSet;
use std::time::Duration;

use proto::{Ack, JoinReply, Lease, Order, SyncReply, Verdict};
use tokio::time::Instant;
use tracing::{debug, info, warn};
use trial::hex::hex;
use trial::wording::n_of;

use crate::agent::TrialId;
use crate::agent::{Job, StateId, Urgency};
use crate::config::Ended;
use crate::link::backoff::{Backoff, jittered, random};
use crate::link::{CallError, convert};
use crate::logging::short_id::short_id;
use crate::session::state::{LONGEST_SYNC, Reply, SHORTEST_SYNC, SYNC_DEADLINE, Session};
use crate::session::troubles::Kind;

/// Between the end of one sweep and the search for the next.
const BETWEEN_SWEEPS: Duration = Duration::from_secs(2);

/// Sessions in a row that are lost without a word: a coordinator that is started anew loses one.
const REJOINS_UNTOLD: u32 = 2;

impl Session {
    pub(super) fn take_reply(&mut self, reply: Reply) -> Option<Ended> {
        let error = match reply {
            Reply::Join(Ok(reply)) => return self.joined(reply),
            Reply::Sync(Ok(reply)) => return self.synced(reply),
            Reply::Join(Err(error)) | Reply::Sync(Err(error)) => error,
        };
        match error {
            CallError::Refused(text) => Some(Ended::Refused(text)),
            CallError::Unanswered(text) => {
                self.unanswered(&text);
                None
            }
            CallError::Busy(text) => {
                let url = self.link.url();
                let text = format!("the coordinator at {url} cannot answer now; retrying: {text}");
                self.retry(&text);
                None
            }
        }
    }

    fn unanswered(&mut self, text: &str) {
        self.link.failed();
        let url = self.link.url();
        let text = match self.agent.state_id() {
            None => format!("no coordinator at {url} yet; retrying: {text}"),
            Some(_) => format!("no answer from {url}; training goes on: {text}"),
        };
        self.retry(&text);
    }

    fn retry(&mut self, text: &str) {
        self.next_call_at = Instant::now() + self.backoff.failed(random());
        // One call in vain is no news to those who were answered before: a coordinator that ends, or
        // starts anew.
        if self.agent.state_id().is_none() || self.backoff.n_failures() > 1 {
            self.troubles.note(Kind::Coordinator, text);
        }
    }

    fn heard(&mut self) {
        self.link.succeeded();
        self.backoff.succeeded();
        self.heard_at = Instant::now();
        self.troubles.is_over(Kind::Coordinator);
    }

    fn joined(&mut self, reply: JoinReply) -> Option<Ended> {
        faults::point("worker.join.answered");
        self.heard();
        if reply.protocol != proto::PROTOCOL_VERSION {
            return Some(Ended::Refused(format!(
                "the coordinator speaks protocol {}, this worker {}: build both from the same release",
                reply.protocol,
                proto::PROTOCOL_VERSION
            )));
        }
        let Ok(state_id) = StateId::try_from(reply.state_id.as_slice()) else {
            return Some(Ended::Refused("the coordinator's state id is not 16 bytes long".into()));
        };
        if reply.finished {
            return self.sweep_finished(&state_id);
        }
        self.said_finished = None;
        let spec = match convert::data_spec(&reply.data.unwrap_or_default()) {
            Ok(spec) => spec,
            Err(text) => return Some(Ended::Refused(text)),
        };
        self.link.joined(reply.session);
        let stop = self.agent.joined(reply.session, state_id, &reply.kept);
        self.stop(stop);
        let lease_ttl = Duration::from_millis(reply.lease_ttl_ms.into());
        self.backoff.set_lease_ttl(lease_ttl);
        self.rejoins.set_lease_ttl(lease_ttl);
        self.sync_deadline = (lease_ttl / 3).clamp(SYNC_DEADLINE.0, SYNC_DEADLINE.1);
        self.supply.want(spec, || self.link.artifacts());
        self.next_call_at = Instant::now();
        let waiting = if self.spool.has_any_of(&state_id) { "; outcomes to hand in" } else { "" };
        let kept = match self.agent.leases().len() {
            0 => String::new(),
            n_trials => format!("; going on with {}", n_of(n_trials, "trial")),
        };
        info!("joined {}{kept}{waiting}", self.link.url());
        None
    }

    fn synced(&mut self, reply: SyncReply) -> Option<Ended> {
        faults::point("worker.sync.answered");
        let within = Duration::from_millis(reply.sync_within_ms.into());
        let within = within.clamp(SHORTEST_SYNC, LONGEST_SYNC);
        let answer = match self.agent.replied(reply) {
            Ok(answer) => answer,
            Err(text) => {
                self.unanswered(&text);
                return None;
            }
        };
        self.heard();
        if answer.order == Order::Rejoin {
            self.lost_session();
            return None;
        }
        self.rejoins.succeeded();
        self.troubles.is_over(Kind::Session);
        self.next_call_at = Instant::now() + jittered(within, random());
        self.stop(answer.stop);
        self.take_acks(&answer.acks);
        if let Some(drain) = &mut self.drain {
            drain.is_told = self.agent.is_idle() && self.agent.urgency() == Urgency::Usual;
        }
        match answer.order {
            Order::Unspecified | Order::GoOn | Order::Rejoin => None,
            Order::Drain => {
                self.begin_drain(false);
                None
            }
            Order::Finished => {
                let state_id = self.agent.state_id().unwrap_or_default();
                self.sweep_finished(&state_id)
            }
        }
    }

    /// A coordinator that was started anew knows no session; one that forgets them again and again is
    /// called less and less.
    fn lost_session(&mut self) {
        self.next_call_at = Instant::now() + self.rejoins.failed(random());
        if self.rejoins.n_failures() > REJOINS_UNTOLD {
            let text = format!(
                "the coordinator at {} lets this worker join and then does not know it; if its cache folder was copied to another machine, one of them needs its own (--cache-dir)",
                self.link.url()
            );
            self.troubles.note(Kind::Session, &text);
        }
    }

    /// What is said of outcomes that do not wait here is not listened to.
    fn take_acks(&mut self, acks: &[Ack]) {
        let Some(state_id) = self.agent.state_id() else { return };
        let waiting: HashSet<Lease> = self.spool.leases(&state_id).into_iter().collect();
        let is_ours = |ack: &&Ack| ack.lease.as_ref().is_some_and(|it| waiting.contains(it));
        let acks: Vec<&Ack> = acks.iter().filter(is_ours).collect();
        for ack in &acks {
            let trial_id = ack.lease.as_ref().map_or(&[][..], |lease| &lease.trial_id);
            match ack.verdict() {
                Verdict::Recorded | Verdict::AlreadyRecorded => {
                    let attempt = ack.lease.as_ref().map(|lease| lease.attempt);
                    debug!(trial = hex(trial_id), attempt, "acknowledged");
                }
                verdict => self.repeats.warn(
                    "outcomes that were not recorded",
                    format!(
                        "trial {}: the coordinator did not record its outcome ({}), its log says why",
                        short_id(trial_id),
                        verdict.as_str_name()
                    ),
                ),
            }
            if let Ok(trial_id) = TrialId::try_from(trial_id) {
                self.storing.useless.push(trial_id);
            }
        }
        if acks.is_empty() {
            return;
        }
        let leases: Vec<Lease> = acks.iter().filter_map(|ack| ack.lease.clone()).collect();
        self.spool.acknowledged(&state_id, &leases);
        self.store();
        // More than one Sync can carry were waiting.
        if self.spool.has_any_of(&state_id) {
            self.agent.make_urgent();
        }
    }

    /// Every trial of the state has its outcome.
    fn sweep_finished(&mut self, state_id: &StateId) -> Option<Ended> {
        let is_told = self.said_finished.replace(*state_id) == Some(*state_id);
        if !is_told {
            self.clear_spool(state_id);
        }
        let leaves = self.drain.as_ref().is_some_and(|drain| drain.by_signal);
        if !self.stay || leaves {
            return Some(Ended::Finished);
        }
        if !is_told {
            info!("the sweep at {} is finished; waiting for the next one", self.link.url());
        }
        self.look_for_next();
        None
    }

    /// What this process put into the spool for a sweep that is finished are copies. What another
    /// process put there is kept, because this one cannot know.
    fn clear_spool(&mut self, state_id: &StateId) {
        match self.spool.forget(state_id) {
            0 => {}
            n => {
                let outcomes = n_of(n, "outcome");
                warn!("not acknowledged, and dropped as their sweep is finished: {outcomes}")
            }
        }
        let n_kept = self.spool.leases(state_id).len();
        if n_kept > 0 {
            warn!(
                "the sweep is finished without {} of a former worker, kept in {}",
                n_of(n_kept, "outcome"),
                self.spool.path().display()
            );
        }
    }

    pub(super) fn look_for_next(&mut self) {
        let stop = self.agent.give_up();
        self.stop(stop);
        self.stop_publishing();
        // Its answer would be to a session that is over.
        self.call = None;
        self.drain = None;
        self.backoff = Backoff::new();
        self.next_call_at = Instant::now() + jittered(BETWEEN_SWEEPS, random());
    }

    fn stop(&mut self, jobs: Vec<(Job, TrialId)>) {
        for (job, trial_id) in jobs {
            if !self.abandon_fetch(job) {
                self.slots.stop(job);
            }
            let line =
                format!("trial {} stopped, it is not needed any more", short_id(trial_id.bytes()));
            self.repeats.info("stopped trials", line);
        }
    }
}
