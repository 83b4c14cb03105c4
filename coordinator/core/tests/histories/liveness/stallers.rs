//! Workers that take trials, say that they run and do nothing: however many there are and however fast
//! they ask, whoever works ends the sweep, and a trial is not passed on among them.

use coordinator_core::event::{Event, Join, JoinReply, Reply, Running, Sync, WorkerInfo};
use coordinator_core::lease::{Lease, SessionId, WorkerId};

use crate::liveness::stalled::world;
use crate::model::agent::{End, running};
use crate::model::world::World;

/// A worker of one slot that says of all it holds that it runs, and for how long it does nothing.
struct Staller {
    session: SessionId,
    seq: u64,
    /// With the times at which they were granted.
    held: Vec<(Lease, u64)>,
    n_granted: usize,
}

impl Staller {
    fn join(world: &mut World, id: u8) -> Self {
        let call = world.call();
        let facts = WorkerInfo {
            name: format!("staller{id}"),
            isa: "portable".into(),
            cpu: "model".into(),
            n_slots: 1,
            local_index: None,
        };
        let join = Join { worker: WorkerId([id; 16]), facts, held: Vec::new(), continues: false };
        match world.apply(Event::Join { call, join }) {
            Some(Reply::Join(_, JoinReply::Joined { session, .. })) => {
                Self { session, seq: 0, held: Vec::new(), n_granted: 0 }
            }
            other => panic!("a Join is answered by {other:?}"),
        }
    }

    fn sync(&mut self, world: &mut World) {
        let now_ms = world.now.0;
        let report = |(lease, since_ms): &(Lease, u64)| Running {
            n_epochs_done: 0,
            trained_ms: Some(now_ms - since_ms),
            silent_ms: now_ms - since_ms,
            ..running(lease, true)
        };
        self.seq += 1;
        let sync = Sync {
            session: self.session,
            seq: self.seq,
            seen_seq: self.seq - 1,
            n_free_slots: u32::from(self.held.is_empty()),
            n_queue_places: 0,
            draining: false,
            running: self.held.iter().map(report).collect(),
            finished: Vec::new(),
            released: Vec::new(),
            troubles: Vec::new(),
        };
        let reply = world.answer(sync);
        self.held.retain(|(lease, _)| !reply.stop.contains(lease));
        self.n_granted += reply.grants.len();
        self.held.extend(reply.grants.iter().map(|grant| (grant.lease, now_ms)));
    }
}

/// Worker 2, which joins last and speaks every five seconds, ends the sweep within a time.
fn end_beside(n_trials: usize, n_stallers: u8, bound_s: u64) {
    let mut world = world(n_trials, 0, 0, None);
    let mut stallers: Vec<Staller> =
        (10..10 + n_stallers).map(|id| Staller::join(&mut world, id)).collect();
    stallers.iter_mut().for_each(|staller| staller.sync(&mut world));
    world.join(2);
    for second in 0..=bound_s {
        if world.core.awaits_trials() {
            let n_granted: usize = stallers.iter().map(|staller| staller.n_granted).sum();
            let is_fair = n_granted <= 2 * n_trials + 3 * stallers.len();
            assert!(is_fair, "{n_granted} grants to those that stall");
            return;
        }
        world.now = world.now + 1_000;
        stallers.iter_mut().for_each(|staller| staller.sync(&mut world));
        if second % 5 == 0 {
            world.agent(2).finish(End::Well);
            world.agent(2).finish(End::Well);
            world.sync(2, true);
        }
    }
    panic!("not ended after {bound_s} s: {:?}", world.core.counts());
}

#[test]
fn three_quick_ids_that_stall_do_not_keep_trials_from_an_honest_worker() {
    for n_trials in 1..=4 {
        end_beside(n_trials, 3, 100);
    }
}

#[test]
fn more_ids_that_stall_than_trials_delay_a_sweep_and_do_not_stop_it() {
    end_beside(8, 10, 100);
    end_beside(8, 30, 200);
}

/// Both slots hang; then the disk answers again, and what they had goes on to its end.
#[test]
fn what_a_worker_finishes_after_its_disk_hung_is_recorded() {
    for helps in [false, true] {
        let mut world = world(2, 0, 0, None);
        world.join(1);
        world.sync(1, true);
        let held = world.agents[&1].running.clone();
        world.agent(1).hang();
        world.agent(1).hang();
        if helps {
            world.join(2);
        }
        for _ in 0..60 {
            world.now = world.now + 1_000;
            world.agent(1).now_ms = world.now.0;
            // Its network is gone too: it hears of nothing.
            let mut sync = world.agent(1).speak(0, |_| 0.3).unwrap();
            sync.seen_seq = 1;
            world.answer(sync);
            if helps {
                world.sync(2, true);
            }
        }
        world.agent(1).hung.clear();
        world.agent(1).running = held;
        world.agent(1).finish(End::Well);
        world.agent(1).finish(End::Well);
        // The model's workers check that nothing is refused.
        world.sync(1, true);
        assert_eq!(world.core.counts().n_completed, 2, "both are recorded");
        assert!(world.agents[&1].spooled.is_empty());
    }
}
