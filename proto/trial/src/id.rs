//! A trial's id: the digest of the canonical text of everything that decides its bits.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use thiserror::Error;

use crate::digest::{Digest, NoDigest};

/// The identity of a trial, shown as 64 hex digits. A type of its own, because an id is not a digest of
/// data.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct TrialId(pub Digest);

impl TrialId {
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Digest(bytes))
    }

    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0.0
    }

    /// The one of `ids` that begins with `prefix`, 1 to 64 hex digits of either case.
    ///
    /// # Errors
    /// A prefix that is not one, that no id begins with, or that several begin with.
    pub fn find(prefix: &str, ids: impl IntoIterator<Item = Self>) -> Result<Self, PrefixError> {
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
            0 => self.bytes()[i / 2] >> 4,
            _ => self.bytes()[i / 2] & 15,
        };
        let digits = prefix.chars().map(|c| c.to_digit(16));
        digits.enumerate().all(|(i, wanted)| wanted == Some(u32::from(digit(i))))
    }
}

impl fmt::Display for TrialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for TrialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrialId({self})")
    }
}

impl FromStr for TrialId {
    type Err = NoDigest;

    fn from_str(text: &str) -> Result<Self, NoDigest> {
        text.parse().map(Self)
    }
}

impl TryFrom<&[u8]> for TrialId {
    type Error = std::array::TryFromSliceError;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        Digest::try_from(bytes).map(Self)
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
