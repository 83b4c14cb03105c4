//! One sweep with one coordinator and one worker that are told to die, life after life, until they
//! are left in peace; nothing may be lost.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, thread};

use e2e::{
    Coordinator, Env, LIMIT, Programs, RemoteWorker, Sweep, canonical_files, eventually, own_host,
};

/// Eight trials, long enough that their checkpoints are published on the way.
const SWEEP: Sweep = Sweep {
    name: "faults",
    learning_rates: "[0.02, 0.05, 0.1, 0.2]",
    batch_sizes: "[16]",
    depths: "[2]",
    epochs: 40,
    ..Sweep::SHORT
};

/// The limit is out of reach: a slow machine may take living workers for lost ones.
const COORDINATOR: [&str; 8] = [
    "--local-workers",
    "0",
    "--lease-ttl",
    "900ms",
    "--sync-every",
    "300ms",
    "--crash-limit",
    "1000",
];

const WORKER: [&str; 2] = ["--checkpoint-every", "5ms"];

/// A worker that dies at one of these has every outcome in its spool.
const SPOOLED_AT: [&str; 2] = ["worker.spool.synced", "worker.sync.before"];

/// What is to happen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Story<'a> {
    pub coordinator: Fate<'a>,
    pub worker: Fate<'a>,
    /// Before it another worker dies that has published a checkpoint.
    pub has_former_worker: bool,
    /// What that worker has published is damaged on the coordinator's disk.
    pub damages_published: bool,
}

/// What a program is told to suffer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fate<'a> {
    /// Where each of its lives ends; those after the last one are left in peace.
    pub deaths: &'a [&'a str],
}

impl Fate<'_> {
    /// `SWEEP_FAULT` of its n-th life, counted from 0.
    fn of_life(&self, n: usize) -> &str {
        self.deaths.get(n).copied().unwrap_or_default()
    }

    /// Whether the first life ends at one of these points.
    fn begins_with(&self, points: &[&str]) -> bool {
        let first = self.deaths.first().copied().unwrap_or_default();
        points.iter().any(|point| first.split_once(':').is_some_and(|(name, _)| name == *point))
    }
}

/// What was seen, whether it is good or not.
#[derive(Debug, Default)]
pub struct Seen {
    pub n_deaths: usize,
    /// What must not be, one sentence each.
    pub wrong: Vec<String>,
}

fn env() -> Env {
    Env::new(Programs {
        coordinator: std::env!("CARGO_BIN_EXE_e2e-coordinator"),
        worker: std::env!("CARGO_BIN_EXE_e2e-worker"),
    })
}

/// What an undisturbed run gives.
fn undisturbed() -> &'static BTreeMap<&'static str, String> {
    static FILES: OnceLock<BTreeMap<&'static str, String>> = OnceLock::new();
    FILES.get_or_init(|| {
        let env = env();
        env.run(&SWEEP, &["--local-slots", "1"]);
        canonical_files(&env.report(&SWEEP))
    })
}

/// Does something with each, several at the same time: most of a story is waiting.
pub fn at_once<T: Send, R: Send>(
    items: impl IntoIterator<Item = T>,
    work: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    const N_AT_ONCE: usize = 8;
    let left = Mutex::new(items.into_iter().collect::<VecDeque<_>>());
    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let some = || std::iter::from_fn(next).map(&work).collect::<Vec<_>>();
    thread::scope(|scope| {
        let threads = [(); N_AT_ONCE].map(|()| scope.spawn(some));
        threads.into_iter().flat_map(|thread| thread.join().expect("no story panics")).collect()
    })
}

/// Lets it happen.
pub fn tell(story: Story<'_>) -> Seen {
    let env = env();
    let mut stage = Stage::open(&env, story);
    let started = Instant::now();
    while !stage.is_over() {
        if !stage.seen.wrong.is_empty() {
            return stage.seen;
        }
        if LIMIT < started.elapsed() {
            stage.seen.wrong.push(format!("it did not end; {:#?}", stage.logs()));
            return stage.seen;
        }
        thread::sleep(Duration::from_millis(5));
    }
    stage.check();
    stage.seen
}

struct Stage<'a> {
    env: &'a Env,
    story: Story<'a>,
    address: String,
    n_former: usize,
    coordinator: Coordinator,
    worker: Option<RemoteWorker>,
    /// Coordinators and workers that have died.
    n_coordinators: usize,
    n_workers: usize,
    /// Coordinators that have told where they listen, the present one left out.
    n_listened: usize,
    /// Logs of workers that died.
    former_logs: Vec<Vec<String>>,
    seen: Seen,
}

impl<'a> Stage<'a> {
    fn open(env: &'a Env, story: Story<'a>) -> Self {
        let address = format!("{}:7070", own_host());
        let mut stage = Self {
            coordinator: start_coordinator(env, &address, story.coordinator.of_life(0)),
            env,
            story,
            address,
            n_former: 0,
            worker: None,
            n_coordinators: 0,
            n_workers: 0,
            n_listened: 0,
            former_logs: Vec::new(),
            seen: Seen::default(),
        };
        if story.has_former_worker {
            eventually("a published checkpoint", || stage.former_worker_publishes().then_some(()));
        }
        if story.damages_published {
            damage_published(&env.report(&SWEEP));
        }
        stage.worker = Some(stage.start_worker("worker", story.worker.of_life(0)));
        stage
    }

    /// A worker with a cache of its own dies with a published checkpoint, or else before it can
    /// report the trial's outcome.
    fn former_worker_publishes(&mut self) -> bool {
        self.n_former += 1;
        let faults = "worker.checkpoint.published:1,worker.outcome.fresh:1";
        let mut worker = self.start_worker(&format!("former-{}", self.n_former), faults);
        eventually("its death", || worker.ended());
        worker.whole_log().iter().any(|line| line.contains("published the checkpoint"))
    }

