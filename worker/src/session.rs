//! The session: one task that calls the coordinator, feeds the slots and keeps the spool, as the
//! agent says. Nothing it waits for depends on training, so a busy machine delays no Sync.

use std::time::Duration;

use anyhow::bail;
use proto::{Ack, Finished, JoinReply, JoinRequest, Lease, Order, SyncReply, Verdict, finished};
use tokio::{
    sync::mpsc,
    time::{self, Instant},
};
use tracing::{error, info, warn};
use trainer::{Ending, TrialResult};

use crate::{
    agent::{Agent, Job, Start, StateId, TrialId},
    backoff::{Backoff, jittered, random},
    checkpoints::Checkpoints,
    convert,
    datasets::Datasets,
    hex::short_id,
    link::{CallError, Link},
    pending::{Pending, completed},
    run::Ended,
    slot::{Message, Outcome, Slots, Task},
    spool::Spool,
    supply::Supply,
};

/// While draining: trials that end within this time by their own pace are finished,
const FINISH_WITHIN_S: f64 = 3.0;
/// the others are dropped after this long,
const DROP_AFTER: Duration = Duration::from_secs(10);
/// and the coordinator is told until then at the most.
const LEAVE_AFTER: Duration = Duration::from_secs(20);

/// Between the end of one sweep and the search for the next.
const BETWEEN_SWEEPS: Duration = Duration::from_secs(5);

/// Bounds of a Sync's deadline, which is a third of a lease.
const SYNC_DEADLINE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// Longest time between two Syncs, whatever the coordinator says.
const LONGEST_SYNC: Duration = Duration::from_secs(60);

pub(crate) struct Session {
    /// What each Join says; leases are added to it.
    introduction: JoinRequest,
    stay: bool,
    lost_after: Duration,
    agent: Agent,
    slots: Slots,
    spool: Spool,
    checkpoints: Checkpoints,
    supply: Supply,
    link: Link,
    backoff: Backoff,
    /// Outcomes that are not in the spool yet.
    fresh: Vec<Finished>,
    call: Option<Pending<Reply>>,
    next_call_at: Instant,
    sync_deadline: Duration,
    heard_at: Instant,
    said_silence: bool,
    drain: Option<Drain>,
}

/// What a session is made of.
pub(crate) struct Parts {
    pub(crate) introduction: JoinRequest,
    pub(crate) stay: bool,
    pub(crate) lost_after: Duration,
    pub(crate) slots: Slots,
    pub(crate) spool: Spool,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) datasets: Datasets,
    pub(crate) link: Link,
}

enum Reply {
    Join(Result<JoinReply, CallError>),
    Sync(Result<SyncReply, CallError>),
}

/// The orderly end of all work.
struct Drain {
    began: Instant,
    /// A worker that stays looks for the next sweep after an order, but not after a signal.
    by_signal: bool,
    /// The coordinator has answered a Sync that left nothing to say.
    is_told: bool,
}

impl Session {
    pub(crate) fn new(parts: Parts) -> Self {
        let n_slots = usize::try_from(parts.introduction.n_slots).expect("32 bits fit");
        Self {
            introduction: parts.introduction,
            stay: parts.stay,
            lost_after: parts.lost_after,
            agent: Agent::new(n_slots),
            slots: parts.slots,
            spool: parts.spool,
            checkpoints: parts.checkpoints,
            supply: Supply::new(parts.datasets),
            link: parts.link,
            backoff: Backoff::new(),
            fresh: Vec::new(),
            call: None,
            next_call_at: Instant::now(),
            sync_deadline: SYNC_DEADLINE.1,
            heard_at: Instant::now(),
            said_silence: false,
            drain: None,
        }
    }

    /// Stops the slots. Gives the number of outcomes that nobody has acknowledged.
    pub(crate) fn close(self) -> usize {
        self.spool.close()
    }

