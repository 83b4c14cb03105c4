//! A data set split and scaled for training: built once, shared by all slots, never changed.

use trial::{DataShape, Digest, Scale, Split};

use super::{Dataset, largest_share};
use crate::data::samples::{DataError, Samples};
use crate::kernels::{CompressedRows, vec_in_huge_pages};

/// Inputs as the training loop reads them.
#[derive(Debug)]
pub(crate) enum Values {
    Sparse(CompressedRows),
    /// All inputs of each row.
    Dense(Vec<f32>),
}

/// The samples of one role.
#[derive(Debug)]
pub(crate) struct Part {
    pub labels: Vec<u16>,
    pub values: Values,
    n_inputs: usize,
}

impl Part {
    pub(crate) fn len(&self) -> usize {
        self.labels.len()
    }

    pub(crate) fn n_inputs(&self) -> usize {
        self.n_inputs
    }

    /// Inputs of a row that take part in products: in the sparse form, those that are not zero.
    pub(crate) fn n_used(&self, row: usize) -> usize {
        match &self.values {
            Values::Sparse(rows) => rows.values(row).len(),
            Values::Dense(_) => self.n_inputs,
        }
    }

    /// Writes a row with its zeros.
    pub(crate) fn write_dense(&self, row: usize, out: &mut [f32]) {
        match &self.values {
            Values::Sparse(rows) => {
                out.fill(0.0);
                for (input, &value) in rows.inputs(row).zip(rows.values(row)) {
                    out[input] = value;
                }
            }
            Values::Dense(all) => {
                out.copy_from_slice(&all[row * self.n_inputs..][..self.n_inputs]);
            }
        }
    }
}

/// What a trial reads; `Arc` shares it among slots.
#[derive(Debug)]
pub struct PreparedData {
    pub(crate) train: Part,
    pub(crate) valid: Part,
    pub(crate) test: Part,
    /// The training rows as they came, for exact integer products; `None` unless the scale is unit.
    pub(crate) train_bytes: Option<Vec<u8>>,
    split: Split,
    n_inputs: usize,
    n_classes: usize,
    digest: Digest,
}

impl PreparedData {
    /// Scales, and drops zeros if at least half of the training split's inputs are zero.
    pub fn new(dataset: &Dataset, split: Split) -> Result<Self, DataError> {
        let Split { n_train, n_valid, scale } = split;
        let error = |problem: String| DataError::Split { n_train, n_valid, problem };
        if n_train == 0 {
            return Err(error("expected at least one training sample".into()));
        }
        if u64::from(n_train) + u64::from(n_valid) > dataset.n_train() as u64 {
            return Err(error(format!("the train file has only {}", dataset.n_train())));
        }
        let n_inputs = dataset.n_inputs();
        let (n_train, n_valid) = (n_train as usize, n_valid as usize);
        let (train_bytes, rest) = dataset.train.inputs.split_at(n_train * n_inputs);
        let table = match scale {
            Scale::Unit => unit_table(n_inputs),
            Scale::Standard => standard_table(train_bytes, n_inputs),
        };
        let is_sparse = is_mostly_zero(train_bytes, &table);
        let part = |bytes: &[u8], labels: &[u16]| {
            let values = if is_sparse { compress(bytes, &table) } else { spread(bytes, &table) };
            Part { labels: labels.to_vec(), values, n_inputs }
        };
        let Samples { inputs: test_bytes, labels: test_labels } = &dataset.test;
        Ok(Self {
            train: part(train_bytes, &dataset.train.labels[..n_train]),
            valid: part(
                &rest[..n_valid * n_inputs],
                &dataset.train.labels[n_train..n_train + n_valid],
            ),
            test: part(test_bytes, test_labels),
            train_bytes: (scale == Scale::Unit).then(|| copied(train_bytes)),
            split,
            n_inputs,
            n_classes: dataset.n_classes(),
            digest: dataset.digest(),
        })
    }

    /// The same data in the other form: every input of every row.
    #[cfg(test)]
    pub(crate) fn with_zeros(mut self) -> Self {
        for part in [&mut self.train, &mut self.valid, &mut self.test] {
            let mut all = vec![0.0; part.len() * self.n_inputs];
            for (row, out) in all.chunks_exact_mut(self.n_inputs).enumerate() {
                part.write_dense(row, out);
            }
            part.values = Values::Dense(all);
        }
        self
    }

    /// What a result of a trial on this data must fit.
    pub fn shape(&self) -> DataShape {
        let small =
            |n: usize| u32::try_from(n).expect("data sets are below 2^32 samples and inputs");
        DataShape {
            n_train: small(self.n_train()),
            n_valid: small(self.n_valid()),
            n_test: small(self.n_test()),
            n_inputs: small(self.n_inputs),
            n_classes: small(self.n_classes),
            largest_valid_share: Some(self.largest_valid_share()),
        }
    }

    pub fn split(&self) -> Split {
        self.split
    }

    pub fn n_train(&self) -> usize {
        self.train.len()
    }

    pub fn n_valid(&self) -> usize {
        self.valid.len()
    }

    pub fn n_test(&self) -> usize {
        self.test.len()
    }

    pub fn n_inputs(&self) -> usize {
        self.n_inputs
    }

    pub fn n_classes(&self) -> usize {
        self.n_classes
    }

