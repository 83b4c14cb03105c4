//! One simulated sweep: a coordinator and its workers, each a host of its own, and the faults of a
//! seed. The real programs run, over the real tonic; simulated are the network, the clocks, the
//! chance, how long a disk takes, and training.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use coordinator::cli::{Cli, Command, RunConfig};
use coordinator::parts::{Ended, Outside as OfCoordinator, StoreError, coordinate, database_in};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use trainer::Isa;
use trial::Digest;
use turmoil::Sim;
use worker::Config;
use worker::parts::{Disk, Outside as OfWorker, work};
use worker::signals::StopSignals;

use crate::checks::Checks;
use crate::environment::disk::SlowDisk;
use crate::environment::net;
use crate::faults::{self, Fault, HEALED, Kind, Victim};
use crate::log::Log;
use crate::program::{Begun, Scripted};
use crate::script;

const N_WORKERS: usize = 3;
const N_SLOTS: usize = 2;

/// Hosts get their turn, and messages arrive, this often.
const TICK: Duration = Duration::from_millis(10);
const LATENCY: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(30)];

/// Once the network has healed the sweep ends within this time.
const BOUND: Duration = Duration::from_secs(120);

/// What both sides' self-tests are taken to give.
const SELFTEST: Digest = Digest([7; 32]);

const COORDINATOR: &str = "coordinator";

/// A sweep to simulate, and where.
pub struct Site {
    pub sweep: PathBuf,
    pub n_trials: usize,
    /// Holds the states and caches, each below its seed.
    pub folder: PathBuf,
}

impl Site {
    /// What a seed leaves: the state, and a cache for each worker.
    pub fn folder_of(&self, seed: u64) -> PathBuf {
        self.folder.join(seed.to_string())
    }
}

/// What hosts tell the run, and the run them.
#[derive(Default)]
struct Strings {
    is_finished: Cell<bool>,
    stop_coordinator: RefCell<CancellationToken>,
    stop_workers: RefCell<BTreeMap<usize, mpsc::Sender<()>>>,
    begun: Begun,
    disk: Arc<SlowDisk>,
}

impl Strings {
    fn disk(&self) -> Disk {
        Disk::Simulated(self.disk.clone())
    }
}

/// A run that ended well.
pub struct Simulated {
    pub faults: Vec<Fault>,
    pub lasted: Duration,
}

struct World<'a> {
    sim: Sim<'a>,
    strings: Rc<Strings>,
    log: Log,
    checks: Checks,
    database: PathBuf,
    faults: Vec<Fault>,
    /// Faults under way.
    current: Vec<Fault>,
}

/// The error says what does not hold.
pub fn simulate(site: &Site, seed: u64, log: &Log) -> Result<Simulated, String> {
    let folder = site.folder_of(seed);
    let _ = fs::remove_dir_all(&folder);
    let mut random = StdRng::seed_from_u64(seed);
    let faults = faults::draw(&mut random, N_WORKERS);
    let strings = Rc::new(Strings::default());
    let mut sim = turmoil::Builder::new()
        .rng_seed(seed)
        .tick_duration(TICK)
        .min_message_latency(LATENCY[0])
        .max_message_latency(LATENCY[1])
        .tcp_capacity(4096)
        .simulation_duration(Duration::MAX)
        .epoch(std::time::SystemTime::UNIX_EPOCH)
        .enable_random_order()
        .build();
    let state = folder.join("state");
    add_coordinator(&mut sim, &strings, site, &state);
    for index in 0..N_WORKERS {
        add_worker(&mut sim, &strings, index, folder.join(worker_name(index)));
    }
    let world = World {
        sim,
        strings,
        log: log.clone(),
        checks: Checks::default(),
        database: database_in(&state),
        current: Vec::new(),
        faults,
    };
    world.run(site.n_trials)
}

