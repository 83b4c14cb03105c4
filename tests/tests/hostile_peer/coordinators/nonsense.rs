//! A coordinator that talks nonsense to a real worker: it neither ends by it, nor spins, nor fills its
//! disk or its memory, and works for an honest coordinator afterwards.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use e2e::{Env, Sweep, canonical_files, eventually, own_host};
use proto::hyperparameter::Value;
use proto::{
    Ack, Checkpoint, Chunk, Data, Grant, Hyperparameter, JoinReply, Lease, Order, Scale, SyncReply,
    SyncRequest, Verdict, Widths,
};
use tonic::{Code, Status};
use trial::hex::from_hex;

use crate::fake::{Chunks, Fake, Manner, QUIET, reply};
use crate::meter::{cpu_time, peak_mb};
use crate::{HOSTILE, assert_plain, env};

const SWEEP: Sweep = Sweep { name: "after", ..Sweep::SHORT };

/// For each manner.
const LASTS: Duration = Duration::from_secs(1);

/// A worker calls 20 times a second at most while nothing is done; a quarter more by jitter, and
/// what was under way before.
const MAX_CALLS_PER_S: f64 = 25.0;
const MAX_CALLS_BEFORE: f64 = 15.0;

/// Lines of its log for each manner: what is repeated is counted. A line for each Join is the most.
const MAX_LINES: usize = 60;

const MAX_PEAK_MB: u64 = 400;
const MAX_CACHE_BYTES: u64 = 64 << 20;

/// A lease of another trial each time.
fn lease() -> Lease {
    static N_LEASES: AtomicU64 = AtomicU64::new(1);
    let n = N_LEASES.fetch_add(1, Ordering::Relaxed);
    let mut trial_id = vec![0xcd; 32];
    trial_id[..8].copy_from_slice(&n.to_le_bytes());
    Lease { term: 1, trial_id, attempt: 1, nonce: n }
}

fn grant(hyperparameters: &[(&str, Option<Value>)], checkpoints: Vec<Checkpoint>) -> Grant {
    let hyperparameters = hyperparameters.iter().map(|(key, value)| {
        let (key, value) = ((*key).to_owned(), value.clone());
        Hyperparameter { key, value }
    });
    let lease = Some(lease());
    Grant { lease, hyperparameters: hyperparameters.collect(), seed: u32::MAX, checkpoints }
}

/// What no build knows or takes.
fn garbage(n: usize) -> Grant {
    let widths = Value::Widths(Widths { widths: vec![u32::MAX; 100] });
    let kinds: [&[(&str, Option<Value>)]; 5] = [
        &[(HOSTILE, Some(Value::Text(HOSTILE.into())))],
        &[("learning_rate", Some(Value::Number(f64::NAN)))],
        &[("hidden", Some(widths)), ("epochs", Some(Value::Count(u64::MAX)))],
        &[("batch_size", None)],
        &[],
    ];
    grant(kinds[n % kinds.len()], vec![])
}

/// A trial of small networks that goes on for minutes.
fn sound(checkpoints: Vec<Checkpoint>) -> Grant {
    let text = |text: &str| Some(Value::Text(text.into()));
    let values = [
        ("optimizer", text("sgd")),
        ("learning_rate", Some(Value::Number(0.01))),
        ("batch_size", Some(Value::Count(16))),
        ("hidden", Some(Value::Widths(Widths { widths: vec![32] }))),
        ("epochs", Some(Value::Count(10_000))),
    ];
    grant(&values, checkpoints)
}

fn hostile(code: Code) -> Status {
    Status::new(code, HOSTILE.repeat(50))
}

fn endless() -> Chunks {
    Box::pin(tokio_stream::iter(std::iter::repeat_with(|| {
        Ok(Chunk { bytes: vec![0x5a; 100_000] })
    })))
}

/// Answers to a Join that a worker does not take for a reason to end.
const PASSING: [Code; 12] = [
    Code::Cancelled,
    Code::Unknown,
    Code::DeadlineExceeded,
    Code::NotFound,
    Code::AlreadyExists,
    Code::ResourceExhausted,
    Code::Aborted,
    Code::OutOfRange,
    Code::Unimplemented,
    Code::Internal,
    Code::Unavailable,
    Code::DataLoss,
];

