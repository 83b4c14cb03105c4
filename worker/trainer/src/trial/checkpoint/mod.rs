//! A trainer between two epochs as bytes: magic, version, the trial's and the data's identity, what
//! changes during training, and a SHA-256 over all of it. Little-endian.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use trial::known as k;
use trial::{EpochRecord, MeasureKind, Reading, Scale, StepSizes, Value};

use crate::config::{NUMERICS_VERSION, TrainConfig};
use crate::data::PreparedData;
use crate::isa::Isa;
use crate::measures::{N_IN_DIGEST, measures};
use crate::numerics::digest::{float_bytes, record_bytes};
use crate::trial::result::{check_history, check_so_far};
use crate::trial::trainer::{TrainError, Trainer};

const MAGIC: &[u8; 8] = b"SWEEPCKP";
const VERSION: u32 = 1;

impl Trainer {
    /// Between epochs: everything needed to go on.
    pub fn checkpoint(&self) -> Vec<u8> {
        write(self)
    }

    /// Goes on from a checkpoint of the same trial, made on any path.
    pub fn resume(
        config: TrainConfig,
        data: Arc<PreparedData>,
        isa: Isa,
        bytes: &[u8],
    ) -> Result<Self, TrainError> {
        let mut trainer = Self::new(config, data, isa)?;
        read(&mut trainer, bytes)?;
        Ok(trainer)
    }
}

fn write(trainer: &Trainer) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend(identity(trainer));
    bytes.extend((trainer.history.len() as u32).to_le_bytes());
    for record in &trainer.history {
        bytes.extend(record_bytes(record));
        record.readings()[N_IN_DIGEST..].iter().for_each(|it| bytes.extend(reading_bytes(*it)));
    }
    bytes.extend(trainer.best.epoch.to_le_bytes());
    bytes.push(u8::from(trainer.last_finite_loss.is_some()));
    bytes.extend(trainer.last_finite_loss.unwrap_or(0.0).to_le_bytes());
    trainer.optimizer.scalars().iter().for_each(|x| bytes.extend(x.to_le_bytes()));
    trainer.work.counts().iter().for_each(|n| bytes.extend(n.to_le_bytes()));
    bytes.extend(float_bytes(&trainer.best.parameters));
    let mut numbers = vec![0.0; trainer.best.parameters.len()];
    trainer.network.read_parameters(&mut numbers);
    bytes.extend(float_bytes(&numbers));
    for index in 0..trainer.n_states() {
        trainer.network.read_state(index, &mut numbers);
        bytes.extend(float_bytes(&numbers));
    }
    let hash = Sha256::digest(&bytes);
    bytes.extend(hash);
    bytes
}

/// Puts a checkpoint of the same trial into a new trainer.
fn read(trainer: &mut Trainer, bytes: &[u8]) -> Result<(), TrainError> {
    let error = |problem: &str| TrainError::Checkpoint(problem.into());
    let (content, hash) =
        bytes.split_last_chunk::<32>().ok_or_else(|| error("ends within its hash"))?;
    if Sha256::digest(content).as_slice() != hash {
        return Err(error("its SHA-256 does not match: cut short or changed on the way"));
    }
    let mut reader = Reader { rest: content };
    if reader.take::<8>()? != *MAGIC {
        return Err(error("does not start with its magic"));
    }
    if u32::from_le_bytes(reader.take()?) != VERSION {
        return Err(error("made by another version of this program"));
    }
    if reader.take()? != identity(trainer) {
        return Err(error("made by another trial, with other data or numerics"));
    }
    let n_epochs = u32::from_le_bytes(reader.take()?);
    if n_epochs > trainer.config.epochs {
        return Err(error("has more epochs than the trial"));
    }
    trainer.history = (1..=n_epochs).map(|epoch| reader.record(epoch)).collect::<Result<_, _>>()?;
    // What another machine made must be what a trial can come to, or its result would be refused.
    let shape = trainer.data.shape();
    let standing = check_history(&trainer.history, &trainer.config, &shape)
        .map_err(|breach| error(&breach.to_string()))?;
    trainer.best.epoch = u32::from_le_bytes(reader.take()?);
    if trainer.best.epoch != standing.best_epoch() {
        return Err(error("its best epoch is not the best of its history"));
    }
    let has_loss = reader.flag()?;
    let loss = reader.f64()?;
    trainer.last_finite_loss = has_loss.then_some(loss);
    let scalars = [reader.f64()?, reader.f64()?, reader.f64()?];
    trainer.optimizer.restore(scalars);
    let mut counts = trainer.work.counts();
    for count in &mut counts {
        *count = reader.u64()?;
    }
    trainer.work.restore(&counts);
    if !trainer.work.is_of_epochs(n_epochs, trainer.data.n_train()) {
        return Err(error("its counts are not those of its epochs"));
    }
    let work = trainer.work.total();
    check_so_far(&work, &trainer.history, &trainer.config, &shape)
        .map_err(|breach| error(&breach.to_string()))?;
    reader.floats(&mut trainer.best.parameters)?;
    let mut numbers = vec![0.0; trainer.best.parameters.len()];
    reader.floats(&mut numbers)?;
    trainer.network.write_parameters(&numbers);
    for index in 0..trainer.n_states() {
        reader.floats(&mut numbers)?;
        trainer.network.write_state(index, &numbers);
    }
    if reader.rest.is_empty() { Ok(()) } else { Err(error("goes on after its end")) }
}

