//! The bounds of sweep files, each a named constant, so that nothing a file says can exhaust the
//! coordinator. Those of single hyperparameters stand in the declarations of parameters.

/// Trials of one sweep: combinations of axis values, times seeds, summed over the grids.
pub const MAX_TRIALS: u64 = 1_000_000;
/// Values of one axis.
pub const MAX_AXIS_VALUES: usize = 10_000;
/// Problems of one sweep file that are shown at once.
pub const MAX_PROBLEMS: usize = 50;
