//! Peers that keep no rule: workers that flood, stall and forge against our coordinator, and a
//! coordinator that answers nonsense to our worker. Beside them an honest run ends as an undisturbed one.
//!
//! `SWEEP_HOSTILE_SECONDS` makes the flood longer.

#[path = "hostile_peer/workers/attacker.rs"]
mod attacker;
#[path = "hostile_peer/workers/connections.rs"]
mod connections;
#[path = "hostile_peer/coordinators/fake.rs"]
mod fake;
#[path = "hostile_peer/workers/flood.rs"]
mod flood;
#[path = "hostile_peer/workers/forgery.rs"]
mod forgery;
#[path = "hostile_peer/workers/grants.rs"]
mod grants;
#[path = "hostile_peer/workers/hoarders.rs"]
mod hoarders;
#[path = "hostile_peer/meter.rs"]
mod meter;
#[path = "hostile_peer/coordinators/nonsense.rs"]
mod nonsense;
#[path = "hostile_peer/workers/raw.rs"]
mod raw;
#[path = "hostile_peer/coordinators/refusals.rs"]
mod refusals;
#[path = "hostile_peer/workers/waves.rs"]
mod waves;

use e2e::{Env, Programs};

/// What no text of a peer may bring to a terminal or a log: the cursor moved, a line forged, a text
/// turned around.
pub const HOSTILE: &str =
    "evil\u{1b}[2J\u{1b}]0;x\u{7}\nERROR forged\r\u{202e}gpj\u{2028}\u{9b}2J\u{0}";

fn env() -> Env {
    Env::new(Programs {
        coordinator: std::env!("CARGO_BIN_EXE_e2e-coordinator"),
        worker: std::env!("CARGO_BIN_EXE_e2e-worker"),
    })
}

/// Neither a control character nor one that changes the order of a line.
#[track_caller]
fn assert_plain(lines: &[String]) {
    let is_raw = |c: char| c.is_control() && c != '\t' || matches!(c, '\u{2028}' | '\u{202e}');
    let raw: Vec<&String> = lines.iter().filter(|line| line.contains(is_raw)).collect();
    assert!(raw.is_empty(), "raw characters of a peer: {raw:#?}");
    let forged: Vec<&String> = lines.iter().filter(|line| line.starts_with("ERROR")).collect();
    assert!(forged.is_empty(), "lines that a peer forged: {forged:#?}");
}
