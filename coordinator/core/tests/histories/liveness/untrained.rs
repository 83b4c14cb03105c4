//! Workers that let go of trials which they asked for and did not train: they are held back, whichever way
//! they do it, and whoever only lost its network is not.

use coordinator_core::event::{Finished, Join, Sync, WorkerInfo};
use coordinator_core::lease::{Lease, SessionId, WorkerId};

use crate::dispatch::{warm_up, world_of};
use crate::liveness::stalled::world;
use crate::model::agent::{Agent, End, N_SLOTS, running};
use crate::model::steps::Step;
use crate::model::world::{N_TRIALS, TTL_MS, World};

/// Ten minutes.
const LONG_S: u64 = 600;

/// As worker 1, a caller that says whatever it likes.
struct Caller {
    session: SessionId,
    seq: u64,
    seen_seq: u64,
    held: Vec<Lease>,
    n_granted: usize,
}

impl Caller {
    fn join(world: &mut World) -> Self {
        let session = join(world, false, Vec::new());
        Self { session, seq: 0, seen_seq: 0, held: Vec::new(), n_granted: 0 }
    }

    fn join_again(&mut self, world: &mut World, continues: bool, held: Vec<Lease>) {
        self.session = join(world, continues, held);
        (self.seq, self.seen_seq) = (0, 0);
    }

    /// All its slots are free, and it runs nothing; `change` says what else. Gives what is granted.
    fn say(&mut self, world: &mut World, change: impl FnOnce(&mut Sync)) -> Vec<Lease> {
        self.seq += 1;
        let mut sync = Sync {
            session: self.session,
            seq: self.seq,
            seen_seq: self.seen_seq,
            n_free_slots: N_SLOTS as u32,
            n_queue_places: 0,
            draining: false,
            running: Vec::new(),
            finished: Vec::new(),
            released: Vec::new(),
            troubles: Vec::new(),
        };
        change(&mut sync);
        let reply = world.answer(sync);
        self.seen_seq = self.seq;
        let granted: Vec<Lease> = reply.grants.iter().map(|grant| grant.lease).collect();
        let is_new = |lease: &&Lease| !self.held.contains(lease);
        self.n_granted += granted.iter().filter(is_new).count();
        self.held.extend(&granted);
        granted
    }
}

fn join(world: &mut World, continues: bool, held: Vec<Lease>) -> SessionId {
    let facts = WorkerInfo {
        name: "caller".into(),
        isa: "portable".into(),
        cpu: "model".into(),
        n_slots: N_SLOTS as u32,
        local_index: None,
    };
    let join = Join { worker: WorkerId([1; 16]), facts, held, continues };
    world.admit(join).0
}

/// Lets go of what it was granted, and has a session again.
type Way = fn(&mut World, &mut Caller, Vec<Lease>);

const WAYS: [(&str, Way); 10] = [
    ("joins again", |world, caller, _| caller.join_again(world, true, Vec::new())),
    ("names it once more and then leaves it out", |world, caller, granted| {
        caller.join_again(world, true, granted);
    }),
    ("hands it back", |world, caller, granted| {
        caller.say(world, |sync| (sync.n_free_slots, sync.released) = (0, granted));
    }),
    ("leaves it out", |world, caller, _| drop(caller.say(world, |sync| sync.n_free_slots = 0))),
    ("is started anew", |world, caller, _| caller.join_again(world, false, Vec::new())),
    ("drains", |world, caller, _| {
        caller.say(world, |sync| sync.draining = true);
        caller.join_again(world, true, Vec::new());
    }),
    ("says that it runs, and drains", |world, caller, granted| {
        let runs = granted.iter().map(|lease| running(lease, true)).collect();
        caller.say(world, |sync| (sync.n_free_slots, sync.running) = (0, runs));
        caller.say(world, |sync| sync.draining = true);
        caller.join_again(world, false, Vec::new());
    }),
    ("drains and thinks better of it", |world, caller, granted| {
        let kept = granted.first().map(|lease| running(lease, false));
        caller.say(world, |sync| {
            sync.draining = true;
            sync.running.extend(kept);
        });
    }),
    ("is silent", |world, caller, _| {
        world.run(&Step::Wait(TTL_MS));
        caller.join_again(world, true, Vec::new());
    }),
    ("is silent and started anew", |world, caller, _| {
        world.run(&Step::Wait(TTL_MS));
        caller.join_again(world, false, Vec::new());
    }),
];

