//! The record of an epoch, to a message and back: a loop over the measures that its program declares.

use std::sync::Arc;

use trial::known::{
    GRAD_SAMPLES, GRADIENT_NORM, LEARNING_RATE, N_BACKTRACKS, PROBE_SAMPLES, TRAIN_ACCURACY,
    TRAIN_LOSS, VALID_ACCURACY, VALID_LOSS,
};
use trial::{Count, EpochRecord, Measure, MeasureKind, Number, Reading, StepSizes};

use super::{Malformed, required};
use crate::text::clean_line;
use crate::{MAX_NAME_BYTES, reading};

pub(super) type NumberField = fn(&mut crate::Epoch) -> &mut f64;
pub(super) type CountField = fn(&mut crate::Epoch) -> &mut u64;

/// Numbers that have a field of their own where every epoch has them.
pub(super) const NUMBERS: [(Number, NumberField); 6] = [
    (TRAIN_LOSS, |epoch| &mut epoch.train_loss),
    (TRAIN_ACCURACY, |epoch| &mut epoch.train_accuracy),
    (VALID_LOSS, |epoch| &mut epoch.valid_loss),
    (VALID_ACCURACY, |epoch| &mut epoch.valid_accuracy),
    (LEARNING_RATE, |epoch| &mut epoch.learning_rate),
    (GRADIENT_NORM, |epoch| &mut epoch.gradient_norm),
];

pub(super) const COUNTS: [(Count, CountField); 3] = [
    (N_BACKTRACKS, |epoch| &mut epoch.n_backtracks),
    (GRAD_SAMPLES, |epoch| &mut epoch.grad_samples),
    (PROBE_SAMPLES, |epoch| &mut epoch.probe_samples),
];

/// The field of an epoch that holds a measure.
enum Field {
    Number(NumberField),
    Count(CountField),
    More,
}

impl Field {
    /// What an epoch may lack is among `more`, since a field cannot tell nothing from 0.
    fn of(measure: &Measure) -> Self {
        let name = &*measure.name;
        let number =
            || NUMBERS.iter().find(|(it, _)| it.0 == name).map(|(_, it)| Self::Number(*it));
        let count = || COUNTS.iter().find(|(it, _)| it.0 == name).map(|(_, it)| Self::Count(*it));
        let found = match measure.kind {
            _ if measure.is_optional => None,
            MeasureKind::Number => number(),
            MeasureKind::Count => count(),
        };
        found.unwrap_or(Self::More)
    }
}

impl From<&EpochRecord> for crate::Epoch {
    fn from(record: &EpochRecord) -> Self {
        let steps = StepSizes::of(record);
        let of_wire =
            |it: StepSizes| crate::StepSizes { min: it.min, median: it.median, max: it.max };
        let mut epoch = Self { epoch: record.epoch, steps: steps.map(of_wire), ..Self::default() };
        for (measure, reading) in record.measures().iter().zip(record.readings()) {
            let is_step = steps.is_some() && StepSizes::NAMES.iter().any(|it| it.0 == measure.name);
            let Some(reading) = reading.filter(|_| !is_step) else { continue };
            match (Field::of(measure), reading) {
                (Field::Number(field), Reading::Number(number)) => *field(&mut epoch) = number,
                (Field::Count(field), Reading::Count(count)) => *field(&mut epoch) = count,
                _ => epoch.more.push(crate::Reading::new(&measure.name, reading)),
            }
        }
        epoch
    }
}

impl crate::Epoch {
    pub(super) fn into_value(
        mut self,
        measures: &Arc<[Measure]>,
    ) -> Result<EpochRecord, Malformed> {
        let mut record = EpochRecord::new(measures, self.epoch);
        for measure in measures.iter() {
            let reading = match Field::of(measure) {
                Field::Number(field) => Reading::Number(*field(&mut self)),
                Field::Count(field) => Reading::Count(*field(&mut self)),
                Field::More => continue,
            };
            record.set(&measure.name, Some(reading));
        }
        let steps = self.steps.iter().flat_map(|steps| {
            let sizes = [steps.min, steps.median, steps.max].map(Reading::Number);
            StepSizes::NAMES.map(|it| it.0).into_iter().zip(sizes.map(Some))
        });
        let more = self.more.iter().map(|it| (&*it.measure, it.to_value()));
        for (name, reading) in steps.chain(more) {
            let of = |what: &str| {
                format!("{} of epoch {} {what}", clean_line(name, MAX_NAME_BYTES), self.epoch)
            };
            if measures.iter().all(|measure| measure.name != name) {
                return Err(Malformed(of("is no measure of this sweep")));
            }
            if record.reading(name).is_some() {
                return Err(Malformed(of("is there twice")));
            }
            record.set(name, Some(required(reading, &of("has a value that"))?));
        }
        record.check().map_err(|breach| Malformed(breach.to_string()))?;
        Ok(record)
    }
}

impl crate::Reading {
    pub(super) fn new(measure: &str, reading: Reading) -> Self {
        use reading::Value as Wire;
        let value = match reading {
            Reading::Number(number) => Wire::Number(number),
            Reading::Count(count) => Wire::Count(count),
        };
        Self { measure: measure.into(), value: Some(value) }
    }

    /// `None` for a kind of value that this build does not know.
    fn to_value(&self) -> Option<Reading> {
        use reading::Value as Wire;
        Some(match self.value.as_ref()? {
            Wire::Number(number) => Reading::Number(*number),
            Wire::Count(count) => Reading::Count(*count),
        })
    }
}
