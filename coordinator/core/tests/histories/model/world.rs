//! A small model of the world: workers that train, crash, lose replies, come back and hand in late; a
//! coordinator that restarts from what was recorded. After every event all invariants hold, the core
//! equals what its records amount to, and a coordinator could be restored from them.

use std::collections::BTreeMap;

use coordinator_core::event::{
    Action, Call, Event, Join, JoinReply, Notice, Order, Record, Reply, Sync, SyncReply, Verdict,
    WorkerInfo,
};
use coordinator_core::lease::{Lease, OpenLease, SessionId, TrialIndex, WorkerId};
use coordinator_core::ledger::Ledger;
use coordinator_core::ledger::checkpoints::Checkpoint;
use coordinator_core::ledger::trial::{Status, Trial, TrialSpec};
use coordinator_core::machine::Core;
use coordinator_core::time::Millis;
use trial::{Digest, Timing};

use crate::losses;
use crate::model::agent::{Agent, End, N_SLOTS, digest_of};
use crate::model::rules::Rules;

pub const TTL_MS: u64 = 30_000;
/// Trials at the start, and those that follow once these have their outcome.
pub const N_TRIALS: usize = 12;
pub const N_FOLLOWING: usize = 4;
pub const N_WORKERS: u8 = 3;

pub struct World {
    pub core: Core,
    pub ledger: Ledger,
    pub agents: BTreeMap<u8, Agent>,
    pub now: Millis,
    pub rules: Rules,
    pub term: u64,
    pub n_calls: u64,
    /// Digests of everything that a worker was told is recorded.
    pub acked: BTreeMap<TrialIndex, Digest>,
    pub highest_attempt: Vec<u32>,
    pub heard_of_the_end: bool,
    /// Times of each recorded result.
    pub timings: BTreeMap<TrialIndex, Vec<Timing>>,
    /// Whether the worker contradicts itself, for each conflict.
    pub conflicts: Vec<bool>,
    /// Who may not join, and who lives.
    pub refused_joins: Vec<(String, String)>,
}

impl World {
    /// Trials of unknown cost and no audits.
    pub fn new(crash_limit: u32) -> Self {
        let facts = vec![TrialSpec::default(); N_TRIALS];
        Self::of(Rules {
            lease_ttl_ms: TTL_MS,
            crash_limit,
            max_failed: None,
            n_queue_max: 0,
            facts,
        })
    }

    /// Trials of 0.3 s and of 40 s, of which some are audited; workers that take some in advance.
    /// Late means: the pace is known and few trials wait, so that copies and audits come about.
    pub fn rich(is_late: bool) -> Self {
        let fact = |index: usize| TrialSpec {
            cost_macs: if index % 3 == 1 { 40.0 } else { 0.3 },
            is_audited: index.is_multiple_of(4),
        };
        let facts = (0..N_TRIALS).map(fact).collect();
        let lease_ttl_ms = 2 * TTL_MS;
        let rules = Rules { lease_ttl_ms, crash_limit: 3, max_failed: None, n_queue_max: 3, facts };
        let mut world = Self::of(rules);
        world.agent(1).tells = true;
        if is_late {
            world.join(1);
        }
        while is_late && world.core.counts().n_ready > 1 {
            world.sync(1, true);
            world.now = world.now + 20_000;
            world.agent(1).finish(End::Well);
        }
        world
    }

    pub fn of(rules: Rules) -> Self {
        let n_trials = rules.facts.len();
        let ledger = Ledger::empty(n_trials);
        let mut out = Vec::new();
        let grant_order = rules.grant_order(n_trials);
        let mut core = Core::restore(rules.config(1), &grant_order, &ledger, Millis(0), &mut out);
        core.expect_trials();
        assert!(out.is_empty());
        let agents = (0..N_WORKERS).map(|id| (id, Agent::default())).collect();
        Self {
            core,
            ledger,
            agents,
            now: Millis(0),
            rules,
            term: 1,
            n_calls: 0,
            acked: BTreeMap::new(),
            highest_attempt: vec![0; n_trials + N_FOLLOWING],
            heard_of_the_end: false,
            timings: BTreeMap::new(),
            conflicts: Vec::new(),
            refused_joins: Vec::new(),
        }
    }

