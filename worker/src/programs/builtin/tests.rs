//! The built-in trainer as its slots hear it: rows in order, one end, whatever happens on the way.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use proto::hyperparameter::Value;
use rustix::thread::CpuSet;
use tempfile::TempDir;
use tokio::sync::mpsc as messages;
use trainer::{Dataset, Isa, PreparedData};
use trial::{Scale, Split, TrialId};

use super::*;
use crate::agent::Job;
use crate::disk::checkpoints::Checkpoints;
use crate::disk::device::Disk;
use crate::disk::upkeep::{DiskLimits, Upkeep};
use crate::memory::Memory;
use crate::memory::tests::small;
use crate::programs::events::{Message, Outcome, Shared};
use crate::slots::Slots;

fn training() -> Training {
    let checkpoint_every = Duration::from_secs(30);
    let memory = Memory::of_this_process();
    Training { isa: Isa::choose(None).unwrap(), checkpoint_every, memory }
}

pub(crate) fn checkpoints(folder: &Path) -> Checkpoints {
    Checkpoints::open(&Upkeep::new(folder, DiskLimits::default()), &Disk::Real, Arc::default())
}

/// Two images of one pixel to train on, and as many to validate and test with; two epochs.
pub(crate) fn task() -> Task {
    let images = |n: u32| {
        [&[0x0803, n, 1, 1].map(u32::to_be_bytes).concat()[..], &[9, 200, 9, 200][..n as usize]]
            .concat()
    };
    let labels = |n: u32| {
        [&[0x0801, n].map(u32::to_be_bytes).concat()[..], &[0, 1, 0, 1][..n as usize]].concat()
    };
    let dataset = Dataset::from_idx(&images(4), &labels(4), &images(2), &labels(2)).unwrap();
    let split = Split { n_train: 2, n_valid: 2, scale: Scale::Unit };
    let values = [
        ("optimizer", Value::Text("sgd".into())),
        ("learning_rate", Value::Number(0.1)),
        ("batch_size", Value::Count(1)),
        ("hidden", Value::Widths(proto::Widths { widths: vec![2] })),
        ("epochs", Value::Count(2)),
    ];
    let hyperparameters =
        values.map(|(key, value)| Hyperparameter { key: key.into(), value: Some(value) });
    Task {
        job: Job(1),
        trial_id: TrialId::from_bytes([1; 32]),
        attempt: 1,
        hyperparameters: hyperparameters.into(),
        seed: 7,
        data: Arc::new(PreparedData::new(&dataset, split).unwrap()),
    }
}

/// The same with another value.
fn task_with(key: &str, value: Value) -> Task {
    let mut task = task();
    let of_key = task.hyperparameters.iter_mut().find(|it| it.key == key).unwrap();
    of_key.value = Some(value);
    task
}

/// A worker's folder and what its slots hear.
struct Bench {
    _folder: TempDir,
    shared: Arc<Shared>,
    heard: messages::Receiver<Message>,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (sender, heard) = messages::channel(1024);
        let shared = Arc::new(Shared {
            worker_name: "test".into(),
            isa: "none",
            checkpoints: checkpoints(folder.path()),
            n_busy: AtomicU32::new(0),
            messages: sender,
        });
        Self { _folder: folder, shared, heard }
    }

    fn events(&self, task: &Task) -> Events {
        Events::new(self.shared.clone(), task, Arc::default())
    }

    /// All that is told of an attempt.
    fn told(&mut self, training: &Training, task: &Task, stop: &Stop) -> Vec<Message> {
        train(training, None, task, stop, self.events(task));
        std::iter::from_fn(|| self.heard.try_recv().ok()).collect()
    }

    /// The outcome of an attempt that nobody stops.
    fn outcome(&mut self, training: &Training, task: &Task) -> Outcome {
        outcome(self.told(training, task, &Stop::default()))
    }
}

fn outcome(told: Vec<Message>) -> Outcome {
    match told.into_iter().last() {
        Some(Message::Ended(_, outcome)) => *outcome,
        _ => panic!("the trial has an outcome"),
    }
}

/// `r` for a row, `c` for a checkpoint, `o`, `f` and `i` for an outcome, a failure, an interruption.
fn letters(told: &[Message]) -> String {
    let letter = |message: &Message| match message {
        Message::Row(..) => 'r',
        Message::Saved(_) => 'c',
        Message::Ended(_, outcome) if outcome.result.is_ok() => 'o',
        Message::Ended(..) => 'f',
        Message::Interrupted(_) => 'i',
        Message::Died => 'd',
    };
    told.iter().map(letter).collect()
}

