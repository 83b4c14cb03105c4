//! The sections of the report, each written by one file.

pub mod answer;
pub mod comparison;
pub mod notes;
pub mod tuning;
