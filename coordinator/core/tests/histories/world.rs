//! A small model of the world: workers that train, crash, lose replies, come back and hand in late; a
//! coordinator that restarts from what was recorded. After every event all invariants hold and the
//! core equals what its records amount to.

use std::collections::BTreeMap;

use coordinator_core::{
    event::{Action, Call, Event, Finished, Join, Reply, Running, Sync, SyncReply, WorkerFacts},
    lease::{Lease, SessionId, TrialIndex, WorkerId},
    ledger::Ledger,
    machine::{Config, Core},
    time::Millis,
    trial::{Status, Trial},
};
use proptest::prelude::*;
use trainer::{Ending, TrialResult, Work};

pub const TTL_MS: u64 = 30_000;
/// Trials at the start, and those that follow once these have their outcome.
pub const N_TRIALS: usize = 12;
pub const N_FOLLOWING: usize = 4;
pub const N_WORKERS: u8 = 3;

/// One thing that happens.
#[derive(Clone, Debug)]
pub enum Step {
    Wait(u64),
    Join(u8),
    /// The reply arrives, or is lost on the way.
    Sync {
        worker: u8,
        reply_arrives: bool,
    },
    /// The worker finishes its oldest trial, well or badly.
    Finish {
        worker: u8,
        fails: bool,
    },
    /// The process dies; a trial that was finished and spooled survives.
    Crash(u8),
    Drain(u8),
    /// Worker 0 is the coordinator's own child.
    LocalEnded {
        expected: bool,
    },
    RestartCoordinator,
    Oversleep(u64),
}

pub fn step() -> impl Strategy<Value = Step> {
    let worker = 0..N_WORKERS;
    prop_oneof![
        2 => (0..40_000_u64).prop_map(Step::Wait),
        2 => worker.clone().prop_map(Step::Join),
        8 => (worker.clone(), prop::bool::weighted(0.8))
            .prop_map(|(worker, reply_arrives)| Step::Sync { worker, reply_arrives }),
        6 => (worker.clone(), prop::bool::weighted(0.1))
            .prop_map(|(worker, fails)| Step::Finish { worker, fails }),
        1 => worker.clone().prop_map(Step::Crash),
        1 => worker.prop_map(Step::Drain),
        1 => any::<bool>().prop_map(|expected| Step::LocalEnded { expected }),
        1 => Just(Step::RestartCoordinator),
        1 => (0..90_000_u64).prop_map(Step::Oversleep),
    ]
}

/// The worker's side, as simple as it can be.
#[derive(Default)]
pub struct Agent {
    pub session: Option<SessionId>,
    pub seq: u64,
    pub seen_seq: u64,
    pub running: Vec<Lease>,
    pub spooled: Vec<(Lease, Result<(), String>)>,
    pub is_draining: bool,
    /// This process had a session before.
    pub continues: bool,
}

pub struct World {
    pub core: Core,
    pub ledger: Ledger,
    pub agents: BTreeMap<u8, Agent>,
    pub now: Millis,
    pub term: u64,
    pub n_calls: u64,
    pub crash_limit: u32,
    pub max_failed: Option<u32>,
    /// Digests of everything that a worker was told is recorded.
    pub acked: BTreeMap<TrialIndex, [u8; 32]>,
    pub highest_attempt: Vec<u32>,
    pub heard_of_the_end: bool,
}

pub fn result_of(trial: TrialIndex) -> Box<TrialResult> {
    let mut digest = [0; 32];
    digest[..4].copy_from_slice(&trial.0.to_le_bytes());
    let ending = Ending::Diverged { step: 1, last_finite_loss: None };
    Box::new(TrialResult { ending, history: Vec::new(), work: Work::default(), digest })
}

fn order(n_trials: usize) -> Vec<TrialIndex> {
    (0..).map(TrialIndex).take(n_trials).collect()
}

