//! What a worker is started with, and how its run ends.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use crate::disk::upkeep::DiskLimits;

/// How a worker runs.
#[derive(Clone, Debug)]
pub struct Config {
    /// `http://HOST:PORT`.
    pub coordinator: String,
    /// `None`: as many as there are usable cores.
    pub n_slots: Option<NonZeroUsize>,
    /// For people; `None`: the host's name.
    pub name: Option<String>,
    /// Holds data sets, checkpoints and spools; made if it is not there.
    pub cache_dir: PathBuf,
    /// What the cache folder may hold.
    pub disk_limits: DiskLimits,
    /// After the end of a sweep, wait for the next at the same address. Such a worker never gives
    /// a coordinator up.
    pub stay: bool,
    /// Without an answer for so long, and with nothing left to train, the run is an error.
    pub lost_after: Duration,
    /// Training between two checkpoints of a trial; shorter trials write none.
    pub checkpoint_every: Duration,
    /// Whether slots pin their threads.
    pub pin: bool,
    /// Set for the workers that a coordinator starts on its own machine.
    pub local_index: Option<u32>,
    /// Read what proves that the coordinator started this worker from stdin, and exit at once when stdin
    /// ends: the process that held its other end is gone.
    pub exit_on_stdin_eof: bool,
}

/// How a worker's run ended when it was not an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every trial of the sweep has its outcome.
    Finished,
    /// By a signal or by the coordinator's order; what was not finished was handed back.
    Drained,
    /// The coordinator does not take this worker, for the reason given; trying again won't help.
    Refused(String),
}
