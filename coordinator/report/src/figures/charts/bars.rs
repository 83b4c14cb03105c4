//! Horizontal bars of shares, stacked to 100 %.

use crate::figures::color::{WHITE, ink_on};
use crate::figures::legend::{Legend, Sample};
use crate::figures::svg::{FAINT, Fill, GRID_LINE, Pen, Rect, Svg, Type};
use crate::figures::text::text_width;

pub(crate) struct Bars {
    pub(crate) title: String,
    /// What the whole is, with its unit.
    pub(crate) label: String,
    pub(crate) parts: Vec<(String, Fill)>,
    pub(crate) groups: Vec<Group>,
}

/// Bars that belong together.
pub(crate) struct Group {
    pub(crate) title: String,
    /// Each bar's label and its shares from 0 to 1, one a part.
    pub(crate) bars: Vec<(String, Vec<f64>)>,
}

const WIDTH: f64 = 760.0;
const BAR_HEIGHT: f64 = 24.0;
const BAR_STEP: f64 = 30.0;
const GROUP_TITLE: f64 = 30.0;
const LEFT: f64 = 200.0;
const RIGHT: f64 = 30.0;

/// `None` without a bar.
pub(crate) fn bars(bars: &Bars) -> Option<String> {
    let n_bars: usize = bars.groups.iter().map(|group| group.bars.len()).sum();
    if n_bars == 0 {
        return None;
    }
    let samples = bars.parts.iter().map(|(name, fill)| (name.clone(), Sample::Filled(*fill)));
    let legend = Legend::new(samples, WIDTH);
    let top = legend.bottom();
    let bottom = top + GROUP_TITLE * bars.groups.len() as f64 + BAR_STEP * n_bars as f64 + 6.0;
    let mut svg = Svg::new(WIDTH, bottom + 52.0);
    svg.title(&bars.title);
    legend.draw(&mut svg);
    draw_axis(&mut svg, &bars.label, top + 8.0, bottom);
    let mut y = top;
    for group in &bars.groups {
        svg.fitted_text((24.0, y + 21.0), &group.title, Type::new(14.0), WIDTH - 48.0);
        y += GROUP_TITLE;
        for (label, shares) in &group.bars {
            let style = Type::new(12.0).end().color(FAINT);
            svg.fitted_text((LEFT - 10.0, y + 16.5), label, style, LEFT - 34.0);
            draw_bar(&mut svg, shares, &bars.parts, y);
            y += BAR_STEP;
        }
    }
    Some(svg.finish())
}

fn draw_axis(svg: &mut Svg, label: &str, top: f64, bottom: f64) {
    let width = WIDTH - LEFT - RIGHT;
    for percent in [0, 25, 50, 75, 100] {
        let x = LEFT + width * f64::from(percent) / 100.0;
        svg.line((x, top), (x, bottom), Pen::new(GRID_LINE, 1.0));
        svg.text((x, bottom + 16.0), &percent.to_string(), Type::new(11.0).middle());
    }
    let style = Type::new(12.0).middle().color(FAINT);
    svg.text((LEFT + width / 2.0, bottom + 36.0), label, style);
}

fn draw_bar(svg: &mut Svg, shares: &[f64], parts: &[(String, Fill)], y: f64) {
    let mut x = LEFT;
    for (share, (_, fill)) in shares.iter().zip(parts) {
        let width = (WIDTH - LEFT - RIGHT) * share.clamp(0.0, 1.0);
        let rect = Rect { x, y, width, height: BAR_HEIGHT };
        x += width;
        if width < 0.5 {
            continue;
        }
        // A hair of ground between neighbours, where there is room for it.
        svg.filled(Rect { width: (width - 1.0).max(0.5), ..rect }, *fill);
        let text = format!("{:.0} %", share * 100.0);
        if width >= text_width(&text, 11.0) + 6.0 {
            draw_share(svg, rect, &text, *fill);
        }
    }
}

fn draw_share(svg: &mut Svg, rect: Rect, text: &str, fill: Fill) {
    let at = (rect.center_x(), rect.center_y() + 4.0);
    let ground = match fill {
        Fill::Color(color) => color,
        Fill::Hatched => {
            let width = text_width(text, 11.0) + 4.0;
            let label = Rect { x: at.0 - width / 2.0, y: rect.y + 4.0, width, height: 16.0 };
            svg.rect(label, Some(WHITE), None);
            WHITE
        }
    };
    svg.text(at, text, Type::new(11.0).middle().color(ink_on(ground)));
}
