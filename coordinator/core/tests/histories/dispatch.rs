//! Which trials a worker gets and when: in advance, back again, and as copies of stragglers.

use coordinator_core::lease::TrialIndex;
use coordinator_core::ledger::trial::{Status, TrialSpec};
use coordinator_core::limits::MAX_PREFETCH;

use crate::model::agent::{End, N_SLOTS, running};
use crate::model::rules::Rules;
use crate::model::steps::Step;
use crate::model::world::{N_TRIALS, TTL_MS, World};

/// A world in which each trial takes `wall_s` and workers take up to `n_queue_max` in advance.
pub fn world_of(wall_s: f32, n_queue_max: usize) -> World {
    world_of_many(N_TRIALS, wall_s, n_queue_max)
}

fn world_of_many(n_trials: usize, wall_s: f32, n_queue_max: usize) -> World {
    let facts = vec![TrialSpec { cost_macs: wall_s, is_audited: false }; n_trials];
    World::of(Rules { lease_ttl_ms: TTL_MS, crash_limit: 3, max_failed: None, n_queue_max, facts })
}

/// Lets worker 1 complete its first trials, so that its pace is known.
pub fn warm_up(world: &mut World) {
    world.join(1);
    world.sync(1, true);
    let wall_s = world.rules.facts[0].cost_macs;
    world.now = world.now + (wall_s * 1e3) as u64;
    world.agent(1).finish(End::Well);
    world.agent(1).finish(End::Well);
    world.sync(1, true);
}

#[test]
fn nothing_is_granted_in_advance_before_the_pace_is_known() {
    let mut world = world_of(0.1, 8);
    world.join(1);
    world.sync(1, true);
    assert_eq!((world.running(1).len(), world.queued(1).len()), (2, 0));
}

#[test]
fn short_trials_are_granted_in_advance_as_far_as_two_seconds_go() {
    let mut world = world_of(0.75, 8);
    warm_up(&mut world);
    // Two slots train for four seconds together: five trials of 0.75 s, two of them in slots.
    assert_eq!((world.running(1).len(), world.queued(1).len()), (2, 3));
    let mut world = world_of(0.1, 8);
    warm_up(&mut world);
    assert_eq!(world.queued(1).len(), 8, "no more than it has places for");
}

#[test]
fn long_trials_are_not_granted_in_advance() {
    let mut world = world_of(4.1, 8);
    warm_up(&mut world);
    assert_eq!((world.running(1).len(), world.queued(1).len()), (2, 0));
}

#[test]
fn a_worker_gets_no_more_than_its_share_in_advance() {
    let mut world = world_of(0.1, 12);
    world.join(2);
    world.sync(2, true);
    warm_up(&mut world);
    // Two of twelve trials are done and four in slots; half of what is left is worker 1's.
    assert_eq!((world.running(1).len(), world.queued(1).len()), (2, 3));
}

/// Whoever asks for all there is and hands it back at once keeps nobody from working.
#[test]
fn whoever_hands_back_all_it_gets_gets_no_more() {
    for is_named in [false, true] {
        let mut world = world_of(0.3, 0);
        world.join(1);
        let mut n_granted = 0;
        for _ in 0..60 {
            let mut sync = world.agent(1).speak(0, |_| 0.3).unwrap();
            let held = std::mem::take(&mut sync.running);
            sync.n_free_slots = N_SLOTS as u32;
            if is_named {
                sync.released = held.iter().map(|report| report.lease).collect();
            }
            let reply = world.answer(sync);
            n_granted += reply.grants.len();
            world.agent(1).running = reply.grants.iter().map(|grant| grant.lease).collect();
            world.agent(1).seen_seq = reply.seq;
            world.now = world.now + 1_000;
        }
        assert!(n_granted < 12, "{n_granted} grants in a minute");
    }
}

#[test]
fn suspects_are_not_granted_in_advance() {
    let mut world = world_of(0.1, 12);
    warm_up(&mut world);
    assert_eq!(world.core.counts().n_leased, 10);
    let suspects = world.running(1);
    world.run(&Step::Wait(TTL_MS));
    world.join(2);
    while world.core.counts().n_ready > 0 {
        world.sync(2, true);
        assert!(!world.queued(2).iter().any(|queued| suspects.contains(queued)));
        world.agent(2).finish(End::Well);
    }
}

