//! The flood: as much of everything as the connections carry, from clients with and without a right,
//! beside one honest worker.

use std::env::var;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use e2e::{Coordinator, Ended, Env, Process, canonical_files};
use tokio::runtime::Runtime;

use crate::meter::{cpu_time, median, peak_mb, resident_mb};
use crate::waves::Flood;
use crate::{assert_plain, env};

/// The coordinator's memory, MNIST's 55 MB in it, may not go beyond this.
const MAX_PEAK_MB: u64 = 400;

/// An honest Sync's time at the median.
const MAX_MEDIAN: Duration = Duration::from_secs(1);

/// Transfers at the same time, of all callers together.
const MAX_DATASETS: usize = 32;
const MAX_CHECKPOINTS_OUT: usize = 8;

const SHORT_FLOOD_S: u64 = 6;

/// Trials of a second and more with checkpoints of 400 KB, one for each second of the flood: what is
/// left when it is over is trained then.
const SWEEP: &str = r#"name = "flooded"

[dataset]
name = "mnist"
train = 2_000
valid = 1_000

[model]
widths = [64]

[train]
epochs = 150

[[grid]]
optimizer = ["sgd"]
learning_rate = [0.1]
batch_size = [16]
depth = [1]

[seeds]
n = "#;

fn n_published(worker: &Process) -> usize {
    worker.log().iter().filter(|line| line.contains("published the checkpoint")).count()
}

/// However long all of them take, none takes long.
fn finish(coordinator: Coordinator, n_trials: usize) -> Ended {
    (1..=n_trials).for_each(|n| coordinator.wait_for_trials(n));
    coordinator.wait().expect(0)
}

#[test]
fn a_flood_changes_nothing_of_an_honest_run() {
    let seconds = var("SWEEP_HOSTILE_SECONDS").map_or(SHORT_FLOOD_S, |it| it.parse().expect("s"));
    let sweep = format!("{SWEEP}{}\n", 1 + seconds);
    let undisturbed = env();
    undisturbed.write("flooded.toml", &sweep);
    let n_trials = usize::try_from(1 + seconds).expect("a few");
    finish(undisturbed.start_file("flooded.toml", &["--local-slots", "1"], &[]), n_trials);

    let env = env();
    env.write("flooded.toml", &sweep);
    let arguments = ["--local-workers", "0", "--sync-every", "300ms", "--lease-ttl", "10s"];
    let coordinator = env.start_file("flooded.toml", &arguments, &[]);
    let url = coordinator.url();
    let worker = env.start_worker_with(&url, "honest", &["--checkpoint-every", "100ms"]);
    worker.in_stderr("a checkpoint", |lines| {
        lines.iter().any(|line| line.contains("published the checkpoint")).then_some(())
    });

    let pid = coordinator.pid();
    let before = (n_published(&worker), cpu_time(pid), resident_mb(pid), Instant::now());
    let flood = Flood {
        url,
        state: env.path("reports/flooded/.state"),
        lasts: Duration::from_secs(seconds),
    };
    let tally = Runtime::new().expect("a runtime").block_on(flood.run());
    let n_published = n_published(&worker) - before.0;
    let (cpu, peak, wall) = (cpu_time(pid) - before.1, peak_mb(pid), before.3.elapsed());

    let times = tally.sync_times.lock().expect("nobody panicked").clone();
    let (n_syncs, median) = (times.len(), median(times));
    let n = |of: &AtomicUsize| of.load(Ordering::Relaxed);
    let (n_datasets, n_checkpoints) = (tally.datasets.most(), tally.checkpoints.most());
    println!(
        "flood of {:.1} s: memory {} -> {peak} MB at the peak, {:.0} % of a core; {n_syncs} honest Syncs, \
         median {:.1} ms; {n_published} checkpoints published; at most {n_datasets} unread data sets and \
         {n_checkpoints} unread checkpoints at a time, {} calls without a session and {} without a place \
         turned away, {} workers joined, {} messages of 4 MiB refused, {} silent uploads cut off",
        wall.as_secs_f64(),
        before.2,
        100.0 * cpu.as_secs_f64() / wall.as_secs_f64(),
        median.as_secs_f64() * 1000.0,
        n(&tally.n_unauthenticated),
        n(&tally.n_busy),
        n(&tally.n_joined),
        n(&tally.n_bombs),
        n(&tally.n_silent_ended),
    );
    let n_forged = n(&tally.n_forged);
    assert!(n_forged > 0 && n(&tally.n_unauthenticated) == n_forged, "no session, no data set");
    assert!((1..=MAX_DATASETS).contains(&n_datasets), "{n_datasets} data sets at the same time");
    assert!(n_checkpoints <= MAX_CHECKPOINTS_OUT, "{n_checkpoints} checkpoints at the same time");
    assert!(n_published > 0, "no checkpoint was published in the flood");
    assert!(median < MAX_MEDIAN, "an honest Sync took {median:?} at the median");
    assert!(peak < MAX_PEAK_MB, "{peak} MB of memory");

    assert_plain(&finish(coordinator, n_trials).stderr);
    assert_plain(&worker.wait().expect(0).stderr);
    let files = |env: &Env| canonical_files(&env.path("reports/flooded"));
    assert_eq!(files(&env), files(&undisturbed));
}
