//! Measures: the numbers that a program gives with each epoch, declared as data. Wire, SQL, tables and
//! exports are loops over the declarations, so that none of them knows a program's measures by name.

pub mod epoch;
mod finals;
pub mod known;

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The longest name of a measure, in bytes.
pub const MAX_MEASURE_NAME_BYTES: usize = 63;

/// Columns that each table of epochs has beside the measures.
const TAKEN: [&str; 3] = ["trial", "trial_id", "epoch"];

/// One number of each epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measure {
    /// Its column in every table: a lower-case letter, then letters, digits and `_`.
    pub name: Cow<'static, str>,
    pub kind: MeasureKind,
    /// Whether an epoch may lack it. A measure that joins the declarations of a program later is
    /// optional, since what was recorded before has no such number.
    pub is_optional: bool,
    /// `None` for what is neither better nor worse.
    pub goal: Option<Goal>,
    pub unit: Unit,
    pub in_results: InResults,
    /// One sentence for people.
    pub help: Cow<'static, str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeasureKind {
    /// A finite f64.
    Number,
    /// A whole number from 0 to `i64::MAX`.
    Count,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    Maximize,
    Minimize,
}

/// How people read a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// From 0 to 1, printed in per cent.
    Share,
    Plain,
}

/// Which epochs of a trial the table of results shows, beside that of the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InResults {
    No,
    /// The last one.
    Final,
    /// The best one as well.
    BestAndFinal,
}

/// What is declared and cannot be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MeasureError {
    #[error(
        "the name of a measure is {0:?}, expected a lower-case letter, then letters, digits and `_`, at \
         most {MAX_MEASURE_NAME_BYTES} of them"
    )]
    Name(String),
    #[error("the measure {0:?} is declared twice, or is a column that every table has")]
    Taken(String),
}

impl Measure {
    /// A number that every epoch has, without a goal.
    pub const fn number(name: &'static str, help: &'static str) -> Self {
        Self {
            name: Cow::Borrowed(name),
            kind: MeasureKind::Number,
            is_optional: false,
            goal: None,
            unit: Unit::Plain,
            in_results: InResults::No,
            help: Cow::Borrowed(help),
        }
    }

    /// A count that every epoch has.
    pub const fn count(name: &'static str, help: &'static str) -> Self {
        let mut measure = Self::number(name, help);
        measure.kind = MeasureKind::Count;
        measure
    }

    pub const fn optional(mut self) -> Self {
        self.is_optional = true;
        self
    }

    pub const fn with_goal(mut self, goal: Goal) -> Self {
        self.goal = Some(goal);
        self
    }

    pub const fn in_results(mut self, in_results: InResults) -> Self {
        self.in_results = in_results;
        self
    }

    pub const fn share(mut self) -> Self {
        self.unit = Unit::Share;
        self
    }
}

/// Those that are shown of the best epoch: what is to be maximized first.
pub fn at_best(measures: &[Measure]) -> Vec<&Measure> {
    let is_shown = |measure: &&Measure| measure.in_results == InResults::BestAndFinal;
    let mut shown: Vec<&Measure> = measures.iter().filter(is_shown).collect();
    shown.sort_by_key(|measure| measure.goal != Some(Goal::Maximize));
    shown
}

/// Checks declarations that come from outside this program; their order is that of the columns.
///
/// # Errors
/// A name that no table can have, and one that is taken.
pub fn declared(measures: Vec<Measure>) -> Result<Arc<[Measure]>, MeasureError> {
    for (index, measure) in measures.iter().enumerate() {
        let name = &*measure.name;
        if !is_name(name) {
            return Err(MeasureError::Name(name.chars().take(MAX_MEASURE_NAME_BYTES).collect()));
        }
        if TAKEN.contains(&name) || measures[..index].iter().any(|other| other.name == name) {
            return Err(MeasureError::Taken(name.into()));
        }
    }
    Ok(measures.into())
}

fn is_name(name: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    name.len() <= MAX_MEASURE_NAME_BYTES
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(is_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Measure {
        Measure { name: Cow::Owned(name.into()), ..Measure::number("x", "") }
    }

    #[test]
    fn names_are_columns_and_no_sql() {
        for name in ["loss", "a", "top_5", &"a".repeat(63)] {
            assert!(declared(vec![named(name)]).is_ok(), "{name}");
        }
        for name in ["", "5th", "Loss", "a b", "a\"b", "a;drop", "_a", "ä", &"a".repeat(64)] {
            let refused = declared(vec![named(name)]).unwrap_err();
            assert!(matches!(refused, MeasureError::Name(_)), "{name}: {refused}");
        }
        for names in [vec!["epoch"], vec!["trial"], vec!["trial_id"], vec!["a", "b", "a"]] {
            let refused = declared(names.iter().map(|name| named(name)).collect()).unwrap_err();
            assert!(matches!(refused, MeasureError::Taken(_)), "{names:?}: {refused}");
        }
    }
}
