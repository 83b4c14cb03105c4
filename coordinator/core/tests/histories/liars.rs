//! Workers that say of their trials what is not so: it delays a sweep and does not keep it from its end.

use crate::liveness::stalled::{BOUND_S, hang_all, world};
use crate::model::agent::End;
use crate::model::steps::Step;
use crate::model::world::{N_TRIALS, TTL_MS, World};

/// Seconds until another worker has brought this sweep to its end, though a worker says of all that
/// it holds that it has just begun, or that it is at epoch 0 and 1 by turns.
fn seconds_beside_a_liar(mut world: World, tells: bool, bound_s: u64) -> u64 {
    world.join(1);
    world.sync(1, true);
    world.join(2);
    for second in 0..=bound_s {
        if world.core.awaits_trials() && world.core.audits().is_empty() {
            return second;
        }
        world.now = world.now + 1_000;
        let mut sync = world.agent(1).speak(0, |_| 0.3).unwrap();
        for report in &mut sync.running {
            report.n_epochs_done = u32::from(!tells && second % 2 == 0);
            (report.trained_ms, report.silent_ms) = (tells.then_some(0), 0);
        }
        let reply = world.answer(sync);
        world.agent(1).listen(&reply);
        world.agent(2).finish(End::Well);
        world.agent(2).finish(End::Well);
        world.sync(2, true);
    }
    panic!("not ended after {bound_s} s: {:?}", world.core.counts());
}

#[test]
fn whoever_says_for_ever_that_it_has_just_begun_is_not_believed_for_long() {
    let second = seconds_beside_a_liar(world(N_TRIALS, 0, 0, None), true, 29);
    assert!(second > 15, "not at once");
}

#[test]
fn whoever_lies_is_overcome_without_a_pace_too() {
    seconds_beside_a_liar(world(1, 0, 0, None), true, 130);
    seconds_beside_a_liar(world(1, 0, 0, None), false, 130);
}

/// Nothing can run beside an audit, so it is taken back.
#[test]
fn whoever_lies_about_an_audit_loses_it() {
    let mut world = world(N_TRIALS, 2, 0, None);
    world.join(1);
    world.join(2);
    while world.core.counts().n_ready > 0 {
        world.sync(2, true);
        world.agent(2).finish(End::Well);
        world.agent(2).finish(End::Well);
    }
    world.sync(2, true);
    world.sync(1, true);
    assert_eq!(world.running(1).len(), 2);
    seconds_beside_a_liar(world, true, 700);
}

/// Trials of a third of a second that are said to have taken a year.
#[test]
fn times_that_were_never_granted_teach_nothing() {
    let mut world = world(N_TRIALS, 0, 0, None);
    world.join(2);
    world.sync(2, true);
    hang_all(&mut world, 2);
    world.join(1);
    for _ in 0..BOUND_S {
        world.now = world.now + 1_000;
        world.sync(2, true);
        world.agent(1).finish(End::Well);
        world.agent(1).finish(End::Well);
        let n_reported = world.agents[&1].spooled.len();
        world.agent(1).now_ms = world.now.0;
        let sync = world.agent(1).speak(0, |_| 3e7).unwrap();
        assert_eq!(sync.finished.len(), n_reported);
        let reply = world.answer(sync);
        world.agent(1).listen(&reply);
    }
    assert_eq!(world.core.counts().n_completed, N_TRIALS);
    assert!(world.timings.values().all(Vec::is_empty), "nor are they recorded");
}

/// The name and the instruction set are the ones that the worker joined with, and it has two slots.
#[test]
fn times_of_another_machine_are_not_recorded() {
    let mut world = world(2, 0, 0, None);
    world.join(1);
    world.sync(1, true);
    world.now = world.now + 1_000;
    world.agent(1).finish(End::Well);
    world.agent(1).finish(End::Well);
    let mut sync = world.agent(1).speak(0, |_| 0.3).unwrap();
    let slots = [2, 3];
    for (finished, n_slots_in_use) in sync.finished.iter_mut().zip(slots) {
        let timing = &mut finished.timings[0];
        timing.n_slots_in_use = n_slots_in_use;
        (timing.worker, timing.isa) = ("another".into(), "=cmd()".into());
    }
    let trials: Vec<_> = sync.finished.iter().map(|finished| finished.lease.trial).collect();
    world.answer(sync);
    assert_eq!(world.core.counts().n_completed, 2);
    let [timing] = &world.timings[&trials[0]][..] else { panic!("one epoch") };
    assert_eq!((timing.worker.as_str(), timing.isa.as_str()), ("w1", "portable"));
    assert!(world.timings[&trials[1]].is_empty());
}

/// A result of a lease that was lost may not have taken longer than the coordinator has run; what a
/// former one granted may have.
#[test]
fn times_of_a_lost_lease_are_no_longer_than_the_coordinator_has_run() {
    for (is_restarted, wall_s, n_timings) in [(false, 30.0, 1), (false, 60.0, 0), (true, 60.0, 1)] {
        let mut world = world(2, 0, 0, None);
        world.join(1);
        world.sync(1, true);
        if is_restarted {
            world.restart();
        }
        world.run(&Step::Wait(TTL_MS));
        world.join(1);
        world.agent(1).finish(End::Well);
        let sync = world.agent(1).speak(0, |_| wall_s).unwrap();
        let trial = sync.finished[0].lease.trial;
        world.answer(sync);
        assert_eq!(world.timings[&trial].len(), n_timings, "{wall_s} s");
    }
}

/// More than an age of the world.
#[test]
fn a_silence_is_no_longer_than_the_lease() {
    let mut world = world(1, 0, 0, None);
    world.join(1);
    let mut n_granted = 0;
    for _ in 0..40 {
        let mut sync = world.agent(1).speak(0, |_| 0.3).unwrap();
        for report in &mut sync.running {
            (report.trained_ms, report.silent_ms) = (Some(1), 1 << 63);
        }
        let reply = world.answer(sync);
        n_granted += reply.grants.len();
        world.agent(1).listen(&reply);
        world.now = world.now + 1_000;
    }
    assert!(n_granted <= 3, "{n_granted}");
}