    /// Whether the first layer skips zero inputs.
    pub fn is_sparse(&self) -> bool {
        matches!(self.train.values, Values::Sparse(_))
    }

    /// Digest of the data set that this was prepared from.
    pub fn dataset_digest(&self) -> Digest {
        self.digest
    }

    /// Share of the most frequent label in the validation part; 0 without one.
    pub(crate) fn largest_valid_share(&self) -> f64 {
        largest_share(&self.valid.labels)
    }
}

/// The f32 of each (input, byte): `table[input][byte]`.
type Table = Vec<[f32; 256]>;

fn unit_table(n_inputs: usize) -> Table {
    vec![std::array::from_fn(|byte| byte as f32 / 255.0); n_inputs]
}

/// Mean and deviation in f64 over the rows in order; a constant input becomes +0.
fn standard_table(bytes: &[u8], n_inputs: usize) -> Table {
    let n_rows = (bytes.len() / n_inputs) as f64;
    let mut means = vec![0.0_f64; n_inputs];
    for row in bytes.chunks_exact(n_inputs) {
        means.iter_mut().zip(row).for_each(|(mean, &byte)| *mean += f64::from(byte));
    }
    means.iter_mut().for_each(|mean| *mean /= n_rows);
    let mut squares = vec![0.0_f64; n_inputs];
    for row in bytes.chunks_exact(n_inputs) {
        for ((square, mean), &byte) in squares.iter_mut().zip(&means).zip(row) {
            let offset = f64::from(byte) - mean;
            *square += offset * offset;
        }
    }
    let entry = |(mean, square): (f64, f64)| {
        let deviation = (square / n_rows).sqrt();
        std::array::from_fn(|byte| {
            if deviation == 0.0 { 0.0 } else { ((byte as f64 - mean) / deviation) as f32 }
        })
    };
    means.into_iter().zip(squares).map(entry).collect()
}

fn is_mostly_zero(bytes: &[u8], table: &Table) -> bool {
    let rows = bytes.chunks_exact(table.len());
    let n_zero: usize = rows.map(|row| scaled(row, table).filter(|&x| x == 0.0).count()).sum();
    2 * n_zero >= bytes.len()
}

fn compress(bytes: &[u8], table: &Table) -> Values {
    let rows = || bytes.chunks_exact(table.len());
    let n_values = rows().map(|row| scaled(row, table).filter(|&x| x != 0.0).count()).sum();
    let mut compressed = CompressedRows::with_capacity(table.len(), rows().len(), n_values);
    rows().for_each(|row| compressed.push(scaled(row, table)));
    Values::Sparse(compressed)
}

fn spread(bytes: &[u8], table: &Table) -> Values {
    let mut all = vec_in_huge_pages(bytes.len());
    all.extend(bytes.chunks_exact(table.len()).flat_map(|row| scaled(row, table)));
    Values::Dense(all)
}

fn copied(bytes: &[u8]) -> Vec<u8> {
    let mut copy = vec_in_huge_pages(bytes.len());
    copy.extend_from_slice(bytes);
    copy
}

fn scaled(row: &[u8], table: &Table) -> impl Iterator<Item = f32> {
    row.iter().zip(table).map(|(&byte, entry)| entry[usize::from(byte)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::idx as idx_images;

    fn dataset(pixels: &[u8], n_inputs: usize) -> Dataset {
        let n = (pixels.len() / n_inputs) as u32;
        let images = idx_images(&[n, n_inputs as u32], pixels);
        let labels: Vec<u8> = (0..n).map(|i| (i % 2) as u8).collect();
        let labels = idx_images(&[n], &labels);
        Dataset::from_idx(&images, &labels, &images, &labels).unwrap()
    }

    #[test]
    fn half_zeros_are_sparse_and_fewer_are_dense() {
        let split = Split { n_train: 2, n_valid: 1, scale: Scale::Unit };
        let half = PreparedData::new(&dataset(&[0, 9, 255, 0, 7, 7], 2), split).unwrap();
        assert!(half.is_sparse());
        let mut row = [9.0; 2];
        half.train.write_dense(1, &mut row);
        assert_eq!((half.train.n_used(1), row), (1, [1.0, 0.0]));
        let fewer = PreparedData::new(&dataset(&[1, 9, 255, 0, 0, 0], 2), split).unwrap();
        assert!(!fewer.is_sparse());
        let mut row = [9.0; 2];
        fewer.train.write_dense(1, &mut row);
        assert_eq!(row, [1.0, 0.0]);
    }

    #[test]
    fn standard_scale_has_mean_0_and_deviation_1_over_the_training_split() {
        let split = Split { n_train: 4, n_valid: 0, scale: Scale::Standard };
        let data = PreparedData::new(&dataset(&[1, 5, 3, 5, 1, 5, 3, 5], 2), split).unwrap();
        let mut row = [9.0; 2];
        data.train.write_dense(0, &mut row);
        assert_eq!(row, [-1.0, 0.0]);
        data.train.write_dense(1, &mut row);
        assert_eq!(row, [1.0, 0.0]);
    }

    #[test]
    fn a_split_that_does_not_fit_is_refused() {
        let data = dataset(&[1, 2, 3, 4], 2);
        for (n_train, n_valid) in [(0, 1), (2, 1), (u32::MAX, u32::MAX)] {
            let split = Split { n_train, n_valid, scale: Scale::Unit };
            assert!(PreparedData::new(&data, split).is_err());
        }
    }
}
