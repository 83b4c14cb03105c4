//! Where workers are started. So far on this machine alone, whose memory it tells.

pub mod local;
pub mod memory;
pub mod supervisor;
pub mod token;
pub mod worker_command;
