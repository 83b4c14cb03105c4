//! Annotated heatmap panels that share one scale of shades and one colour bar.

use sweep::Objective;
use trial::Unit;

use crate::analysis::{Heat, HeatCell, HeatPanel, loss_text, percent, significant, spread_text};
use crate::figures::color::{MARK, WHITE, ink_on, sequential};
use crate::figures::scale::{Shades, tick_label};
use crate::figures::svg::{FAINT, Fill, INK, Pen, Rect, Svg, Type};
use crate::figures::text::text_width;

/// What stands around the panels.
pub(crate) struct Labels<'a> {
    pub(crate) title: &'a str,
    pub(crate) x: &'a str,
    pub(crate) y: &'a str,
}

const PAGE_WIDTH: f64 = 960.0;
const TITLE_HEIGHT: f64 = 52.0;
const PANEL_TITLE_HEIGHT: f64 = 26.0;
const AXIS_HEIGHT: f64 = 50.0;
const GAP: f64 = 22.0;
const BAR_WIDTH: f64 = 104.0;
const CELL_HEIGHT: f64 = 54.0;
const MAX_LABEL_WIDTH: f64 = 150.0;
const TITLE_SIZE: f64 = 18.0;
const MAX_CELL_WIDTH: f64 = 88.0;
/// Narrower cells carry no text.
const MIN_TEXT_WIDTH: f64 = 44.0;

/// The scale of shades for some heatmaps together, so that one colour means one value in all of them.
/// `None` when no cell of any has a value.
pub(crate) fn shades<'h>(
    heats: impl Iterator<Item = &'h Heat>,
    metric: Objective,
) -> Option<Shades> {
    Shades::of(metric, heats.flat_map(cells).map(|cell| cell.value))
}

/// `None` when no cell has a value.
pub(crate) fn heatmap(
    heat: &Heat,
    metric: Objective,
    shades: Shades,
    labels: &Labels<'_>,
) -> Option<String> {
    cells(heat).next()?;
    let layout = Layout::of(heat, labels.title);
    let painter = Painter { heat, metric, shades };
    let mut svg = Svg::new(layout.width, layout.height);
    svg.title(labels.title);
    let mut best = None;
    let faint = Type::new(13.0).middle().color(FAINT);
    for (index, panel) in heat.panels.iter().enumerate() {
        let area = layout.panel(index);
        painter.panel(&mut svg, panel, area);
        if let Some((_, row, column)) = heat.best.filter(|place| place.0 == index) {
            let is_trained = |cell: &HeatCell| !cell.is_all_diverged();
            let cell = panel.cells[row][column].as_ref();
            best = cell.filter(|cell| is_trained(cell)).map(|_| painter.place(area, row, column));
        }
        svg.text((area.center_x(), area.bottom() + 40.0), labels.x, faint);
        // Panels of a row share its labels.
        if index % layout.n_per_row == 0 {
            painter.row_labels(&mut svg, area);
            let x = area.x - layout.label_width - 6.0;
            svg.vertical_text((x, area.center_y()), labels.y, faint);
        }
    }
    if let Some(rect) = best {
        svg.rect(rect.inset(3.0), None, Some(Pen::new(WHITE, 2.0)));
        svg.rect(rect, None, Some(Pen::new(MARK, 3.0)));
    }
    let last_of_row = layout.panel(layout.n_per_row - 1);
    let bar = Rect {
        x: last_of_row.right() + GAP + 8.0,
        width: 18.0,
        height: last_of_row.height.max(120.0).min(layout.height - last_of_row.y - 20.0),
        ..last_of_row
    };
    if !painter.shades.is_flat() {
        painter.bar(&mut svg, bar);
    }
    Some(svg.finish())
}

fn cells(heat: &Heat) -> impl Iterator<Item = &HeatCell> {
    heat.panels
        .iter()
        .flat_map(|panel| panel.cells.iter().flatten().flatten())
        .filter(|cell| !cell.is_all_diverged())
}

