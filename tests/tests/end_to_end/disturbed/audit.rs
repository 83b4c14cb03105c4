//! Trials that are trained twice and compared.

use coordinator::parts::{Reader, database_in};
use e2e::{Env, Sweep, finished_event};

use crate::{env, reference};

/// Results of `Sweep::LONG` that differ from the recorded one.
fn n_conflicts(env: &Env) -> u64 {
    let state = env.report(&Sweep::LONG).join(".state");
    let reader = Reader::open(&database_in(&state)).expect("the state can be read");
    reader.attempt_counts().expect("the state can be read").n_conflicts
}

#[test]
fn two_workers_agree_on_every_bit_of_every_trial() {
    let env = env();
    let coordinator = env.start(&Sweep::LONG, &["--local-workers", "0", "--audit", "1"]);
    let url = coordinator.url();
    let workers = ["first", "second"].map(|name| env.start_worker(&url, name));
    let ended = coordinator.wait().expect(0);
    for worker in workers {
        worker.wait().expect(0);
    }
    reference::assert_same(&env);
    assert_eq!(finished_event(&ended)["n_checked"], Sweep::LONG.n_trials());
    assert_eq!(n_conflicts(&env), 0);
    let status = env.status(&Sweep::LONG);
    assert!(2 * Sweep::LONG.n_trials() <= status.n_attempts, "{}", status.text);
    // Nobody checks itself while there is another one.
    assert_eq!(status.workers.len(), 2, "{}", status.text);
}

#[test]
fn a_worker_that_trains_something_else_is_found_out() {
    let env = env();
    let coordinator = env.start(&Sweep::LONG, &["--local-workers", "0", "--audit", "1"]);
    let faults = [("SWEEP_FAULT", "bug.seed_by_attempt")];
    let worker = env.start_worker_in(&coordinator.url(), "wrong", &[], &faults);
    let ended = coordinator.wait().expect(0);
    worker.wait().expect(0);
    assert_eq!(n_conflicts(&env), Sweep::LONG.n_trials() as u64);
    assert!(ended.stderr_text().contains("got other bits"), "{}", ended.stderr_text());
}
