//! Whole workers against a fake coordinator that loses replies, goes away, drains and refuses.

mod ahead;
mod cache;
mod checkpoints;
mod dataset;
mod fake;
mod hostile;
mod program;
mod rejoin;
mod signals;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use std::{fs, thread};

use fake::{Fake, dataset, hyperparameters, split};
use proto::finished::Outcome;
use proto::{Finished, Order};
use tonic::Status;
use trainer::{EpochEnd, Isa, PreparedData, TrainConfig, Trainer};
use trial::{TrialResult, Value};
use worker::{Config, Ended};

/// Far longer than any test waits for it.
const ENDLESS: u64 = 10_000;

/// For workers that are to give their coordinator up. Nothing that must come before takes this long between
/// two answers, on a busy machine neither.
const SOON_LOST: Duration = Duration::from_secs(3);

fn run(config: Config) -> anyhow::Result<Ended> {
    worker::run(config, Isa::choose(None).unwrap())
}

/// What a plain loop gives for `hyperparameters(epochs, 10, &[8])`.
fn plain_loop(epochs: u64) -> TrialResult {
    let values = [
        ("optimizer", Value::Text("sgd".into())),
        ("learning_rate", Value::Number(0.1)),
        ("batch_size", Value::Count(10)),
        ("hidden", Value::Widths(vec![8])),
        ("epochs", Value::Count(epochs)),
    ];
    let values: BTreeMap<_, _> = values.map(|(key, value)| (key.to_string(), value)).into();
    let config = TrainConfig::from_values(&values, 7).unwrap();
    let data = Arc::new(PreparedData::new(&dataset(), split()).unwrap());
    let mut trainer = Trainer::new(config, data, Isa::choose(None).unwrap()).unwrap();
    while trainer.run_epoch(&AtomicBool::new(false)) == EpochEnd::Continues {}
    trainer.into_result()
}

fn result(finished: &Finished) -> &proto::TrialResult {
    match finished.outcome.as_ref().unwrap() {
        Outcome::Result(result) => result,
        Outcome::Failure(text) => panic!("failed: {text}"),
    }
}

fn n_worker_folders(cache: &Path) -> usize {
    let entries = fs::read_dir(cache.join("workers")).unwrap().flatten();
    entries.filter(|entry| entry.path().is_dir()).count()
}

#[test]
fn trials_are_trained_and_handed_in_once_though_replies_are_lost() {
    let (fake, cache) = (Fake::new(), tempfile::tempdir().unwrap());
    {
        let mut state = fake.state();
        state.add(1, 1, hyperparameters(3, 10, &[8]));
        state.add(2, 1, hyperparameters(5, 10, &[8]));
        state.n_replies_to_lose = 4;
    }
    let server = fake.serve();
    assert_eq!(run(server.worker(cache.path())).unwrap(), Ended::Finished);

    let state = fake.state();
    for (trial, epochs) in [(1, 3), (2, 5)] {
        let [finished] = state.outcomes(trial) else { panic!("one outcome of trial {trial}") };
        let expected = plain_loop(epochs);
        assert_eq!(result(finished).digest, expected.digest.0);
        assert_eq!(result(finished).history.len(), expected.history.len());
        let timings = &finished.timings;
        assert_eq!(timings.len(), expected.history.len());
        assert!(timings.iter().all(|timing| timing.worker == "test" && timing.wall_s > 0.0));
    }
    assert_eq!(state.joins.len(), 1, "a lost reply ends no session");
    for pair in state.syncs.windows(2) {
        if pair[0].seq == pair[1].seq {
            assert_eq!(pair[0], pair[1], "a repeated Sync says the same");
        } else {
            assert_eq!((pair[1].seq, pair[1].seen_seq), (pair[0].seq + 1, pair[0].seq));
        }
    }
    assert_eq!(state.syncs.windows(2).filter(|pair| pair[0].seq == pair[1].seq).count(), 4);
    assert_eq!(n_worker_folders(cache.path()), 0, "nothing is left in the spool");
}

/// Leaves one outcome of trial 1 in the spool, because the coordinator fell silent after the grant.
fn leave_an_outcome(fake: &Fake, cache: &Path) {
    fake.state().add(1, 1, hyperparameters(20, 10, &[8]));
    fake.state().deaf_after_a_grant = true;
    let server = fake.serve();
    let config = Config { lost_after: SOON_LOST, ..server.worker(cache) };
    let error = run(config).unwrap_err().to_string();
    assert!(error.contains("outcomes waiting in") && error.contains("spool: 1;"), "{error}");
    assert_eq!(fake.state().outcomes(1), []);
    assert_eq!(n_worker_folders(cache), 1);
    fake.state().deaf_after_a_grant = false;
}

