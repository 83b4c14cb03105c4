//! Data sets: sorted rows, classes that are missing, names and forms of files.

use std::fs;
use std::io::Write;
use std::path::Path;

use e2e::Env;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::env;

const NAMES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

fn idx(code: u8, dims: &[usize], body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, code, dims.len() as u8];
    dims.iter().for_each(|&dim| bytes.extend((dim as u32).to_be_bytes()));
    bytes.extend(body);
    bytes
}

/// Pictures of 4 x 4 that a network can tell apart.
fn pictures(labels: &[u8]) -> Vec<u8> {
    let pixel = |row: usize, label: u8, at: usize| {
        let noise = (row * 7 + at * 13) % 40;
        if (at * 5 + usize::from(label) * 3) % 7 < 3 { 200 + noise as u8 } else { 0 }
    };
    let rows = labels.iter().enumerate();
    rows.flat_map(|(row, &label)| (0..16).map(move |at| pixel(row, label, at))).collect()
}

/// The four files of these labels.
fn files(train: &[u8], test: &[u8]) -> [Vec<u8>; 4] {
    let images = |labels: &[u8]| idx(8, &[labels.len(), 4, 4], &pictures(labels));
    let labels = |labels: &[u8]| idx(8, &[labels.len()], labels);
    [images(train), labels(train), images(test), labels(test)]
}