#[test]
fn whichever_way_a_worker_lets_go_of_trials_it_gets_few_more() {
    for (name, let_go) in WAYS {
        let mut world = world_of(0.3, 0);
        let mut caller = Caller::join(&mut world);
        let end = world.now + LONG_S * 1_000;
        while world.now < end {
            world.now = world.now + 1_000;
            let granted = caller.say(&mut world, |_| {});
            let_go(&mut world, &mut caller, granted);
        }
        // Free of charge it would be two in each round.
        assert!(caller.n_granted <= 25, "{name}: {} grants in ten minutes", caller.n_granted);
        world.join(2);
        while !world.core.awaits_trials() {
            world.now = world.now + 1_000;
            world.sync(2, true);
            world.agent(2).finish(End::Well);
            world.agent(2).finish(End::Well);
        }
        assert_eq!(world.core.counts().n_failed, 0, "{name}");
    }
}

/// It once had a trial that ended well.
#[test]
fn a_result_that_was_handed_in_before_clears_nobody() {
    let mut world = world_of(0.3, 0);
    world.join(1);
    world.sync(1, true);
    world.agent(1).finish(End::Well);
    let old: Vec<Finished> = world.agent(1).speak(0, |_| 0.3).unwrap().finished;
    world.sync(1, true);
    let mut caller = Caller::join(&mut world);
    for _ in 0..LONG_S {
        world.now = world.now + 1_000;
        caller.say(&mut world, |sync| sync.finished = old.clone());
        caller.say(&mut world, |sync| sync.n_free_slots = 0);
    }
    assert!(caller.n_granted <= 25, "{} grants in ten minutes", caller.n_granted);
}

fn assert_not_held_back(world: &World, id: u8) {
    let worker = world.core.fleet().worker(WorkerId([id; 16]));
    assert_eq!(worker.health.n_leases_max(), usize::MAX, "it is held back");
}

/// The coordinator starts anew, and the network is gone for longer than a lease.
#[test]
fn a_worker_that_joins_again_after_a_fault_trains_on() {
    let mut world = world_of(4_000.0, 0);
    world.join(1);
    world.sync(1, true);
    world.sync(1, true);
    let trials = world.running(1);
    for n in 0..10 {
        match n {
            3 => world.run(&Step::Wait(TTL_MS)),
            _ => world.run(&Step::RestartCoordinator),
        }
        for _ in 0..2 {
            world.sync(1, false);
            world.sync(1, true);
            world.join(1);
        }
        world.sync(1, true);
        world.sync(1, true);
        assert_eq!(world.running(1), trials);
        assert_not_held_back(&world, 1);
    }
}

/// It did not hear of its first trials before it was lost, or of those that it was granted next.
#[test]
fn a_worker_that_loses_a_grant_with_its_network_is_not_held_back() {
    for n_losses in 1..=2 {
        let mut world = world_of(40.0, 0);
        world.join(1);
        for _ in 0..n_losses {
            world.sync(1, false);
            world.run(&Step::Wait(TTL_MS));
            world.sync(1, true);
            world.join(1);
        }
        world.sync(1, true);
        assert_eq!(world.running(1).len(), N_SLOTS);
        assert_not_held_back(&world, 1);
    }
}

/// A Join that the network held back arrives behind the one that was sent in its place.
#[test]
fn a_join_that_arrives_late_is_not_held_against_its_worker() {
    let mut world = world_of(40.0, 0);
    world.join(1);
    world.sync(1, true);
    join(&mut world, true, Vec::new());
    world.sync(1, true);
    world.join(1);
    world.sync(1, true);
    world.sync(1, true);
    assert_eq!(world.running(1).len(), N_SLOTS);
    assert_not_held_back(&world, 1);
}

