//! Workers and coordinators on a hostile machine: full disks, dead proxies, schedulers' signals, shared
//! caches.

use std::fs;
use std::time::Duration;

use e2e::{Process, Signal, SmallDisk, Sweep, canonical_files};

use crate::env;

/// No proxy of the environment stands between machines that name each other by address; each of
/// these is a port that nobody listens at.
const PROXIES: [(&str, &str); 6] = [
    ("http_proxy", "http://127.0.0.1:9"),
    ("HTTP_PROXY", "http://127.0.0.1:9"),
    ("https_proxy", "http://127.0.0.1:9"),
    ("HTTPS_PROXY", "http://127.0.0.1:9"),
    ("grpc_proxy", "http://127.0.0.1:9"),
    ("ALL_PROXY", "http://127.0.0.1:9"),
];

fn wait_for_line(process: &Process, words: &str) {
    process.in_stderr(words, |lines| lines.iter().any(|line| line.contains(words)).then_some(()));
}

/// `grpc/grpc#9989`, `grpc/grpc#39516`: proxy variables of a login shell made local calls fail.
#[test]
fn proxy_variables_change_nothing() {
    let env = env();
    let arguments = ["--local-slots", "1", "--sync-every", "300ms", "--lease-ttl", "2s"];
    let coordinator = env.start_with(&Sweep::SHORT, &arguments, &PROXIES);
    let worker = env.start_worker_in(&coordinator.url(), "remote", &[], &PROXIES);
    coordinator.wait().expect(0);
    worker.wait().expect(0);
}

/// `dask/distributed#2206`, `It4innovations/hyperqueue#764`: a worker whose disk is full stood idle
/// forever, and only its own log knew why. The coordinator tells what keeps it from working, and
/// everything goes on once there is space.
#[test]
fn a_worker_whose_disk_is_full_says_so_at_the_coordinator() {
    let env = env();
    let Some(disk) = SmallDisk::mount(env.path("small"), 1) else {
        eprintln!("skipped: mounting a file system takes root");
        return;
    };
    let filler = disk.fill();
    let arguments = ["--local-workers", "0", "--sync-every", "300ms", "--lease-ttl", "2s"];
    let coordinator = env.start(&Sweep::SHORT, &arguments);
    let worker = env.start_worker(&coordinator.url(), "small");
    let words = "worker small: the data set is not in ";
    let told = coordinator
        .in_stderr(words, |lines| lines.iter().find(|line| line.contains(words)).cloned());
    assert!(told.contains("no room in small"), "{told}");
    coordinator.in_stdout("an object of it", |lines| {
        let is_told = |line: &String| {
            line.contains(r#""event":"warning","text":"worker small: the data set"#)
        };
        lines.iter().any(is_told).then_some(())
    });
    coordinator.in_stdout("progress with it", |lines| {
        let is_told = |line: &String| {
            line.contains(r#""event":"progress""#)
                && line.contains(r#""warnings":[{"worker":"small""#)
        };
        lines.iter().any(is_told).then_some(())
    });
    let status = env.status(&Sweep::SHORT).text;
    assert!(status.contains("troubles\n worker small: the data set"), "{status}");
    fs::remove_file(filler).expect("it can be removed");
    coordinator.wait().expect(0);
    worker.wait().expect(0);
}

/// `dask/distributed#2206`: it is one line, not one for each try.
#[test]
fn what_goes_on_is_not_said_with_every_try() {
    let env = env();
    let worker = env.start_worker("http://127.0.0.1:9", "alone");
    wait_for_line(&worker, "no coordinator at http://127.0.0.1:9 yet; retrying: ");
    std::thread::sleep(Duration::from_secs(3));
    let n_lines = worker.log().iter().filter(|line| line.contains("no coordinator")).count();
    assert_eq!(n_lines, 1);
}

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
