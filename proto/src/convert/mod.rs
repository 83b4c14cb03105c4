//! What a trial is made of and what it gives, to messages and back: the one place that knows both.
//! A message that becomes a value is complete and clean; whether a trial can give it is not asked here.

mod epoch;

use std::sync::Arc;

use trial::{Backtracks, Digest, Ending, Measure, Scale, Split, Timing, TrialResult, Value, Work};

use crate::text::clean_line;
use crate::{MAX_NAME_BYTES, hyperparameter, trial_result};

/// What a message lacks or holds too much of, in words for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(pub String);

/// A field that a message must have.
pub fn required<T>(field: Option<T>, name: &str) -> Result<T, Malformed> {
    field.ok_or_else(|| Malformed(format!("{name} is missing")))
}

/// The bytes of a field whose length is fixed.
pub fn array<const N: usize>(bytes: &[u8], name: &str) -> Result<[u8; N], Malformed> {
    let text = || format!("{name} has {} bytes, expected {N}", bytes.len());
    bytes.try_into().map_err(|_| Malformed(text()))
}

pub fn digest(bytes: &[u8], name: &str) -> Result<Digest, Malformed> {
    array(bytes, name).map(Digest)
}

/// Counts are stored as signed numbers of 64 bits.
fn count(name: &str, number: u64) -> Result<u64, Malformed> {
    if number <= i64::MAX.cast_unsigned() {
        return Ok(number);
    }
    Err(Malformed(format!("{name} is {number}, expected at most {}", i64::MAX)))
}

impl crate::Data {
    /// A data set of this many bytes in its canonical form.
    pub fn new(digest: Digest, n_bytes: u64, split: Split) -> Self {
        let Split { n_train, n_valid, scale } = split;
        let scale = match scale {
            Scale::Unit => crate::Scale::Unit,
            Scale::Standard => crate::Scale::Standard,
        };
        Self { digest: digest.0.to_vec(), n_bytes, n_train, n_valid, scale: scale.into() }
    }

    /// # Errors
    /// A digest of another length, and a scale that this build does not know.
    pub fn identity(&self) -> Result<(Digest, Split), Malformed> {
        let digest = <[u8; 32]>::try_from(&*self.digest).map(Digest);
        let digest =
            digest.map_err(|_| Malformed("the data's digest is not 32 bytes long".into()))?;
        let scale = match self.scale() {
            crate::Scale::Unit => Scale::Unit,
            crate::Scale::Standard => Scale::Standard,
            crate::Scale::Unspecified => {
                let text = format!("this build does not know the data's scale {}", self.scale);
                return Err(Malformed(text));
            }
        };
        Ok((digest, Split { n_train: self.n_train, n_valid: self.n_valid, scale }))
    }
}

impl crate::Hyperparameter {
    pub fn new(key: &str, value: Value) -> Self {
        use hyperparameter::Value as Wire;
        let value = match value {
            Value::Text(text) => Wire::Text(text),
            Value::Number(number) => Wire::Number(number),
            Value::Count(count) => Wire::Count(count),
            Value::Widths(widths) => Wire::Widths(crate::Widths { widths }),
        };
        Self { key: key.into(), value: Some(value) }
    }

    /// `None` for a kind of value that this build does not know.
    pub fn to_value(&self) -> Option<Value> {
        use hyperparameter::Value as Wire;
        Some(match self.value.as_ref()? {
            Wire::Text(text) => Value::Text(text.clone()),
            Wire::Number(number) => Value::Number(*number),
            Wire::Count(count) => Value::Count(*count),
            Wire::Widths(widths) => Value::Widths(widths.widths.clone()),
        })
    }
}

impl From<&TrialResult> for crate::TrialResult {
    fn from(result: &TrialResult) -> Self {
        use trial_result::Ending as Wire;
        let ending = match result.ending {
            Ending::Completed { best_epoch, test_accuracy, collapsed } => {
                Wire::Completed(crate::Completed { best_epoch, test_accuracy, collapsed })
            }
            Ending::Diverged { step, last_finite_loss } => {
                Wire::Diverged(crate::Diverged { step, last_finite_loss })
            }
        };
        Self {
            ending: Some(ending),
            history: result.history.iter().map(Into::into).collect(),
            work: Some((&result.work).into()),
            digest: result.digest.0.to_vec(),
        }
    }
}

impl crate::TrialResult {
    /// The result of a trial whose program declares these measures.
    ///
    /// # Errors
    /// What the message lacks or holds too much of.
    pub fn into_value(self, measures: &Arc<[Measure]>) -> Result<TrialResult, Malformed> {
        use trial_result::Ending as Wire;
        let ending = match required(self.ending, "result.ending")? {
            Wire::Completed(it) => Ending::Completed {
                best_epoch: it.best_epoch,
                test_accuracy: it.test_accuracy,
                collapsed: it.collapsed,
            },
            Wire::Diverged(it) => Ending::Diverged {
                step: count("diverged_step", it.step)?,
                last_finite_loss: it.last_finite_loss,
            },
        };
        let history = self.history.into_iter().map(|epoch| epoch.into_value(measures));
        Ok(TrialResult {
            ending,
            history: history.collect::<Result<_, _>>()?,
            work: required(self.work, "result.work")?.try_into()?,
            digest: digest(&self.digest, "result.digest")?,
        })
    }
}

impl From<&Work> for crate::Work {
    fn from(work: &Work) -> Self {
        let backtracks =
            |it: Backtracks| crate::Backtracks { mean: it.mean, p95: it.p95, max: it.max };
        Self {
            n_steps: work.n_steps,
            grad_samples: work.grad_samples,
            probe_samples: work.probe_samples,
            macs_textbook: work.macs_textbook,
            macs_executed: work.macs_executed,
            backtracks: work.backtracks.map(backtracks),
            steps_without_step: work.steps_without_step,
        }
    }
}

impl TryFrom<crate::Work> for Work {
    type Error = Malformed;

    fn try_from(wire: crate::Work) -> Result<Self, Malformed> {
        let backtracks =
            |it: crate::Backtracks| Backtracks { mean: it.mean, p95: it.p95, max: it.max };
        Ok(Self {
            n_steps: count("n_steps", wire.n_steps)?,
            grad_samples: count("grad_samples", wire.grad_samples)?,
            probe_samples: count("probe_samples", wire.probe_samples)?,
            macs_textbook: count("macs_textbook", wire.macs_textbook)?,
            macs_executed: count("macs_executed", wire.macs_executed)?,
            backtracks: wire.backtracks.map(backtracks),
            steps_without_step: count("steps_without_step", wire.steps_without_step)?,
        })
    }
}

impl From<&Timing> for crate::Timing {
    fn from(timing: &Timing) -> Self {
        Self {
            epoch: timing.epoch,
            wall_s: timing.wall_s,
            cpu_s: timing.cpu_s,
            worker: timing.worker.clone(),
            isa: timing.isa.clone(),
            attempt: timing.attempt,
            n_slots_in_use: timing.n_slots_in_use,
        }
    }
}

/// Names come clean and short.
impl From<crate::Timing> for Timing {
    fn from(wire: crate::Timing) -> Self {
        Self {
            epoch: wire.epoch,
            wall_s: wire.wall_s,
            cpu_s: wire.cpu_s,
            worker: clean_line(&wire.worker, MAX_NAME_BYTES),
            isa: clean_line(&wire.isa, MAX_NAME_BYTES),
            attempt: wire.attempt,
            n_slots_in_use: wire.n_slots_in_use,
        }
    }
}

#[cfg(test)]
mod tests;
