//! Names of lines, dots and fills, each beside a sample, wrapped into rows above the picture.

use super::color::{Color, line_style};
use super::svg::{Pen, Rect, Svg, Type};
use super::text::{fit, text_width};
use crate::figures::svg::Fill;

/// How something looks in a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Sample {
    /// A line in the n-th colour and dash pattern.
    Line(usize),
    Dot(usize),
    Thin(Color),
    Filled(Fill),
}

impl Sample {
    fn width(self) -> f64 {
        match self {
            Self::Line(_) | Self::Thin(_) => 28.0,
            Self::Dot(_) => 10.0,
            Self::Filled(_) => 16.0,
        }
    }
}

/// Below the figure's title.
const TOP: f64 = 50.0;
const LEFT: f64 = 26.0;
const ROW: f64 = 22.0;
const TEXT_SIZE: f64 = 12.0;

struct Entry {
    left: f64,
    row: usize,
    text: String,
    size: f64,
    sample: Sample,
}

pub(crate) struct Legend {
    entries: Vec<Entry>,
}

impl Legend {
    /// Each label once.
    pub(crate) fn new(entries: impl Iterator<Item = (String, Sample)>, width: f64) -> Self {
        let (mut x, mut row) = (LEFT, 0);
        let mut labels: Vec<String> = Vec::new();
        let mut placed = Vec::new();
        for (label, sample) in entries {
            if labels.contains(&label) {
                continue;
            }
            let (text, size) = fit(&label, width / 2.0, TEXT_SIZE);
            let needed = sample.width() + 8.0 + text_width(&text, size);
            if x + needed > width - LEFT && x > LEFT {
                (x, row) = (LEFT, row + 1);
            }
            placed.push(Entry { left: x, row, text, size, sample });
            labels.push(label);
            x += needed + 22.0;
        }
        Self { entries: placed }
    }

    /// Where the picture below it may begin.
    pub(crate) fn bottom(&self) -> f64 {
        TOP + self.entries.last().map_or(0.0, |entry| ROW * (entry.row + 1) as f64)
    }

    pub(crate) fn draw(&self, svg: &mut Svg) {
        for Entry { left, row, text, size, sample } in &self.entries {
            let y = TOP + ROW * *row as f64 + 8.0;
            draw_sample(svg, (*left, y), *sample);
            let at = (left + sample.width() + 8.0, y + 4.5);
            svg.text(at, text, Type::new(*size));
        }
    }
}

fn draw_sample(svg: &mut Svg, (x, y): (f64, f64), sample: Sample) {
    let right = (x + sample.width(), y);
    match sample {
        Sample::Line(style) => {
            let (color, dash) = line_style(style);
            svg.line((x, y), right, Pen::new(color, 2.5).dashed(dash));
        }
        Sample::Dot(style) => svg.circle((x + 5.0, y), 5.0, line_style(style).0, 0.85),
        Sample::Thin(color) => svg.line((x, y), right, Pen::new(color, 1.5)),
        Sample::Filled(fill) => {
            let square = Rect { x, y: y - 8.0, width: 16.0, height: 16.0 };
            svg.filled(square, fill);
        }
    }
}
