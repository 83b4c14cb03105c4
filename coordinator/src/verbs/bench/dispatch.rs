//! Times how fast trials that do nothing go from a coordinator to workers and back into its store.
//! The coordinator is the real program in a process of its own; the workers are tasks of this one.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::coordinator::{Coordinator, Site};
use super::fake_worker::{Behaviour, FakeWorker, Sample};
use crate::cli::BenchDispatch;
use crate::cli::refusal::Refusal;
use crate::cli::run_config::LeaseTiming;
use crate::rpc::raise_file_limit;
use crate::run::prepare;
use crate::verbs::bench::print;
use crate::view::output::Output;
use crate::view::terminal::n_of;

/// Values on the sweep's axis at most; seeds make up the rest.
const MAX_POINTS: u32 = 1000;

const LEASE_TTL_MIN: Duration = Duration::from_secs(30);

/// What rates are looked at in after a restart, and what of the former rate is a full one.
const WINDOW: Duration = Duration::from_millis(100);
const FULL_RATE: f64 = 0.9;

/// What was measured; the names are the keys of the JSON output.
#[derive(Debug, Serialize)]
struct Measurement {
    /// Recorded durably, from the first Join to the last acknowledgement.
    trials_per_second: f64,
    /// The rate over the first and over the last tenth of the trials.
    trials_per_second_first_tenth: f64,
    trials_per_second_last_tenth: f64,
    /// CPU time of all threads of the coordinator, without its start.
    coordinator_cpu_ms_per_trial: f64,
    /// As the workers see it.
    sync_p50_ms: f64,
    sync_p99_ms: f64,
    n_syncs: usize,
    /// The most that the coordinator held at once, in 10^6 bytes.
    rss_mb: f64,
    /// From the coordinator's start until it listened, with the whole sweep planned.
    start_s: f64,
    /// From the start of the second coordinator until workers got trials as fast as before.
    recovery_s: Option<f64>,
}

pub fn dispatch(arguments: &BenchDispatch, program: PathBuf) -> Result<(), Refusal> {
    let isa = prepare::choose_isa()?;
    let behaviour = Behaviour {
        n_slots: arguments.slots.get(),
        trial_time: arguments.trial_time.unwrap_or_default(),
        n_epochs: arguments.epochs.get(),
        isa: isa.name().into(),
        selftest_digest: trainer::selftest_digest(isa),
    };
    raise_file_limit();
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let site = Site {
        program,
        folder: folder.path().into(),
        lease: LeaseTiming::at_least(LEASE_TTL_MIN, arguments.sync_every),
    };
    site.write_sweep(&sweep_file(arguments))?;
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    let measured = runtime.block_on(measure(arguments, &site, &behaviour))?;
    print(&match arguments.output {
        Output::Human => table(&measured, arguments),
        Output::Json => serde_json::to_string(&measured)? + "\n",
    });
    Ok(())
}

fn sweep_file(arguments: &BenchDispatch) -> String {
    let n_trials = arguments.trials.get();
    let n_points = (1..=MAX_POINTS.min(n_trials)).rev().find(|n| n_trials.is_multiple_of(*n));
    let n_points = n_points.unwrap_or(1);
    let rates: Vec<String> = (1..=n_points).map(|n| format!("{n}e-6")).collect();
    format!(
        "name = \"bench\"\n[dataset]\nname = \"mnist\"\n[train]\nepochs = {}\n\
         [[grid]]\noptimizer = [\"sgd\"]\nlearning_rate = [{}]\nbatch_size = [32]\nhidden = [[8]]\n\
         [seeds]\nn = {}\n",
        arguments.epochs,
        rates.join(", "),
        n_trials / n_points
    )
}

/// What a measurement collects while it runs.
struct Run {
    started: Instant,
    samples: Vec<Sample>,
    n_acked: usize,
    start_s: f64,
    cpu_s: f64,
    /// When the second coordinator was started.
    restarted: Option<Instant>,
}

async fn measure(
    arguments: &BenchDispatch,
    site: &Site,
    behaviour: &Behaviour,
) -> anyhow::Result<Measurement> {
    let mut coordinator = site.start("127.0.0.1:0")?;
    let (sender, mut inbox) = mpsc::unbounded_channel();
    let mut run = Run {
        started: Instant::now(),
        samples: Vec::new(),
        n_acked: 0,
        start_s: coordinator.start_s,
        cpu_s: -coordinator.cpu_s()?,
        restarted: None,
    };
    let mut workers = start_workers(arguments, behaviour, &coordinator.address, &sender)?;
    let n_trials = arguments.trials.get() as usize;
    while run.n_acked < n_trials {
        let sample = tokio::select! {
            biased;
            sample = inbox.recv() => sample.context("this side holds a sender")?,
            Some(ended) = workers.join_next() => {
                ended??;
                continue;
            }
        };
        run.n_acked += sample.n_acked;
        run.samples.push(sample);
        let is_due = arguments.kill_at.is_some_and(|n| n.get() as usize <= run.n_acked);
        if is_due && run.restarted.is_none() {
            coordinator = run.restart(site, coordinator)?;
        }
    }
    run.cpu_s += coordinator.cpu_s()?;
    let rss_mb = coordinator.peak_rss_mb()?;
    workers.abort_all();
    coordinator.end()?;
    Ok(run.measurement(n_trials, rss_mb))
}

