//! The bounds of sweep files, each a named constant, so that nothing a file says can exhaust the
//! coordinator. Those of single hyperparameters stand in the trainer's table of keys.

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
