//! Programs that are killed or hang in the middle: nothing is lost, nothing runs twice for nothing,
//! nothing stays behind.

use e2e::{Env, Signal, Sweep, eventually, is_alive, trial_ids};

use crate::{env, reference};

/// Lost workers are noticed within two seconds.
const IMPATIENT: [&str; 4] = ["--lease-ttl", "2s", "--sync-every", "300ms"];

fn without_local_workers() -> Vec<&'static str> {
    [&["--local-workers", "0"][..], &IMPATIENT].concat()
}

#[test]
fn a_coordinator_killed_again_and_again_loses_nothing() {
    let env = env();
    let mut n_recorded = 0;
    for _ in 0..3 {
        let coordinator = env.start(&Sweep::LONG, &["--local-slots", "1"]);
        coordinator.wait_for_trials(6);
        coordinator.kill();
        let status = env.status(&Sweep::LONG);
        assert!(n_recorded + 6 <= status.n_completed, "{}", status.text);
        assert_ne!(status.n_waiting, 0, "killed too late: {}", status.text);
        n_recorded = status.n_completed;
    }
    let last = env.run(&Sweep::LONG, &["--local-slots", "1"]);
    assert_eq!(trial_ids(&last).len(), Sweep::LONG.n_trials() - n_recorded);
    reference::assert_same(&env);
}

#[test]
fn a_killed_local_worker_is_started_again() {
    let env = env();
    let coordinator = env.start(&Sweep::LONG, &["--local-slots", "1"]);
    for n_trials in [6, 18] {
        coordinator.wait_for_trials(n_trials);
        let workers = eventually("a local worker", || {
            Some(coordinator.local_workers()).filter(|workers| !workers.is_empty())
        });
        kill_all(&workers);
    }
    let ended = coordinator.wait().expect(0);
    assert_eq!(trial_ids(&ended).len(), Sweep::LONG.n_trials());
    reference::assert_same(&env);
    let status = env.status(&Sweep::LONG);
    assert!(2 <= status.n_lost, "{}", status.text);
}

#[test]
fn trials_of_a_killed_remote_worker_run_elsewhere() {
    let env = env();
    let coordinator = env.start(&Sweep::LONG, &without_local_workers());
    let url = coordinator.url();
    let killed = env.start_worker(&url, "killed");
    coordinator.wait_for_trials(6);
    killed.kill();
    let other = env.start_worker(&url, "other");
    let ended = coordinator.wait().expect(0);
    other.wait().expect(0);
    assert_eq!(trial_ids(&ended).len(), Sweep::LONG.n_trials());
    reference::assert_same(&env);
    let status = env.status(&Sweep::LONG);
    assert_ne!(status.n_lost, 0, "{}", status.text);
}

/// It holds leases for as long as it stands still, and hands in late what it had trained.
#[test]
fn a_worker_that_hangs_and_wakes_up_does_no_harm() {
    let env = env();
    let coordinator = env.start(&Sweep::LONG, &without_local_workers());
    let url = coordinator.url();
    let hanging = env.start_worker(&url, "hanging");
    coordinator.wait_for_trials(6);
    hanging.signal(Signal::STOP);
    wait_for_a_loss(&env);
    hanging.signal(Signal::CONT);
    // The other one would else be done with all before this one is back.
    hanging.in_stderr("second joining", |lines| {
        let n_joined = lines.iter().filter(|line| line.contains(" joined http")).count();
        (2 <= n_joined).then_some(())
    });
    let other = env.start_worker(&url, "other");
    let ended = coordinator.wait().expect(0);
    hanging.wait().expect(0);
    other.wait().expect(0);
    assert_eq!(trial_ids(&ended).len(), Sweep::LONG.n_trials());
    reference::assert_same(&env);
}

#[test]
fn remote_workers_outlast_a_killed_coordinator() {
    let env = env();
    let coordinator = env.start(&Sweep::LONG, &without_local_workers());
    let (url, address) = (coordinator.url(), coordinator.address());
    let workers = ["first", "second"].map(|name| env.start_worker(&url, name));
    coordinator.wait_for_trials(6);
    coordinator.kill();
    let status = env.status(&Sweep::LONG);
    assert_ne!(status.n_waiting, 0, "killed too late: {}", status.text);

    let mut arguments = without_local_workers();
    arguments.extend(["--listen", &address]);
    env.run(&Sweep::LONG, &arguments);
    for worker in workers {
        worker.wait().expect(0);
    }
    reference::assert_same(&env);
}

/// Many are granted ahead of need, and none is lost or recorded twice with whoever held them.
#[test]
fn tiny_trials_are_recorded_once_whoever_is_killed() {
    let env = env();
    let coordinator = env.start(&Sweep::MANY, &without_local_workers());
    let (url, address) = (coordinator.url(), coordinator.address());
    let killed = env.start_worker(&url, "killed");
    coordinator.wait_for_trials(60);
    killed.kill();
    let worker = env.start_worker(&url, "worker");
    coordinator.wait_for_trials(180);
    coordinator.kill();
    let n_recorded = env.status(&Sweep::MANY).n_completed + env.status(&Sweep::MANY).n_diverged;
    let mut arguments = without_local_workers();
    arguments.extend(["--listen", &address]);
    let last = env.run(&Sweep::MANY, &arguments);
    worker.wait().expect(0);
    assert_eq!(trial_ids(&last).len(), Sweep::MANY.n_trials() - n_recorded);
    let status = env.status(&Sweep::MANY);
    assert_eq!(status.n_completed + status.n_diverged, Sweep::MANY.n_trials(), "{}", status.text);
}

#[test]
fn no_local_worker_outlives_a_killed_coordinator() {
    let env = env();
    let coordinator = env.start(&Sweep::ENDLESS, &["--local-workers", "2"]);
    coordinator.wait_for_trials(1);
    let workers = coordinator.local_workers();
    assert_eq!(workers.len(), 2);
    coordinator.kill();
    eventually("the end of the local workers", || {
        workers.iter().all(|&pid| !is_alive(pid)).then_some(())
    });
}

fn kill_all(pids: &[u32]) {
    for &pid in pids {
        e2e::send(pid, Signal::KILL);
    }
}

fn wait_for_a_loss(env: &Env) {
    eventually("a lost worker", || (0 < env.status(&Sweep::LONG).n_lost).then_some(()));
}

/// A worker is lost only after its coordinator was killed and started again.
#[test]
fn a_worker_keeps_its_name_and_the_sweep_its_time_over_a_restart() {
    let env = env();
    let arguments = without_local_workers();
    let coordinator = env.start(&Sweep::ONE, &arguments);
    let worker = env.start_worker(&coordinator.url(), "box-7");
    coordinator.wait_for_epochs(1);
    worker.kill();
    coordinator.kill();
    let again = env.start(&Sweep::ONE, &arguments);
    again.in_stderr("word of the lost worker", |lines| {
        let is_told = |line: &String| line.contains("worker lost") && line.contains("box-7");
        lines.iter().any(is_told).then_some(())
    });
    let status = env.status(&Sweep::ONE);
    let line = status.text.lines().find(|line| line.starts_with("running time "));
    let line = line.unwrap_or_else(|| panic!("{}", status.text));
    assert!(line.ends_with(" over 2 starts") && !line.contains("time 0ms"), "{line}");
    again.kill();
}
