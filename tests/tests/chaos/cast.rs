//! One sweep's programs, each where its network ends, and what is done to them.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{fs, thread};

use e2e::{
    Coordinator, Env, LIMIT, Network, Place, Relay, RemoteWorker, Signal, SmallDisk, own_host,
};

use crate::SWEEP;
use crate::schedule::{Fault, N_WORKERS, Schedule};
use crate::tally::Tally;

/// The limit is out of reach: here it is never the trial that kills its worker.
const COORDINATOR: [&str; 9] = [
    "--local-workers",
    "0",
    "--lease-ttl",
    "2s",
    "--sync-every",
    "300ms",
    "--crash-limit",
    "1000000",
    "--insecure-plaintext",
];

const WORKER: [&str; 2] = ["--checkpoint-every", "100ms"];

/// Room for the state and, above the coordinator's reserve, for checkpoints.
const DISK_MIB: usize = 128;

/// The worker behind the relay.
const DELAYED: usize = N_WORKERS - 1;

/// A full disk may still be the reason for an end so long after it was freed.
const AFTER_FULL: Duration = Duration::from_secs(5);

/// What makes a disk full.
struct Filler {
    path: PathBuf,
    /// Lines in the coordinator's log that told of a full disk before.
    n_lines_before: usize,
}

pub struct Cast<'a> {
    env: &'a Env,
    network: Option<Network>,
    disk: Option<SmallDisk>,
    filler: Option<Filler>,
    last_full: Option<Instant>,
    /// Full disks that the coordinator has told of.
    n_full_told: usize,
    relay: Relay,
    host: String,
    coordinator: Option<Coordinator>,
    workers: [Option<RemoteWorker>; N_WORKERS],
    /// When the last trouble began.
    last_began: Instant,
    /// What is to be mended, and when.
    open: Vec<(Instant, Fault)>,
    healing_since: Option<Instant>,
}

impl<'a> Cast<'a> {
    pub fn enter(env: &'a Env, seed: u64) -> Self {
        let network = Network::build(N_WORKERS);
        let disk = SmallDisk::mount(env.report(&SWEEP).join(".state"), DISK_MIB);
        if network.is_none() {
            println!("skipped: partitions (network namespaces take root and `ip`)");
        }
        if disk.is_none() {
            println!("skipped: full disks (mounting a file system takes root)");
        }
        // Without namespaces an address of its own keeps it apart from everybody else, and from the
        // relays of former sweeps.
        let host = network.as_ref().map_or_else(own_host, |_| Network::coordinator_ip());
        let (listen, to) = (format!("{host}:7071"), format!("{host}:7070"));
        let start = || Relay::start(&listen, &to, seed);
        let relay = match &network {
            Some(network) => network.within(Place::Coordinator, start),
            None => start(),
        };
        let mut cast = Self {
            env,
            network,
            disk,
            filler: None,
            last_full: None,
            n_full_told: 0,
            relay,
            host,
            coordinator: None,
            workers: [const { None }; N_WORKERS],
            last_began: Instant::now(),
            open: Vec::new(),
            healing_since: None,
        };
        cast.start_coordinator();
        (0..N_WORKERS).for_each(|worker| cast.start_worker(worker));
        cast
    }

    pub fn n_delayed(&self) -> usize {
        self.relay.n_delayed()
    }

    /// Full disks of which the coordinator has told.
    pub fn n_full_told(&self) -> usize {
        self.n_full_told
    }

    /// Lets the next thing go wrong when it is time, and mends what has lasted long enough.
    pub fn suffer(&mut self, schedule: &mut Schedule, tally: &mut Tally) {
        let now = Instant::now();
        self.mend(|until| until <= now);
        let Some(trouble) = schedule.next() else { return };
        if !self.can_suffer(trouble.fault) {
            schedule.pass();
        } else if self.last_began + trouble.pause <= now && self.begin(trouble.fault) {
            tally.count(trouble.fault);
            self.last_began = now;
            self.open.push((now + trouble.lasts, trouble.fault));
            schedule.pass();
        }
    }

    fn can_suffer(&self, fault: Fault) -> bool {
        match fault {
            Fault::Cut(..) => self.network.is_some(),
            Fault::FillDisk => self.disk.is_some(),
            _ => true,
        }
    }

    /// Mends everything, and lets nothing more go wrong.
    pub fn heal_all(&mut self) {
        self.mend(|_| true);
        let since = *self.healing_since.get_or_insert_with(Instant::now);
        let log = || self.coordinator.as_ref().map(|coordinator| coordinator.log());
        assert!(since.elapsed() < LIMIT, "it does not end; the coordinator's log: {:#?}", log());
    }

    /// Looks after whoever ended by itself; true once the coordinator says that all is done.
    pub fn is_over(&mut self, tally: &mut Tally) -> bool {
        thread::sleep(Duration::from_millis(5));
        (0..N_WORKERS).for_each(|worker| self.check_end(worker));
        let Some(coordinator) = self.coordinator.as_mut() else { return false };
        let Some(status) = coordinator.ended() else { return false };
        if status.success() {
            return true;
        }
        let log = coordinator.log();
        let is_full = self.filler.is_some()
            || self.last_full.is_some_and(|freed| freed.elapsed() < AFTER_FULL);
        assert!(is_full, "the coordinator: {status}; {log:#?}");
        tally.n_ended_by_disk += 1;
        self.coordinator = None;
        self.open.push((Instant::now() + Duration::from_secs(1), Fault::KillCoordinator));
        false
    }

