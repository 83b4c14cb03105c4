//! Random histories of the core, and those that once went wrong or must be seen to go right: what
//! happens to a single trial here, which trials a worker gets in `dispatch`, and what becomes of
//! broken workers and differing results in `trouble`.

mod dispatch;
mod liars;
mod liveness;
mod losses;
mod model;
mod namesakes;
mod seals;
mod trouble;

use coordinator_core::event::Event;
use coordinator_core::lease::{Lease, TrialIndex};
use coordinator_core::ledger::trial::{Status, Trial, TrialSpec};
use proptest::prelude::*;

use model::agent::End;
use model::steps::{Step, step};
use model::world::{N_FOLLOWING, N_TRIALS, TTL_MS, World};

/// Random histories to run; `SWEEP_HISTORIES=1000000` for a long look.
fn n_histories() -> u32 {
    let asked = std::env::var("SWEEP_HISTORIES").ok();
    asked.map_or(20_000, |n| n.parse().expect("SWEEP_HISTORIES is a number"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: n_histories(), ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_whatever_happens(
        is_late in any::<bool>(),
        steps in prop::collection::vec(step(), 1..30),
    ) {
        live_through(is_late, &steps);
    }
}

fn live_through(is_late: bool, steps: &[Step]) {
    let mut world = World::rich(is_late);
    for step in steps {
        world.run(step);
        world.follow();
    }
    world.drive_to_the_end();
    let counts = world.core.counts();
    assert_eq!(counts.n_completed + counts.n_failed, N_TRIALS + N_FOLLOWING);
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
    let granted = world.agents[&0].running.iter().map(|lease| (lease.trial.0, lease.attempt));
    assert_eq!(granted.collect::<Vec<_>>(), [(0, 1), (1, 1)]);
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
fn what_a_lost_worker_trains_goes_on_under_a_new_lease_unless_another_has_it() {
    let mut world = World::new(2);
    world.join(1);
    world.sync(1, true);
    world.run(&Step::Wait(TTL_MS));
    world.join(2);
    world.sync(2, true);
    while !world.running(2).contains(&TrialIndex(0)) {
        world.finish(2, false);
        world.sync(2, true);
    }
    world.join(1);
    for reply_arrives in [false, true] {
        world.sync(1, reply_arrives);
    }
    let [goes_on] = world.agents[&1].running[..] else { panic!("the other is stopped") };
    assert_eq!((goes_on.trial, goes_on.attempt), (TrialIndex(1), 2));
    assert!(world.running(2).contains(&TrialIndex(0)));
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
    assert_eq!(world.core.trial(TrialIndex(0)).n_suspicions, 0, "charged for the restart");
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
    world.rules.max_failed = Some(1);
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
fn a_completion_counts_although_its_worker_comes_back_after_the_end() {
    let mut world = World::new(2);
    world.join(1);
    world.sync(1, true);
    let trial = world.running(1)[0];
    // It has trained one trial to its end when it falls silent; everybody else gives that one up.
    world.finish(1, false);
    while world.core.trial(trial).status != Status::Failed {
        world.now = world.now + TTL_MS;
        world.apply(Event::Tick);
        world.agent(2).crash();
        while !world.running(2).contains(&trial) && !world.core.awaits_trials() {
            world.join(2);
            world.sync(2, true);
            if !world.running(2).contains(&trial) {
                world.finish(2, false);
            }
        }
    }
    world.agent(2).crash();
    for _ in 0..2 * N_FOLLOWING {
        world.follow();
        world.join(2);
        world.sync(2, true);
        world.finish(2, false);
    }
    assert_eq!(world.core.counts().n_failed, 1);
    world.join(1);
    world.sync(1, true);
    assert_eq!(world.core.counts().n_failed, 0);
    assert!(world.core.is_finished() && world.heard_of_the_end);
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
    world.rules.max_failed = Some(1);
    world.restart();
    world.drive_to_the_end();
    assert_eq!(world.core.counts().n_cancelled, 0);
}

#[test]
fn silence_is_not_held_against_workers_while_the_coordinator_slept() {
    let mut world = world_at_work();
    world.run(&Step::Oversleep(10 * TTL_MS));
    world.sync(0, true);
    assert!(world.agents[&0].session.is_some(), "lost its session");
    assert_eq!(world.core.trial(TrialIndex(0)).n_attempts, 1);
}

#[test]
fn nobody_hears_of_the_end_before_the_trials_that_follow_are_done() {
    let mut world = World::new(2);
    world.join(0);
    while !world.core.awaits_trials() {
        world.sync(0, true);
        world.finish(0, false);
    }
    assert!(!world.core.is_finished());
    world.sync(0, true);
    assert!(!world.heard_of_the_end);
    world.follow();
    assert_eq!(world.core.counts().n_ready, N_FOLLOWING);
    world.sync(0, true);
    let granted: Vec<usize> =
        world.agents[&0].running.iter().map(|lease| lease.trial.index()).collect();
    assert_eq!(granted, [N_TRIALS, N_TRIALS + 1]);
    world.drive_to_the_end();
    world.sync(0, true);
    assert!(world.heard_of_the_end);
}

#[test]
fn failures_among_the_trials_that_follow_are_as_recorded_and_do_not_count_against_the_limit() {
    let mut world = World::new(2);
    world.rules.max_failed = Some(1);
    world.restart();
    world.join(0);
    while !world.core.awaits_trials() {
        world.sync(0, true);
        world.finish(0, false);
    }
    let failed = Trial { status: Status::Failed, n_attempts: 2, ..Trial::default() };
    world.core.add_trials(&[failed, Trial::default()], &[TrialSpec::default(); 2]);
    world.ledger.trials.extend([failed, Trial::default()]);
    world.sync(0, true);
    assert_eq!(world.agents[&0].running.len(), 1, "the other one is granted, nothing is given up");
    assert_eq!(world.core.counts().n_failed, 1);
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
    assert_eq!(world.core.trial(TrialIndex(0)).n_suspicions, 0, "charged for the drain");
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

/// Two workers stalled at a trial, and the third one lost it: none is left that the others could leave
/// it to.
#[test]
fn a_trial_that_every_worker_had_trouble_with_does_not_wait_for_another() {
    let sync = |worker, reply_arrives| Step::Sync { worker, reply_arrives };
    let steps = [
        Step::Join(2),
        sync(1, true),
        Step::Finish { worker: 1, end: End::Well },
        Step::Oversleep(10_000),
        Step::Join(0),
        Step::Hang(1),
        sync(1, false),
        sync(2, true),
        sync(2, false),
        Step::Join(1),
        sync(2, false),
        sync(0, false),
    ];
    live_through(true, &steps);
}
