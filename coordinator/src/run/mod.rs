//! One run of a sweep: wires listener, store, driver, local workers and signals, and writes the
//! report at the end.

pub mod clock;
pub mod confirm;
pub mod driver;
pub mod engine;
pub mod mailbox;
pub mod open;
pub mod patience;
pub mod plan_index;
pub mod prepare;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use coordinator_core::machine::Counts;
use report::command;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use trial::Digest;
use worker::parts::Disk;
use worker::signals::StopSignals;

use crate::cli::RunConfig;
use crate::cli::refusal::Refusal;
use crate::placement::local::{LocalWorkers, share_slots};
use crate::placement::supervisor::{Heard, Spec};
use crate::placement::worker_command::worker_command;
use crate::reporting::publish::{Published, publish_in_child};
use crate::reporting::room;
use crate::rpc;
use crate::run::open::Opened;
use crate::view::output::Output;
use crate::view::terminal::Summary;
use crate::view::{
    Event, Failure, Listening, Progress, can_be_live, leave, print_summary, say, stream, warn,
};
use driver::Ended;
use engine::{Engine, Outside, Running};

/// Exit codes, as the help text lists them.
pub const EXIT_RUNTIME: u8 = 1;
pub const EXIT_USAGE: u8 = 2;
const EXIT_FAILED_TRIALS: u8 = 3;
const EXIT_STOPPED: u8 = 130;

/// While a sweep is incomplete its partial report is written anew this often.
const PARTIAL_REPORT_EVERY: Duration = Duration::from_secs(60);

/// Between two of them passes at least this multiple of what the former took.
const PARTIAL_REPORT_REST: u32 = 10;

/// Runs a sweep to its end or to a stop, and gives the exit code. `program` is what local workers
/// and the report are started from.
pub fn run(run: &RunConfig, program: PathBuf) -> Result<u8, Refusal> {
    let isa = prepare::choose_isa()?;
    let planned = prepare::plan_run(run)?;
    // What trains for hours must not find at its end that nobody can have its report.
    let out = run.report_folder(&planned.plan.name);
    room::check_folder(&out)
        .with_context(|| format!("{}: the report cannot be written there", out.display()))?;
    let listener = prepare::bind(run.listen.get())?;
    let opened = open::open(run, planned)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let code = runtime.block_on(async {
        let selftest_digest = trainer::selftest_digest(isa);
        Session::start(run, program, opened, listener, selftest_digest)?.finish(run).await
    });
    // Connections that are still open must not hold the process.
    runtime.shutdown_background();
    Ok(code?)
}

/// A run that has started.
struct Session {
    running: Running,
    signals: StopSignals,
    local: LocalWorkers,
    partial: Option<JoinHandle<()>>,
    program: PathBuf,
    /// The state's folder.
    state: PathBuf,
    out: PathBuf,
    name: String,
    started: Instant,
}

impl Session {
    fn start(
        run: &RunConfig,
        program: PathBuf,
        opened: Opened,
        listener: std::net::TcpListener,
        selftest_digest: Digest,
    ) -> anyhow::Result<Self> {
        // First, so that a signal from here on means: stop in good order.
        let signals = StopSignals::new().context("cannot listen for signals")?;
        let listener = TcpListener::from_std(listener).context("cannot use the listener")?;
        let address = listener.local_addr().context("cannot read the listener's address")?;
        if run.output == Output::Json {
            listening(run, address, &opened);
        }
        greet(address, &opened.news);
        let name = opened.plan.name.clone();
        let cache_dir = opened.folder.worker_cache();
        let progress = Progress::new(run.output, can_be_live());
        let worker_command = worker_command(address);
        let outside = Outside { worker_command, selftest_digest, disk: Disk::Real };
        let engine = Engine::assemble(run, opened, progress, outside)?;
        let running = engine.start(rpc::incoming(listener, rpc::Bounds::of_this_process()));
        let spec = Spec {
            program: program.clone(),
            url: format!("http://{address}"),
            cache_dir,
            token: running.local_token.clone(),
            slots: share_slots(run.n_local_workers, run.n_local_slots, worker::usable_cores()),
            lease_ttl: run.lease.ttl(),
        };
        let Running { mailbox, local_joined, local_workers, finished, .. } = &running;
        let heard = Heard { joined: local_joined.clone(), calls: local_workers.clone() };
        let local = LocalWorkers::start(&spec, mailbox, &heard, finished);
        let state = running.folder.path().to_path_buf();
        let (out, started) = (run.report_folder(&name), Instant::now());
        Ok(Self { running, signals, local, partial: None, program, state, out, name, started })
    }

