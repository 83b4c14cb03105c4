//! Outcomes of attempts that were closed: taken from whoever was granted them, and from nobody else.

use coordinator_core::event::{Finished, Verdict};
use coordinator_core::lease::Lease;
use coordinator_core::ledger::trial::Status;
use trial::{Ending, TrialResult, Work};

use crate::dispatch::world_of;
use crate::model::agent::{End, digest_of};
use crate::model::steps::Step;
use crate::model::world::{TTL_MS, World};

fn completion(lease: Lease, end: End) -> Finished {
    let ending = Ending::Completed { best_epoch: 1, test_accuracy: Some(0.5), collapsed: false };
    let digest = digest_of(lease.trial, end);
    let result = TrialResult { ending, history: Vec::new(), work: Work::default(), digest };
    Finished { lease, outcome: Ok(Box::new(result)), timings: Vec::new() }
}

fn hand_in(world: &mut World, id: u8, lease: Lease, end: End) -> Verdict {
    let mut sync = world.agent(id).speak(0, |_| 0.3).unwrap();
    sync.finished = vec![completion(lease, end)];
    let reply = world.answer(sync);
    world.agent(id).seen_seq = reply.seq;
    reply.acks[0].1
}

/// Also of one that brought the outcome, and after a restart.
#[test]
fn nobody_else_hands_in_an_outcome_of_a_closed_attempt() {
    let mut world = world_of(0.3, 0);
    world.join(1);
    world.sync(1, true);
    let [won, lost]: [Lease; 2] = world.agents[&1].running.clone().try_into().unwrap();
    world.agent(1).finish(End::Well);
    world.sync(1, true);
    world.agent(1).crash();
    world.run(&Step::Wait(TTL_MS));
    for is_restarted in [false, true] {
        if is_restarted {
            world.restart();
        }
        world.join(1);
        world.join(2);
        for lease in [won, lost] {
            let forged = Lease { nonce: lease.nonce ^ 1, ..lease };
            let early = Lease { term: 0, ..lease };
            for (id, lease) in [(2, lease), (1, forged), (2, forged), (1, early)] {
                let before = world.core.trial(lease.trial).status;
                let verdict = hand_in(&mut world, id, lease, End::OtherBits);
                assert_eq!(verdict, Verdict::Rejected, "{id} {lease:?}");
                let after = world.core.trial(lease.trial).status;
                assert_eq!(matches!(before, Status::Completed { .. }), lease.trial == won.trial);
                assert_eq!(after.is_terminal(), before.is_terminal());
            }
        }
    }
    assert_eq!(hand_in(&mut world, 1, won, End::Well), Verdict::AlreadyRecorded);
    assert_eq!(hand_in(&mut world, 1, lost, End::Well), Verdict::Recorded, "late and right");
}

#[test]
fn a_worker_that_contradicts_itself_is_told_from_two_that_contradict_each_other() {
    let mut world = world_of(0.3, 0);
    world.join(1);
    world.sync(1, true);
    let first = world.agents[&1].running[0];
    world.run(&Step::Wait(TTL_MS));
    world.join(2);
    while !world.running(2).contains(&first.trial) {
        world.agent(2).finish(End::Well);
        world.sync(2, true);
    }
    let second = *world.agents[&2].running.iter().find(|it| it.trial == first.trial).unwrap();
    assert_eq!(hand_in(&mut world, 2, second, End::Well), Verdict::Recorded);
    assert_eq!(hand_in(&mut world, 2, second, End::OtherBits), Verdict::Conflict);
    world.join(1);
    assert_eq!(hand_in(&mut world, 1, first, End::OtherBits), Verdict::Conflict);
    assert_eq!(world.conflicts, [true, false]);
}
