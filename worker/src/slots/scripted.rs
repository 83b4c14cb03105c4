//! Slots that train nothing: a trial takes the time and gives the result that a script says. For
//! simulations of the whole system; checkpoints, orders and messages are as of real slots.

use std::future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use proto::Timing;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use trainer::TrialResult;

use super::attempt::of_this_state;
use crate::agent::Progress;
use crate::disk::checkpoints::Checkpoint;
use crate::slots::task::{MAX_MESSAGES, Message, Outcome, Shared, StopFlags, Task};
use crate::slots::{Slot, Slots};

/// What becomes of an attempt (counts from 1) at the trial of this id.
pub type Script = Arc<dyn Fn(&[u8; 32], u32) -> Scripted + Send + Sync>;

/// What becomes of an attempt.
#[derive(Clone, Debug)]
pub struct Scripted {
    pub n_epochs: u32,
    /// Each of them.
    pub epoch: Duration,
    /// The error is the failure's text.
    pub result: Result<TrialResult, String>,
    /// The slot does nothing any more, whatever is asked of it, once this is true.
    pub hangs: Arc<AtomicBool>,
}

/// A slot looks this many times in an epoch whether it is to stop.
const LOOKS_PER_EPOCH: u32 = 4;

impl Slots {
    /// Their tasks run on the caller's runtime.
    pub(crate) fn scripted(n_slots: usize, shared: Shared, script: Script) -> Self {
        let shared = Arc::new(shared);
        let (sender, messages) = mpsc::channel(MAX_MESSAGES);
        let slot = |_| {
            let (shared, script, sender) = (shared.clone(), script.clone(), sender.clone());
            let begin = move |task: Task, stop_flags| {
                let scripted = script(&task.trial_id, task.attempt);
                let messages = sender.clone();
                let shared = shared.clone();
                tokio::spawn(async move {
                    let play =
                        Play { shared: &shared, task: &task, stop_flags, messages: &messages };
                    let last = play.play(scripted).await;
                    // The session may be gone.
                    let _ = messages.send(last).await;
                });
            };
            Slot { begin: Some(Box::new(begin)), current: None, thread: None }
        };
        Self { slots: (0..n_slots).map(slot).collect(), messages }
    }
}

/// One attempt.
struct Play<'a> {
    shared: &'a Shared,
    task: &'a Task,
    stop_flags: Arc<StopFlags>,
    messages: &'a mpsc::Sender<Message>,
}

impl Play<'_> {
    async fn play(&self, scripted: Scripted) -> Message {
        let job = self.task.job;
        let began = Instant::now();
        let mut saved = began;
        let mut timings = match self.resume() {
            Ok(timings) => timings,
            Err(text) => return self.ended(Err(text), Vec::new(), began),
        };
        let n_before = u32::try_from(timings.len()).unwrap_or(u32::MAX);
        for epoch in n_before + 1..=scripted.n_epochs {
            for _ in 0..LOOKS_PER_EPOCH {
                sleep(scripted.epoch / LOOKS_PER_EPOCH).await;
                if scripted.hangs.load(Ordering::Relaxed) {
                    future::pending::<()>().await;
                }
                self.stop_flags.beat();
                if self.stop_flags.stop.load(Ordering::Relaxed) {
                    return Message::Left(job);
                }
            }
            timings.push(self.timing(epoch, scripted.epoch));
            self.tell_epoch(epoch, &scripted).await;
            if epoch == scripted.n_epochs {
                break;
            }
            let leaves = self.stop_flags.leave_at_epoch_end.load(Ordering::Relaxed);
            if leaves || saved.elapsed() >= self.shared.checkpoint_every {
                self.save(&timings).await;
                saved = Instant::now();
            }
            if leaves {
                return Message::Left(job);
            }
        }
        self.ended(scripted.result, timings, began)
    }

    fn ended(
        &self,
        result: Result<TrialResult, String>,
        timings: Vec<Timing>,
        began: Instant,
    ) -> Message {
        let wall_s = began.elapsed().as_secs_f64();
        Message::Ended(self.task.job, Box::new(Outcome { result, timings, wall_s }))
    }

    /// The epochs that a checkpoint has done; the error says that it is another trial's.
    fn resume(&self) -> Result<Vec<Timing>, String> {
        let Some(checkpoint) = self.shared.checkpoints.load(&self.task.trial_id) else {
            return Ok(Vec::new());
        };
        if checkpoint.trainer != self.task.trial_id {
            return Err("the checkpoint is another trial's".into());
        }
        Ok(of_this_state(checkpoint.timings, self.task.attempt))
    }

    async fn save(&self, timings: &[Timing]) {
        let trainer = self.task.trial_id.to_vec();
        let checkpoint = Checkpoint { trainer, timings: timings.to_vec() };
        self.shared.checkpoints.save(&self.task.trial_id, &checkpoint);
        let _ = self.messages.send(Message::Saved(self.task.job)).await;
    }

    fn timing(&self, epoch: u32, wall: Duration) -> Timing {
        Timing {
            epoch,
            wall_s: wall.as_secs_f64(),
            cpu_s: wall.as_secs_f64(),
            worker: self.shared.worker_name.clone(),
            isa: self.shared.isa.name().into(),
            attempt: self.task.attempt,
            n_slots_in_use: 1,
        }
    }

    async fn tell_epoch(&self, epoch: u32, scripted: &Scripted) {
        let progress = Progress {
            n_epochs_done: epoch,
            n_epochs: scripted.n_epochs,
            valid_accuracy: 0.5,
            epoch_s: scripted.epoch.as_secs_f64(),
        };
        let _ = self.messages.send(Message::EpochDone(self.task.job, progress)).await;
    }
}
