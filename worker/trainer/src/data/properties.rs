//! Properties of the reader of IDX files and of blobs: whatever the bytes, a data set or an error,
//! never a panic; forms of the same data are the same data set.

use properties::check;
use proptest::prelude::*;

use super::{Dataset, idx_header};

/// Cases of each property.
const N_CASES: u32 = 500;

/// Cases that once failed.
const FAILED_BEFORE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/data.txt");

/// An IDX file of whole numbers in one of its types.
fn file(code: u8, dims: &[u32], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, code, dims.len() as u8];
    dims.iter().for_each(|dim| bytes.extend(dim.to_be_bytes()));
    for &value in values {
        match code {
            8 | 9 => bytes.push(value),
            11 => bytes.extend(i16::from(value).to_be_bytes()),
            12 => bytes.extend(i32::from(value).to_be_bytes()),
            13 => bytes.extend((f32::from(value) / 255.0).to_be_bytes()),
            _ => bytes.extend((f64::from(value) / 255.0).to_be_bytes()),
        }
    }
    bytes
}

/// Rows, side lengths, and pixels and labels for them.
fn content() -> impl Strategy<Value = ([u32; 3], Vec<u8>, Vec<u8>)> {
    (2..9_u32, 1..4_u32, 1..4_u32).prop_flat_map(|(n, rows, columns)| {
        let pixels = prop::collection::vec(any::<u8>(), (n * rows * columns) as usize);
        let labels = prop::collection::vec(0..7_u8, n as usize);
        (Just([n, rows, columns]), pixels, labels)
    })
}

fn read(files: [&[u8]; 4]) -> Result<Dataset, String> {
    let [train_images, train_labels, test_images, test_labels] = files;
    Dataset::from_idx(train_images, train_labels, test_images, test_labels)
        .map_err(|error| error.to_string())
}

#[test]
fn every_type_of_elements_gives_the_same_blob() {
    let types = prop::sample::select(vec![11_u8, 12, 13, 14]);
    let labels = prop::sample::select(vec![8_u8, 9, 11, 12]);
    check(
        FAILED_BEFORE,
        N_CASES,
        &(content(), types, labels),
        |((dims, pixels, classes), image_type, label_type)| {
            let plain = (file(8, &dims, &pixels), file(8, &dims[..1], &classes));
            let other = (file(image_type, &dims, &pixels), file(label_type, &dims[..1], &classes));
            let plain = read([&plain.0, &plain.1, &plain.0, &plain.1]);
            let other = read([&other.0, &other.1, &other.0, &other.1]);
            let blob = |set: Result<Dataset, String>| set.map(|set| set.encode());
            prop_assert_eq!(blob(plain), blob(other));
            Ok(())
        },
    );
}

#[test]
fn any_bytes_are_a_data_set_or_an_error() {
    let header = prop::collection::vec(any::<u8>(), 0..40);
    let slips = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
    let strategy = (content(), header, slips, any::<prop::sample::Index>(), 0..4_usize);
    check(
        FAILED_BEFORE,
        N_CASES,
        &strategy,
        |((dims, pixels, classes), random, slips, cut, which)| {
            let mut files = [
                file(8, &dims, &pixels),
                file(8, &dims[..1], &classes),
                file(8, &dims, &pixels),
                file(8, &dims[..1], &classes),
            ];
            let changed = &mut files[which];
            for (at, byte) in slips {
                // Mostly the header, where a slip announces sizes that are not there.
                let at = at.index(changed.len().min(24));
                changed[at] = byte;
            }
            let length = cut.index(2 * changed.len());
            changed.truncate(length);
            let _ = idx_header(changed);
            let _ = idx_header(&random);
            if let Ok(set) = read(files.each_ref().map(Vec::as_slice)) {
                let blob = set.encode();
                prop_assert_eq!(Dataset::decode(&blob), Ok(set));
            }
            let _ = read([&random; 4].map(Vec::as_slice));
            let _ = Dataset::decode(&random);
            Ok(())
        },
    );
}

#[test]
fn any_slip_in_a_blob_is_an_error_or_another_data_set() {
    let slips = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4);
    check(FAILED_BEFORE, N_CASES, &(content(), slips), |((dims, pixels, classes), slips)| {
        let images = file(8, &dims, &pixels);
        let labels = file(8, &dims[..1], &classes);
        let Ok(set) = read([&images, &labels, &images, &labels]) else { return Ok(()) };
        let mut blob = set.encode();
        for (at, byte) in slips {
            let at = at.index(blob.len());
            blob[at] = byte;
        }
        if let Ok(other) = Dataset::decode(&blob) {
            prop_assert_eq!(other.encode(), blob);
        }
        Ok(())
    });
}
