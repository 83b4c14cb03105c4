//! Steps: the things that happen in a random history.

use coordinator_core::event::Event;
use proptest::prelude::*;

use crate::model::agent::End;
use crate::model::world::{N_WORKERS, World};

/// One thing that happens.
#[derive(Clone, Debug)]
pub enum Step {
    Wait(u64),
    Join(u8),
    /// The reply arrives, or is lost on the way.
    Sync {
        worker: u8,
        reply_arrives: bool,
    },
    /// The worker finishes its oldest trial.
    Finish {
        worker: u8,
        end: End,
    },
    /// The worker's oldest trial is at the end of an epoch.
    Publish {
        worker: u8,
        epoch: u32,
    },
    /// The process dies; a trial that was finished and spooled survives.
    Crash(u8),
    Drain(u8),
    /// The slot of the worker's oldest trial does nothing any more.
    Hang(u8),
    /// Worker 0 is the coordinator's own child.
    LocalEnded {
        expected: bool,
    },
    RestartCoordinator,
    Oversleep(u64),
}

pub fn step() -> impl Strategy<Value = Step> {
    let worker = 0..N_WORKERS;
    let end = prop_oneof![14 => Just(End::Well), 1 => Just(End::OtherBits), 3 => Just(End::Fails)];
    prop_oneof![
        2 => (0..40_000_u64).prop_map(Step::Wait),
        2 => worker.clone().prop_map(Step::Join),
        8 => (worker.clone(), prop::bool::weighted(0.8))
            .prop_map(|(worker, reply_arrives)| Step::Sync { worker, reply_arrives }),
        6 => (worker.clone(), end).prop_map(|(worker, end)| Step::Finish { worker, end }),
        1 => (worker.clone(), 1..5_u32)
            .prop_map(|(worker, epoch)| Step::Publish { worker, epoch }),
        1 => worker.clone().prop_map(Step::Crash),
        1 => worker.clone().prop_map(Step::Drain),
        1 => worker.prop_map(Step::Hang),
        1 => any::<bool>().prop_map(|expected| Step::LocalEnded { expected }),
        1 => Just(Step::RestartCoordinator),
        1 => (0..90_000_u64).prop_map(Step::Oversleep),
    ]
}

impl World {
    pub fn run(&mut self, step: &Step) {
        match *step {
            Step::Wait(ms) => {
                self.now = self.now + ms;
                self.apply(Event::Tick);
            }
            Step::Join(id) => self.join(id),
            Step::Sync { worker, reply_arrives } => self.sync(worker, reply_arrives),
            Step::Finish { worker, end } => self.agent(worker).finish(end),
            Step::Publish { worker, epoch } => drop(self.publish(worker, epoch)),
            Step::Crash(id) => self.agent(id).crash(),
            Step::Drain(id) => self.agent(id).is_draining = true,
            Step::Hang(id) => self.agent(id).hang(),
            Step::LocalEnded { expected } => {
                self.agent(0).crash();
                let how = "signal: 9".into();
                self.apply(Event::LocalEnded { local_index: 0, expected, how });
            }
            Step::RestartCoordinator => self.restart(),
            Step::Oversleep(ms) => {
                self.now = self.now + ms;
                self.apply(Event::Overslept);
                self.apply(Event::Tick);
            }
        }
    }
}
