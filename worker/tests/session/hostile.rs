//! A coordinator that lies, drags or shouts: it costs the worker neither its disk nor its terminal.

use std::path::Path;
use std::time::Duration;
use std::{fs, thread};

use proto::Data;
use tonic::Status;
use worker::{DiskLimits, Ended};

use super::fake::{Fake, hyperparameters};
use super::program::{impatient_worker, outcome, worker};
use super::run;

/// Bytes of the data sets and parts in the cache.
fn n_dataset_bytes(cache: &Path) -> u64 {
    let files = fs::read_dir(cache.join("datasets")).unwrap().flatten();
    files.map(|file| file.metadata().unwrap().len()).sum()
}

fn refusal(ended: Ended) -> String {
    match ended {
        Ended::Refused(text) => text,
        ended => panic!("{ended:?}"),
    }
}

#[test]
fn an_absurd_data_set_is_refused_before_a_byte_is_written() {
    let (fake, cache) = (Fake::new(), tempfile::tempdir().unwrap());
    fake.state().add(1, 1, hyperparameters(2, 10, &[8]));
    let server = fake.serve();
    let data = fake.state().data();
    for n_bytes in [(4 << 30) + 1, u64::MAX] {
        fake.state().announced = Some(Data { n_bytes, ..data.clone() });
        let text = refusal(run(server.worker(cache.path())).unwrap());
        assert!(text.contains("--max-dataset") && text.contains("4.0 GiB"), "{text}");
    }
    // A flag lowers and raises the limit.
    fake.state().announced = None;
    let mut config = server.worker(cache.path());
    config.disk_limits = DiskLimits { max_dataset_bytes: 1000, ..DiskLimits::default() };
    assert!(refusal(run(config.clone()).unwrap()).contains("1000 bytes"));
    assert_eq!((n_dataset_bytes(cache.path()), fake.state().dataset_offsets.len()), (0, 0));
    config.disk_limits.max_dataset_bytes = data.n_bytes;
    assert_eq!(run(config).unwrap(), Ended::Finished);
}

#[test]
fn what_is_said_of_the_data_or_the_state_must_make_sense() {
    let (fake, cache) = (Fake::new(), tempfile::tempdir().unwrap());
    fake.state().add(1, 1, hyperparameters(2, 10, &[8]));
    let server = fake.serve();
    let good = fake.state().data();
    let wrong = [
        Data::default(),
        Data { digest: vec![1; 31], ..good.clone() },
        Data { digest: vec![1; 1_000_000], ..good.clone() },
        Data { scale: 99, ..good.clone() },
        Data { n_train: u32::MAX, n_valid: u32::MAX, ..good.clone() },
        Data { n_train: 0, ..good.clone() },
    ];
    for data in wrong {
        fake.state().announced = Some(data.clone());
        let text = refusal(run(server.worker(cache.path())).unwrap());
        assert!(text.len() < 500, "{data:?}: {text}");
    }
}

