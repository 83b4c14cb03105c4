//! The worker's side of the model, as simple as it can be.

use std::collections::BTreeMap;

use coordinator_core::event::{Finished, Running, Sync, SyncReply};
use coordinator_core::lease::{Lease, SessionId, TrialIndex};
use trial::{Digest, Ending, Timing, TrialResult, Work};

pub const N_SLOTS: usize = 2;

/// How a trial ends on a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Well,
    /// On a broken machine: a result of other bits than everybody else's.
    OtherBits,
    Fails,
}

#[derive(Default)]
pub struct Agent {
    pub session: Option<SessionId>,
    pub seq: u64,
    pub seen_seq: u64,
    /// In slots.
    pub running: Vec<Lease>,
    /// Granted in advance.
    pub queued: Vec<Lease>,
    pub spooled: Vec<(Lease, End)>,
    /// To be named in the next Sync.
    pub released: Vec<Lease>,
    /// Slots that hang, by what they had when they began to, and since when. Told to stop, they
    /// do not.
    pub hung: Vec<(Lease, u64)>,
    /// It says how long its slots have trained and been silent.
    pub tells: bool,
    /// The time.
    pub now_ms: u64,
    pub is_draining: bool,
    /// This process had a session before.
    pub continues: bool,
}

/// What is recorded of a trial that ends this way.
pub fn digest_of(trial: TrialIndex, end: End) -> Digest {
    let mut digest = [0; 32];
    digest[..4].copy_from_slice(&trial.0.to_le_bytes());
    digest[4] = u8::from(end == End::OtherBits);
    Digest(digest)
}

/// What it says of a trial that it holds.
pub fn running(lease: &Lease, started: bool) -> Running {
    Running {
        lease: *lease,
        started,
        n_epochs_done: 1,
        valid_accuracy: 0.5,
        trained_ms: None,
        silent_ms: 0,
    }
}

fn result_of(trial: TrialIndex, end: End) -> Result<Box<TrialResult>, String> {
    if end == End::Fails {
        return Err("out of memory".into());
    }
    let ending = Ending::Completed { best_epoch: 1, test_accuracy: Some(0.5), collapsed: false };
    let digest = digest_of(trial, end);
    Ok(Box::new(TrialResult { ending, history: Vec::new(), work: Work::default(), digest }))
}

impl Agent {
    /// The process dies; what was finished and spooled survives.
    pub fn crash(&mut self) {
        let (spooled, tells) = (std::mem::take(&mut self.spooled), self.tells);
        *self = Self { spooled, tells, ..Self::default() };
    }

    /// Everything it names to a coordinator that it joins.
    pub fn held(&self) -> Vec<Lease> {
        let spooled = self.spooled.iter().map(|(lease, _)| lease);
        self.running.iter().chain(&self.queued).chain(spooled).copied().collect()
    }

    pub fn joined(&mut self, session: SessionId, kept: &[Lease]) {
        // What runs goes on until it is told to stop.
        self.queued.retain(|lease| kept.contains(lease));
        self.released.clear();
        self.start_queued();
        (self.session, self.seq, self.seen_seq) = (Some(session), 0, 0);
        self.is_draining = false;
        self.continues = true;
    }

    pub fn finish(&mut self, end: End) {
        let is_hung = |lease: &Lease| self.hung.iter().any(|(hung, _)| hung == lease);
        if let Some(index) = self.running.iter().position(|lease| !is_hung(lease)) {
            let lease = self.running.remove(index);
            self.spooled.push((lease, end));
            self.start_queued();
        }
    }

    /// The slot of its oldest trial that does not hang yet does from now on.
    pub fn hang(&mut self) {
        let is_hung = |lease: &Lease| self.hung.iter().any(|(hung, _)| hung == lease);
        if let Some(&lease) = self.running.iter().find(|lease| !is_hung(lease)) {
            self.hung.push((lease, self.now_ms));
        }
    }

    /// Slots that have no trial and do not hang.
    fn n_free(&self) -> usize {
        let n_stopped = self.hung.iter().filter(|(lease, _)| !self.running.contains(lease)).count();
        N_SLOTS - self.running.len() - n_stopped
    }

    fn running_in_slot(&self, lease: &Lease) -> Running {
        let since = self.hung.iter().find(|(hung, _)| hung == lease).map(|(_, since)| *since);
        let silent_ms = since.map_or(0, |since| self.now_ms - since);
        let running = running(lease, true);
        match self.tells {
            true => Running { trained_ms: Some(silent_ms), silent_ms, ..running },
            false => running,
        }
    }

    fn start_queued(&mut self) {
        while 0 < self.n_free() && !self.queued.is_empty() {
            self.running.push(self.queued.remove(0));
        }
    }

    /// What it says next; `None` without a session. `wall_s` is what each trial takes.
    pub fn speak(
        &mut self,
        n_queue_max: usize,
        wall_s: impl Fn(TrialIndex) -> f64,
    ) -> Option<Sync> {
        let session = self.session?;
        self.seq += 1;
        if self.is_draining {
            self.released.append(&mut self.running);
            self.released.append(&mut self.queued);
        }
        let in_slots = self.running.iter().map(|lease| self.running_in_slot(lease));
        let waiting = self.queued.iter().map(|lease| running(lease, false));
        let finished = self.spooled.iter().map(|(lease, end)| Finished {
            lease: *lease,
            outcome: result_of(lease.trial, *end),
            timings: vec![Timing {
                epoch: 1,
                wall_s: wall_s(lease.trial),
                cpu_s: 0.0,
                worker: "w".into(),
                isa: "portable".into(),
                attempt: lease.attempt,
                n_slots_in_use: 1,
            }],
        });
        Some(Sync {
            session,
            seq: self.seq,
            seen_seq: self.seen_seq,
            n_free_slots: self.n_free() as u32,
            n_queue_places: (n_queue_max - self.queued.len()) as u32,
            draining: self.is_draining,
            running: in_slots.chain(waiting).collect(),
            finished: finished.collect(),
            released: std::mem::take(&mut self.released),
            troubles: Vec::new(),
        })
    }

    /// Acts on a reply; the finished trials that it acknowledges are the caller's to judge.
    pub fn listen(&mut self, reply: &SyncReply) {
        self.seen_seq = reply.seq;
        let is_acked = |lease: &Lease| reply.acks.iter().any(|(acked, _)| acked == lease);
        self.spooled.retain(|(lease, _)| !is_acked(lease));
        for lease in reply.grants.iter().map(|grant| grant.lease) {
            if let Some(held) = self.running.iter_mut().find(|held| held.trial == lease.trial) {
                for (hung, _) in self.hung.iter_mut().filter(|(hung, _)| hung == held) {
                    *hung = lease;
                }
                *held = lease;
            }
        }
        self.running.retain(|lease| !reply.stop.contains(lease));
        self.queued.retain(|lease| !reply.stop.contains(lease));
        let is_withdrawn = |lease: &Lease| reply.withdraw.contains(lease);
        let back = self.queued.iter().copied().filter(is_withdrawn);
        self.released.extend(back);
        self.queued.retain(|lease| !is_withdrawn(lease));
        let known: BTreeMap<Lease, ()> = self.held().into_iter().map(|lease| (lease, ())).collect();
        let new = reply.grants.iter().map(|grant| grant.lease);
        self.queued.extend(new.filter(|lease| !known.contains_key(lease)));
        self.start_queued();
    }
}
