//! The sweep language and the orchestration state machine. Pure: no async, clock, socket, file or
//! thread; time comes in as an argument and decisions go out as values.

pub mod audits;
pub mod checkpoints;
pub mod event;
pub mod faults;
pub mod fleet;
pub mod former;
pub mod health;
pub mod invariants;
pub mod lease;
pub mod ledger;
pub mod limits;
pub mod machine;
pub mod pace;
pub mod queue;
pub mod sweep;
pub mod time;
pub mod timing;
pub mod trial;
pub mod worker;

pub use trainer::{hex, wording};
