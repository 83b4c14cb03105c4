//! Faults for tests. With the feature `on`, which the tests' own programs have and no others,
//! `SWEEP_FAULT` lists, between commas, points with the hit at which the process is killed
//! (`worker.spool.written:2`), places with the hit at which a thread hangs forever
//! (`hang.worker.slot:1`), and bugs that the program is to have (`bug.spool_not_synced`). Without
//! it each call is empty and inlined.

#[cfg(feature = "on")]
pub use self::names::{BUGS, HANGS, NETWORK_BUGS, POINTS};
#[cfg(not(feature = "on"))]
pub use self::off::{hang, planted, point, synced, written};
#[cfg(feature = "on")]
pub use self::on::{hang, planted, point, synced, written};

#[cfg(feature = "on")]
mod names;
#[cfg(not(feature = "on"))]
mod off;
#[cfg(feature = "on")]
mod on;
