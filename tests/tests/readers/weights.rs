//! Saved weights: loaded by `reports/weights.py`, which repeats the test on every kind of data.

use std::fs;
use std::path::Path;
use std::process::Command;

use e2e::results;

use crate::{NO_LAYERS, REGULARIZED, Readers, repository};

const IDX_NAMES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// An IDX file of elements that are written by `element`.
fn idx<const N: usize>(
    code: u8,
    dims: &[u32],
    values: &[u8],
    element: impl Fn(u8) -> [u8; N],
) -> Vec<u8> {
    let mut file = vec![0, 0, code, dims.len() as u8];
    file.extend(dims.iter().flat_map(|dim| dim.to_be_bytes()));
    file.extend(values.iter().flat_map(|value| element(*value)));
    file
}

/// 12 images of 2 by 3 pixels of two classes, bright and dark.
fn pixels() -> ([u32; 3], Vec<u8>) {
    ([12, 2, 3], (0..72).map(|at| if at / 6 % 2 == 0 { at } else { 255 - at }).collect())
}

/// Images, labels, and the images and labels of the test.
type IdxFiles = [Vec<u8>; 4];

/// Every type of elements, as the four files of one data set.
fn element_types() -> Vec<(&'static str, IdxFiles)> {
    let (dims, images) = pixels();
    let labels: Vec<u8> = (0..12).map(|row| row % 2).collect();
    let bytes = idx(8, &dims, &images, |x| [x]);
    let dark: Vec<u8> = images.iter().map(|x| x / 2).collect();
    let rows = [12];
    let both = |images: Vec<u8>, labels: Vec<u8>| [images.clone(), labels.clone(), images, labels];
    // The first of QMNIST's eight columns is the class.
    let columns: Vec<u8> = labels.iter().flat_map(|x| [*x, 9, 9, 9, 9, 9, 9, 9]).collect();
    let f32_of = |x: u8| (f32::from(x) / 255.0).to_be_bytes();
    let f64_of = |x: u8| f64::from(x).to_be_bytes();
    let plain = idx(8, &rows, &labels, |x| [x]);
    vec![
        ("i8", both(idx(9, &dims, &dark, |x| [x]), idx(9, &rows, &labels, |x| [x]))),
        ("i16", both(idx(11, &dims, &images, |x| u16::from(x).to_be_bytes()), plain.clone())),
        (
            "qmnist",
            both(bytes.clone(), idx(12, &[12, 8], &columns, |x| u32::from(x).to_be_bytes())),
        ),
        (
            "f32",
            both(
                idx(13, &dims, &images, f32_of),
                idx(13, &[12, 1], &labels, |x| f32::from(x).to_be_bytes()),
            ),
        ),
        ("f64", both(idx(14, &dims, &images, f64_of), idx(14, &rows, &labels, f64_of))),
        (
            "wide",
            both(bytes.clone(), idx(11, &rows, &labels, |x| (300 * u16::from(x)).to_be_bytes())),
        ),
        ("vector", both(idx(8, &[12, 6], &images, |x| [x]), plain)),
    ]
}

/// A sweep of a moment over a data set of `element_types`.
fn sweep_of(name: &str, path: &str) -> String {
    format!(
        "name = \"{name}\"\n[dataset]\nformat = \"idx\"\npath = \"{path}\"\ntrain = 8\nvalid = 4\n\
         [[grid]]\noptimizer = [\"sgd\"]\nlearning_rate = [0.1]\nbatch_size = [4]\n\
         hidden = [[4]]\n[train]\nepochs = 3\n"
    )
}

#[test]
fn weights_are_tested_on_every_kind_of_data() {
    let Some(readers) = Readers::new() else { return };
    let check = |name: &str, path: &str| {
        let report = readers.run(name, &sweep_of(name, path));
        let file = format!("{name}.safetensors");
        let folder = format!("reports/{name}");
        readers.env.coordinator(&["replay", &folder, "best", "--save", &file]).expect(0);
        let (file, data) = (readers.env.path(&file), readers.env.path(path));
        let told = readers.python("reports/weights.py", &[&file, Path::new("--data"), &data]);
        let accuracy: f64 = told.lines().last().expect("a line").parse().expect("a number");
        assert_eq!(accuracy.to_string(), results(&report)[0]["test_accuracy"], "{name}: {told}");
    };
    for (name, files) in element_types() {
        fs::create_dir(readers.env.path(name)).expect("a folder");
        for (file, bytes) in IDX_NAMES.iter().zip(&files) {
            readers.env.write(&format!("{name}/{file}"), bytes);
        }
        check(name, name);
    }
    // Names as EMNIST, QMNIST and unpacked archives have them, of two data sets in one folder.
    fs::create_dir_all(readers.env.path("gzip/emnist-letters-test-images.idx3-ubyte"))
        .expect("a folder");
    let [(_, letters), _, (_, digits), ..] = &element_types()[..] else { panic!("there are more") };
    let letters_names = [
        "emnist-letters-train-images-idx3-ubyte",
        "Emnist-Letters-train-labels.idx1-ubyte",
        "emnist-letters-test-images.idx3-ubyte/emnist-letters-test-images.idx3-ubyte",
        "emnist-letters-test-labels-idx1-ubyte",
    ];
    let digits_names = [
        "qmnist-train-images-idx3-ubyte",
        "qmnist-train-labels-idx2-int",
        "qmnist-test-images-idx3-ubyte",
        "qmnist-test-labels-idx2-int",
    ];
    for (names, files) in [(letters_names, letters), (digits_names, digits)] {
        for (name, bytes) in names.iter().zip(files) {
            readers.env.write(&format!("gzip/{name}"), bytes);
        }
    }
    check("letters", "gzip/emnist-letters");
    check("digits", "gzip/qmnist");
}

