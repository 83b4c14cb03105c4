//! Programs under test: started, watched, signalled and read from.

pub mod coordinator;
pub mod process;
pub mod terminal;
pub mod worker;

/// Where the programs under test lie; only test files know, from `CARGO_BIN_EXE_...`.
#[derive(Clone, Copy, Debug)]
pub struct Programs {
    pub coordinator: &'static str,
    pub worker: &'static str,
}
