//! Clients that break the rules of the connection, beside workers that follow them: the sweep goes
//! on and ends as if they were not there.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::OnceLock;

use e2e::{Coordinator, Sweep, canonical_files};
use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::env;

const PREFACE_AND_SETTINGS: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Both tests' sweep.
fn undisturbed() -> &'static BTreeMap<&'static str, String> {
    static FILES: OnceLock<BTreeMap<&'static str, String>> = OnceLock::new();
    FILES.get_or_init(|| {
        let env = env();
        env.run(&Sweep::LONG, &["--local-slots", "1"]);
        canonical_files(&env.report(&Sweep::LONG))
    })
}

#[test]
fn clients_of_every_bad_kind_change_nothing() {
    let env = env();
    let coordinator = env.start(&Sweep::LONG, &["--local-slots", "1"]);
    let address = coordinator.address();
    let mut clients = Vec::new();
    for bytes in [
        b"".as_slice(),
        b"GET / HTTP/1.1\r\nHost: coordinator\r\n\r\n",
        &[0xFF; 4096],
        &PREFACE_AND_SETTINGS[..12],
        PREFACE_AND_SETTINGS,
    ] {
        for _ in 0..20 {
            let mut client = TcpStream::connect(&address).expect("it listens");
            // One that was closed already cannot be written to.
            let _ = client.write_all(bytes);
            clients.push(client);
        }
    }
    coordinator.wait().expect(0);
    assert_eq!(&canonical_files(&env.report(&Sweep::LONG)), undisturbed());
    drop(clients);
}

/// While no file can be opened no connection can be accepted; later clients are served again.
#[test]
fn running_out_of_files_passes() {
    let env = env();
    let coordinator = env.start(&Sweep::LONG, &["--local-slots", "1"]);
    let address = coordinator.address();
    coordinator.wait_for_trials(1);
    let former = limit_files(&coordinator, Some(n_open_files(&coordinator)));
    let mut client = TcpStream::connect(&address).expect("the system accepts for it");
    client.write_all(PREFACE_AND_SETTINGS).expect("it is connected");
    coordinator.in_stderr("word of the failure", |lines| {
        lines.iter().any(|line| line.contains("cannot accept a connection")).then_some(())
    });
    limit_files(&coordinator, former);
    // Its own settings are the first thing that a server says.
    assert_eq!(client.read(&mut [0; 9]).expect("it is served now"), 9);
    coordinator.wait().expect(0);
    assert_eq!(&canonical_files(&env.report(&Sweep::LONG)), undisturbed());
}

fn n_open_files(coordinator: &Coordinator) -> u64 {
    let folder = format!("/proc/{}/fd", coordinator.pid());
    fs::read_dir(folder).expect("it runs").count() as u64
}

/// Returns the former limit.
fn limit_files(coordinator: &Coordinator, current: Option<u64>) -> Option<u64> {
    let pid = i32::try_from(coordinator.pid()).ok().and_then(Pid::from_raw);
    let maximum = rustix::process::getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit { current, maximum };
    prlimit(pid, Resource::Nofile, limit).expect("the limit of a child can be set").current
}
