//! What is held against a trial whose worker was lost: nothing, unless it may have been in a slot.

use std::collections::BTreeMap;

use coordinator_core::event::{Action, CloseCause, Record};
use coordinator_core::lease::{Lease, TrialIndex, WorkerId};
use coordinator_core::ledger::Ledger;
use coordinator_core::ledger::trial::{Status, TrialSpec};

use crate::dispatch::{warm_up, world_of};
use crate::model::agent::{End, N_SLOTS};
use crate::model::rules::Rules;
use crate::model::steps::Step;
use crate::model::world::{TTL_MS, World};

/// No more is closed as lost in a batch than a worker has slots, and only other bits are a conflict.
pub fn check(before: &Ledger, out: &[Action]) {
    let mut n_lost: BTreeMap<WorkerId, usize> = BTreeMap::new();
    for action in out {
        if let Action::Persist(Record::Closed { trial, attempt, cause }) = action
            && matches!(cause, CloseCause::Lost | CloseCause::LostAlone)
        {
            let named = |lease: Lease| (lease.trial, lease.attempt) == (*trial, *attempt);
            let open = before.open.iter().find(|open| named(open.lease)).expect("it was open");
            *n_lost.entry(open.worker).or_default() += 1;
        }
    }
    assert!(n_lost.values().all(|n_lost| *n_lost <= N_SLOTS), "{n_lost:?}");
    for action in out {
        if let Action::Persist(Record::Conflict { trial, digest, .. }) = action {
            let status = before.trials[trial.index()].status;
            let is_same = matches!(status, Status::Completed { digest: d, .. } if d == *digest);
            assert!(!is_same, "the same digest is no conflict");
        }
    }
}

/// Worker 1 trains two trials and has eight more in advance.
fn world_with_a_queue() -> World {
    let mut world = world_of(0.1, 12);
    warm_up(&mut world);
    assert_eq!((world.running(1).len(), world.queued(1).len()), (2, 8));
    world
}

#[track_caller]
fn assert_suspected(world: &World, trials: &[TrialIndex], n_suspicions: u32) {
    for trial in trials {
        assert_eq!(world.core.trial(*trial).n_suspicions, n_suspicions, "trial {}", trial.0);
    }
}

#[test]
fn trials_in_slots_are_suspects_and_those_that_waited_go_back_to_their_places() {
    let mut world = world_with_a_queue();
    let (running, queued) = (world.running(1), world.queued(1));
    world.run(&Step::Wait(TTL_MS));
    assert_suspected(&world, &running, 1);
    assert_suspected(&world, &queued, 0);
    world.join(2);
    world.sync(2, true);
    assert_eq!(world.running(2), queued[..2], "they are still before the suspects");
}

#[test]
fn a_process_that_was_started_anew_is_charged_for_what_it_trained_only() {
    let mut world = world_with_a_queue();
    let (running, queued) = (world.running(1), world.queued(1));
    world.run(&Step::Crash(1));
    world.join(1);
    assert_suspected(&world, &running, 1);
    assert_suspected(&world, &queued, 0);
}

#[test]
fn a_trial_that_was_granted_in_advance_is_a_suspect_once_its_worker_said_that_it_runs() {
    let mut world = world_with_a_queue();
    world.agent(1).finish(End::Well);
    world.sync(1, true);
    let (running, queued) = (world.running(1), world.queued(1));
    world.run(&Step::Wait(TTL_MS));
    assert_suspected(&world, &running, 1);
    assert_suspected(&world, &queued, 0);
}

#[test]
fn of_what_a_former_coordinator_granted_nothing_is_known_to_have_run() {
    let mut world = world_with_a_queue();
    let (running, queued) = (world.running(1), world.queued(1));
    world.restart();
    world.run(&Step::Wait(TTL_MS));
    assert_suspected(&world, &[running, queued].concat(), 0);
    let mut world = world_with_a_queue();
    let (running, queued) = (world.running(1), world.queued(1));
    world.restart();
    world.join(1);
    world.sync(1, true);
    world.run(&Step::Wait(TTL_MS));
    assert_suspected(&world, &running, 1);
    assert_suspected(&world, &queued, 0);
}

/// The coordinator's own worker is seen to end, so that its only trial is known to have done it.
#[test]
fn a_trial_that_takes_a_local_worker_down_with_nothing_beside_it_is_charged_at_once() {
    let ended = Step::LocalEnded { expected: false };
    for n_trials in [1, 2] {
        let mut world = world_of_few(n_trials, 1);
        world.join(0);
        world.sync(0, true);
        world.run(&ended);
        let n_failed = if n_trials == 1 { 1 } else { 0 };
        assert_eq!(world.core.counts().n_failed, n_failed, "{n_trials} trials");
    }
    // A remote one may only have lost its network.
    let mut world = world_of_few(1, 1);
    world.join(1);
    world.sync(1, true);
    world.run(&Step::Wait(TTL_MS));
    assert_eq!(world.core.counts().n_failed, 0);
}

fn world_of_few(n_trials: usize, crash_limit: u32) -> World {
    let facts = vec![TrialSpec::default(); n_trials];
    World::of(Rules { lease_ttl_ms: TTL_MS, crash_limit, max_failed: None, n_queue_max: 0, facts })
}

/// Worker 0 is taken for lost, its trial goes to worker 1, and then it reports a failure.
#[test]
fn a_failure_of_a_stale_attempt_changes_nothing() {
    let mut world = crate::world_at_work();
    world.run(&Step::Wait(TTL_MS));
    world.join(1);
    let trial = world.running(0)[0];
    while !world.running(1).contains(&trial) {
        world.finish(1, false);
        world.sync(1, true);
    }
    world.finish(0, true);
    world.join(0);
    world.sync(0, true);
    assert_eq!(world.core.trial(trial).n_failures, 0, "a stale failure counts");
    world.sync(1, true);
    assert!(world.running(1).contains(&trial), "worker 1 trains on");
}
