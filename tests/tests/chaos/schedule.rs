//! What goes wrong, in which order and for how long: the same for the same seed.

use std::collections::VecDeque;
use std::time::Duration;

use e2e::{SplitMix, Way};

pub const N_WORKERS: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `kill -9`, and a new start.
    KillCoordinator,
    KillWorker(usize),
    /// SIGSTOP for longer than a lease, and SIGCONT.
    StopCoordinator,
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

/// What is still to go wrong.
pub struct Schedule {
    left: VecDeque<Trouble>,
}

impl Schedule {
    /// So many times `kill -9`, a third of them and more for coordinators, and of everything else its
    /// share, in an order that the seed gives.
    pub fn new(seed: u64, n_kills: usize) -> Self {
        let mut random = SplitMix(seed);
        let share = |n_of_60: usize| (n_kills * n_of_60).div_ceil(60);
        let n_coordinators = share(21);
        let kinds: [(usize, Kind); 7] = [
            (n_coordinators, |_, _| Fault::KillCoordinator),
            (n_kills - n_coordinators, |worker, _| Fault::KillWorker(worker)),
            (share(11), |worker, _| Fault::StopWorker(worker)),
            (share(3), |_, _| Fault::StopCoordinator),
            (share(11), Fault::Cut),
            (share(4), |_, _| Fault::FillDisk),
            (share(5), |worker, _| Fault::Drain(worker)),
        ];
        let mut left = Vec::new();
        for (n, kind) in kinds {
            left.extend((0..n).map(|_| trouble(&mut random, kind)));
        }
        for last in (1..left.len()).rev() {
            left.swap(last, random.below(last + 1));
        }
        Self { left: left.into() }
    }

    pub fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    pub fn next(&self) -> Option<Trouble> {
        self.left.front().copied()
    }

    /// The next one has begun, or never can.
    pub fn pass(&mut self) {
        self.left.pop_front();
    }
}

type Kind = fn(usize, Way) -> Fault;

fn trouble(random: &mut SplitMix, kind: Kind) -> Trouble {
    let mut ms = |low, high| Duration::from_millis(random.between(low, high) as u64);
    let pause = ms(100, 700);
    let (moment, beyond_lease) = (ms(0, 600), ms(2_300, 4_000));
    let (short_or_long, while_full) = (ms(500, 4_000), ms(800, 2_000));
    let way = [Way::Both, Way::ToCoordinator, Way::FromCoordinator][random.below(3)];
    let fault = kind(random.below(N_WORKERS), way);
    let lasts = match fault {
        Fault::KillCoordinator | Fault::KillWorker(_) | Fault::Drain(_) => moment,
        Fault::StopCoordinator | Fault::StopWorker(_) => beyond_lease,
        Fault::Cut(..) => short_or_long,
        Fault::FillDisk => while_full,
    };
    Trouble { pause, fault, lasts }
}