type Named = (&'static str, Manner);

/// All manners of one worker's life, with their names.
fn manners() -> Vec<Named> {
    [idle_manners(), granting_manners(), ending_manners()].into_iter().flatten().collect()
}

fn sync(sync: fn(SyncRequest, usize) -> Result<SyncReply, Status>) -> Manner {
    Manner { sync, ..QUIET }
}

fn idle_manners() -> Vec<Named> {
    vec![
        ("call again at once", QUIET),
        ("Syncs that fail", sync(|_, n| Err(hostile(PASSING[n % PASSING.len()])))),
        ("another Sync's answer", sync(|it, _| Ok(SyncReply { seq: it.seq + 1, ..reply(&it) }))),
        ("join again", sync(|it, _| Ok(SyncReply { order: Order::Rejoin.into(), ..reply(&it) }))),
    ]
}

fn granting_manners() -> Vec<Named> {
    vec![
        (
            "thousands of grants of garbage",
            sync(|it, n| {
                let grants = (0..5_000).map(|at| garbage(n + at)).collect();
                Ok(SyncReply { grants, ..reply(&it) })
            }),
        ),
        (
            "acknowledgements of other leases",
            sync(|it, _| {
                let verdict = Verdict::Recorded.into();
                let acks = (0..100).map(|_| Ack { lease: Some(lease()), verdict }).collect();
                Ok(SyncReply { acks, ..reply(&it) })
            }),
        ),
        (
            "grants that are withdrawn at once",
            sync(|it, _| {
                let grants: Vec<Grant> = (0..50).map(|_| sound(vec![])).collect();
                let withdraw = grants.iter().filter_map(|grant| grant.lease.clone()).collect();
                Ok(SyncReply { grants, withdraw, ..reply(&it) })
            }),
        ),
        (
            "grants that are stopped at once",
            sync(|it, _| {
                let grants: Vec<Grant> = (0..50).map(|_| sound(vec![])).collect();
                let stop = grants.iter().filter_map(|grant| grant.lease.clone()).collect();
                Ok(SyncReply { grants, stop, ..reply(&it) })
            }),
        ),
        (
            "everything that runs is stopped, and more granted",
            sync(|it, _| {
                let stop = it.running.iter().filter_map(|it| it.lease.clone()).collect();
                Ok(SyncReply { grants: vec![sound(vec![])], stop, ..reply(&it) })
            }),
        ),
        (
            "leases that are broken",
            sync(|it, _| {
                let broken = Lease { trial_id: vec![1; 3], ..lease() };
                let ack = Ack { lease: None, verdict: 99 };
                let grants = vec![Grant { lease: Some(broken.clone()), ..Grant::default() }; 100];
                let (stop, withdraw) = (vec![broken.clone(); 100], vec![broken; 100]);
                let within =
                    SyncReply { acks: vec![ack; 100], grants, stop, withdraw, ..reply(&it) };
                Ok(SyncReply { order: 99, ..within })
            }),
        ),
        (
            "checkpoints without end",
            Manner {
                sync: |it, n| {
                    // What runs makes room for it first.
                    let running = it.running.iter().filter(|_| n < 3);
                    let stop = running.filter_map(|it| it.lease.clone()).collect();
                    Ok(SyncReply { grants: vec![sound(checkpoints())], stop, ..reply(&it) })
                },
                checkpoint: |_| endless(),
                ..QUIET
            },
        ),
    ]
}

fn ending_manners() -> Vec<Named> {
    vec![
        ("drain", sync(|it, _| Ok(SyncReply { order: Order::Drain.into(), ..reply(&it) }))),
        (
            "finished, said by a Join",
            Manner { join: |it, _| Ok(JoinReply { finished: true, ..it }), ..QUIET },
        ),
        ("finished", sync(|it, _| Ok(SyncReply { order: Order::Finished.into(), ..reply(&it) }))),
        (
            "Joins that fail",
            Manner { join: |_, n| Err(hostile(PASSING[n % PASSING.len()])), ..QUIET },
        ),
    ]
}

/// More than there can be, of sizes that cannot be.
fn checkpoints() -> Vec<Checkpoint> {
    let sizes = [u64::MAX, 0, 300 << 20, 1_000_000].into_iter().cycle().take(1_000);
    sizes.map(|n_bytes| Checkpoint { digest: vec![3; 32], n_bytes, epoch: 9_000 }).collect()
}

/// The data set that lies in a worker's cache, as a coordinator announces it.
fn data_in(cache: &Path) -> Data {
    let files = fs::read_dir(cache.join("datasets")).expect("a cache").flatten();
    let name = |file: &fs::DirEntry| file.file_name().to_string_lossy().into_owned();
    let file = files.into_iter().find(|file| name(file).len() == 64).expect("a data set");
    Data {
        digest: from_hex::<32>(&name(&file)).expect("hex digits").to_vec(),
        n_bytes: file.metadata().expect("a file").len(),
        n_train: 500,
        n_valid: 100,
        scale: Scale::Unit.into(),
    }
}

fn n_bytes_in(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(it) if it.is_dir() => n_bytes_in(&entry.path()),
        Ok(it) => it.len(),
        Err(_) => 0,
    };
    entries.map(size).sum()
}

