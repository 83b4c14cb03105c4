//! The scripted trials as a program: each takes the time and gives the result that its script says,
//! as a task in simulated time. Checkpoints and orders are as of real training.

use std::collections::BTreeMap;
use std::future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use trial::TrialId;
use worker::parts::{End, Event, Events, Program, Row, Stop, Task};

use crate::script::{self, Script};

/// A trial looks this many times in an epoch whether it is to stop.
const LOOKS_PER_EPOCH: u32 = 4;

const CHECKPOINT_EVERY: Duration = Duration::from_secs(1);

/// What all workers have begun.
#[derive(Clone, Default)]
pub struct Begun(Arc<Mutex<Attempts>>);

#[derive(Default)]
struct Attempts {
    /// The highest of each trial.
    highest: BTreeMap<TrialId, u32>,
    /// Whether the slots of the last ones of each worker hang.
    hangs: BTreeMap<usize, Vec<Arc<AtomicBool>>>,
}

impl Begun {
    /// The highest attempts, by their trials.
    pub fn highest(&self) -> BTreeMap<TrialId, u32> {
        self.0.lock().expect("nobody panics with it").highest.clone()
    }

    /// The slot of the oldest of the worker's last attempts that does not hang yet does nothing any
    /// more.
    pub fn hang(&self, worker: usize) {
        let begun = self.0.lock().expect("nobody panics with it");
        let mut hangs = begun.hangs.get(&worker).into_iter().flatten();
        if let Some(slot) = hangs.find(|slot| !slot.load(Ordering::Relaxed)) {
            slot.store(true, Ordering::Relaxed);
        }
    }

    /// Gives what says that this attempt's slot hangs.
    fn begin(&self, scripted: &Scripted, task: &Task) -> Arc<AtomicBool> {
        let mut begun = self.0.lock().expect("nobody panics with it");
        let highest = begun.highest.entry(task.trial_id).or_default();
        *highest = task.attempt.max(*highest);
        let last = begun.hangs.entry(scripted.worker).or_default();
        let hangs = Arc::<AtomicBool>::default();
        last.push(hangs.clone());
        last.drain(..last.len().saturating_sub(scripted.n_slots));
        hangs
    }
}

/// One worker's program.
pub struct Scripted {
    pub worker: usize,
    pub n_slots: usize,
    pub begun: Begun,
}

impl Program for Scripted {
    fn start(&self, _slot: usize, task: Task, stop: Stop, events: Events) {
        let script = script::of_attempt(&task.trial_id, task.attempt);
        let hangs = self.begun.begin(self, &task);
        let attempt = Attempt { trial_id: task.trial_id, script, stop, hangs };
        tokio::spawn(attempt.play(events));
    }
}

struct Attempt {
    trial_id: TrialId,
    script: Script,
    stop: Stop,
    hangs: Arc<AtomicBool>,
}

impl Attempt {
    async fn play(self, mut events: Events) {
        let end = self.run(&mut events).await;
        events.end(end).await;
    }

    async fn run(&self, events: &mut Events) -> End {
        let n_before = match events.resume(opened) {
            Some((trial_id, _)) if trial_id != self.trial_id => {
                return End::Failure("the checkpoint is another trial's".into());
            }
            resumed => resumed.map_or(0, |(_, epoch)| epoch),
        };
        let (n_epochs, mut saved) = (self.script.n_epochs, Instant::now());
        for epoch in n_before + 1..=n_epochs {
            if self.is_stopped_within_epoch(events).await {
                return End::Interrupted;
            }
            events.tell(self.row(epoch)).await;
            if epoch == n_epochs {
                break;
            }
            let leaves = self.stop.at_epoch_end();
            if leaves || saved.elapsed() >= CHECKPOINT_EVERY {
                let state = [&self.trial_id.bytes()[..], &epoch.to_le_bytes()].concat();
                events.tell(Event::Checkpoint(state)).await;
                saved = Instant::now();
            }
            if leaves {
                return End::Interrupted;
            }
        }
        self.script.result.clone().map_or_else(End::Failure, End::Result)
    }

    /// Lets an epoch's time pass, or less if the trial is stopped.
    async fn is_stopped_within_epoch(&self, events: &Events) -> bool {
        for _ in 0..LOOKS_PER_EPOCH {
            sleep(self.script.epoch / LOOKS_PER_EPOCH).await;
            if self.hangs.load(Ordering::Relaxed) {
                future::pending::<()>().await;
            }
            events.beat();
            if self.stop.at_once() {
                return true;
            }
        }
        false
    }

    fn row(&self, epoch: u32) -> Event {
        let (n_epochs, wall_s) = (self.script.n_epochs, self.script.epoch.as_secs_f64());
        Event::Row(Row { epoch, n_epochs, valid_accuracy: 0.5, wall_s, cpu_s: wall_s })
    }
}

/// The trial and the last epoch of a checkpoint, and its number of rows.
fn opened(state: &[u8]) -> Result<((TrialId, u32), usize), String> {
    let (trial_id, epoch) = state.split_first_chunk().ok_or("it is too short")?;
    let epoch = u32::from_le_bytes(epoch.try_into().map_err(|_| "it names no epoch")?);
    Ok((
        (TrialId::from_bytes(*trial_id), epoch),
        usize::try_from(epoch).map_err(|error| error.to_string())?,
    ))
}
