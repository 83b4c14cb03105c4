//! One run of a sweep: wires listener, store, driver, local workers and signals, and writes the
//! report at the end.

use std::{
    io::IsTerminal,
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};
use bytes::Bytes;
use coordinator_core::machine::{Config, Core, Counts};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{
    cli,
    clock::Clock,
    driver::{Driver, Ended},
    facts::Facts,
    local::{LocalWorkers, Spec, share_slots},
    mailbox::{Mailbox, Post},
    monitor::Monitor,
    prepare::{self, Opened, Planned, Refusal},
    progress::{Progress, restore_echo, say},
    publish::{Published, publish_in_child},
    rpc::{self, Sweep},
    store::{Store, Writer},
    terminal::Summary,
};

/// Exit codes, as the help text lists them.
pub const EXIT_RUNTIME: u8 = 1;
pub const EXIT_USAGE: u8 = 2;
const EXIT_FAILED_TRIALS: u8 = 3;
const EXIT_STOPPED: u8 = 130;

/// While a sweep is incomplete its partial report is written anew this often.
const PARTIAL_REPORT_EVERY: Duration = Duration::from_secs(60);

/// Runs a sweep to its end or to a stop, and gives the exit code. `program` is what local workers
/// and the report are started from.
pub fn run(run: &cli::Run, program: PathBuf) -> Result<u8, Refusal> {
    let isa = prepare::choose_isa()?;
    let planned = prepare::plan_file(&run.sweep, None)?;
    let listener = prepare::bind(run.listen)?;
    let opened = prepare::open_state(run, &planned)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let code = runtime.block_on(async {
        let selftest_digest = trainer::selftest_digest(isa);
        Session::start(run, program, planned, opened, listener, selftest_digest)?.finish(run).await
    });
    // Connections that are still open must not hold the process.
    runtime.shutdown_background();
    Ok(code?)
}

/// A run that has started.
struct Session {
    facts: Facts,
    driver: JoinHandle<Result<Ended, crate::store::StoreError>>,
    mailbox: Mailbox,
    local: LocalWorkers,
    server: JoinHandle<Result<(), tonic::transport::Error>>,
    serving: CancellationToken,
    program: PathBuf,
    state: crate::store::StateFolder,
    out: PathBuf,
    n_trials: usize,
    name: String,
    started: Instant,
}

impl Session {
    fn start(
        run: &cli::Run,
        program: PathBuf,
        planned: Planned,
        opened: Opened,
        listener: std::net::TcpListener,
        selftest_digest: [u8; 32],
    ) -> anyhow::Result<Self> {
        let Opened { folder, store, facts, recorded, news } = opened;
        let listener = TcpListener::from_std(listener).context("cannot use the listener")?;
        let address = listener.local_addr().context("cannot read the listener's address")?;
        let url = format!("http://{address}");
        let plan = Arc::new(planned.plan);

        let clock = Clock::start();
        let mut ledger = recorded.ledger;
        let mut restored = prepare::reopen(&mut ledger, run.retry_failed);
        let order = prepare::queue_order(&plan);
        let core =
            Core::restore(core_config(run, &facts)?, &order, &ledger, clock.now(), &mut restored);

        let progress = Progress::new(run.output, std::io::stderr().is_terminal());
        greet(run, &url, &news);
        let worker_command = format!("worker --coordinator {url}");
        let state_path = folder.path().to_path_buf();
        let monitor = Monitor::new(plan.clone(), &core, progress, state_path, worker_command);
        let (mailbox, posts) = Mailbox::new();
        let writer =
            Writer::start(store, plan.clone()).context("cannot start the store's thread")?;
        let linger = run.sync_every * 3 / 2;
        let driver = Driver { core, writer, mailbox: posts, clock, monitor, linger };

        let joined = Arc::new(AtomicBool::new(false));
        let sweep = Arc::new(Sweep {
            places: Sweep::places_of(&plan),
            plan: plan.clone(),
            blob: Bytes::from_owner(planned.loaded.blob),
            term: facts.term,
            state_id: facts.state_id,
            sync_every: run.sync_every,
            lease_ttl: run.lease_ttl,
            selftest_digest,
            local_joined: joined.clone(),
        });
        let serving = CancellationToken::new();
        let server = tokio::spawn(rpc::serve(listener, sweep, mailbox.clone(), serving.clone()));
        let driver = tokio::spawn(driver.run(restored));
        let spec = Spec {
            program: program.clone(),
            url,
            cache_dir: folder.worker_cache(),
            slots: share_slots(run.local_workers, run.local_slots, worker::usable_cores()),
        };
        let local = LocalWorkers::start(&spec, &mailbox, &joined);
        Ok(Self {
            facts,
            driver,
            mailbox,
            local,
            server,
            serving,
            program,
            state: folder,
            out: run.out.join(&plan.name),
            n_trials: plan.trials.len(),
            name: plan.name.clone(),
            started: Instant::now(),
        })
    }