#[test]
fn an_outcome_outlives_its_worker_and_is_handed_in_by_the_next() {
    let (fake, cache) = (Fake::new(), tempfile::tempdir().unwrap());
    leave_an_outcome(&fake, cache.path());
    let server = fake.serve();
    assert_eq!(run(server.worker(cache.path())).unwrap(), Ended::Finished);
    let state = fake.state();
    let [finished] = state.outcomes(1) else { panic!("one outcome") };
    assert_eq!(result(finished).digest, plain_loop(20).digest.0);
    let [first, second] = &state.joins[..] else { panic!("two Joins") };
    assert_eq!(first.worker_id, second.worker_id, "it adopted the folder");
    assert_eq!(second.held, [finished.lease.clone().unwrap()]);
    assert_eq!((&second.state_id[..], second.continues), (&[1; 16][..], false));
    let n_granted = state.syncs.iter().flat_map(|sync| &sync.running).count();
    assert_eq!(n_granted, 0, "nobody trained it again");
}

/// The bytes of outcomes in the spools of a cache folder.
fn n_spooled_bytes(cache: &Path) -> u64 {
    // The folder comes with the worker.
    let folders = fs::read_dir(cache.join("workers")).into_iter().flatten().flatten();
    let spools = folders.filter_map(|folder| fs::metadata(folder.path().join("spool")).ok());
    spools.map(|spool| spool.len()).sum()
}

#[test]
fn an_outcome_is_in_the_spool_though_a_sync_waits_for_its_answer() {
    let (fake, cache) = (Fake::new(), tempfile::tempdir().unwrap());
    {
        let mut state = fake.state();
        state.add(1, 1, hyperparameters(40, 1, &[64, 64]));
        state.is_silent = true;
        state.lease_ttl_ms = 30_000;
    }
    let server = fake.serve();
    let config = server.worker(cache.path());
    let worker = thread::spawn(move || run(config));
    fake.wait_until("a Sync that waits", |state| state.n_silenced > 0);
    // It is given up after ten seconds at that lease, long after the trial's end.
    fake.wait_until("an outcome in the spool", |_| n_spooled_bytes(cache.path()) > 0);
    assert_eq!(fake.state().n_silenced, 1, "it waited for the Sync");
    assert_eq!(n_epochs_told(&fake.state(), 1), 0, "that Sync waits still");
    fake.state().is_silent = false;
    assert_eq!(worker.join().unwrap().unwrap(), Ended::Finished);
    assert_eq!(fake.state().outcomes(1).len(), 1);
}

/// No times of a coordinator make a worker call without a pause.
#[test]
fn a_coordinator_without_times_is_not_called_all_the_time() {
    let (fake, cache) = (Fake::new(), tempfile::tempdir().unwrap());
    {
        let mut state = fake.state();
        state.add(1, 1, hyperparameters(ENDLESS, 1, &[64, 64]));
        (state.lease_ttl_ms, state.sync_within_ms) = (0, 0);
    }
    let server = fake.serve();
    let config = server.worker(cache.path());
    let worker = thread::spawn(move || run(config));
    fake.wait_until("an epoch", |state| n_epochs_told(state, 1) > 0);
    let (began, n_before) = (Instant::now(), fake.state().syncs.len());
    thread::sleep(Duration::from_secs(2));
    let n_syncs = fake.state().syncs.len() - n_before;
    let n_ms = began.elapsed().as_millis();
    fake.state().order = Some(proto::Order::Finished);
    assert_eq!(worker.join().unwrap().unwrap(), Ended::Finished);
    assert!(n_syncs as u128 <= n_ms / 40 + 1, "{n_syncs} in {n_ms} ms");
}

#[test]
fn an_outcome_is_offered_to_its_own_state_alone() {
    let (fake, cache) = (Fake::new(), tempfile::tempdir().unwrap());
    leave_an_outcome(&fake, cache.path());
    let other = Fake::new();
    other.state().state_id = [2; 16];
    other.state().add(2, 1, hyperparameters(2, 10, &[8]));
    assert_eq!(run(other.serve().worker(cache.path())).unwrap(), Ended::Finished);
    let n_offered = other.state().syncs.iter().flat_map(|sync| &sync.finished).count();
    assert_eq!(n_offered, 1, "its own outcome");
    assert_eq!(n_worker_folders(cache.path()), 1, "the first outcome still waits");
    assert_eq!(run(fake.serve().worker(cache.path())).unwrap(), Ended::Finished);
    assert_eq!(fake.state().outcomes(1).len(), 1);
    assert_eq!(n_worker_folders(cache.path()), 0);
}

/// The most epochs that a session's Syncs have told of.
fn n_epochs_told(state: &fake::State, session: u64) -> u32 {
    let syncs = state.syncs.iter().filter(|sync| sync.session == session);
    syncs.flat_map(|sync| &sync.running).map(|running| running.n_epochs_done).max().unwrap_or(0)
}