fn start_workers(
    arguments: &BenchDispatch,
    behaviour: &Behaviour,
    address: &str,
    samples: &mpsc::UnboundedSender<Sample>,
) -> anyhow::Result<JoinSet<anyhow::Result<()>>> {
    // Workers that train are no crowd: their trials end at different times.
    let spread = arguments.trial_time.map_or(Duration::ZERO, |_| arguments.sync_every);
    let mut workers = JoinSet::new();
    for n in 0..arguments.workers.get() {
        let worker = FakeWorker::new(address, behaviour.clone(), samples.clone())?;
        let wait = spread * n / arguments.workers.get();
        workers.spawn(async move {
            sleep(wait).await;
            worker.run().await
        });
    }
    Ok(workers)
}

impl Run {
    fn restart(&mut self, site: &Site, former: Coordinator) -> anyhow::Result<Coordinator> {
        self.cpu_s += former.cpu_s()?;
        let address = former.address.clone();
        former.kill()?;
        self.restarted = Some(Instant::now());
        let coordinator = site.start(&address)?;
        self.cpu_s -= coordinator.cpu_s()?;
        Ok(coordinator)
    }

    fn measurement(self, n_trials: usize, rss_mb: f64) -> Measurement {
        let mut took_ms: Vec<f64> =
            self.samples.iter().map(|sample| sample.took.as_secs_f64() * 1e3).collect();
        took_ms.sort_by(f64::total_cmp);
        let quantile = |q: f64| took_ms[((took_ms.len() - 1) as f64 * q) as usize];
        let tenth = n_trials.div_ceil(10);
        Measurement {
            trials_per_second: self.rate(0, n_trials),
            trials_per_second_first_tenth: self.rate(0, tenth),
            trials_per_second_last_tenth: self.rate(n_trials - tenth, n_trials),
            coordinator_cpu_ms_per_trial: self.cpu_s * 1e3 / n_trials as f64,
            sync_p50_ms: quantile(0.5),
            sync_p99_ms: quantile(0.99),
            n_syncs: took_ms.len(),
            rss_mb,
            start_s: self.start_s,
            recovery_s: self.recovery_s(),
        }
    }

    /// Trials a second between the `from`-th and the `to`-th acknowledgement.
    fn rate(&self, from: usize, to: usize) -> f64 {
        (to - from) as f64 / (self.time_of(to) - self.time_of(from)).as_secs_f64()
    }

    /// When this many trials were acknowledged.
    fn time_of(&self, n_trials: usize) -> Instant {
        if n_trials == 0 {
            return self.started;
        }
        let mut n_acked = 0;
        let is_before = |sample: &&Sample| {
            n_acked += sample.n_acked;
            n_acked < n_trials
        };
        self.samples[self.samples.iter().take_while(is_before).count()].at
    }

    fn recovery_s(&self) -> Option<f64> {
        let restarted = self.restarted?;
        let n_before =
            |at| self.samples.iter().filter(|s| s.at < at).map(|s| s.n_acked).sum::<usize>() as f64;
        let former_rate = n_before(restarted) / (restarted - self.started).as_secs_f64();
        let ends = (1..).map(|n| restarted + WINDOW * n);
        let n_full = FULL_RATE * former_rate * WINDOW.as_secs_f64();
        let last = self.samples.last()?.at;
        let mut ends = ends.take_while(|end| *end < last + WINDOW);
        let recovered = ends.find(|end| n_full <= n_before(*end) - n_before(*end - WINDOW))?;
        Some((recovered - restarted).as_secs_f64())
    }
}

fn table(measured: &Measurement, arguments: &BenchDispatch) -> String {
    let mut text = format!(
        "{}, {} with {} each\n\
         trials per second   {:.0} (first tenth {:.0}, last tenth {:.0})\n\
         coordinator CPU     {:.3} ms a trial\n\
         Sync                p50 {:.1} ms, p99 {:.1} ms, {}\n\
         coordinator memory  {:.0} MB at most\n\
         coordinator start   {:.2} s\n",
        n_of(arguments.trials.get(), "trial"),
        n_of(arguments.workers.get(), "worker"),
        n_of(arguments.slots.get(), "slot"),
        measured.trials_per_second,
        measured.trials_per_second_first_tenth,
        measured.trials_per_second_last_tenth,
        measured.coordinator_cpu_ms_per_trial,
        measured.sync_p50_ms,
        measured.sync_p99_ms,
        n_of(measured.n_syncs, "call"),
        measured.rss_mb,
        measured.start_s,
    );
    if arguments.kill_at.is_some() {
        let recovery = measured.recovery_s.map_or("never".into(), |s| format!("{s:.1} s"));
        text += &format!("recovery            {recovery} until workers got as much as before\n");
    }
    text
}
