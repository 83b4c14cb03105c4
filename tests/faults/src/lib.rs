//! Faults for tests. With the feature `on`, which the tests' own programs have and no others,
//! `SWEEP_FAULT` lists, between commas, points with the hit at which the process is killed
//! (`worker.spool.written:2`), and places with the hit at which a thread hangs forever
//! (`hang.worker.slot:1`). Without it each call is empty and inlined.

#[cfg(feature = "on")]
pub use self::names::{HANGS, POINTS};
#[cfg(not(feature = "on"))]
pub use self::off::{hang, point, synced, written};
#[cfg(feature = "on")]
pub use self::on::{hang, point, synced, written};

#[cfg(feature = "on")]
mod names;
#[cfg(not(feature = "on"))]
mod off;
#[cfg(feature = "on")]
mod on;
