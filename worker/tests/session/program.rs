//! The program `worker` as its user meets it: exit codes, signals, and a log that nobody reads.

use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tonic::Status;

use super::fake::{Fake, PATIENCE, Server, hyperparameters};
use super::{ENDLESS, SOON_LOST, n_epochs_told};

/// One that gives its coordinator up after longer than any test takes.
pub fn worker(url: &str, cache: &Path) -> Command {
    worker_lost_after(PATIENCE, url, cache)
}

/// One that a test sees give its coordinator up.
pub fn impatient_worker(url: &str, cache: &Path) -> Command {
    worker_lost_after(SOON_LOST, url, cache)
}

fn worker_lost_after(lost_after: Duration, url: &str, cache: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_worker"));
    command.args(["--coordinator", url, "--slots", "1", "--cache-dir"]).arg(cache);
    command.arg("--lost-after").arg(format!("{}s", lost_after.as_secs()));
    command.env_remove("RUST_LOG").env_remove("SWEEP_ISA").stderr(Stdio::piped());
    command
}

/// The exit code and what was said on stderr.
pub fn outcome(command: &mut Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

pub fn wait_for(mut child: Child) -> ExitStatus {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if began.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("the worker did not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn serve(fake: &Fake, epochs: u64) -> Server {
    fake.state().add(1, 1, hyperparameters(epochs, 1, &[64, 64]));
    fake.serve()
}

#[test]
fn exit_codes_tell_how_the_run_ended() {
    let (fake, cache) = (Fake::new(), tempfile::tempdir().unwrap());
    let server = serve(&fake, 1);
    assert_eq!(outcome(&mut worker(&server.url(), cache.path())).0, Some(0), "finished");

    let mut unknown_isa = worker(&server.url(), cache.path());
    let (code, text) = outcome(unknown_isa.env("SWEEP_ISA", "mmx"));
    assert!(code == Some(2) && text.contains("mmx"), "{code:?} {text}");
    let (code, text) = outcome(worker(&server.url(), cache.path()).arg("--no-such-flag"));
    assert!(code == Some(2) && text.contains("--no-such-flag"), "{code:?} {text}");

    fake.state().refusal = Some(Status::failed_precondition("another self-test"));
    let (code, text) = outcome(&mut worker(&server.url(), cache.path()));
    assert!(code == Some(4) && text.contains("another self-test"), "{code:?} {text}");

    drop(server);
    let (code, text) = outcome(&mut impatient_worker("http://127.0.0.1:1", cache.path()));
    assert!(code == Some(1) && text.contains("no coordinator at"), "{code:?} {text}");
}

#[test]
fn a_worker_whose_log_nobody_reads_trains_all_the_same() {
    let (fake, cache) = (Fake::new(), tempfile::tempdir().unwrap());
    let server = serve(&fake, 1);
    let mut child = worker(&server.url(), cache.path()).spawn().unwrap();
    drop(child.stderr.take());
    assert_eq!(wait_for(child).code(), Some(0));
    assert_eq!(fake.state().outcomes(1).len(), 1);

    fake.state().refusal = Some(Status::permission_denied("enough"));
    let mut child = worker(&server.url(), cache.path()).spawn().unwrap();
    drop(child.stderr.take());
    assert_eq!(wait_for(child).code(), Some(4), "nor do its last words hurt");
}

#[test]
fn a_signal_drains_unless_it_was_ignored_from_the_start() {
    let (fake, cache) = (Fake::new(), tempfile::tempdir().unwrap());
    let server = serve(&fake, ENDLESS);
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"trap "" HUP; exec "$0" --coordinator "$1" --slots 1 --cache-dir "$2""#]);
    shell.arg(env!("CARGO_BIN_EXE_worker")).arg(server.url()).arg(cache.path());
    let child = shell.stderr(Stdio::null()).spawn().unwrap();
    fake.wait_until("an epoch", |state| n_epochs_told(state, 1) > 0);
    let signal = |name: &str| {
        let pid = child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    };
    signal("-HUP");
    let n_syncs = fake.state().syncs.len();
    fake.wait_until("more Syncs", |state| state.syncs.len() > n_syncs + 3);
    assert!(fake.state().syncs.iter().all(|sync| !sync.draining));
    signal("-TERM");
    assert_eq!(wait_for(child).code(), Some(0));
    assert_eq!(fake.state().trials[&1].granted_in, None, "handed back");
}
