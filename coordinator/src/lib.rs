//! The coordinator: everything of a sweep that touches the outside.

pub mod cli;
pub mod datasets;
pub mod diagnostics;
pub mod duration;
pub mod progress;
pub mod terminal;
