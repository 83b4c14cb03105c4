//! A worker that speaks the whole protocol and trains nothing: it joins, takes trials, lets their
//! time pass, and hands in made-up results until the sweep is finished.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::{Context, bail};
use proto::session_client::SessionClient;
use proto::{
    Completed, Epoch, Finished, Grant, Hyperparameter, JoinRequest, Lease, Order, Running,
    SyncReply, SyncRequest, Timing, TrialResult, Work, finished, hyperparameter, trial_result,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use trial::Digest;

/// Between two tries to reach a coordinator that was killed, and how long to go on trying.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(60);

/// What a trial without any time claims to have taken.
const LEAST_TRIAL_TIME: Duration = Duration::from_millis(1);

/// More than the wire form of one epoch takes with its times.
const EPOCH_BYTES: usize = 512;

/// What all workers of a measurement have in common.
#[derive(Clone, Debug)]
pub struct Behaviour {
    pub n_slots: u32,
    /// How long a trial stays in its slot.
    pub trial_time: Duration,
    pub n_epochs: u32,
    pub isa: String,
    pub selftest_digest: Digest,
}

/// One answered Sync.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub at: Instant,
    pub took: Duration,
    /// Outcomes that are durable by it.
    pub n_acked: usize,
}

pub struct FakeWorker {
    client: SessionClient<Channel>,
    behaviour: Behaviour,
    worker_id: [u8; 16],
    samples: mpsc::UnboundedSender<Sample>,
    state_id: Vec<u8>,
    session: u64,
    seq: u64,
    seen_seq: u64,
    held: VecDeque<Held>,
    /// Not acknowledged yet.
    finished: Vec<Finished>,
    next_beat: Instant,
    result: TrialResult,
}

#[derive(Debug)]
struct Held {
    lease: Lease,
    learning_rate: f64,
    /// Once it has a slot.
    ends_at: Option<Instant>,
}