impl World {
    pub fn new(crash_limit: u32) -> Self {
        let ledger = Ledger::empty(N_TRIALS);
        let config =
            Config { term: 1, lease_ttl_ms: TTL_MS, crash_limit, max_failed: None, seed: 7 };
        let mut out = Vec::new();
        let mut core = Core::restore(config, &order(N_TRIALS), &ledger, Millis(0), &mut out);
        core.expect_trials();
        assert!(out.is_empty());
        let agents = (0..N_WORKERS).map(|id| (id, Agent::default())).collect();
        Self {
            core,
            ledger,
            agents,
            now: Millis(0),
            term: 1,
            n_calls: 0,
            crash_limit,
            max_failed: None,
            acked: BTreeMap::new(),
            highest_attempt: vec![0; N_TRIALS + N_FOLLOWING],
            heard_of_the_end: false,
        }
    }

    pub fn run(&mut self, step: &Step) {
        match *step {
            Step::Wait(ms) => {
                self.now = self.now + ms;
                self.apply(Event::Tick);
            }
            Step::Join(id) => self.join(id),
            Step::Sync { worker, reply_arrives } => self.sync(worker, reply_arrives),
            Step::Finish { worker, fails } => self.finish(worker, fails),
            Step::Crash(id) => {
                let agent = self.agents.get_mut(&id).unwrap();
                let spooled = std::mem::take(&mut agent.spooled);
                *agent = Agent { spooled, ..Agent::default() };
            }
            Step::Drain(id) => self.agents.get_mut(&id).unwrap().is_draining = true,
            Step::LocalEnded { expected } => {
                self.run(&Step::Crash(0));
                self.apply(Event::LocalEnded { local_index: 0, expected });
            }
            Step::RestartCoordinator => self.restart(),
            Step::Oversleep(ms) => {
                self.now = self.now + ms;
                self.apply(Event::Overslept);
                self.apply(Event::Tick);
            }
        }
    }

