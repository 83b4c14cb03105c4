//! The phases of a sweep that follow its grid.

pub mod confirm;
