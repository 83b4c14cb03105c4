//! Trials that are trained twice and compared.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use coordinator::parts::{Reader, database_in};
use e2e::{Env, Sweep, finished_event};
use proto::Hyperparameter;
use tokio::sync::mpsc;
use tonic::transport::Endpoint;
use trainer::Isa;
use worker::parts::{Disk, Events, Outside, Program, Stop, Task, built_in, work};
use worker::signals::StopSignals;
use worker::{Config, Ended};

use crate::{env, reference};

/// Results of `Sweep::LONG` that differ from the recorded one.
fn n_conflicts(env: &Env) -> u64 {
    let state = env.report(&Sweep::LONG).join(".state");
    let reader = Reader::open(&database_in(&state)).expect("the state can be read");
    reader.attempt_counts().expect("the state can be read").n_conflicts
}

#[test]
fn two_workers_agree_on_every_bit_of_every_trial() {
    let env = env();
    let coordinator = env.start(&Sweep::LONG, &["--local-workers", "0", "--audit", "1"]);
    let url = coordinator.url();
    let workers = ["first", "second"].map(|name| env.start_worker(&url, name));
    let ended = coordinator.wait().expect(0);
    for worker in workers {
        worker.wait().expect(0);
    }
    reference::assert_same(&env);
    assert_eq!(finished_event(&ended)["n_checked"], Sweep::LONG.n_trials());
    assert_eq!(n_conflicts(&env), 0);
    let status = env.status(&Sweep::LONG);
    assert!(2 * Sweep::LONG.n_trials() <= status.n_attempts, "{}", status.text);
    // Nobody checks itself while there is another one.
    assert_eq!(status.workers.len(), 2, "{}", status.text);
}

#[test]
fn a_worker_that_trains_something_else_is_found_out() {
    let env = env();
    let coordinator = env.start(&Sweep::LONG, &["--local-workers", "0", "--audit", "1"]);
    let (url, cache_dir) = (coordinator.url(), env.path("wrong"));
    let worker = thread::spawn(|| work_wrongly(url, cache_dir));
    let ended = coordinator.wait().expect(0);
    let worker = worker.join().expect("it does not panic").expect("it ends well");
    assert!(matches!(worker, Ended::Finished), "{worker:?}");
    assert_eq!(n_conflicts(&env), Sweep::LONG.n_trials() as u64);
    assert!(ended.stderr_text().contains("got other bits"), "{}", ended.stderr_text());
}

/// The trainer with another seed in each attempt: its results are well made, and others each time, as
/// those of broken arithmetic.
struct OtherSeeds<P>(P);

impl<P: Program> Program for OtherSeeds<P> {
    fn check(&self, hyperparameters: &[Hyperparameter], seed: u32) -> Result<(), String> {
        self.0.check(hyperparameters, seed)
    }

    fn start(&self, slot: usize, mut task: Task, stop: Stop, events: Events) {
        task.seed += task.attempt;
        self.0.start(slot, task, stop, events);
    }
}

fn work_wrongly(url: String, cache_dir: PathBuf) -> anyhow::Result<Ended> {
    let config = Config {
        coordinator: url,
        n_slots: 1.try_into().ok(),
        name: Some("wrong".into()),
        cache_dir,
        disk_limits: worker::DiskLimits::default(),
        stay: false,
        lost_after: Duration::from_secs(60),
        checkpoint_every: Duration::from_secs(30),
        pin: false,
        local_index: None,
        exit_on_stdin_eof: false,
    };
    let isa = Isa::choose(None)?;
    let (_never, asked) = mpsc::channel(1);
    let outside = Outside {
        dial: Endpoint::connect_lazy,
        signals: StopSignals::from_channel(asked),
        selftest_digest: trainer::selftest_digest(isa),
        program: Box::new(OtherSeeds(built_in(&config, isa)?)),
        local_token: Vec::new(),
        disk: Disk::Real,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(work(config, isa, outside))
}
