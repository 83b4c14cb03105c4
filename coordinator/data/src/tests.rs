//! Data sets from folders and from the binary, good and bad.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use crate::*;

/// An IDX file of unsigned bytes.
fn idx(dims: &[u32], bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, u8::try_from(dims.len()).expect("few dimensions")];
    dims.iter().for_each(|dim| file.extend(dim.to_be_bytes()));
    file.extend(bytes);
    file
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// Six images of 2 x 2 to train with, two to test with, three classes.
fn files() -> Files {
    let pixels: Vec<u8> = (0..24).collect();
    [
        idx(&[6, 2, 2], &pixels),
        idx(&[6], &[0, 1, 2, 0, 1, 2]),
        idx(&[2, 2, 2], &pixels[..8]),
        idx(&[2], &[2, 0]),
    ]
}

const PLAIN: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

fn folder_of(names: [&str; 4], files: &Files) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, bytes) in names.iter().zip(files) {
        fs::write(folder.path().join(name), bytes).expect("a file");
    }
    folder
}

fn load_idx(folder: &Path) -> Result<LoadedDataset, DatasetError> {
    load_folder(&folder.display().to_string(), folder)
}

fn error_of(names: [&str; 4], files: &Files) -> DatasetError {
    load_idx(folder_of(names, files).path()).err().expect("a refusal")
}

#[test]
fn embedded_mnist_is_whole() {
    let loaded = load_embedded("mnist").expect("embedded");
    let dataset = &loaded.dataset;
    assert_eq!((dataset.n_train(), dataset.n_test()), (60_000, 10_000));
    assert_eq!((dataset.n_inputs(), dataset.n_classes()), (784, 10));
    assert!((0.19..0.20).contains(&dataset.nonzero_share()), "{}", dataset.nonzero_share());
    assert_eq!(loaded.name, "mnist");
    assert_eq!(loaded.digest, loaded.dataset.digest());
    let decoded = Dataset::decode(&loaded.blob).expect("our own blob");
    assert_eq!(decoded.digest(), loaded.digest);
}

#[test]
fn every_spelling_of_a_folder_is_the_same_data_set() {
    let files = files();
    let zipped = files.each_ref().map(|file| gzip(file));
    let mixed = [files[0].clone(), zipped[1].clone(), zipped[2].clone(), files[3].clone()];
    let prefixed = PLAIN.map(|name| format!("emnist-letters-{}", name.replace("t10k", "test")));
    let upper = PLAIN.map(|name| format!("{}.GZ", name.to_uppercase()));
    let dotted = PLAIN.map(|name| name.replace("-idx", ".idx"));
    let with_gz = PLAIN.map(|name| format!("{name}.gz"));
    let mixed_names = [&with_gz[0], &dotted[1], PLAIN[2], &format!("{}.gz", dotted[3])];
    let digests: Vec<_> = [
        folder_of(PLAIN, &files),
        folder_of(PLAIN, &zipped),
        folder_of(with_gz.each_ref().map(String::as_str), &zipped),
        folder_of(dotted.each_ref().map(String::as_str), &files),
        folder_of(mixed_names, &mixed),
        folder_of(prefixed.each_ref().map(String::as_str), &files),
        folder_of(upper.each_ref().map(String::as_str), &zipped),
    ]
    .iter()
    .map(|folder| load_idx(folder.path()).expect("a data set").digest)
    .collect();
    assert!(digests.windows(2).all(|pair| pair[0] == pair[1]), "{digests:?}");
}

#[test]
fn a_missing_folder_is_named() {
    let error = load_idx(Path::new("/nonexistent/data")).err().expect("a refusal");
    assert!(error.message.contains("/nonexistent/data"), "{error}");
    assert!(error.help.contains("sweep file's folder"), "{error}");
    assert!(error.expected.starts_with("a folder"), "{error}");
}

#[test]
fn a_file_in_place_of_the_folder_is_named() {
    let folder = folder_of(PLAIN, &files());
    let path: PathBuf = folder.path().join(PLAIN[0]);
    let error = load_idx(&path).err().expect("a refusal");
    assert!(error.message.contains("is not a folder"), "{error}");
}

#[test]
fn missing_files_are_named_together() {
    let error = error_of([PLAIN[0], "labels", PLAIN[2], "more-labels"], &files());
    assert!(error.message.contains("lacks train-labels-idx1-ubyte, t10k-labels-idx1-ubyte"));
}

