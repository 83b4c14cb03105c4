//! A self-test that every worker runs before it joins: tiny trials whose bits must be the same on
//! every machine and path.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use sha2::{Digest as _, Sha256};
use trial::{Digest, Scale, Split, Value};

use crate::config::{OptimizerKind, TrainConfig};
use crate::data::{Dataset, PreparedData};
use crate::isa::Isa;
use crate::numerics::rng::{Purpose, draw};
use crate::trial::trainer::{EpochEnd, Trainer};

const SIDE: u32 = 6;
const N_TRAIN: u32 = 70;
const N_TEST: u32 = 16;

/// SHA-256 over the digests of one tiny trial per optimizer, with sparse and dense inputs.
pub fn selftest_digest(isa: Isa) -> Digest {
    let mut hash = Sha256::new();
    for scale in [Scale::Unit, Scale::Standard] {
        let split = Split { n_train: 50, n_valid: 20, scale };
        let data = PreparedData::new(&dataset(), split).expect("the split fits");
        let data = Arc::new(data);
        for kind in OptimizerKind::ALL {
            let trainer = Trainer::new(config(kind), Arc::clone(&data), isa);
            let mut trainer = trainer.expect("the batch fits");
            while trainer.run_epoch(&AtomicBool::new(false)) == EpochEnd::Continues {}
            hash.update(trainer.into_result().digest.0);
        }
    }
    Digest(hash.finalize().into())
}

fn config(kind: OptimizerKind) -> TrainConfig {
    let values = BTreeMap::from([
        ("optimizer".to_string(), Value::Text(kind.name().into())),
        ("learning_rate".to_string(), Value::Number(0.01)),
        ("batch_size".to_string(), Value::Count(12)),
        ("hidden".to_string(), Value::Widths(vec![37, 18])),
        ("epochs".to_string(), Value::Count(2)),
        ("dropout".to_string(), Value::Number(0.1)),
        ("label_smoothing".to_string(), Value::Number(0.05)),
    ]);
    TrainConfig::from_values(&values, 11).expect("the values are in range")
}

/// Images whose non-zero pixels follow their label, in IDX files.
fn dataset() -> Dataset {
    let files = |first: u32, n: u32| {
        let labels: Vec<u8> = (first..first + n).map(|row| (row % 5) as u8).collect();
        let pixel = |row: u32, pixel: u32| {
            let [u, v, ..] = draw(7, Purpose::Order, [row, pixel, 0, 0]);
            let is_on = u % 8 < if pixel % 5 == row % 5 { 6 } else { 2 };
            if is_on { (v >> 24) as u8 } else { 0 }
        };
        let pixels =
            (first..first + n).flat_map(|row| (0..SIDE * SIDE).map(move |p| pixel(row, p)));
        (idx(&[n, SIDE, SIDE], &pixels.collect::<Vec<u8>>()), idx(&[n], &labels))
    };
    let (images, labels) = files(0, N_TRAIN);
    let (test_images, test_labels) = files(N_TRAIN, N_TEST);
    Dataset::from_idx(&images, &labels, &test_images, &test_labels).expect("the files are right")
}

/// An IDX file of bytes.
pub(crate) fn idx(dims: &[u32], content: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, dims.len() as u8];
    dims.iter().for_each(|dim| file.extend(dim.to_be_bytes()));
    file.extend(content);
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_agrees() {
        let digests: Vec<_> = Isa::available().into_iter().map(selftest_digest).collect();
        assert!(digests.windows(2).all(|pair| pair[0] == pair[1]));
    }
}
