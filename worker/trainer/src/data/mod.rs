//! A data set as it comes: images and labels of a train and a test file, checked and undecided about
//! scale and split. `prepared` turns it into what the training loop reads.

mod blob;
mod idx;
mod prepared;
#[cfg(test)]
mod properties;
pub mod samples;

use std::ops::Range;

use sha2::{Digest as _, Sha256};
use trial::Digest;

use crate::data::samples::{DataError, MAX_CLASSES, MAX_INPUTS, Samples, n_inputs};

pub use idx::{IdxHeader, MAX_IDX_HEADER_BYTES, idx_header};
pub use prepared::PreparedData;
pub(crate) use prepared::{Part, Values};

/// Raw content of a data set: inputs (u8), labels (below `MAX_CLASSES`) and the shape of one input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// Sizes of one image, for example `[28, 28]`.
    dims: Vec<u32>,
    train: Samples,
    test: Samples,
    n_classes: usize,
}

impl Dataset {
    /// Reads four unpacked IDX files (<http://yann.lecun.com/exdb/mnist/>). The classes are the
    /// largest label + 1 (2 to 1000), the inputs the product of the image's dimensions. Labels that
    /// begin with 1, as EMNIST's letters do, stay as they are: class 0 then never occurs.
    pub fn from_idx(
        train_images: &[u8],
        train_labels: &[u8],
        test_images: &[u8],
        test_labels: &[u8],
    ) -> Result<Self, DataError> {
        let (dims, train) =
            idx::samples(("train images", train_images), ("train labels", train_labels))?;
        let (test_dims, test) =
            idx::samples(("test images", test_images), ("test labels", test_labels))?;
        if dims != test_dims {
            let problem =
                format!("expected images of {dims:?} as in train images, got {test_dims:?}");
            return Err(DataError::File { file: "test images", problem });
        }
        if let [first, rest @ ..] = &train.labels[..]
            && rest.iter().all(|label| label == first)
        {
            return Err(DataError::OneClass { label: *first });
        }
        Self::checked(dims, train, test)
    }

    /// The rules that hold for every data set, whatever it was read from.
    fn checked(dims: Vec<u32>, train: Samples, test: Samples) -> Result<Self, DataError> {
        let at = |file, problem| Err(DataError::File { file, problem });
        let n_inputs = n_inputs(&dims);
        if !n_inputs.is_some_and(|n| (1..=MAX_INPUTS).contains(&n)) {
            return at("train images", format!("expected 1 to {MAX_INPUTS} inputs, got {dims:?}"));
        }
        if train.labels.is_empty() {
            return at("train images", "expected at least one sample, got none".into());
        }
        let largest = train.labels.iter().chain(&test.labels).max().copied().unwrap_or(0);
        let n_classes = usize::from(largest) + 1;
        if n_classes < 2 {
            return at(
                "train labels",
                "expected at least two classes, but every label is 0".into(),
            );
        }
        if n_classes > MAX_CLASSES {
            let problem = format!("expected at most {MAX_CLASSES} classes, got {n_classes}");
            return at("train labels", problem);
        }
        Ok(Self { dims, train, test, n_classes })
    }

    /// The canonical blob (`blob` has the layout): what workers fetch and cache.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write_blob(|part| bytes.extend_from_slice(part));
        bytes
    }

    /// Reads what `encode` wrote; anything else is an error.
    pub fn decode(blob: &[u8]) -> Result<Self, DataError> {
        let (dims, train, test) = blob::read(blob)?;
        Self::checked(dims, train, test)
    }

    /// SHA-256 of `encode()`: it covers role, shape and bytes of each file.
    pub fn digest(&self) -> Digest {
        let mut hash = Sha256::new();
        self.write_blob(|part| hash.update(part));
        Digest(hash.finalize().into())
    }

    fn write_blob(&self, mut sink: impl FnMut(&[u8])) {
        sink(&blob::header(&self.dims, self.n_classes, self.n_train(), self.n_test()));
        for part in [&self.train, &self.test] {
            sink(&part.inputs);
            sink(&blob::labels(&part.labels, self.n_classes));
        }
    }

    pub fn n_train(&self) -> usize {
        self.train.labels.len()
    }

    pub fn n_test(&self) -> usize {
        self.test.labels.len()
    }

    pub fn n_inputs(&self) -> usize {
        self.train.inputs.len() / self.n_train()
    }

    pub fn n_classes(&self) -> usize {
        self.n_classes
    }

    /// Labels of the rows of the train file, in their order.
    pub fn train_labels(&self) -> &[u16] {
        &self.train.labels
    }

    pub fn test_labels(&self) -> &[u16] {
        &self.test.labels
    }

    /// Share of the training inputs that are not zero, from 0 to 1.
    pub fn nonzero_share(&self) -> f64 {
        let inputs = &self.train.inputs;
        inputs.iter().filter(|input| **input != 0).count() as f64 / inputs.len() as f64
    }

    /// Share (0 to 1) of the most frequent label among these rows of the train file: what always
    /// answering that class would score. 0 for no rows; rows past the end are left out.
    pub fn largest_class_share(&self, rows: Range<usize>) -> f64 {
        let end = usize::min(rows.end, self.n_train());
        largest_share(self.train.labels.get(rows.start..end).unwrap_or_default())
    }
}

