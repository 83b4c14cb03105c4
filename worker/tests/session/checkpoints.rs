//! Checkpoints that travel: what one worker has published, another goes on from.

use std::path::Path;
use std::thread;
use std::time::Duration;

use proto::Order;
use worker::{Config, Ended};

use super::fake::{Fake, Server, State, hyperparameters};
use super::{ENDLESS, n_epochs_told, plain_loop, result, run};

/// After each epoch.
fn eager(server: &Server, cache: &Path) -> Config {
    Config { checkpoint_every: Duration::ZERO, ..server.worker(cache) }
}

fn n_published(state: &State) -> usize {
    state.published.get(&1).map_or(0, Vec::len)
}

/// The first number of epochs that a session told of.
fn first_told(state: &State, session: u64) -> u32 {
    let syncs = state.syncs.iter().filter(|sync| sync.session == session);
    let mut told = syncs.flat_map(|sync| &sync.running).map(|running| running.n_epochs_done);
    told.find(|&n_epochs| n_epochs > 0).unwrap_or(0)
}

/// Trains trial 1 until `n` checkpoints have been published, and then drains the worker.
fn publish(fake: &Fake, config: Config, n: usize) {
    let worker = thread::spawn(move || run(config));
    fake.wait_until("checkpoints", |state| n_published(state) >= n);
    fake.state().order = Some(Order::Drain);
    assert_eq!(worker.join().unwrap().unwrap(), Ended::Drained);
}

#[test]
fn a_trial_goes_on_elsewhere_and_gives_the_same() {
    const EPOCHS: u64 = 4_000;
    let (fake, caches) = (Fake::new(), [(); 2].map(|()| tempfile::tempdir().unwrap()));
    fake.state().add(1, 1, hyperparameters(EPOCHS, 10, &[8]));
    let server = fake.serve();
    publish(&fake, eager(&server, caches[0].path()), 2);
    assert_eq!(run(server.worker(caches[1].path())).unwrap(), Ended::Finished);
    let state = fake.state();
    let [finished] = state.outcomes(1) else { panic!("one outcome") };
    let expected = plain_loop(EPOCHS);
    assert_eq!(result(finished).digest, expected.digest.0);
    assert_eq!(finished.timings.len(), expected.history.len());
    let n_before = state.published[&1].last().unwrap().0.epoch;
    assert!(first_told(&state, 2) == 0 || n_before < first_told(&state, 2));
}

/// What a drained worker publishes last is all that it has done.
#[test]
fn draining_publishes_before_it_hands_back() {
    let (fake, caches) = (Fake::new(), [(); 2].map(|()| tempfile::tempdir().unwrap()));
    fake.state().add(1, 1, hyperparameters(ENDLESS, 1, &[64, 64]));
    let server = fake.serve();
    for (session, cache) in (1..).zip(&caches) {
        let config = server.worker(cache.path());
        let worker = thread::spawn(move || run(config));
        fake.wait_until("an epoch", |state| n_epochs_told(state, session) > 0);
        fake.state().order = Some(Order::Drain);
        assert_eq!(worker.join().unwrap().unwrap(), Ended::Drained);
        let state = fake.state();
        assert_eq!(n_published(&state), session as usize);
        assert!(n_epochs_told(&state, session) <= state.published[&1].last().unwrap().0.epoch);
        assert_eq!(state.trials[&1].granted_in, None, "handed back");
    }
    let state = fake.state();
    let n_before = state.published[&1][0].0.epoch;
    assert!(n_before < first_told(&state, 2), "went on after epoch {n_before}");
}

#[test]
fn a_transfer_that_breaks_many_times_goes_on_where_it_stopped() {
    let (fake, caches) = (Fake::new(), [(); 2].map(|()| tempfile::tempdir().unwrap()));
    fake.state().add(1, 1, hyperparameters(ENDLESS, 1, &[64, 64]));
    let server = fake.serve();
    for (session, cache) in (1..).zip(&caches) {
        let config = server.worker(cache.path());
        fake.state().n_checkpoints_to_break = 7;
        let worker = thread::spawn(move || run(config));
        fake.wait_until("an epoch", |state| n_epochs_told(state, session) > 0);
        fake.state().order = Some(Order::Drain);
        assert_eq!(worker.join().unwrap().unwrap(), Ended::Drained);
    }
    let state = fake.state();
    let epoch = state.published[&1][0].0.epoch;
    let offsets: Vec<u64> = (0..=7).map(|n_breaks| 1000 * n_breaks).collect();
    assert_eq!(state.upload_offsets[..=7], offsets);
    assert!(state.downloads.iter().copied().eq(offsets.iter().map(|&offset| (offset, epoch))));
    assert!(epoch < first_told(&state, 2));
}

#[test]
fn a_damaged_checkpoint_gives_way_to_the_one_before() {
    let (fake, caches) = (Fake::new(), [(); 2].map(|()| tempfile::tempdir().unwrap()));
    fake.state().add(1, 1, hyperparameters(ENDLESS, 1, &[64, 64]));
    let server = fake.serve();
    publish(&fake, eager(&server, caches[0].path()), 2);
    let n_before = n_published(&fake.state());
    fake.state().damages_newest = true;
    publish(&fake, eager(&server, caches[1].path()), n_before + 1);
    let state = fake.state();
    let epochs = [1, 2].map(|back| state.published[&1][n_before - back].0.epoch);
    assert_eq!(state.downloads, epochs.map(|epoch| (0, epoch)));
    assert!(epochs[1] < state.published[&1][n_before].0.epoch, "it went on from there");
}

/// The worker's own is as good, and needs no transfer.
#[test]
fn nothing_is_fetched_that_lies_here() {
    let (fake, cache) = (Fake::new(), tempfile::tempdir().unwrap());
    fake.state().add(1, 1, hyperparameters(ENDLESS, 1, &[64, 64]));
    let server = fake.serve();
    publish(&fake, eager(&server, cache.path()), 1);
    let n_before = n_published(&fake.state());
    publish(&fake, eager(&server, cache.path()), n_before + 1);
    let state = fake.state();
    assert_eq!(state.downloads, []);
    let epochs: Vec<u32> = state.published[&1].iter().map(|(known, _)| known.epoch).collect();
    assert!(epochs[n_before - 1] < epochs[n_before], "{epochs:?}");
}
