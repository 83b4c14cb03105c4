//! What the tests share: small generated data sets and configurations in one line.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use trial::{Scale, Split, TrialResult, Value};

use crate::config::{OptimizerKind, TrainConfig};
use crate::data::{Dataset, PreparedData};
use crate::numerics::rng::{Purpose, draw};
pub(crate) use crate::trial::selftest::idx;
use crate::trial::trainer::{EpochEnd, Trainer};

/// Samples whose inputs are on (1 to 255) with a probability that depends on input and label:
/// `often` of 16 where the class has them, `seldom` elsewhere.
#[derive(Clone, Copy)]
pub(crate) struct Generated {
    pub n_train: u32,
    pub n_test: u32,
    pub n_inputs: u32,
    pub n_classes: u32,
    pub often: u32,
    pub seldom: u32,
}

impl Generated {
    /// Mostly zeros.
    pub(crate) const SPARSE: Self =
        Self { n_train: 90, n_test: 21, n_inputs: 45, n_classes: 5, often: 10, seldom: 3 };
    /// Mostly not.
    pub(crate) const DENSE: Self = Self { often: 15, seldom: 11, ..Self::SPARSE };

    pub(crate) fn dataset(&self) -> Dataset {
        let pixel = |row: u32, input: u32| {
            let [u, v, ..] = draw(99, Purpose::Order, [row, input, 0, 0]);
            let chance = if input % self.n_classes == row % self.n_classes {
                self.often
            } else {
                self.seldom
            };
            if u % 16 < chance { (v >> 24) as u8 | 1 } else { 0 }
        };
        let files = |first: u32, n: u32| {
            let rows = first..first + n;
            let labels = rows.clone().map(|row| ((row % self.n_classes) as u16).to_be_bytes());
            let labels =
                [&[0, 0, 11, 1][..], &n.to_be_bytes(), &labels.flatten().collect::<Vec<u8>>()];
            let pixels = rows.flat_map(|row| (0..self.n_inputs).map(move |input| (row, input)));
            let pixels: Vec<u8> = pixels.map(|(row, input)| pixel(row, input)).collect();
            (idx(&[n, self.n_inputs], &pixels), labels.concat())
        };
        let (images, labels) = files(0, self.n_train);
        let (test_images, test_labels) = files(self.n_train, self.n_test);
        Dataset::from_idx(&images, &labels, &test_images, &test_labels).unwrap()
    }

    /// A fifth validates.
    pub(crate) fn prepare(&self, scale: Scale) -> Arc<PreparedData> {
        let n_valid = self.n_train / 5;
        let split = Split { n_train: self.n_train - n_valid, n_valid, scale };
        Arc::new(PreparedData::new(&self.dataset(), split).unwrap())
    }
}

pub(crate) fn optimizer(name: &str) -> OptimizerKind {
    OptimizerKind::from_name(name).expect(name)
}

/// A configuration of two epochs with a few values changed by name.
pub(crate) fn config(optimizer: OptimizerKind, changes: &[(&str, Value)]) -> TrainConfig {
    let mut values = BTreeMap::from([
        ("optimizer".to_string(), Value::Text(optimizer.name().into())),
        ("learning_rate".to_string(), Value::Number(0.05)),
        ("batch_size".to_string(), Value::Count(7)),
        ("hidden".to_string(), Value::Widths(vec![17, 10])),
        ("epochs".to_string(), Value::Count(2)),
    ]);
    values.extend(changes.iter().map(|(name, value)| (name.to_string(), value.clone())));
    TrainConfig::from_values(&values, 3).unwrap()
}

/// Trains to the end.
pub(crate) fn finish(mut trainer: Trainer) -> TrialResult {
    while trainer.run_epoch(&AtomicBool::new(false)) == EpochEnd::Continues {}
    trainer.into_result()
}