    /// Works until the sweep is finished, the worker is drained or refused, or the coordinator has
    /// been lost for too long, which is the error. Outcomes that nobody has acknowledged are in
    /// the spool by then.
    pub(crate) async fn run(&mut self, mut signals: mpsc::Receiver<()>) -> anyhow::Result<Ended> {
        loop {
            self.start_trials();
            self.call_if_due();
            if let Some(ended) = self.over()? {
                return Ok(ended);
            }
            let wake_at = self.wake_at();
            tokio::select! {
                Some(()) = signals.recv() => self.begin_drain(true),
                message = self.slots.message() => self.take_messages(message),
                reply = completed(&mut self.call) => {
                    if let Some(ended) = self.take_reply(reply) {
                        self.store();
                        return Ok(ended);
                    }
                }
                arrival = self.supply.arrival() => match arrival {
                    Ok(()) => self.agent.make_urgent(),
                    Err(error) => {
                        return Ok(Ended::Refused(format!("the data set cannot be used: {error}")));
                    }
                },
                () = time::sleep_until(wake_at) => self.hurry_drain(),
            }
        }
    }

    fn start_trials(&mut self) {
        let Some(data) = self.supply.ready().cloned() else { return };
        while let Some(Start { job, trial_id, attempt, hyperparameters, seed }) =
            self.agent.start_next()
        {
            match convert::train_config(&hyperparameters, seed) {
                Ok(config) => {
                    let data = data.clone();
                    self.slots.begin(Task { job, trial_id, attempt, config, data });
                }
                Err(text) => {
                    let outcome = Outcome { result: Err(text), timings: vec![], wall_s: 0.0 };
                    self.take_outcome(job, outcome);
                }
            }
        }
    }

    /// Begins the next call when it is time: a Join, a Sync, or the same Sync once more.
    fn call_if_due(&mut self) {
        if self.call.is_some() {
            if !self.agent.has_session() {
                self.store();
            }
            return;
        }
        self.store();
        let is_urgent = self.agent.has_session() && self.agent.is_urgent();
        let may_hurry = is_urgent && self.backoff.n_failures() == 0;
        if Instant::now() < self.next_call_at && !may_hurry {
            return;
        }
        let wants_work = self.supply.ready().is_some() && !self.spool.is_full();
        let state_id = self.agent.state_id().unwrap_or_default();
        let offer = || self.spool.offer(&state_id, proto::MAX_FINISHED_BYTES);
        self.call = Some(match self.agent.request(wants_work, offer) {
            Some(request) => {
                let sync = self.link.sync(request, self.sync_deadline);
                Box::pin(async { Reply::Sync(sync.await) })
            }
            None => {
                let mut request = self.introduction.clone();
                request.running = self.agent.leases();
                if !request.running.is_empty() {
                    request.state_id = state_id.to_vec();
                }
                let join = self.link.join(request);
                Box::pin(async { Reply::Join(join.await) })
            }
        });
    }

    /// Puts fresh outcomes into the spool, all with one write. Outcomes that end while a Sync is
    /// in flight wait for its reply, so that those of one Sync share a write.
    fn store(&mut self) {
        let was_full = self.spool.is_full();
        let fresh = std::mem::take(&mut self.fresh);
        let written = match self.agent.state_id() {
            Some(state_id) if !fresh.is_empty() => self.spool.append(state_id, fresh),
            _ => self.spool.save(),
        };
        match written {
            Err(error) if !was_full => error!(
                "cannot write {}: {error}; outcomes stay in memory and no work is asked for until it can",
                self.spool.path().display()
            ),
            Ok(()) if was_full => info!("the spool can be written again"),
            _ => {}
        }
    }

