//! What a trial is made of and what it gives, to messages and back: the one place that knows both.
//! A message that becomes a value is complete and clean; whether a trial can give it is not asked here.

use trial::{
    Backtracks, Digest, Ending, EpochRecord, Scale, Split, StepSizes, Timing, TrialResult, Value,
    Work,
};

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
        let scale = match self.scale() {
            crate::Scale::Unit => Scale::Unit,
            crate::Scale::Standard => Scale::Standard,
            crate::Scale::Unspecified => {
                return Err(Malformed(format!("the data's scale {} is not known", self.scale)));
            }
        };
        let digest = digest(&self.digest, "data.digest")?;
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

impl TryFrom<crate::TrialResult> for TrialResult {
    type Error = Malformed;

    fn try_from(wire: crate::TrialResult) -> Result<Self, Malformed> {
        use trial_result::Ending as Wire;
        let ending = match required(wire.ending, "result.ending")? {
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
        let history = wire.history.into_iter().map(EpochRecord::try_from);
        Ok(Self {
            ending,
            history: history.collect::<Result<_, _>>()?,
            work: required(wire.work, "result.work")?.try_into()?,
            digest: digest(&wire.digest, "result.digest")?,
        })
    }
}

impl From<&EpochRecord> for crate::Epoch {
    fn from(record: &EpochRecord) -> Self {
        let steps =
            |it: StepSizes| crate::StepSizes { min: it.min, median: it.median, max: it.max };
        Self {
            epoch: record.epoch,
            train_loss: record.train_loss,
            train_accuracy: record.train_accuracy,
            valid_loss: record.valid_loss,
            valid_accuracy: record.valid_accuracy,
            learning_rate: record.learning_rate,
            steps: record.steps.map(steps),
            n_backtracks: record.n_backtracks,
            gradient_norm: record.gradient_norm,
            grad_samples: record.grad_samples,
            probe_samples: record.probe_samples,
        }
    }
}

impl TryFrom<crate::Epoch> for EpochRecord {
    type Error = Malformed;

