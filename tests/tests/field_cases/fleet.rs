//! Workers and the network between them and the coordinator.

use std::{fs, time::Duration};

use e2e::{Process, SmallDisk, Sweep};

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
/// for ever, and only its own log knew why. The coordinator tells what keeps it from working, and
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
    assert!(told.contains("No space left on device"), "{told}");
    coordinator.in_stdout("an object of it", |lines| {
        let is_told = |line: &String| line.contains(r#""event":"trouble","worker":"small""#);
        lines.iter().any(is_told).then_some(())
    });
    coordinator.in_stdout("progress with it", |lines| {
        let is_told = |line: &String| {
            line.contains(r#""event":"progress""#) && line.contains(r#""troubles":[{"worker""#)
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
