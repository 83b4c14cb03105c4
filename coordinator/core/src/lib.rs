//! The orchestration as a state machine. Pure: no async, clock, socket, file or
//! thread; time comes in as an argument and decisions go out as values.

mod close_cause;
pub mod event;
pub mod fleet;
pub mod grant_order;
pub mod invariants;
pub mod lease;
pub mod ledger;
pub mod limits;
pub mod machine;
pub mod time;
