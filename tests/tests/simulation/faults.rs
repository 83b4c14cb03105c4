//! The faults of a seed: what goes wrong with whom, when, and for how long.

use std::{collections::BTreeMap, time::Duration};

use rand::{RngExt, rngs::StdRng, seq::IndexedRandom};

/// Faults begin, and those that last end, before this time of the simulation.
pub const HEALED: Duration = Duration::from_secs(25);

const MAX_FAULTS: u32 = 12;

/// Whom a fault hits: a worker by its place, or the coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    Coordinator,
    Worker(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Killed, and started again at the fault's end.
    Crash,
    /// Asked for an orderly end, and started again at the fault's end.
    Stop,
    /// Nothing passes between the worker and the coordinator.
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

/// One in ten seeds has none.
pub fn draw(random: &mut StdRng, n_workers: usize) -> Vec<Fault> {
    let n_faults = if random.random_ratio(1, 10) { 0 } else { random.random_range(1..=MAX_FAULTS) };
    let mut faults: Vec<Fault> = Vec::new();
    for _ in 0..n_faults {
        let fault = draw_one(random, n_workers);
        // Turmoil cannot tell two faults of one link apart, nor two of one host.
        let is_free = |other: &Fault| {
            other.victim != fault.victim || other.ends < fault.begins || fault.ends < other.begins
        };
        if faults.iter().all(is_free) {
            faults.push(fault);
        }
    }
    faults
}

fn draw_one(random: &mut StdRng, n_workers: usize) -> Fault {
    use Kind::{Crash, Deaf, Delay, Hold, Mute, Partition, Stop};
    let kind = *[Crash, Crash, Stop, Partition, Deaf, Mute, Hold, Delay]
        .choose(random)
        .expect("there are some");
    let hits_coordinator = matches!(kind, Crash | Stop) && random.random_ratio(1, 2);
    let victim = match hits_coordinator {
        true => Victim::Coordinator,
        false => Victim::Worker(random.random_range(0..n_workers)),
    };
    let begins = Duration::from_millis(random.random_range(0..20_000));
    // From a hiccup to several leases.
    let longest_ms = *[100, 1_000, 8_000].choose(random).expect("there are some");
    let lasts = Duration::from_millis(random.random_range(10..longest_ms));
    let latency = Duration::from_millis(random.random_range(50..2_000));
    Fault { kind, victim, begins, ends: (begins + lasts).min(HEALED), latency }
}

/// Faults by what they are and whom they hit.
#[derive(Debug, Default)]
pub struct Tally(BTreeMap<(Kind, bool), u64>);

impl Tally {
    pub fn add(&mut self, faults: &[Fault]) {
        for fault in faults {
            *self.0.entry((fault.kind, fault.victim == Victim::Coordinator)).or_default() += 1;
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts = self.0.iter().map(|((kind, coordinator), n)| {
            let whom = if *coordinator { "coordinator" } else { "worker" };
            format!("{kind:?} of a {whom}: {n}")
        });
        let first = parts.next().unwrap_or_else(|| "none".into());
        f.write_str(&parts.fold(first, |text, part| text + ", " + &part))
    }
}
