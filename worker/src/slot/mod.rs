//! Slots: each is one thread that trains one trial at a time, pinned to a core of its own where
//! there is one.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
        mpsc as blocking,
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use proto::Timing;
use tokio::sync::mpsc;
use tracing::warn;
use trainer::{EpochEnd, Isa, PreparedData, TrainConfig, Trainer, TrialResult};

use crate::{
    agent::{Job, Progress, TrialId},
    checkpoints::{Checkpoint, Checkpoints},
    cores::Cores,
    cpu::thread_cpu_time,
    hex::short_id,
};

/// Training between two checkpoints of a trial; shorter trials write none.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(30);

/// Messages from slots that may wait to be read; a slot that finds no room waits.
const MAX_MESSAGES: usize = 1024;

/// One trial to train.
pub(crate) struct Task {
    pub(crate) job: Job,
    pub(crate) trial_id: TrialId,
    pub(crate) attempt: u32,
    pub(crate) config: TrainConfig,
    pub(crate) data: Arc<PreparedData>,
}

/// What a slot tells the session.
pub(crate) enum Message {
    EpochDone(Job, Progress),
    Ended(Job, Box<Outcome>),
    /// Stopped, with or without a checkpoint.
    Left(Job),
}

pub(crate) struct Outcome {
    /// The error is the failure's text.
    pub(crate) result: Result<TrialResult, String>,
    pub(crate) timings: Vec<Timing>,
    /// Of this attempt, from the grant's start on.
    pub(crate) wall_s: f64,
}

/// What every slot of this worker shares.
pub(crate) struct Shared {
    pub(crate) worker_name: String,
    pub(crate) isa: Isa,
    pub(crate) checkpoints: Checkpoints,
    /// `None`: slots run unpinned.
    pub(crate) cores: Option<Cores>,
    pub(crate) n_busy: AtomicU32,
}

/// All slots of the worker. Dropped, they stop within a few training steps.
pub(crate) struct Slots {
    slots: Vec<Slot>,
    messages: mpsc::Receiver<Message>,
}

struct Slot {
    /// `None` once the slots are being dropped, which ends the thread.
    tasks: Option<blocking::Sender<(Task, Arc<Wishes>)>>,
    current: Option<(Job, Arc<Wishes>)>,
    thread: Option<JoinHandle<()>>,
}

/// What the session wants of a running task.
#[derive(Default)]
struct Wishes {
    stop: AtomicBool,
    leave_at_epoch_end: AtomicBool,
}

impl Slots {
    pub(crate) fn start(n_slots: usize, shared: Shared) -> std::io::Result<Self> {
        let shared = Arc::new(shared);
        let (sender, messages) = mpsc::channel(MAX_MESSAGES);
        let slots = (0..n_slots).map(|index| {
            let (tasks, received) = blocking::channel();
            let (shared, sender) = (shared.clone(), sender.clone());
            let thread = thread::Builder::new()
                .name(format!("slot-{index}"))
                .spawn(move || work(&shared, &received, &sender))?;
            Ok(Slot { tasks: Some(tasks), current: None, thread: Some(thread) })
        });
        let slots = slots.collect::<std::io::Result<_>>()?;
        Ok(Self { slots, messages })
    }

    /// Gives the task to a slot that rests.
    pub(crate) fn begin(&mut self, task: Task) {
        let wishes = Arc::new(Wishes::default());
        let slot = self.slots.iter_mut().find(|slot| slot.current.is_none());
        let slot = slot.expect("the agent starts no more jobs than there are slots");
        slot.current = Some((task.job, wishes.clone()));
        let tasks = slot.tasks.as_ref().expect("taken by drop alone");
        tasks.send((task, wishes)).expect("a slot's thread lives as long as its sender");
    }

    pub(crate) async fn message(&mut self) -> Message {
        let message = self.messages.recv().await.expect("each slot's thread holds a sender");
        self.note(message)
    }

    /// A message that is there already.
    pub(crate) fn message_at_hand(&mut self) -> Option<Message> {
        let message = self.messages.try_recv().ok()?;
        Some(self.note(message))
    }

    fn note(&mut self, message: Message) -> Message {
        if let Message::Ended(job, _) | Message::Left(job) = &message {
            let of_job = |slot: &&mut Slot| slot.current.as_ref().is_some_and(|(j, _)| j == job);
            if let Some(slot) = self.slots.iter_mut().find(of_job) {
                slot.current = None;
            }
        }
        message
    }

    /// Ends the job within a few training steps; no checkpoint is written.
    pub(crate) fn stop(&self, job: Job) {
        self.wish(job, |wishes| &wishes.stop);
    }

    pub(crate) fn stop_all(&self) {
        for (job, _) in self.slots.iter().filter_map(|slot| slot.current.as_ref()) {
            self.stop(*job);
        }
    }

