//! Trials that are granted ahead of need: they wait for a slot, and go back when they are asked for.

use std::thread;

use proto::{Order, SyncRequest};
use worker::Ended;

use super::fake::{Fake, hyperparameters};
use super::{ENDLESS, n_epochs_told, run};

fn waiting(sync: &SyncRequest) -> Vec<u8> {
    let waiting = sync.running.iter().filter(|running| !running.started);
    waiting.map(|running| running.lease.as_ref().unwrap().trial_id[0]).collect()
}

#[test]
fn what_waits_is_trained_in_its_order_and_handed_in_once() {
    let (fake, cache) = (Fake::new(), tempfile::tempdir().unwrap());
    let trials = 1..=60;
    {
        let mut state = fake.state();
        state.grants_ahead = true;
        trials.clone().for_each(|trial| state.add(trial, 1, hyperparameters(1, 10, &[8])));
        state.n_replies_to_lose = 2;
    }
    assert_eq!(run(fake.serve().worker(cache.path())).unwrap(), Ended::Finished);
    let state = fake.state();
    assert!(trials.clone().all(|trial| state.outcomes(trial).len() == 1));
    let finished = state.syncs.iter().flat_map(|sync| &sync.finished);
    let mut order: Vec<u8> = Vec::new();
    for trial in finished.map(|it| it.lease.as_ref().unwrap().trial_id[0]) {
        if !order.contains(&trial) {
            order.push(trial);
        }
    }
    assert!(order.into_iter().eq(trials), "in the order of their grants");
}

#[test]
fn what_has_not_begun_goes_back_when_it_is_withdrawn_or_the_worker_drains() {
    let (fake, cache) = (Fake::new(), tempfile::tempdir().unwrap());
    {
        let mut state = fake.state();
        state.grants_ahead = true;
        (1..=4).for_each(|trial| state.add(trial, 1, hyperparameters(ENDLESS, 1, &[64, 64])));
    }
    let server = fake.serve();
    let config = server.worker(cache.path());
    let worker = thread::spawn(move || run(config));
    fake.wait_until("an epoch", |state| n_epochs_told(state, 1) > 0);
    assert_eq!(waiting(fake.state().syncs.last().unwrap()), [2, 3, 4]);
    {
        let mut state = fake.state();
        state.grants_ahead = false;
        state.withdraw(1);
        state.withdraw(3);
    }
    fake.wait_until("the withdrawn trial", |state| state.trials[&3].granted_in.is_none());
    fake.wait_until("the rest", |state| waiting(state.syncs.last().unwrap()) == [2, 4]);
    assert!(fake.state().trials[&1].granted_in.is_some(), "what runs goes on");
    fake.state().order = Some(Order::Drain);
    assert_eq!(worker.join().unwrap().unwrap(), Ended::Drained);
    let state = fake.state();
    assert!(state.trials.values().all(|trial| trial.granted_in.is_none()), "all handed back");
}