    async fn finish(mut self, run: &RunConfig) -> anyhow::Result<u8> {
        let ended = self.watch(run).await;
        self.running.serving.cancel();
        let mut signals = self.signals;
        let rest = async {
            self.local.end().await;
            if let Some(partial) = self.partial.take() {
                // Its process ends with it; the final report must not race with it.
                partial.abort();
                let _ = partial.await;
            }
            let ended = ended?;
            let published = publish_in_child(&self.program, &self.state, &self.out, false).await;
            let published = published.with_context(|| {
                let mut words = vec!["report".into(), command::path(&self.out)];
                if let Some(state) = &run.state {
                    words.extend(["--state".into(), command::path(state)]);
                }
                let command = command::coordinator(words);
                format!("every result is recorded, but the report is not written; try `{command}`")
            })?;
            let wall_s = self.started.elapsed().as_secs_f64();
            print_summary(&summary(&self.name, ended, published, wall_s), run.output).context(
                "every result is recorded and the report is written, but not this summary",
            )?;
            Ok(exit_code(ended))
        };
        let code = tokio::select! {
            code = rest => match code {
                Err(error) if self.running.stopping.is_cancelled() => {
                    let message = format!("{error:#}");
                    say(&format!("error: {message}"));
                    let failure = Failure {
                        kind: "runtime",
                        message,
                        exit_code: EXIT_STOPPED,
                        problems: Vec::new(),
                    };
                    stream::emit_to_readers(&Event::Error(&failure));
                    Ok(EXIT_STOPPED)
                }
                code => code,
            },
            _ = signals.next() => {
                say_how_to_go_on();
                Ok(EXIT_STOPPED)
            }
        };
        match stream::failure() {
            Some(why) if code.is_ok() => Err(anyhow!(
                "every result so far is recorded, but standard output could not be written: {why}; to go on: {}",
                resume_command(0)
            )),
            _ => code,
        }
    }

    /// Until the driver ends; passes stops on to it and keeps the partial report fresh.
    async fn watch(&mut self, run: &RunConfig) -> anyhow::Result<Ended> {
        let mut partial = tokio::time::interval_at(
            tokio::time::Instant::now() + PARTIAL_REPORT_EVERY,
            PARTIAL_REPORT_EVERY,
        );
        partial.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let time_limit = tokio::time::sleep(run.time_limit.unwrap_or(Duration::MAX));
        tokio::pin!(time_limit);
        loop {
            let is_stopping = self.running.stopping.is_cancelled();
            tokio::select! {
                ended = &mut self.running.driver => return Ok(ended.context("the driver broke down")??),
                served = &mut self.running.server => {
                    served.context("the server broke down")?.context("cannot serve workers")?;
                    return Err(anyhow!("the server ended by itself"));
                }
                () = self.local.hopeless() => {
                    return Err(anyhow!("local workers cannot start; the lines above say why"));
                }
                () = &mut time_limit, if !is_stopping => {
                    say("the time limit is reached: workers hand back what they train");
                    self.stop().await;
                }
                signal = self.signals.next() => {
                    if is_stopping {
                        leave();
                        say_how_to_go_on();
                        std::process::exit(EXIT_STOPPED.into());
                    }
                    say(&format!(
                        "stopping ({signal}): workers hand back what they train (again to stop at once)"
                    ));
                    self.stop().await;
                }
                () = stream::failed(), if !is_stopping => {
                    say(&format!(
                        "standard output cannot be written ({}): workers hand back what they train",
                        stream::failure().unwrap_or_default()
                    ));
                    self.stop().await;
                }
                _ = partial.tick(), if !is_stopping => self.partial_report(),
            }
        }
    }

