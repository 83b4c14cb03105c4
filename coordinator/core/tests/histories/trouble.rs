//! Broken workers and results that differ: hold, quarantine, another worker's try, audits, and
//! checkpoints that outlive whoever made them.

use coordinator_core::event::{Event, Reply};
use coordinator_core::grant_order::GrantOrder;
use coordinator_core::lease::{Lease, OpenLease, TrialIndex, WorkerId};
use coordinator_core::ledger::Ledger;
use coordinator_core::ledger::trial::{Status, Trial, TrialSpec};
use coordinator_core::machine::{Config, Core};
use coordinator_core::time::Millis;
use trial::Digest;

use crate::model::agent::End;
use crate::model::rules::Rules;
use crate::model::steps::Step;
use crate::model::world::{N_TRIALS, TTL_MS, World};

/// Worker 1 has trained trial 0, and worker 2 begins to check it.
fn world_with_an_audit_begun() -> World {
    let mut world = world_with_audits(1);
    world.join(1);
    world.join(2);
    world.sync(1, true);
    end(&mut world, 1, End::Well);
    world.sync(2, true);
    assert_eq!(world.running(2)[0], TrialIndex(0));
    world
}

/// A world of which the first `n_audited` trials are trained twice.
fn world_with_audits(n_audited: usize) -> World {
    let fact = |index| TrialSpec { cost_macs: 1.0, is_audited: index < n_audited };
    let facts = (0..N_TRIALS).map(fact).collect();
    World::of(Rules {
        lease_ttl_ms: TTL_MS,
        crash_limit: 3,
        max_failed: None,
        n_queue_max: 0,
        facts,
    })
}

/// The worker ends its first trial this way and says so.
fn end(world: &mut World, id: u8, end: End) {
    world.agent(id).finish(end);
    world.sync(id, true);
}

#[test]
fn what_failed_on_a_worker_is_tried_on_another() {
    let mut world = World::new(3);
    world.join(1);
    world.sync(1, true);
    world.join(2);
    world.sync(2, true);
    end(&mut world, 1, End::Fails);
    while world.core.counts().n_ready > 1 {
        end(&mut world, 1, End::Well);
    }
    end(&mut world, 1, End::Well);
    assert_eq!(world.core.counts().n_ready, 1, "worker 1 does not get its own failure again");
    end(&mut world, 2, End::Well);
    assert!(world.running(2).contains(&TrialIndex(0)));
}

#[test]
fn what_failed_on_the_only_worker_is_tried_there_again() {
    let mut world = World::new(3);
    world.join(1);
    world.sync(1, true);
    end(&mut world, 1, End::Fails);
    while !world.running(1).contains(&TrialIndex(0)) {
        end(&mut world, 1, End::Well);
    }
}

#[test]
fn a_worker_that_fails_trial_after_trial_is_held_back_and_then_gets_one_to_prove_itself() {
    let mut world = World::new(3);
    world.join(1);
    world.sync(1, true);
    for _ in 0..3 {
        end(&mut world, 1, End::Fails);
    }
    assert_eq!(world.running(1).len(), 1, "what it has it keeps, and gets no more");
    end(&mut world, 1, End::Fails);
    assert_eq!(world.running(1), []);
    world.run(&Step::Wait(10_000));
    world.sync(1, true);
    assert_eq!(world.running(1).len(), 1);
    end(&mut world, 1, End::Well);
    assert_eq!(world.running(1).len(), 2, "it is well again");
}

#[test]
fn with_every_worker_in_quarantine_the_sweep_ends_after_a_minute() {
    let mut world = World::new(3);
    world.join(1);
    world.sync(1, true);
    for _ in 0..7 {
        world.now = world.now + 20_000;
        end(&mut world, 1, End::Fails);
    }
    assert!(world.core.fleet().load().n_quarantined == 1);
    assert_eq!(world.core.counts().n_cancelled, 0);
    let at = world.core.next_deadline().unwrap();
    for _ in 0..6 {
        world.now = world.now + 10_000;
        world.sync(1, true);
    }
    assert!(at <= world.now);
    assert_eq!(world.core.counts().n_ready, 0);
    assert!(0 < world.core.counts().n_cancelled);
    assert!(world.core.awaits_trials());
}

