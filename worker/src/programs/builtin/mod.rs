//! The built-in trainer as a program: one thread for each slot, pinned to a core of its own where
//! there is one.

mod attempt;

use std::io;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use proto::Hyperparameter;
use tracing::warn;

pub(crate) use self::attempt::Training;
use crate::link::convert;
use crate::programs::Program;
use crate::programs::builtin::attempt::Attempt;
use crate::programs::cores::Cores;
use crate::programs::events::Events;
use crate::programs::task::{Stop, Task};

/// At their end threads come to rest within a few steps; one that hangs is left behind after this
/// long.
const REST_WITHIN: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(5);

pub(crate) struct Builtin {
    threads: Vec<Thread>,
}

/// A slot's. It ends once `trials` is dropped and its trial has ended.
struct Thread {
    trials: mpsc::Sender<(Task, Stop, Events)>,
    handle: JoinHandle<()>,
}

impl Builtin {
    /// `cores` is `None` if slots shall run unpinned.
    pub(crate) fn new(
        n_slots: usize,
        training: Training,
        cores: Option<Cores>,
    ) -> io::Result<Self> {
        let (training, cores) = (Arc::new(training), Arc::new(cores));
        let start = |slot| start_thread(slot, training.clone(), cores.clone());
        Ok(Self { threads: (0..n_slots).map(start).collect::<io::Result<_>>()? })
    }
}

impl Program for Builtin {
    fn check(&self, hyperparameters: &[Hyperparameter], seed: u32) -> Result<(), String> {
        convert::train_config(hyperparameters, seed).map(|_| ())
    }

    fn start(&self, slot: usize, task: Task, stop: Stop, events: Events) {
        // A dead thread takes nothing, and the events that are dropped say so.
        let _ = self.threads[slot].trials.send((task, stop, events));
    }
}

impl Drop for Builtin {
    fn drop(&mut self) {
        let by = Instant::now() + REST_WITHIN;
        // All of them are told to end before the first is waited for.
        let handles: Vec<_> = self.threads.drain(..).map(|thread| thread.handle).collect();
        for handle in handles {
            while !handle.is_finished() && Instant::now() < by {
                thread::sleep(LOOK_EVERY);
            }
            if handle.is_finished() {
                let _ = handle.join();
            } else {
                // The process is about to end, and the thread with it.
                warn!("a slot hangs and is left behind");
            }
        }
    }
}

fn start_thread(
    slot: usize,
    training: Arc<Training>,
    cores: Arc<Option<Cores>>,
) -> io::Result<Thread> {
    let (trials, received) = mpsc::channel::<(Task, Stop, Events)>();
    let work = move || {
        while let Ok((task, stop, events)) = received.recv() {
            train(&training, cores.as_ref().as_ref(), &task, &stop, events);
        }
    };
    let handle = thread::Builder::new().name(format!("slot-{slot}")).spawn(work)?;
    Ok(Thread { trials, handle })
}

fn train(training: &Training, cores: Option<&Cores>, task: &Task, stop: &Stop, events: Events) {
    events.run(|events| {
        let _core = cores.and_then(Cores::claim);
        Attempt { training, task, stop, events }.run()
    });
}

#[cfg(test)]
pub(crate) mod tests;
