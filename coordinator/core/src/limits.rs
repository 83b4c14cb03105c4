//! The bounds of sweep files and of dispatch, each a named constant, so that nothing a file or a
//! worker says can exhaust the coordinator. Those of single hyperparameters stand in the trainer's
//! table of keys.

/// Trials of one sweep: combinations of axis values, times seeds, summed over the grids.
pub const MAX_TRIALS: u64 = 1_000_000;
/// Axes of one grid.
pub const MAX_AXES: usize = 32;
/// Values of one axis.
pub const MAX_AXIS_VALUES: usize = 10_000;
/// Problems of one sweep file that are shown at once.
pub const MAX_PROBLEMS: usize = 50;

// A grid names a key once, so the number of keys (and `depth`) is what bounds its axes.
const _: () = assert!(trainer::KEYS.len() < MAX_AXES);

/// Workers that the coordinator knows at once, whether connected or expected back.
pub const MAX_WORKERS: usize = 10_000;

/// Trials that a worker may hold beyond its slots, and the seconds that its slots may need for them.
pub const MAX_PREFETCH: usize = 256;
pub const MAX_PREFETCH_S: f64 = 2.0;

/// A trial is copied to an idle slot only if it is expected to take this long, and has taken this
/// many times as long.
pub const MIN_COPIED_S: f64 = 30.0;
pub const STRAGGLING_FACTOR: f64 = 1.5;
/// Slots of all workers for each copy that may run at once; one may run in any case.
pub const SLOTS_PER_COPY: usize = 10;
/// Of the trials that have run longest, how many are looked at.
pub const MAX_STRAGGLERS_SEEN: usize = 64;

/// With every worker in quarantine for this long the sweep is given up.
pub const QUARANTINE_PATIENCE_MS: u64 = 60_000;

/// Trials that one event cancels at most; the next ones follow at once.
pub const MAX_CANCELLED_AT_ONCE: usize = 10_000;
