//! The kinds of charts.

pub mod bars;
pub mod chart;
pub mod heatmap;
pub mod parallel;
