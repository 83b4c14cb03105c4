//! One sweep with one coordinator and one worker that are told to die; each is started again
//! without faults, and nothing may be lost.

use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::process::ExitStatusExt,
    process::ExitStatus,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use e2e::{Coordinator, Env, LIMIT, Programs, RemoteWorker, Sweep, canonical_files};

/// Four trials, long enough that their checkpoints are published on the way.
const SWEEP: Sweep = Sweep {
    name: "faults",
    learning_rates: "[0.05, 0.2]",
    batch_sizes: "[16]",
    depths: "[2]",
    epochs: 60,
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

/// Whoever dies at one of these has every outcome in its spool.
const SPOOLED_AT: [&str; 2] = ["worker.spool.synced", "worker.sync.before"];

/// What is to happen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Story<'a> {
    /// `SWEEP_FAULT` of the first coordinator, and of its worker.
    pub coordinator: &'a str,
    pub worker: &'a str,
    /// A worker before it, with another cache: dies once it has published a checkpoint.
    pub has_former_worker: bool,
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

/// An address of this machine that nobody else uses, so that a coordinator comes back to it.
fn own_address() -> String {
    static N_TAKEN: AtomicU32 = AtomicU32::new(0);
    let n = N_TAKEN.fetch_add(1, Ordering::Relaxed);
    let pid = std::process::id();
    format!("127.{}.{}.{}:{}", 1 + pid % 250, pid / 250 % 250, 1 + n % 250, 7070 + n / 250)
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
    worker_name: &'static str,
    coordinator: Coordinator,
    worker: Option<RemoteWorker>,
    /// Logs of workers that died.
    former_logs: Vec<Vec<String>>,
    seen: Seen,
}

impl<'a> Stage<'a> {
    fn open(env: &'a Env, story: Story<'a>) -> Self {
        let address = own_address();
        let mut stage = Self {
            coordinator: start_coordinator(env, &address, story.coordinator),
            env,
            story,
            address,
            worker_name: "worker",
            worker: None,
            former_logs: Vec::new(),
            seen: Seen::default(),
        };
        if story.has_former_worker {
            let worker = stage.start_worker("worker.checkpoint.published:1");
            stage.worker = Some(worker);
            while stage.seen.n_deaths == 0 {
                stage.revive_worker(story.worker, "other");
                thread::sleep(Duration::from_millis(5));
            }
            stage.seen.n_deaths = 0;
        } else {
            stage.worker = Some(stage.start_worker(story.worker));
        }
        stage
    }

    fn start_worker(&self, faults: &str) -> RemoteWorker {
        let url = format!("http://{}", self.address);
        let variables = [("SWEEP_FAULT", faults), ("RUST_LOG", "worker=debug")];
        self.env.start_worker_in(&url, self.worker_name, &WORKER, &variables)
    }

    /// Starts again what has died; true once the coordinator has ended well.
    fn is_over(&mut self) -> bool {
        let bugs = bugs_of(self.story.worker);
        self.revive_worker(&bugs, self.worker_name);
        let Some(status) = self.coordinator.ended() else { return false };
        if status.code() == Some(0) {
            return true;
        }
        self.check_acknowledged();
        // The report is built in a child, and its death is an error that is told.
        let last = self.coordinator.log().pop();
        let is_child = last.as_ref().is_some_and(|line| line.contains("signal: 9"));
        match is_child {
            true => self.seen.n_deaths += 1,
            false => self.died("coordinator", status, last),
        }
        let bugs = bugs_of(self.story.coordinator);
        self.coordinator = start_coordinator(self.env, &self.address, &bugs);
        false
    }

    fn revive_worker(&mut self, faults: &str, name: &'static str) {
        let Some(worker) = self.worker.as_mut() else { return };
        let Some(status) = worker.ended() else { return };
        self.former_logs.push(worker.log());
        self.worker = None;
        if status.code() == Some(0) {
            return;
        }
        let log = self.former_logs.last().and_then(|log| log.last()).cloned();
        self.died("worker", status, log);
        self.worker_name = name;
        self.worker = Some(self.start_worker(faults));
    }

    fn died(&mut self, who: &str, status: ExitStatus, last_line: Option<String>) {
        self.seen.n_deaths += 1;
        if status.signal() != Some(9) {
            let last_line = last_line.unwrap_or_default();
            self.seen.wrong.push(format!("the {who} ended with {status}: {last_line}"));
        }
    }

    fn logs(&self) -> Vec<Vec<String>> {
        let mut logs = self.former_logs.clone();
        logs.extend(self.worker.iter().map(|worker| worker.log()));
        logs
    }

    /// The state that a dead coordinator left holds every trial that a worker was told is recorded.
    fn check_acknowledged(&mut self) {
        let acknowledged: BTreeSet<String> =
            self.logs().iter().flat_map(|log| trials(log, " is recorded")).collect();
        if acknowledged.is_empty() {
            return;
        }
        let status = self.env.status(&SWEEP);
        let n_recorded = status.n_completed + status.n_diverged;
        if n_recorded < acknowledged.len() {
            self.seen.wrong.push(format!(
                "{} trials were acknowledged, and {n_recorded} are recorded",
                acknowledged.len()
            ));
        }
    }

    /// What a worker had done before it died after a sync of its spool is not trained again.
    fn check_spooled(&mut self) {
        if !SPOOLED_AT.iter().any(|point| self.story.worker.contains(point)) {
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
        self.check_spooled();
        for log in self.logs() {
            let refused = log.iter().filter(|line| line.contains("did not record its outcome"));
            self.seen.wrong.extend(refused.cloned());
            let done = trials(&log, " done: ");
            let once: BTreeSet<&String> = done.iter().collect();
            if once.len() < done.len() {
                self.seen.wrong.push(format!("a worker has trained a trial twice: {done:?}"));
            }
        }
    }
}

/// What of these faults is there again after a death.
fn bugs_of(faults: &str) -> String {
    let bugs: Vec<&str> = faults.split(',').filter(|fault| fault.starts_with("bug.")).collect();
    bugs.join(",")
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
