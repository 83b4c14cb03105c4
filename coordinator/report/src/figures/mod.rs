//! Figures as SVG, with a PNG twin drawn from it.
//!
//! Drawn by our own small code: of the plotting crates looked at, kuva 0.6 writes heatmap labels in
//! one colour with two fixed decimals and knows no empty or hatched cells, and plotters 0.3 has
//! neither annotated cells nor a colour bar that panels share. What is needed here is little, and
//! the SVG's bytes stay ours: the same on every machine.

mod chart;
mod color;
mod heatmap;
mod png;
mod scale;
mod svg;

pub(crate) use chart::{AxisStyle, Chart, Mark, Panel, Series, chart};
pub(crate) use heatmap::{Labels, heatmap};
pub(crate) use png::png;

/// A picture that stands in the report.
pub(crate) struct Figure {
    /// File name without extension.
    pub(crate) name: String,
    /// What it shows, for those who cannot see it.
    pub(crate) alt: String,
    pub(crate) svg: String,
}