#[test]
fn a_worker_that_overstates_its_free_slots_gets_no_more_than_it_may_hold() {
    let mut world = world_of_many(2 * MAX_PREFETCH, 0.1, 0);
    world.join(1);
    let mut held = Vec::new();
    loop {
        let mut sync = world.agent(1).speak(0, |_| 0.1).unwrap();
        sync.n_free_slots = 4_000;
        sync.running = held.iter().map(|lease| running(lease, true)).collect();
        let reply = world.answer(sync);
        if reply.grants.is_empty() {
            break;
        }
        assert!(reply.grants.len() <= N_SLOTS, "no more in one go than it has slots");
        world.agent(1).seen_seq = reply.seq;
        held.extend(reply.grants.iter().map(|grant| grant.lease));
    }
    assert_eq!(held.len(), N_SLOTS + MAX_PREFETCH);
}

/// Results may be too many or too large for one Sync; until all are handed in they are listed
/// among what runs.
#[test]
fn a_worker_whose_results_wait_gets_trials_for_its_free_slots() {
    let mut world = world_of(0.1, 0);
    world.join(1);
    world.sync(1, true);
    let waiting = std::mem::take(&mut world.agent(1).running);
    let mut sync = world.agent(1).speak(0, |_| 0.1).unwrap();
    sync.running = waiting.iter().map(|lease| running(lease, true)).collect();
    let reply = world.answer(sync);
    assert_eq!(reply.grants.len(), N_SLOTS);
    assert_eq!(world.core.counts().n_leased, 2 * N_SLOTS);
}

#[test]
fn slots_of_a_worker_that_is_held_back_do_not_count_as_free() {
    let mut world = world_of(0.1, 0);
    world.join(1);
    world.sync(1, true);
    while !world.running(1).is_empty() {
        world.agent(1).finish(End::Fails);
        world.sync(1, true);
    }
    let load = |world: &World| world.core.fleet().load();
    assert_eq!((load(&world).n_slots, load(&world).n_free_slots), (0, 0));
    world.join(2);
    world.sync(2, true);
    assert_eq!((load(&world).n_slots, load(&world).n_free_slots), (N_SLOTS, 0));
    world.run(&Step::Wait(10_000));
    world.sync(1, true);
    assert_eq!(world.running(1).len(), 1, "one, to prove itself");
    assert_eq!((load(&world).n_slots, load(&world).n_free_slots), (N_SLOTS + 1, 0));
    world.agent(1).finish(End::Well);
    world.sync(1, true);
    assert_eq!(load(&world).n_slots, 2 * N_SLOTS);
}

#[test]
fn slots_beside_a_trial_that_runs_alone_do_not_count_as_free() {
    let mut world = world_of(0.1, 12);
    let is_alone = |world: &World| {
        let mut workers = world.core.workers();
        workers.any(|(_, worker)| worker.trains_alone())
    };
    while !is_alone(&world) {
        world.join(2);
        world.sync(2, true);
        if !world.running(2).contains(&TrialIndex(0)) {
            world.agent(2).finish(End::Well);
        } else if !is_alone(&world) {
            world.agent(2).crash();
        }
    }
    assert_eq!(world.running(2), [TrialIndex(0)]);
    let load = world.core.fleet().load();
    assert_eq!((load.n_slots, load.n_free_slots), (1, 0));
}

#[test]
fn what_waits_on_a_busy_worker_is_taken_back_for_an_idle_one_without_charge() {
    let mut world = world_of(0.1, 12);
    warm_up(&mut world);
    assert_eq!(world.queued(1).len(), 8, "everything is granted");
    world.join(2);
    world.sync(2, true);
    assert_eq!(world.running(2), []);
    world.sync(1, true);
    assert_eq!(world.queued(1).len(), 6, "as many as worker 2 has slots");
    world.sync(1, true);
    assert_eq!(world.core.counts().n_ready, 2);
    world.sync(2, true);
    assert_eq!(world.running(2).len(), 2);
    let trial = world.core.trial(world.running(2)[0]);
    assert!(trial.is_unsuspected() && trial.n_attempts == 2);
}

