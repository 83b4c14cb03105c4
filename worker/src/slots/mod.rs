//! Slots: each holds one trial at a time. They know what runs where, what was asked of it, for how
//! long it has been silent and how it ended; how it is trained is the program's matter.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use proto::Hyperparameter;
use tokio::sync::mpsc;

use crate::agent::{Job, Standing};
use crate::disk::checkpoints::Checkpoints;
use crate::programs::Program;
use crate::programs::events::{Events, Message, Shared};
use crate::programs::task::{Stop, Task};

/// Messages that may wait to be read; a program that finds no room waits.
const MAX_MESSAGES: usize = 1024;

/// Between two looks at a slot no more than this counts as silence: a process that was stopped and
/// goes on has not been silent.
const LONGEST_UNSEEN: Duration = Duration::from_secs(6);

/// All slots of the worker. Dropped, they stop within a few training steps.
pub(crate) struct Slots {
    /// By their numbers; `None` rests.
    slots: Vec<Option<Current>>,
    program: Box<dyn Program>,
    shared: Arc<Shared>,
    messages: mpsc::Receiver<Message>,
}

/// What a slot is at.
struct Current {
    job: Job,
    stop: Stop,
    began: Instant,
    /// Grows with each step that the program does.
    pulse: Arc<AtomicU64>,
    /// The pulse at the last look, when that was, and for how long it has been the same.
    last_pulse: u64,
    looked: Instant,
    silent: Duration,
}

impl Slots {
    /// The worker's name and its instruction set `isa` stand in the times of each row.
    pub(crate) fn new(
        n_slots: usize,
        program: Box<dyn Program>,
        checkpoints: Checkpoints,
        worker_name: String,
        isa: &'static str,
    ) -> Self {
        let (sender, messages) = mpsc::channel(MAX_MESSAGES);
        let n_busy = AtomicU32::new(0);
        let shared = Shared { worker_name, isa, checkpoints, n_busy, messages: sender };
        let slots = (0..n_slots).map(|_| None).collect();
        Self { slots, program, shared: Arc::new(shared), messages }
    }

    /// Whether the program can train this at all. The error is the failure's text.
    pub(crate) fn check(
        &self,
        hyperparameters: &[Hyperparameter],
        seed: u32,
    ) -> Result<(), String> {
        self.program.check(hyperparameters, seed)
    }

    /// Gives the task to a slot that rests.
    pub(crate) fn begin(&mut self, task: Task) {
        let slot = self.slots.iter().position(Option::is_none);
        let slot = slot.expect("the agent starts no more jobs than there are slots");
        let (stop, pulse, now) = (Stop::default(), Arc::new(AtomicU64::new(0)), Instant::now());
        self.slots[slot] = Some(Current {
            job: task.job,
            stop: stop.clone(),
            began: now,
            pulse: pulse.clone(),
            last_pulse: 0,
            looked: now,
            silent: Duration::ZERO,
        });
        let events = Events::new(self.shared.clone(), &task, pulse);
        self.program.start(slot, task, stop, events);
    }

    pub(crate) async fn message(&mut self) -> Message {
        let message = self.messages.recv().await.expect("its sender lies here");
        self.note(message)
    }

    /// A message that is there already.
    pub(crate) fn message_at_hand(&mut self) -> Option<Message> {
        let message = self.messages.try_recv().ok()?;
        Some(self.note(message))
    }

    fn note(&mut self, message: Message) -> Message {
        if let Message::Ended(job, _) | Message::Interrupted(job) = &message {
            let is_of_job = |slot: &&mut Option<Current>| {
                slot.as_ref().is_some_and(|current| current.job == *job)
            };
            if let Some(slot) = self.slots.iter_mut().find(is_of_job) {
                *slot = None;
            }
        }
        message
    }

    /// Ends the job within a few training steps; no checkpoint is written.
    pub(crate) fn stop(&self, job: Job) {
        self.busy().filter(|current| current.job == job).for_each(|it| it.stop.ask_at_once());
    }

    pub(crate) fn stop_all(&self) {
        self.busy().for_each(|current| current.stop.ask_at_once());
    }

    /// Ends the job with a checkpoint at the end of its epoch.
    pub(crate) fn leave_at_epoch_end(&self, job: Job) {
        self.busy().filter(|current| current.job == job).for_each(|it| it.stop.ask_at_epoch_end());
    }

    fn busy(&self) -> impl Iterator<Item = &Current> {
        self.slots.iter().flatten()
    }

    /// How each busy slot gets on, as of now.
    pub(crate) fn look(&mut self) -> Vec<(Job, Standing)> {
        let now = Instant::now();
        let standing = |current: &mut Current| {
            let pulse = current.pulse.load(Ordering::Relaxed);
            let unseen = now.duration_since(current.looked).min(LONGEST_UNSEEN);
            let has_moved = pulse != current.last_pulse;
            current.silent = if has_moved { Duration::ZERO } else { current.silent + unseen };
            (current.last_pulse, current.looked) = (pulse, now);
            let trained = now.duration_since(current.began);
            (current.job, Standing { trained, silent: current.silent })
        };
        self.slots.iter_mut().flatten().map(standing).collect()
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        // Closed first: a program must not wait for room that nobody makes. It is dropped last, and
        // comes to rest.
        self.messages.close();
        self.stop_all();
    }
}

#[cfg(test)]
mod tests;