#[test]
fn data_without_a_test_are_told_in_a_sentence() {
    let Some(readers) = Readers::new() else { return };
    let [(_, [images, labels, ..]), ..] = &element_types()[..] else { panic!("there are more") };
    let none = |dims: &[u32]| idx(8, dims, &[], |x| [x]);
    let files = [images.clone(), labels.clone(), none(&[0, 2, 3]), none(&[0])];
    fs::create_dir(readers.env.path("no-test")).expect("a folder");
    for (file, bytes) in IDX_NAMES.iter().zip(&files) {
        readers.env.write(&format!("no-test/{file}"), bytes);
    }
    readers.run("no-test", &sweep_of("no-test", "no-test"));
    let replay = ["replay", "reports/no-test", "best", "--save", "no-test.safetensors"];
    readers.env.coordinator(&replay).expect(0);
    let mut command = Command::new(&readers.python);
    command.arg(repository().join("reports/weights.py"));
    command.arg(readers.env.path("no-test.safetensors"));
    let told = command.arg("--data").arg(readers.env.path("no-test")).output().expect("it runs");
    let text = String::from_utf8_lossy(&told.stderr);
    assert_eq!(told.status.code(), Some(1), "{text}");
    assert!(text.contains("no rows to test them with") && text.lines().count() == 1, "{text}");
}

/// A safetensors file without metadata or tensors that are a network's.
fn foreign_weights() -> Vec<u8> {
    let header = br#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    [&(header.len() as u64).to_le_bytes(), &header[..], &[0; 4]].concat()
}

#[test]
fn what_are_no_weights_or_no_data_is_told_in_a_sentence() {
    let Some(readers) = Readers::new() else { return };
    let weights = |name: &str, bytes: &[u8]| {
        fs::write(readers.env.path(name), bytes).expect("it is written");
        name.to_owned()
    };
    let rows = results(&readers.report());
    let row = rows.iter().find(|row| row["depth"] == "1").expect("a row");
    let replay = ["replay", "reports/readers", &row["trial_id"], "--save", "sound.safetensors"];
    readers.env.coordinator(&replay).expect(0);
    fs::create_dir_all(readers.env.path("odd")).expect("a folder");
    for name in IDX_NAMES {
        readers.env.write(&format!("odd/{name}"), [0, 0, 0x0d, 3, 0, 0]);
    }
    let cases = [
        (weights("foreign.safetensors", &foreign_weights()), "trial_id, best_epoch, input_scale"),
        (weights("junk.safetensors", b"junk"), "not a safetensors file"),
        ("none.safetensors".into(), "no such file"),
        ("sound.safetensors".into(), "it ends within its header"),
    ];
    for (file, expected) in cases {
        let mut command = Command::new(&readers.python);
        command.arg(repository().join("reports/weights.py")).arg(readers.env.path(&file));
        let told = command.arg("--data").arg(readers.env.path("odd")).output().expect("it runs");
        let text = String::from_utf8_lossy(&told.stderr);
        assert_eq!(told.status.code(), Some(1), "{text}");
        assert!(text.contains(expected) && text.lines().count() == 1, "{text}");
    }
}

#[test]
fn saved_weights_give_the_recorded_test_accuracy() {
    let Some(readers) = Readers::new() else { return };
    let rows = results(&readers.report());
    for depth in ["1", "2"] {
        let row = rows.iter().find(|row| row["depth"] == depth).expect("a row");
        let file = format!("{depth}.safetensors");
        let line = ["replay", "reports/readers", &row["trial_id"], "--save", &file];
        readers.env.coordinator(&line).expect(0);
        let told = readers.python("reports/weights.py", &[&readers.env.path(&file)]);
        let accuracy: f64 = told.lines().last().expect("a line").parse().expect("a number");
        assert_eq!(accuracy.to_string(), row["test_accuracy"], "{told}");
    }
    // Standardized inputs and a network without hidden layers, and one that was trained with dropout.
    for (name, sweep) in [("no-layers", NO_LAYERS), ("regularized", REGULARIZED)] {
        let report = readers.run(name, sweep);
        let (folder, file) = (format!("reports/{name}"), format!("{name}.safetensors"));
        readers.env.coordinator(&["replay", &folder, "best", "--save", &file]).expect(0);
        let told = readers.python("reports/weights.py", &[&readers.env.path(&file)]);
        let [.., about, accuracy] = &told.lines().collect::<Vec<_>>()[..] else { panic!("{told}") };
        let id = about.split([' ', ',']).nth(1).expect("an id");
        let rows = results(&report);
        let row = rows.iter().find(|row| row["trial_id"] == id).expect("its row");
        let accuracy: f64 = accuracy.parse().expect("a number");
        assert_eq!(accuracy.to_string(), row["test_accuracy"], "{told}");
        let n_layers = if row["hidden"] == "none" { "1 layer" } else { "2 layers" };
        assert!(about.ends_with(n_layers), "{told}");
    }
    // Other data than they were trained on are refused.
    let mut command = Command::new(&readers.python);
    command.arg(repository().join("reports/weights.py")).arg(readers.env.path("1.safetensors"));
    let refused = command.arg("--data").arg(readers.env.path("data")).output().expect("it runs");
    let text = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && text.contains("other data than"), "{text}");
}
