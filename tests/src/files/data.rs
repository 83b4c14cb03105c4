//! A generated IDX data set: small, learnable, half of its pixels zero, the same in every run.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::random::SplitMix;

const SIDE: usize = 12;
const N_CLASSES: usize = 4;
pub(crate) const N_TRAIN_ROWS: usize = 600;
const N_TEST_ROWS: usize = 200;

/// Writes the four files to `folder`, one of them gzip.
pub(crate) fn write(folder: &Path) {
    fs::create_dir_all(folder).expect("the data folder can be made");
    let mut random = SplitMix(12);
    for (prefix, n_rows) in [("train", N_TRAIN_ROWS), ("t10k", N_TEST_ROWS)] {
        let labels: Vec<u8> = (0..n_rows).map(|_| random.below(N_CLASSES) as u8).collect();
        let images: Vec<u8> =
            labels.iter().flat_map(|&label| image(label.into(), &mut random)).collect();
        let (n_rows, side) = (n_rows as u32, SIDE as u32);
        let images = idx(0x803, &[n_rows, side, side], &images);
        let images_path = folder.join(format!("{prefix}-images-idx3-ubyte"));
        if prefix == "train" {
            write_gzip(&images_path.with_extension("gz"), &images);
        } else {
            fs::write(&images_path, images).expect("the images can be written");
        }
        let labels = idx(0x801, &[n_rows], &labels);
        fs::write(folder.join(format!("{prefix}-labels-idx1-ubyte")), labels)
            .expect("the labels can be written");
    }
}

/// The class lights one quarter of the image; noise lights and darkens pixels anywhere.
fn image(class: usize, random: &mut SplitMix) -> [u8; SIDE * SIDE] {
    let mut pixels = [0; SIDE * SIDE];
    for (at, pixel) in pixels.iter_mut().enumerate() {
        let quarter = (at / SIDE) / (SIDE / 2) * 2 + (at % SIDE) / (SIDE / 2);
        let share_lit = if quarter == class { 80 } else { 40 };
        if random.below(100) < share_lit {
            *pixel = 1 + random.below(255) as u8;
        }
    }
    pixels
}

fn idx(magic: u32, shape: &[u32], bytes: &[u8]) -> Vec<u8> {
    let header = [&[magic], shape].concat().into_iter().flat_map(u32::to_be_bytes);
    header.chain(bytes.iter().copied()).collect()
}

fn write_gzip(path: &Path, bytes: &[u8]) {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).expect("memory takes all");
    fs::write(path, gzip.finish().expect("memory takes all")).expect("the images can be written");
}