/// SHA-256 of all that decides the trial's bits: contract, hyperparameters, seed, data, split.
fn identity(trainer: &Trainer) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut field = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    field(&NUMERICS_VERSION.to_le_bytes());
    for (name, value) in trainer.config.values() {
        field(name.as_bytes());
        match value {
            Value::Text(text) => field(text.as_bytes()),
            Value::Number(x) => field(&x.to_le_bytes()),
            Value::Count(n) => field(&n.to_le_bytes()),
            Value::Widths(widths) => {
                field(&widths.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<u8>>());
            }
        }
    }
    field(&trainer.config.seed.to_le_bytes());
    field(&trainer.data.dataset_digest().0);
    let split = trainer.data.split();
    field(&split.n_train.to_le_bytes());
    field(&split.n_valid.to_le_bytes());
    field(&[u8::from(split.scale == Scale::Standard)]);
    hash.finalize().into()
}

/// A byte (0 or 1), and the reading, which is 0 when there is none.
fn reading_bytes(reading: Option<Reading>) -> [u8; 9] {
    let number = match reading {
        None => [0; 8],
        Some(Reading::Number(number)) => number.to_le_bytes(),
        Some(Reading::Count(count)) => count.to_le_bytes(),
    };
    let mut bytes = [u8::from(reading.is_some()); 9];
    bytes[1..].copy_from_slice(&number);
    bytes
}