    /// Ends the job with a checkpoint at the end of its epoch.
    pub(crate) fn leave_at_epoch_end(&self, job: Job) {
        self.wish(job, |wishes| &wishes.leave_at_epoch_end);
    }

    fn wish(&self, job: Job, which: impl Fn(&Wishes) -> &AtomicBool) {
        let current = self.slots.iter().filter_map(|slot| slot.current.as_ref());
        for (_, wishes) in current.filter(|(of, _)| *of == job) {
            which(wishes).store(true, Ordering::Relaxed);
        }
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        // Closed first: a slot must not wait for room that nobody makes.
        self.messages.close();
        self.stop_all();
        for slot in &mut self.slots {
            slot.tasks = None;
        }
        for thread in self.slots.iter_mut().filter_map(|slot| slot.thread.take()) {
            let _ = thread.join();
        }
    }
}

/// A slot's thread.
fn work(
    shared: &Shared,
    tasks: &blocking::Receiver<(Task, Arc<Wishes>)>,
    messages: &mpsc::Sender<Message>,
) {
    while let Ok((task, wishes)) = tasks.recv() {
        let message = run(shared, &task, &wishes, messages);
        if messages.blocking_send(message).is_err() {
            return;
        }
    }
}

/// Trains one task; a panic in training is the trial's failure and not the worker's.
fn run(shared: &Shared, task: &Task, wishes: &Wishes, messages: &mpsc::Sender<Message>) -> Message {
    let began = Instant::now();
    let _core = shared.cores.as_ref().and_then(Cores::claim);
    let mut attempt = Attempt { shared, task, wishes, messages, timings: Vec::new() };
    shared.n_busy.fetch_add(1, Ordering::Relaxed);
    let ended = catch_unwind(AssertUnwindSafe(|| attempt.train()));
    shared.n_busy.fetch_sub(1, Ordering::Relaxed);
    let result = match ended {
        Ok(Ok(Some(result))) => Ok(result),
        Ok(Ok(None)) => return Message::Left(task.job),
        Ok(Err(error)) => Err(error.to_string()),
        Err(panic) => Err(format!("panic in training: {}", panic_text(panic.as_ref()))),
    };
    let wall_s = began.elapsed().as_secs_f64();
    Message::Ended(task.job, Box::new(Outcome { result, timings: attempt.timings, wall_s }))
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a text")
}

struct Attempt<'a> {
    shared: &'a Shared,
    task: &'a Task,
    wishes: &'a Wishes,
    messages: &'a mpsc::Sender<Message>,
    /// Of every epoch done, those before a checkpoint included.
    timings: Vec<Timing>,
}

impl Attempt<'_> {
    /// Trains to the end. `None` if it was asked to stop or leave before.
    fn train(&mut self) -> Result<Option<TrialResult>, trainer::TrainError> {
        let mut trainer = self.open()?;
        let mut saved = Instant::now();
        while !self.wishes.stop.load(Ordering::Relaxed) {
            let (began, cpu_before) = (Instant::now(), thread_cpu_time());
            let end = trainer.run_epoch(&self.wishes.stop);
            let wall_s = began.elapsed().as_secs_f64();
            self.note_epoch(&trainer, wall_s, (thread_cpu_time() - cpu_before).as_secs_f64());
            match end {
                EpochEnd::Stopped => break,
                EpochEnd::Ends => return Ok(Some(trainer.into_result())),
                EpochEnd::Continues => {}
            }
            let leaves = self.wishes.leave_at_epoch_end.load(Ordering::Relaxed);
            if leaves || saved.elapsed() >= CHECKPOINT_EVERY {
                let (trainer, timings) = (trainer.checkpoint(), self.timings.clone());
                let checkpoint = Checkpoint { trainer, timings };
                self.shared.checkpoints.save(&self.task.trial_id, &checkpoint);
                saved = Instant::now();
            }
            if leaves {
                break;
            }
        }
        Ok(None)
    }

    /// From the trial's checkpoint if there is a good one, else from scratch.
    fn open(&mut self) -> Result<Trainer, trainer::TrainError> {
        let Task { trial_id, config, data, .. } = self.task;
        let isa = self.shared.isa;
        if let Some(checkpoint) = self.shared.checkpoints.load(trial_id) {
            match Trainer::resume(config.clone(), data.clone(), isa, &checkpoint.trainer) {
                Ok(trainer) if trainer.history().len() == checkpoint.timings.len() => {
                    self.timings = checkpoint.timings;
                    return Ok(trainer);
                }
                Ok(_) => warn!("trial {}: its checkpoint lacks timings", short_id(trial_id)),
                Err(error) => {
                    warn!("trial {}: no use of its checkpoint: {error}", short_id(trial_id))
                }
            }
        }
        Trainer::new(config.clone(), data.clone(), isa)
    }

    /// Notes an epoch's timing, unless it did not come to its end, and tells the session.
    fn note_epoch(&mut self, trainer: &Trainer, wall_s: f64, cpu_s: f64) {
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