    fn take_messages(&mut self, first: Message) {
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::EpochDone(job, progress) => self.agent.progressed(job, progress),
                Message::Ended(job, outcome) => self.take_outcome(job, *outcome),
                Message::Left(job) => self.agent.left(job),
            }
            next = self.slots.message_at_hand();
        }
    }

    fn take_outcome(&mut self, job: Job, outcome: Outcome) {
        let Some(lease) = self.agent.ended(job) else { return };
        tell_outcome(&lease, &outcome);
        let Outcome { result, timings, .. } = outcome;
        let outcome = match result {
            Ok(result) => finished::Outcome::Result(convert::trial_result(&result)),
            Err(text) => finished::Outcome::Failure(text),
        };
        self.fresh.push(Finished { lease: Some(lease), outcome: Some(outcome), timings });
    }

    fn take_reply(&mut self, reply: Reply) -> Option<Ended> {
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
        }
    }

    fn unanswered(&mut self, text: &str) {
        self.link.failed();
        self.next_call_at = Instant::now() + self.backoff.failed(random());
        if !std::mem::replace(&mut self.said_silence, true) {
            let url = self.link.url();
            match self.agent.state_id() {
                None => warn!("no coordinator at {url} yet, trying on: {text}"),
                Some(_) => warn!("no answer from {url}, training goes on: {text}"),
            }
        }
    }

    fn heard(&mut self) {
        self.link.succeeded();
        self.backoff.succeeded();
        self.heard_at = Instant::now();
        self.said_silence = false;
    }

    fn joined(&mut self, reply: JoinReply) -> Option<Ended> {
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
        let spec = match convert::data_spec(&reply.data.unwrap_or_default()) {
            Ok(spec) => spec,
            Err(text) => return Some(Ended::Refused(text)),
        };
        let stop = self.agent.joined(reply.session, state_id, &reply.kept);
        self.stop(stop);
        let lease_ttl = Duration::from_millis(reply.lease_ttl_ms.into());
        self.backoff.set_lease_ttl(lease_ttl);
        self.sync_deadline = (lease_ttl / 3).clamp(SYNC_DEADLINE.0, SYNC_DEADLINE.1);
        self.supply.want(spec, || self.link.second_channel());
        self.next_call_at = Instant::now();
        let kept = reply.kept.len();
        let waiting = self.spool.offer(&state_id, proto::MAX_FINISHED_BYTES).len();
        info!("joined {}: {kept} trials go on, {waiting} outcomes to hand in", self.link.url());
        None
    }

    fn synced(&mut self, reply: SyncReply) -> Option<Ended> {
        let within = Duration::from_millis(reply.sync_within_ms.into()).min(LONGEST_SYNC);
        let answer = match self.agent.replied(reply) {
            Ok(answer) => answer,
            Err(text) => {
                self.unanswered(&text);
                return None;
            }
        };
        self.heard();
        self.next_call_at = Instant::now() + jittered(within, random());
        self.stop(answer.stop);
        self.take_acks(&answer.acks);
        if let Some(drain) = &mut self.drain {
            drain.is_told =
                self.agent.is_idle() && !self.agent.is_urgent() && self.fresh.is_empty();
        }
        match answer.order {
            Order::Unspecified | Order::GoOn => None,
            Order::Drain => {
                self.begin_drain(false);
                None
            }
            Order::Rejoin => {
                self.agent.session_lost();
                self.next_call_at = Instant::now() + self.backoff.failed(random());
                None
            }
            Order::Finished => {
                let state_id = self.agent.state_id().unwrap_or_default();
                self.sweep_finished(&state_id)
            }
        }
    }

    fn take_acks(&mut self, acks: &[Ack]) {
        for ack in acks {
            let trial_id = ack.lease.as_ref().map_or(&[][..], |lease| &lease.trial_id);
            match ack.verdict() {
                Verdict::Recorded | Verdict::AlreadyRecorded => {}
                verdict => warn!(
                    "trial {}: the coordinator did not record its outcome ({}), its log says why",
                    short_id(trial_id),
                    verdict.as_str_name()
                ),
            }
            if let Ok(trial_id) = TrialId::try_from(trial_id) {
                self.checkpoints.remove(&trial_id);
            }
        }
        if acks.is_empty() {
            return;
        }
        let leases: Vec<Lease> = acks.iter().filter_map(|ack| ack.lease.clone()).collect();
        if let Err(error) = self.spool.acknowledged(&leases) {
            warn!("cannot shorten {}: {error}", self.spool.path().display());
        }
        // More than one Sync can carry were waiting.
        if self.agent.state_id().is_some_and(|state_id| self.spool.has_any_of(&state_id)) {
            self.agent.make_urgent();
        }
    }

    /// Every trial of the state has its outcome: what is left here are copies.
    fn sweep_finished(&mut self, state_id: &StateId) -> Option<Ended> {
        self.fresh.clear();
        if let Err(error) = self.spool.forget(state_id) {
            warn!("cannot shorten {}: {error}", self.spool.path().display());
        }
        if !self.stay || self.drain.is_some() {
            return Some(Ended::Finished);
        }
        info!("the sweep at {} is finished, waiting for the next one", self.link.url());
        self.look_for_next();
        None
    }

    fn look_for_next(&mut self) {
        let stop = self.agent.give_up();
        self.stop(stop);
        self.drain = None;
        self.next_call_at = Instant::now() + jittered(BETWEEN_SWEEPS, random());
    }

    fn stop(&mut self, jobs: Vec<(Job, TrialId)>) {
        for (job, trial_id) in jobs {
            self.slots.stop(job);
            info!("trial {} stopped, it is not needed any more", short_id(&trial_id));
        }
    }

    fn begin_drain(&mut self, by_signal: bool) {
        if let Some(drain) = &mut self.drain {
            drain.by_signal |= by_signal;
            return;
        }
        info!("draining: finishing what ends soon, handing back the rest");
        self.drain = Some(Drain { began: Instant::now(), by_signal, is_told: false });
        for (job, progress) in self.agent.drain() {
            if progress.seconds_left().is_none_or(|seconds| seconds > FINISH_WITHIN_S) {
                self.slots.leave_at_epoch_end(job);
            }
        }
    }

    fn hurry_drain(&self) {
        if self.drain.as_ref().is_some_and(|drain| drain.began.elapsed() >= DROP_AFTER) {
            self.slots.stop_all();
        }
    }

    /// Whether there is nothing left to do here.
    fn over(&mut self) -> anyhow::Result<Option<Ended>> {
        if let Some(drain) = &self.drain {
            let cannot_tell = !self.agent.has_session() || self.backoff.n_failures() > 0;
            let is_done = self.agent.is_idle() && (drain.is_told || cannot_tell);
            if !is_done && drain.began.elapsed() < LEAVE_AFTER {
                return Ok(None);
            }
            info!("drained");
            if drain.by_signal || !self.stay {
                self.store();
                return Ok(Some(Ended::Drained));
            }
            self.look_for_next();
        }
        let is_lost = !self.stay && self.heard_at.elapsed() >= self.lost_after;
        if is_lost && self.agent.is_idle() {
            bail!(
                "no coordinator at {} for {} s; {} outcomes wait in {}: start a worker with the same cache folder when it is back",
                self.link.url(),
                self.lost_after.as_secs(),
                self.spool.len(),
                self.spool.path().display()
            );
        }
        Ok(None)
    }

    /// When to look again although nothing happened.
    fn wake_at(&self) -> Instant {
        let now = Instant::now();
        let call_at = self.call.is_none().then_some(self.next_call_at);
        let lost_at = (!self.stay).then(|| self.heard_at + self.lost_after);
        let drain = self.drain.iter();
        let drain_at =
            drain.flat_map(|drain| [drain.began + DROP_AFTER, drain.began + LEAVE_AFTER]);
        let times = call_at.into_iter().chain(lost_at).chain(drain_at);
        // Times that have passed were acted on, or wait for a message that wakes this task.
        times.filter(|&at| at > now).min().unwrap_or(now + LONGEST_SYNC)
    }
}

fn tell_outcome(lease: &Lease, outcome: &Outcome) {
    let trial = short_id(&lease.trial_id);
    let wall_s = outcome.wall_s;
    match &outcome.result {
        Err(text) => warn!("trial {trial} failed: {text}"),
        Ok(TrialResult { ending: Ending::Diverged { step, .. }, .. }) => {
            info!("trial {trial} diverged at step {step}, {wall_s:.1} s");
        }
        Ok(TrialResult { history, .. }) => {
            let best = history.iter().map(|epoch| epoch.valid_accuracy).fold(0.0, f64::max);
            info!("trial {trial} done: {:.2} % in {wall_s:.1} s", 100.0 * best);
        }
    }
}
