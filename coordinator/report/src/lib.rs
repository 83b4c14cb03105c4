//! Results to polars tables, statistics, figures, Markdown and HTML: `reports/<name>/`.

mod analysis;
pub mod command;
mod error;
mod figures;
mod folder;
mod html;
pub mod input;
mod manifest;
mod markdown;
mod recorded;
mod stats;
mod summary;
mod tables;
mod text;

use std::path::{Path, PathBuf};

pub use analysis::Counts;
pub use error::ReportError;
pub use figures::is_same_picture;
pub use html::html_lacks;
pub use manifest::{Counts as ManifestCounts, Data as ManifestData, Manifest, SCHEMA_VERSION};
pub use recorded::{Told, differing_tables, read_results, read_told, read_trials, results_csv};
pub use summary::Best;
pub use text::shown;

use analysis::Sweep;
use folder::{Folder, sha256};
use input::Input;

/// What was built.
#[derive(Clone, Debug, PartialEq)]
pub struct Built {
    /// SHA-256 of `results.csv`, 64 hex digits; only for a complete sweep.
    pub results_sha256: Option<String>,
    pub counts: Counts,
    /// The best configuration; `None` before any trial has a result.
    pub best: Option<Best>,
    /// For the terminal: a header, then one row an optimizer with its best point.
    pub short_table: Vec<Vec<String>>,
    pub files: Vec<PathBuf>,
}

/// Builds every file of a report into `folder`, an existing empty directory. A pure function of its
/// input: equal inputs give equal bytes (of PNGs: on one architecture, for one lock file).
///
/// # Errors
/// When a file cannot be written, a table or figure cannot be made, or a trial's values do not fit
/// the columns.
pub fn build(input: &Input, folder: &Path) -> Result<Built, ReportError> {
    let sweep = Sweep::new(input)?;
    let mut out = Folder::new(folder);
    let results_sha256 = write_tables(input, sweep.counts, &mut out)?;
    let (page, figures) = markdown::write(&sweep)?;
    out.write("report.md", page.as_bytes())?;
    out.write("report.html", html::page(&page, &figures).as_bytes())?;
    for figure in &figures {
        out.write(&format!("{}.svg", figure.name), figure.svg.as_bytes())?;
        out.write(&format!("{}.png", figure.name), &figures::png(figure)?)?;
    }
    out.write("sweep.toml", input.sweep_toml.as_bytes())?;
    let best = summary::best(&sweep);
    let best_trial_id = best.as_ref().map(|best| best.trial_id.clone());
    let manifest =
        Manifest::of(input, sweep.counts, out.digests(), results_sha256.clone(), best_trial_id);
    out.write("manifest.json", manifest.to_json().as_bytes())?;
    Ok(Built {
        results_sha256,
        counts: sweep.counts,
        best,
        short_table: summary::short_table(&sweep),
        files: out.files(),
    })
}

/// Writes the tables and gives the digest of `results.csv`, which exists only for a complete sweep.
fn write_tables(
    input: &Input,
    counts: Counts,
    out: &mut Folder,
) -> Result<Option<String>, ReportError> {
    let name = counts.results_name();
    let mut results = tables::results(&input.layout, &input.trials)?;
    let csv = tables::csv_bytes(&results, "results")?;
    out.write(&format!("{name}.csv"), &csv)?;
    out.write(&format!("{name}.parquet"), &tables::parquet_bytes(&mut results, "results")?)?;
    let mut history = tables::history(&input.layout.measures, &input.trials)?;
    out.write("history.parquet", &tables::parquet_bytes(&mut history, "history")?)?;
    let mut timings = tables::timings(&input.trials)?;
    out.write("timings.parquet", &tables::parquet_bytes(&mut timings, "timings")?)?;
    Ok(counts.is_complete().then(|| sha256(&csv)))
}