fn write(folder: &Path, names: &[&str; 4], files: &[Vec<u8>; 4]) {
    fs::create_dir_all(folder).expect("a folder");
    for (name, bytes) in names.iter().zip(files) {
        fs::write(folder.join(name), bytes).expect("a file");
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// Labels in an order that is not sorted.
fn mixed(n: usize, classes: std::ops::Range<u8>) -> Vec<u8> {
    let n_classes = usize::from(classes.end - classes.start);
    (0..n).map(|i| classes.start + (i * 7 % n_classes) as u8).collect()
}

fn sweep(split: &str) -> String {
    format!(
        "name = \"d\"\n[dataset]\nformat = \"idx\"\npath = \"own\"\n{split}[train]\nepochs = 1\n[[grid]]\n\
         optimizer = [\"sgd\"]\nlearning_rate = [0.1]\nbatch_size = [8]\nhidden = [[8]]\n"
    )
}

/// What `plan` says of four files in the folder `own`.
fn plan(env: &Env, names: &[&str; 4], files: &[Vec<u8>; 4], split: &str) -> e2e::Ended {
    let _ = fs::remove_dir_all(env.path("own"));
    write(&env.path("own"), names, files);
    env.write("d.toml", sweep(split));
    env.coordinator(&["plan", "d.toml"])
}

/// `keras-team/keras#8346`: rows sorted by label and a split by position trained on some classes and
/// validated on others, without a word. The plan, the run and the report tell it.
#[test]
fn sorted_rows_are_told() {
    let env = env();
    let (mut train, mut test) = (mixed(250, 0..10), mixed(80, 0..10));
    train.sort_unstable();
    test.sort_unstable();
    let files = files(&train, &test);
    let text = plan(&env, &NAMES, &files, "train = 200\nvalid = 50\n").expect(0).stdout_text();
    for words in [
        "\nwarnings\n",
        "sorted by label",
        "classes 8 and 9 have no row that trains",
        "have no row that validates",
        "shares of the validation rows",
    ] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
    let run = env.start_file("d.toml", &[], &[]).wait().expect(0).stderr_text();
    assert!(run.contains("warning: ") && run.contains("sorted by label"), "{run}");
    let report = fs::read_to_string(env.path("reports/d/report.md")).expect("a report");
    assert!(report.contains("- **Warning:** the rows of the training file are sorted"), "{report}");
    assert!(report.contains("classes 8 and 9 have no row that trains"), "{report}");
}

/// `keras-team/keras#597`: a class that only validates cannot be learned.
#[test]
fn a_class_that_only_validates_is_named() {
    let env = env();
    let train: Vec<u8> = (0..250).map(|i| if i < 200 { (i % 3) as u8 } else { 3 }).collect();
    let text = plan(&env, &NAMES, &files(&train, &mixed(80, 0..4)), "train = 200\nvalid = 50\n");
    let text = text.expect(0).stdout_text();
    assert!(text.contains("class 3 has no row that trains"), "{text}");
}

/// `keras-team/keras#4298`: what validates by default is a fifth, mixed rows raise no alarm, and a
/// single class is no task.
#[test]
fn the_default_split_is_a_fifth_and_one_class_is_refused() {
    let env = env();
    let good = files(&mixed(250, 0..10), &mixed(80, 0..10));
    let text = plan(&env, &NAMES, &good, "").expect(0).stdout_text();
    assert!(text.contains("split: 200 rows train, 50 validate"), "{text}");
    assert!(!text.contains("warnings"), "{text}");
    for class in [0, 5] {
        let ended = plan(&env, &NAMES, &files(&[class; 250], &[class; 80]), "").expect(2);
        let text = ended.stderr_text();
        assert!(text.contains(&format!("every label is {class}")), "{text}");
        assert!(text.contains("expected at least two classes"), "{text}");
    }
}

/// EMNIST as it is published: its names, and letters from 1 to 26, which others read as classes beyond their
/// list (`pytorch/vision#2630`).
#[test]
fn emnist_letters_are_read_under_their_own_names() {
    let env = env();
    let names = [
        "emnist-letters-train-images-idx3-ubyte.gz",
        "emnist-letters-train-labels-idx1-ubyte.gz",
        "emnist-letters-test-images-idx3-ubyte.gz",
        "emnist-letters-test-labels-idx1-ubyte.gz",
    ];
    let packed = files(&mixed(500, 1..27), &mixed(200, 1..27)).map(|file| gzip(&file));
    let text = plan(&env, &names, &packed, "").expect(0).stdout_text();
    assert!(text.contains("class 0 has no row at all"), "{text}");
    let run = env.start_file("d.toml", &[], &[]).wait().expect(0);
    assert!(run.stderr_text().contains("class 0 has no row at all"), "{run:#?}");
}

/// The same beside another part of EMNIST, as its archive is unpacked: one is named by its prefix, and found
/// again by it.
#[test]
fn a_data_set_that_is_named_by_its_prefix_can_be_replayed() {
    let env = env();
    let parts = ["letters", "digits"].map(|part| {
        ["train-images-idx3", "train-labels-idx1", "test-images-idx3", "test-labels-idx1"]
            .map(|role| format!("emnist-{part}-{role}-ubyte"))
    });
    write(
        &env.path("gzip"),
        &parts[0].each_ref().map(String::as_str),
        &files(&mixed(250, 1..27), &mixed(80, 1..27)),
    );
    write(
        &env.path("gzip"),
        &parts[1].each_ref().map(String::as_str),
        &files(&mixed(250, 0..10), &mixed(80, 0..10)),
    );
    env.write("d.toml", sweep("").replace("\"own\"", "\"gzip/emnist-letters\""));
    env.start_file("d.toml", &[], &[]).wait().expect(0);
    let replay = ["replay", "reports/d", "best"];
    env.coordinator(&replay).expect(0);
    // Without the state nobody knows where it was, and there is no cache.
    fs::remove_dir_all(env.path("reports/d/.state")).expect("it can be removed");
    env.coordinator(&replay).expect(0);
    fs::rename(env.path("gzip"), env.path("moved")).expect("it can be moved");
    for data in ["moved", "moved/emnist-letters"] {
        env.coordinator(&["replay", "reports/d", "best", "--data", data]).expect(0);
    }
    let other = ["replay", "reports/d", "best", "--data", "moved/emnist-digits"];
    let refused = env.coordinator(&other).expect(1).stderr_text();
    assert!(refused.contains("other data, with the digest"), "{refused}");
}

/// Archives with padding, in several members, with garbage behind them, cut short, or a server's
/// page of HTML (`pauldmccarthy/indexed_gzip#69`, `tensorflow/tensorflow#15668`).
#[test]
fn archives_are_read_as_gzip_does_or_refused_for_what_they_are() {
    let env = env();
    let digits = files(&mixed(250, 0..10), &mixed(80, 0..10));
    let names = NAMES.map(|name| format!("{name}.gz"));
    let names = names.each_ref().map(String::as_str);
    let packed = digits.each_ref().map(|file| gzip(file));
    let trials = |ended: e2e::Ended| {
        let text = ended.expect(0).stdout_text();
        text.split_once("first trials").expect("they are shown").1.to_owned()
    };
    let plain = trials(plan(&env, &NAMES, &digits, ""));
    let with = |file: Vec<u8>| [file, packed[1].clone(), packed[2].clone(), packed[3].clone()];
    let padded = [packed[0].clone(), vec![0; 512]].concat();
    assert_eq!(trials(plan(&env, &names, &with(padded), "")), plain);
    let members = [gzip(&digits[0][..500]), gzip(&digits[0][500..])].concat();
    assert_eq!(trials(plan(&env, &names, &with(members), "")), plain);
    for (bytes, words) in [
        ([&packed[0][..], b"\nnot gzip\n"].concat(), "after its gzip data"),
        (packed[0][..packed[0].len() * 2 / 3].to_vec(), "is a damaged gzip file"),
        (b"<!DOCTYPE html><title>403 Forbidden</title>".to_vec(), "is an HTML page"),
        (gzip(&[&digits[0][..], &vec![0; 50_000_000]].concat()), "goes on after the 4016 bytes"),
        (gzip(&idx(8, &[1 << 30, 1 << 30, 1 << 30], b"")), "announces far more bytes"),
    ] {
        let ended = plan(&env, &names, &with(bytes), "").expect(2);
        let text = ended.stderr_text();
        assert!(text.contains(words) && text.contains(names[0]), "no {words:?} in {text}");
        assert!(text.contains("d.toml:4:8"), "{text}");
    }
}

/// QMNIST's labels are eight columns of ints of which the first is the class
/// (`facebookresearch/qmnist#1`).
#[test]
fn labels_of_qmnist_are_read() {
    let env = env();
    let digits = mixed(250, 0..10);
    let good = files(&digits, &mixed(80, 0..10));
    let rows = digits.iter().flat_map(|&digit| [i32::from(digit), 0, 0, 9, 9, 9, 9, 9]);
    let columns: Vec<u8> = rows.flat_map(i32::to_be_bytes).collect();
    let mut wide = good.clone();
    wide[1] = idx(12, &[250, 8], &columns);
    let names = ["train-images-idx3-ubyte", "train-labels-idx2-int", NAMES[2], NAMES[3]];
    let read = |names: &[&str; 4], files: &[Vec<u8>; 4]| {
        plan(&env, names, files, "").expect(0).stdout_text()
    };
    assert_eq!(read(&names, &wide), read(&NAMES, &good));
}