#[test]
fn a_file_that_lies_in_a_folder_of_its_name_is_found() {
    let folder = folder_of(PLAIN, &files());
    let digest = load_idx(folder.path()).expect("a data set").digest;
    let path = folder.path().join(PLAIN[0]);
    let bytes = fs::read(&path).expect("it is there");
    fs::remove_file(&path).expect("it is ours");
    fs::create_dir(&path).expect("a folder");
    fs::write(path.join("train-images.idx3-ubyte"), bytes).expect("a file");
    assert_eq!(load_idx(folder.path()).expect("a data set").digest, digest);
}

#[test]
fn a_file_that_is_there_twice_must_be_the_same() {
    let files = files();
    let folder = folder_of(PLAIN, &files);
    let packed = folder.path().join(format!("{}.gz", PLAIN[1]));
    fs::write(&packed, gzip(&files[1])).expect("a file");
    let digest = load_idx(folder.path()).expect("the same twice").digest;
    fs::write(&packed, gzip(&idx(&[6], &[0, 1, 2, 0, 1, 1]))).expect("a file");
    let error = load_idx(folder.path()).err().expect("a refusal");
    assert!(error.message.contains(".gz differ"), "{error}");
    fs::write(&packed, &gzip(&files[1])[..9]).expect("a file");
    assert_eq!(load_idx(folder.path()).expect("the intact one").digest, digest);
}

#[test]
fn several_data_sets_in_one_folder_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    for prefix in ["emnist-digits", "emnist-letters"] {
        for (name, bytes) in PLAIN.iter().zip(&files()) {
            fs::write(folder.path().join(format!("{prefix}-{name}")), bytes).expect("a file");
        }
    }
    let error = load_idx(folder.path()).err().expect("a refusal");
    assert!(error.message.contains("several data sets: emnist-digits, emnist-letters"), "{error}");
    assert!(error.help.contains("/emnist-digits\""), "{error}");
    for prefix in ["emnist-digits", "EMNIST-Letters-"] {
        assert!(load_idx(&folder.path().join(prefix)).is_ok(), "{prefix}");
    }
    let error = load_idx(&folder.path().join("emnist")).err().expect("a refusal");
    assert!(error.message.contains("cannot be opened"), "{error}");
    fs::remove_file(folder.path().join(format!("emnist-digits-{}", PLAIN[3]))).expect("ours");
    let error = load_idx(&folder.path().join("emnist-digits")).err().expect("a refusal");
    assert!(error.message.contains("lacks emnist-digits-t10k-labels"), "{error}");
    assert!(load_idx(folder.path()).is_ok(), "one is whole");
    fs::remove_file(folder.path().join(format!("emnist-letters-{}", PLAIN[0]))).expect("ours");
    fs::remove_file(folder.path().join(format!("emnist-digits-{}", PLAIN[0]))).expect("ours");
    let error = load_idx(folder.path()).err().expect("a refusal");
    assert!(error.message.contains("lacks emnist-letters-train-images-idx3-ubyte"), "{error}");
}

/// The line that the refusal shows, pasted into a shell, gives a folder that is read.
#[test]
fn images_of_other_numbers_come_with_a_line_that_converts_them() {
    let mut files = files();
    let floats = |dims: &[u32], values: &[f32]| {
        let mut file = idx(dims, &[]);
        file[2] = 13;
        values.iter().for_each(|x| file.extend(x.to_be_bytes()));
        file
    };
    let values: Vec<f32> = (0..24_u8).map(|i| f32::from(i) / 10.0 - 1.0).collect();
    files[0] = floats(&[6, 2, 2], &values);
    files[2] = gzip(&floats(&[2, 2, 2], &values[..8]));
    let root = tempfile::tempdir().expect("a folder");
    let folder = root.path().join("it's data");
    let names = PLAIN.map(|name| format!("{name}.gz"));
    let unpacked = folder_of(names.each_ref().map(String::as_str), &files);
    fs::rename(unpacked.keep(), &folder).expect("the same file system");
    let error = load_idx(&folder).err().expect("a refusal");
    assert!(error.message.contains("from -1 to 1.3"), "{error}");
    let line = &error.help[error.help.find("python3").expect("a line")..];
    let output = std::process::Command::new("sh").args(["-c", line]).output().expect("a shell");
    assert!(output.status.success(), "{output:?}");
    let loaded = load_idx(&root.path().join("it's data-bytes")).expect("converted");
    let bytes = (0..24).map(|i| (255.0 * f64::from(i) / 23.0).round() as u8);
    let expected = [idx(&[6, 2, 2], &bytes.collect::<Vec<u8>>()), super::tests::files()[1].clone()];
    let test = idx(&[2, 2, 2], &expected[0][16..24]);
    let by_hand =
        folder_of(PLAIN, &[expected[0].clone(), expected[1].clone(), test, files[3].clone()]);
    assert_eq!(loaded.digest, load_idx(by_hand.path()).expect("by hand").digest);
}

