//! Line and dot charts in one or more panels, with one legend for all of them.

use crate::figures::color::{Color, WHITE, line_style};
use crate::figures::legend::{Legend, Sample};
use crate::figures::scale::{Scale, Spacing, tick_label};
use crate::figures::svg::{FAINT, GRID_LINE, INK, Pen, Rect, Svg, Type};
use crate::figures::text::text_width;

pub(crate) struct Chart {
    pub(crate) title: String,
    pub(crate) panels: Vec<Panel>,
}

pub(crate) struct Panel {
    /// Above it, where there are several.
    pub(crate) title: Option<String>,
    pub(crate) x: AxisStyle,
    pub(crate) y: AxisStyle,
    pub(crate) series: Vec<Series>,
}

pub(crate) struct AxisStyle {
    /// What it is, with its unit.
    pub(crate) label: String,
    pub(crate) spacing: Spacing,
    /// Where the ticks are; chosen by the scale when empty.
    pub(crate) ticks: Vec<f64>,
    /// Dots beyond it stand on the border as triangles.
    pub(crate) limit: f64,
    /// Whether 0 must be seen, as for counts.
    pub(crate) shows_zero: bool,
}

impl AxisStyle {
    pub(crate) fn linear(label: &str) -> Self {
        Self {
            label: label.to_string(),
            spacing: Spacing::Linear,
            ticks: Vec::new(),
            limit: f64::INFINITY,
            shows_zero: false,
        }
    }

    pub(crate) fn log(label: &str) -> Self {
        Self {
            label: label.to_string(),
            spacing: Spacing::Log,
            ticks: Vec::new(),
            limit: f64::INFINITY,
            shows_zero: false,
        }
    }

    pub(crate) fn ticks(self, ticks: Vec<f64>) -> Self {
        Self { ticks, ..self }
    }

    pub(crate) fn with_zero(self) -> Self {
        Self { shows_zero: true, ..self }
    }

