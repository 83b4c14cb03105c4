//! What ends a worker: a coordinator that it cannot work for, whatever it may do. It says why, in words
//! that a terminal can show, and leaves nothing on the disk.

use std::fs;
use std::path::Path;

use e2e::{Env, eventually};
use proto::{Chunk, Data, JoinReply, Scale};
use tonic::{Code, Status};

use crate::fake::{Chunks, Fake, Manner, QUIET};
use crate::meter::{cpu_time, peak_mb};
use crate::{HOSTILE, assert_plain, env};

/// The exit code of a worker that was turned away.
const REFUSED: i32 = 4;

const N_BYTES: u64 = 3_000_000;

/// A data set that no worker has.
fn data() -> Data {
    let scale = Scale::Unit.into();
    Data { digest: vec![0xda; 32], n_bytes: N_BYTES, n_train: 10, n_valid: 10, scale }
}

fn announcing(mut join: JoinReply, change: impl FnOnce(&mut Data)) -> Result<JoinReply, Status> {
    change(join.data.as_mut().expect("a right Join has data"));
    Ok(join)
}

fn chunks(n_bytes: u64) -> Chunks {
    let n_bytes = usize::try_from(n_bytes).expect("it fits");
    Box::pin(tokio_stream::once(Ok(Chunk { bytes: vec![0x5a; n_bytes] })))
}

fn start(env: &Env, fake: &Fake) -> e2e::RemoteWorker {
    env.start_worker_with(fake.url(), "worker", &["--max-dataset", "16MiB", "--stay"])
}

#[test]
fn a_coordinator_that_makes_no_sense_is_left_with_a_reason() {
    type Join = fn(JoinReply, usize) -> Result<JoinReply, Status>;
    let joins: [(Join, &str); 11] = [
        (|_, _| Err(Status::new(Code::Unauthenticated, HOSTILE)), "evil [2J"),
        (|_, _| Err(Status::new(Code::PermissionDenied, HOSTILE.repeat(200))), "evil [2J"),
        (|_, _| Err(Status::new(Code::FailedPrecondition, HOSTILE)), "evil [2J"),
        (|_, _| Err(Status::new(Code::InvalidArgument, "")), "invalid argument"),
        (|join, _| Ok(JoinReply { protocol: u32::MAX, ..join }), "speaks protocol 4294967295"),
        (|join, _| Ok(JoinReply { state_id: vec![1; 100_000], ..join }), "not 16 bytes long"),
        (|join, _| Ok(JoinReply { data: None, ..join }), "digest is not 32 bytes long"),
        (|join, _| announcing(join, |data| data.digest.truncate(31)), "not 32 bytes long"),
        (|join, _| announcing(join, |data| data.scale = 99), "does not know the data's scale 99"),
        (|join, _| announcing(join, |data| data.n_bytes = u64::MAX), "takes 16.0 EiB"),
        (|join, _| announcing(join, |data| data.n_bytes = 17 << 20), "takes 17.0 MiB"),
    ];
    let env = env();
    let fake = Fake::start("127.0.0.1:0", data(), QUIET);
    for (join, reason) in joins {
        fake.change(Manner { join, ..QUIET });
        let ended = start(&env, &fake).wait().expect(REFUSED);
        assert!(ended.stderr_text().contains(reason), "{reason}: {}", ended.stderr_text());
        assert_plain(&ended.stderr);
    }
    // As many bytes as announced, and others.
    fake.change(Manner { dataset: |it| chunks(N_BYTES - it.offset), ..QUIET });
    let ended = start(&env, &fake).wait().expect(REFUSED);
    assert!(ended.stderr_text().contains("another SHA-256"), "{}", ended.stderr_text());
    assert_eq!(n_data_bytes(&env.path("worker/datasets")), 0, "nothing of it stays");
}

/// More bytes than announced, for as long as anybody reads: what was announced bounds the disk.
#[test]
fn a_data_set_without_end_takes_no_more_than_was_announced() {
    let env = env();
    let fake = Fake::start("127.0.0.1:0", data(), QUIET);
    let dataset = |_| -> Chunks {
        let chunk = || Ok(Chunk { bytes: vec![0x5a; 100_000] });
        Box::pin(tokio_stream::iter(std::iter::repeat_with(chunk)))
    };
    fake.change(Manner { dataset, ..QUIET });
    let worker = start(&env, &fake);
    let (pid, mut n_most) = (worker.pid(), 0);
    let datasets = env.path("worker/datasets");
    eventually("several tries", || {
        n_most = n_most.max(n_data_bytes(&datasets));
        // With the Syncs between them.
        (fake.n_calls() > 60).then_some(())
    });
    worker.in_stderr("word of it", |lines| {
        lines.iter().any(|line| line.contains("more bytes arrived than announced")).then_some(())
    });
    println!("{n_most} bytes at most, {} MB, {:?} of CPU", peak_mb(pid), cpu_time(pid));
    assert!(n_most <= N_BYTES, "{n_most} bytes");
    assert!(peak_mb(pid) < 100);
    worker.signal(e2e::Signal::TERM);
    assert_plain(&worker.wait().expect(0).stderr);
}

fn n_data_bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|it| it.len()).sum()
}
