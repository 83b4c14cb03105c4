//! One attempt at a trial: trains it from its checkpoint or from scratch, epoch by epoch.

use std::sync::atomic::Ordering;
use std::time::Instant;

use proto::Timing;
use tokio::sync::mpsc;
use trainer::{EpochEnd, Trainer, TrialResult, check_size, slot_bytes};

use crate::agent::Progress;
use crate::cpu::thread_cpu_time;
use crate::disk::checkpoints::Checkpoint;
use crate::logging::short_id::short_id;
use crate::memory::Reservation;
use crate::slots::task::{Message, Shared, StopFlags, Task};

pub struct Attempt<'a> {
    pub shared: &'a Shared,
    pub task: &'a Task,
    pub stop_flags: &'a StopFlags,
    pub messages: &'a mpsc::Sender<Message>,
    /// Of every epoch done, those before a checkpoint included.
    pub timings: &'a mut Vec<Timing>,
}

/// The times of a checkpoint as those of this attempt or of former ones: it may be older than the
/// sweep's state, or of another sweep with the same trial, whose attempts had numbers of their own.
pub(super) fn of_this_state(mut timings: Vec<Timing>, attempt: u32) -> Vec<Timing> {
    timings.iter_mut().for_each(|timing| timing.attempt = timing.attempt.min(attempt));
    timings
}

/// `None` for a network that no trainer takes, which says so itself.
fn reserve_memory<'a>(shared: &'a Shared, task: &Task) -> Result<Option<Reservation<'a>>, String> {
    let Task { config, data, .. } = task;
    let (n_inputs, n_classes) = (data.n_inputs(), data.n_classes());
    if check_size(config, n_inputs, n_classes).is_err() {
        return Ok(None);
    }
    shared.memory.reserve(slot_bytes(config, n_inputs, n_classes)).map(Some)
}

impl Attempt<'_> {
    /// Trains to the end. `None` if it was asked to stop or leave before. The error is the failure's
    /// text.
    pub fn train(&mut self) -> Result<Option<TrialResult>, String> {
        let _memory = reserve_memory(self.shared, self.task)?;
        let mut trainer = self.open().map_err(|error| error.to_string())?;
        trainer.set_pulse(self.stop_flags.pulse.clone());
        self.stop_flags.beat();
        faults::hang("hang.worker.slot");
        let mut saved = Instant::now();
        while !self.stop_flags.stop.load(Ordering::Relaxed) {
            let (began, cpu_before) = (Instant::now(), thread_cpu_time());
            let end = trainer.run_epoch(&self.stop_flags.stop);
            let wall_s = began.elapsed().as_secs_f64();
            self.note_epoch(&trainer, wall_s, (thread_cpu_time() - cpu_before).as_secs_f64());
            match end {
                EpochEnd::Stopped => break,
                EpochEnd::Ends => return Ok(Some(trainer.into_result())),
                EpochEnd::Continues => {}
            }
            let leaves = self.stop_flags.leave_at_epoch_end.load(Ordering::Relaxed);
            if leaves || saved.elapsed() >= self.shared.checkpoint_every {
                self.save(&trainer);
                self.stop_flags.beat();
                saved = Instant::now();
            }
            if leaves {
                break;
            }
        }
        Ok(None)
    }

    fn save(&self, trainer: &Trainer) {
        let (trainer, timings) = (trainer.checkpoint(), self.timings.clone());
        self.shared.checkpoints.save(&self.task.trial_id, &Checkpoint { trainer, timings });
        // The session may be gone, and then nobody publishes it.
        let _ = self.messages.blocking_send(Message::Saved(self.task.job));
    }

    /// From the trial's checkpoint if there is a good one, else from scratch.
    fn open(&mut self) -> Result<Trainer, trainer::TrainError> {
        let Task { trial_id, config, data, .. } = self.task;
        let (isa, repeats) = (self.shared.isa, self.shared.checkpoints.repeats());
        if let Some(checkpoint) = self.shared.checkpoints.load(trial_id) {
            match Trainer::resume(config.clone(), data.clone(), isa, &checkpoint.trainer) {
                Ok(trainer) if trainer.history().len() == checkpoint.timings.len() => {
                    let n_epochs = trainer.history().len();
                    let line =
                        format!("trial {} goes on after epoch {n_epochs}", short_id(trial_id));
                    repeats.info("trials that go on", line);
                    *self.timings = of_this_state(checkpoint.timings, self.task.attempt);
                    return Ok(trainer);
                }
                Ok(_) => {
                    let line =
                        format!("trial {}: its checkpoint lacks timings", short_id(trial_id));
                    repeats.warn("checkpoints without timings", line);
                }
                Err(error) => {
                    let line =
                        format!("trial {}: no use of its checkpoint: {error}", short_id(trial_id));
                    repeats.warn("checkpoints of no use", line);
                }
            }
        }
        Trainer::new(config.clone(), data.clone(), isa)
    }

    /// Notes an epoch's timing, unless it did not come to its end, and tells the session.
    fn note_epoch(&mut self, trainer: &Trainer, wall_s: f64, cpu_s: f64) {
        self.stop_flags.beat();
        let Some(record) = trainer.history().get(self.timings.len()) else { return };
        self.timings.push(Timing {
            epoch: record.epoch,
            wall_s,
            cpu_s,
            worker: self.shared.worker_name.clone(),
            isa: self.shared.isa.name().into(),
            attempt: self.task.attempt,
            n_slots_in_use: self.shared.n_busy.load(Ordering::Relaxed),
        });
        let progress = Progress {
            n_epochs_done: record.epoch,
            n_epochs: self.task.config.epochs,
            valid_accuracy: record.valid_accuracy,
            epoch_s: wall_s,
        };
        // The session may be gone, in which case the stop flag follows.
        let _ = self.messages.blocking_send(Message::EpochDone(self.task.job, progress));
    }
}