    /// A worker ends well. One that was told to so early that it did not listen yet held nothing.
    fn check_end(&mut self, index: usize) {
        let Some(worker) = self.workers[index].as_mut() else { return };
        let Some(status) = worker.ended() else { return };
        let was_told = self.open.iter().any(|(_, fault)| *fault == Fault::Drain(index));
        let is_early = was_told && status.signal() == Some(Signal::TERM.as_raw());
        assert!(status.success() || is_early, "worker {index}: {status}; {:#?}", worker.log());
    }

    /// False if nobody is there to suffer it at the moment.
    fn begin(&mut self, fault: Fault) -> bool {
        let is_busy = |other: Fault| self.open.iter().any(|(_, open)| same_place(*open, other));
        if is_busy(fault) {
            return false;
        }
        match fault {
            Fault::KillCoordinator => {
                let living = self.coordinator.take_if(|it| it.ended().is_none());
                living.map(Coordinator::kill).is_some()
            }
            Fault::KillWorker(worker) => self.kill_worker(worker),
            Fault::StopCoordinator => {
                self.coordinator.as_ref().map(|it| it.signal(Signal::STOP)).is_some()
            }
            Fault::StopWorker(worker) => self.signal_worker(worker, Signal::STOP),
            Fault::Drain(worker) => self.signal_worker(worker, Signal::TERM),
            Fault::Cut(worker, way) => {
                self.network.as_ref().map(|network| network.cut(worker, way)).is_some()
            }
            Fault::FillDisk => {
                let n_lines_before = self.n_lines_on_full_disks();
                let path = self.disk.as_ref().map(SmallDisk::fill);
                self.filler = path.map(|path| Filler { path, n_lines_before });
                self.filler.is_some()
            }
        }
    }

    fn n_lines_on_full_disks(&self) -> usize {
        let log = self.coordinator.as_ref().map(|it| it.log()).unwrap_or_default();
        log.iter().filter(|line| line.contains("the disk is full")).count()
    }

    /// False if it is gone.
    fn kill_worker(&mut self, worker: usize) -> bool {
        let living = self.workers[worker].take_if(|it| it.ended().is_none());
        living.map(RemoteWorker::kill).is_some()
    }

    /// False if it is gone.
    fn signal_worker(&mut self, worker: usize, signal: Signal) -> bool {
        let Some(worker) = self.workers[worker].as_mut() else { return false };
        worker.ended().is_none() && e2e::send_if_there(worker.pid(), signal)
    }

    fn mend(&mut self, is_due: impl Fn(Instant) -> bool) {
        let due: Vec<_> = self.open.extract_if(.., |(until, _)| is_due(*until)).collect();
        for (_, fault) in due {
            self.end(fault);
        }
    }

    fn end(&mut self, fault: Fault) {
        match fault {
            Fault::KillCoordinator => self.start_coordinator(),
            Fault::KillWorker(worker) => self.start_worker(worker),
            Fault::StopCoordinator => {
                if let Some(coordinator) = &self.coordinator {
                    coordinator.signal(Signal::CONT);
                }
            }
            Fault::StopWorker(worker) => drop(self.signal_worker(worker, Signal::CONT)),
            Fault::Cut(worker, _) => {
                if let Some(network) = &self.network {
                    network.heal(worker);
                }
            }
            Fault::FillDisk => {
                let filler = self.filler.take().expect("the disk is full");
                let has_told = filler.n_lines_before < self.n_lines_on_full_disks();
                self.n_full_told += usize::from(has_told);
                fs::remove_file(filler.path).expect("it can be removed");
                self.last_full = Some(Instant::now());
            }
            Fault::Drain(worker) => {
                // What it is at takes it a moment.
                let is_there = self.workers[worker].as_mut().is_some_and(|w| w.ended().is_none());
                match is_there {
                    true => self.open.push((Instant::now() + AFTER_DRAIN, fault)),
                    false => self.start_worker(worker),
                }
            }
        }
    }

    fn start_coordinator(&mut self) {
        let listen = format!("{}:7070", self.host);
        let arguments = [&COORDINATOR[..], &["--listen", &listen]].concat();
        let start = || self.env.start(&SWEEP, &arguments);
        self.coordinator = Some(match &self.network {
            Some(network) => network.within(Place::Coordinator, start),
            None => start(),
        });
    }

    fn start_worker(&mut self, worker: usize) {
        let port = if worker == DELAYED { 7071 } else { 7070 };
        let url = format!("http://{}:{port}", self.host);
        let start = || self.env.start_worker_with(&url, &format!("worker-{worker}"), &WORKER);
        self.workers[worker] = Some(match &self.network {
            Some(network) => network.within(Place::Worker(worker), start),
            None => start(),
        });
    }
}

/// Between two looks whether a draining worker has ended.
const AFTER_DRAIN: Duration = Duration::from_millis(50);

/// Only one of them can be going on.
fn same_place(a: Fault, b: Fault) -> bool {
    use Fault::{Cut, Drain, FillDisk, KillCoordinator, KillWorker, StopCoordinator, StopWorker};
    match (a, b) {
        (KillCoordinator | StopCoordinator, KillCoordinator | StopCoordinator)
        | (FillDisk, FillDisk) => true,
        (KillWorker(a) | StopWorker(a) | Drain(a), KillWorker(b) | StopWorker(b) | Drain(b))
        | (Cut(a, _), Cut(b, _)) => a == b,
        _ => false,
    }
}
