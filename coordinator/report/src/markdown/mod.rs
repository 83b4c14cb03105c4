//! `report.md`: eight sections, each in its own file, written from the analysis.

mod answer;
mod comparison;
mod confirm;
mod convergence;
mod curves;
mod escape;
mod heatmaps;
mod importance;
mod line_search;
mod notes;
mod page;
mod parallel;
mod pareto;
mod top;
mod tradeoffs;
mod tuning;

use crate::ReportError;
use crate::analysis::{Clock, Sweep};
use crate::figures::Figure;
use page::Page;

pub(crate) use escape::escape;

/// The page and the figures it shows.
pub(crate) fn write(sweep: &Sweep<'_>) -> Result<(String, Vec<Figure>), ReportError> {
    let clock = Clock::of(sweep);
    let mut page = Page::default();
    title(&mut page, sweep);
    answer::write(&mut page, sweep);
    heatmaps::write(&mut page, sweep)?;
    comparison::write(&mut page, sweep, &clock);
    tradeoffs::write(&mut page, sweep, &clock);
    curves::write(&mut page, sweep);
    tuning::write(&mut page, sweep);
    top::write(&mut page, sweep);
    notes::write(&mut page, sweep);
    Ok(page.finish())
}

fn title(page: &mut Page, sweep: &Sweep<'_>) {
    let counts = sweep.counts;
    let name = escape(&sweep.input.name);
    if counts.is_complete() {
        page.heading(1, &name);
    } else {
        let progress = format!("partial, {} of {}", counts.n_with_result(), counts.n_trials);
        page.heading(1, &format!("{name} ({progress})"));
    }
    if !sweep.input.description.trim().is_empty() {
        page.block(&escape::escape_prose(&sweep.input.description));
    }
}