#[test]
fn a_sweep_that_was_given_up_waits_in_peace_for_what_still_runs() {
    let fact = TrialSpec { cost_macs: 0.1, is_audited: false };
    let facts = vec![fact; N_TRIALS];
    let rules =
        Rules { lease_ttl_ms: TTL_MS, crash_limit: 3, max_failed: None, n_queue_max: 8, facts };
    let mut world = World::of(rules);
    world.agent(1).tells = true;
    world.join(1);
    world.sync(1, true);
    world.agent(1).finish(End::Well);
    end(&mut world, 1, End::Well);
    let long = world.agents[&1].running[1];
    // It never hears that it is to hand its queue back.
    for pause_ms in [0, 0, 0, 15_000, 25_000, 25_000] {
        world.now = world.now + pause_ms;
        world.agent(1).finish(End::Fails);
        world.agent(1).running.rotate_left(1);
        world.sync(1, false);
    }
    assert_eq!(world.core.fleet().load().n_quarantined, 1);
    world.sync(1, true);
    end(&mut world, 1, End::Fails);
    for _ in 0..8 {
        world.now = world.now + 10_000;
        world.sync(1, true);
    }
    assert_eq!(world.agents[&1].running, [long]);
    assert!(world.now < world.core.next_deadline().unwrap(), "there is nothing to do at once");
    end(&mut world, 1, End::Well);
    assert!(0 < world.core.counts().n_cancelled);
}

#[test]
fn a_worker_in_quarantine_is_well_again_once_it_was_started_anew() {
    let mut world = World::new(3);
    world.join(1);
    world.sync(1, true);
    for _ in 0..7 {
        world.now = world.now + 20_000;
        end(&mut world, 1, End::Fails);
    }
    assert_eq!(world.running(1), []);
    world.run(&Step::Crash(1));
    world.join(1);
    world.sync(1, true);
    assert_eq!(world.running(1).len(), 2);
}

/// No coordinator writes such a record.
#[test]
fn an_attempt_left_open_at_a_failed_trial_is_closed_and_no_more() {
    let mut ledger = Ledger::empty(1);
    ledger.trials[0] = Trial { status: Status::Failed, n_attempts: 1, ..Trial::default() };
    let lease = Lease { trial: TrialIndex(0), attempt: 1, term: 1, nonce: 7 };
    ledger.open = vec![OpenLease { lease, worker: WorkerId([1; 16]), alone: false, local: false }];
    let grant_order = GrantOrder { order: vec![TrialIndex(0)], facts: vec![TrialSpec::default()] };
    let config =
        Config { term: 2, lease_ttl_ms: TTL_MS, crash_limit: 3, max_failed: None, seed: 0 };
    let mut out = Vec::new();
    let mut core = Core::restore(config, &grant_order, &ledger, Millis(0), &mut out);
    core.apply(Millis(TTL_MS), Event::Tick, &mut out);
    assert!(core.is_quiet() && core.is_finished());
    assert_eq!(core.trial(TrialIndex(0)).status, Status::Failed);
}

/// As a process that is killed as soon as it has begun, or a caller that only joins.
#[test]
fn a_worker_that_is_lost_again_and_again_does_not_fail_every_trial() {
    let mut world = World::new(3);
    for _ in 0..100 {
        world.join(1);
        world.sync(1, true);
        world.sync(1, true);
        world.agent(1).crash();
    }
    let counts = world.core.counts();
    assert!(counts.n_failed <= 1, "{counts:?}");
    world.run(&Step::Wait(TTL_MS));
    world.join(2);
    while !world.core.awaits_trials() {
        world.sync(2, true);
        world.agent(2).finish(End::Well);
    }
    assert_eq!(world.core.counts().n_failed, counts.n_failed);
}

#[test]
fn what_was_lost_on_a_worker_is_tried_on_another() {
    let mut world = World::new(3);
    world.join(2);
    world.sync(2, true);
    while world.core.counts().n_ready > 2 {
        end(&mut world, 2, End::Well);
    }
    world.join(1);
    world.sync(1, true);
    let lost = world.running(1);
    assert_eq!((lost.len(), world.core.counts().n_ready), (2, 0));
    world.agent(1).crash();
    world.join(1);
    world.sync(1, true);
    assert_eq!(world.running(1), []);
    end(&mut world, 2, End::Well);
    end(&mut world, 2, End::Well);
    assert_eq!(world.running(2), lost);
}