    async fn stop(&self) {
        self.local.drain();
        self.running.stop().await;
    }

    /// Unless the last one is still being built or was, for a multiple of the time it took: the
    /// report of a huge sweep must not take the coordinator's core all the time.
    fn partial_report(&mut self) {
        if self.partial.as_ref().is_some_and(|build| !build.is_finished()) {
            return;
        }
        let (program, state) = (self.program.clone(), self.state.clone());
        let out = self.out.clone();
        self.partial = Some(tokio::spawn(async move {
            let started = Instant::now();
            if let Err(error) = publish_in_child(&program, &state, &out, true).await {
                tracing::warn!("no partial report: {error:#}");
            }
            tokio::time::sleep(started.elapsed() * PARTIAL_REPORT_REST).await;
        }));
    }
}

/// The first event of the stream.
fn listening(run: &RunConfig, address: SocketAddr, opened: &Opened) {
    let statuses = opened.recorded.ledger.trials.iter().map(|trial| trial.status);
    let n_recorded = statuses.filter(|status| status.is_terminal()).count();
    let plan = &opened.plan;
    let listening = Listening {
        program_version: env!("CARGO_PKG_VERSION"),
        name: plan.name.clone(),
        url: format!("http://{address}"),
        address: address.to_string(),
        pid: std::process::id(),
        worker_command: worker_command(address),
        sweep: run.sweep.clone(),
        state: opened.folder.path().to_path_buf(),
        out: run.report_folder(&plan.name),
        n_trials: plan.trials.len(),
        n_recorded,
    };
    stream::emit(&Event::Listening(&listening));
}

fn say_how_to_go_on() {
    say(&format!(
        "stopped at once; every recorded result is kept, to go on: {}",
        resume_command(0)
    ));
}

fn greet(address: SocketAddr, news: &[String]) {
    for line in news {
        say(line);
    }
    say(&format!("listening on http://{address}"));
    if !address.ip().is_loopback() {
        warn(&format!(
            "WARNING: no encryption and no authentication: anyone who reaches this address can take trials and hand in results\n\
             on another machine: {}",
            worker_command(address)
        ));
    }
}

fn summary(name: &str, ended: Ended, published: Published, wall_s: f64) -> Summary {
    let counts = counts_of(ended);
    let n_diverged = published.n_diverged;
    let n_trials = counts.n_trials();
    // Stopped between the grid and its confirm trials, a run has nothing open and yet to go on.
    let is_done = matches!(ended, Ended::Finished(_)) && counts.n_completed == n_trials;
    Summary {
        name: name.into(),
        n_trials,
        n_completed: counts.n_completed - n_diverged,
        n_diverged,
        n_failed: counts.n_failed,
        n_cancelled: counts.n_cancelled,
        n_checked: counts.n_checked,
        wall_s,
        report_html: Some(published.report.with_extension("html")).filter(|page| page.exists()),
        report: Some(published.report),
        results_sha256: published.results_sha256,
        resume_with: (!is_done).then(|| resume_command(counts.n_failed)),
        short_table: published.short_table,
    }
}

/// The same command again, ready to be pasted; failed trials need to be asked for.
fn resume_command(n_failed: usize) -> String {
    let arguments = std::env::args_os().skip(1).filter(|argument| argument != "--fresh");
    let mut words: Vec<OsString> = arguments.collect();
    if n_failed > 0 && !words.iter().any(|word| word == "--retry-failed") {
        words.push("--retry-failed".into());
    }
    command::coordinator(words)
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
