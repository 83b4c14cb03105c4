//! The agent: what the worker holds, what it states in each Sync, and what an answer changes. It
//! has no clock and does no I/O; `session` feeds it and does what it says.

mod held;

use proto::{Ack, Finished, Grant, Lease, Order, Running, SyncReply, SyncRequest, Trouble};

use self::held::{Held, Phase};
pub(crate) use self::held::{Job, Progress, Standing, Start, TrialId};

/// Grants that may wait for a slot.
const MAX_QUEUE_PLACES: usize = proto::MAX_QUEUE_PLACES as usize;

pub(crate) type StateId = [u8; 16];
#[derive(Debug)]
struct Session {
    id: u64,
    seq: u64,
    seen_seq: u64,
    /// The one Sync whose reply has not been seen.
    in_flight: Option<SyncRequest>,
}

/// The outcomes for one Sync.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Offer {
    pub(crate) finished: Vec<Finished>,
    /// Leases of outcomes for which this Sync has no room. They are named as running, so that
    /// nobody trains their trials again.
    pub(crate) waiting: Vec<Lease>,
}

/// How soon the coordinator should hear from the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Urgency {
    /// With the next beat.
    Usual,
    /// Something ended, but no slot wants for work: more may end until it is told.
    Soon,
    AtOnce,
}

/// What an answer asks of the worker.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    /// Jobs whose slots shall stop at once, and their trials.
    pub(crate) stop: Vec<(Job, TrialId)>,
    pub(crate) acks: Vec<Ack>,
    pub(crate) order: Order,
}

#[derive(Debug)]
pub(crate) struct Agent {
    n_slots: usize,
    session: Option<Session>,
    /// The state that the leases belong to; kept while there is no session.
    state_id: Option<StateId>,
    held: Vec<Held>,
    /// Leases to hand back with the next Sync; they go once its reply was seen.
    released: Vec<Lease>,
    draining: bool,
    urgency: Urgency,
    n_jobs: u64,
}

impl Agent {
    pub(crate) fn new(n_slots: usize) -> Self {
        Self {
            n_slots,
            session: None,
            state_id: None,
            held: Vec::new(),
            released: Vec::new(),
            draining: false,
            urgency: Urgency::Usual,
            n_jobs: 0,
        }
    }

    pub(crate) fn state_id(&self) -> Option<StateId> {
        self.state_id
    }

    pub(crate) fn has_session(&self) -> bool {
        self.session.is_some()
    }

    pub(crate) fn urgency(&self) -> Urgency {
        self.urgency
    }

    pub(crate) fn make_urgent(&mut self) {
        self.urgency = Urgency::AtOnce;
    }

    /// Whether no slot is busy and nothing waits for one.
    pub(crate) fn is_idle(&self) -> bool {
        self.held.is_empty()
    }

    /// The leases of what is trained or waits to be.
    pub(crate) fn leases(&self) -> Vec<Lease> {
        let live = self.held.iter().filter(|held| held.phase != Phase::Stopping);
        live.map(|held| held.lease.clone()).collect()
    }

    /// The lease of what is trained; `None` once nobody wants it.
    pub(crate) fn lease_of(&self, job: Job) -> Option<Lease> {
        let held = self.held.iter().find(|held| held.job == job);
        held.filter(|held| held.phase == Phase::Running).map(|held| held.lease.clone())
    }

    /// A session begins. What the coordinator did not keep and no slot has begun is dropped; what
    /// runs goes on until the next answer says whether it may, under a new lease. Gives the jobs to
    /// stop: those of another state.
    pub(crate) fn joined(
        &mut self,
        session: u64,
        state_id: StateId,
        kept: &[Lease],
    ) -> Vec<(Job, TrialId)> {
        let same_state = self.state_id == Some(state_id);
        self.state_id = Some(state_id);
        self.session = Some(Session { id: session, seq: 0, seen_seq: 0, in_flight: None });
        // The coordinator closes every lease that the Join did not name.
        self.released.clear();
        self.make_urgent();
        let is_kept = |held: &Held| !held.is_waiting() || kept.contains(&held.lease);
        self.stop_where(|held| !same_state || !is_kept(held))
    }