/// Where the panels stand.
struct Layout {
    n_per_row: usize,
    cell_width: f64,
    cell_height: f64,
    label_width: f64,
    left: f64,
    n_columns: usize,
    n_rows: usize,
    width: f64,
    height: f64,
}

impl Layout {
    fn of(heat: &Heat, title: &str) -> Self {
        let n_columns = heat.x_labels.len();
        let n_rows = heat.y_labels.len();
        let longest = heat.y_labels.iter().map(|label| text_width(label, 13.0)).fold(0.0, f64::max);
        let label_width = longest.clamp(16.0, MAX_LABEL_WIDTH) + 8.0;
        let left = 30.0 + label_width;
        let room = PAGE_WIDTH - left - BAR_WIDTH;
        // As many panels side by side as keep their cells readable.
        let fits = |n: usize| (room - GAP * n as f64) / (n * n_columns) as f64;
        let n_panels = heat.panels.len();
        let n_per_row = (1..=n_panels.min(3)).rev().find(|n| fits(*n) >= 50.0).unwrap_or(1);
        let cell_width = fits(n_per_row).clamp(14.0, MAX_CELL_WIDTH);
        let cell_height = if n_rows > 10 { 34.0 } else { CELL_HEIGHT };
        let panel_width = cell_width * n_columns as f64;
        let n_panel_rows = n_panels.div_ceil(n_per_row) as f64;
        let panel_height = PANEL_TITLE_HEIGHT + cell_height * n_rows as f64 + AXIS_HEIGHT;
        let width = left + (panel_width + GAP) * n_per_row as f64 + BAR_WIDTH;
        Self {
            n_per_row,
            cell_width,
            cell_height,
            label_width,
            left,
            n_columns,
            n_rows,
            width: width.max(text_width(title, TITLE_SIZE) + 48.0),
            height: TITLE_HEIGHT + panel_height * n_panel_rows + 10.0,
        }
    }

    fn panel(&self, index: usize) -> Rect {
        let width = self.cell_width * self.n_columns as f64;
        let height = self.cell_height * self.n_rows as f64;
        let row = (index / self.n_per_row) as f64;
        let column = (index % self.n_per_row) as f64;
        Rect {
            x: self.left + column * (width + GAP),
            y: TITLE_HEIGHT
                + PANEL_TITLE_HEIGHT
                + row * (PANEL_TITLE_HEIGHT + height + AXIS_HEIGHT),
            width,
            height,
        }
    }
}

/// Draws the parts of one heatmap.
struct Painter<'a> {
    heat: &'a Heat,
    metric: Objective,
    shades: Shades,
}

