//! What goes wrong next, and for how long: the same for the same seed.

use std::time::Duration;

use e2e::{SplitMix, Way};

pub const N_WORKERS: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `kill -9`, and a new start.
    KillCoordinator,
    KillWorker(usize),
    /// SIGSTOP, and SIGCONT.
    StopCoordinator,
    /// For longer than a lease.
    StopWorker(usize),
    /// No packets of a worker get through.
    Cut(usize, Way),
    FillDisk,
    /// SIGTERM, and a new start.
    Drain(usize),
}

/// Something that goes wrong.
#[derive(Clone, Copy, Debug)]
pub struct Trouble {
    /// After the last one.
    pub pause: Duration,
    pub fault: Fault,
    /// Until it is mended.
    pub lasts: Duration,
}

pub struct Schedule {
    random: SplitMix,
}

impl Schedule {
    pub fn new(seed: u64) -> Self {
        Self { random: SplitMix(seed) }
    }

    pub fn next(&mut self) -> Trouble {
        let pause = self.ms(100, 700);
        let worker = self.random.below(N_WORKERS);
        let way = [Way::Both, Way::ToCoordinator, Way::FromCoordinator][self.random.below(3)];
        let (fault, lasts) = match self.random.below(60) {
            0..27 => (Fault::KillWorker(worker), self.ms(0, 600)),
            27..41 => (Fault::KillCoordinator, self.ms(0, 600)),
            41..46 => (Fault::StopWorker(worker), self.ms(2_300, 4_000)),
            46..48 => (Fault::StopCoordinator, self.ms(500, 6_000)),
            48..55 => (Fault::Cut(worker, way), self.ms(500, 4_000)),
            55..57 => (Fault::FillDisk, self.ms(300, 1_500)),
            _ => (Fault::Drain(worker), self.ms(0, 600)),
        };
        Trouble { pause, fault, lasts }
    }

    fn ms(&mut self, low: usize, high: usize) -> Duration {
        Duration::from_millis(self.random.between(low, high) as u64)
    }
}