/// What it says arrives, what it is told does not, so that it can only repeat itself.
#[test]
fn a_worker_that_hears_nothing_for_long_is_not_held_back_and_keeps_nothing_from_others() {
    let mut world = world(N_TRIALS, 0, 0, None);
    world.join(1);
    world.join(2);
    let sync = world.agent(1).speak(0, |_| 0.3).unwrap();
    let mut replies = Vec::new();
    for _ in 0..150 {
        world.now = world.now + 1_000;
        replies.push(world.answer(sync.clone()));
        world.sync(2, true);
        world.agent(2).finish(End::Well);
        world.agent(2).finish(End::Well);
    }
    assert_eq!(world.core.counts().n_completed, N_TRIALS, "{:?}", world.core.counts());
    assert_not_held_back(&world, 1);
    let last = replies.pop().unwrap();
    world.agent(1).listen(&last);
    world.sync(1, true);
    assert_not_held_back(&world, 1);
}

/// As on machines that are taken away and given back.
#[test]
fn a_worker_that_drains_again_and_again_after_it_has_trained_is_not_held_back() {
    let mut world = world_of(4_000.0, 0);
    for _ in 0..10 {
        world.join(1);
        world.sync(1, true);
        world.sync(1, true);
        for _ in 0..4 {
            world.now = world.now + 10_000;
            world.sync(1, true);
        }
        world.run(&Step::Drain(1));
        world.sync(1, true);
        *world.agent(1) = Agent::default();
    }
    world.join(1);
    world.sync(1, true);
    assert_eq!(world.running(1).len(), N_SLOTS);
    assert_not_held_back(&world, 1);
}

/// Keeps what it was granted and does not begin it.
type Pose = fn(&mut Sync, &[Lease]);

const POSES: [(&str, Pose); 3] = [
    ("says that it waits", |sync, held| {
        sync.running = held.iter().map(|lease| running(lease, false)).collect();
    }),
    ("says that it has not heard of it", |sync, _| sync.seen_seq = 0),
    ("always says the same", |sync, _| (sync.seq, sync.seen_seq) = (1, 0)),
];

/// Trials to train and those to check: an idle slot gets them after a lease's time.
#[test]
fn whoever_does_not_begin_what_it_was_granted_loses_it() {
    for (name, pose) in POSES {
        for n_audited in [0, N_TRIALS] {
            let mut world = world(N_TRIALS, n_audited, 0, None);
            world.join(2);
            while n_audited > 0 && world.core.counts().n_ready > 0 {
                world.sync(2, true);
                world.agent(2).finish(End::Well);
            }
            let mut caller = Caller::join(&mut world);
            let mut seconds = 0;
            while !world.core.awaits_trials() || !world.core.audits().is_empty() {
                assert!(seconds <= 40, "{name}: {:?}", world.core.counts());
                world.now = world.now + 1_000;
                let held = caller.held.clone();
                caller.say(&mut world, |sync| pose(sync, &held));
                world.sync(2, true);
                world.agent(2).finish(End::Well);
                world.agent(2).finish(End::Well);
                world.sync(2, true);
                seconds += 1;
            }
            assert!(seconds >= 30 || caller.n_granted == 0, "{name}: not at once");
            assert_eq!(world.core.counts().n_failed, 0);
            let worker = world.core.fleet().worker(WorkerId([1; 16]));
            let is_charged = worker.health.n_leases_max() <= 1;
            // Whoever always says the same gets nothing more.
            assert!(is_charged || caller.n_granted <= N_SLOTS, "{name}: {}", caller.n_granted);
        }
    }
}

#[test]
fn whoever_neither_starts_a_trial_nor_hands_it_back_loses_it() {
    let mut world = world(N_TRIALS, 0, 4, None);
    warm_up(&mut world);
    world.join(2);
    while world.core.counts().n_ready > 0 {
        world.sync(2, true);
        world.agent(2).finish(End::Well);
    }
    let held = world.agents[&1].held();
    for _ in 0..75 {
        // It beats and says always the same.
        world.now = world.now + 1_000;
        let mut sync = world.agent(1).speak(8, |_| 0.3).unwrap();
        sync.running = held.iter().map(|lease| running(lease, false)).collect();
        let reply = world.answer(sync);
        world.agent(1).seen_seq = reply.seq;
        world.sync(2, true);
        world.agent(2).finish(End::Well);
        world.agent(2).finish(End::Well);
    }
    world.sync(2, true);
    let counts = world.core.counts();
    assert_eq!((counts.n_ready, counts.n_leased), (0, 0), "{counts:?}");
    let worker = world.core.fleet().worker(WorkerId([1; 16]));
    assert!(worker.health.n_leases_max() <= 1, "it is held back");
}