fn largest_share(labels: &[u16]) -> f64 {
    let mut counts = [0_u32; MAX_CLASSES];
    for &label in labels {
        counts[usize::from(label)] += 1;
    }
    let largest = counts.iter().max().copied().unwrap_or(0);
    if labels.is_empty() { 0.0 } else { f64::from(largest) / labels.len() as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::idx as idx_images;

    fn small() -> Dataset {
        let images = idx_images(&[3, 2, 2], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255]);
        let labels = idx_images(&[3], &[2, 0, 2]);
        let test_images = idx_images(&[1, 2, 2], &[9, 9, 9, 9]);
        let test_labels = idx_images(&[1], &[1]);
        Dataset::from_idx(&images, &labels, &test_images, &test_labels).unwrap()
    }

    #[test]
    fn idx_files_become_a_data_set() {
        let set = small();
        assert_eq!((set.n_train(), set.n_test(), set.n_inputs(), set.n_classes()), (3, 1, 4, 3));
        assert_eq!(set.largest_class_share(0..3), 2.0 / 3.0);
        assert_eq!(set.largest_class_share(1..2), 1.0);
        assert_eq!(set.largest_class_share(3..9), 0.0);
    }

    #[test]
    fn labels_above_255_take_wider_files() {
        let images = idx_images(&[2, 1, 1], &[1, 2]);
        let shorts = |labels: [i16; 2]| {
            let bytes = labels.map(i16::to_be_bytes).concat();
            [&[0, 0, 11, 1, 0, 0, 0, 2][..], &bytes].concat()
        };
        let ints = |labels: [i32; 2]| {
            let bytes = labels.map(i32::to_be_bytes).concat();
            [&[0, 0, 12, 1, 0, 0, 0, 2][..], &bytes].concat()
        };
        let read = |train: &[u8], test: &[u8]| Dataset::from_idx(&images, train, &images, test);
        let set = read(&shorts([999, 0]), &ints([7, 300])).unwrap();
        assert_eq!((set.n_classes(), &set.train.labels[..]), (1000, &[999, 0][..]));
        assert_eq!(set.test.labels, [7, 300]);
        assert_eq!(Dataset::decode(&set.encode()).unwrap(), set);

        // The same data in other files has the same blob.
        let narrow = read(&idx_images(&[2], &[3, 0]), &idx_images(&[2], &[1, 2])).unwrap();
        assert_eq!(read(&shorts([3, 0]), &ints([1, 2])).unwrap().encode(), narrow.encode());
        let mut wide = set.encode();
        let n_bytes = wide.len();
        wide[n_bytes - 12..].fill(0);
        assert!(Dataset::decode(&wide).is_err(), "wide labels that need not be");

        for bad in
            [shorts([0, 1000]), shorts([-1, 0]), ints([0, i32::MAX]), shorts([0, 1])[..11].to_vec()]
        {
            assert!(read(&bad, &idx_images(&[2], &[0, 1])).is_err(), "{bad:?}");
        }
        assert!(
            Dataset::from_idx(&shorts([0, 1]), &shorts([0, 1]), &images, &shorts([0, 1])).is_err()
        );
    }

    #[test]
    fn labels_of_qmnist_are_the_first_of_eight_columns() {
        let images = idx_images(&[2, 1, 1], &[1, 2]);
        let row = |class: i32| [class, 9, 9, 9, 9, 9, 9, 9].map(i32::to_be_bytes).concat();
        let columns = [&[0, 0, 12, 2, 0, 0, 0, 2, 0, 0, 0, 8][..], &row(1), &row(0)].concat();
        let narrow = idx_images(&[2], &[1, 0]);
        let read = |labels: &[u8]| Dataset::from_idx(&images, labels, &images, &narrow);
        assert_eq!(read(&columns).unwrap(), read(&narrow).unwrap());
        let error = read(&idx_images(&[2, 3], &[0; 6])).unwrap_err().to_string();
        assert!(error.contains("8 columns of whole numbers as in QMNIST, got 3"), "{error}");
    }

    #[test]
    fn labels_that_begin_with_1_leave_class_0_empty() {
        let images = idx_images(&[3, 1, 1], &[1, 2, 3]);
        let labels = idx_images(&[3], &[1, 26, 2]);
        let set = Dataset::from_idx(&images, &labels, &images, &labels).unwrap();
        assert_eq!((set.n_classes(), set.train_labels()), (27, &[1, 26, 2][..]));
        let alike = idx_images(&[3], &[5, 5, 5]);
        let error = Dataset::from_idx(&images, &alike, &images, &labels).unwrap_err().to_string();
        assert_eq!(error, "train labels: expected at least two classes, but every label is 5");
    }

    #[test]
    fn floats_are_read_if_they_are_bytes_and_refused_otherwise() {
        let labels = idx_images(&[2], &[0, 1]);
        let floats = |pixels: [f32; 2]| {
            let bytes = pixels.map(f32::to_be_bytes).concat();
            [&[0, 0, 13, 2, 0, 0, 0, 2, 0, 0, 0, 1][..], &bytes].concat()
        };
        let read = |pixels| {
            let images = floats(pixels);
            Dataset::from_idx(&images, &labels, &images, &labels)
        };
        assert_eq!(read([0.0, 1.0]).unwrap().train.inputs, [0, 255]);
        assert_eq!(read([128.0 / 255.0, 1.0 / 255.0]).unwrap().train.inputs, [128, 1]);
        assert_eq!(read([0.0, 254.0]).unwrap().train.inputs, [0, 254]);
        for bad in [[-1.0, 1.0], [0.5, 0.25], [0.5, 3.0], [0.0, 256.0]] {
            assert!(matches!(read(bad), Err(DataError::Pixels { .. })), "{bad:?}");
        }
        for odd in [f32::NAN, f32::INFINITY] {
            let error = read([0.0, odd]).unwrap_err();
            assert!(matches!(error, DataError::NotFinite { at: 1, .. }), "{error}");
        }
    }

    /// An IDX file of one type, each number as the type has it.
    fn typed(code: u8, dims: &[u32], numbers: &[f64]) -> Vec<u8> {
        let mut file = idx_images(dims, &[]);
        file[2] = code;
        for &x in numbers {
            match code {
                8 => file.push(x as u8),
                9 => file.extend((x as i8).to_be_bytes()),
                11 => file.extend((x as i16).to_be_bytes()),
                12 => file.extend((x as i32).to_be_bytes()),
                13 => file.extend((x as f32).to_be_bytes()),
                _ => file.extend(x.to_be_bytes()),
            }
        }
        file
    }

    const TYPES: [(u8, &str); 6] =
        [(8, "u8"), (9, "i8"), (11, "i16"), (12, "i32"), (13, "f32"), (14, "f64")];

    #[test]
    fn labels_of_every_type_are_read_if_they_are_whole() {
        let images = idx_images(&[3, 1, 1], &[1, 2, 3]);
        let plain = idx_images(&[3], &[2, 0, 100]);
        let read = |labels: &[u8]| Dataset::from_idx(&images, labels, &images, &plain);
        for (code, name) in TYPES {
            for dims in [&[3][..], &[3, 1]] {
                let set = read(&typed(code, dims, &[2.0, -0.0, 100.0])).expect(name);
                assert_eq!(set, read(&plain).unwrap(), "{name}");
            }
            let bad: &[f64] = match code {
                8 => &[],
                9 => &[-1.0],
                11 | 12 => &[-1.0, 1000.0],
                _ => &[-1.0, 1000.0, 0.5, 1e30, -1e-9],
            };
            for &label in bad {
                let error = read(&typed(code, &[3], &[0.0, label, 1.0])).unwrap_err();
                assert!(matches!(error, DataError::Labels { .. }), "{name} {label}: {error}");
                assert!(error.to_string().ends_with("in row 1"), "{name} {label}: {error}");
            }
        }
        let error = read(&typed(14, &[3], &[0.0, f64::NAN, 1.0])).unwrap_err();
        assert!(matches!(error, DataError::NotFinite { at: 1, .. }), "{error}");
        // A share of each class is no label, though there are as many as QMNIST has columns.
        let error = read(&typed(13, &[3, 8], &[0.0; 24])).unwrap_err();
        assert!(error.to_string().contains("got 8 columns of f32"), "{error}");
    }

    #[test]
    fn images_of_every_type_are_read_if_they_are_bytes() {
        let labels = idx_images(&[2], &[0, 1]);
        let read = |images: &[u8]| Dataset::from_idx(images, &labels, images, &labels);
        for (code, name) in TYPES {
            let set = read(&typed(code, &[2, 1, 2], &[0.0, 1.0, 2.0, 127.0])).expect(name);
            assert_eq!(set.train.inputs, [0, 1, 2, 127], "{name}");
            if code != 8 {
                let error = read(&typed(code, &[2, 1, 2], &[0.0, 1.0, 2.0, -3.0])).unwrap_err();
                assert!(matches!(error, DataError::Pixels { .. }), "{name}: {error}");
                assert!(error.to_string().contains("from -3 to 2"), "{name}: {error}");
            }
        }
        let error = read(&typed(10, &[2, 1, 2], &[0.0; 4])).unwrap_err().to_string();
        assert!(error.contains("the type 0a; expected 08 (u8)"), "{error}");
    }

    #[test]
    fn little_endian_elements_are_called_so() {
        let (images, labels) = (idx_images(&[2, 1, 1], &[1, 2]), idx_images(&[2], &[0, 1]));
        for (code, name) in &TYPES[2..] {
            let swapped = |dims: &[u32], numbers: &[f64]| {
                let mut file = typed(*code, dims, numbers);
                let n_head = 4 + 4 * dims.len();
                let n_bytes = (file.len() - n_head) / numbers.len();
                file[n_head..].chunks_exact_mut(n_bytes).for_each(<[u8]>::reverse);
                file
            };
            let odd = swapped(&[2, 1, 1], &[3.0, 200.0]);
            let error = Dataset::from_idx(&odd, &labels, &images, &labels).unwrap_err();
            assert_eq!(error, DataError::ByteOrder { file: "train images", kind: name });
            let odd = swapped(&[2], &[1.0, 9.0]);
            let error = Dataset::from_idx(&images, &labels, &images, &odd).unwrap_err();
            assert_eq!(error, DataError::ByteOrder { file: "test labels", kind: name });
        }
    }

    #[test]
    fn errors_name_the_file() {
        let images = idx_images(&[2, 1, 1], &[1, 2]);
        let labels = idx_images(&[2], &[0, 1]);
        let short = idx_images(&[2], &[0]);
        let wide = idx_images(&[2, 1, 2], &[0; 4]);
        let zeros = idx_images(&[2], &[0, 0]);
        for (files, file) in [
            ([&images, &short, &images, &labels], "train labels"),
            ([&labels, &labels, &images, &labels], "train images"),
            ([&images, &labels, &wide, &labels], "test images"),
            ([&images, &labels, &images, &short], "test labels"),
            ([&images, &zeros, &images, &zeros], "train labels"),
        ] {
            let error = Dataset::from_idx(files[0], files[1], files[2], files[3]).unwrap_err();
            assert!(error.to_string().starts_with(file), "{error}");
        }
    }

    #[test]
    fn a_blob_round_trips_and_its_hash_is_the_digest() {
        let set = small();
        let blob = set.encode();
        assert_eq!(Dataset::decode(&blob).unwrap(), set);
        assert_eq!(set.digest(), Digest::of(&blob));
    }

    #[test]
    fn hostile_blobs_are_errors() {
        let blob = small().encode();
        for length in 0..blob.len() {
            assert!(Dataset::decode(&blob[..length]).is_err(), "cut to {length}");
        }
        let longer = [&blob[..], &[0]].concat();
        assert!(Dataset::decode(&longer).is_err());
        for byte in 0..blob::header(&[2, 2], 3, 3, 1).len() {
            for bit in 0..8 {
                let mut flipped = blob.clone();
                flipped[byte] ^= 1 << bit;
                assert!(Dataset::decode(&flipped).is_err(), "bit {bit} of byte {byte}");
            }
        }
    }
}