    async fn finish(mut self, run: &cli::Run) -> anyhow::Result<u8> {
        let ended = self.watch(run).await;
        self.serving.cancel();
        self.local.end().await;
        let ended = ended?;
        self.facts.wall_s += self.started.elapsed().as_secs_f64();
        let mut store = Store::open(&self.state.database())?;
        self.facts.save(&mut store)?;
        drop(store);
        let published =
            publish_in_child(&self.program, self.state.path(), &self.out, false).await?;
        let wall_s = self.started.elapsed().as_secs_f64();
        summary(&self.name, self.n_trials, ended, published, wall_s).print(run.output);
        Ok(exit_code(ended))
    }

    /// Until the driver ends; passes stops on to it and keeps the partial report fresh.
    async fn watch(&mut self, run: &cli::Run) -> anyhow::Result<Ended> {
        let mut signals = Signals::new()?;
        let mut partial = tokio::time::interval_at(
            tokio::time::Instant::now() + PARTIAL_REPORT_EVERY,
            PARTIAL_REPORT_EVERY,
        );
        partial.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let time_limit = tokio::time::sleep(run.time_limit.unwrap_or(Duration::MAX));
        tokio::pin!(time_limit);
        let mut is_stopping = false;
        loop {
            tokio::select! {
                ended = &mut self.driver => return Ok(ended.context("the driver broke down")??),
                served = &mut self.server => {
                    served.context("the server broke down")?.context("cannot serve workers")?;
                    return Err(anyhow!("the server ended by itself"));
                }
                () = self.local.hopeless() => {
                    return Err(anyhow!("local workers died again and again before one could start; see the log lines above"));
                }
                () = &mut time_limit, if !is_stopping => {
                    tracing::info!("the time limit is reached");
                    is_stopping = true;
                    self.stop().await;
                }
                () = signals.next() => {
                    if is_stopping {
                        restore_echo();
                        std::process::exit(EXIT_STOPPED.into());
                    }
                    is_stopping = true;
                    say("stopping: workers hand back what they train (again to stop at once)");
                    self.stop().await;
                }
                _ = partial.tick(), if !is_stopping => self.partial_report(),
            }
        }
    }

    async fn stop(&self) {
        self.mailbox.tell(Post::Stop).await;
        self.local.drain();
    }

    fn partial_report(&self) {
        let (program, state) = (self.program.clone(), self.state.path().to_path_buf());
        let out = self.out.clone();
        tokio::spawn(async move {
            if let Err(error) = publish_in_child(&program, &state, &out, true).await {
                tracing::warn!("no partial report: {error:#}");
            }
        });
    }
}

fn core_config(run: &cli::Run, facts: &Facts) -> anyhow::Result<Config> {
    let seed = getrandom::u64().map_err(|error| anyhow!("no random numbers: {error}"))?;
    Ok(Config {
        term: facts.term,
        lease_ttl_ms: u64::try_from(run.lease_ttl.as_millis()).unwrap_or(u64::MAX),
        crash_limit: run.crash_limit.get(),
        max_failed: run.max_failed.map(Into::into),
        seed,
    })
}

fn greet(run: &cli::Run, url: &str, news: &[String]) {
    for line in news {
        say(line);
    }
    say(&format!("listening on {url}"));
    if !run.listen.ip().is_loopback() {
        say(&format!(
            "WARNING: no encryption and no authentication: anyone who reaches this address can take trials and hand in results\n\
             workers on other machines: worker --coordinator http://<this host>:{}",
            url.rsplit(':').next().unwrap_or_default()
        ));
    }
}

fn summary(
    name: &str,
    n_trials: usize,
    ended: Ended,
    published: Published,
    wall_s: f64,
) -> Summary {
    let counts = counts_of(ended);
    let n_diverged = published.n_diverged;
    let is_done = counts.n_completed == n_trials;
    Summary {
        name: name.into(),
        n_trials,
        n_completed: counts.n_completed - n_diverged,
        n_diverged,
        n_failed: counts.n_failed,
        n_cancelled: counts.n_cancelled,
        wall_s,
        report: Some(published.report),
        results_sha256: published.results_sha256,
        resume_with: (!is_done).then(|| resume_command(counts.n_failed)),
        short_table: published.short_table,
    }
}

/// The same command again; failed trials need to be asked for.
fn resume_command(n_failed: usize) -> String {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| argument != "--fresh").collect();
    let retry = if 0 < n_failed && !arguments.iter().any(|a| a == "--retry-failed") {
        " --retry-failed"
    } else {
        ""
    };
    format!("coordinator {}{retry}", arguments.join(" "))
}

fn counts_of(ended: Ended) -> Counts {
    match ended {
        Ended::Finished(counts) | Ended::Stopped(counts) => counts,
    }
}

fn exit_code(ended: Ended) -> u8 {
    match ended {
        Ended::Stopped(_) => EXIT_STOPPED,
        Ended::Finished(counts) if counts.n_failed + counts.n_cancelled > 0 => EXIT_FAILED_TRIALS,
        Ended::Finished(_) => 0,
    }
}

/// The signals that mean: stop in good order.
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}