    pub fn finish(&mut self, id: u8, fails: bool) {
        let agent = self.agents.get_mut(&id).unwrap();
        if agent.running.is_empty() {
            return;
        }
        let lease = agent.running.remove(0);
        agent.spooled.push((lease, if fails { Err("out of memory".into()) } else { Ok(()) }));
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
            self.core.add_trials(&vec![Trial::default(); n_missing]);
            self.ledger.trials.resize(N_TRIALS + N_FOLLOWING, Trial::default());
            self.settle(Vec::new());
        }
    }

    pub fn settle(&mut self, out: Vec<Action>) -> Option<Reply> {
        let mut answer = None;
        for action in out {
            match action {
                Action::Persist(record) => self.ledger.book(&record),
                Action::Reply(_, reply) => answer = Some(reply),
                Action::Publish(_) => {}
            }
        }
        self.core.check();
        assert_eq!(self.core.trials(), self.ledger.trials, "the core equals its records");
        let mut held: Vec<_> = self
            .core
            .workers()
            .flat_map(|(_, worker)| worker.leases.values().map(|held| held.open))
            .collect();
        held.sort_by_key(|open| open.lease.trial);
        assert_eq!(held, self.ledger.open, "open leases equal their records");
        for (trial, digest) in &self.acked {
            let status = self.core.trial(*trial).status;
            assert_eq!(
                status,
                Status::Completed { digest: *digest },
                "an acknowledged result is lost"
            );
        }
        answer
    }

    pub fn call(&mut self) -> Call {
        self.n_calls += 1;
        Call(self.n_calls)
    }

    pub fn join(&mut self, id: u8) {
        let call = self.call();
        let agent = &self.agents[&id];
        let spooled = agent.spooled.iter().map(|(lease, _)| *lease);
        let held = agent.running.iter().copied().chain(spooled).collect();
        let continues = agent.continues;
        let facts = WorkerFacts {
            name: format!("w{id}"),
            isa: "portable".into(),
            cpu: "model".into(),
            n_slots: 2,
            local_index: (id == 0).then_some(0),
        };
        let join = Join { worker: WorkerId([id; 16]), facts, held, continues };
        let Some(Reply::Joined { session, kept, .. }) = self.apply(Event::Join { call, join })
        else {
            panic!("a Join is answered");
        };
        let agent = self.agents.get_mut(&id).unwrap();
        agent.running.retain(|lease| kept.contains(lease));
        agent.session = Some(session);
        agent.seq = 0;
        agent.seen_seq = 0;
        agent.is_draining = false;
        agent.continues = true;
    }

    pub fn sync(&mut self, id: u8, reply_arrives: bool) {
        let call = self.call();
        let agent = self.agents.get_mut(&id).unwrap();
        let Some(session) = agent.session else { return };
        agent.seq += 1;
        let finished = agent.spooled.iter().map(|(lease, outcome)| Finished {
            lease: *lease,
            outcome: outcome.clone().map(|()| result_of(lease.trial)),
            timings: Vec::new(),
        });
        let released =
            if agent.is_draining { std::mem::take(&mut agent.running) } else { Vec::new() };
        let sync = Sync {
            session,
            seq: agent.seq,
            seen_seq: agent.seen_seq,
            n_free_slots: 2_u32.saturating_sub(agent.running.len() as u32),
            n_queue_places: 0,
            draining: agent.is_draining,
            running: agent
                .running
                .iter()
                .map(|lease| Running {
                    lease: *lease,
                    started: true,
                    n_epochs_done: 1,
                    valid_accuracy: 0.5,
                })
                .collect(),
            finished: finished.collect(),
            released,
        };
        let Some(Reply::Synced(reply)) = self.apply(Event::Sync { call, sync }) else {
            panic!("a Sync is answered");
        };
        for grant in reply.grants.iter().map(|grant| &grant.lease) {
            let highest = &mut self.highest_attempt[grant.trial.at()];
            assert!(
                *highest <= grant.attempt,
                "attempts grow, and only a re-sent grant repeats one"
            );
            *highest = grant.attempt;
        }
        if reply_arrives {
            self.take_reply(id, &reply);
        }
    }

    pub fn take_reply(&mut self, id: u8, reply: &SyncReply) {
        use coordinator_core::event::{Order, Verdict};
        let agent = self.agents.get_mut(&id).unwrap();
        if reply.order == Order::Rejoin {
            agent.session = None;
            return;
        }
        agent.seen_seq = reply.seq;
        self.heard_of_the_end |= reply.order == Order::Finished;
        for (lease, verdict) in &reply.acks {
            assert_ne!(*verdict, Verdict::Conflict, "equal digests do not conflict");
            assert_ne!(*verdict, Verdict::Rejected, "every attempt here was granted");
            let status = self.core.trial(lease.trial).status;
            let is_there = matches!(status, Status::Completed { .. });
            let place = agent.spooled.iter().position(|(spooled, _)| spooled == lease).unwrap();
            let (_, outcome) = agent.spooled.remove(place);
            if outcome.is_ok() {
                assert!(is_there, "a completion is acknowledged and not recorded: {status:?}");
                self.acked.insert(lease.trial, result_of(lease.trial).digest);
            }
        }
        agent.running.retain(|lease| !reply.stop.contains(lease));
        for grant in reply.grants.iter().map(|grant| &grant.lease) {
            let is_new = !agent.running.contains(grant)
                && !agent.spooled.iter().any(|(spooled, _)| spooled == grant);
            if is_new {
                agent.running.push(*grant);
            }
        }
    }

    pub fn restart(&mut self) {
        self.term += 1;
        let config = Config {
            term: self.term,
            lease_ttl_ms: TTL_MS,
            crash_limit: self.crash_limit,
            max_failed: self.max_failed,
            seed: self.term,
        };
        let mut out = Vec::new();
        let order = order(self.ledger.trials.len());
        self.core = Core::restore(config, &order, &self.ledger, self.now, &mut out);
        self.core.expect_trials();
        self.settle(out);
    }

    /// Heals everything and lets healthy workers finish the sweep, in bounded steps.
    pub fn drive_to_the_end(&mut self) {
        for _ in 0..40 * (N_TRIALS + N_FOLLOWING) {
            self.follow();
            if self.core.is_finished() {
                return;
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
        }
        panic!("the sweep did not end");
    }
}