fn add_coordinator(sim: &mut Sim<'_>, strings: &Rc<Strings>, site: &Site, state: &Path) {
    let run = run_of(site, state);
    let strings = strings.clone();
    sim.host(COORDINATOR, move || {
        let (run, strings) = (run.clone(), strings.clone());
        async move {
            let stop = CancellationToken::new();
            strings.stop_coordinator.replace(stop.clone());
            let outside = OfCoordinator {
                worker_command: "worker".into(),
                selftest_digest: SELFTEST,
                disk: strings.disk(),
            };
            let incoming = net::incoming().await?;
            match coordinate(&run, incoming, outside, stop.clone()).await {
                Ok(ended) => strings.is_finished.set(matches!(ended, Ended::Finished(_))),
                // A stop waits only so long for a disk that stalls; the same command goes on from there.
                Err(error) if stop.is_cancelled() && is_silent_disk(&error) => {}
                Err(error) => return Err(error.into()),
            }
            Ok(())
        }
    });
}

fn is_silent_disk(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(StoreError::Silent { .. }))
}

/// Losses are the faults' doing here, so no number of them makes a trial fail.
fn run_of(site: &Site, state: &Path) -> RunConfig {
    let (sweep, state) = (site.sweep.display().to_string(), state.display().to_string());
    let arguments = ["coordinator", "--sweep", &sweep, "--state", &state];
    let times = ["--lease-ttl", "2s", "--sync-every", "300ms", "--crash-limit", "1000"];
    match Cli::try_parse_from(arguments.into_iter().chain(times)) {
        Ok(Cli { command: Command::Run(run), .. }) => {
            RunConfig { interface: script::interface(), ..run }
        }
        other => unreachable!("{other:?}"),
    }
}

fn worker_name(index: usize) -> String {
    format!("worker-{index}")
}

fn add_worker(sim: &mut Sim<'_>, strings: &Rc<Strings>, index: usize, cache_dir: PathBuf) {
    let strings = strings.clone();
    let config = Config {
        coordinator: format!("http://{COORDINATOR}:{}", net::PORT),
        n_slots: N_SLOTS.try_into().ok(),
        name: Some(worker_name(index)),
        cache_dir,
        disk_limits: worker::DiskLimits::default(),
        stay: false,
        lost_after: Duration::from_secs(1800),
        checkpoint_every: Duration::from_secs(1),
        pin: false,
        local_index: None,
        exit_on_stdin_eof: false,
    };
    sim.host(worker_name(index), move || {
        let (config, strings) = (config.clone(), strings.clone());
        async move {
            let (ask, asked) = mpsc::channel(1);
            strings.stop_workers.borrow_mut().insert(index, ask);
            let begun = strings.begun.clone();
            let program = Scripted { worker: index, n_slots: N_SLOTS, begun };
            let outside = OfWorker {
                dial: net::dial,
                signals: StopSignals::from_channel(asked),
                selftest_digest: SELFTEST,
                local_token: Vec::new(),
                program: Box::new(program),
                disk: strings.disk(),
            };
            match work(config, Isa::choose(None)?, outside).await? {
                worker::Ended::Refused(text) => Err(text.into()),
                worker::Ended::Finished | worker::Ended::Drained => Ok(()),
            }
        }
    });
}