/// A folder whose worker `worker` has the data set, with the results of an undisturbed run.
fn prepared() -> (Env, Data) {
    let env = env();
    let coordinator = env.start(&SWEEP, &["--local-workers", "0"]);
    let worker = env.start_worker(&coordinator.url(), "worker");
    coordinator.wait().expect(0);
    worker.wait().expect(0);
    let data = data_in(&env.path("worker"));
    (env, data)
}

#[test]
fn nonsense_costs_a_worker_nothing() {
    let (undisturbed, data) = prepared();
    let address = format!("{}:7070", own_host());
    let fake = Fake::start(&address, data, QUIET);
    let arguments = ["--stay", "--checkpoint-every", "50ms", "--max-cache", "64MiB"];
    let mut worker = undisturbed.start_worker_with(fake.url(), "worker", &arguments);
    let pid = worker.pid();
    let mut wrong = Vec::new();
    for (name, manner) in manners() {
        let began = Instant::now();
        fake.change(manner);
        let (before, n_lines) = (cpu_time(pid), worker.log().len());
        sleep(LASTS);
        // Between two sweeps a worker waits somewhat longer.
        eventually(name, || (fake.n_calls() > 0).then_some(()));
        let (n_calls, cpu) = (fake.n_calls(), cpu_time(pid) - before);
        // On a busy machine the second may have become several.
        let n_calls_max = MAX_CALLS_PER_S * began.elapsed().as_secs_f64() + MAX_CALLS_BEFORE;
        assert!(worker.ended().is_none(), "{name}: {:#?}", worker.whole_log());
        let n_lines = worker.log().len() - n_lines;
        let (peak, n_bytes) = (peak_mb(pid), n_bytes_in(&undisturbed.path("worker")));
        println!(
            "{name}: {n_calls} calls, {cpu:?} of CPU, {peak} MB, {n_bytes} bytes in the cache, {n_lines} lines"
        );
        let (is_busy, is_loud) = (n_calls as f64 > n_calls_max, n_lines > MAX_LINES);
        if is_busy || peak > MAX_PEAK_MB || n_bytes > MAX_CACHE_BYTES || is_loud {
            wrong.push(name);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let log = worker.log();
    assert!(log.iter().any(|line| line.contains("no checkpoint of epoch 9000")), "{log:#?}");
    drop(fake);

    let env = env();
    let coordinator = env.start(&SWEEP, &["--local-workers", "0", "--listen", &address]);
    coordinator.wait().expect(0);
    let [files, expected] = [&env, &undisturbed].map(|env| canonical_files(&env.report(&SWEEP)));
    assert_eq!(files, expected);
    worker.signal(e2e::Signal::TERM);
    assert_plain(&worker.wait().expect(0).stderr);
}
