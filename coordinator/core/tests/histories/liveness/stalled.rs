//! Slots that hang while their workers beat: with other slots idle a sweep ends, soon, whatever it is
//! that hangs.

use coordinator_core::event::{Event, Join, JoinReply, Reply, Running, Sync, WorkerInfo};
use coordinator_core::lease::{Lease, TrialIndex, WorkerId};
use coordinator_core::ledger::trial::TrialSpec;

use crate::dispatch::warm_up;
use crate::model::agent::{End, running};
use crate::model::rules::Rules;
use crate::model::steps::Step;
use crate::model::world::{N_TRIALS, TTL_MS, World};

/// Ten times what the trials of these worlds take, and half a minute.
pub const BOUND_S: u64 = 33;

/// Slots of a large machine.
const N_MANY: usize = 200;

/// Trials of 0.3 s, workers that tell how their slots get on.
pub fn world(
    n_trials: usize,
    n_audited: usize,
    n_queue_max: usize,
    max_failed: Option<u32>,
) -> World {
    let fact = |index| TrialSpec { cost_macs: 0.3, is_audited: index < n_audited };
    let facts = (0..n_trials).map(fact).collect();
    let rules = Rules { lease_ttl_ms: TTL_MS, crash_limit: 3, max_failed, n_queue_max, facts };
    let mut world = World::of(rules);
    for id in 0..3 {
        world.agent(id).tells = true;
    }
    world
}

/// Seconds until nothing is left to do, if these workers live and finish what does not hang.
fn seconds_to_the_end(world: &mut World, ids: &[u8], bound_s: u64) -> u64 {
    for second in 0..=bound_s {
        if world.core.awaits_trials() {
            world.core.add_trials(&[], &[]);
        }
        if world.core.is_finished() {
            return second;
        }
        world.now = world.now + 1_000;
        for &id in ids {
            world.sync(id, true);
            world.agent(id).finish(End::Well);
            world.agent(id).finish(End::Well);
            world.sync(id, true);
        }
    }
    panic!("not ended after {bound_s} s: {:?}", world.core.counts());
}

pub fn hang_all(world: &mut World, id: u8) {
    world.agent(id).hang();
    world.agent(id).hang();
}

#[test]
fn an_idle_worker_takes_over_what_hangs_on_another() {
    let mut world = world(N_TRIALS, 0, 0, None);
    warm_up(&mut world);
    hang_all(&mut world, 1);
    world.join(2);
    assert!(seconds_to_the_end(&mut world, &[1, 2], BOUND_S) > 9, "not at once");
    assert_eq!(world.core.counts().n_completed, N_TRIALS);
}

#[test]
fn an_idle_slot_takes_over_what_hangs_beside_it() {
    let mut world = world(N_TRIALS, 0, 0, None);
    warm_up(&mut world);
    world.agent(1).hang();
    seconds_to_the_end(&mut world, &[1], BOUND_S);
}

/// Confirm trials follow the grid once it is done, though a slot still hangs.
#[test]
fn trials_that_follow_do_not_wait_for_what_hangs() {
    let mut world = world(N_TRIALS, 0, 0, None);
    warm_up(&mut world);
    world.agent(1).hang();
    for _ in 0..BOUND_S {
        world.now = world.now + 1_000;
        world.sync(1, true);
        world.agent(1).finish(End::Well);
        world.sync(1, true);
        world.follow();
    }
    assert!(world.core.is_finished(), "{:?}", world.core.counts());
    assert!(world.core.counts().n_completed > N_TRIALS);
}

#[test]
fn the_first_trial_may_hang_before_any_pace_is_known() {
    for helper in [1, 2] {
        let mut world = world(1, 0, 0, None);
        world.join(1);
        world.sync(1, true);
        world.agent(1).hang();
        world.join(helper);
        seconds_to_the_end(&mut world, &[1, 2], 40);
    }
}