    pub(crate) fn at_most(self, limit: f64) -> Self {
        Self { limit, ..self }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Line,
    /// A line with a dot on each point.
    DottedLine,
    Dots,
    /// A thin grey staircase behind the rest: the best reached so far.
    Steps,
}

pub(crate) struct Series {
    pub(crate) label: String,
    /// Which colour and dash pattern; equal numbers look equal in every panel.
    pub(crate) style: usize,
    pub(crate) mark: Mark,
    pub(crate) points: Vec<(f64, f64)>,
    /// x, low and high of the band behind a line; may be empty.
    pub(crate) band: Vec<(f64, f64, f64)>,
}

impl Series {
    fn sample(&self) -> Sample {
        match self.mark {
            Mark::Line | Mark::DottedLine => Sample::Line(self.style),
            Mark::Dots => Sample::Dot(self.style),
            Mark::Steps => Sample::Thin(INK),
        }
    }
}

const MARGIN: f64 = 22.0;
const LEFT: f64 = 66.0;
const BELOW: f64 = 52.0;
/// Room for a panel's title, or without one.
const ABOVE: (f64, f64) = (30.0, 12.0);
const WIDE: f64 = 960.0;

/// `None` when no panel has a point to show.
pub(crate) fn chart(chart: &Chart) -> Option<String> {
    let panels: Vec<&Panel> = chart
        .panels
        .iter()
        .filter(|panel| panel.series.iter().any(|series| !series.points.is_empty()))
        .collect();
    if panels.is_empty() {
        return None;
    }
    let n_columns = panels.len().min(2);
    let width = if n_columns == 1 { 760.0 } else { WIDE };
    let series = panels.iter().flat_map(|panel| &panel.series);
    let legend = Legend::new(series.map(|series| (series.label.clone(), series.sample())), width);
    let top = legend.bottom();
    let room = (width - 2.0 * MARGIN) / n_columns as f64;
    let plot_height = if n_columns == 1 { 330.0 } else { 240.0 };
    let is_titled = panels.iter().any(|panel| panel.title.is_some());
    let above = if is_titled { ABOVE.0 } else { ABOVE.1 };
    let panel_height = above + plot_height + BELOW;
    let n_rows = panels.len().div_ceil(n_columns);
    let mut svg = Svg::new(width, top + panel_height * n_rows as f64 + 8.0);
    svg.title(&chart.title);
    legend.draw(&mut svg);
    for (index, panel) in panels.iter().enumerate() {
        let area = Rect {
            x: MARGIN + room * (index % n_columns) as f64 + LEFT - 10.0,
            y: top + above + panel_height * (index / n_columns) as f64,
            width: room - LEFT,
            height: plot_height,
        };
        draw_panel(&mut svg, panel, area);
    }
    Some(svg.finish())
}

fn draw_panel(svg: &mut Svg, panel: &Panel, area: Rect) {
    let xs = panel.series.iter().flat_map(|series| series.points.iter().map(|point| point.0));
    let ys = panel.series.iter().flat_map(|series| {
        let band = series.band.iter().flat_map(|(_, low, high)| [*low, *high]);
        series.points.iter().map(|point| point.1).chain(band)
    });
    let xs = xs.map(|x| x.min(panel.x.limit));
    let ys = ys.map(|y| y.min(panel.y.limit)).chain(panel.y.shows_zero.then_some(0.0));
    let x = Scale::around(panel.x.spacing, xs, area.x, area.right());
    let y = Scale::around(panel.y.spacing, ys, area.bottom(), area.y);
    let (Some(x), Some(y)) = (x, y) else { return };
    // Reports that are recorded have the empty text, too.
    let title = panel.title.as_deref().unwrap_or_default();
    svg.fitted_text((area.x, area.y - 10.0), title, Type::new(14.0), area.width);
    draw_axes(svg, panel, area, &x, &y);
    for series in &panel.series {
        draw_series(svg, series, (panel.x.limit, &x), (panel.y.limit, &y));
    }
}

fn draw_axes(svg: &mut Svg, panel: &Panel, area: Rect, x: &Scale, y: &Scale) {
    let small = Type::new(11.0);
    for tick in ticks(&panel.y, y, 5) {
        let place = y.place(tick);
        svg.line((area.x, place), (area.right(), place), Pen::new(GRID_LINE, 1.0));
        svg.text((area.x - 7.0, place + 4.0), &tick_label(tick), small.end());
    }
    let mut free_from = f64::NEG_INFINITY;
    for tick in ticks(&panel.x, x, 6) {
        let place = x.place(tick);
        svg.line((place, area.bottom()), (place, area.bottom() + 4.0), Pen::new(FAINT, 1.0));
        let label = tick_label(tick);
        let half = text_width(&label, 11.0) / 2.0 + 2.0;
        // A label that would touch its neighbour is left out.
        if place - half >= free_from {
            svg.text((place, area.bottom() + 18.0), &label, small.middle());
            free_from = place + half;
        }
    }
    svg.line((area.x, area.bottom()), (area.right(), area.bottom()), Pen::new(FAINT, 1.0));
    let label = Type::new(12.0).middle().color(FAINT);
    svg.text((area.center_x(), area.bottom() + 38.0), &panel.x.label, label);
    svg.vertical_text((area.x - 52.0, area.center_y()), &panel.y.label, label);
}

fn ticks(style: &AxisStyle, scale: &Scale, n: usize) -> Vec<f64> {
    if style.ticks.is_empty() { scale.ticks(n) } else { style.ticks.clone() }
}

fn draw_series(
    svg: &mut Svg,
    series: &Series,
    (x_limit, x): (f64, &Scale),
    (y_limit, y): (f64, &Scale),
) {
    let (color, dash) = line_style(series.style);
    let places: Vec<(f64, f64)> =
        series.points.iter().map(|point| (x.place(point.0), y.place(point.1))).collect();
    if series.band.len() > 1 {
        let upper = series.band.iter().map(|(at, _, high)| (x.place(*at), y.place(*high)));
        let lower = series.band.iter().rev().map(|(at, low, _)| (x.place(*at), y.place(*low)));
        svg.polygon(&upper.chain(lower).collect::<Vec<_>>(), color, 0.18);
    }
    match series.mark {
        Mark::Line if places.len() > 1 => svg.polyline(&places, Pen::new(color, 2.2).dashed(dash)),
        Mark::DottedLine => {
            svg.polyline(&places, Pen::new(color, 2.0).dashed(dash));
            dots(svg, &places, color, 1.0);
        }
        Mark::Steps => svg.polyline(&staircase(&places), Pen::new(INK, 1.2)),
        Mark::Line => dots(svg, &places, color, 0.75),
        Mark::Dots => {
            let (inside, beyond): (Vec<_>, Vec<_>) = series
                .points
                .iter()
                .zip(places)
                .partition(|(point, _)| point.0 <= x_limit && point.1 <= y_limit);
            dots(svg, &inside.into_iter().map(|(_, place)| place).collect::<Vec<_>>(), color, 0.75);
            for (point, place) in beyond {
                triangle(svg, place, point.1 > y_limit, color);
            }
        }
    }
}

fn dots(svg: &mut Svg, places: &[(f64, f64)], color: Color, opacity: f64) {
    for place in places {
        svg.ring(*place, 4.6, Pen::new(WHITE, 1.2));
        svg.circle(*place, 4.2, color, opacity);
    }
}

/// Points up, or else to the right.
fn triangle(svg: &mut Svg, (x, y): (f64, f64), is_up: bool, color: Color) {
    let corners = if is_up {
        [(x - 5.5, y + 4.5), (x + 5.5, y + 4.5), (x, y - 5.5)]
    } else {
        [(x - 4.5, y - 5.5), (x - 4.5, y + 5.5), (x + 5.5, y)]
    };
    svg.polygon(&corners, color, 0.85);
}

/// Right first, then up: what is reached stays reached until something better comes.
fn staircase(places: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut path = Vec::new();
    for (index, place) in places.iter().enumerate() {
        if index > 0 {
            path.push((place.0, places[index - 1].1));
        }
        path.push(*place);
    }
    path
}