    fn try_from(wire: crate::Epoch) -> Result<Self, Malformed> {
        let steps =
            |it: crate::StepSizes| StepSizes { min: it.min, median: it.median, max: it.max };
        Ok(Self {
            epoch: wire.epoch,
            train_loss: wire.train_loss,
            train_accuracy: wire.train_accuracy,
            valid_loss: wire.valid_loss,
            valid_accuracy: wire.valid_accuracy,
            learning_rate: wire.learning_rate,
            steps: wire.steps.map(steps),
            n_backtracks: count("n_backtracks", wire.n_backtracks)?,
            gradient_norm: wire.gradient_norm,
            grad_samples: count("grad_samples", wire.grad_samples)?,
            probe_samples: count("probe_samples", wire.probe_samples)?,
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every bit pattern but NaN, which equals nothing.
    fn number() -> impl Strategy<Value = f64> {
        any::<f64>().prop_filter("not NaN", |x| !x.is_nan())
    }

    fn a_count() -> impl Strategy<Value = u64> {
        prop_oneof![Just(0), Just(i64::MAX.cast_unsigned()), 0..1_000_000_u64]
    }

    fn epoch() -> impl Strategy<Value = EpochRecord> {
        let numbers = prop::array::uniform6(number());
        let counts = prop::array::uniform3(a_count());
        let steps = prop::option::of(prop::array::uniform3(number()));
        (any::<u32>(), numbers, counts, steps).prop_map(|(epoch, x, n, steps)| EpochRecord {
            epoch,
            train_loss: x[0],
            train_accuracy: x[1],
            valid_loss: x[2],
            valid_accuracy: x[3],
            learning_rate: x[4],
            steps: steps.map(|[min, median, max]| StepSizes { min, median, max }),
            n_backtracks: n[0],
            gradient_norm: x[5],
            grad_samples: n[1],
            probe_samples: n[2],
        })
    }

    fn ending() -> impl Strategy<Value = Ending> {
        let completed = (any::<u32>(), prop::option::of(number()), any::<bool>());
        let diverged = (a_count(), prop::option::of(number()));
        prop_oneof![
            completed.prop_map(|(best_epoch, test_accuracy, collapsed)| {
                Ending::Completed { best_epoch, test_accuracy, collapsed }
            }),
            diverged
                .prop_map(|(step, last_finite_loss)| Ending::Diverged { step, last_finite_loss }),
        ]
    }

    fn work() -> impl Strategy<Value = Work> {
        let backtracks = prop::option::of((number(), any::<u32>(), any::<u32>()));
        (prop::array::uniform6(a_count()), backtracks).prop_map(|(n, backtracks)| Work {
            n_steps: n[0],
            grad_samples: n[1],
            probe_samples: n[2],
            macs_textbook: n[3],
            macs_executed: n[4],
            backtracks: backtracks.map(|(mean, p95, max)| Backtracks { mean, p95, max }),
            steps_without_step: n[5],
        })
    }

    fn result() -> impl Strategy<Value = TrialResult> {
        let history = prop::collection::vec(epoch(), 0..4);
        (ending(), history, work(), any::<[u8; 32]>()).prop_map(
            |(ending, history, work, digest)| TrialResult {
                ending,
                history,
                work,
                digest: Digest(digest),
            },
        )
    }

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            ".*".prop_map(Value::Text),
            number().prop_map(Value::Number),
            any::<u64>().prop_map(Value::Count),
            prop::collection::vec(any::<u32>(), 0..5).prop_map(Value::Widths),
        ]
    }

    fn split() -> impl Strategy<Value = Split> {
        let scale = prop::sample::select(Scale::ALL.to_vec());
        (any::<u32>(), any::<u32>(), scale).prop_map(|(n_train, n_valid, scale)| Split {
            n_train,
            n_valid,
            scale,
        })
    }

    proptest! {
        #[test]
        fn values_come_back_from_the_wire_as_they_were(
            result in result(),
            (key, value) in ("[a-z_]{1,9}", value()),
            (split, digest, n_bytes) in (split(), any::<[u8; 32]>(), any::<u64>()),
            (wall_s, cpu_s) in (number(), number()),
            name in "[a-z0-9-]{1,20}",
            (epoch, attempt, n_slots_in_use) in any::<(u32, u32, u32)>(),
        ) {
            prop_assert_eq!(TrialResult::try_from(crate::TrialResult::from(&result)), Ok(result));
            let sent = crate::Hyperparameter::new(&key, value.clone());
            prop_assert_eq!((&sent.key, sent.to_value()), (&key, Some(value)));
            let sent = crate::Data::new(Digest(digest), n_bytes, split);
            prop_assert_eq!(sent.n_bytes, n_bytes);
            prop_assert_eq!(sent.identity(), Ok((Digest(digest), split)));
            let (worker, isa) = (name.clone(), name);
            let timing = Timing { epoch, wall_s, cpu_s, worker, isa, attempt, n_slots_in_use };
            prop_assert_eq!(Timing::from(crate::Timing::from(&timing)), timing);
        }

        #[test]
        fn what_is_missing_too_short_or_too_large_is_named(result in result(), n_bytes in 0..32_usize) {
            let sent = crate::TrialResult::from(&result);
            let refused = |wire: crate::TrialResult| TrialResult::try_from(wire).unwrap_err().0;
            let lacks = refused(crate::TrialResult { ending: None, ..sent.clone() });
            prop_assert_eq!(lacks, "result.ending is missing");
            let lacks = refused(crate::TrialResult { work: None, ..sent.clone() });
            prop_assert_eq!(lacks, "result.work is missing");
            let short = refused(crate::TrialResult { digest: vec![0; n_bytes], ..sent.clone() });
            prop_assert!(short.starts_with("result.digest has"), "{}", short);
            let work = sent.work.map(|work| crate::Work { macs_textbook: u64::MAX, ..work });
            let large = refused(crate::TrialResult { work, ..sent });
            prop_assert!(large.starts_with("macs_textbook is 18446744073709551615"), "{}", large);
        }
    }
}
