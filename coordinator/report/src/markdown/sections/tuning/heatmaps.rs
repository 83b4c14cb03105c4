//! Section 2: heatmaps.

use sweep::{Cell, HeatmapSpec};

use trial::Unit;

use crate::ReportError;
use crate::analysis::heat;
use crate::analysis::{Heat, MAX_AXIS_VALUES, Sweep};
use crate::figures::heatmap;
use crate::figures::{Figure, Labels, Shades, shades};
use crate::markdown::page::{Page, count, escape};
use crate::markdown::phrases::{capitalized, seeds, words};

pub(crate) fn write(page: &mut Page, sweep: &Sweep<'_>) -> Result<(), ReportError> {
    page.heading(2, "2. Heatmaps");
    if sweep.input.heatmaps.is_empty() {
        page.block("The sweep has fewer than two axes, so there is no heatmap.");
    }
    let specs = &sweep.input.heatmaps;
    let heats: Vec<Option<Heat>> =
        specs.iter().map(|spec| heat(sweep, spec)).collect::<Result<_, _>>()?;
    let shades = shades(heats.iter().flatten(), sweep.metric());
    let mut names = Vec::new();
    for (spec, heat) in specs.iter().zip(&heats) {
        let name = file_name(spec, &mut names);
        one(page, sweep, spec, heat.as_ref(), shades, name);
    }
    Ok(())
}

fn one(
    page: &mut Page,
    sweep: &Sweep<'_>,
    spec: &HeatmapSpec,
    heat: Option<&Heat>,
    shades: Option<Shades>,
    name: String,
) {
    let (x, y) = (words(spec.x), words(spec.y));
    let without = format!("No heatmap of {} by {}", escape(&x), escape(&y));
    let Some(heat) = heat else {
        page.block(&format!("{without}: an axis needs 1 to {MAX_AXIS_VALUES} values to be drawn."));
        return;
    };
    let metric = sweep.metric().title;
    let unit = if sweep.metric().unit == Unit::Share { " (%)" } else { "" };
    let title = format!("{}{unit} by {x} and {y}", capitalized(metric));
    let labels = Labels { title: &title, x: &x, y: &y };
    match shades.and_then(|shades| heatmap(heat, sweep.metric(), shades, &labels)) {
        Some(svg) => {
            page.figure(Figure { name, alt: title, svg }, &caption(sweep, spec, heat));
        }
        None => page.block(&format!("{without}: no trial that completed fills a cell.")),
    }
}

fn caption(sweep: &Sweep<'_>, spec: &HeatmapSpec, heat: &Heat) -> String {
    let metric = sweep.metric().title;
    let others =
        heat.hidden_axes.iter().map(|name| escape(&words(name))).collect::<Vec<_>>().join(", ");
    let n_seeds = seeds(sweep);
    let (least, most) = heat.n_points;
    let mut text = match (others.is_empty(), spec.cell) {
        (true, _) => format!("A cell is the mean {metric} over {n_seeds}"),
        (false, Cell::Best) => {
            format!("A cell is the best over {others} of the mean {metric} over {n_seeds}")
        }
        (false, Cell::Mean) => {
            format!("A cell is the mean {metric} over {others} and {n_seeds}")
        }
    };
    if least == most {
        text.push_str(&format!(", {} in a cell", count(most, "point")));
    } else {
        text.push_str(&format!("; cells hide unequal numbers of points, {least} to {most}"));
    }
    text.push_str(
        ". Columns and rows are the values tried, in order and not to scale. The small line is the standard deviation over seeds, or how many of the cell's trials \
         diverged (they count as chance); hatched: all diverged; dashed: no result. All heatmaps \
         share one scale, logarithmic in the distance from perfect; the frame marks the best cell",
    );
    text.push_str(match spec.cell {
        Cell::Best => ", ties by lower validation loss.",
        Cell::Mean => ".",
    });
    text
}

/// `heatmap-depth-by-learning-rate`; a second one of the same axes gets a number.
fn file_name(spec: &HeatmapSpec, taken: &mut Vec<String>) -> String {
    let plain = |name: &str| -> String {
        let keep = name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(40);
        keep.collect::<String>().replace('_', "-")
    };
    let base = format!("heatmap-{}-by-{}", plain(spec.y), plain(spec.x));
    let n_same = taken.iter().filter(|other| **other == base).count();
    taken.push(base.clone());
    if n_same == 0 { base } else { format!("{base}-{}", n_same + 1) }
}
