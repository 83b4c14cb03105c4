//! Parallel coordinates: one vertical axis a hyperparameter, one line a point.

use crate::figures::color::{Color, WHITE, line_style};
use crate::figures::legend::{Legend, Sample};
use crate::figures::scale::{Scale, Spacing, tick_label};
use crate::figures::svg::{FAINT, GRID_LINE, Pen, Rect, Svg, Type};
use crate::figures::text::{fit, text_width};

pub(crate) struct Parallel {
    pub(crate) title: String,
    pub(crate) axes: Vec<Slots>,
    /// The last axis, logarithmic, with its unit.
    pub(crate) measure: String,
    /// Drawn in this order, later ones on top.
    pub(crate) lines: Vec<Path>,
    /// Label and style of the highlighted lines.
    pub(crate) legend: Vec<(String, usize)>,
}

/// An axis of named values, from the bottom up.
pub(crate) struct Slots {
    pub(crate) label: String,
    pub(crate) values: Vec<String>,
}

pub(crate) struct Path {
    /// The value's number on each axis; `None` where the point does not use it.
    pub(crate) slots: Vec<Option<usize>>,
    pub(crate) measure: f64,
    /// Its colour and dash pattern; grey and thin without.
    pub(crate) style: Option<usize>,
}

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 360.0;
const SIDE: f64 = 76.0;
/// How much of a slot its lines fan out over.
const FAN: f64 = 0.62;
const MAX_TICKS: usize = 14;
const GREY: Color = Color(0xd2, 0xd2, 0xd2);

/// `None` with fewer than two axes of values, or when no line can be placed.
pub(crate) fn parallel(figure: &Parallel) -> Option<String> {
    if figure.axes.len() < 2 {
        return None;
    }
    let named = figure.legend.iter().map(|(name, style)| (name.clone(), Sample::Line(*style)));
    let others = [("other points".to_string(), Sample::Thin(GREY))];
    let legend = Legend::new(named.chain(others), WIDTH);
    let top = legend.bottom() + 16.0;
    let area = Rect { x: SIDE, y: top, width: WIDTH - 2.0 * SIDE, height: HEIGHT };
    let measures = figure.lines.iter().map(|line| line.measure);
    let scale = Scale::around(Spacing::Log, measures, area.bottom(), area.y)?;
    let mut svg = Svg::new(WIDTH, area.bottom() + 58.0);
    svg.title(&figure.title);
    legend.draw(&mut svg);
    let step = area.width / figure.axes.len() as f64;
    for index in 0..=figure.axes.len() {
        let x = area.x + step * index as f64;
        svg.line((x, area.y), (x, area.bottom()), Pen::new(GRID_LINE, 1.0));
    }
    // Many lines would fill the ground.
    let thin = if figure.lines.len() > 80 { 0.7 } else { 1.0 };
    for (line, places) in figure.lines.iter().zip(places(figure, area, &scale)) {
        let pen = line.style.map_or(Pen::new(GREY, thin), |style| {
            let (color, dash) = line_style(style);
            Pen::new(color, 1.8).dashed(dash)
        });
        svg.polyline(&places, pen);
    }
    draw_values(&mut svg, figure, area, step);
    draw_measure(&mut svg, &figure.measure, area, &scale);
    Some(svg.finish())
}

/// The corners of each line. Lines through one value fan out in the order they are drawn in, so
/// that they can be told apart.
fn places(figure: &Parallel, area: Rect, scale: &Scale) -> Vec<Vec<(f64, f64)>> {
    let step = area.width / figure.axes.len() as f64;
    let mut corners: Vec<Vec<(f64, f64)>> = vec![Vec::new(); figure.lines.len()];
    for (index, axis) in figure.axes.iter().enumerate() {
        let slot_of = |line: &Path| line.slots.get(index).copied().flatten();
        let mut n_through = vec![0_usize; axis.values.len()];
        for slot in figure.lines.iter().filter_map(slot_of) {
            n_through[slot] += 1;
        }
        let mut n_so_far = vec![0_usize; axis.values.len()];
        for (line, corners) in figure.lines.iter().zip(&mut corners) {
            let Some(slot) = slot_of(line) else { continue };
            n_so_far[slot] += 1;
            let share = (n_so_far[slot] as f64 - 0.5) / n_through[slot] as f64 - 0.5;
            let height = area.height / axis.values.len() as f64;
            let y = area.bottom() - height * (slot as f64 + 0.5 + share * FAN);
            corners.push((area.x + step * index as f64, y));
        }
    }
    for (line, corners) in figure.lines.iter().zip(&mut corners) {
        corners.push((area.right(), scale.place(line.measure)));
    }
    corners
}

/// Names of the axes and of their values, each on a patch of ground that keeps it readable.
fn draw_values(svg: &mut Svg, figure: &Parallel, area: Rect, step: f64) {
    for (index, axis) in figure.axes.iter().enumerate() {
        let x = area.x + step * index as f64;
        let height = area.height / axis.values.len() as f64;
        let stride = axis.values.len().div_ceil(MAX_TICKS).max(1);
        for (slot, value) in axis.values.iter().enumerate().step_by(stride) {
            let (value, size) = fit(value, step - 30.0, 11.0);
            let y = area.bottom() - height * (slot as f64 + 0.5);
            let width = text_width(&value, size) + 6.0;
            let patch = Rect { x: x + 5.0, y: y - size * 0.75, width, height: size * 1.5 };
            svg.rect(patch, Some(WHITE), None);
            svg.text((x + 8.0, y + size * 0.36), &value, Type::new(size));
        }
        axis_name(svg, &axis.label, x, area, step);
    }
}

fn draw_measure(svg: &mut Svg, label: &str, area: Rect, scale: &Scale) {
    for tick in scale.ticks(6) {
        let y = scale.place(tick);
        svg.line((area.right(), y), (area.right() + 4.0, y), Pen::new(FAINT, 1.0));
        svg.text((area.right() + 8.0, y + 4.0), &tick_label(tick), Type::new(11.0));
    }
    axis_name(svg, label, area.right(), area, 2.0 * SIDE);
}

fn axis_name(svg: &mut Svg, label: &str, x: f64, area: Rect, room: f64) {
    let style = Type::new(12.0).middle().color(FAINT);
    svg.fitted_text((x, area.bottom() + 26.0), label, style, room - 8.0);
}