#[test]
fn a_drained_worker_hands_back_what_takes_long_and_the_next_goes_on_from_its_checkpoint() {
    let (fake, cache) = (Fake::new(), tempfile::tempdir().unwrap());
    fake.state().add(1, 1, hyperparameters(ENDLESS, 1, &[64, 64]));
    let server = fake.serve();
    for session in 1..=2 {
        let config = server.worker(cache.path());
        let worker = thread::spawn(move || run(config));
        fake.wait_until("an epoch", |state| n_epochs_told(state, session) > 0);
        fake.state().order = Some(Order::Drain);
        assert_eq!(worker.join().unwrap().unwrap(), Ended::Drained);
        let state = fake.state();
        let last = state.syncs.last().unwrap();
        assert!(last.draining && last.running.is_empty() && last.n_free_slots == 0);
        assert_eq!(state.trials[&1].granted_in, None, "handed back in session {session}");
    }
    let state = fake.state();
    let second = state.syncs.iter().filter(|sync| sync.session == 2);
    let mut told = second.flat_map(|sync| &sync.running).map(|running| running.n_epochs_done);
    let first_told = told.find(|&n_epochs| n_epochs > 0).unwrap();
    let n_before = n_epochs_told(&state, 1);
    assert!(first_told > n_before, "{first_told} after {n_before}");
}

#[test]
fn what_cannot_be_trained_is_a_failure_with_its_reason() {
    let (fake, cache) = (Fake::new(), tempfile::tempdir().unwrap());
    {
        let mut state = fake.state();
        state.add(1, 1, hyperparameters(2, u64::from(fake::N_TRAIN) + 1, &[8]));
        let mut unknown = hyperparameters(2, 10, &[8]);
        unknown[0].key = "warp_factor".into();
        state.add(2, 1, unknown);
        state.add(3, 1, hyperparameters(2, 10, &[8]));
    }
    assert_eq!(run(fake.serve().worker(cache.path())).unwrap(), Ended::Finished);
    let state = fake.state();
    for (trial, word) in [(1, "batch"), (2, "warp_factor")] {
        match state.outcomes(trial)[0].outcome.as_ref().unwrap() {
            Outcome::Failure(text) => assert!(text.contains(word), "{text}"),
            Outcome::Result(_) => panic!("trial {trial} cannot have a result"),
        }
    }
    assert_eq!(result(&state.outcomes(3)[0]).digest, plain_loop(2).digest.0);
}

#[test]
fn a_broken_transfer_is_resumed_and_a_damaged_data_set_fetched_again() {
    let (fake, cache) = (Fake::new(), tempfile::tempdir().unwrap());
    fake.state().add(1, 1, hyperparameters(2, 10, &[8]));
    fake.state().n_transfers_to_break = 2;
    let server = fake.serve();
    assert_eq!(run(server.worker(cache.path())).unwrap(), Ended::Finished);
    assert_eq!(fake.state().dataset_offsets, [0, 1000, 2000]);

    let is_data = |name: &str| name.len() == 64;
    let files = fs::read_dir(cache.path().join("datasets")).unwrap().flatten();
    let names: Vec<_> = files.map(|file| file.file_name().into_string().unwrap()).collect();
    let name = names.iter().find(|name| is_data(name)).unwrap();
    assert!(!names.iter().any(|name| name.ends_with(".part")));
    let path = cache.path().join("datasets").join(name);
    let mut bytes = fs::read(&path).unwrap();
    bytes[100] ^= 1;
    fs::write(&path, bytes).unwrap();
    fake.state().dataset_offsets.clear();
    fake.state().add(2, 1, hyperparameters(2, 10, &[8]));
    assert_eq!(run(server.worker(cache.path())).unwrap(), Ended::Finished);
    assert_eq!(fake.state().dataset_offsets, [0]);

    fake.state().dataset_offsets.clear();
    fake.state().add(3, 1, hyperparameters(2, 10, &[8]));
    assert_eq!(run(server.worker(cache.path())).unwrap(), Ended::Finished);
    assert_eq!(fake.state().dataset_offsets, [], "the cache serves it");
}

#[test]
fn a_refused_worker_says_why_and_does_not_try_again() {
    let (fake, cache) = (Fake::new(), tempfile::tempdir().unwrap());
    fake.state().refusal = Some(Status::failed_precondition("numerics version 2 is needed"));
    let ended = run(fake.serve().worker(cache.path())).unwrap();
    assert_eq!(ended, Ended::Refused("numerics version 2 is needed".into()));
}

#[test]
fn a_worker_that_stays_works_for_the_next_sweep_at_its_address() {
    let (fake, cache) = (Fake::new(), tempfile::tempdir().unwrap());
    fake.state().add(1, 1, hyperparameters(2, 10, &[8]));
    let server = fake.serve();
    let mut config = server.worker(cache.path());
    config.stay = true;
    let worker = thread::spawn(move || run(config));
    fake.wait_until("the first sweep", |state| !state.outcomes(1).is_empty());
    {
        let mut state = fake.state();
        state.state_id = [2; 16];
        state.add(2, 1, hyperparameters(2, 10, &[8]));
    }
    fake.wait_until("the second sweep", |state| !state.outcomes(2).is_empty());
    assert!(!worker.is_finished());
    fake.state().refusal = Some(Status::permission_denied("enough"));
    assert_eq!(worker.join().unwrap().unwrap(), Ended::Refused("enough".into()));
}
