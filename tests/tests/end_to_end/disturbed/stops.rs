//! Orderly stops: by signal, by time limit, of coordinators and of workers.

use std::path::Path;
use std::time::{Duration, Instant};

use coordinator::parts::{Reader, TrialState, database_in};
use e2e::{Ended, Signal, Sweep, canonical_files, ctrl_c, finished_event};

use crate::{env, reference};

#[track_caller]
fn assert_stopped(ended: Ended) {
    let ended = ended.expect(130);
    let event = finished_event(&ended);
    assert!(event["results_sha256"].is_null(), "{event}");
    assert!(event["resume_with"].as_str().is_some_and(|it| it.contains("--sweep")), "{event}");
}

/// Which attempt trained each epoch of the only trial.
fn attempts_of_epochs(state: &Path) -> Vec<u32> {
    let reader = Reader::open(&database_in(state)).expect("the state can be read");
    let trials = reader.trials().expect("the state can be read");
    let [TrialState::Done { timings, .. }] =
        &trials.into_values().map(|trial| trial.state).collect::<Vec<_>>()[..]
    else {
        panic!("not one trial that is done")
    };
    timings.iter().map(|timing| timing.attempt).collect()
}

#[test]
fn ctrl_c_and_the_same_command_again() {
    let env = env();
    let coordinator = env.start(&Sweep::LONG, &["--local-slots", "1"]);
    coordinator.wait_for_trials(6);
    coordinator.signal(ctrl_c());
    assert_stopped(coordinator.wait());
    let report = env.report(&Sweep::LONG);
    let status = env.status(&Sweep::LONG);
    assert_ne!(status.n_waiting, 0, "stopped too late: {}", status.text);
    assert_eq!(status.n_lost, 0, "{}", status.text);
    assert!(report.join("partial/report.md").exists());
    assert!(report.join("partial/results-incomplete.csv").exists());
    assert!(!report.join("results.csv").exists());

    env.run(&Sweep::LONG, &["--local-slots", "1"]);
    reference::assert_same(&env);
    assert!(!report.join("partial").exists());
}

#[test]
fn a_long_trial_goes_on_from_its_checkpoint() {
    let arguments = ["--local-slots", "1", "--lease-ttl", "2s", "--sync-every", "300ms"];
    let undisturbed = env();
    undisturbed.run(&Sweep::ONE, &arguments);

    let env = env();
    let coordinator = env.start(&Sweep::ONE, &arguments);
    coordinator.wait_for_epochs(50);
    coordinator.signal(ctrl_c());
    assert_stopped(coordinator.wait());
    assert_eq!(env.status(&Sweep::ONE).n_waiting, 1);

    let resumed = env.start(&Sweep::ONE, &arguments);
    resumed.wait_for_trials(1);
    resumed.wait().expect(0);
    let attempts = attempts_of_epochs(&env.report(&Sweep::ONE).join(".state"));
    assert_eq!(attempts[0], 1, "it started again from scratch: {attempts:?}");
    assert!(attempts.is_sorted(), "{attempts:?}");
    assert_eq!(attempts.last(), Some(&2), "{attempts:?}");
    assert_eq!(
        canonical_files(&env.report(&Sweep::ONE)),
        canonical_files(&undisturbed.report(&Sweep::ONE))
    );
}

/// The worker stands still, so that an orderly stop would take many seconds.
#[test]
fn a_second_signal_ends_it_at_once() {
    let env = env();
    let coordinator = env.start(&Sweep::ENDLESS, &["--local-slots", "1"]);
    coordinator.wait_for_trials(1);
    let workers = coordinator.local_workers();
    for &pid in &workers {
        e2e::send(pid, Signal::STOP);
    }
    coordinator.signal(ctrl_c());
    coordinator.wait_for_stopping();
    let asked_again = Instant::now();
    coordinator.signal(ctrl_c());
    let told = coordinator.wait().expect(130).stderr_text();
    assert!(asked_again.elapsed() < Duration::from_secs(5), "{:?}", asked_again.elapsed());
    assert!(told.contains("to go on: coordinator --sweep endless.toml"), "{told}");
    for &pid in &workers {
        e2e::send_if_there(pid, Signal::CONT);
    }
}

#[test]
fn the_time_limit_stops_in_good_order() {
    let env = env();
    assert_stopped(env.start(&Sweep::ENDLESS, &["--time-limit", "1500ms"]).wait());
    let status = env.status(&Sweep::ENDLESS);
    assert_ne!(status.n_waiting, 0, "{}", status.text);
    assert_eq!(status.n_lost, 0, "{}", status.text);
}

#[test]
fn a_stop_sends_remote_workers_home() {
    let env = env();
    let arguments = ["--local-workers", "0", "--lease-ttl", "2s", "--sync-every", "300ms"];
    let coordinator = env.start(&Sweep::ENDLESS, &arguments);
    let worker = env.start_worker(&coordinator.url(), "remote");
    coordinator.wait_for_trials(1);
    coordinator.signal(Signal::TERM);
    assert_stopped(coordinator.wait());
    worker.wait().expect(0);
}

/// What it had not finished goes to others, as if it had never been granted.
#[test]
fn a_drained_worker_leaves_its_trials_to_others() {
    let env = env();
    let coordinator = env.start(&Sweep::LONG, &["--local-workers", "0"]);
    let url = coordinator.url();
    let drained = env.start_worker(&url, "drained");
    coordinator.wait_for_trials(6);
    drained.signal(Signal::TERM);
    drained.wait().expect(0);
    let other = env.start_worker(&url, "other");
    coordinator.wait().expect(0);
    other.wait().expect(0);
    reference::assert_same(&env);
    let status = env.status(&Sweep::LONG);
    assert_eq!(status.n_lost, 0, "{}", status.text);
    assert!(status.workers.values().all(|&n_attempts| 0 < n_attempts), "{}", status.text);
}
