//! Identity: a trial's id is the SHA-256 of its canonical text, which holds all that decides the
//! trial's bits and nothing else. Order in the file, comments and names do not reach it.
//!
//! The text is a tag and then `key=value` lines sorted by key: the hyperparameters that the
//! optimizer uses with their defaults, `dataset` (digest), `n_train`, `n_valid`, `scale`,
//! `numerics` and `seed`. Numbers are the 16 hex digits of their f64 bits, counts are decimal.

use std::fmt::{self, Write};
use std::str::FromStr;

use sha2::{Digest, Sha256};
use thiserror::Error;
use trainer::hex;
use trainer::{KEYS, NUMERICS_VERSION, Split, TrainConfig, Value, from_hex};

use crate::file::spec::SCALE_NAMES;
use crate::space::text::joined_widths;

/// The first line; raised when the form of the text changes.
const TAG: &str = "trial 1\n";

/// The identity of a trial. Displays as 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrialId(pub [u8; 32]);

impl TrialId {
    /// The id of a configuration on a data set.
    pub fn of(config: &TrainConfig, dataset_digest: &[u8; 32], split: Split) -> Self {
        Identity::new(dataset_digest, split).texts(config).id(config.seed)
    }

    /// The one of `ids` that begins with `prefix`.
    pub fn find(prefix: &str, ids: impl IntoIterator<Item = TrialId>) -> Result<Self, PrefixError> {
        let prefix = prefix.to_ascii_lowercase();
        if prefix.is_empty() || prefix.len() > 64 || !prefix.bytes().all(|b| b.is_ascii_hexdigit())
        {
            return Err(PrefixError::NoId { prefix });
        }
        let mut found = None;
        for id in ids {
            if !id.starts_with(&prefix) {
                continue;
            }
            if let Some(first) = found.replace(id).filter(|first| *first != id) {
                return Err(PrefixError::Ambiguous { prefix, first, second: id });
            }
        }
        found.ok_or(PrefixError::NotFound { prefix })
    }

    fn starts_with(&self, prefix: &str) -> bool {
        let digit = |i: usize| match i % 2 {
            0 => self.0[i / 2] >> 4,
            _ => self.0[i / 2] & 15,
        };
        let digits = prefix.chars().map(|c| c.to_digit(16));
        digits.enumerate().all(|(i, wanted)| wanted == Some(u32::from(digit(i))))
    }
}

impl fmt::Display for TrialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for TrialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrialId({self})")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expected a trial id, 64 hex digits")]
pub struct NoTrialId;

impl FromStr for TrialId {
    type Err = NoTrialId;

    fn from_str(text: &str) -> Result<Self, NoTrialId> {
        from_hex(text).map(Self).ok_or(NoTrialId)
    }
}

/// Why a prefix names no trial.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PrefixError {
    #[error("`{prefix}` is no beginning of a trial id: expected 1 to 64 hex digits")]
    NoId { prefix: String },
    #[error("no trial's id begins with `{prefix}`")]
    NotFound { prefix: String },
    #[error(
        "several trials' ids begin with `{prefix}`, such as {first} and {second}: give more digits"
    )]
    Ambiguous { prefix: String, first: TrialId, second: TrialId },
}

enum Line {
    Key(&'static str),
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
    pub(crate) fn new(dataset_digest: &[u8; 32], split: Split) -> Self {
        let scale = SCALE_NAMES[split.scale as usize];
        let constant = |key: &'static str, value: String| (key, Line::Constant(value));
        let mut lines: Vec<(&str, Line)> =
            KEYS.iter().map(|key| (key.name, Line::Key(key.name))).collect();
        lines.extend([
            constant("dataset", format!("dataset={}\n", TrialId(*dataset_digest))),
            constant("n_train", format!("n_train={}\n", split.n_train)),
            constant("n_valid", format!("n_valid={}\n", split.n_valid)),
            constant("numerics", format!("numerics={NUMERICS_VERSION}\n")),
            constant("scale", format!("scale={scale}\n")),
            ("seed", Line::Seed),
        ]);
        lines.sort_by_key(|(key, _)| *key);
        Self { lines: lines.into_iter().map(|(_, line)| line).collect() }
    }

    /// The text around the seed's number, the same for all seeds of a point.
    pub(crate) fn texts(&self, config: &TrainConfig) -> Texts {
        let mut texts = Texts { before_seed: TAG.to_string(), after_seed: String::new() };
        let mut text = &mut texts.before_seed;
        for line in &self.lines {
            match line {
                Line::Key(key) => write_line(text, key, config.value(key)),
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
        TrialId(Sha256::digest(self.with(seed)).into())
    }

    pub(crate) fn with(&self, seed: u32) -> String {
        format!("{}{seed}{}", self.before_seed, self.after_seed)
    }
}

fn write_line(text: &mut String, key: &str, value: Option<Value>) {
    let Some(value) = value else { return };
    let written = match value {
        Value::Text(word) => writeln!(text, "{key}={word}"),
        Value::Number(x) => writeln!(text, "{key}={:016x}", x.to_bits()),
        Value::Count(n) => writeln!(text, "{key}={n}"),
        // Empty for a network without hidden layers, whatever people call it.
        Value::Widths(widths) => writeln!(text, "{key}={}", joined_widths(&widths)),
    };
    written.expect("writing to a string cannot fail");
}
