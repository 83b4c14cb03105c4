//! Files of a sweep: what goes in, and what comes out.

pub mod data;
pub mod events;
pub mod outputs;
pub mod sweep;