    /// The session is over. What is held goes on and is named in the next Join.
    fn session_lost(&mut self) {
        self.session = None;
    }

    /// Gives up everything, because its sweep is over. Gives the jobs to stop.
    pub(crate) fn give_up(&mut self) -> Vec<(Job, TrialId)> {
        self.session = None;
        self.state_id = None;
        self.draining = false;
        self.released.clear();
        self.stop_where(|_| true)
    }

    /// The Sync to send: the same again until its reply was seen, else a new one that hands in
    /// what `offer` gives. `None` without a session.
    pub(crate) fn request(
        &mut self,
        wants_work: bool,
        troubles: Vec<Trouble>,
        offer: impl FnOnce() -> Offer,
    ) -> Option<SyncRequest> {
        let session = self.session.as_mut()?;
        if session.in_flight.is_none() {
            let (n_free_slots, n_queue_places) = if wants_work && !self.draining {
                let n_ahead = self.held.len().saturating_sub(self.n_slots);
                (
                    self.n_slots.saturating_sub(self.held.len()),
                    MAX_QUEUE_PLACES.saturating_sub(n_ahead),
                )
            } else {
                (0, 0)
            };
            session.seq += 1;
            self.urgency = Urgency::Usual;
            let Offer { finished, waiting } = offer();
            let running = self.held.iter().filter_map(Held::running);
            let waiting = waiting.into_iter().map(|lease| Running {
                lease: Some(lease),
                started: true,
                // It is done, and told with the next Syncs.
                trained_ms: Some(0),
                ..Running::default()
            });
            session.in_flight = Some(SyncRequest {
                session: session.id,
                seq: session.seq,
                seen_seq: session.seen_seq,
                n_free_slots: u32::try_from(n_free_slots).unwrap_or(u32::MAX),
                draining: self.draining,
                running: running.chain(waiting).collect(),
                finished,
                released: self.released.clone(),
                n_queue_places: u32::try_from(n_queue_places).unwrap_or(u32::MAX),
                troubles,
            });
        }
        session.in_flight.clone()
    }

    /// Takes an answer in. The error says why it does not answer the Sync in flight, which is then
    /// to be sent again. An order to join again ends the session, and nothing else of its message is
    /// believed: a coordinator that does not know the session may be another sweep's.
    pub(crate) fn replied(&mut self, reply: SyncReply) -> Result<Answer, String> {
        let order = reply.order();
        let session = self.session.as_mut().ok_or("a reply without a session")?;
        let Some(request) = session.in_flight.take_if(|request| request.seq == reply.seq) else {
            return Err(format!("a reply to Sync {} instead of {}", reply.seq, session.seq));
        };
        if order == Order::Rejoin {
            self.session_lost();
            return Ok(Answer { stop: vec![], acks: vec![], order });
        }
        session.seen_seq = reply.seq;
        self.released.retain(|lease| !request.released.contains(lease));
        // Before the stops: what is granted anew goes on though its former lease is void.
        let mut n_wanted = request.n_free_slots as usize + request.n_queue_places as usize;
        for grant in reply.grants {
            self.granted(grant, &mut n_wanted);
        }
        let stop = self.stop_where(|held| reply.stop.contains(&held.lease));
        self.hand_back(|held| reply.withdraw.contains(&held.lease));
        Ok(Answer { stop, acks: reply.acks, order })
    }

    /// Takes a grant in, if it is of what is held or this many more are wanted.
    fn granted(&mut self, grant: Grant, n_wanted: &mut usize) {
        let Some((lease, trial_id)) = grant.lease.and_then(|lease| {
            let trial_id = lease.trial_id.as_slice().try_into().ok()?;
            Some((lease, trial_id))
        }) else {
            return;
        };
        if self.draining {
            self.released.push(lease);
            self.make_urgent();
            return;
        }
        let held = self
            .held
            .iter_mut()
            .find(|held| held.trial_id == trial_id && held.phase != Phase::Stopping);
        match held {
            // Sent again, or granted anew: the same trial gives the same bits, so what is done
            // of it counts for the new attempt.
            Some(held) => held.lease = lease,
            // More than was asked for: what is not listed as running is granted elsewhere.
            None if *n_wanted == 0 => {}
            None => {
                *n_wanted -= 1;
                self.n_jobs += 1;
                self.held.push(Held {
                    job: Job(self.n_jobs),
                    trial_id,
                    lease,
                    phase: Phase::Waiting {
                        hyperparameters: grant.hyperparameters,
                        seed: grant.seed,
                        checkpoints: grant.checkpoints,
                    },
                    progress: Progress::default(),
                    standing: Standing::default(),
                });
            }
        }
    }

