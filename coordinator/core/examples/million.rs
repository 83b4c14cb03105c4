//! Measures the core at its limits: a sweep of 1,000,000 trials planned, restored and dispatched to
//! 1,000 workers, without network or disk. `cargo run --release -p coordinator-core --example million`

#![expect(
    clippy::disallowed_methods,
    reason = "it measures time, which the core itself never reads"
)]

use std::fs;
use std::time::Instant;

use coordinator_core::event::{
    Action, Call, Event, Finished, Join, JoinReply, Reply, Running, Sync, SyncReply, WorkerInfo,
};
use coordinator_core::grant_order::GrantOrder;
use coordinator_core::lease::{Lease, SessionId, TrialIndex, WorkerId};
use coordinator_core::ledger::Ledger;
use coordinator_core::ledger::trial::TrialSpec;
use coordinator_core::limits::MAX_PREFETCH;
use coordinator_core::machine::{Config, Core};
use coordinator_core::time::Millis;
use sweep::{DatasetMeta, Plan, parse, plan};
use trial::{Ending, Timing, TrialResult, Work};

const N_WORKERS: usize = 1_000;
const N_SLOTS: u32 = 4;

/// A tenth of the calls is compared with another.
const N_PARTS: usize = 10;

fn main() {
    let started = Instant::now();
    let plan = million();
    println!("planned {} trials in {:.2} s", plan.trials.len(), started.elapsed().as_secs_f64());

    let started = Instant::now();
    let mut dispatch = Dispatch::new(&plan);
    println!("restored in {:.2} s, {} MB resident", started.elapsed().as_secs_f64(), resident_mb());

    let rates = dispatch.run();
    let (first, last) = (rates[0], rates[N_PARTS - 1]);
    println!("dispatched {first:.0} trials/s in the first tenth, {last:.0} in the last");
    dispatch.calls_us.sort_unstable_by(f64::total_cmp);
    let p99 = dispatch.calls_us[dispatch.calls_us.len() * 99 / 100];
    println!("{} calls, p99 {p99:.0} us, {} MB resident", dispatch.calls_us.len(), resident_mb());
}

/// 100,000 points by ten seeds.
fn million() -> Plan {
    let text = "name = \"million\"\n[dataset]\nname = \"mnist\"\n[[grid]]\noptimizer = [\"sgd\"]\n\
                learning_rate = { log = [0.001, 1.0], n = 1000 }\n\
                batch_size = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]\n\
                hidden = [[4], [8], [12], [16], [20], [24], [28], [32], [36], [40]]\n\
                [seeds]\nn = 10\n";
    let facts = DatasetMeta {
        digest: trial::Digest([7; 32]),
        n_train_rows: 60_000,
        n_test_rows: 10_000,
        n_inputs: 784,
        n_classes: 10,
        nonzero_share: 0.2,
    };
    let file = parse(text, trainer::interface()).unwrap_or_else(|problems| panic!("{problems:?}"));
    plan(&file, &facts).unwrap_or_else(|problems| panic!("{problems:?}"))
}

struct Dispatch {
    core: Core,
    workers: Vec<Worker>,
    now: Millis,
    calls_us: Vec<f64>,
}

struct Worker {
    session: SessionId,
    seq: u64,
    held: Vec<Lease>,
}

impl Dispatch {
    fn new(plan: &Plan) -> Self {
        let config =
            Config { term: 1, lease_ttl_ms: 30_000, crash_limit: 3, max_failed: None, seed: 1 };
        let ledger = Ledger::empty(plan.trials.len());
        let mut out = Vec::new();
        let index =
            |trial: usize| TrialIndex(trial.try_into().expect("plans are below 2^32 trials"));
        let facts = plan.trials.iter().map(|trial| TrialSpec {
            cost_macs: plan.cost_macs(trial.point as usize) as f32,
            is_audited: false,
        });
        let order = GrantOrder {
            order: plan.grant_order().into_iter().map(index).collect(),
            facts: facts.collect(),
        };
        let core = Core::restore(config, &order, &ledger, Millis(0), &mut out);
        let mut dispatch = Self { core, workers: Vec::new(), now: Millis(0), calls_us: Vec::new() };
        for index in 0..N_WORKERS {
            dispatch.join(index);
        }
        dispatch
    }