    pub fn agent(&mut self, id: u8) -> &mut Agent {
        self.agents.get_mut(&id).unwrap()
    }

    pub fn running(&self, id: u8) -> Vec<TrialIndex> {
        self.agents[&id].running.iter().map(|lease| lease.trial).collect()
    }

    pub fn queued(&self, id: u8) -> Vec<TrialIndex> {
        self.agents[&id].queued.iter().map(|lease| lease.trial).collect()
    }

    pub fn finish(&mut self, id: u8, fails: bool) {
        self.agent(id).finish(if fails { End::Fails } else { End::Well });
    }

    /// Publishes a checkpoint of the worker's oldest trial; gives the epochs that are kept.
    pub fn publish(&mut self, id: u8, epoch: u32) -> Vec<u32> {
        let Some(&lease) = self.agents[&id].running.first() else { return Vec::new() };
        let checkpoint = Checkpoint { digest: Digest([epoch as u8; 32]), n_bytes: 1, epoch };
        let call = self.call();
        let before = self.core.checkpoints().of(lease.trial).to_vec();
        let offered = self.apply(Event::CheckpointOffered { call, lease });
        assert_eq!(self.core.checkpoints().of(lease.trial), before, "an offer changes nothing");
        if matches!(offered, Some(Reply::Permit(_, None))) {
            return before.iter().map(|kept| kept.epoch).collect();
        }
        assert!(matches!(offered, Some(Reply::Permit(_, Some(_)))), "{offered:?}");
        let call = self.call();
        match self.apply(Event::CheckpointPublished { call, lease, checkpoint }) {
            Some(Reply::Checkpoints(_, kept)) => kept.iter().map(|kept| kept.epoch).collect(),
            other => panic!("a checkpoint is answered by {other:?}"),
        }
    }

    /// Applies an event, books its records and checks everything; gives the reply, if any.
    pub fn apply(&mut self, event: Event) -> Option<Reply> {
        let mut out = Vec::new();
        self.core.apply(self.now, event, &mut out);
        self.settle(out)
    }

    /// Adds the trials that follow, once, as soon as the core waits for them.
    pub fn follow(&mut self) {
        while self.core.awaits_trials() {
            let n_missing = N_TRIALS + N_FOLLOWING - self.core.trials().len();
            let facts = vec![TrialSpec::default(); n_missing];
            self.core.add_trials(&vec![Trial::default(); n_missing], &facts);
            self.ledger.trials.resize(N_TRIALS + N_FOLLOWING, Trial::default());
            self.settle(Vec::new());
        }
    }

    pub fn settle(&mut self, out: Vec<Action>) -> Option<Reply> {
        let has_records = out.iter().any(|action| matches!(action, Action::Persist(_)));
        losses::check(&self.ledger, &out);
        for action in &out {
            match action {
                Action::Persist(Record::Completed { trial, timings, .. }) => {
                    self.timings.insert(*trial, timings.clone());
                }
                Action::Publish(Notice::Conflict { is_its_own, .. }) => {
                    self.conflicts.push(*is_its_own);
                }
                Action::Publish(Notice::JoinRefused { name, living }) => {
                    self.refused_joins.push((name.clone(), living.clone()));
                }
                _ => {}
            }
        }
        let answer = book(&mut self.ledger, out);
        self.core.check();
        assert_matches(&self.core, &self.ledger);
        if has_records {
            self.check_restore();
        }
        for (trial, digest) in &self.acked {
            let status = self.core.trial(*trial).status;
            let is_recorded = matches!(status, Status::Completed { digest: d, .. } if d == *digest);
            assert!(is_recorded, "an acknowledged result is lost: {status:?}");
        }
        answer
    }