#[test]
fn a_trial_that_was_started_meanwhile_is_not_taken_back() {
    let mut world = world_of(0.1, 1);
    warm_up(&mut world);
    let queued = world.queued(1)[0];
    while world.core.counts().n_ready > 0 {
        world.agent(1).finish(End::Well);
        world.sync(1, true);
    }
    world.join(2);
    world.sync(2, true);
    world.sync(1, false);
    world.agent(1).finish(End::Well);
    world.sync(1, true);
    world.sync(1, true);
    assert!(matches!(world.core.trial(queued).status, Status::Completed { .. }));
    assert_eq!(world.core.fleet().n_withdrawn(), 0);
    assert_eq!(world.core.counts().n_leased, 2);
}

/// A world at its end: worker 1 has trained its last two trials for `seconds`, worker 2 is idle.
fn world_with_stragglers(wall_s: f32, seconds: u64) -> World {
    let mut world = world_of(wall_s, 0);
    warm_up(&mut world);
    while world.core.counts().n_ready > 0 {
        world.agent(1).finish(End::Well);
        world.agent(1).finish(End::Well);
        world.sync(1, true);
    }
    world.sync(1, true);
    world.join(2);
    for _ in 0..seconds {
        world.now = world.now + 1_000;
        world.sync(1, true);
    }
    world.sync(2, true);
    world
}

#[test]
fn a_straggler_is_copied_to_an_idle_worker_once() {
    let world = world_with_stragglers(40.0, 59);
    assert_eq!(world.running(2), [], "not before it took half as long again");
    let mut world = world_with_stragglers(40.0, 60);
    assert_eq!(world.running(2).len(), 1, "few slots, so one copy at a time");
    let trial = world.running(2)[0];
    assert!(world.running(1).contains(&trial));
    world.sync(2, true);
    world.join(0);
    world.sync(0, true);
    assert_eq!(world.running(0), []);
}

#[test]
fn short_trials_are_copied_too_once_they_took_some_seconds_longer() {
    assert_eq!(world_with_stragglers(0.3, 15).running(2), []);
    assert_eq!(world_with_stragglers(0.3, 16).running(2).len(), 1);
}

#[test]
fn of_a_trial_and_its_copy_the_first_completion_wins_and_the_other_is_stopped() {
    let mut world = world_with_stragglers(40.0, 60);
    let trial = world.running(2)[0];
    world.agent(2).finish(End::Well);
    world.sync(2, true);
    assert!(matches!(world.core.trial(trial).status, Status::Completed { .. }));
    world.sync(1, true);
    assert!(!world.running(1).contains(&trial), "worker 1 is told to stop");
}

#[test]
fn a_copy_goes_on_alone_when_the_first_attempt_is_lost() {
    let mut world = world_with_stragglers(40.0, 60);
    let trial = world.running(2)[0];
    world.now = world.now + TTL_MS / 2;
    world.sync(2, true);
    world.now = world.now + TTL_MS / 2;
    world.run(&Step::Wait(0));
    assert_eq!(world.core.trial(trial).status, Status::Leased);
    assert_eq!(world.core.trial(trial).n_suspicions, 1);
    world.agent(2).finish(End::Well);
    world.sync(2, true);
    assert!(matches!(world.core.trial(trial).status, Status::Completed { .. }));
}

#[test]
pub fn a_copy_of_other_bits_is_a_conflict() {
    let mut world = world_with_stragglers(40.0, 60);
    let trial = world.running(2)[0];
    while world.running(1)[0] != trial {
        world.agent(1).running.rotate_left(1);
    }
    world.agent(1).finish(End::Well);
    world.agent(2).finish(End::OtherBits);
    world.sync(1, true);
    // The model's workers check the verdict: a conflict, and the first result stays.
    world.sync(2, true);
    assert_eq!(world.agents[&2].spooled, []);
    assert_eq!(world.core.trial(TrialIndex(trial.0)).n_attempts, 2);
}
