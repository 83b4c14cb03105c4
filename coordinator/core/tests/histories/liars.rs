//! Workers that say of their trials what is not so: it delays a sweep and does not keep it from its end.

use crate::model::agent::End;
use crate::model::world::{N_TRIALS, World};
use crate::stalled::{BOUND_S, hang_all, world};

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
