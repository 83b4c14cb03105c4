//! Where workers are started. So far on this machine alone.

pub mod local;
pub mod worker_command;