    /// The next job for a free slot, if there are both.
    pub(crate) fn start_next(&mut self) -> Option<Start> {
        let n_busy = self.held.iter().filter(|held| !held.is_waiting()).count();
        if n_busy >= self.n_slots {
            return None;
        }
        let held = self.held.iter_mut().find(|held| held.is_waiting())?;
        match std::mem::replace(&mut held.phase, Phase::Running) {
            Phase::Waiting { hyperparameters, seed, checkpoints } => Some(Start {
                job: held.job,
                trial_id: held.trial_id,
                attempt: held.lease.attempt,
                hyperparameters,
                seed,
                checkpoints,
            }),
            Phase::Running | Phase::Stopping => None,
        }
    }

    pub(crate) fn progressed(&mut self, job: Job, progress: Progress) {
        if let Some(held) = self.held.iter_mut().find(|held| held.job == job) {
            held.progress = progress;
        }
    }

    /// How a slot gets on, for the next Sync.
    pub(crate) fn stands(&mut self, job: Job, standing: Standing) {
        if let Some(held) = self.held.iter_mut().find(|held| held.job == job) {
            held.standing = standing;
        }
    }

    /// A job has its outcome. Gives the lease to report it under; `None` if nobody wants it.
    pub(crate) fn ended(&mut self, job: Job) -> Option<Lease> {
        let held = self.take(job)?;
        let has_more = self.held.iter().any(Held::is_waiting);
        self.urgency = self.urgency.max(if has_more { Urgency::Soon } else { Urgency::AtOnce });
        (held.phase != Phase::Stopping).then_some(held.lease)
    }

    /// A slot has come to rest before its job's end; the lease is handed back unless it was given
    /// up by order.
    pub(crate) fn left(&mut self, job: Job) {
        let Some(held) = self.take(job) else { return };
        self.make_urgent();
        if held.phase != Phase::Stopping {
            self.released.push(held.lease);
        }
    }

    /// From now on no work is wanted; what waits is handed back. Gives what still runs.
    pub(crate) fn drain(&mut self) -> Vec<(Job, Progress)> {
        self.draining = true;
        self.make_urgent();
        self.hand_back(|_| true);
        let running = self.held.iter().filter(|held| held.phase == Phase::Running);
        running.map(|held| (held.job, held.progress)).collect()
    }

    /// Gives back what no slot has begun.
    fn hand_back(&mut self, chosen: impl Fn(&Held) -> bool) {
        for held in self.held.extract_if(.., |held| held.is_waiting() && chosen(held)) {
            self.released.push(held.lease);
            self.urgency = Urgency::AtOnce;
        }
    }

    fn take(&mut self, job: Job) -> Option<Held> {
        let index = self.held.iter().position(|held| held.job == job)?;
        Some(self.held.remove(index))
    }

    /// Drops what waits and marks what runs. Gives what a slot has to stop.
    fn stop_where(&mut self, chosen: impl Fn(&Held) -> bool) -> Vec<(Job, TrialId)> {
        let mut stop = Vec::new();
        self.held.retain_mut(|held| {
            if held.phase == Phase::Stopping || !chosen(held) {
                return true;
            }
            let runs = held.phase == Phase::Running;
            if runs {
                held.phase = Phase::Stopping;
                stop.push((held.job, held.trial_id));
            }
            // Work may take the place of what waited now, of what runs when it has come to rest.
            if !runs {
                self.urgency = Urgency::AtOnce;
            }
            runs
        });
        stop
    }
}

#[cfg(test)]
mod tests;