#[test]
fn three_of_four_slots_may_hang_and_among_them_the_second_attempt() {
    let mut world = world(N_TRIALS, 0, 0, None);
    warm_up(&mut world);
    world.join(2);
    hang_all(&mut world, 1);
    world.sync(2, true);
    while world.core.counts().n_ready > 0 {
        world.agent(2).finish(End::Well);
        world.sync(2, true);
    }
    world.agent(2).finish(End::Well);
    world.agent(2).finish(End::Well);
    for _ in 0..BOUND_S {
        world.now = world.now + 1_000;
        world.sync(1, true);
        if world.running(2).is_empty() {
            world.sync(2, true);
        }
    }
    world.agent(2).hang();
    seconds_to_the_end(&mut world, &[1, 2], 2 * BOUND_S);
}

/// As a worker of another build, or one that lies.
#[test]
fn a_worker_that_tells_of_epochs_alone_is_overcome_as_well() {
    let mut world = world(1, 0, 0, None);
    for id in [0, 1] {
        world.agent(id).tells = false;
        world.join(id);
        world.sync(id, true);
        hang_all(&mut world, id);
    }
    world.join(2);
    seconds_to_the_end(&mut world, &[0, 1, 2], 130);
}

#[test]
fn what_waits_behind_hung_slots_is_given_to_idle_ones() {
    let mut world = world(N_TRIALS, 0, 8, None);
    warm_up(&mut world);
    assert_eq!((world.running(1).len(), world.queued(1).len()), (2, 8));
    hang_all(&mut world, 1);
    world.join(2);
    seconds_to_the_end(&mut world, &[1, 2], BOUND_S);
}

/// Its hung slot was taken back, and one trial is left that has no slot there any more.
#[test]
fn the_last_trial_behind_a_hung_slot_is_not_forgotten() {
    let mut world = world(N_TRIALS, 0, 1, None);
    warm_up(&mut world);
    hang_all(&mut world, 1);
    world.join(2);
    while world.core.counts().n_ready > 0 {
        world.sync(2, true);
        world.agent(2).finish(End::Well);
    }
    assert_eq!(world.queued(1).len(), 1);
    seconds_to_the_end(&mut world, &[1, 2], BOUND_S);
}

#[test]
fn an_audit_that_hangs_is_made_by_another_slot_or_given_up() {
    let mut world = world(N_TRIALS, N_TRIALS, 0, None);
    warm_up(&mut world);
    world.join(2);
    world.sync(2, true);
    world.agent(2).hang();
    while !world.core.awaits_trials() {
        for id in [1, 2] {
            world.sync(id, true);
            world.agent(id).finish(End::Well);
            world.sync(id, true);
        }
        if world.core.audits().len() > 3 {
            world.agent(1).hang();
            break;
        }
    }
    seconds_to_the_end(&mut world, &[1, 2], 2 * BOUND_S);
    assert_eq!(world.core.counts().n_completed, N_TRIALS);
}

#[test]
fn a_sweep_that_was_given_up_does_not_wait_for_what_hangs() {
    let mut world = world(3, 0, 0, Some(1));
    world.join(1);
    world.join(2);
    world.sync(1, true);
    world.sync(2, true);
    world.agent(1).hang();
    for _ in 0..60 {
        world.now = world.now + 1_000;
        for id in [1, 2] {
            world.agent(id).finish(End::Fails);
            world.sync(id, true);
        }
    }
    assert!(world.core.counts().n_failed > 0);
    seconds_to_the_end(&mut world, &[1, 2], BOUND_S);
    assert!(world.core.counts().n_cancelled > 0);
}

/// It needs a worker without another trial, and each has one that hangs.
#[test]
fn a_suspect_of_lost_workers_gets_a_worker_though_slots_hang() {
    let mut world = world(N_TRIALS, 0, 0, None);
    for _ in 0..2 {
        while !world.running(1).contains(&TrialIndex(0)) {
            world.agent(1).finish(End::Well);
            world.join(1);
            world.sync(1, true);
        }
        world.agent(1).crash();
        world.run(&Step::Wait(TTL_MS));
    }
    assert!(world.core.trial(TrialIndex(0)).must_run_alone());
    world.join(1);
    world.sync(1, true);
    world.agent(1).hang();
    seconds_to_the_end(&mut world, &[1], 2 * BOUND_S);
}