impl Painter<'_> {
    /// Where a cell stands in its panel.
    fn place(&self, area: Rect, row: usize, column: usize) -> Rect {
        let width = area.width / self.heat.x_labels.len() as f64;
        let height = area.height / self.heat.y_labels.len() as f64;
        Rect {
            x: area.x + width * column as f64,
            y: area.bottom() - height * (row + 1) as f64,
            width,
            height,
        }
    }

    fn panel(&self, svg: &mut Svg, panel: &HeatPanel, area: Rect) {
        let width = area.width / self.heat.x_labels.len() as f64;
        let at = (area.center_x(), area.y - 9.0);
        svg.fitted_text(at, &panel.title, Type::new(15.0).middle(), area.width);
        for (row, cells_of_row) in panel.cells.iter().enumerate() {
            for (column, cell) in cells_of_row.iter().enumerate() {
                let rect = self.place(area, row, column);
                self.cell(svg, rect.inset(1.0), cell.as_ref());
            }
        }
        for (column, label) in self.heat.x_labels.iter().enumerate() {
            let x = area.x + width * (column as f64 + 0.5);
            let style = Type::new(12.0).middle();
            svg.fitted_text((x, area.bottom() + 18.0), label, style, width - 2.0);
        }
    }

    fn row_labels(&self, svg: &mut Svg, area: Rect) {
        let height = area.height / self.heat.y_labels.len() as f64;
        for (row, label) in self.heat.y_labels.iter().enumerate() {
            let y = area.bottom() - height * (row as f64 + 0.5) + 4.0;
            svg.fitted_text((area.x - 7.0, y), label, Type::new(12.0).end(), MAX_LABEL_WIDTH);
        }
    }

    fn cell(&self, svg: &mut Svg, rect: Rect, cell: Option<&HeatCell>) {
        let Some(cell) = cell else {
            svg.rect(rect, None, Some(Pen::new(FAINT, 0.6).dashed("3 3")));
            return;
        };
        if cell.is_all_diverged() {
            diverged_cell(svg, rect);
            return;
        }
        let ground = sequential(self.shades.shade(cell.value));
        svg.rect(rect, Some(ground), None);
        if rect.width < MIN_TEXT_WIDTH {
            return;
        }
        let value = match self.metric.unit {
            Unit::Share => percent(cell.value),
            Unit::Plain => loss_text(cell.value),
        };
        let note = cell_note(cell, self.metric, rect.width);
        let baseline = if note.is_some() { -2.0 } else { 5.0 };
        let size = if rect.width < 60.0 { 12.0 } else { 14.0 };
        let style = |size: f64| Type::new(size).middle().color(ink_on(ground));
        svg.text((rect.center_x(), rect.center_y() + baseline), &value, style(size));
        if let Some(note) = note {
            svg.text((rect.center_x(), rect.center_y() + 14.0), &note, style(9.5));
        }
    }

    fn bar(&self, svg: &mut Svg, bar: Rect) {
        const N_STRIPES: usize = 64;
        const N_TICKS: u32 = 5;
        let height = bar.height / N_STRIPES as f64;
        for stripe in 0..N_STRIPES {
            let shade = 1.0 - (stripe as f64 + 0.5) / N_STRIPES as f64;
            // Stripes overlap a little, so that no seam shows.
            let overlap = if stripe + 1 < N_STRIPES { 0.6 } else { 0.0 };
            let y = bar.y + height * stripe as f64;
            svg.rect(Rect { y, height: height + overlap, ..bar }, Some(sequential(shade)), None);
        }
        for tick in 0..N_TICKS {
            let shade = f64::from(tick) / f64::from(N_TICKS - 1);
            let y = bar.y + bar.height * (1.0 - shade);
            svg.line((bar.right(), y), (bar.right() + 4.0, y), Pen::new(INK, 1.0));
            let text = self.bar_label(shade);
            svg.text((bar.right() + 8.0, y + 4.0), &text, Type::new(11.0));
        }
    }

    fn bar_label(&self, shade: f64) -> String {
        let is_cut = shade == 0.0 && self.shades.is_cut();
        let value = self.shades.value(shade);
        match self.metric.unit {
            Unit::Share => {
                format!("{}{:.1} %", if is_cut { "≤ " } else { "" }, value * 100.0)
            }
            Unit::Plain => {
                let value = tick_label(significant(value, 3));
                format!("{}{value}", if is_cut { "≥ " } else { "" })
            }
        }
    }
}

fn diverged_cell(svg: &mut Svg, rect: Rect) {
    svg.filled(rect, Fill::Hatched);
    if rect.width >= MIN_TEXT_WIDTH {
        let text = if rect.width < 60.0 { "div." } else { "diverged" };
        let label = Rect { y: rect.center_y() - 8.0, height: 16.0, ..rect.inset(4.0) };
        svg.rect(label, Some(WHITE), None);
        svg.text((rect.center_x(), rect.center_y() + 4.0), text, Type::new(10.0).middle());
    }
}

/// The small line: how many trials diverged, or else the spread over seeds.
fn cell_note(cell: &HeatCell, metric: Objective, width: f64) -> Option<String> {
    if cell.n_diverged > 0 {
        let share = format!("{}/{}", cell.n_diverged, cell.n_runs);
        let long = format!("{share} diverged");
        let fits = text_width(&long, 9.5) <= width;
        return Some(if fits { long } else { format!("{share} div.") });
    }
    let sd = cell.sd?;
    Some(format!("sd {}", spread_text(metric, sd)))
}
