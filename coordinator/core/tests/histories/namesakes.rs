//! Two processes of one worker id, as on machines to which a cache folder was copied: the one that has
//! the session keeps it, and one that has ended makes room soon.

use coordinator_core::event::{Event, Join, JoinReply, Order, Reply, Sync, WorkerInfo};
use coordinator_core::lease::{Lease, SessionId, WorkerId};

use crate::dispatch::world_of;
use crate::model::agent::{End, running};
use crate::model::world::{TTL_MS, World};

/// A process of one slot that joins whenever it has no session and says every second what it has.
#[derive(Default)]
struct Process {
    session: Option<SessionId>,
    seq: u64,
    held: Vec<Lease>,
    n_joined: usize,
    n_refused: usize,
    has_joined: bool,
}

impl Process {
    fn live(&mut self, world: &mut World, name: &str) {
        let Some(session) = self.session else { return self.join(world, name) };
        self.seq += 1;
        let sync = Sync {
            session,
            seq: self.seq,
            seen_seq: self.seq - 1,
            n_free_slots: u32::from(self.held.is_empty()),
            n_queue_places: 0,
            draining: false,
            running: self.held.iter().map(|lease| running(lease, true)).collect(),
            finished: Vec::new(),
            released: Vec::new(),
            troubles: Vec::new(),
        };
        let reply = world.answer(sync);
        if reply.order == Order::Rejoin {
            self.session = None;
        }
        self.held.extend(reply.grants.iter().map(|grant| grant.lease));
        self.held.retain(|lease| !reply.stop.contains(lease));
    }

    fn join(&mut self, world: &mut World, name: &str) {
        let call = world.call();
        let facts = WorkerInfo {
            name: name.into(),
            isa: "portable".into(),
            cpu: "model".into(),
            n_slots: 1,
            local_index: None,
        };
        let (held, continues) = (self.held.clone(), self.has_joined);
        let join = Join { worker: WorkerId([1; 16]), facts, held, continues };
        match world.apply(Event::Join { call, join }) {
            Some(Reply::Join(_, JoinReply::Joined { session, .. })) => {
                (self.session, self.seq, self.has_joined) = (Some(session), 0, true);
                self.n_joined += 1;
            }
            Some(Reply::Join(_, JoinReply::WorkerLives(living))) => {
                assert_ne!(living, name, "the other one is named");
                self.n_refused += 1;
            }
            other => panic!("a Join is answered by {other:?}"),
        }
    }
}

#[test]
fn of_two_processes_of_one_id_one_works_and_the_other_waits() {
    let mut world = world_of(40.0, 0);
    let (mut first, mut second) = (Process::default(), Process::default());
    for second_no in 0..60 {
        if second_no == 30 {
            // Neither has a session of the coordinator that is started now.
            world.restart();
        }
        world.now = world.now + 1_000;
        first.live(&mut world, "A");
        second.live(&mut world, "B");
    }
    assert!(first.n_joined + second.n_joined <= 3, "{} joins", first.n_joined + second.n_joined);
    assert!(second.n_refused + first.n_refused > 40, "the other is told so");
    let n_attempts: u32 = world.core.trials().iter().map(|trial| trial.n_attempts).sum();
    assert!(n_attempts <= 2, "{n_attempts} attempts");
    let told = &world.refused_joins;
    assert!(told.iter().all(|(name, living)| name != living) && !told.is_empty());
}

#[test]
fn a_process_that_takes_the_place_of_one_that_ended_waits_for_a_third_of_a_lease() {
    let mut world = world_of(40.0, 0);
    let mut first = Process::default();
    first.live(&mut world, "A");
    first.live(&mut world, "A");
    let mut next = Process::default();
    for _ in 0..TTL_MS / 3_000 {
        next.live(&mut world, "A again");
        assert_eq!(next.n_joined, 0);
        world.now = world.now + 1_000;
    }
    next.live(&mut world, "A again");
    assert_eq!(next.n_joined, 1);
    // Whoever has not spoken in a session has not had the answer to its Join.
    let mut last = Process::default();
    last.live(&mut world, "A once more");
    assert_eq!(last.n_joined, 1);
    world.join(2);
    world.sync(2, true);
    world.agent(2).finish(End::Well);
}