    /// The restore law: what is recorded is enough to go on from.
    fn check_restore(&self) {
        let (mut ledger, mut out) = (self.ledger.clone(), Vec::new());
        let grant_order = self.rules.grant_order(ledger.trials.len());
        let config = self.rules.config(self.term + 1);
        let core = Core::restore(config, &grant_order, &ledger, self.now, &mut out);
        book(&mut ledger, out);
        core.check();
        assert_matches(&core, &ledger);
        let (live, restored) = (self.core.counts(), core.counts());
        assert_eq!(live.n_ready + live.n_leased, restored.n_ready + restored.n_leased);
        assert_eq!(live.n_checked, restored.n_checked);
    }

    pub fn call<R>(&mut self) -> Call<R> {
        self.n_calls += 1;
        Call::new(self.n_calls)
    }

    pub fn join(&mut self, id: u8) {
        let facts = WorkerInfo {
            name: format!("w{id}"),
            isa: "portable".into(),
            cpu: "model".into(),
            n_slots: N_SLOTS as u32,
            local_index: (id == 0).then_some(0),
        };
        let agent = &self.agents[&id];
        let (held, continues) = (agent.held(), agent.continues);
        let join = Join { worker: WorkerId([id; 16]), facts, held, continues };
        let (session, kept, finished) = self.admit(join);
        self.agent(id).joined(session, &kept);
        if finished {
            self.take_the_end(id);
        }
    }

    /// Joins as soon as the process that had the session is taken for dead.
    pub fn admit(&mut self, join: Join) -> (SessionId, Vec<Lease>, bool) {
        for _ in 0..2 {
            let (call, join) = (self.call(), join.clone());
            match self.apply(Event::Join { call, join }) {
                Some(Reply::Join(_, JoinReply::Joined { session, kept, finished })) => {
                    return (session, kept, finished);
                }
                Some(Reply::Join(_, JoinReply::WorkerLives(_))) => {
                    self.now = self.now + self.rules.lease_ttl_ms / 3;
                }
                other => panic!("a Join is answered by {other:?}"),
            }
        }
        panic!("a process that does not speak is taken for alive");
    }

    /// The worker ends, and with it what it holds: nothing of that may be wanted any more.
    fn take_the_end(&mut self, id: u8) {
        self.heard_of_the_end = true;
        let agent = std::mem::take(self.agent(id));
        for (lease, end) in agent.spooled {
            let status = self.core.trial(lease.trial).status;
            let is_recorded = matches!(status, Status::Completed { .. });
            assert!(is_recorded || end == End::Fails, "a result is dropped unseen");
        }
    }

    pub fn sync(&mut self, id: u8, reply_arrives: bool) {
        let n_queue_max = self.rules.n_queue_max;
        let facts = self.rules.facts.clone();
        let wall_s =
            |trial: TrialIndex| facts.get(trial.index()).map_or(1.0, |f| f.cost_macs.into());
        self.agent(id).now_ms = self.now.0;
        let Some(sync) = self.agent(id).speak(n_queue_max, wall_s) else { return };
        let seen_seq = sync.seen_seq;
        let reply = self.answer(sync);
        for grant in &reply.grants {
            let highest = &mut self.highest_attempt[grant.lease.trial.index()];
            let is_new = *highest < grant.lease.attempt;
            assert!(is_new || seen_seq < reply.seq, "only an unseen grant is sent again");
            *highest = grant.lease.attempt.max(*highest);
            assert_eq!(grant.checkpoints, self.core.checkpoints().of(grant.lease.trial));
        }
        if reply_arrives {
            self.take_reply(id, &reply);
        }
    }