#[test]
fn with_every_slot_hung_it_is_known_which_and_for_how_long() {
    let mut world = world(N_TRIALS, 0, 0, None);
    warm_up(&mut world);
    hang_all(&mut world, 1);
    for _ in 0..90 {
        world.now = world.now + 1_000;
        world.sync(1, true);
    }
    let stalled: Vec<_> = world.core.stalled(world.now).collect();
    assert_eq!(stalled.len(), 2);
    assert!(stalled.iter().all(|it| it.silent_ms == 90_000), "{stalled:?}");
    // Another worker ends the sweep without them.
    world.join(2);
    seconds_to_the_end(&mut world, &[1, 2], BOUND_S);
}

/// Steps that are as long as the patience are no reason to begin forever anew.
#[test]
fn a_trial_of_very_long_steps_gets_more_time_with_each_attempt() {
    let mut world = world(1, 0, 0, None);
    world.join(1);
    for _ in 0..1_000 {
        if world.core.awaits_trials() {
            return;
        }
        world.now = world.now + 1_000;
        world.sync(1, true);
        let now_ms = world.now.0;
        let agent = world.agent(1);
        let running = agent.running.clone();
        // It only looks hung: told to stop it does so, and after 90 s it is done.
        let is_done =
            |(lease, since): &(Lease, u64)| running.contains(lease) && 90_000 <= now_ms - since;
        let done = agent.hung.iter().any(is_done);
        agent.hung.retain(|(lease, _)| running.contains(lease) && !done);
        if done { agent.finish(End::Well) } else { agent.hang() }
    }
    panic!("it was never given the time that it takes");
}

/// One of very many slots hangs, and all the others have run for longer and get on.
#[test]
fn a_slot_that_hangs_is_seen_among_many_that_run() {
    let mut world = world(N_MANY + 3, 0, 0, None);
    warm_up(&mut world);
    let call = world.call();
    let facts = WorkerInfo {
        name: "large".into(),
        isa: "portable".into(),
        cpu: "model".into(),
        n_slots: N_MANY as u32,
        local_index: None,
    };
    let join = Join { worker: WorkerId([2; 16]), facts, held: Vec::new(), continues: false };
    let Some(Reply::Join(_, JoinReply::Joined { session, .. })) =
        world.apply(Event::Join { call, join })
    else {
        panic!("a Join is answered");
    };
    let mut held: Vec<Lease> = Vec::new();
    for second in 0..20 {
        let report = |(index, lease)| Running {
            trained_ms: Some(10),
            silent_ms: if index == N_MANY - 2 { second * 1_000 } else { 0 },
            ..running(lease, true)
        };
        let sync = Sync {
            session,
            seq: second + 1,
            seen_seq: second,
            // The last of its slots, which is to hang, begins later.
            n_free_slots: [N_MANY as u32 - 2, 0, 1].get(second as usize).copied().unwrap_or(0),
            n_queue_places: 0,
            draining: false,
            running: held.iter().enumerate().map(report).collect(),
            finished: Vec::new(),
            released: Vec::new(),
            troubles: Vec::new(),
        };
        let reply = world.answer(sync);
        held.extend(reply.grants.iter().map(|grant| grant.lease));
        held.retain(|lease| !reply.stop.contains(lease));
        world.now = world.now + 1_000;
        if second > 2 {
            world.agent(1).finish(End::Well);
        }
        world.sync(1, true);
    }
    assert_eq!(held.len(), N_MANY - 2, "one was taken over");
    assert_eq!(world.core.counts().n_completed, 5, "the last is done in the idle slot");
}