fn doubles(dims: &[u32], values: &[f64]) -> Vec<u8> {
    let mut file = idx(dims, &[]);
    file[2] = 14;
    values.iter().for_each(|x| file.extend(x.to_be_bytes()));
    file
}

/// As numpy and Keras leave them.
#[test]
fn labels_of_floats_are_read() {
    let mut files = files();
    files[1] = doubles(&[6, 1], &[0.0, 1.0, 2.0, 0.0, 1.0, 2.0]);
    let read = load_idx(folder_of(PLAIN, &files).path()).expect("whole numbers");
    let plain = load_idx(folder_of(PLAIN, &super::tests::files()).path()).expect("bytes");
    assert_eq!(read.digest, plain.digest);
}

/// The line that the refusal shows, pasted into a shell, gives a folder that is read.
#[test]
fn labels_that_are_no_numbers_of_classes_come_with_a_line_that_converts_them() {
    let shares = [0.1, 0.2, 0.7].map(|x| [x, 1.0 - x]).concat();
    let twice = |values: &[f64]| [values, values].concat();
    for (train, test, problem, classes) in [
        (
            doubles(&[6], &twice(&[-1.0, 0.5, 1.0])),
            doubles(&[2], &[1.0, -1.0]),
            "got -1 in row 0",
            [&[0, 1, 2, 0, 1, 2][..], &[2, 0]],
        ),
        (
            doubles(&[6, 2], &twice(&shares)),
            doubles(&[2, 2], &shares[..4]),
            "got 2 columns of f64",
            [&[1, 1, 0, 1, 1, 0][..], &[1, 1]],
        ),
    ] {
        let mut files = files();
        (files[1], files[3]) = (train, gzip(&test));
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().join("data");
        let names = PLAIN.map(|name| format!("{name}.gz"));
        let unpacked = folder_of(names.each_ref().map(String::as_str), &files);
        fs::rename(unpacked.keep(), &folder).expect("the same file system");
        let error = load_idx(&folder).err().expect("a refusal");
        assert!(error.message.contains(problem), "{error}");
        let line = &error.help[error.help.find("python3").expect("a line")..];
        let output = std::process::Command::new("sh").args(["-c", line]).output().expect("a shell");
        assert!(output.status.success(), "{output:?}");
        let loaded = load_idx(&root.path().join("data-classes")).expect("converted");
        let mut by_hand = super::tests::files();
        (by_hand[1], by_hand[3]) = (idx(&[6], classes[0]), idx(&[2], classes[1]));
        let by_hand = load_idx(folder_of(PLAIN, &by_hand).path()).expect("by hand");
        assert_eq!(loaded.digest, by_hand.digest, "{problem}");
    }
}

#[test]
fn elements_that_no_line_mends_come_with_another_cure() {
    let little = |values: &[i32]| {
        let mut file = idx(&[6], &[]);
        file[2] = 12;
        values.iter().for_each(|x| file.extend(x.to_le_bytes()));
        file
    };
    for (role, bytes, message, help) in [
        (1, little(&[0, 1, 2, 0, 1, 2]), "little-endian", "byteswap"),
        (1, doubles(&[6], &[0.0, 1.0, f64::NAN, 0.0, 1.0, 2.0]), "element 2 is NaN", "leave its"),
        (0, doubles(&[6, 2, 2], &[f64::INFINITY; 24]), "element 0 is inf", "leave its"),
    ] {
        let mut files = files();
        files[role] = bytes;
        let error = error_of(PLAIN, &files);
        assert!(error.message.contains(PLAIN[role]), "{error}");
        assert!(error.message.contains(message) && error.help.contains(help), "{error}");
    }
}

#[test]
fn damaged_files_are_named_by_path() {
    let good = files();
    let zipped = gzip(&good[2]);
    for (role, bytes) in [
        (0, b"not IDX at all".to_vec()),
        (1, good[1][..5].to_vec()),
        (0, good[0][..good[0].len() - 1].to_vec()),
        (3, idx(&[1], &[0])),
        (2, zipped[..zipped.len() - 9].to_vec()),
        (3, good[2].clone()),
    ] {
        let mut files = good.clone();
        files[role] = bytes;
        let error = error_of(PLAIN, &files);
        assert!(error.message.contains(PLAIN[role]), "file {role}: {error}");
    }
}
