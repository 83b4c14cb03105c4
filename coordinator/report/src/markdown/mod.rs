//! `report.md`: eight sections, each in its own file, written from the analysis.

mod escape;
mod page;
pub mod phrases;
mod sections;

use crate::ReportError;
use crate::analysis::{Clock, Sweep};
use crate::figures::Figure;
use page::{Page, count};

pub(crate) use escape::escape;
pub(crate) use page::amount;

/// The page and the figures it shows.
pub(crate) fn write(sweep: &Sweep<'_>) -> Result<(String, Vec<Figure>), ReportError> {
    let clock = Clock::of(sweep);
    let mut page = Page::default();
    title(&mut page, sweep);
    sections::answer::write(&mut page, sweep);
    sections::tuning::heatmaps::write(&mut page, sweep)?;
    sections::comparison::write(&mut page, sweep, &clock);
    sections::comparison::tradeoffs::write(&mut page, sweep, &clock);
    sections::comparison::curves::write(&mut page, sweep);
    sections::tuning::write(&mut page, sweep);
    sections::tuning::top::write(&mut page, sweep);
    sections::notes::write(&mut page, sweep);
    Ok(page.finish())
}

fn title(page: &mut Page, sweep: &Sweep<'_>) {
    let counts = sweep.counts;
    let name = escape(&sweep.input.name);
    if counts.is_complete() {
        page.heading(1, &name);
    } else {
        let word = if counts.is_settled() { "incomplete" } else { "partial" };
        let (n_done, n_trials) = (counts.n_with_result(), counts.n_trials);
        page.heading(1, &format!("{name} ({word}, {n_done} of {n_trials})"));
    }
    if let Some(description) = &sweep.input.description {
        page.block(&escape::escape_prose(description));
    }
    if !counts.is_complete() {
        page.block(&missing(sweep));
    }
}

/// What is missing, and that it may change what the page says.
fn missing(sweep: &Sweep<'_>) -> String {
    let counts = sweep.counts;
    let missing: Vec<String> =
        [("open", counts.n_open), ("failed", counts.n_failed), ("cancelled", counts.n_cancelled)]
            .into_iter()
            .filter(|(_, n)| *n > 0)
            .map(|(word, n)| format!("{} {word}", page::thousands(n as u64)))
            .collect();
    let results = format!(
        "{} of {} have a result, {}",
        page::thousands(counts.n_with_result() as u64),
        count(counts.n_trials, "trial"),
        missing.join(", "),
    );
    if counts.is_settled() {
        return format!(
            "> **This report is incomplete**: {results}. Figures, rankings and verdicts are of the \
             results that there are, and points with all their seeds go before those that miss some. \
             The command at the end runs cancelled trials again, and failed ones with \
             `--retry-failed` beside it."
        );
    }
    format!(
        "> **This report is partial**: {results}. Figures are of the results so far, \
         rankings and verdicts may change, and points with all their seeds go before those that still \
         miss some. The command at the end goes on where the sweep stopped."
    )
}