#[test]
fn a_stream_that_goes_on_after_its_end_takes_no_more_room_than_announced() {
    let (fake, cache) = (Fake::new(), tempfile::tempdir().unwrap());
    fake.state().add(1, 1, hyperparameters(2, 10, &[8]));
    fake.state().n_datasets_to_prolong = 3;
    let n_announced = fake.state().data().n_bytes;
    let server = fake.serve();
    let config = server.worker(cache.path());
    let worker = thread::spawn(move || run(config));
    let mut n_most = 0;
    while !worker.is_finished() {
        if cache.path().join("datasets").exists() {
            n_most = n_most.max(n_dataset_bytes(cache.path()));
        }
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(worker.join().unwrap().unwrap(), Ended::Finished);
    assert_eq!(fake.state().dataset_offsets, [0; 4]);
    assert!(n_most <= n_announced && n_dataset_bytes(cache.path()) == n_announced, "{n_most}");
}

#[test]
fn data_that_is_never_what_was_announced_is_given_up() {
    let (fake, cache) = (Fake::new(), tempfile::tempdir().unwrap());
    fake.state().add(1, 1, hyperparameters(2, 10, &[8]));
    let server = fake.serve();
    fake.state().n_datasets_to_damage = 2;
    assert_eq!(run(server.worker(cache.path())).unwrap(), Ended::Finished, "twice may be bad luck");
    fs::remove_dir_all(cache.path().join("datasets")).unwrap();
    fake.state().add(2, 1, hyperparameters(2, 10, &[8]));
    fake.state().n_datasets_to_damage = usize::MAX;
    let text = refusal(run(server.worker(cache.path())).unwrap());
    assert!(text.contains("another SHA-256 than it announces"), "{text}");
    assert_eq!(n_dataset_bytes(cache.path()), 0);
}

/// Each costs its coordinator a few bytes, and each ends at once.
#[test]
fn grants_of_garbage_without_end_do_not_fill_the_log() {
    let (fake, cache) = (Fake::new(), tempfile::tempdir().unwrap());
    let server = fake.serve();
    let checkpoint = proto::Checkpoint { digest: vec![7; 32], n_bytes: 1 << 60, epoch: 9000 };
    {
        let mut state = fake.state();
        state.grants_ahead = true;
        state.rejects = true;
        for trial in 1..=250 {
            state.add(trial, 1, vec![]);
            state.published.insert(trial, vec![(checkpoint.clone(), vec![])]);
        }
    }
    let (code, text) = outcome(&mut worker(&server.url(), cache.path()));
    assert_eq!(code, Some(0), "{text}");
    assert_eq!((1..=250).filter(|trial| fake.state().outcomes(*trial).len() == 1).count(), 250);
    // At a busy moment the test takes a minute or two.
    let n_lines = text.lines().count();
    assert!(n_lines < 30, "{n_lines} lines for 250 grants: {text}");
    let told = |kind: &str| {
        let counted = text.lines().filter_map(|line| {
            let (_, rest) = line.split_once(kind)?;
            rest.split_once(" more since the last line")?.0.trim().parse::<u32>().ok()
        });
        1 + counted.sum::<u32>()
    };
    assert_eq!(told("failed trials: "), 250, "each is counted: {text}");
    assert_eq!(told("outcomes that were not recorded: "), 250, "{text}");
}

/// Neither a refusal nor an error of a call, nor what a failed trial repeats of its grant.
#[test]
fn no_text_of_a_coordinator_reaches_the_terminal_raw() {
    const HOSTILE: &str = "x\u{1b}[2J\u{1b}]0;title\u{7}\r\nERROR forged\u{202e}\u{2028}\u{9b}2J";
    let (fake, cache) = (Fake::new(), tempfile::tempdir().unwrap());
    let server = fake.serve();
    let check = |what: &str, text: &str| {
        assert!(text.contains("ERROR forged"), "{what}: {text:?}");
        let is_odd = |c: char| c != '\n' && (c.is_control() || "\u{202e}\u{2028}".contains(c));
        assert!(!text.contains(is_odd), "{what}: {text:?}");
        assert!(text.lines().all(|line| !line.starts_with("ERROR")), "{what}: {text:?}");
    };
    fake.state().refusal = Some(Status::unavailable(HOSTILE));
    check("no answer", &outcome(&mut impatient_worker(&server.url(), cache.path())).1);
    fake.state().refusal = Some(Status::permission_denied(HOSTILE));
    let (code, text) = outcome(&mut worker(&server.url(), cache.path()));
    assert_eq!(code, Some(4));
    check("refusal", &text);

    fake.state().refusal = None;
    let mut unknown = hyperparameters(2, 10, &[8]);
    unknown[0].key = HOSTILE.into();
    fake.state().add(1, 1, unknown);
    check("failure", &outcome(&mut worker(&server.url(), cache.path())).1);
}
