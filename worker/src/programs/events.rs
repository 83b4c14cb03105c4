//! What a program tells of a trial: rows, checkpoints and one end. Each row gets its times, each
//! checkpoint is written where the teller runs, and the session hears of all of it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use tokio::sync::mpsc;
use trial::{Timing, TrialResult};

use crate::agent::{Job, Progress, TrialId};
use crate::disk::checkpoints::{Checkpoint, Checkpoints};
use crate::logging::short_id::short_id;
use crate::programs::task::Task;

/// What a program tells of a trial that runs.
pub enum Event {
    Row(Row),
    /// What the program goes on from, after the last row that was told.
    Checkpoint(Vec<u8>),
}

/// An epoch that is done.
pub struct Row {
    /// Counts from 1.
    pub epoch: u32,
    /// Epochs of the whole trial, as far as it is known.
    pub n_epochs: u32,
    pub valid_accuracy: f64,
    pub wall_s: f64,
    pub cpu_s: f64,
}

/// How a trial ended.
pub enum End {
    Result(TrialResult),
    /// The text is for people.
    Failure(String),
    /// It can go on from its last checkpoint, here or elsewhere.
    Interrupted,
}

/// What the session hears of a job.
pub(crate) enum Message {
    Row(Job, Progress),
    /// A checkpoint was written.
    Saved(Job),
    Ended(Job, Box<Outcome>),
    Interrupted(Job),
    /// The program has died, and the job is in no hands.
    Died,
}

pub(crate) struct Outcome {
    /// The error is the failure's text.
    pub(crate) result: Result<TrialResult, String>,
    pub(crate) timings: Vec<Timing>,
    /// Seconds since this attempt's start.
    pub(crate) wall_s: f64,
}

/// What the events of all attempts share.
pub(crate) struct Shared {
    pub(crate) worker_name: String,
    /// The instruction set.
    pub(crate) isa: &'static str,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) n_busy: AtomicU32,
    pub(crate) messages: mpsc::Sender<Message>,
}

/// Takes what a program tells of one attempt at a trial.
pub struct Events {
    shared: Arc<Shared>,
    job: Job,
    trial_id: TrialId,
    attempt: u32,
    began: Instant,
    pulse: Arc<AtomicU64>,
    /// One for each row, those before the checkpoint included.
    timings: Vec<Timing>,
    has_ended: bool,
}

impl Events {
    /// The attempt counts as begun. `pulse` grows with each beat.
    pub(crate) fn new(shared: Arc<Shared>, task: &Task, pulse: Arc<AtomicU64>) -> Self {
        shared.n_busy.fetch_add(1, Ordering::Relaxed);
        Self {
            shared,
            job: task.job,
            trial_id: task.trial_id,
            attempt: task.attempt,
            began: Instant::now(),
            pulse,
            timings: Vec::new(),
            has_ended: false,
        }
    }

    /// What the trial goes on from, and its rows so far as if they had been told. `open` takes the
    /// checkpoint and says how many rows it holds, or why it is of no use. Reads a file.
    pub fn resume<T>(
        &mut self,
        open: impl FnOnce(&[u8]) -> Result<(T, usize), String>,
    ) -> Option<T> {
        let Checkpoint { state, timings } = self.shared.checkpoints.load(&self.trial_id)?;
        let (repeats, trial) = (self.shared.checkpoints.repeats(), short_id(self.trial_id.bytes()));
        match open(&state) {
            Ok((opened, n_rows)) if n_rows == timings.len() => {
                let line = format!("trial {trial} goes on after epoch {n_rows}");
                repeats.info("trials that go on", line);
                self.timings = of_this_state(timings, self.attempt);
                return Some(opened);
            }
            Ok(_) => repeats.warn(
                "checkpoints without timings",
                format!("trial {trial}: its checkpoint lacks timings"),
            ),
            Err(error) => repeats.warn(
                "checkpoints of no use",
                format!("trial {trial}: no use of its checkpoint: {error}"),
            ),
        }
        None
    }

    /// The program has done something.
    pub fn beat(&self) {
        self.pulse.fetch_add(1, Ordering::Relaxed);
    }

    /// For training that beats by itself.
    pub(crate) fn pulse(&self) -> &Arc<AtomicU64> {
        &self.pulse
    }

    /// Tells the session, which may be gone: then a stop follows. A checkpoint is written before.
    pub async fn tell(&mut self, event: Event) {
        let message = self.taken(event);
        let _ = self.shared.messages.send(message).await;
    }

    /// As `tell`, for threads.
    pub(crate) fn blocking_tell(&mut self, event: Event) {
        let message = self.taken(event);
        let _ = self.shared.messages.blocking_send(message);
    }

    pub async fn end(mut self, end: End) {
        let last = self.last(end);
        let _ = self.shared.messages.send(last).await;
    }

    /// Does a trial's work on this thread and tells how it ended. A panic on the way is the trial's
    /// failure and not the worker's.
    pub(crate) fn run(mut self, work: impl FnOnce(&mut Self) -> End) {
        let ended = catch_unwind(AssertUnwindSafe(|| work(&mut self)));
        let end = ended.unwrap_or_else(|panic| {
            End::Failure(format!("panic in training: {}", panic_text(panic.as_ref())))
        });
        let last = self.last(end);
        let _ = self.shared.messages.blocking_send(last);
    }

    fn taken(&mut self, event: Event) -> Message {
        match event {
            Event::Row(row) => self.row(row),
            Event::Checkpoint(state) => {
                let checkpoint = Checkpoint { state, timings: self.timings.clone() };
                self.shared.checkpoints.save(&self.trial_id, &checkpoint);
                Message::Saved(self.job)
            }
        }
    }

    fn row(&mut self, row: Row) -> Message {
        self.timings.push(Timing {
            epoch: row.epoch,
            wall_s: row.wall_s,
            cpu_s: row.cpu_s,
            worker: self.shared.worker_name.clone(),
            isa: self.shared.isa.into(),
            attempt: self.attempt,
            n_slots_in_use: self.shared.n_busy.load(Ordering::Relaxed),
        });
        let progress = Progress {
            n_epochs_done: row.epoch,
            n_epochs: row.n_epochs,
            valid_accuracy: row.valid_accuracy,
            epoch_s: row.wall_s,
        };
        Message::Row(self.job, progress)
    }

    fn last(&mut self, end: End) -> Message {
        self.has_ended = true;
        self.shared.n_busy.fetch_sub(1, Ordering::Relaxed);
        let result = match end {
            End::Result(result) => Ok(result),
            End::Failure(text) => Err(text),
            End::Interrupted => return Message::Interrupted(self.job),
        };
        let timings = std::mem::take(&mut self.timings);
        let wall_s = self.began.elapsed().as_secs_f64();
        Message::Ended(self.job, Box::new(Outcome { result, timings, wall_s }))
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        if !self.has_ended {
            self.shared.n_busy.fetch_sub(1, Ordering::Relaxed);
            // Without room for it the slot is seen to be silent.
            let _ = self.shared.messages.try_send(Message::Died);
        }
    }
}

/// The times of a checkpoint as those of this attempt or of former ones: it may be older than the
/// sweep's state, or of another sweep with the same trial, whose attempts had numbers of their own.
fn of_this_state(mut timings: Vec<Timing>, attempt: u32) -> Vec<Timing> {
    timings.iter_mut().for_each(|timing| timing.attempt = timing.attempt.min(attempt));
    timings
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a text")
}
