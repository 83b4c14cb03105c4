//! `manifest.json`: versions, counts, and the SHA-256 of every other file; keys are sorted.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::analysis::Counts;
use crate::input::Input;

/// Raised when a column of a table changes its name, meaning or place.
const SCHEMA_VERSION: u32 = 1;

// Fields stand in alphabetical order, since they are written in the order they are declared.
#[derive(Serialize)]
struct Manifest<'a> {
    /// The best configuration's first seed.
    best_trial_id: Option<&'a str>,
    counts: ManifestCounts,
    data: Data<'a>,
    /// File name to SHA-256.
    files: &'a BTreeMap<String, String>,
    name: &'a str,
    numerics_version: u32,
    results_sha256: Option<&'a str>,
    schema_version: u32,
    version: &'a str,
}

#[derive(Serialize)]
struct ManifestCounts {
    cancelled: usize,
    collapsed: usize,
    completed: usize,
    diverged: usize,
    failed: usize,
    open: usize,
    trials: usize,
}

#[derive(Serialize)]
struct Data<'a> {
    digest: &'a str,
    n_classes: u32,
    n_inputs: u32,
    n_test: u32,
    n_train: u32,
    n_valid: u32,
    name: &'a str,
    scale: &'a str,
}

pub(crate) fn manifest(
    input: &Input,
    counts: Counts,
    files: &BTreeMap<String, String>,
    results_sha256: Option<&str>,
    best_trial_id: Option<&str>,
) -> String {
    let data = &input.data;
    let manifest = Manifest {
        best_trial_id,
        counts: ManifestCounts {
            cancelled: counts.n_cancelled,
            collapsed: counts.n_collapsed,
            completed: counts.n_completed,
            diverged: counts.n_diverged,
            failed: counts.n_failed,
            open: counts.n_open,
            trials: counts.n_trials,
        },
        data: Data {
            digest: &data.digest,
            n_classes: data.n_classes,
            n_inputs: data.n_inputs,
            n_test: data.n_test,
            n_train: data.n_train,
            n_valid: data.n_valid,
            name: &data.name,
            scale: &data.scale,
        },
        files,
        name: &input.name,
        numerics_version: input.provenance.numerics_version,
        results_sha256,
        schema_version: SCHEMA_VERSION,
        version: &input.provenance.version,
    };
    let mut text = serde_json::to_string_pretty(&manifest)
        .expect("a manifest is texts and whole numbers, which always have a JSON form");
    text.push('\n');
    text
}
