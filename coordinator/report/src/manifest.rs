//! `manifest.json`: versions, counts, and the SHA-256 of every other file; keys are sorted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use trial::Measure;

use crate::analysis;
use crate::input::Input;

/// Raised when a column of a table changes its name, meaning or place.
pub const SCHEMA_VERSION: u32 = 1;

// Fields stand in alphabetical order, since they are written in the order they are declared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The best configuration's first seed.
    pub best_trial_id: Option<String>,
    pub counts: Counts,
    pub data: Data,
    /// File name to SHA-256, 64 hex digits.
    pub files: BTreeMap<String, String>,
    /// What the trials measure, unless it is what the built-in trainer did at first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub measures: Vec<Measure>,
    pub name: String,
    pub numerics_version: u32,
    pub results_sha256: Option<String>,
    pub schema_version: u32,
    pub version: String,
}

/// Trials by outcome; `collapsed` ones are among the completed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub cancelled: usize,
    pub collapsed: usize,
    pub completed: usize,
    pub diverged: usize,
    pub failed: usize,
    pub open: usize,
    pub trials: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Data {
    /// 64 hex digits.
    pub digest: String,
    /// Share from 0 to 1 of the validation split: chance. Reports of older builds do not tell.
    #[serde(default)]
    pub largest_valid_class_share: Option<f64>,
    pub n_classes: u32,
    pub n_inputs: u32,
    pub n_test: u32,
    pub n_train: u32,
    pub n_valid: u32,
    pub name: String,
    pub scale: String,
}

impl Manifest {
    pub(crate) fn of(
        input: &Input,
        counts: analysis::Counts,
        files: &BTreeMap<String, String>,
        results_sha256: Option<String>,
        best_trial_id: Option<String>,
    ) -> Self {
        let data = &input.data;
        Self {
            best_trial_id,
            counts: Counts {
                cancelled: counts.n_cancelled,
                collapsed: counts.n_collapsed,
                completed: counts.n_completed,
                diverged: counts.n_diverged,
                failed: counts.n_failed,
                open: counts.n_open,
                trials: counts.n_trials,
            },
            data: Data {
                digest: data.digest.to_string(),
                largest_valid_class_share: Some(data.largest_valid_class_share),
                n_classes: data.n_classes,
                n_inputs: data.n_inputs,
                n_test: data.n_test,
                n_train: data.n_train,
                n_valid: data.n_valid,
                name: data.name.clone(),
                scale: data.scale.name().into(),
            },
            files: files.clone(),
            measures: if input.layout.is_told {
                input.layout.measures.to_vec()
            } else {
                Vec::new()
            },
            name: input.name.clone(),
            numerics_version: input.provenance.numerics_version,
            results_sha256,
            schema_version: SCHEMA_VERSION,
            version: input.provenance.version.clone(),
        }
    }

    /// The file with a row for each trial.
    pub fn results_csv(&self) -> &'static str {
        if self.results_sha256.is_some() { "results.csv" } else { "results-incomplete.csv" }
    }

    pub(crate) fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self)
            .expect("a manifest is texts and whole numbers, which always have a JSON form");
        text.push('\n');
        text
    }
}
