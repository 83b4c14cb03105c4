//! The data set that the fake coordinator hands out.

use trainer::Dataset;
use trial::{Scale, Split};

pub const N_TRAIN: u32 = 400;
pub const N_VALID: u32 = 100;

/// Images of 4 x 4 pixels whose bright half tells their class.
pub fn dataset() -> Dataset {
    let file = |n: u32| {
        let mut images = [0x0803, n, 4, 4].map(u32::to_be_bytes).concat();
        let mut labels = [0x0801, n].map(u32::to_be_bytes).concat();
        for index in 0..n {
            let label = (index % 2) as u8;
            labels.push(label);
            images.extend((0..16).map(|pixel: u32| {
                let noise = (index * 31 + pixel * 17) % 97;
                (noise + if pixel / 8 == u32::from(label) { 150 } else { 0 }) as u8
            }));
        }
        (images, labels)
    };
    let (train, test) = (file(N_TRAIN + N_VALID), file(50));
    Dataset::from_idx(&train.0, &train.1, &test.0, &test.1).unwrap()
}

pub fn split() -> Split {
    Split { n_train: N_TRAIN, n_valid: N_VALID, scale: Scale::Unit }
}
