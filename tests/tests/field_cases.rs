//! Cases of the field: what users of comparable tools reported in public, each with its source
//! (repository and number), its input and the right answer of this product.

#[path = "field_cases/data.rs"]
mod data;
#[path = "field_cases/fleet.rs"]
mod fleet;
#[path = "field_cases/report.rs"]
mod report;
#[path = "field_cases/sweep_file.rs"]
mod sweep_file;
#[path = "field_cases/terminal.rs"]
mod terminal;

use e2e::{Env, Programs};

fn env() -> Env {
    Env::new(Programs {
        coordinator: std::env!("CARGO_BIN_EXE_e2e-coordinator"),
        worker: std::env!("CARGO_BIN_EXE_e2e-worker"),
    })
}