/// What is left to read; running out is an error.
struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], TrainError> {
        let ends = || TrainError::Checkpoint("ends too early".into());
        let (first, rest) = self.rest.split_first_chunk::<N>().ok_or_else(ends)?;
        self.rest = rest;
        Ok(*first)
    }

    fn f64(&mut self) -> Result<f64, TrainError> {
        self.take().map(f64::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, TrainError> {
        self.take().map(u64::from_le_bytes)
    }

    fn flag(&mut self) -> Result<bool, TrainError> {
        self.take().map(|[byte]| byte != 0)
    }

    fn floats(&mut self, out: &mut [f32]) -> Result<(), TrainError> {
        for x in out {
            *x = f32::from_le_bytes(self.take()?);
        }
        Ok(())
    }

    /// What `write` wrote of an epoch.
    fn record(&mut self, expected: u32) -> Result<EpochRecord, TrainError> {
        let epoch = u32::from_le_bytes(self.take()?);
        if epoch != expected {
            return Err(TrainError::Checkpoint(format!("has epoch {epoch} where {expected} goes")));
        }
        let mut record = EpochRecord::new(measures(), epoch);
        record[k::TRAIN_LOSS] = self.f64()?;
        record[k::TRAIN_ACCURACY] = self.f64()?;
        record[k::VALID_LOSS] = self.f64()?;
        record[k::VALID_ACCURACY] = self.f64()?;
        record[k::LEARNING_RATE] = self.f64()?;
        let has_steps = self.flag()?;
        let steps = StepSizes { min: self.f64()?, median: self.f64()?, max: self.f64()? };
        StepSizes::put(has_steps.then_some(steps), &mut record);
        record[k::N_BACKTRACKS] = self.u64()?;
        record[k::GRADIENT_NORM] = self.f64()?;
        record[k::GRAD_SAMPLES] = self.u64()?;
        record[k::PROBE_SAMPLES] = self.u64()?;
        for measure in &measures()[N_IN_DIGEST..] {
            let reading = self.reading(measure.kind)?;
            record.set(&measure.name, reading);
        }
        Ok(record)
    }

    /// What `reading_bytes` wrote.
    fn reading(&mut self, kind: MeasureKind) -> Result<Option<Reading>, TrainError> {
        let (is_there, bytes) = (self.flag()?, self.take()?);
        Ok(is_there.then(|| match kind {
            MeasureKind::Number => Reading::Number(f64::from_le_bytes(bytes)),
            MeasureKind::Count => Reading::Count(u64::from_le_bytes(bytes)),
        }))
    }
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::config::TrainConfig;
    use crate::data::PreparedData;
    use crate::isa::Isa;
    use crate::testing::{Generated, config, optimizer};

    pub(crate) fn checkpoint() -> (TrainConfig, Arc<PreparedData>, Vec<u8>) {
        let data = Generated::SPARSE.prepare(Scale::Unit);
        let config = config(optimizer("sls"), &[("hidden", Value::Widths(vec![3]))]);
        let mut trainer = Trainer::new(config.clone(), Arc::clone(&data), Isa::Portable).unwrap();
        trainer.run_epoch(&AtomicBool::new(false));
        (config, data, trainer.checkpoint())
    }

    #[test]
    fn cut_or_changed_bytes_are_refused() {
        let (config, data, bytes) = checkpoint();
        let resume =
            |bytes: &[u8]| Trainer::resume(config.clone(), Arc::clone(&data), Isa::Portable, bytes);
        assert!(resume(&bytes).is_ok());
        for length in (0..bytes.len()).step_by(7) {
            assert!(resume(&bytes[..length]).is_err(), "cut to {length}");
        }
        for byte in (0..bytes.len()).step_by(5) {
            let mut changed = bytes.clone();
            changed[byte] ^= 0x10;
            assert!(resume(&changed).is_err(), "byte {byte}");
        }
    }

    /// With the hash made right again nothing but the fields' own checks is left.
    #[test]
    fn hostile_fields_do_not_panic() {
        let (config, data, bytes) = checkpoint();
        let content = &bytes[..bytes.len() - 32];
        let hashed = |content: &[u8]| [content, &Sha256::digest(content)].concat();
        let mut n_refused = 0;
        for byte in 0..content.len().min(400) {
            for value in [0, 1, 0x7f, 0xff] {
                let mut changed = content.to_vec();
                changed[byte] = value;
                let resumed = Trainer::resume(
                    config.clone(),
                    Arc::clone(&data),
                    Isa::Portable,
                    &hashed(&changed),
                );
                n_refused += u32::from(resumed.is_err());
            }
        }
        assert!(n_refused > 100, "magic, version, identity, counts: {n_refused}");
        for length in 0..content.len().min(400) {
            let cut = hashed(&content[..length]);
            assert!(
                Trainer::resume(config.clone(), Arc::clone(&data), Isa::Portable, &cut).is_err()
            );
        }
    }

    /// They would overflow in what follows, or train with another step's random numbers.
    #[test]
    fn forged_counts_are_refused() {
        let (config, data, bytes) = checkpoint();
        let content = &bytes[..bytes.len() - 32];
        let resumed = Trainer::resume(config.clone(), Arc::clone(&data), Isa::Portable, &bytes);
        let counts = resumed.unwrap().work.counts();
        let written: Vec<u8> = counts.iter().flat_map(|n| n.to_le_bytes()).collect();
        let at = content.windows(written.len()).position(|window| window == written).unwrap();
        for index in 0..counts.len() {
            let mut changed = content.to_vec();
            changed[at + 8 * index..][..8].copy_from_slice(&u64::MAX.to_le_bytes());
            let changed = [&changed[..], &Sha256::digest(&changed)].concat();
            let data = Arc::clone(&data);
            let error = Trainer::resume(config.clone(), data, Isa::Portable, &changed).err();
            assert!(error.unwrap().to_string().contains("counts"), "count {index}");
        }
    }

    #[test]
    fn another_trial_is_refused() {
        let (mut config, data, bytes) = checkpoint();
        config.seed += 1;
        let error = Trainer::resume(config, data, Isa::Portable, &bytes).err().unwrap();
        assert!(error.to_string().contains("another trial"), "{error}");
    }
}