#[test]
fn each_attempt_tells_its_rows_in_order_and_then_one_end() {
    let [stopped, leaving] = [(); 2].map(|()| Stop::default());
    stopped.ask_at_once();
    leaving.ask_at_epoch_end();
    let eager = Training { checkpoint_every: Duration::ZERO, ..training() };
    let good = task();
    let foreign = task_with("optimizer", Value::Text("none".into()));
    let cases = [
        ("to its end", training(), &good, Stop::default(), "rro"),
        ("with checkpoints", eager, &good, Stop::default(), "rcro"),
        ("stopped", training(), &good, stopped, "i"),
        ("left", training(), &good, leaving, "rci"),
        ("not trained here", training(), &foreign, Stop::default(), "f"),
    ];
    for (what, training, task, stop, expected) in cases {
        let mut bench = Bench::new();
        let told = bench.told(&training, task, &stop);
        assert_eq!(letters(&told), expected, "{what}");
        assert_eq!(bench.shared.n_busy.load(Ordering::Relaxed), 0, "{what}");
        let rows = told.iter().filter_map(|message| match message {
            Message::Row(_, progress) => Some(progress.n_epochs_done),
            _ => None,
        });
        assert!(rows.eq(1..=expected.matches('r').count() as u32), "{what}");
    }
}

/// Rows of before are not told again, but have their times in the outcome.
#[test]
fn what_was_left_goes_on_after_its_last_row() {
    let mut bench = Bench::new();
    let leaving = Stop::default();
    leaving.ask_at_epoch_end();
    let whole = Bench::new().outcome(&training(), &task()).result.unwrap();
    assert_eq!(letters(&bench.told(&training(), &task(), &leaving)), "rci");
    let told = bench.told(&training(), &task(), &Stop::default());
    assert_eq!(letters(&told), "ro");
    let outcome = outcome(told);
    assert_eq!(outcome.result.unwrap(), whole);
    let epochs: Vec<u32> = outcome.timings.iter().map(|it| it.epoch).collect();
    assert_eq!(epochs, [1, 2]);
}

#[test]
fn a_panic_before_training_begins_is_the_trials_failure() {
    let mut bench = Bench::new();
    let folder = tempfile::tempdir().unwrap();
    // Without a core to claim the slot warns, and this log cannot be written.
    let cores = Cores::new(CpuSet::new(), folder.path().into());
    let (task, stop) = (task(), Stop::default());
    let events = bench.events(&task);
    let log = tracing_subscriber::fmt().with_writer(|| -> io::Stderr { panic!("nobody reads") });
    tracing::subscriber::with_default(log.finish(), || {
        train(&training(), Some(&cores), &task, &stop, events);
    });
    let told: Vec<_> = std::iter::from_fn(|| bench.heard.try_recv().ok()).collect();
    assert_eq!(letters(&told), "f");
    assert_eq!(outcome(told).result, Err("panic in training: nobody reads".into()));
    assert_eq!(bench.shared.n_busy.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_slot_trains_on_after_a_trial_that_fails() {
    let folder = tempfile::tempdir().unwrap();
    let program = Box::new(Builtin::new(1, training(), None).unwrap());
    let mut slots = Slots::new(1, program, checkpoints(folder.path()), "test".into(), "none");
    for (batch_size, expected) in [(3, "f"), (1, "rro")] {
        slots.begin(task_with("batch_size", Value::Count(batch_size)));
        let mut told = Vec::new();
        while !matches!(told.last(), Some(Message::Ended(..))) {
            told.push(slots.message().await);
        }
        assert_eq!(letters(&told), expected, "batches of {batch_size}");
    }
}

#[test]
fn a_dead_thread_says_so_whenever_it_is_given_a_trial() {
    let mut bench = Bench::new();
    let (trials, received) = mpsc::channel();
    drop(received);
    let program = Builtin { threads: vec![Thread { trials, handle: thread::spawn(|| {}) }] };
    for _ in 0..2 {
        let events = bench.events(&task());
        program.start(0, task(), Stop::default(), events);
        assert!(matches!(bench.heard.try_recv(), Ok(Message::Died)));
    }
}

/// A cache outlives the state that its checkpoints were made for (`--fresh`), and two sweeps may have
/// the same trial: then the attempts of before count for nothing.
#[test]
fn times_of_another_state_are_of_no_attempt_that_is_still_to_come() {
    let mut bench = Bench::new();
    let leaving = Stop::default();
    leaving.ask_at_epoch_end();
    let before = bench.told(&training(), &Task { attempt: 3, ..task() }, &leaving);
    assert_eq!(letters(&before), "rci", "after its first epoch");
    let timings = bench.outcome(&training(), &task()).timings;
    assert_eq!(timings.iter().map(|it| it.attempt).collect::<Vec<_>>(), [1, 1]);
}

/// An allocation that fails would end the process, and every other slot with it.
#[test]
fn a_trial_for_which_there_is_no_memory_fails_in_words() {
    let mut bench = Bench::new();
    let training = Training { memory: small(), ..training() };
    let wide = task_with("hidden", Value::Widths(proto::Widths { widths: vec![1_000, 1_000] }));
    let text = bench.outcome(&training, &wide).result.expect_err("it fails");
    assert!(text.starts_with("training takes ") && text.contains("fewer slots"), "{text}");
    assert!(bench.outcome(&training, &task()).result.is_ok());
}
