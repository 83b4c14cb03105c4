//! The faults of a seed: what goes wrong with whom, when, and for how long.

use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

/// Faults begin, and those that last end, before this time of the simulation.
pub const HEALED: Duration = Duration::from_secs(25);

const MAX_FAULTS: u32 = 12;

/// Slots that hang.
const MAX_HANGS: u32 = 4;

/// Whom a fault hits: a worker by its place, the coordinator, or all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    Coordinator,
    Worker(usize),
    Everybody,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Killed, and started again at the fault's end.
    Crash,
    /// Asked for an orderly end, and started again at the fault's end.
    Drain,
    /// Disks do nothing until the fault's end.
    DiskStall,
    /// A slot of the worker does nothing any more, until its process ends.
    Hang,
    /// Nothing passes between the worker, or every worker, and the coordinator.
    Partition,
    /// Nothing passes to the coordinator.
    Deaf,
    /// Nothing passes to the worker.
    Mute,
    /// What is sent between them arrives at the fault's end.
    Hold,
    /// What is sent between them takes long.
    Delay,
}

#[derive(Clone, Copy, Debug)]
pub struct Fault {
    pub kind: Kind,
    pub victim: Victim,
    pub begins: Duration,
    pub ends: Duration,
    /// One way, of a delay.
    pub latency: Duration,
}

/// One in ten seeds has none, and one in three has slots that hang, though never all: on the first
/// worker none does.
pub fn draw(random: &mut StdRng, n_workers: usize) -> Vec<Fault> {
    let n_faults = if random.random_ratio(1, 10) { 0 } else { random.random_range(1..=MAX_FAULTS) };
    let mut faults: Vec<Fault> = Vec::new();
    for _ in 0..n_faults {
        let fault = draw_one(random, n_workers);
        let is_free = |other: &Fault| {
            !fault.meets(other) || other.ends < fault.begins || fault.ends < other.begins
        };
        if faults.iter().all(is_free) {
            faults.push(fault);
        }
    }
    if n_faults > 0 && random.random_ratio(1, 3) {
        faults
            .extend((0..random.random_range(1..=MAX_HANGS)).map(|_| draw_hang(random, n_workers)));
    }
    faults
}

fn draw_hang(random: &mut StdRng, n_workers: usize) -> Fault {
    let begins = Duration::from_millis(random.random_range(0..20_000));
    let victim = Victim::Worker(random.random_range(1..n_workers));
    Fault { kind: Kind::Hang, victim, begins, ends: begins, latency: Duration::ZERO }
}

fn draw_one(random: &mut StdRng, n_workers: usize) -> Fault {
    use Kind::{Crash, Deaf, Delay, DiskStall, Drain, Hold, Mute, Partition};
    let kind = *[Crash, Crash, Drain, Partition, Deaf, Mute, Hold, Delay, DiskStall]
        .choose(random)
        .expect("there are some");
    let hits_more = random.random_ratio(1, 2);
    let victim = match kind {
        DiskStall => Victim::Everybody,
        Crash | Drain if hits_more => Victim::Coordinator,
        Crash | Drain => Victim::Worker(random.random_range(0..n_workers)),
        _ if hits_more && random.random_ratio(1, 2) => Victim::Everybody,
        _ => Victim::Worker(random.random_range(0..n_workers)),
    };
    let begins = Duration::from_millis(random.random_range(0..20_000));
    // From a hiccup to several leases.
    let longest_ms = *[100, 1_000, 8_000].choose(random).expect("there are some");
    let lasts = Duration::from_millis(random.random_range(10..longest_ms));
    let latency = Duration::from_millis(random.random_range(50..2_000));
    Fault { kind, victim, begins, ends: (begins + lasts).min(HEALED), latency }
}

impl Fault {
    /// Turmoil cannot tell two faults of one link apart, nor two of one host.
    fn meets(&self, other: &Self) -> bool {
        let is_of_link = |it: &Self| {
            !matches!(it.kind, Kind::Crash | Kind::Drain | Kind::DiskStall | Kind::Hang)
        };
        let hits_all = [self, other].iter().any(|it| it.victim == Victim::Everybody);
        self.victim == other.victim || (is_of_link(self) && is_of_link(other) && hits_all)
    }

    /// What it is and whom it hits.
    pub fn name(&self) -> String {
        let whom = match self.victim {
            Victim::Coordinator => "the coordinator",
            Victim::Worker(_) => "a worker",
            Victim::Everybody => "everybody",
        };
        format!("{:?} of {whom}", self.kind)
    }
}
