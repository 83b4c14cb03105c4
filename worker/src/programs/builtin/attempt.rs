//! One attempt at a trial by the built-in trainer: from its checkpoint or from scratch, epoch by
//! epoch.

use std::time::{Duration, Instant};

use trainer::{EpochEnd, Isa, PreparedData, TrainConfig, TrainError};
use trainer::{Trainer, check_size, slot_bytes};

use trial::known::VALID_ACCURACY;

use crate::cpu::thread_cpu_time;
use crate::link::convert;
use crate::memory::{Memory, Reservation};
use crate::programs::events::{End, Event, Events, Row};
use crate::programs::task::{Stop, Task};

/// How this worker trains, whatever the trial.
pub(crate) struct Training {
    pub(crate) isa: Isa,
    /// Training between two checkpoints of a trial; shorter trials write none.
    pub(crate) checkpoint_every: Duration,
    pub(crate) memory: Memory,
}

pub struct Attempt<'a> {
    pub training: &'a Training,
    pub task: &'a Task,
    pub stop: &'a Stop,
    pub events: &'a mut Events,
}

impl Attempt<'_> {
    pub fn run(&mut self) -> End {
        self.train().unwrap_or_else(End::Failure)
    }

    /// Trains to the end, or until it is asked to stop. The error is the failure's text.
    fn train(&mut self) -> Result<End, String> {
        let config = convert::train_config(&self.task.hyperparameters, self.task.seed)?;
        let _memory = reserve_memory(self.training, &config, &self.task.data)?;
        let mut trainer = self.open(&config).map_err(|error| error.to_string())?;
        trainer.set_pulse(self.events.pulse().clone());
        self.events.beat();
        faults::hang("hang.worker.slot");
        let mut saved = Instant::now();
        while !self.stop.at_once() {
            match self.run_epoch(&mut trainer, config.epochs) {
                EpochEnd::Stopped => break,
                EpochEnd::Ends => return Ok(End::Result(trainer.into_result())),
                EpochEnd::Continues => {}
            }
            let leaves = self.stop.at_epoch_end();
            if leaves || saved.elapsed() >= self.training.checkpoint_every {
                self.events.blocking_tell(Event::Checkpoint(trainer.checkpoint()));
                self.events.beat();
                saved = Instant::now();
            }
            if leaves {
                break;
            }
        }
        Ok(End::Interrupted)
    }

    /// From the trial's checkpoint if there is a good one, else from scratch.
    fn open(&mut self, config: &TrainConfig) -> Result<Trainer, TrainError> {
        let (data, isa) = (&self.task.data, self.training.isa);
        let resumed = self.events.resume(|state| {
            let trainer = Trainer::resume(config.clone(), data.clone(), isa, state);
            let trainer = trainer.map_err(|error| error.to_string())?;
            let n_rows = trainer.history().len();
            Ok((trainer, n_rows))
        });
        match resumed {
            Some(trainer) => Ok(trainer),
            None => Trainer::new(config.clone(), data.clone(), isa),
        }
    }

    /// Tells the epoch's row, unless it did not come to its end.
    fn run_epoch(&mut self, trainer: &mut Trainer, n_epochs: u32) -> EpochEnd {
        let n_before = trainer.history().len();
        let (began, cpu_before) = (Instant::now(), thread_cpu_time());
        let end = trainer.run_epoch(self.stop.at_once_flag());
        let wall_s = began.elapsed().as_secs_f64();
        let cpu_s = (thread_cpu_time() - cpu_before).as_secs_f64();
        self.events.beat();
        if let Some(record) = trainer.history().get(n_before) {
            let (epoch, valid_accuracy) = (record.epoch, record[VALID_ACCURACY]);
            let row = Row { epoch, n_epochs, valid_accuracy, wall_s, cpu_s };
            self.events.blocking_tell(Event::Row(row));
        }
        end
    }
}

/// `None` for a network that no trainer takes, which says so itself.
fn reserve_memory<'a>(
    training: &'a Training,
    config: &TrainConfig,
    data: &PreparedData,
) -> Result<Option<Reservation<'a>>, String> {
    let (n_inputs, n_classes) = (data.n_inputs(), data.n_classes());
    if check_size(config, n_inputs, n_classes).is_err() {
        return Ok(None);
    }
    training.memory.reserve(slot_bytes(config, n_inputs, n_classes)).map(Some)
}
