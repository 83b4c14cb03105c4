//! What a worker believes of a coordinator that does not know its session, and what it tells in
//! its next Join.

use std::thread::{self, JoinHandle};

use proto::{Lease, Order, Running};
use tempfile::TempDir;
use worker::Ended;

use super::fake::{Fake, Server, State, hyperparameters};
use super::{ENDLESS, n_epochs_told, plain_loop, result, run};

/// A worker in the middle of an endless trial, of whose first epoch it has told.
struct AtWork {
    fake: Fake,
    worker: JoinHandle<anyhow::Result<Ended>>,
    /// What both live on.
    kept: (Server, TempDir),
}

impl AtWork {
    fn start() -> Self {
        let (fake, cache) = (Fake::new(), tempfile::tempdir().unwrap());
        fake.state().add(1, 1, hyperparameters(ENDLESS, 1, &[64, 64]));
        let server = fake.serve();
        let config = server.worker(cache.path());
        let worker = thread::spawn(move || run(config));
        fake.wait_until("an epoch", |state| n_epochs_told(state, 1) > 0);
        Self { fake, worker, kept: (server, cache) }
    }
}

fn trials(leases: &[Lease]) -> Vec<u8> {
    leases.iter().map(|lease| lease.trial_id[0]).collect()
}

#[test]
fn a_worker_whose_session_is_unknown_joins_again_and_trains_on_until_stopped() {
    let AtWork { fake, worker, kept: _kept } = AtWork::start();
    fake.state().order = Some(Order::Rejoin);
    fake.wait_until("an epoch of the second session", |state| n_epochs_told(state, 2) > 0);
    fake.state().stop(1);
    fake.wait_until("a free slot", |state| {
        state.syncs.last().is_some_and(|sync| sync.n_free_slots == 1 && sync.running.is_empty())
    });
    fake.state().order = Some(Order::Finished);
    assert_eq!(worker.join().unwrap().unwrap(), Ended::Finished);

    let state = fake.state();
    let [first, second] = &state.joins[..] else { panic!("two Joins") };
    assert!(first.held.is_empty() && first.state_id.is_empty() && !first.continues);
    assert_eq!(trials(&second.held), [1]);
    assert_eq!(second.state_id, [1; 16]);
    assert!(second.continues);
    assert!(n_epochs_told(&state, 2) > n_epochs_told(&state, 1));
    assert_eq!(state.syncs.iter().flat_map(|sync| &sync.released).count(), 0);
}

#[test]
fn what_was_taken_for_lost_trains_on_and_goes_on_under_a_new_lease() {
    let AtWork { fake, worker, kept: _kept } = AtWork::start();
    {
        let mut state = fake.state();
        state.lose(1);
        state.order = Some(Order::Rejoin);
    }
    let second_attempt = |state: &State| {
        let second = state.syncs.iter().filter(|sync| sync.session == 2);
        let mut running: Vec<Running> = second.flat_map(|sync| &sync.running).cloned().collect();
        running.retain(|running| running.lease.as_ref().unwrap().attempt == 2);
        running
    };
    fake.wait_until("the second attempt", |state| !second_attempt(state).is_empty());
    fake.state().order = Some(Order::Finished);
    assert_eq!(worker.join().unwrap().unwrap(), Ended::Finished);
    let state = fake.state();
    let n_before = n_epochs_told(&state, 1);
    let again = second_attempt(&state)[0].n_epochs_done;
    assert!(n_before <= again, "it began anew: {again} epochs after {n_before}");
}

#[test]
fn of_an_order_to_join_again_nothing_else_is_believed() {
    let (fake, cache) = (Fake::new(), tempfile::tempdir().unwrap());
    {
        let mut state = fake.state();
        state.add(1, 1, hyperparameters(3, 10, &[8]));
        state.add(2, 1, hyperparameters(ENDLESS, 1, &[64, 64]));
        state.foreign_once_finished = true;
    }
    let server = fake.serve();
    let config = server.worker(cache.path());
    let worker = thread::spawn(move || run(config));
    fake.wait_until("an outcome handed in", |state| !state.outcomes(1).is_empty());
    fake.wait_until("the other trial", |state| n_epochs_told(state, 2) > 0);
    fake.state().order = Some(Order::Finished);
    assert_eq!(worker.join().unwrap().unwrap(), Ended::Finished);

    let state = fake.state();
    let second = &state.joins[1];
    assert_eq!(trials(&second.held), [1], "finished and not acknowledged");
    assert_eq!(second.held[0], *state.trials[&1].grant.lease.as_ref().unwrap());
    assert!(second.continues);
    assert_eq!(result(&state.outcomes(1)[0]).digest, plain_loop(3).digest.0);
    let running = state.syncs.iter().flat_map(|sync| &sync.running);
    assert!(running.filter_map(|running| running.lease.as_ref()).all(|l| l.trial_id[0] != 9));
}

#[test]
fn a_worker_that_drains_joins_again_to_hand_back_what_it_has() {
    let AtWork { fake, worker, kept: _kept } = AtWork::start();
    {
        let mut state = fake.state();
        state.forgets_once_released = true;
        state.order = Some(Order::Drain);
    }
    assert_eq!(worker.join().unwrap().unwrap(), Ended::Drained);
    let state = fake.state();
    assert_eq!(state.joins.len(), 2);
    assert_eq!(trials(&state.joins[1].held), []);
    assert_eq!(state.trials[&1].granted_in, None);
}