    fn start_worker(&self, name: &str, faults: &str) -> RemoteWorker {
        let url = format!("http://{}", self.address);
        let variables = [("SWEEP_FAULT", faults), ("RUST_LOG", "worker=debug")];
        self.env.start_worker_in(&url, name, &WORKER, &variables)
    }

    /// Starts again what has died; true once the coordinator has ended well.
    fn is_over(&mut self) -> bool {
        self.revive_worker();
        let Some(status) = self.coordinator.ended() else { return false };
        let log = self.coordinator.whole_log();
        self.n_listened += usize::from(log.iter().any(|line| line.starts_with("listening on ")));
        if status.code() == Some(0) {
            return true;
        }
        self.n_coordinators += 1;
        // The report is built in a child, and its death is an error that is told.
        match log.last().is_some_and(|line| line.contains("signal: 9")) {
            true => self.seen.n_deaths += 1,
            false => self.died("coordinator", status, log.last()),
        }
        let faults = self.story.coordinator.of_life(self.n_coordinators);
        self.coordinator = start_coordinator(self.env, &self.address, faults);
        false
    }

    fn revive_worker(&mut self) {
        let Some(status) = self.worker.as_mut().and_then(|worker| worker.ended()) else { return };
        let log = self.worker.take().map(|worker| worker.whole_log()).unwrap_or_default();
        if status.code() != Some(0) {
            self.n_workers += 1;
            self.died("worker", status, log.last());
            let faults = self.story.worker.of_life(self.n_workers);
            self.worker = Some(self.start_worker("worker", faults));
        }
        self.former_logs.push(log);
    }

    fn died(&mut self, who: &str, status: ExitStatus, last_line: Option<&String>) {
        self.seen.n_deaths += 1;
        if status.signal() != Some(9) {
            self.seen.wrong.push(format!("the {who} ended with {status}: {last_line:?}"));
        }
    }

    fn logs(&self) -> Vec<Vec<String>> {
        let mut logs = self.former_logs.clone();
        logs.extend(self.worker.iter().map(|worker| worker.log()));
        logs
    }

    /// What a worker had done before it died after a sync of its spool is not trained again.
    fn check_spooled(&mut self) {
        if !self.story.worker.begins_with(&SPOOLED_AT) {
            return;
        }
        let logs = self.logs();
        let (former, later) = logs.split_first().expect("a worker's log");
        let done = trials(former, " done: ");
        for trial in later.iter().flat_map(|log| trials(log, " done: ")) {
            if done.contains(&trial) {
                let text = format!("trial {trial} was in the spool and is trained again");
                self.seen.wrong.push(text);
            }
        }
    }

    /// Each start has a term of its own. Who died on the way to its listeners may have none.
    fn check_terms(&mut self) {
        let text = fs::read_to_string(self.env.report(&SWEEP).join("report.md"));
        let text = text.expect("a complete report");
        let (_, rest) = text.split_once(" of running time over ").expect("a word on the time");
        let n_starts = rest.split_whitespace().next().and_then(|number| number.parse().ok());
        let n_starts: usize = n_starts.expect("a number of starts");
        let n_lives = 1 + self.n_coordinators;
        if n_starts < self.n_listened || n_lives < n_starts {
            let text = format!(
                "{n_starts} terms in {n_lives} lives, {} of which listened",
                self.n_listened
            );
            self.seen.wrong.push(text);
        }
    }

    /// The end is that of an undisturbed run, and nothing was trained again for nothing.
    fn check(&mut self) {
        let files = canonical_files(&self.env.report(&SWEEP));
        if &files != undisturbed() {
            self.seen.wrong.push(format!("not the files of an undisturbed run: {files:?}"));
        }
        let verified = self.env.coordinator(&["verify", "reports/faults"]);
        if verified.code != 0 {
            self.seen.wrong.push(format!("verify: {verified:#?}"));
        }
        self.check_terms();
        self.check_spooled();
        for log in self.logs() {
            let refused = log.iter().filter(|line| line.contains("did not record its outcome"));
            self.seen.wrong.extend(refused.cloned());
            // It forgets an outcome when the coordinator says that it is recorded, and not before.
            let done = trials(&log, " done: ");
            let once: BTreeSet<&String> = done.iter().collect();
            if once.len() < done.len() {
                self.seen.wrong.push(format!("a worker has trained a trial twice: {done:?}"));
            }
        }
    }
}

/// Changes one byte of the parameters in each checkpoint that the coordinator keeps.
fn damage_published(report: &Path) {
    for trial in fs::read_dir(report.join(".state/checkpoints")).expect("a folder").flatten() {
        for file in fs::read_dir(trial.path()).expect("a folder").flatten() {
            let mut bytes = fs::read(file.path()).expect("a checkpoint");
            let place = bytes.len() * 3 / 4;
            bytes[place] ^= 0x40;
            fs::write(file.path(), bytes).expect("a checkpoint can be written");
        }
    }
}

fn start_coordinator(env: &Env, address: &str, faults: &str) -> Coordinator {
    let arguments = [&COORDINATOR[..], &["--listen", address]].concat();
    env.start_with(&SWEEP, &arguments, &[("SWEEP_FAULT", faults)])
}

/// The short ids of the trials of which a log tells something.
fn trials(log: &[String], what: &str) -> Vec<String> {
    let told = log.iter().filter(|line| line.contains(what));
    told.filter_map(|line| Some(line.split_once("trial ")?.1.split_whitespace().next()?.to_owned()))
        .collect()
}
