//! Workers and coordinators on a hostile machine: full disks, dead proxies, stuck slots.

use e2e::{Signal, Sweep, canonical_files};

use crate::env;

/// `facebookincubator/submitit#1708`: ahead of the time limit a scheduler sends SIGUSR2, and at
/// once SIGCONT and SIGTERM behind it. A worker hands back what it trains, and its trials go on
/// elsewhere with the same results.
#[test]
fn a_scheduler_s_warning_costs_a_worker_no_trial() {
    let undisturbed = env();
    undisturbed.run(&Sweep::LONG, &[]);
    let env = env();
    let coordinator = env.start(&Sweep::LONG, &["--local-workers", "0"]);
    let worker = env.start_worker(&coordinator.url(), "limited");
    coordinator.wait_for_trials(3);
    for signal in [Signal::USR2, Signal::CONT, Signal::TERM] {
        worker.signal(signal);
    }
    worker.wait().expect(0);
    let other = env.start_worker(&coordinator.url(), "unlimited");
    coordinator.wait().expect(0);
    other.wait().expect(0);
    assert_eq!(env.status(&Sweep::LONG).n_lost, 0);
    let [files, expected] =
        [&env, &undisturbed].map(|it| canonical_files(&it.report(&Sweep::LONG)));
    assert_eq!(files, expected);
}

/// `martius-lab/cluster_utils#64`: SIGUSR1 some time before the limit, to whatever the job runs.
/// A coordinator stops in good order, and the same command goes on.
#[test]
fn a_scheduler_s_warning_stops_a_coordinator_in_good_order() {
    let env = env();
    let coordinator = env.start(&Sweep::LONG, &["--local-slots", "1"]);
    coordinator.wait_for_trials(3);
    for _ in 0..3 {
        coordinator.signal(Signal::USR1);
    }
    let ended = coordinator.wait().expect(130);
    assert!(ended.stderr_text().contains("stopping (SIGUSR1)"), "{}", ended.stderr_text());
    assert_eq!(env.status(&Sweep::LONG).n_lost, 0);
    env.run(&Sweep::LONG, &["--local-slots", "1"]);
}

/// `huggingface/datasets#7900`, `triton-lang/triton#518`: of several people who share a cache
/// folder, the first makes the files, and the others may not write to them. Who runs the tests may
/// write to everything, so folders stand where files go.
#[test]
fn what_another_user_left_in_a_shared_cache_stops_no_worker() {
    let env = env();
    let coordinator = env.start(&Sweep::LONG, &["--local-workers", "0"]);
    let shared = env.path("shared");
    let theirs = "workers/7d6b4c6e-4a3c-4d0e-9f5a-2b1c8e7f6a50";
    for folder in ["workers/.lock", "datasets/.lock", "clock"].map(|name| shared.join(name)) {
        std::fs::create_dir_all(folder).expect("a folder can be made");
    }
    std::fs::create_dir_all(shared.join(theirs).join("lock")).expect("a folder can be made");
    std::fs::write(shared.join("checkpoints"), "not a folder").expect("a file can be written");
    // A worker's name is that of its cache folder.
    let worker = env.start_worker(&coordinator.url(), "shared");
    coordinator.wait().expect(0);
    let text = worker.wait().expect(0).stderr_text();
    let told = |what: &str| text.lines().filter(|line| line.contains(what)).count();
    assert_eq!(
        told(&format!("left alone: the former worker's folder shared/{theirs}")),
        1,
        "{text}"
    );
    assert_eq!(told("no checkpoints are kept: shared/checkpoints: expected a folder"), 1, "{text}");
    assert_eq!(told("cannot"), 0, "{text}");
}