impl FakeWorker {
    pub fn new(
        address: &str,
        behaviour: Behaviour,
        samples: mpsc::UnboundedSender<Sample>,
    ) -> anyhow::Result<Self> {
        let endpoint = Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true);
        let client = SessionClient::new(endpoint.connect_lazy())
            .max_decoding_message_size(proto::MAX_MESSAGE_BYTES);
        let mut worker_id = [0; 16];
        getrandom::fill(&mut worker_id).context("no random numbers")?;
        let result = made_up_result(behaviour.n_epochs);
        Ok(Self {
            client,
            behaviour,
            worker_id,
            samples,
            state_id: Vec::new(),
            session: 0,
            seq: 0,
            seen_seq: 0,
            held: VecDeque::new(),
            finished: Vec::new(),
            next_beat: Instant::now(),
            result,
        })
    }

    /// Works until the sweep is finished, joining again whenever a call goes unanswered.
    pub async fn run(mut self) -> anyhow::Result<()> {
        let mut next = Next::Join;
        loop {
            next = match next {
                Next::Join => self.join().await?,
                Next::Sync => {
                    self.work().await;
                    self.sync().await?
                }
                Next::End => return Ok(()),
            }
        }
    }

    async fn join(&mut self) -> anyhow::Result<Next> {
        let give_up_at = Instant::now() + PATIENCE;
        let reply = loop {
            match self.client.join(self.introduction()).await {
                Ok(reply) => break reply.into_inner(),
                Err(status) if give_up_at < Instant::now() => bail!("no coordinator: {status}"),
                Err(status) => check_transient(&status)?,
            }
            sleep(RETRY_PAUSE).await;
        };
        self.held.retain(|held| reply.kept.contains(&held.lease));
        self.state_id = reply.state_id;
        (self.session, self.seq, self.seen_seq) = (reply.session, 0, 0);
        self.next_beat = Instant::now();
        Ok(if reply.finished { Next::End } else { Next::Sync })
    }

    fn introduction(&self) -> JoinRequest {
        let finished = self.finished.iter().filter_map(|finished| finished.lease.clone());
        JoinRequest {
            protocol_min: proto::PROTOCOL_VERSION,
            protocol_max: proto::PROTOCOL_VERSION,
            numerics_version: trainer::NUMERICS_VERSION,
            selftest_digest: self.behaviour.selftest_digest.0.to_vec(),
            isa: self.behaviour.isa.clone(),
            worker_id: self.worker_id.to_vec(),
            name: "bench".into(),
            cpu: "none".into(),
            n_slots: self.behaviour.n_slots,
            state_id: self.state_id.clone(),
            held: self.held.iter().map(|held| held.lease.clone()).chain(finished).collect(),
            continues: !self.state_id.is_empty(),
            ..JoinRequest::default()
        }
    }

    /// Until something is finished or the beat calls.
    async fn work(&mut self) {
        loop {
            self.pass_time();
            if !self.finished.is_empty() || self.next_beat <= Instant::now() {
                return;
            }
            let ends = self.held.iter().filter_map(|held| held.ends_at);
            sleep_until(ends.chain([self.next_beat]).min().unwrap_or(self.next_beat)).await;
        }
    }

    /// Starts what has a slot and ends what has had its time.
    fn pass_time(&mut self) {
        let now = Instant::now();
        let n_slots = usize::try_from(self.behaviour.n_slots).unwrap_or(usize::MAX);
        let n_most = (proto::MAX_FINISHED_BYTES / result_bytes(self.behaviour.n_epochs)).max(1);
        let mut n_running = 0;
        let mut waiting = VecDeque::new();
        for mut held in std::mem::take(&mut self.held) {
            if n_running < n_slots {
                held.ends_at.get_or_insert(now + self.behaviour.trial_time);
            }
            if held.ends_at.is_some_and(|at| at <= now) && self.finished.len() < n_most {
                self.finished.push(self.outcome(held.lease, held.learning_rate));
            } else {
                n_running += usize::from(held.ends_at.is_some());
                waiting.push_back(held);
            }
        }
        self.held = waiting;
    }

    async fn sync(&mut self) -> anyhow::Result<Next> {
        let started = Instant::now();
        self.seq += 1;
        let reply = match self.client.sync(self.request()).await {
            Ok(reply) => reply.into_inner(),
            Err(status) => {
                check_transient(&status)?;
                return Ok(Next::Join);
            }
        };
        let order = reply.order();
        if order == Order::Rejoin {
            return Ok(Next::Join);
        }
        let at = Instant::now();
        let n_acked = reply.acks.len();
        // Nobody listens once the measurement is complete.
        let _ = self.samples.send(Sample { at, took: at - started, n_acked });
        self.take(reply, at);
        Ok(if order == Order::Finished { Next::End } else { Next::Sync })
    }

    fn request(&self) -> SyncRequest {
        let running = self.held.iter().map(|held| Running {
            lease: Some(held.lease.clone()),
            started: held.ends_at.is_some(),
            trained_ms: Some(0),
            ..Running::default()
        });
        let n_held = u32::try_from(self.held.len()).unwrap_or(u32::MAX);
        let n_slots = self.behaviour.n_slots;
        let n_queued = n_held.saturating_sub(n_slots);
        SyncRequest {
            session: self.session,
            seq: self.seq,
            seen_seq: self.seen_seq,
            n_free_slots: n_slots.saturating_sub(n_held),
            n_queue_places: proto::MAX_QUEUE_PLACES.saturating_sub(n_queued),
            running: running.collect(),
            finished: self.finished.clone(),
            ..SyncRequest::default()
        }
    }

    /// The coordinator acknowledges each outcome of a call in its reply.
    fn take(&mut self, reply: SyncReply, now: Instant) {
        self.seen_seq = reply.seq;
        self.finished.clear();
        let is_withdrawn =
            |held: &Held| held.ends_at.is_none() && reply.withdraw.contains(&held.lease);
        // What it no longer lists, it has given back.
        self.held.retain(|held| !reply.stop.contains(&held.lease) && !is_withdrawn(held));
        let held = |grant: Grant| {
            let learning_rate = learning_rate(&grant);
            Some(Held { lease: grant.lease?, learning_rate, ends_at: None })
        };
        self.held.extend(reply.grants.into_iter().filter_map(held));
        let beat = Duration::from_millis(reply.sync_within_ms.into());
        self.next_beat = now + beat.mul_f64(0.8 + 0.4 * random());
    }

    fn outcome(&self, lease: Lease, learning_rate: f64) -> Finished {
        let trial_s = self.behaviour.trial_time.max(LEAST_TRIAL_TIME).as_secs_f64();
        let wall_s = trial_s / f64::from(self.behaviour.n_epochs);
        let timing = |epoch| Timing {
            epoch,
            wall_s,
            worker: "bench".into(),
            isa: self.behaviour.isa.clone(),
            attempt: lease.attempt,
            n_slots_in_use: self.behaviour.n_slots,
            ..Timing::default()
        };
        let timings = (1..=self.behaviour.n_epochs).map(timing).collect();
        let mut result = self.result.clone();
        result.history.iter_mut().for_each(|epoch| epoch.learning_rate = learning_rate);
        let outcome = finished::Outcome::Result(result);
        Finished { lease: Some(lease), outcome: Some(outcome), timings }
    }
}

