//! Long trials whose worker is lost: another one goes on from what was published, to the same bytes.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use e2e::{Coordinator, Env, RemoteWorker, Sweep, canonical_files};

use crate::env;

/// Remote workers alone; lost ones are noticed within two seconds.
const REMOTE: [&str; 6] = ["--local-workers", "0", "--lease-ttl", "2s", "--sync-every", "300ms"];

/// One trial of a second or more.
const TRIAL: Sweep = Sweep { epochs: 150, ..Sweep::ONE };

/// What an undisturbed run gives.
fn undisturbed() -> &'static BTreeMap<&'static str, String> {
    static FILES: OnceLock<BTreeMap<&'static str, String>> = OnceLock::new();
    FILES.get_or_init(|| {
        let env = env();
        env.run(&TRIAL, &["--local-slots", "1"]);
        canonical_files(&env.report(&TRIAL))
    })
}

/// Starts a worker and kills it once it has published `n` checkpoints.
fn publish(env: &Env, coordinator: &Coordinator, n: usize) {
    let url = coordinator.url();
    let worker = env.start_worker_with(&url, "killed", &["--checkpoint-every", "50ms"]);
    worker.in_stderr("published checkpoint", |lines| {
        let n_told = lines.iter().filter(|line| line.contains("published the checkpoint")).count();
        (n <= n_told).then_some(())
    });
    worker.kill();
}

/// The files of published checkpoints.
fn published(env: &Env) -> Vec<PathBuf> {
    let folder = env.report(&TRIAL).join(".state/checkpoints");
    let trials = fs::read_dir(folder).expect("the state has its folder").flatten();
    let files = trials.flat_map(|trial| fs::read_dir(trial.path()).into_iter().flatten().flatten());
    files.map(|file| file.path()).collect()
}

/// Runs the sweep to its end; gives the worker's log.
fn finish(env: &Env, coordinator: Coordinator, worker: RemoteWorker) -> String {
    coordinator.wait().expect(0);
    let log = worker.wait().expect(0).stderr_text();
    assert_eq!(&canonical_files(&env.report(&TRIAL)), undisturbed(), "{log}");
    assert_eq!(published(env), Vec::<PathBuf>::new(), "they went with the trial's outcome");
    log
}

#[test]
fn a_lost_workers_trial_goes_on_elsewhere() {
    let env = env();
    let coordinator = env.start(&TRIAL, &REMOTE);
    publish(&env, &coordinator, 3);
    assert_eq!(published(&env).len(), 2, "the latest two are kept");
    let other = env.start_worker(&coordinator.url(), "other");
    let log = finish(&env, coordinator, other);
    assert!(log.contains("fetched the checkpoint") && log.contains("goes on after epoch"), "{log}");
}

#[test]
fn what_was_published_outlives_its_coordinator() {
    let env = env();
    let coordinator = env.start(&TRIAL, &REMOTE);
    publish(&env, &coordinator, 1);
    coordinator.kill();
    let coordinator = env.start(&TRIAL, &REMOTE);
    let other = env.start_worker(&coordinator.url(), "other");
    let log = finish(&env, coordinator, other);
    assert!(log.contains("goes on after epoch"), "{log}");
}

#[test]
fn damaged_checkpoints_cost_time_and_nothing_else() {
    let env = env();
    let coordinator = env.start(&TRIAL, &REMOTE);
    publish(&env, &coordinator, 2);
    let files = published(&env);
    assert_eq!(files.len(), 2);
    for file in files {
        let mut bytes = fs::read(&file).expect("it lies there");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&file, bytes).expect("it can be written");
    }
    let other = env.start_worker(&coordinator.url(), "other");
    let log = finish(&env, coordinator, other);
    assert!(log.contains("no checkpoint of epoch"), "{log}");
    assert!(!log.contains("goes on after epoch"), "{log}");
}
