//! Identity: a trial's id is the SHA-256 of its canonical text, which holds all that decides the
//! trial's bits and nothing else. Order in the file, comments and names do not reach it.
//!
//! The text is a tag and then `key=value` lines sorted by key: the hyperparameters that the
//! optimizer uses with their defaults, `dataset` (digest), `n_train`, `n_valid`, `scale`,
//! `numerics` and `seed`. Numbers are the 16 hex digits of their f64 bits, counts are decimal.

use std::fmt::Write;

use trial::{Digest, Hyperparameters, Interface, Split, TrialId, Value};

use crate::space::text::joined_widths;

/// The first line; raised when the form of the text changes.
const TAG: &str = "trial 1\n";

/// The id of a trial on a data set.
pub fn trial_id(
    interface: &Interface,
    hyperparameters: &Hyperparameters,
    dataset_digest: Digest,
    split: Split,
) -> TrialId {
    let identity = Identity::new(interface, dataset_digest, split);
    identity.texts(hyperparameters).id(hyperparameters.seed)
}

enum Line {
    Parameter(&'static str),
    /// The same for all trials of a sweep.
    Constant(String),
    Seed,
}

/// Builds the canonical texts of one sweep's trials.
pub(crate) struct Identity {
    /// Sorted by key.
    lines: Vec<Line>,
}

impl Identity {
    pub(crate) fn new(interface: &Interface, dataset_digest: Digest, split: Split) -> Self {
        let scale = split.scale.name();
        let constant = |key: &'static str, value: String| (key, Line::Constant(value));
        let parameters = interface.parameters.iter();
        let mut lines: Vec<(&str, Line)> =
            parameters.map(|it| (it.name, Line::Parameter(it.name))).collect();
        lines.extend([
            constant("dataset", format!("dataset={}\n", dataset_digest)),
            constant("n_train", format!("n_train={}\n", split.n_train)),
            constant("n_valid", format!("n_valid={}\n", split.n_valid)),
            constant("numerics", format!("numerics={}\n", interface.version)),
            constant("scale", format!("scale={scale}\n")),
            ("seed", Line::Seed),
        ]);
        lines.sort_by_key(|(key, _)| *key);
        Self { lines: lines.into_iter().map(|(_, line)| line).collect() }
    }

    /// The text around the seed's number, the same for all seeds of a point.
    pub(crate) fn texts(&self, hyperparameters: &Hyperparameters) -> Texts {
        let mut texts = Texts { before_seed: TAG.to_string(), after_seed: String::new() };
        let mut text = &mut texts.before_seed;
        for line in &self.lines {
            match line {
                Line::Parameter(name) => write_line(text, name, hyperparameters.value(name)),
                Line::Constant(line) => text.push_str(line),
                Line::Seed => {
                    text.push_str("seed=");
                    text = &mut texts.after_seed;
                    text.push('\n');
                }
            }
        }
        texts
    }
}

/// A trial's canonical text but for the seed's number.
pub(crate) struct Texts {
    before_seed: String,
    after_seed: String,
}

impl Texts {
    pub(crate) fn id(&self, seed: u32) -> TrialId {
        TrialId(Digest::of(self.with(seed)))
    }

    pub(crate) fn with(&self, seed: u32) -> String {
        format!("{}{seed}{}", self.before_seed, self.after_seed)
    }
}

fn write_line(text: &mut String, key: &str, value: Option<&Value>) {
    let Some(value) = value else { return };
    let written = match value {
        Value::Text(word) => writeln!(text, "{key}={word}"),
        Value::Number(x) => writeln!(text, "{key}={:016x}", x.to_bits()),
        Value::Count(n) => writeln!(text, "{key}={n}"),
        // Empty for a network without hidden layers, whatever people call it.
        Value::Widths(widths) => writeln!(text, "{key}={}", joined_widths(widths)),
    };
    written.expect("writing to a string cannot fail");
}
