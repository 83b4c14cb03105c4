//! A breach: the first rule that a result breaks, and the questions that find one.

use std::fmt::{Debug, Display};

use thiserror::Error;

/// The first rule that a result breaks.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{field} is {found}, expected {expected}")]
pub struct Breach {
    /// As in the tables, with the epoch where it has one.
    pub field: String,
    pub found: String,
    pub expected: String,
}

impl Breach {
    pub fn new(field: impl Display, found: impl Debug, expected: impl Display) -> Self {
        Self {
            field: field.to_string(),
            found: format!("{found:?}"),
            expected: expected.to_string(),
        }
    }

    /// A breach by a number that may be missing.
    pub fn or_none(field: impl Display, found: Option<f64>, expected: impl Display) -> Self {
        let shown = found.map_or("none".into(), |found| format!("{found:?}"));
        Self { found: shown, ..Self::new(field, found, expected) }
    }
}

/// `Err` unless the value is the only one that is possible.
pub fn exactly<T: Debug + PartialEq>(
    field: impl Display,
    found: T,
    expected: &T,
) -> Result<(), Breach> {
    if found == *expected {
        return Ok(());
    }
    Err(Breach::new(field, found, format!("{expected:?}")))
}

/// `Err` unless the value lies between two others, both allowed.
pub fn between<T: Debug + PartialOrd>(
    field: impl Display,
    found: T,
    low: &T,
    high: &T,
) -> Result<(), Breach> {
    if *low <= found && found <= *high {
        return Ok(());
    }
    Err(Breach::new(field, found, format!("{low:?} to {high:?}")))
}

/// Losses and norms: finite, not below 0, and no -0, which no sum of theirs gives.
pub fn finite_and_not_negative(field: impl Display, found: f64) -> Result<(), Breach> {
    if found.is_finite() && found.is_sign_positive() {
        return Ok(());
    }
    Err(Breach::new(field, found, "a finite number, 0 or above"))
}
