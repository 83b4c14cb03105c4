//! The same results whatever trains them: slots, processes, machines, instruction sets.

use e2e::Sweep;

use crate::{env, reference};

#[track_caller]
fn assert_same_with(arguments: &[&str]) {
    let env = env();
    env.run(&Sweep::LONG, arguments);
    reference::assert_same(&env);
}

#[test]
fn two_slots() {
    assert_same_with(&["--local-slots", "2"]);
}

#[test]
fn more_slots_than_cores() {
    assert_same_with(&["--local-slots", "7"]);
}

#[test]
fn two_local_workers() {
    assert_same_with(&["--local-workers", "2", "--local-slots", "1"]);
}

#[test]
fn two_remote_workers() {
    let env = env();
    let coordinator = env.start(&Sweep::LONG, &["--local-workers", "0"]);
    let url = coordinator.url();
    let workers = ["first", "second"].map(|name| env.start_worker(&url, name));
    coordinator.wait().expect(0);
    for worker in workers {
        worker.wait().expect(0);
    }
    reference::assert_same(&env);
    let shares = env.status(&Sweep::LONG).workers;
    assert_eq!(shares.keys().collect::<Vec<_>>(), ["first", "second"]);
    assert!(shares.values().all(|&n_attempts| 0 < n_attempts), "{shares:?}");
}

#[test]
fn local_and_remote_workers_together() {
    let env = env();
    let coordinator = env.start(&Sweep::LONG, &["--local-slots", "1"]);
    let worker = env.start_worker(&coordinator.url(), "remote");
    coordinator.wait().expect(0);
    worker.wait().expect(0);
    reference::assert_same(&env);
}

/// Those that this machine lacks are refused before anything starts.
#[test]
fn every_instruction_set() {
    let mut n_trained = 0;
    for isa in ["portable", "avx2", "avx512"] {
        let env = env();
        let ended = env.start_with(&Sweep::LONG, &[], &[("SWEEP_ISA", isa)]).wait();
        if ended.code == 2 {
            assert_ne!(isa, "portable");
            assert!(ended.stderr_text().contains("this CPU lacks"), "{ended:#?}");
            continue;
        }
        ended.expect(0);
        reference::assert_same(&env);
        assert!(env.status(&Sweep::LONG).text.contains(isa));
        n_trained += 1;
    }
    assert_ne!(n_trained, 0);
}
