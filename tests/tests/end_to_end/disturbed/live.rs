//! Workers that are alive are not taken for lost, however busy the machines are.

use std::fs;
use std::thread::{self, available_parallelism};
use std::time::{Duration, Instant};

use e2e::{Coordinator, Env, Signal, Sweep, ctrl_c, eventually};

use crate::env;

/// A fifth of the defaults.
const BUSY: [&str; 4] = ["--lease-ttl", "6s", "--sync-every", "1s"];

const BUSY_FOR: Duration = Duration::from_secs(15);

/// With four times as many trials at once as the machine has cores.
fn overloaded(env: &Env) -> Coordinator {
    let n_slots = (4 * available_parallelism().map_or(2, usize::from)).to_string();
    let arguments = [&["--local-slots", &n_slots][..], &BUSY].concat();
    let coordinator = env.start(&Sweep::ENDLESS, &arguments);
    coordinator.wait_for_epochs(1);
    coordinator
}

/// Lost attempts of a coordinator that is stopped now.
fn n_lost(env: &Env, coordinator: Coordinator) -> usize {
    coordinator.signal(ctrl_c());
    coordinator.wait().expect(130);
    env.status(&Sweep::ENDLESS).n_lost
}

#[test]
fn a_worker_on_an_overloaded_machine_is_never_lost() {
    let env = env();
    let coordinator = overloaded(&env);
    thread::sleep(BUSY_FOR);
    assert_eq!(n_lost(&env, coordinator), 0);
}

#[test]
fn a_worker_that_stands_still_is_lost() {
    let env = env();
    let coordinator = overloaded(&env);
    let workers = coordinator.local_workers();
    let [worker] = workers[..] else { panic!("one worker: {workers:?}") };
    e2e::send(worker, Signal::STOP);
    eventually("a lost attempt", || (env.status(&Sweep::ENDLESS).n_lost > 0).then_some(()));
    e2e::send(worker, Signal::CONT);
    assert_ne!(n_lost(&env, coordinator), 0);
}

/// The silence was its own.
#[test]
fn a_coordinator_that_stood_still_blames_no_worker() {
    let env = env();
    let arguments = ["--local-slots", "1", "--lease-ttl", "3s", "--sync-every", "300ms"];
    let coordinator = env.start(&Sweep::ENDLESS, &arguments);
    coordinator.wait_for_epochs(1);
    coordinator.signal(Signal::STOP);
    thread::sleep(Duration::from_secs(4));
    coordinator.signal(Signal::CONT);
    coordinator.wait_for_trials(1);
    assert_eq!(n_lost(&env, coordinator), 0);
}

/// Without a worker nothing is to be recorded, so that nobody has to wait for the disk.
#[test]
fn an_idle_coordinator_leaves_the_disk_alone() {
    let env = env();
    let began = Instant::now();
    let coordinator = env.start(&Sweep::SHORT, &["--local-workers", "0"]);
    coordinator.url();
    let log = env.report(&Sweep::SHORT).join(".state/sweep.db-wal");
    let written = || fs::metadata(&log).and_then(|it| it.modified()).expect("a log");
    let before = written();
    thread::sleep(Duration::from_secs(4));
    let after = written();
    // It may tell that it is there every ten seconds.
    assert!(after == before || began.elapsed() > Duration::from_secs(10), "written meanwhile");
    coordinator.kill();
}
