//! Panics in a slot: those of a trial are its failure, those of the thread are told.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use rustix::thread::CpuSet;
use trainer::{Dataset, Scale, Split, Value};
use trainer::{Isa, PreparedData, TrainConfig};

use crate::disk::checkpoints::Checkpoints;
use crate::disk::upkeep::{DiskLimits, Upkeep};
use crate::memory::Memory;
use crate::memory::tests::small;
use crate::slots::*;

fn shared(folder: &Path, cores: Option<Cores>) -> Shared {
    Shared {
        worker_name: "test".into(),
        isa: Isa::choose(None).unwrap(),
        checkpoints: Checkpoints::open(&Upkeep::new(folder, DiskLimits::default()), Arc::default()),
        checkpoint_every: Duration::from_secs(30),
        cores,
        n_busy: AtomicU32::new(0),
        memory: Memory::of_this_process(),
    }
}

/// Two images of one pixel to train on, and as many to validate and test with.
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
        ("hidden", Value::Widths(vec![2])),
        ("epochs", Value::Count(2)),
    ];
    let values: BTreeMap<_, _> = values.map(|(key, value)| (key.to_string(), value)).into();
    Task {
        job: Job(1),
        trial_id: [1; 32],
        attempt: 1,
        config: TrainConfig::from_values(&values, 7).unwrap(),
        data: Arc::new(PreparedData::new(&dataset, split).unwrap()),
    }
}

fn failure(message: Message) -> Option<String> {
    match message {
        Message::Ended(_, outcome) => outcome.result.err(),
        _ => panic!("the trial has an outcome"),
    }
}

#[test]
fn a_panic_before_training_begins_is_the_trials_failure() {
    let folder = tempfile::tempdir().unwrap();
    // Without a core to claim the slot warns, and this log cannot be written.
    let cores = Cores::new(CpuSet::new(), folder.path().into());
    let shared = shared(folder.path(), Some(cores));
    let (sender, _messages) = mpsc::channel(MAX_MESSAGES);
    let log = tracing_subscriber::fmt().with_writer(|| -> io::Stderr { panic!("nobody reads") });
    let message = tracing::subscriber::with_default(log.finish(), || {
        run(&shared, &task(), &StopFlags::default(), &sender)
    });
    assert_eq!(failure(message), Some("panic in training: nobody reads".into()));
    assert_eq!(shared.n_busy.into_inner(), 0);
}

#[test]
fn a_slot_trains_on_after_a_trial_that_fails() {
    let folder = tempfile::tempdir().unwrap();
    let mut slots = Slots::start(1, shared(folder.path(), None)).unwrap();
    for (batch_size, fails) in [(3, true), (1, false)] {
        let mut task = task();
        task.config.batch_size = batch_size;
        slots.begin(task);
        let message = loop {
            match slots.messages.blocking_recv().unwrap() {
                Message::EpochDone(..) | Message::Saved(_) => {}
                message => break slots.note(message),
            }
        };
        assert_eq!(failure(message).is_some(), fails, "batches of {batch_size}");
    }
}

#[test]
fn a_dead_slot_says_so_even_when_it_is_given_another_task() {
    let (sender, messages) = mpsc::channel(MAX_MESSAGES);
    let slot = start_slot(0, sender, |_, _| panic!("no room for a message")).unwrap();
    let mut slots = Slots { slots: vec![slot], messages };
    slots.begin(task());
    match slots.messages.blocking_recv() {
        Some(Message::Died(text)) => assert_eq!(text, "no room for a message"),
        _ => panic!("the slot's thread is dead and did not say so"),
    }
    slots.slots[0].current = None;
    slots.begin(task());
}

/// A cache outlives the state that its checkpoints were made for (`--fresh`), and two sweeps may have
/// the same trial: then the attempts of before count for nothing.
#[test]
fn times_of_another_state_are_of_no_attempt_that_is_still_to_come() {
    let folder = tempfile::tempdir().unwrap();
    let shared = shared(folder.path(), None);
    let (sender, _messages) = mpsc::channel(MAX_MESSAGES);
    let leaves = StopFlags::default();
    leaves.leave_at_epoch_end.store(true, Ordering::Relaxed);
    let before = run(&shared, &Task { attempt: 3, ..task() }, &leaves, &sender);
    assert!(matches!(before, Message::Left(_)), "after its first epoch");
    match run(&shared, &task(), &StopFlags::default(), &sender) {
        Message::Ended(_, outcome) => {
            let attempts: Vec<u32> = outcome.timings.iter().map(|it| it.attempt).collect();
            assert_eq!(attempts, [1, 1]);
        }
        _ => panic!("it is trained to its end"),
    }
}

/// An allocation that fails would end the process, and every other slot with it.
#[test]
fn a_trial_for_which_there_is_no_memory_fails_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let shared = Shared { memory: small(), ..shared(folder.path(), None) };
    let (sender, _messages) = mpsc::channel(MAX_MESSAGES);
    let mut wide = task();
    wide.config.hidden = vec![1_000, 1_000];
    let text = failure(run(&shared, &wide, &StopFlags::default(), &sender)).expect("it fails");
    assert!(text.starts_with("training takes ") && text.contains("fewer slots"), "{text}");
    assert_eq!(failure(run(&shared, &task(), &StopFlags::default(), &sender)), None);
}
