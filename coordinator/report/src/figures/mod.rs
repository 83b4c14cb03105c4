//! Figures as SVG, with a PNG twin drawn from it.
//!
//! Drawn by our own small code, after making the main heatmap with the two best-kept plotting crates
//! and looking at the pictures. kuva 0.6.0 (20 lines of use, 74,000 of its own) lays out well, but
//! writes cell values in black whatever the ground, so that dark cells hide them, with two decimals
//! and no second line; each panel has its own linear scale and bar, where one bad cell takes all the
//! colours; a cell without value is black with a black "NaN", and neither hatching nor a frame for the
//! best cell exists. plotters 0.3.7 (36 lines; last release 2024) brings axes and text and reads
//! well: cells, inks, colour bar, hatching and frame are the user's to draw, at whole pixels, which
//! leaves seams. charming renders pictures with an embedded JavaScript engine.
//! With any of them the part that makes these figures readable remains to be written; without them
//! the bytes are ours too: the same on every machine, coordinates rounded to two decimals.
//!
//! Each figure stands on its own white ground with rounded corners, so that one file reads on light
//! and dark pages; colours are viridis and a palette after Okabe and Ito, told apart with any colour
//! vision, and lines differ in their dashes as well.

mod charts;
mod color;
mod legend;
mod png;
mod scale;
mod svg;
mod text;

pub(crate) use crate::figures::svg::Fill;
pub(crate) use charts::bars::{Bars, Group, bars};
pub(crate) use charts::chart::{AxisStyle, Chart, Mark, Panel, Series, chart};
pub(crate) use charts::heatmap::{Labels, heatmap, shades};
pub(crate) use charts::parallel::{Parallel, Path, Slots, parallel};
pub(crate) use color::{Color, sequential};
pub use png::is_same_picture;
pub(crate) use png::png;
pub(crate) use scale::{Shades, usual_limit};

/// A picture that stands in the report.
pub(crate) struct Figure {
    /// File name without extension.
    pub(crate) name: String,
    /// What it shows, for those who cannot see it.
    pub(crate) alt: String,
    pub(crate) svg: String,
}
