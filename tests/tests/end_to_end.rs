//! Sweeps from file to report with the real programs, disturbed in every way that must not matter.

#[path = "end_to_end/disturbed/audit.rs"]
mod audit;
#[path = "end_to_end/disturbed/checkpoints.rs"]
mod checkpoints;
#[path = "end_to_end/again/confirm.rs"]
mod confirm;
#[path = "end_to_end/shown/examples.rs"]
mod examples;
#[path = "end_to_end/shown/exports.rs"]
mod exports;
#[path = "end_to_end/disturbed/failures.rs"]
mod failures;
#[path = "end_to_end/again/fresh.rs"]
mod fresh;
#[path = "end_to_end/disturbed/full_disk.rs"]
mod full_disk;
#[path = "end_to_end/disturbed/hung.rs"]
mod hung;
#[path = "end_to_end/disturbed/kills.rs"]
mod kills;
#[path = "end_to_end/disturbed/live.rs"]
mod live;
#[path = "end_to_end/shown/live_view.rs"]
mod live_view;
#[path = "end_to_end/shown/pasted.rs"]
mod pasted;
#[path = "end_to_end/reference.rs"]
mod reference;
#[path = "end_to_end/results.rs"]
mod results;
#[path = "end_to_end/again/resume.rs"]
mod resume;
#[path = "end_to_end/same_bits.rs"]
mod same_bits;
#[path = "end_to_end/disturbed/stops.rs"]
mod stops;
#[path = "end_to_end/shown/stream.rs"]
mod stream;
#[path = "end_to_end/shown/verbs.rs"]
mod verbs;
#[path = "end_to_end/shown/verify.rs"]
mod verify;

use e2e::{Env, Programs};

fn env() -> Env {
    Env::new(Programs {
        coordinator: std::env!("CARGO_BIN_EXE_e2e-coordinator"),
        worker: std::env!("CARGO_BIN_EXE_e2e-worker"),
    })
}
