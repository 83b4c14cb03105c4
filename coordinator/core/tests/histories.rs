//! Random histories of the core against a small model of the world: workers that train, crash,
//! lose replies, come back and hand in late; a coordinator that restarts from what was recorded.
//! After every event all invariants hold and the core equals what its records amount to.

use std::collections::BTreeMap;

use coordinator_core::{
    event::{Action, Call, Event, Finished, Join, Reply, Running, Sync, SyncReply, WorkerFacts},
    lease::{Lease, SessionId, TrialIndex, WorkerId},
    ledger::Ledger,
    machine::{Config, Core},
    time::Millis,
    trial::Status,
};
use proptest::prelude::*;
use trainer::{Ending, TrialResult, Work};

const TTL_MS: u64 = 30_000;
const N_TRIALS: usize = 12;
const N_WORKERS: u8 = 3;

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
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

fn step() -> impl Strategy<Value = Step> {
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
struct Agent {
    session: Option<SessionId>,
    seq: u64,
    seen_seq: u64,
    running: Vec<Lease>,
    spooled: Vec<(Lease, Result<(), String>)>,
    is_draining: bool,
    /// This process had a session before.
    continues: bool,
}

struct World {
    core: Core,
    ledger: Ledger,
    agents: BTreeMap<u8, Agent>,
    now: Millis,
    term: u64,
    n_calls: u64,
    crash_limit: u32,
    max_failed: Option<u32>,
    /// Digests of everything that a worker was told is recorded.
    acked: BTreeMap<TrialIndex, [u8; 32]>,
    highest_attempt: Vec<u32>,
}

fn result_of(trial: TrialIndex) -> Box<TrialResult> {
    let mut digest = [0; 32];
    digest[..4].copy_from_slice(&trial.0.to_le_bytes());
    let ending = Ending::Diverged { step: 1, last_finite_loss: None };
    Box::new(TrialResult { ending, history: Vec::new(), work: Work::default(), digest })
}

fn order() -> Vec<TrialIndex> {
    (0..).map(TrialIndex).take(N_TRIALS).collect()
}

impl World {
    fn new(crash_limit: u32) -> Self {
        let ledger = Ledger::empty(N_TRIALS);
        let config =
            Config { term: 1, lease_ttl_ms: TTL_MS, crash_limit, max_failed: None, seed: 7 };
        let mut out = Vec::new();
        let core = Core::restore(config, &order(), &ledger, Millis(0), &mut out);
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
            highest_attempt: vec![0; N_TRIALS],
        }
    }

    fn run(&mut self, step: &Step) {
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

    fn finish(&mut self, id: u8, fails: bool) {
        let agent = self.agents.get_mut(&id).unwrap();
        if agent.running.is_empty() {
            return;
        }
        let lease = agent.running.remove(0);
        agent.spooled.push((lease, if fails { Err("out of memory".into()) } else { Ok(()) }));
    }

    /// Applies an event, books its records and checks everything; gives the reply, if any.
    fn apply(&mut self, event: Event) -> Option<Reply> {
        let mut out = Vec::new();
        self.core.apply(self.now, event, &mut out);
        self.settle(out)
    }

    fn settle(&mut self, out: Vec<Action>) -> Option<Reply> {
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

    fn call(&mut self) -> Call {
        self.n_calls += 1;
        Call(self.n_calls)
    }

    fn join(&mut self, id: u8) {
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

    fn sync(&mut self, id: u8, reply_arrives: bool) {
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
            draining: agent.is_draining,
            running: agent
                .running
                .iter()
                .map(|lease| Running { lease: *lease, n_epochs_done: 1, valid_accuracy: 0.5 })
                .collect(),
            finished: finished.collect(),
            released,
        };
        let Some(Reply::Synced(reply)) = self.apply(Event::Sync { call, sync }) else {
            panic!("a Sync is answered");
        };
        for grant in &reply.grants {
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

    fn take_reply(&mut self, id: u8, reply: &SyncReply) {
        use coordinator_core::event::{Order, Verdict};
        let agent = self.agents.get_mut(&id).unwrap();
        if reply.order == Order::Rejoin {
            agent.session = None;
            return;
        }
        agent.seen_seq = reply.seq;
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
        for grant in &reply.grants {
            let is_new = !agent.running.contains(grant)
                && !agent.spooled.iter().any(|(spooled, _)| spooled == grant);
            if is_new {
                agent.running.push(*grant);
            }
        }
    }

    fn restart(&mut self) {
        self.term += 1;
        let config = Config {
            term: self.term,
            lease_ttl_ms: TTL_MS,
            crash_limit: self.crash_limit,
            max_failed: self.max_failed,
            seed: self.term,
        };
        let mut out = Vec::new();
        self.core = Core::restore(config, &order(), &self.ledger, self.now, &mut out);
        self.settle(out);
    }

    /// Heals everything and lets healthy workers finish the sweep, in bounded steps.
    fn drive_to_the_end(&mut self) {
        for _ in 0..40 * N_TRIALS {
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_whatever_happens(steps in prop::collection::vec(step(), 1..80)) {
        let mut world = World::new(3);
        for step in &steps {
            world.run(step);
        }
        world.drive_to_the_end();
        let counts = world.core.counts();
        prop_assert_eq!(counts.n_completed + counts.n_failed, N_TRIALS);
    }
}

/// A world whose first worker holds the first two trials.
fn world_at_work() -> World {
    let mut world = World::new(2);
    world.join(0);
    world.sync(0, true);
    assert_eq!(world.agents[&0].running.len(), 2);
    world
}

#[test]
fn grants_of_a_lost_reply_are_sent_again_with_the_same_attempt() {
    let mut world = World::new(2);
    world.join(0);
    world.sync(0, false);
    world.sync(0, true);
    let attempts: Vec<u32> = world.agents[&0].running.iter().map(|lease| lease.attempt).collect();
    assert_eq!(attempts, [1, 1]);
}

#[test]
fn a_silent_worker_loses_its_trials_to_another_which_gets_them_last() {
    let mut world = world_at_work();
    world.run(&Step::Wait(TTL_MS));
    world.join(1);
    world.sync(1, true);
    let trials: Vec<u32> = world.agents[&1].running.iter().map(|lease| lease.trial.0).collect();
    assert_eq!(trials, [2, 3], "suspects wait behind the others");
    assert_eq!(world.core.trial(TrialIndex(0)).n_suspicions, 1);
}

#[test]
fn a_late_completion_of_a_lost_worker_is_recorded_and_the_newer_attempt_stopped() {
    let mut world = world_at_work();
    world.run(&Step::Wait(TTL_MS));
    world.join(1);
    while !world.agents[&1].running.iter().any(|lease| lease.trial == TrialIndex(0)) {
        world.sync(1, true);
        if !world.agents[&1].running.iter().any(|lease| lease.trial == TrialIndex(0)) {
            world.finish(1, false);
        }
    }
    world.finish(0, false);
    world.join(0);
    world.sync(0, true);
    assert!(matches!(world.core.trial(TrialIndex(0)).status, Status::Completed { .. }));
    world.sync(1, true);
    let goes_on = world.agents[&1].running.iter().any(|lease| lease.trial == TrialIndex(0));
    assert!(!goes_on, "worker 1 is told to stop its copy");
}

#[test]
fn trials_of_the_coordinators_own_workers_go_back_without_charge_when_it_restarts() {
    let mut world = world_at_work();
    world.run(&Step::RestartCoordinator);
    assert_eq!(world.core.counts().n_ready, N_TRIALS);
    assert_eq!(world.core.trial(TrialIndex(0)).n_suspicions, 0);
}

#[test]
fn a_process_that_comes_back_is_not_charged_for_grants_that_it_never_saw() {
    let mut world = World::new(2);
    world.join(1);
    world.sync(1, false);
    world.run(&Step::RestartCoordinator);
    world.join(1);
    assert_eq!(world.core.counts().n_ready, N_TRIALS);
    assert_eq!(world.core.trial(TrialIndex(0)).n_suspicions, 0);
}

#[test]
fn a_completion_counts_although_its_trial_was_given_up() {
    let mut world = World::new(2);
    world.max_failed = Some(1);
    world.restart();
    world.join(1);
    world.sync(1, true);
    world.finish(1, true);
    world.sync(1, true);
    // Two failures of trial 0 reach the limit while another trial is trained on.
    while world.core.counts().n_failed == 0 {
        let is_first = |lease: &Lease| lease.trial == TrialIndex(0);
        let place = world.agents[&1].running.iter().position(is_first);
        match place {
            Some(place) => {
                world.agents.get_mut(&1).unwrap().running.swap(0, place);
                world.finish(1, true);
            }
            None => world.finish(1, false),
        }
        world.sync(1, true);
    }
    let held = world.agents[&1].running[0];
    world.run(&Step::Wait(TTL_MS));
    assert_eq!(world.core.trial(held.trial).status, Status::Cancelled, "all is given up");
    world.finish(1, false);
    world.join(1);
    world.sync(1, true);
    assert!(matches!(world.core.trial(held.trial).status, Status::Completed { .. }));
}

#[test]
fn failures_of_a_former_run_do_not_count_against_the_limit_of_this_one() {
    let mut world = World::new(2);
    world.join(1);
    for _ in 0..100 {
        world.sync(1, true);
        let is_bad = world.agents[&1].running.first().is_some_and(|lease| lease.trial.0 == 0);
        world.finish(1, is_bad);
        if world.core.counts().n_failed == 1 {
            break;
        }
    }
    world.max_failed = Some(1);
    world.restart();
    world.drive_to_the_end();
    assert_eq!(world.core.counts().n_cancelled, 0);
}

#[test]
fn silence_is_not_held_against_workers_while_the_coordinator_slept() {
    let mut world = world_at_work();
    world.run(&Step::Oversleep(10 * TTL_MS));
    world.sync(0, true);
    assert!(world.agents[&0].session.is_some());
    assert_eq!(world.core.trial(TrialIndex(0)).n_attempts, 1);
}

#[test]
fn a_stopping_coordinator_grants_nothing_and_asks_for_a_drain() {
    let mut world = World::new(2);
    world.join(1);
    world.apply(Event::Stop);
    world.sync(1, true);
    assert!(world.agents[&1].running.is_empty());
}

#[test]
fn a_trial_that_kills_every_worker_fails_after_its_budget_and_the_rest_ends() {
    let mut world = World::new(2);
    for _ in 0..50 {
        world.join(0);
        world.sync(0, true);
        let holds_poison = world.agents[&0].running.iter().any(|lease| lease.trial.0 == 0);
        if holds_poison {
            world.run(&Step::Crash(0));
            continue;
        }
        world.finish(0, false);
        world.finish(0, false);
        world.sync(0, true);
    }
    assert_eq!(world.core.trial(TrialIndex(0)).status, Status::Failed);
    assert_eq!(world.core.trial(TrialIndex(0)).n_attempts, 4, "two beside others, two alone");
    assert_eq!(world.core.counts().n_completed, N_TRIALS - 1);
}

#[test]
fn a_reported_failure_is_tried_once_more() {
    let mut world = World::new(2);
    world.join(0);
    for _ in 0..200 {
        world.sync(0, true);
        let is_bad = world.agents[&0].running.first().is_some_and(|lease| lease.trial.0 == 3);
        world.finish(0, is_bad);
    }
    assert_eq!(world.core.trial(TrialIndex(3)).status, Status::Failed);
    assert_eq!(world.core.trial(TrialIndex(3)).n_attempts, 2);
    assert_eq!(world.core.counts().n_completed, N_TRIALS - 1);
}

#[test]
fn a_drained_worker_gives_its_trials_back_without_charge() {
    let mut world = world_at_work();
    world.run(&Step::Drain(0));
    world.sync(0, true);
    assert_eq!(world.core.counts().n_ready, N_TRIALS);
    assert_eq!(world.core.trial(TrialIndex(0)).n_suspicions, 0);
    assert_eq!(world.core.workers().count(), 0, "it is not waited for");
}

#[test]
fn a_worker_re_attaches_to_a_restarted_coordinator_and_keeps_training() {
    let mut world = World::new(2);
    world.join(1);
    world.sync(1, true);
    world.run(&Step::RestartCoordinator);
    let before = world.agents[&1].running.clone();
    assert_eq!(before.len(), 2);
    world.sync(1, true);
    assert!(world.agents[&1].session.is_none(), "the old session is unknown");
    world.join(1);
    world.sync(1, true);
    assert_eq!(world.agents[&1].running, before);
}