    fn join(&mut self, index: usize) {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&(index as u64).to_be_bytes());
        let facts = WorkerInfo {
            name: format!("w{index}"),
            isa: "portable".into(),
            cpu: "model".into(),
            n_slots: N_SLOTS,
            local_index: None,
        };
        let join = Join { worker: WorkerId(id), facts, held: Vec::new(), continues: false };
        match self.apply(Event::Join { call: Call::new(0), join }) {
            Reply::Join(_, JoinReply::Joined { session, .. }) => {
                self.workers.push(Worker { session, seq: 0, held: Vec::new() });
            }
            other => panic!("{other:?}"),
        }
    }

    fn apply(&mut self, event: Event) -> Reply {
        let mut out = Vec::new();
        let started = Instant::now();
        self.core.apply(self.now, event, &mut out);
        self.core.apply(self.now, Event::Tick, &mut out);
        let deadline = self.core.next_deadline();
        self.calls_us.push(started.elapsed().as_secs_f64() * 1e6);
        assert!(deadline > Some(self.now));
        let reply = out.into_iter().find_map(|action| match action {
            Action::Reply(reply) => Some(reply),
            _ => None,
        });
        reply.expect("every call is answered")
    }

    /// Trials per second of each part of the sweep.
    fn run(&mut self) -> Vec<f64> {
        let n_trials = self.core.trials().len();
        let mut rates = Vec::new();
        let mut started = Instant::now();
        let mut index = 0;
        while !self.core.is_finished() {
            self.sync(index);
            index = (index + 1) % N_WORKERS;
            self.now = self.now + u64::from(index == 0);
            if n_trials * (rates.len() + 1) <= self.core.counts().n_completed * N_PARTS {
                rates.push((n_trials / N_PARTS) as f64 / started.elapsed().as_secs_f64());
                started = Instant::now();
            }
        }
        rates
    }

    /// The worker has finished half of what it had.
    fn sync(&mut self, index: usize) {
        let worker = &mut self.workers[index];
        worker.seq += 1;
        let n_done = worker.held.len().div_ceil(2);
        let finished: Vec<Finished> = worker.held.drain(..n_done).map(finished).collect();
        let in_slots = |place: usize| place < N_SLOTS as usize;
        let running = worker.held.iter().enumerate().map(|(place, &lease)| Running {
            lease,
            started: in_slots(place),
            n_epochs_done: 0,
            valid_accuracy: 0.0,
            trained_ms: Some(0),
            silent_ms: 0,
        });
        let n_held = worker.held.len();
        let n_ahead = n_held.saturating_sub(N_SLOTS as usize);
        let sync = Sync {
            session: worker.session,
            seq: worker.seq,
            seen_seq: worker.seq - 1,
            n_free_slots: N_SLOTS.saturating_sub(n_held as u32),
            n_queue_places: (MAX_PREFETCH - n_ahead) as u32,
            draining: false,
            running: running.collect(),
            finished,
            released: Vec::new(),
            troubles: Vec::new(),
        };
        let reply = match self.apply(Event::Sync { call: Call::new(0), sync }) {
            Reply::Sync(_, reply) => reply,
            other => panic!("{other:?}"),
        };
        self.workers[index].take(&reply);
    }
}

impl Worker {
    fn take(&mut self, reply: &SyncReply) {
        let n_started = self.held.len().min(N_SLOTS as usize);
        let (started, waiting) = self.held.split_at(n_started);
        let kept = waiting.iter().filter(|lease| !reply.withdraw.contains(lease));
        let granted = reply.grants.iter().map(|grant| grant.lease);
        self.held = started.iter().chain(kept).copied().chain(granted).collect();
    }
}

fn finished(lease: Lease) -> Finished {
    let ending = Ending::Completed { best_epoch: 1, test_accuracy: None, collapsed: false };
    let result = TrialResult {
        ending,
        history: Vec::new(),
        work: Work::default(),
        digest: trial::Digest([1; 32]),
    };
    let timing = Timing {
        epoch: 1,
        wall_s: 1e-3,
        cpu_s: 1e-3,
        worker: "w".into(),
        isa: "portable".into(),
        attempt: lease.attempt,
        n_slots_in_use: N_SLOTS,
    };
    Finished { lease, outcome: Ok(Box::new(result)), timings: vec![timing] }
}

fn resident_mb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kb = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kb.unwrap_or(0) / 1024
}