impl World<'_> {
    fn run(mut self, n_trials: usize) -> Result<Simulated, String> {
        let mut to_come = self.faults.clone();
        while !self.strings.is_finished.get() {
            let now = self.sim.elapsed();
            for fault in self.current.extract_if(.., |it| it.ends <= now).collect::<Vec<_>>() {
                self.end(&fault);
            }
            for fault in to_come.extract_if(.., |it| it.begins <= now).collect::<Vec<_>>() {
                self.begin(fault)?;
            }
            self.start_who_ended();
            if HEALED + BOUND < now {
                return Err(format!("not ended {BOUND:?} after the last fault"));
            }
            self.sim.step().map_err(|error| format!("a program ended with: {error}"))?;
        }
        self.log.close();
        self.look()?;
        self.checks.finish(n_trials, !self.faults.is_empty())?;
        Ok(Simulated { faults: self.faults, lasted: self.sim.elapsed() })
    }

    fn begin(&mut self, fault: Fault) -> Result<(), String> {
        match fault.kind {
            Kind::Crash => {
                self.sim.crash(name_of(fault.victim).as_str());
                self.look()?;
            }
            Kind::Drain => self.stop(fault.victim),
            Kind::DiskStall => self.strings.disk.stall(true),
            Kind::Hang => self.hang(fault.victim),
            Kind::Partition | Kind::Deaf | Kind::Mute | Kind::Hold | Kind::Delay => {
                hosts_of(fault.victim).for_each(|host| self.disturb(&fault, &host));
            }
        }
        self.log.told().lines.push(format!("{fault:?}"));
        self.current.push(fault);
        Ok(())
    }

    /// What passes between a worker and the coordinator.
    fn disturb(&self, fault: &Fault, host: &str) {
        match fault.kind {
            Kind::Partition => self.sim.partition(host, COORDINATOR),
            Kind::Deaf => self.sim.partition_oneway(host, COORDINATOR),
            Kind::Mute => self.sim.partition_oneway(COORDINATOR, host),
            Kind::Hold => self.sim.hold(host, COORDINATOR),
            Kind::Delay => self.sim.set_link_latency(host, COORDINATOR, fault.latency),
            Kind::Crash | Kind::Drain | Kind::DiskStall | Kind::Hang => {}
        }
    }

    fn end(&self, fault: &Fault) {
        if fault.kind == Kind::DiskStall {
            self.strings.disk.stall(false);
        }
        // A host that crashed or ended is started with the next turn.
        hosts_of(fault.victim).for_each(|host| self.mend(fault.kind, &host));
    }

    fn mend(&self, kind: Kind, host: &str) {
        match kind {
            Kind::Partition => self.sim.repair(host, COORDINATOR),
            Kind::Deaf => self.sim.repair_oneway(host, COORDINATOR),
            Kind::Mute => self.sim.repair_oneway(COORDINATOR, host),
            Kind::Hold => self.sim.release(host, COORDINATOR),
            Kind::Delay => {
                self.sim.set_link_latency(host, COORDINATOR, LATENCY[0]);
                self.sim.set_link_max_message_latency(host, COORDINATOR, LATENCY[1]);
            }
            Kind::Crash | Kind::Drain | Kind::DiskStall | Kind::Hang => {}
        }
    }

    fn hang(&self, victim: Victim) {
        let Victim::Worker(index) = victim else { unreachable!("slots are a worker's") };
        self.strings.begun.hang(index);
    }

    /// As a first signal does; a second one would end the process.
    fn stop(&self, victim: Victim) {
        match victim {
            Victim::Coordinator => self.strings.stop_coordinator.borrow().cancel(),
            Victim::Worker(index) => {
                if let Some(worker) = self.strings.stop_workers.borrow_mut().remove(&index) {
                    // It may have ended.
                    let _ = worker.try_send(());
                }
            }
            Victim::Everybody => unreachable!("a drain is one program's"),
        }
    }

    /// Starts each host that is down and not meant to be.
    fn start_who_ended(&mut self) {
        let workers = (0..N_WORKERS).map(Victim::Worker);
        for victim in workers.chain([Victim::Coordinator]) {
            let is_meant =
                |it: &Fault| it.victim == victim && matches!(it.kind, Kind::Crash | Kind::Drain);
            let host = name_of(victim);
            if !self.sim.is_host_running(host.as_str()) && !self.current.iter().any(is_meant) {
                self.sim.bounce(host.as_str());
            }
        }
    }

    fn look(&mut self) -> Result<(), String> {
        let granted = self.strings.begun.highest();
        self.checks.look(&self.database, &self.log.told().acknowledged, &granted)
    }
}

/// The host that is a victim by itself.
fn name_of(victim: Victim) -> String {
    match victim {
        Victim::Worker(index) => worker_name(index),
        Victim::Coordinator | Victim::Everybody => COORDINATOR.into(),
    }
}

/// The workers whose links a fault disturbs.
fn hosts_of(victim: Victim) -> impl Iterator<Item = String> {
    let is_hit = move |index: &usize| {
        matches!(victim, Victim::Everybody) || victim == Victim::Worker(*index)
    };
    (0..N_WORKERS).filter(is_hit).map(worker_name)
}