#[test]
fn an_audit_goes_to_another_worker_and_the_end_waits_for_it() {
    let mut world = world_with_audits(1);
    world.join(1);
    world.join(2);
    world.sync(1, true);
    while world.core.counts().n_ready > 0 {
        end(&mut world, 1, End::Well);
    }
    end(&mut world, 1, End::Well);
    end(&mut world, 1, End::Well);
    world.follow();
    for _ in 0..6 {
        end(&mut world, 1, End::Well);
    }
    assert!(!world.core.is_finished(), "one result is not checked yet");
    assert_eq!(world.running(1), [], "worker 1 does not check itself");
    world.sync(2, true);
    assert_eq!(world.running(2), [TrialIndex(0)]);
    let result = world.core.trial(TrialIndex(0)).status;
    end(&mut world, 2, End::Well);
    world.follow();
    assert!(world.core.is_finished());
    assert_eq!(world.core.counts().n_checked, 1);
    assert_eq!(world.core.trial(TrialIndex(0)).status, result);
}

#[test]
fn after_a_restart_too_a_worker_does_not_check_itself() {
    let mut world = world_with_an_audit_begun();
    world.run(&Step::Drain(2));
    world.sync(2, true);
    world.restart();
    world.join(1);
    world.join(2);
    world.agent(1).finish(End::Well);
    world.sync(1, true);
    assert!(!world.running(1).contains(&TrialIndex(0)), "worker 1 trained it first");
    world.sync(2, true);
    assert_eq!(world.running(2)[0], TrialIndex(0));
}

#[test]
fn the_only_worker_checks_itself() {
    let mut world = world_with_audits(N_TRIALS);
    world.drive_to_the_end();
    assert_eq!(world.core.counts().n_checked, N_TRIALS);
    let mut world = world_with_audits(N_TRIALS);
    world.join(1);
    while world.core.counts().n_checked < N_TRIALS {
        world.sync(1, true);
        world.agent(1).finish(End::Well);
    }
}

#[test]
fn an_audit_of_other_bits_leaves_the_result_and_is_not_repeated() {
    let mut world = world_with_an_audit_begun();
    let result = world.core.trial(TrialIndex(0)).status;
    end(&mut world, 2, End::OtherBits);
    assert_eq!(world.core.trial(TrialIndex(0)).status, result);
    assert!(world.core.trial(TrialIndex(0)).is_checked);
    assert!(world.core.audits().is_empty());
}

#[test]
fn an_audit_that_was_lost_is_made_again_after_a_restart_too_and_given_up_in_the_end() {
    let mut world = world_with_audits(1);
    world.join(1);
    world.sync(1, true);
    world.agent(1).finish(End::Well);
    world.sync(1, false);
    world.restart();
    assert!(world.core.audits().is_open(TrialIndex(0)));
    world.run(&Step::Wait(TTL_MS));
    for _ in 0..2 {
        assert_eq!(world.core.audits().len(), 1, "it waits again");
        world.agent(1).crash();
        world.join(1);
        world.sync(1, false);
        assert!(world.core.audits().is_open(TrialIndex(0)));
        world.run(&Step::Wait(TTL_MS));
    }
    assert!(world.core.audits().is_empty());
}

#[test]
pub fn a_lost_workers_trial_goes_on_elsewhere_from_the_last_checkpoint() {
    let mut world = World::new(3);
    world.join(1);
    world.sync(1, true);
    assert_eq!(world.publish(1, 1), [1]);
    assert_eq!(world.publish(1, 2), [2, 1]);
    assert_eq!(world.publish(1, 3), [3, 2], "two are kept");
    let lease = world.agents[&1].running[0];
    world.run(&Step::Wait(TTL_MS));
    let mut is_wanted = |lease| {
        let call = world.call();
        let answer = world.apply(Event::CheckpointOffered { call, lease });
        matches!(answer, Some(Reply::Permit(_, Some(_))))
    };
    assert!(!is_wanted(lease), "a stale lease publishes nothing");
    assert_eq!(world.publish(1, 4), [3, 2]);
    world.apply(Event::CheckpointBroken { trial: lease.trial, digest: Digest([3; 32]) });
    assert_eq!(world.core.checkpoints().of(lease.trial)[0].epoch, 2);
    // The model's Syncs check that each grant names the latest one.
    world.join(2);
    while !world.running(2).contains(&lease.trial) {
        end(&mut world, 2, End::Well);
    }
    while world.running(2)[0] != lease.trial {
        world.agent(2).running.rotate_left(1);
    }
    let current = world.agents[&2].running[0];
    end(&mut world, 2, End::Well);
    assert!(matches!(world.core.trial(lease.trial).status, Status::Completed { .. }));
    assert_eq!(world.core.checkpoints().of(lease.trial), []);
    let call = world.call();
    let answer = world.apply(Event::CheckpointOffered { call, lease: current });
    assert!(matches!(answer, Some(Reply::Permit(_, None))), "the trial has its outcome");
}