    /// What the coordinator says to it.
    pub fn answer(&mut self, sync: Sync) -> SyncReply {
        let call = self.call();
        match self.apply(Event::Sync { call, sync }) {
            Some(Reply::Sync(_, reply)) => reply,
            other => panic!("a Sync is answered by {other:?}"),
        }
    }

    fn take_reply(&mut self, id: u8, reply: &SyncReply) {
        if reply.order == Order::Rejoin {
            self.agent(id).session = None;
            return;
        }
        for (lease, verdict) in &reply.acks {
            self.check_ack(id, lease, *verdict);
        }
        self.agent(id).listen(reply);
        if reply.order == Order::Finished {
            return self.take_the_end(id);
        }
        let n_queued = self.agents[&id].queued.len();
        assert!(n_queued <= self.rules.n_queue_max, "a worker has {n_queued} trials too many");
    }

    fn check_ack(&mut self, id: u8, lease: &Lease, verdict: Verdict) {
        assert_ne!(verdict, Verdict::Rejected, "every attempt here was granted");
        let spooled = self.agents[&id].spooled.iter().find(|(spooled, _)| spooled == lease);
        let (_, end) = *spooled.expect("what is acknowledged was handed in");
        if end == End::Fails {
            return;
        }
        let Status::Completed { digest, .. } = self.core.trial(lease.trial).status else {
            panic!("a completion is acknowledged and not recorded");
        };
        let is_equal = digest == digest_of(lease.trial, end);
        assert_eq!(verdict == Verdict::Conflict, !is_equal, "only other bits conflict");
        self.acked.insert(lease.trial, digest);
    }

    /// The coordinator starts anew, as it does in earnest: cancelled trials are run again.
    pub fn restart(&mut self) {
        self.term += 1;
        let mut out = Vec::new();
        for (trial, record) in (0..).map(TrialIndex).zip(self.ledger.trials.clone()) {
            if record.status == Status::Cancelled {
                let record = Record::Reopened { trial };
                self.ledger.book(&record);
            }
        }
        let grant_order = self.rules.grant_order(self.ledger.trials.len());
        let config = self.rules.config(self.term);
        self.core = Core::restore(config, &grant_order, &self.ledger, self.now, &mut out);
        self.core.expect_trials();
        self.settle(out);
    }

    /// Heals everything and lets healthy workers finish the sweep, in bounded steps.
    pub fn drive_to_the_end(&mut self) {
        for id in 0..N_WORKERS {
            // A worker in quarantine is well again once it was started anew.
            self.agent(id).crash();
        }
        for _ in 0..40 * (N_TRIALS + N_FOLLOWING) {
            self.follow();
            if self.core.is_finished() && self.core.counts().n_cancelled == 0 {
                return;
            }
            if self.core.is_finished() {
                self.restart();
            }
            for id in 0..N_WORKERS {
                if self.agents[&id].session.is_none() || self.agents[&id].is_draining {
                    self.join(id);
                }
                self.sync(id, true);
                self.finish(id, false);
                self.finish(id, false);
                self.sync(id, true);
            }
            self.now = self.now + 1_000;
        }
        panic!("the sweep did not end");
    }
}

/// Books the records of a batch; gives its reply, if any.
fn book(ledger: &mut Ledger, out: Vec<Action>) -> Option<Reply> {
    let mut answer = None;
    for action in out {
        match action {
            Action::Persist(record) => ledger.book(&record),
            Action::Reply(reply) => answer = Some(reply),
            Action::Publish(_) => {}
        }
    }
    answer
}

fn assert_matches(core: &Core, ledger: &Ledger) {
    assert_eq!(core.trials(), ledger.trials, "the core equals its records");
    let leases = core.workers().flat_map(|(_, worker)| worker.leases.values());
    let mut held: Vec<OpenLease> = leases.map(|held| held.open).collect();
    held.sort_by_key(|open| open.lease);
    assert_eq!(held, ledger.open, "open leases equal their records");
}