/// What a worker does after a step.
enum Next {
    Join,
    Sync,
    End,
}

/// An error if calling again would not help.
fn check_transient(status: &Status) -> anyhow::Result<()> {
    match status.code() {
        Code::FailedPrecondition | Code::InvalidArgument => bail!("refused: {status}"),
        _ => Ok(()),
    }
}

/// Uniform in 0..1; a fleet that calls in step would measure its own crowding.
fn random() -> f64 {
    let bits = getrandom::u32().unwrap_or(u32::MAX / 2);
    f64::from(bits) / (f64::from(u32::MAX) + 1.0)
}

fn result_bytes(n_epochs: u32) -> usize {
    EPOCH_BYTES * usize::try_from(n_epochs).unwrap_or(usize::MAX).saturating_add(1)
}

/// MNIST's default split, in batches of 32 through eight hidden units.
const N_TRAIN: u64 = 50_000;
const N_BATCHES: u64 = N_TRAIN.div_ceil(32);
const WEIGHTS_FIRST: u64 = 784 * 8;
const WEIGHTS_ABOVE: u64 = 8 * 10;

/// Such as a trial of the sweep could give, since the coordinator refuses anything else; the learning
/// rate is the grant's.
fn made_up_result(n_epochs: u32) -> TrialResult {
    let epoch = |epoch| Epoch {
        epoch,
        train_loss: 0.25,
        train_accuracy: 0.9,
        valid_loss: 0.25,
        valid_accuracy: 0.9,
        gradient_norm: 0.5,
        grad_samples: N_TRAIN,
        ..Epoch::default()
    };
    let completed = Completed { best_epoch: 1, test_accuracy: Some(0.9), collapsed: false };
    let grad_samples = u64::from(n_epochs) * N_TRAIN;
    let macs = grad_samples * (2 * WEIGHTS_FIRST + 3 * WEIGHTS_ABOVE);
    let work = Work {
        n_steps: u64::from(n_epochs) * N_BATCHES,
        grad_samples,
        macs_textbook: macs,
        macs_executed: macs,
        ..Work::default()
    };
    TrialResult {
        ending: Some(trial_result::Ending::Completed(completed)),
        history: (1..=n_epochs).map(epoch).collect(),
        work: Some(work),
        digest: vec![0; 32],
    }
}

fn learning_rate(grant: &Grant) -> f64 {
    let is_rate = |it: &&Hyperparameter| it.key == "learning_rate";
    match grant.hyperparameters.iter().find(is_rate).and_then(|it| it.value.as_ref()) {
        Some(hyperparameter::Value::Number(rate)) => *rate,
        _ => 0.0,
    }
}
